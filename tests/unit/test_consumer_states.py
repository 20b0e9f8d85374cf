"""Totals are exact and states the latest, in whatever order and company events come."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from consumer.responding import respond
from consumer.tables import Tables
from proofs.fakes.dynamodb import Call, cancellation, refusal
from proofs.fakes.faults import cancel_next
from shared import entity_events
from tests.consumer import Consumer, batch
from tests.ingest import KINDS, NOON, at, envelope
from tests.unit.aws import Aws, make_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
TRIES = 8


def expected(details: Sequence[dict[str, Any]]) -> tuple[Counter[str], dict[str, tuple[str, Any]]]:
    """Return totals and states of events, by the words of the issue: (time, id) decides."""
    unique = {(each["source"], each["id"]): each for each in details}.values()
    totals = Counter(each["type"] for each in unique)
    states: dict[str, tuple[str, Any]] = {}
    for each in sorted(unique, key=lambda each: (each["time"], each["id"])):
        states[f"{each['type']}/{each['subject']}"] = (each["id"], each["data"])
    return totals, states


def expect(consumer: Consumer, details: Sequence[dict[str, Any]]) -> None:
    totals, states = expected(details)
    assert consumer.totals == totals
    assert consumer.states == states
    assert len(consumer.markers) == totals.total()


def some_events(generator: random.Random, count: int, entities: int = 6) -> list[dict[str, Any]]:
    """Return events of few entities and moments, so that many of them meet."""
    return [
        envelope(
            number,
            id=f"e{generator.randrange(10**9)}-{number}",
            type=generator.choice(KINDS),
            subject=f"s{generator.randrange(entities)}",
            time=at(generator.randrange(12)),
            data={"number": number},
        )
        for number in range(count)
    ]


def split(generator: random.Random, records: list[Any]) -> list[list[Any]]:
    """Return batches of any size up to a hundred."""
    batches = []
    while records:
        size = generator.randint(1, 100)
        batches.append(records[:size])
        records = records[size:]
    return batches


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
@pytest.mark.parametrize("together", [True, False])
def test_the_latest_state_is_the_same_in_any_order_of_arrival(
    consumer: Consumer, order: Sequence[int], together: bool
) -> None:
    # GIVEN four events of one entity, of which two are of one moment
    moments = [("b", 1), ("a", 2), ("d", 2), ("c", 0)]
    details = [
        envelope(1, id=id, type="order", time=at(second), data={"id": id})
        for id, second in moments  # noqa: A001 - the event's
    ]
    # WHEN
    records = batch(details[place] for place in order)
    for each in [records] if together else [[record] for record in records]:
        assert consumer.respond(each) == []
    # THEN
    assert consumer.states == {"order/s1": ("d", {"id": "d"})}
    assert consumer.totals == {"order": 4}


def test_any_order_with_repetitions_in_any_batches_ends_the_same(
    consumer: Consumer, seed: int
) -> None:
    for round_seed in range(seed, seed + 15):
        generator = random.Random(round_seed)  # noqa: S311
        consumer.start_over()
        details = some_events(generator, generator.randint(1, 120))
        records = batch(details + generator.choices(details, k=len(details) // 3))
        generator.shuffle(records)
        # WHEN
        for each in split(generator, records):
            assert consumer.respond(each) == []
        # THEN
        try:
            expect(consumer, details)
        except AssertionError as error:
            raise AssertionError(f"round seed {round_seed}") from error


def test_another_responder_that_is_first_with_a_later_event_wins(consumer: Consumer) -> None:
    # GIVEN a later event that takes effect between this responder's read and its transaction
    first = envelope(1, id="e1", type="order", subject="o", time=at(1), data={"n": 1})
    later = envelope(1, id="e2", type="order", subject="o", time=at(2), data={"n": 2})

    def overtake(call: Call) -> None:
        if call.operation == "TransactWriteItems":
            consumer.dynamodb.before = lambda _call: None
            assert consumer.respond(batch([later])) == []

    consumer.dynamodb.before = overtake
    # WHEN
    assert consumer.respond(batch([first])) == []
    # THEN it reads again, and leaves the state alone
    expect(consumer, [first, later])
    assert consumer.operations == [
        *["BatchGetItem", "TransactWriteItems"] * 3,
    ]


def test_another_responder_that_is_first_with_an_earlier_event_does_not_hinder(
    consumer: Consumer,
) -> None:
    first = envelope(1, id="e1", type="order", subject="o", time=at(1), data={"n": 1})
    later = envelope(1, id="e2", type="order", subject="o", time=at(2), data={"n": 2})

    def overtake(call: Call) -> None:
        if call.operation == "TransactWriteItems":
            consumer.dynamodb.before = lambda _call: None
            assert consumer.respond(batch([first])) == []

    consumer.dynamodb.before = overtake
    assert consumer.respond(batch([later])) == []
    expect(consumer, [first, later])


@pytest.mark.parametrize("is_overtaken", [True, False])
def test_an_event_of_another_source_at_the_very_same_place_changes_no_state(
    consumer: Consumer, is_overtaken: bool
) -> None:
    # GIVEN two events of one moment and one id
    ours = envelope(1, data={"n": 1})
    theirs = envelope(1, source="/elsewhere", data={"n": 2})

    def overtake(call: Call) -> None:
        if call.operation == "TransactWriteItems":
            consumer.dynamodb.before = lambda _call: None
            assert consumer.respond(batch([ours])) == []

    # WHEN ours takes effect first, before theirs is read or after
    if is_overtaken:
        consumer.dynamodb.before = overtake
    else:
        assert consumer.respond(batch([ours])) == []
    assert consumer.respond(batch([theirs])) == []
    # THEN
    assert consumer.totals == {"device": 2}
    assert consumer.states == {"device/s1": ("e1", {"n": 1})}


def test_another_responder_that_is_first_with_the_same_event_counts_it_once(
    consumer: Consumer,
) -> None:
    details = [envelope(1), envelope(2), envelope(3)]

    def overtake(call: Call) -> None:
        if call.operation == "TransactWriteItems":
            consumer.dynamodb.before = lambda _call: None
            assert consumer.respond(batch(details[:2])) == []

    consumer.dynamodb.before = overtake
    assert consumer.respond(batch(details)) == []
    expect(consumer, details)


@pytest.mark.parametrize(
    "reason", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]
)
def test_a_conflict_is_tried_again(consumer: Consumer, reason: str) -> None:
    details = [envelope(number) for number in range(30)]
    consumer.dynamodb.before = cancel_next(TRIES - 1, reason)
    assert consumer.respond(batch(details)) == []
    expect(consumer, details)


def test_a_conflict_that_does_not_pass_makes_the_batch_come_again(
    consumer: Consumer, caplog: pytest.LogCaptureFixture
) -> None:
    details = [envelope(number) for number in range(100)]
    consumer.dynamodb.before = cancel_next(TRIES)
    assert sorted(consumer.respond(batch(details))) == list(range(1, 101))
    assert consumer.totals == {}
    [logged] = [each for each in caplog.records if each.message == "failed"]
    causes = vars(logged)["causes"]
    # The second transaction is left for then, too.
    assert causes.keys() == {"Contended", "NotTried"}
    assert consumer.respond(batch(details)) == []
    expect(consumer, details)


def test_an_item_that_dynamodb_refuses_fails_its_events_alone(consumer: Consumer) -> None:
    # GIVEN an entity whose state DynamoDB never takes
    details = [envelope(n, type="order", subject=f"s{n % 3}") for n in range(9)]

    def refuse(call: Call) -> None:
        if call.operation == "TransactWriteItems":
            reasons = [
                "ValidationError"
                if each.get("Put", {}).get("Item", {}).get("id") == {"S": "order/s1"}
                else "None"
                for each in call.arguments["TransactItems"]
            ]
            if "ValidationError" in reasons:
                raise cancellation(reasons)

    consumer.dynamodb.before = refuse
    # WHEN / THEN messages 2, 5 and 8 are its
    assert sorted(consumer.respond(batch(details))) == [2, 5, 8]
    expect(consumer, [each for each in details if each["subject"] != "s1"])
    # AND they count when they come again
    consumer.dynamodb.before = lambda _call: None
    assert consumer.respond(batch(details[n] for n in (1, 4, 7))) == []
    expect(consumer, details)


def failing_at(operation: str, error: Exception, *, after: int = 0) -> Callable[[Call], None]:
    seen = 0

    def hook(call: Call) -> None:
        nonlocal seen
        if call.operation == operation:
            seen += 1
            if seen > after:
                raise error

    return hook


@pytest.mark.parametrize("operation", ["BatchGetItem", "TransactWriteItems"])
@pytest.mark.parametrize(
    "error",
    [refusal("AccessDeniedException", "x"), ReadTimeoutError(endpoint_url="https://dynamodb")],
    ids=["AccessDeniedException", "ReadTimeoutError"],
)
def test_what_dynamodb_does_not_do_now_comes_again(
    consumer: Consumer, operation: str, error: Exception
) -> None:
    details = [envelope(number) for number in range(60)]
    consumer.dynamodb.before = failing_at(operation, error)
    assert sorted(consumer.respond(batch(details))) == list(range(1, 61))
    assert consumer.totals == {}
    consumer.dynamodb.before = lambda _call: None
    assert consumer.respond(batch(details)) == []
    expect(consumer, details)


def test_a_transaction_that_fails_leaves_the_one_before_it(consumer: Consumer) -> None:
    details = [envelope(number, subject=f"s{number}") for number in range(60)]
    error = ReadTimeoutError(endpoint_url="https://dynamodb")
    consumer.dynamodb.before = failing_at("TransactWriteItems", error, after=1)
    again = consumer.respond(batch(details))
    assert 0 < len(again) < 60
    done = [each for number, each in enumerate(details, 1) if number not in again]
    expect(consumer, done)


def test_an_answer_that_is_lost_counts_nothing_twice(consumer: Consumer) -> None:
    details = [envelope(number) for number in range(60)]
    error = ReadTimeoutError(endpoint_url="https://dynamodb")
    consumer.dynamodb.after = failing_at("TransactWriteItems", error)
    assert sorted(consumer.respond(batch(details))) == list(range(1, 61))
    consumer.dynamodb.after = lambda _call: None
    assert consumer.respond(batch(details)) == []
    expect(consumer, details)


def test_of_an_event_that_comes_twice_in_a_failed_batch_one_message_comes_again(
    consumer: Consumer,
) -> None:
    error = refusal("AccessDeniedException", "x")
    consumer.dynamodb.before = failing_at("TransactWriteItems", error)
    details = [envelope(1), envelope(2), envelope(1)]
    again = consumer.respond(batch(details))
    assert {details[place - 1]["id"] for place in again} == {"e1", "e2"}


def test_a_mistake_of_ours_fails_the_invocation(consumer: Consumer) -> None:
    consumer.dynamodb.before = failing_at("TransactWriteItems", KeyError("a mistake"))
    with pytest.raises(KeyError):
        consumer.respond(batch([envelope(1)]))


def test_what_dynamodb_leaves_unread_is_read_again(consumer: Consumer) -> None:
    # GIVEN states that are later than what comes
    details = [envelope(n, subject=f"s{n}", time=at(9)) for n in range(20)]
    older = [envelope(n, id=f"older{n}", subject=f"s{n}", time=at(1)) for n in range(20)]
    consumer.respond(batch(details))
    consumer.dynamodb.leave_unprocessed = [15, 7]
    # WHEN / THEN
    assert consumer.respond(batch(older)) == []
    expect(consumer, details + older)


def test_dynamodb_itself_takes_what_is_written(aws: Aws) -> None:
    # GIVEN real expression rules, reserved words among them
    tables = Tables(*(make_table(aws.client) for _ in range(3)))
    made = [
        entity_events.from_dict(envelope(n, type="order", subject="o", time=at(second)))
        for n, second in [(1, 5), (2, 9), (3, 7)]
    ]
    # WHEN
    for each in (made[:1], made[1:], made[2:]):
        result = respond(each, tables=tables, now=NOON, client=aws.client, tries=lambda: range(3))
        assert result.failed == {}
    # THEN
    [total] = aws.items(tables.totals)
    assert total == {"id": {"S": "order"}, "event_count": {"N": "3"}}
    [state] = aws.items(tables.entities)
    assert state["event_id"] == {"S": "e2"}
    assert len(aws.items(tables.markers)) == 3

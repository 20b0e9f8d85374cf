"""Counting: each event once, whatever is delivered how often, in whatever order and company."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from event_aggregator.aggregation import MARKER_DAYS, Counted, Result, Tables, count
from shared.times import rfc3339
from tests.fakes import faults
from tests.fakes.dynamodb import Call, FakeDynamoDB, cancellation, refusal
from tests.unit.aws import Aws, make_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.transactions import Tries

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TABLES = Tables(processed="processed", summaries="summaries")


def event(id: str, group: str = "g", second: int = 0) -> Counted:
    """Return an event of `group`, received `second` seconds after noon."""
    at = rfc3339(NOON + timedelta(seconds=second))
    return Counted(id, group, f"label of {group}", at, sequence_number="1")


def events(number: int, groups: int = 1) -> list[Counted]:
    return [event(f"e{n}", f"g{n % groups}", second=n) for n in range(number)]


def times(tries: int) -> Tries:
    """Return as many tries, with no wait in between."""
    return lambda: range(tries)


def counted(batch: Iterable[Counted], client: FakeDynamoDB, tries: int = 8) -> Result:
    return count(
        batch,
        tables=TABLES,
        now=NOON,
        client=client,  # type: ignore[arg-type]
        tries=times(tries),
    )


def summary(client: FakeDynamoDB, group: str = "g") -> tuple[int, str, str]:
    """Return count, first and last time, the latter as seconds after noon."""
    item = client.tables["summaries"][group]
    first, last = (
        str(round((datetime.fromisoformat(item[name]["S"]) - NOON).total_seconds()))
        for name in ("first_seen", "last_seen")
    )
    return int(item["item_count"]["N"]), first, last


def counts(client: FakeDynamoDB) -> dict[str, int]:
    return {key: int(item["item_count"]["N"]) for key, item in client.tables["summaries"].items()}


def transactions(client: FakeDynamoDB) -> list[int]:
    """Return the number of actions of each transaction."""
    return [
        len(c.arguments["TransactItems"])
        for c in client.calls
        if c.operation == "TransactWriteItems"
    ]


@pytest.fixture
def client() -> FakeDynamoDB:
    return FakeDynamoDB.with_tables("processed", "summaries")


def test_events_are_counted_in_their_groups(client: FakeDynamoDB) -> None:
    result = counted([event("1", "a"), event("2", "b"), event("3", "a")], client)
    assert counts(client) == {"a": 2, "b": 1}
    assert (result.counted, result.already) == (3, 0)


def test_a_summary_has_all_that_readers_need(client: FakeDynamoDB) -> None:
    counted([event("1", "a", second=5)], client)
    assert client.tables["summaries"]["a"] == {
        "id": {"S": "a"},
        "item_count": {"N": "1"},
        "first_seen": {"S": "2026-11-21T12:00:05.000000Z"},
        "last_seen": {"S": "2026-11-21T12:00:05.000000Z"},
        "group_label": {"S": "label of a"},
        "ranking": {"S": "all"},
    }


def test_dynamodb_itself_takes_what_is_written(aws: Aws) -> None:
    # GIVEN real expression rules, reserved words among them
    tables = Tables(make_table(aws.client), make_table(aws.client, ranking="by-count"))
    batch = [event("1", second=3), event("2", second=1), event("3", "other")]
    # WHEN
    for _ in range(2):
        count(batch, tables=tables, now=NOON, client=aws.client, tries=times(3))
    count([event("4", second=9)], tables=tables, now=NOON, client=aws.client, tries=times(3))
    # THEN
    found = {item["id"]["S"]: item for item in aws.items(tables.summaries)}
    assert {key: item["item_count"]["N"] for key, item in found.items()} == {"g": "3", "other": "1"}
    assert found["g"]["first_seen"]["S"] == rfc3339(NOON + timedelta(seconds=1))
    assert found["g"]["last_seen"]["S"] == rfc3339(NOON + timedelta(seconds=9))
    assert len(aws.items(tables.processed)) == 4


@pytest.mark.parametrize("seconds", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
@pytest.mark.parametrize("batches", ["one", "several"])
def test_first_and_last_seen_are_right_in_any_order(
    client: FakeDynamoDB, seconds: Sequence[int], batches: str
) -> None:
    delivered = [event(f"e{second}", second=second) for second in seconds]
    for batch in [delivered] if batches == "one" else [[each] for each in delivered]:
        counted(batch, client)
    assert summary(client) == (3, "1", "3")


def test_an_event_from_within_the_span_leaves_it(client: FakeDynamoDB) -> None:
    counted([event("1", second=0), event("2", second=10)], client)
    counted([event("3", second=5)], client)
    assert summary(client) == (3, "0", "10")


@pytest.mark.parametrize("number", [1, 99, 250])
def test_a_batch_delivered_five_times_counts_once(client: FakeDynamoDB, number: int) -> None:
    # GIVEN
    batch = events(number, groups=7)
    counted(batch, client)
    before = {name: dict(table) for name, table in client.tables.items()}
    # WHEN
    results = [counted(batch, client) for _ in range(4)]
    # THEN
    assert client.tables == before
    assert {(result.counted, result.already) for result in results} == {(0, number)}


def test_an_event_twice_in_a_batch_counts_once(client: FakeDynamoDB) -> None:
    result = counted([event("1"), event("2"), event("1")], client)
    assert summary(client)[0] == 2
    assert result.counted == 2


def test_a_batch_of_old_and_new_events_counts_the_new(client: FakeDynamoDB) -> None:
    batch = events(150, groups=3)
    counted(batch[::3], client)
    result = counted(batch, client)
    assert counts(client) == {"g0": 50, "g1": 50, "g2": 50}
    assert (result.counted, result.already) == (100, 50)


def test_nothing_to_count_is_no_call(client: FakeDynamoDB) -> None:
    counted([], client)
    assert client.calls == []


def test_a_marker_outlives_everything_that_can_bring_its_event_back(client: FakeDynamoDB) -> None:
    counted([event("1")], client)
    expires = int(client.tables["processed"]["1"]["expires_at"]["N"])
    assert expires - NOON.timestamp() == timedelta(days=MARKER_DAYS).total_seconds()
    # A day in the stream, fourteen in the dead-letter queue, seven in an archive.
    assert MARKER_DAYS > 1 + 14 + 7


@pytest.mark.parametrize(
    ("number", "groups", "calls"),
    [(1, 1, 2), (99, 1, 2), (100, 1, 3), (1_000, 1, 12), (1_000, 10, 15), (1_000, 1_000, 30)],
)
def test_calls_stay_within_the_limits_and_the_budget(
    client: FakeDynamoDB, number: int, groups: int, calls: int
) -> None:
    counted(events(number, groups), client)
    assert max(transactions(client)) <= 100
    assert len(client.calls) <= calls
    assert sum(counts(client).values()) == len(client.tables["processed"]) == number


def test_another_writer_who_widens_the_span_meanwhile_loses_nothing(client: FakeDynamoDB) -> None:
    # GIVEN a summary that was read before another writer widened it on both sides
    counted([event("1", second=50)], client)

    def widen(call: Call) -> None:
        if call.operation == "TransactWriteItems":
            client.before = lambda _call: None
            counted([event("2", second=0), event("3", second=100)], client)

    client.before = widen
    # WHEN
    counted([event("4", second=60)], client)
    # THEN
    assert summary(client) == (4, "0", "100")


def test_another_writer_who_makes_the_summary_meanwhile_loses_nothing(client: FakeDynamoDB) -> None:
    def make(call: Call) -> None:
        if call.operation == "TransactWriteItems":
            client.before = lambda _call: None
            counted([event("2", second=100)], client)

    client.before = make
    counted([event("1", second=50)], client)
    assert summary(client) == (2, "50", "100")


def test_another_writer_who_counts_the_same_event_meanwhile_counts_it_once(
    client: FakeDynamoDB,
) -> None:
    def count_it(call: Call) -> None:
        if call.operation == "TransactWriteItems":
            client.before = lambda _call: None
            counted([event("1", second=1)], client)

    client.before = count_it
    result = counted([event("1", second=1), event("2", second=2)], client)
    assert summary(client) == (2, "1", "2")
    assert (result.counted, result.already) == (1, 1)


PASSING = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]


@pytest.mark.parametrize("reason", PASSING)
@pytest.mark.parametrize("cancelled", [1, 7])
def test_what_passes_by_itself_is_tried_again(
    client: FakeDynamoDB, reason: str, cancelled: int
) -> None:
    client.before = faults.cancel_next(cancelled, reason)
    counted(events(150), client)
    assert counts(client) == {"g0": 150}


@pytest.mark.parametrize("reason", PASSING)
def test_what_does_not_pass_fails_and_the_redelivery_counts_it(
    client: FakeDynamoDB, reason: str
) -> None:
    # GIVEN
    batch = events(90, groups=2)
    client.before = faults.cancel_next(8, reason)
    # WHEN
    result = counted(batch, client)
    # THEN nothing took effect, and the redelivery counts all
    assert result.failed == dict.fromkeys(batch, "Contended")
    assert (result.counted, counts(client)) == (0, {})
    assert not counted(result.failed, client).failed
    assert counts(client) == {"g0": 45, "g1": 45}


def test_after_a_transaction_that_met_others_every_time_the_rest_waits_for_the_next_delivery(
    client: FakeDynamoDB,
) -> None:
    # GIVEN the second of three transactions meets a conflict every time
    batch = events(250)
    attempts = 0

    def conflict(call: Call) -> None:
        nonlocal attempts
        if call.operation == "TransactWriteItems":
            attempts += 1
            if attempts > 1:
                faults.cancel_next(1)(call)

    client.before = conflict
    # WHEN
    result = counted(batch, client)
    # THEN the third is not tried, which would outlast the invocation
    assert attempts == 1 + 8
    assert result.failed == {
        **dict.fromkeys(batch[99:198], "Contended"),
        **dict.fromkeys(batch[198:], "NotTried"),
    }
    assert counts(client) == {"g0": 99}
    # WHEN all of it comes again
    client.before = lambda _call: None
    again = counted(batch, client)
    # THEN
    assert summary(client, "g0") == (250, "0", "249")
    assert (again.counted, again.already, again.failed) == (151, 99, {})


def test_after_a_time_out_the_rest_waits_for_the_next_delivery(client: FakeDynamoDB) -> None:
    # GIVEN a DynamoDB that stops answering after the first of three transactions
    batch = events(250)

    def time_out(call: Call) -> None:
        if call.operation == "TransactWriteItems" and call.number > 2:
            raise ReadTimeoutError(endpoint_url="https://dynamodb")

    client.before = time_out
    # WHEN
    result = counted(batch, client)
    # THEN only one call waited
    assert len(client.calls) == 3
    assert set(result.failed) == set(batch[99:])
    assert set(result.failed.values()) == {"ReadTimeoutError", "NotTried"}
    assert counts(client) == {"g0": 99}


STAYING = ["ValidationError", "ItemCollectionSizeLimitExceeded", "AccessDenied"]


@pytest.mark.parametrize("reason", STAYING)
def test_a_group_that_dynamodb_refuses_fails_alone(client: FakeDynamoDB, reason: str) -> None:
    # GIVEN two groups, of which no waiting mends one
    batch = [event("1", "good"), event("2", "bad"), event("3", "good"), event("4", "bad")]

    def refuse(call: Call) -> None:
        verdicts = [
            reason if "Update" in action and action["Update"]["Key"]["id"]["S"] == "bad" else "None"
            for action in call.arguments.get("TransactItems", [])
        ]
        if reason in verdicts:
            raise cancellation(verdicts)

    client.before = refuse
    # WHEN
    result = counted(batch, client)
    # THEN
    assert counts(client) == {"good": 2}
    assert {each.id: cause for each, cause in result.failed.items()} == {"2": reason, "4": reason}
    assert set(client.tables["processed"]) == {"1", "3"}


@pytest.mark.parametrize("reason", STAYING)
def test_an_event_that_dynamodb_refuses_fails_alone(client: FakeDynamoDB, reason: str) -> None:
    def refuse(call: Call) -> None:
        verdicts = [
            reason if "Put" in action and action["Put"]["Item"]["id"]["S"] == "bad" else "None"
            for action in call.arguments.get("TransactItems", [])
        ]
        if reason in verdicts:
            raise cancellation(verdicts)

    client.before = refuse
    result = counted([event("1"), event("bad"), event("3")], client)
    assert counts(client) == {"g": 2}
    assert {each.id: cause for each, cause in result.failed.items()} == {"bad": reason}


@pytest.mark.parametrize("operation", ["BatchGetItem", "TransactWriteItems"])
@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException"])
def test_a_request_that_is_refused_fails_its_events_with_the_cause_and_loses_none(
    client: FakeDynamoDB, operation: str, code: str
) -> None:
    # GIVEN
    def refuse(call: Call) -> None:
        if call.operation == operation:
            raise refusal(code, operation)

    client.before = refuse
    # WHEN
    result = counted(events(150), client)
    # THEN
    assert result.failed == dict.fromkeys(events(150), code)
    client.before = lambda _call: None
    counted(events(150), client)
    assert counts(client) == {"g0": 150}


def test_a_request_that_gets_no_answer_fails_its_events(client: FakeDynamoDB) -> None:
    def no_answer(_call: Call) -> None:
        raise ConnectTimeoutError(endpoint_url="https://dynamodb")

    client.before = no_answer
    assert counted(events(3), client).failed == dict.fromkeys(events(3), "ConnectTimeoutError")


def test_one_transaction_that_is_refused_does_not_stop_the_next(client: FakeDynamoDB) -> None:
    # GIVEN the first of two transactions is throttled
    def refuse(call: Call) -> None:
        if call.number == 2:
            raise refusal("ThrottlingException", call.operation)

    client.before = refuse
    # WHEN
    result = counted(events(150), client)
    # THEN
    assert (len(result.failed), result.counted, counts(client)) == (99, 51, {"g0": 51})


def test_summaries_that_were_not_read_at_once_are_read_again(client: FakeDynamoDB) -> None:
    # GIVEN spans that new events must not narrow
    counted(
        [event("1", "a", second=0), event("2", "b", second=0), event("3", "c", second=0)], client
    )
    client.calls.clear()
    client.leave_unprocessed = [2, 1]
    # WHEN
    counted([event(f"later {group}", group, second=9) for group in "abc"], client)
    # THEN it took three reads, and then one transaction
    assert [call.operation for call in client.calls] == [
        *["BatchGetItem"] * 3,
        "TransactWriteItems",
    ]
    assert [summary(client, group) for group in "abc"] == [(2, "0", "9")] * 3


def test_summaries_that_are_never_read_fail_their_events(client: FakeDynamoDB) -> None:
    client.leave_unprocessed = [1] * 100
    assert counted([event("1")], client).failed == {event("1"): "Contended"}
    assert transactions(client) == []


def test_any_split_any_order_and_any_repetition_count_the_same(seed: int) -> None:
    generator = random.Random(seed)  # noqa: S311
    for _ in range(10):
        # GIVEN
        batch = [
            replace(each, received_at=event("", second=generator.randrange(999)).received_at)
            for each in events(generator.randint(1, 300), generator.randint(1, 40))
        ]
        clean = FakeDynamoDB.with_tables("processed", "summaries")
        counted(batch, clean)
        # WHEN it comes in pieces, each at least once
        client = FakeDynamoDB.with_tables("processed", "summaries")
        delivered = batch + generator.choices(batch, k=50)
        generator.shuffle(delivered)
        while delivered:
            size = generator.randint(1, 120)
            counted(delivered[:size], client)
            delivered = delivered[size:]
        # THEN
        assert client.tables == clean.tables
        assert counts(client) == Counter(each.group for each in batch)

"""Whatever call the responder dies in, and however many run at once, each event counts once."""

from __future__ import annotations

import json
import random
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from consumer.responding import respond
from consumer.tables import Tables
from proofs.fakes.dynamodb import Call, cancellation, refusal
from proofs.fakes.faults import Crash, Death, crash_at
from shared import entity_events
from tests.consumer import Consumer, batch, post_events, wanted
from tests.ingest import KINDS, NOON, at, envelope
from tests.reliability.interleaving import all_orders, interleave

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.reliability.intake import Intake

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
SIDES = pytest.mark.parametrize("side", ["before", "after"])
# 150 messages are two batches, of a read and two transactions each; one has a reject.
EVENTS, CALLS = 150, 7
TABLES = Tables("markers", "totals", "entities")


def events(count: int, entities: int = 30) -> list[dict[str, Any]]:
    """Return events whose order of arrival is not that of their times."""
    return [
        envelope(
            number,
            type=KINDS[number % 4],
            subject=f"s{number % entities}",
            time=at(number * 37 % 101),
            data={"number": number},
        )
        for number in range(count)
    ]


def messages() -> list[dict[str, Any]]:
    bodies: list[Any] = [*events(EVENTS)]
    bodies[60] = "{"
    return batch(bodies)


def expect_all(intake: Intake) -> None:
    counted = [each for number, each in enumerate(events(EVENTS)) if number != 60]
    # Nothing went through the store here.
    intake.ingest.dynamodb.tables["events"] = {
        each["id"]: {"event": {"M": {"id": {"S": each["id"]}}}} for each in counted
    }
    intake.expect_counted(counted)
    assert {record["messageId"] for record, _ in intake.consumer.rejected} == {"m61"}
    assert intake.dead["buffer"] == []


def test_a_clean_run_makes_the_calls_that_are_failed_here(intake: Intake) -> None:
    intake.respond(messages())
    operations = [call.operation for call in intake.ingest.dynamodb.calls]
    assert len(operations) == CALLS
    expect_all(intake)


@SIDES
@pytest.mark.parametrize("kind", ["crash", "refused", "no answer"])
@pytest.mark.parametrize("number", range(1, CALLS + 1))
def test_whatever_call_fails_each_event_counts_once_and_states_are_the_latest(
    intake: Intake, number: int, kind: str, side: str
) -> None:
    # GIVEN
    def fail(call: Call) -> None:
        if call.number == number:
            if kind == "crash":
                raise Crash
            if kind == "refused":
                raise refusal("AccessDeniedException", call.operation)
            raise ReadTimeoutError(endpoint_url="https://aws")

    setattr(intake.ingest.dynamodb, side, fail)
    # WHEN
    intake.respond(messages())
    # THEN
    expect_all(intake)


@SIDES
@pytest.mark.parametrize("number", range(1, CALLS + 1))
def test_the_responder_dies_again_with_what_was_counted(
    intake: Intake, number: int, side: str
) -> None:
    # GIVEN messages whose success was never recorded
    intake.respond(messages())
    before = json.dumps(intake.ingest.dynamodb.tables)
    # WHEN
    calls = len(intake.ingest.dynamodb.calls)
    setattr(intake.ingest.dynamodb, side, crash_at(calls + number))
    intake.respond(messages())
    # THEN
    assert json.dumps(intake.ingest.dynamodb.tables) == before


@SIDES
def test_the_responder_dies_in_every_call_of_every_delivery_but_the_last(
    intake: Intake, side: str
) -> None:
    # GIVEN deliveries that end in a later call each, until one comes through
    deaths = 0
    while True:
        with Death(intake.ingest.dynamodb, deaths + 1, side) as death:
            intake.consumer.respond(messages())
        if not death.came:
            break
        deaths += 1
    # THEN reading, writing and rejecting have each ended one
    assert deaths >= 5
    # AND another delivery changes nothing
    intake.respond(messages())
    expect_all(intake)


def process(consumer: Consumer, details: Sequence[dict[str, Any]]) -> Callable[[], object]:
    """Return a responder that brings a batch to its end, however often it has to."""

    def act() -> None:
        left = [entity_events.from_dict(each) for each in details]
        for _ in range(50):
            client: Any = consumer.dynamodb
            result = respond(left, tables=TABLES, now=NOON, client=client, tries=lambda: range(20))
            left = list(result.failed)
            if not left:
                return
        raise AssertionError("never counted")

    return act


def expect_states(consumer: Consumer, details: Sequence[dict[str, Any]], hint: object) -> None:
    made = {each["id"]: each for each in details}.values()
    latest = {}
    for each in sorted(made, key=lambda each: (each["time"], each["id"])):
        latest[f"{each['type']}/{each['subject']}"] = (each["id"], each["data"])
    assert consumer.states == latest, hint
    assert sum(consumer.totals.values()) == len(made), hint
    assert len(consumer.markers) == len(made), hint


def test_two_responders_with_the_same_event_in_every_order_of_their_calls_count_once(
    consumer: Consumer,
) -> None:
    details = [envelope(1)]
    for order in all_orders(4, 4):
        consumer.start_over()
        interleave(consumer.dynamodb, [process(consumer, details)] * 2, iter(order))
        expect_states(consumer, details, order)


def test_two_responders_with_one_entity_in_every_order_of_their_calls_keep_the_latest(
    consumer: Consumer,
) -> None:
    # GIVEN events of which the earlier has the greater id
    first = envelope(1, id="z", type="order", subject="o", time=at(1), data={"n": 1})
    later = envelope(1, id="a", type="order", subject="o", time=at(2), data={"n": 2})
    for order in all_orders(5, 5):
        consumer.start_over()
        acts = [process(consumer, [later]), process(consumer, [first])]
        # WHEN
        interleave(consumer.dynamodb, acts, iter(order))
        # THEN
        expect_states(consumer, [first, later], order)


def test_many_responders_with_overlapping_batches_of_which_some_die(
    consumer: Consumer, seed: int
) -> None:
    for round_seed in range(seed, seed + 20):
        generator = random.Random(round_seed)  # noqa: S311
        consumer.start_over()
        details = events(40, entities=3)

        def trouble(call: Call, generator: random.Random = generator) -> None:
            chance = generator.random()
            if chance < 1 / 60:
                raise Crash
            if chance < 1 / 12 and call.operation == "TransactWriteItems":
                reasons = ["None"] * len(call.arguments["TransactItems"])
                reasons[-1] = "TransactionConflict"
                raise cancellation(reasons)

        consumer.dynamodb.before = trouble
        acts = [process(consumer, generator.sample(details, 15)) for _ in range(6)]
        turns: Iterator[int] = iter(partial(generator.randrange, 60), None)
        # WHEN
        interleave(consumer.dynamodb, acts, turns)
        # AND the queue brings everything once more
        consumer.dynamodb.before = lambda _call: None
        process(consumer, details)()
        # THEN
        expect_states(consumer, details, f"round seed {round_seed}")


@SIDES
@pytest.mark.parametrize("number", [1, 2])
def test_the_trigger_dies_in_any_call_and_a_client_that_repeats_its_key_counts_once(
    consumer: Consumer, number: int, side: str
) -> None:
    # GIVEN a process that records and queues
    with Death(consumer.dynamodb, number, side) as death:
        consumer.post(post_events(wanted(), key="k"))
    assert death.came
    # WHEN
    assert consumer.post(post_events(wanted(), key="k"))[0] == 202
    consumer.respond(consumer.queued)
    # THEN
    assert consumer.totals == {"order": 1}
    assert consumer.states.keys() == {"order/o-1"}

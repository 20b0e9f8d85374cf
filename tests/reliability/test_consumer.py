"""Whatever call the responder dies in, and however many run at once, each event counts once."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from consumer.responding import respond
from consumer.tables import Tables
from proofs.fakes.dynamodb import Call, cancellation
from proofs.fakes.faults import Crash, Death
from shared import entity_events
from tests.consumer import Consumer, batch
from tests.ingest import NOON, at, envelope
from tests.reliability.intake import out_of_order
from tests.reliability.interleaving import all_orders, interleave

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.reliability.intake import Intake

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
SIDES = pytest.mark.parametrize("side", ["before", "after"])
# 150 messages are two batches, of a read and two transactions each; one has a reject.
EVENTS, CALLS = 150, 7
TABLES = Tables("markers", "totals", "entities")


def messages() -> list[dict[str, Any]]:
    bodies: list[Any] = [*out_of_order(EVENTS)]
    bodies[60] = "{"
    return batch(bodies)


def expect_all(intake: Intake) -> None:
    counted = [each for number, each in enumerate(out_of_order(EVENTS)) if number != 60]
    intake.expect_counted(counted, are_stored=False)
    assert {record["messageId"] for record, _ in intake.consumer.rejected} == {"m61"}
    assert intake.dead["buffer"] == []


def test_a_clean_run_makes_the_calls_that_are_failed_here(intake: Intake) -> None:
    intake.respond(messages())
    operations = [call.operation for call in intake.ingest.dynamodb.calls]
    assert len(operations) == CALLS
    expect_all(intake)


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
        details = out_of_order(40, entities=3)

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

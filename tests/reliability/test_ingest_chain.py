"""From record to state: whatever fails, repeats or overtakes, each event has its effect once."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from proofs.fakes.dynamodb import Call, cancellation, refusal
from proofs.fakes.faults import Crash
from tests.ingest import KINDS, TEXT, Ingest, at, envelope, fields, sent

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.reliability.intake import Intake

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
RECORDS, DIRECT, BAD = 300, 60, 12
# Of calls that fail, half on either side of their effect.
RATE = 0.1


def sometimes(
    generator: random.Random, ingest: Ingest, side: str, rate: float = RATE / 2
) -> Callable[[Call], None]:
    """Return a hook that fails some calls, whole or in part."""

    def hook(call: Call) -> None:
        if generator.random() >= rate:
            return
        failures: list[BaseException | None] = [
            Crash(),
            ReadTimeoutError(endpoint_url="https://aws"),
        ]
        if side == "before":
            failures += [refusal("ThrottlingException", call.operation), None]
        failure = generator.choice(failures)
        if failure is not None:
            raise failure
        _fail_in_part(call)

    def _fail_in_part(call: Call) -> None:
        if call.operation == "TransactWriteItems":
            reasons = ["None"] * len(call.arguments["TransactItems"])
            kinds = ["TransactionConflict", "ValidationError"]
            reasons[generator.randrange(len(reasons))] = generator.choice(kinds)
            raise cancellation(reasons)
        if call.operation == "SendMessageBatch":
            ingest.sqs.refuse_next = [generator.randint(1, len(call.arguments["Entries"]))]
        if call.operation == "PutEvents":
            ingest.events.refuse_next = [{0, generator.randrange(10)}]

    return hook


def made(generator: random.Random, number: int) -> dict[str, Any]:
    """Return the fields of an event of few entities and moments."""
    return {
        "id": f"e{number}",
        "type": generator.choice(KINDS),
        "subject": f"s{generator.randrange(8)}",
        "time": at(-generator.randrange(60)),
        "data": {"number": number, "text": TEXT},
    }


def test_with_a_tenth_of_all_calls_failing_every_event_has_its_effect_once(
    intake: Intake, seed: int
) -> None:
    for round_seed in range(seed, seed + 3):
        generator = random.Random(round_seed)  # noqa: S311
        intake.start_over()
        try:
            a_round(intake, generator)
        except AssertionError as error:
            raise AssertionError(f"round seed {round_seed}") from error


def a_round(intake: Intake, generator: random.Random) -> None:
    dynamodb = intake.ingest.dynamodb
    through = [made(generator, number) for number in range(RECORDS)]
    direct = [envelope(1, **made(generator, RECORDS + number)) for number in range(DIRECT)]
    expected = [envelope(1, **each) | {"correlationid": each["id"]} for each in through] + direct
    # GIVEN clouds that fail some of their calls
    dynamodb.before = sometimes(generator, intake.ingest, "before")
    dynamodb.after = sometimes(generator, intake.ingest, "after")
    # WHEN records come in pieces, bad ones among them, and some events by the queue
    values: list[object] = [*through, *(b'{"bad": %d}' % n for n in range(BAD))]
    generator.shuffle(values)
    while values:
        size = generator.randint(1, 60)
        intake.put(values[:size], pause=generator.choice([10, 400]))
        values = values[size:]
        intake.run()
    messages = [sent(each, f"direct {number}") for number, each in enumerate(direct)]
    intake.store(messages)
    intake.run()
    # THEN each record is in the lake or the error prefix, and what is in the lake was queued
    dynamodb.before = dynamodb.after = lambda _call: None
    raw = [json.loads(each) for each in intake.error_prefix]
    assert sorted(each["bad"] for each in raw if "bad" in each) == list(range(BAD))
    failed = [each["id"] for each in raw if "id" in each]
    assert sorted([*intake.lake_ids, *failed]) == sorted(each["id"] for each in through)
    assert set(intake.lake_ids) <= intake.queued_ids <= {each["id"] for each in through}
    # WHEN dead letters are brought back, and what failed is put again
    while any(intake.dead.values()):
        intake.redrive()
    intake.put([each for each in raw if "id" in each])
    intake.run()
    # THEN
    intake.expect_counted(expected)
    # AND the lake has each line once, as it is in the store
    assert sorted(intake.lake_ids) == sorted(each["id"] for each in through)
    assert {json.loads(line)["data"]["text"] for line in intake.lake} == {TEXT}
    # AND a replay of the bus changes nothing
    before = json.dumps(dynamodb.tables)
    intake.seen["bus"] = 0
    replayed = intake.on_bus()
    generator.shuffle(replayed)
    intake.respond(replayed)
    assert json.dumps(dynamodb.tables) == before


def test_without_failures_everything_is_everywhere_once(intake: Intake, seed: int) -> None:
    # GIVEN
    generator = random.Random(seed)  # noqa: S311
    through = [made(generator, number) for number in range(RECORDS)]
    # WHEN
    intake.put(through)
    intake.run()
    # THEN
    intake.expect_counted(envelope(1, **each) | {"correlationid": each["id"]} for each in through)
    assert intake.lake_ids == [each["id"] for each in through]
    assert len(intake.ingest.queued) == len(intake.ingest.emitted) == RECORDS
    assert not any(intake.dead.values())
    assert intake.ingest.rejected == []


def test_order_per_entity_holds_in_the_store(intake: Intake) -> None:
    # GIVEN readings of one device, with the same text in each
    readings = [fields(n, type="device", subject="d", time=at(-n), id=None) for n in range(40)]
    # WHEN
    intake.put(readings)
    intake.run()
    # THEN
    items = sorted(intake.ingest.items, key=lambda item: item["at"]["S"])
    numbers = [int(item["event"]["M"]["data"]["M"]["number"]["N"]) for item in items]
    assert numbers == list(range(39, -1, -1))
    [(_, data)] = intake.consumer.states.values()
    assert data == {"number": 0, "text": TEXT}


def test_ten_thousand_events_of_one_millisecond_are_ten_thousand_items(ingest: Ingest) -> None:
    # GIVEN events of one moment and three entities
    records = [
        sent(
            envelope(n, type="order", subject=f"s{n % 3}", time=at(0), data={}),
            f"m{n}",
            group=f"g{n % 3}",
        )
        for n in range(10_000)
    ]
    # WHEN
    for start in range(0, len(records), 10):
        assert ingest.store(records[start : start + 10]) == []
    # THEN
    assert len(ingest.items) == 10_000
    assert len({item["event"]["M"]["id"]["S"] for item in ingest.items}) == 10_000

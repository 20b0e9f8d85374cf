"""Whatever call a function of the intake dies in, nothing is lost and nothing is stored twice."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from proofs.fakes.dynamodb import Call, refusal
from proofs.fakes.faults import crash_at
from tests.ingest import QUEUE, REJECTS, at, envelope, fields, inserted, sent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.reliability.intake import Intake

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
SIDES = pytest.mark.parametrize("side", ["before", "after"])
# Thirty events are three sends, five bad records one more.
GOOD, BAD, TRANSFORMER_CALLS = 30, 5, 4
# 45 messages are five batches, of which one has a reject.
MESSAGES, STORER_CALLS = 45, 6
# 45 records are five chunks and the rejects.
RECORDS, EMITTER_CALLS = 45, 6


def puts() -> list[object]:
    """Return records to put, the seventh and every further seventh of them bad."""
    values: list[object] = [fields(number) for number in range(1, GOOD + 1)]
    for place in range(BAD):
        values.insert(6 + 7 * place, b'{"bad": %d}' % place)
    return values


def failing(kind: str, number: int) -> Callable[[Call], None]:
    """Return a hook that fails call `number` in one of several ways."""

    def hook(call: Call) -> None:
        if call.number == number:
            if kind == "crash":
                crash_at(number)(call)
            if kind == "refused":
                raise refusal("AccessDenied", call.operation)
            raise ReadTimeoutError(endpoint_url="https://aws")

    return hook


def expect_lake(intake: Intake, *, error_prefix: int) -> None:
    """Check that each record is in the lake or the error prefix, and the lake was queued."""
    raw = [json.loads(each) for each in intake.error_prefix]
    bad = [each["bad"] for each in raw if "bad" in each]
    assert sorted(bad) == list(range(BAD))
    assert len(raw) == error_prefix
    given_up = [each["id"] for each in raw if "id" in each]
    everything = Counter(f"e{number}" for number in range(1, GOOD + 1))
    assert Counter(intake.lake_ids + given_up) == everything
    assert set(intake.lake_ids) <= intake.queued_ids <= everything.keys()
    # AND rejects say why, for every record of the error prefix that was not given up by Firehose
    assert {json.loads(each["MessageBody"])["recordId"] for each in rejects(intake)} >= {
        f"r{7 + 7 * place}" for place in range(BAD)
    }


def rejects(intake: Intake) -> list[dict[str, Any]]:
    return intake.ingest.sqs.queues.get(REJECTS, [])


def test_a_clean_run_makes_the_calls_that_are_failed_here(intake: Intake) -> None:
    intake.put(puts())
    assert len(intake.ingest.dynamodb.calls) == TRANSFORMER_CALLS
    expect_lake(intake, error_prefix=BAD)
    assert intake.queued_ids == set(intake.lake_ids)


@SIDES
@pytest.mark.parametrize("pause", [10, 400], ids=["soon", "when the queue forgot"])
@pytest.mark.parametrize("number", range(1, TRANSFORMER_CALLS + 1))
def test_the_transformer_dies_in_any_call_and_firehose_tries_again(
    intake: Intake, number: int, side: str, pause: float
) -> None:
    # WHEN it dies in that call
    setattr(intake.ingest.dynamodb, side, crash_at(number))
    intake.put(puts(), pause=pause)
    # THEN all is well in the end
    expect_lake(intake, error_prefix=BAD)
    intake.run()
    intake.expect_counted(envelope(number) for number in range(1, GOOD + 1))
    # AND while the queue knows what came, it has it once
    assert pause > 300 or len(intake.ingest.queued) == GOOD


@SIDES
@pytest.mark.parametrize("number", range(1, TRANSFORMER_CALLS + 1))
def test_the_transformer_dies_in_every_attempt_and_what_was_queued_is_in_the_error_prefix(
    intake: Intake, number: int, side: str
) -> None:
    # GIVEN a function that never gets beyond that call
    calls = 0

    def die(call: Call) -> None:
        nonlocal calls
        is_first = (call.arguments["QueueUrl"], call.arguments["Entries"][0]["Id"]) == (QUEUE, "0")
        calls = 1 if is_first else calls + 1
        if calls == number:
            crash_at(call.number)(call)

    setattr(intake.ingest.dynamodb, side, die)
    # WHEN
    intake.put(puts())
    # THEN
    assert intake.lake == []
    assert len(intake.error_prefix) == GOOD + BAD
    raw = [json.loads(each).get("id") for each in intake.error_prefix]
    assert intake.queued_ids <= {*raw}
    assert len(intake.queued_ids) == min(GOOD, 10 * (number - (side == "before")))
    # AND what was queued is stored once, and put again the rest is, too
    setattr(intake.ingest.dynamodb, side, lambda _call: None)
    intake.put([json.loads(each) for each in intake.error_prefix])
    intake.run()
    intake.expect_counted(envelope(number) for number in range(1, GOOD + 1))


@SIDES
@pytest.mark.parametrize("pause", [10, 400], ids=["soon", "when the queue forgot"])
@pytest.mark.parametrize("number", range(1, TRANSFORMER_CALLS))
def test_events_without_ids_stay_one_each_when_firehose_hands_them_over_again(
    intake: Intake, number: int, side: str, pause: float
) -> None:
    # GIVEN a function that dies in one call
    setattr(intake.ingest.dynamodb, side, crash_at(number))
    # WHEN
    intake.put((fields(number, id=None) for number in range(1, GOOD + 1)), pause=pause)
    # THEN Firehose has tried again, and the lake has each event once
    assert len(intake.ingest.dynamodb.calls) == number + TRANSFORMER_CALLS - 1
    data = [json.loads(line)["data"]["number"] for line in intake.lake]
    assert data == list(range(1, GOOD + 1))
    # AND the queue, which may have some twice, knows no others
    ids = intake.lake_ids
    assert len(set(ids)) == GOOD
    assert intake.queued_ids == set(ids)
    assert pause > 300 or len(intake.ingest.queued) == GOOD
    # AND each is stored and counted once
    intake.run()
    assert intake.stored_ids == dict.fromkeys(ids, 1)
    assert intake.counted_ids == set(ids)
    assert sum(intake.consumer.totals.values()) == GOOD


@SIDES
@pytest.mark.parametrize("number", range(1, TRANSFORMER_CALLS + 1))
def test_a_send_without_an_answer_is_made_again_and_nothing_fails(
    intake: Intake, number: int, side: str
) -> None:
    setattr(intake.ingest.dynamodb, side, failing("no answer", number))
    intake.put(puts())
    expect_lake(intake, error_prefix=BAD)
    assert len(intake.ingest.dynamodb.calls) == TRANSFORMER_CALLS + 1
    assert len(intake.ingest.queued) == GOOD


def no_answers(number: int) -> Callable[[Call], None]:
    """Return a hook that leaves the sends of events from `number` on without an answer."""

    def hook(call: Call) -> None:
        if call.number >= number and call.arguments["QueueUrl"] == QUEUE:
            raise ReadTimeoutError(endpoint_url=QUEUE)

    return hook


@SIDES
@pytest.mark.parametrize("kind", ["refused", "no answers"])
@pytest.mark.parametrize("number", range(1, TRANSFORMER_CALLS))
def test_a_send_that_fails_leaves_each_record_in_both_or_in_the_error_prefix(
    intake: Intake, number: int, kind: str, side: str
) -> None:
    # WHEN
    hook = failing(kind, number) if kind == "refused" else no_answers(number)
    setattr(intake.ingest.dynamodb, side, hook)
    intake.put(puts())
    setattr(intake.ingest.dynamodb, side, lambda _call: None)
    # THEN what is behind that send was not tried
    expect_lake(intake, error_prefix=BAD + GOOD - 10 * (number - 1))
    assert len(intake.queued_ids) == 10 * (number - 1) + 10 * (side == "after")
    # AND put again, each is stored once
    intake.put(json.loads(each) for each in intake.error_prefix)
    intake.run()
    intake.expect_counted(envelope(number) for number in range(1, GOOD + 1))


def messages() -> list[dict[str, Any]]:
    """Return messages of ten entities, of which one is no event."""
    made = [sent(envelope(number), f"m{number}") for number in range(1, MESSAGES + 1)]
    made[16] = sent("{", "m17", group=made[6]["attributes"]["MessageGroupId"])
    return made


def expect_stored(intake: Intake) -> None:
    ids = [f"e{number}" for number in range(1, MESSAGES + 1) if number != 17]
    assert intake.stored_ids == dict.fromkeys(ids, 1)
    assert {record["messageId"] for record, _ in intake.ingest.rejected} == {"m17"}
    assert intake.dead["queue"] == []


def order_keeper(intake: Intake, records: Sequence[dict[str, Any]]) -> Callable[[Call], None]:
    """Return a hook that checks, after a call, that of each group the first are stored."""
    groups: dict[str, list[str]] = {}
    for each in records:
        if each["body"] != "{":
            group = each["attributes"]["MessageGroupId"]
            groups.setdefault(group, []).append(json.loads(each["body"])["id"])

    def hook(_call: Call) -> None:
        stored = intake.stored_ids
        for ids in groups.values():
            is_there = [name in stored for name in ids]
            assert is_there == sorted(is_there, reverse=True)

    return hook


def test_a_clean_run_of_the_storer_makes_the_calls_that_are_failed_here(intake: Intake) -> None:
    intake.store(messages())
    assert len(intake.ingest.dynamodb.calls) == STORER_CALLS
    expect_stored(intake)


@SIDES
@pytest.mark.parametrize("kind", ["crash", "refused", "no answer"])
@pytest.mark.parametrize("number", range(1, STORER_CALLS + 1))
def test_whatever_call_of_the_storer_fails_each_event_is_stored_once_in_its_order(
    intake: Intake, number: int, kind: str, side: str
) -> None:
    # GIVEN
    fail, keeps_order = failing(kind, number), order_keeper(intake, messages())

    def before(call: Call) -> None:
        keeps_order(call)
        if side == "before":
            fail(call)

    def after(call: Call) -> None:
        keeps_order(call)
        if side == "after":
            fail(call)

    intake.ingest.dynamodb.before, intake.ingest.dynamodb.after = before, after
    # WHEN
    intake.store(messages())
    # THEN
    expect_stored(intake)


def test_an_outage_of_the_storer_ends_in_dead_letters_which_brought_back_are_stored(
    intake: Intake,
) -> None:
    # GIVEN
    def refuse(call: Call) -> None:
        raise refusal("AccessDenied", call.operation)

    intake.ingest.dynamodb.before = refuse
    intake.store(messages())
    assert len(intake.dead["queue"]) == MESSAGES
    # WHEN
    intake.ingest.dynamodb.before = lambda _call: None
    dead, intake.dead = intake.dead["queue"], {}
    intake.store(dead)
    # THEN
    expect_stored(intake)


def stream(intake: Intake) -> list[dict[str, Any]]:
    """Return insertions of the store, of which one is of no event."""
    for start in range(1, RECORDS + 1, 10):
        batch = range(start, min(start + 10, RECORDS + 1))
        assert intake.ingest.store([sent(envelope(n), f"m{n}") for n in batch]) == []
    intake.ingest.dynamodb.calls.clear()
    records = [
        inserted(item, place)
        for place, item in enumerate(
            sorted(intake.ingest.items, key=lambda item: int(item["event"]["M"]["id"]["S"][1:])), 1
        )
    ]
    records[16]["dynamodb"]["NewImage"] = dict(records[16]["dynamodb"]["Keys"])
    return records


def expect_emitted(intake: Intake) -> None:
    ids = {json.loads(entry["Detail"])["id"] for entry in intake.ingest.emitted}
    assert ids == {f"e{number}" for number in range(1, RECORDS + 1) if number != 17}
    keys = {record["dynamodb"]["Keys"]["at"]["S"] for record, _ in intake.ingest.rejected}
    assert keys == {f"{at(-17)}#e17"}
    assert intake.dead["stream"] == []


def test_a_clean_run_of_the_emitter_makes_the_calls_that_are_failed_here(intake: Intake) -> None:
    intake.emit(stream(intake))
    assert len(intake.ingest.dynamodb.calls) == EMITTER_CALLS
    expect_emitted(intake)
    assert len(intake.ingest.emitted) == RECORDS - 1
    assert len(intake.ingest.rejected) == 1


@SIDES
@pytest.mark.parametrize("kind", ["crash", "refused", "no answer"])
@pytest.mark.parametrize("number", range(1, EMITTER_CALLS + 1))
def test_whatever_call_of_the_emitter_fails_each_event_reaches_the_bus_and_counts_once(
    intake: Intake, number: int, kind: str, side: str
) -> None:
    # GIVEN
    records = stream(intake)
    setattr(intake.ingest.dynamodb, side, failing(kind, number))
    # WHEN
    intake.emit(records)
    # THEN
    expect_emitted(intake)
    # AND what came to the bus twice counts once
    intake.respond()
    assert sum(intake.consumer.totals.values()) == RECORDS - 1


def refusing(intake: Intake, place: int) -> Callable[[Call], None]:
    """Return a hook that lets the bus refuse one event whenever it is put."""

    def refuse(call: Call) -> None:
        if call.operation == "PutEvents":
            ids = [json.loads(each["Detail"])["id"] for each in call.arguments["Entries"]]
            intake.ingest.events.refuse_next = [
                {n for n, found in enumerate(ids) if found == f"e{place}"}
            ]

    return refuse


PLACES = pytest.mark.parametrize("place", [1, 10, 11, 33, 45])


@PLACES
def test_what_the_bus_does_not_take_for_long_is_given_up_with_all_behind_it_and_kept(
    intake: Intake, place: int
) -> None:
    # GIVEN
    records = stream(intake)
    intake.ingest.dynamodb.before = refusing(intake, place)
    # WHEN
    intake.emit(records)
    # THEN the bus has what came before it and what was put along with it
    given_up = [each["dynamodb"]["SequenceNumber"] for each in intake.dead["stream"]]
    assert given_up == [each["dynamodb"]["SequenceNumber"] for each in records[place - 1 :]]
    emitted = {int(json.loads(each["Detail"])["id"][1:]) for each in intake.ingest.emitted}
    events = [number for number in range(1, RECORDS + 1) if number != 17]
    assert emitted == set(events[: events.index(place) + 10]) - {place}
    # AND once it takes it, it has all
    intake.ingest.dynamodb.before = lambda _call: None
    dead, intake.dead = intake.dead["stream"], {}
    intake.emit(dead)
    expect_emitted(intake)


@PLACES
def test_an_event_that_the_bus_can_never_take_is_rejected_and_hinders_no_other(
    intake: Intake, place: int
) -> None:
    # GIVEN
    records = stream(intake)
    intake.ingest.dynamodb.before = refusing(intake, place)
    intake.ingest.events.code = "InvalidArgument"
    # WHEN
    intake.emit(records)
    # THEN
    assert intake.dead["stream"] == []
    emitted = [int(json.loads(each["Detail"])["id"][1:]) for each in intake.ingest.emitted]
    assert emitted == [number for number in range(1, RECORDS + 1) if number not in (place, 17)]
    rejected = sorted(int(each["dynamodb"]["SequenceNumber"]) for each, _ in intake.ingest.rejected)
    assert rejected == sorted(98 + number for number in (place, 17))

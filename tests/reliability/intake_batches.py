"""Representative batches of what works between record and state; see batches.py."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from proofs.crash_points import Batch, again, clean_run
from proofs.fakes.faults import Crash
from tests.consumer import batch, post_events, wanted
from tests.ingest import at, envelope, fields, inserted, sent
from tests.reliability.intake import out_of_order

if TYPE_CHECKING:
    import pytest

ERRORS = (Exception, Crash)
BAD_RECORD = b'{"bad": 1}'
# Why functions reject what is no good here, in their own words.
NO_EVENT = "The item has no map 'event'."
UNKNOWN_FIELD = "The record has an unknown field, 'bad'."
NOT_QUEUED = "The queue did not take the event: "
NOT_JSON = "The body is not JSON: Expecting property name enclosed in double quotes at character 1."


def is_ok(answer: tuple[int, Any]) -> bool:
    """Say whether a request need not be sent again."""
    return answer[0] in (200, 202)


NUMBERS = [*range(1, 16), *range(17, 46)]
IDS = {f"e{number}" for number in NUMBERS}


def transformed(request: pytest.FixtureRequest) -> Batch:
    """Return records that are put, with one that is none."""
    intake = request.getfixturevalue("intake")
    bad_ones: list[str] = []
    not_queued: set[str] = set()

    def start() -> None:
        intake.start_over()
        bad_ones.clear()
        not_queued.clear()

    def put() -> None:
        """Put records, and what Firehose gave up of them once more."""
        begin = intake.seen["record"]
        intake.put([*(fields(number) for number in NUMBERS), BAD_RECORD])
        bad_ones.append(f"r{intake.seen['record']}")
        given_up = [each for each in intake.error_prefix if each != BAD_RECORD]
        intake.error_prefix = [each for each in intake.error_prefix if each == BAD_RECORD]
        places = [NUMBERS.index(int(json.loads(each)["id"][1:])) for each in given_up]
        not_queued.update(f"r{begin + 1 + place}" for place in places)
        intake.put(json.loads(each) for each in given_up)

    def check() -> None:
        # Each time that everything is put it is other records for Firehose.
        assert Counter(intake.lake_ids) == dict.fromkeys(IDS, len(bad_ones))
        assert intake.error_prefix == [BAD_RECORD] * len(bad_ones)
        assert intake.queued_ids == IDS
        found = {(each["recordId"], why["cause"]) for each, why in intake.ingest.rejected}
        expected = {(each, UNKNOWN_FIELD) for each in bad_ones}
        assert found >= expected
        assert {name for name, _ in found - expected} == not_queued
        assert all(cause.startswith(NOT_QUEUED) for _, cause in found - expected)

    return Batch(start, lambda: intake.ingest.dynamodb, put, check)


def _messages() -> list[Any]:
    good = [sent(envelope(number), f"m{number}") for number in NUMBERS]
    return [*good, sent("{", "m0", group=good[0]["attributes"]["MessageGroupId"])]


def stored(request: pytest.FixtureRequest) -> Batch:
    """Return messages of the FIFO queue, with one that is no event."""
    intake = request.getfixturevalue("intake")

    def check() -> None:
        assert intake.ingest.dynamodb.tables == clean
        assert intake.stored_ids == dict.fromkeys(IDS, 1)
        found = {(each["messageId"], why["cause"]) for each, why in intake.ingest.rejected}
        assert found == {("m0", NOT_JSON)}
        assert intake.dead["queue"] == []

    made = Batch(
        intake.start_over,
        lambda: intake.ingest.dynamodb,
        lambda: intake.store(_messages()),
        check,
    )
    clean = clean_run(made)
    return made


def emitted(request: pytest.FixtureRequest) -> Batch:
    """Return insertions of the store, with one that is of no event."""
    intake = request.getfixturevalue("intake")
    due: list[Any] = []

    def start() -> None:
        intake.start_over()
        intake.store(_messages()[:-1])
        bad = {"entity": {"S": "order/x"}, "at": {"S": "2026"}}
        due[:] = [inserted(each, n) for n, each in enumerate([*intake.ingest.items, bad], 1)]
        intake.ingest.dynamodb.calls.clear()

    def check() -> None:
        assert {json.loads(each["Detail"])["id"] for each in intake.ingest.emitted} == IDS
        found = {
            (each["dynamodb"]["Keys"]["at"]["S"], why["cause"])
            for each, why in intake.ingest.rejected
        }
        assert found == {("2026", NO_EVENT)}
        assert intake.dead["stream"] == []

    return Batch(start, lambda: intake.ingest.dynamodb, lambda: intake.emit(due), check)


def responded(request: pytest.FixtureRequest) -> Batch:
    """Return two batches of events, with one message that is none."""
    intake = request.getfixturevalue("intake")
    bodies: list[Any] = [*out_of_order(150)]
    bodies[60] = "{"

    def check() -> None:
        assert intake.ingest.dynamodb.tables == clean
        intake.expect_counted([each for each in bodies if each != "{"], are_stored=False)
        assert intake.dead["buffer"] == []
        found = {(each["messageId"], why["cause"]) for each, why in intake.consumer.rejected}
        assert found == {("m61", NOT_JSON)}

    made = Batch(
        intake.start_over,
        lambda: intake.ingest.dynamodb,
        lambda: intake.respond(batch(bodies)),
        check,
    )
    clean = clean_run(made)
    return made


def triggered(request: pytest.FixtureRequest) -> Batch:
    consumer = request.getfixturevalue("consumer")

    def check() -> None:
        assert {json.loads(each["body"])["resources"][0] for each in consumer.queued} == {
            "order/o-1"
        }
        [event_id] = {json.loads(each["body"])["detail"]["id"] for each in consumer.queued}
        assert len(consumer.dynamodb.tables["requests"]) == 1
        # However often it was queued, it counts once.
        assert consumer.respond(consumer.queued) == []
        assert consumer.totals == {"order": 1}
        assert consumer.states == {"order/o-1": (event_id, {"n": 1})}

    def post() -> None:
        wish = partial(consumer.post, post_events(wanted(), key="k"))
        again(wish, consumer.dynamodb, is_done=is_ok, errors=ERRORS)

    return Batch(consumer.start_over, lambda: consumer.dynamodb, post, check)


def states_read(request: pytest.FixtureRequest) -> Batch:
    consumer = request.getfixturevalue("consumer")
    answers: list[Any] = []

    def start() -> None:
        consumer.start_over()
        events = [envelope(n, type="order", subject="o", time=at(n), data={"n": n}) for n in (1, 2)]
        assert consumer.respond(batch(events)) == []
        consumer.dynamodb.calls.clear()
        answers.clear()

    def run() -> None:
        answers[:] = [
            again(partial(consumer.get, path), consumer.dynamodb, is_done=is_ok, errors=ERRORS)
            for path in ("/totals", "/entities/order/o")
        ]

    def check() -> None:
        (ok, totals), (also_ok, state) = answers
        assert (ok, also_ok) == (200, 200)
        assert totals == {"totals": {"order": 2, "device": 0, "inventory": 0, "security": 0}}
        latest = {name: state[name] for name in ("type", "id", "event_id", "state")}
        assert latest == {"type": "order", "id": "o", "event_id": "e2", "state": {"n": 2}}

    return Batch(start, lambda: consumer.dynamodb, run, check)

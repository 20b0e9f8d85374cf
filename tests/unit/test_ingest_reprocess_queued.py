"""A record without an id stays as long as its event may be on its way to the store."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from moto import mock_aws

from odyssey_cli.flows.ingest.given_up import GivenUp
from odyssey_cli.flows.ingest.reprocess import Report, reprocess
from odyssey_cli.target import Target
from tests.ingest import as_bytes, fields
from tests.unit.queueing import DELAYED, EVENTS, IN_FLIGHT, LETTERS, VISIBLE
from tests.unit.test_ingest_reprocess_stored import BUCKET, UNNAMED, Intake, is_own

if TYPE_CHECKING:
    from collections.abc import Iterator

# "Several minutes", of which the numbers are right after the first.
WATCH = 180.0
BARE = base64.b64encode(as_bytes(UNNAMED)).decode()
REJECT = {"recordId": "r1", "deliveryStreamArn": "arn:stream", "data": BARE}


@pytest.fixture
def intake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Intake]:
    with mock_aws():
        yield Intake(monkeypatch)


def body(intake: Intake, key: str = "errors/a") -> bytes:
    content: bytes = intake.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return content


@pytest.mark.parametrize("queue", [EVENTS, LETTERS])
@pytest.mark.parametrize("kind", [VISIBLE, IN_FLIGHT, DELAYED])
def test_while_a_queue_holds_anything_it_stays_and_others_do_not(
    queue: str, kind: str, intake: Intake
) -> None:
    # GIVEN a record without an id, one with an id, and one that is no event
    intake.give_up(UNNAMED, fields(2), b"no event")
    before = body(intake).splitlines()[0]
    intake.queues.numbers[queue, kind] = 1
    # WHEN
    put = intake.reprocess()
    # THEN
    assert put == [as_bytes(fields(2)), b"no event"]
    assert intake.report == Report(brought_back=2, waiting=1)
    assert body(intake).splitlines() == [before]
    # AND nobody waits for what is not to come
    assert intake.queues.now == 0
    # AND it is put when all is quiet
    intake.queues.numbers.clear()
    assert is_own(*intake.ids())
    assert intake.report == Report(brought_back=1)


def test_the_queues_are_empty_if_they_are_so_for_minutes(intake: Intake) -> None:
    # GIVEN
    told: list[str] = []
    intake.give_up(UNNAMED, UNNAMED | {"subject": "another"})
    # WHEN
    assert len(intake.reprocess(tell=told.append)) == 2
    # THEN they were looked at all the time, once for all records, and somebody was told
    looks = intake.queues.looks
    assert (looks[0], looks[-1]) == (0, WATCH)
    assert max(later - earlier for earlier, later in pairwise(looks)) <= 15
    assert told == ["watching the events queue for 180 seconds …"]


def test_a_cloud_with_a_faster_clock_is_watched_for_less(intake: Intake) -> None:
    # GIVEN
    class Fast:
        clock_scale = 20

    target = Target({}, Path(), Fast(), account="123456789012")  # type: ignore[arg-type]
    intake.give_up(UNNAMED)
    # WHEN
    assert reprocess(target, intake) == Report(brought_back=1)  # type: ignore[arg-type]
    # THEN
    assert intake.queues.now == WATCH / 20


@pytest.mark.parametrize("queue", [EVENTS, LETTERS])
def test_what_shows_up_late_is_seen(queue: str, intake: Intake) -> None:
    # GIVEN a number that comes to be right at the very end of it
    def show() -> None:
        intake.queues.numbers[queue, VISIBLE] = 1

    intake.give_up(UNNAMED)
    intake.queues.later.append((WATCH, show))
    # WHEN
    assert intake.reprocess() == []
    # THEN
    assert intake.report == Report(waiting=1)


def test_what_is_stored_meanwhile_is_found(intake: Intake) -> None:
    intake.give_up(UNNAMED)
    intake.queues.later.append((WATCH, lambda: intake.store("stored")))
    assert intake.ids() == ["stored"]


def test_where_no_record_needs_it_no_queue_is_looked_at(intake: Intake) -> None:
    intake.give_up(fields(1), b"no event")
    assert len(intake.reprocess()) == 2
    assert intake.queues.looks == []


def test_one_can_go_on_in_spite_of_the_queues(intake: Intake) -> None:
    # GIVEN
    intake.give_up(UNNAMED)
    intake.queues.numbers = {(EVENTS, VISIBLE): 5, (LETTERS, VISIBLE): 1}
    # WHEN
    [put] = intake.reprocess(despite_queued=True)
    # THEN
    assert is_own(json.loads(put)["id"])
    assert intake.queues.looks == []


def test_what_an_earlier_run_decided_on_waits_for_nothing(intake: Intake) -> None:
    # GIVEN
    intake.give_up(UNNAMED)
    intake.refuses = True
    [first] = intake.ids()
    # WHEN the queue is in use at the next time
    intake.refuses = False
    intake.queues.numbers[EVENTS, VISIBLE] = 1
    # THEN
    assert intake.ids() == [first]
    assert intake.report == Report(brought_back=1)


def test_equal_readings_wait_together_and_stay_two(intake: Intake) -> None:
    # GIVEN two, of which one is stored and none was ever queued but that
    intake.store("stored")
    intake.give_up(UNNAMED, UNNAMED)
    intake.queues.numbers[LETTERS, VISIBLE] = 1
    # WHEN
    assert intake.reprocess() == []
    assert intake.report == Report(waiting=2)
    intake.queues.numbers.clear()
    # THEN
    first, second = intake.ids()
    assert first == "stored"
    assert is_own(second)


@pytest.mark.parametrize("options", [{}, {"despite_queued": True}], ids=str)
def test_what_the_function_rejected_before_it_failed_waits_for_its_reject(
    options: dict[str, Any], intake: Intake
) -> None:
    # GIVEN a reject among others, of a batch that was given up as a whole
    intake.give_up(UNNAMED, UNNAMED | {"subject": "another"})
    intake.queues.rejects = [*[{"no": each} for each in range(12)], REJECT]
    # WHEN
    [put] = intake.reprocess(**options)
    # THEN the other one was put, and all rejects can be received at once
    assert json.loads(put)["subject"] == "another"
    assert intake.report == Report(brought_back=1, waiting=1)
    assert intake.queues.released == 13
    assert [GivenUp.of(each).record for each in body(intake).splitlines()] == [as_bytes(UNNAMED)]
    # AND once the reject was brought back and stored, it is the same event
    intake.queues.rejects = []
    intake.store("rejected")
    assert intake.ids() == ["rejected"]


def test_a_reject_that_got_an_id_when_it_came_back_and_failed_again_is_the_same(
    intake: Intake,
) -> None:
    # GIVEN a record that is given up, and its reject, which `odyssey redrive` has put back
    intake.give_up(UNNAMED)
    named = json.dumps(UNNAMED | {"id": "of-the-first-time"}, ensure_ascii=False).encode()
    intake.queues.rejects = [{**REJECT, "data": base64.b64encode(named).decode()}]
    # WHEN
    assert intake.reprocess() == []
    # THEN
    assert intake.report == Report(waiting=1)


def test_while_somebody_else_has_rejects_in_hand_it_may_be_one_of_them(intake: Intake) -> None:
    # GIVEN a redrive that is under way, or was killed
    intake.give_up(UNNAMED, fields(3))
    intake.queues.in_other_hands = 1
    # WHEN
    [put] = intake.reprocess()
    # THEN only what has an id goes
    assert json.loads(put)["id"] == fields(3)["id"]
    assert intake.report == Report(brought_back=1, waiting=1)
    # AND the other one, when they are back
    intake.queues.in_other_hands = 0
    assert is_own(*intake.ids())


def test_a_reject_that_is_brought_back_meanwhile_is_none_that_never_was(intake: Intake) -> None:
    # GIVEN a reject that goes into the stream while the queues are watched
    intake.give_up(UNNAMED)
    intake.queues.rejects = [REJECT]
    intake.queues.later.append((1.0, intake.queues.rejects.clear))
    # WHEN
    assert intake.reprocess() == []
    # THEN
    assert intake.report == Report(waiting=1)


@pytest.mark.parametrize(
    "reject",
    [
        "text",
        ["list"],
        {"messageId": "m", "body": BARE, "eventSourceARN": "arn:queue"},
        {"deliveryStreamArn": "arn:stream", "recordId": "too large"},
        {"deliveryStreamArn": "arn:stream", "data": "no base64"},
        {"deliveryStreamArn": "arn:stream", "data": 7},
        {**REJECT, "data": base64.b64encode(as_bytes(fields(2, id=None))).decode()},
    ],
    ids=str,
)
def test_other_rejects_keep_nothing(reject: object, intake: Intake) -> None:
    intake.give_up(UNNAMED)
    intake.queues.rejects = [reject]
    assert is_own(*intake.ids())

"""What is missing or double anywhere is named, and what is as it must be is not."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consumer import triggering
from ingest.records import SOURCE
from odyssey_cli.flows.ingest import verify as verifier
from odyssey_cli.flows.ingest.holdings import Consumer, Errors, Holdings, Lake, State, Store
from odyssey_cli.flows.ingest.verify import Findings, Problem, compare, verify
from shared.entity_events import EntityEvent, from_dict
from tests.ingest import envelope, fields

SENDER = "/somebody/else"


def event(number: int, **changes: Any) -> EntityEvent:
    return from_dict(envelope(number, **changes))


def item(event: EntityEvent, *, at: str = "") -> dict[str, Any]:
    """Return what a scan returns of a stored event."""
    texts = {name: {"S": text} for name, text in event.envelope.as_dict().items() if name != "data"}
    return {"entity": {"S": event.entity}, "at": {"S": at or event.at}, "event": {"M": texts}}


class World:
    """Everything as it is when nothing is wrong: three events by the stream, one by the queue."""

    def __init__(self) -> None:
        self.by_stream = [event(number) for number in (1, 2, 3)]
        self.by_queue = event(4, source=SENDER)
        self.held = Holdings(Lake(), Errors(), Store(), Consumer())
        for each in self.by_stream:
            self.held.lake.add("o:1", each.text.encode())
        for each in (*self.by_stream, self.by_queue):
            self.held.store.add(item(each))
            self.count(each)

    @property
    def consumer(self) -> Consumer:
        assert self.held.consumer is not None
        return self.held.consumer

    def count(self, event: EntityEvent) -> None:
        """Do what the consumer does."""
        kind = event.envelope.type
        self.consumer.markers[event.id] = kind
        self.consumer.totals[kind] = self.consumer.totals.get(kind, 0) + 1
        self.consumer.states[event.entity] = State(event.at, event.envelope.source)

    def findings(self) -> Findings:
        return compare(self.held)

    def problems(self) -> dict[Problem, list[str]]:
        return self.findings().problems


@pytest.fixture
def world() -> World:
    return World()


def document(raw: bytes, code: str = "Lambda.ProcessingFailedStatus") -> bytes:
    return json.dumps({"rawData": base64.b64encode(raw).decode(), "errorCode": code}).encode()


def test_where_nothing_is_wrong_nothing_is_named_and_all_is_counted(world: World) -> None:
    # WHEN
    findings = world.findings()
    # THEN
    assert findings.is_clean
    assert findings.problems == {}
    assert findings.counts["events in the lake"] == 3
    assert findings.counts["of these by the stream"] == 3
    assert findings.counts["of these directly by the queue"] == 1
    assert findings.counts["events counted by the consumer"] == 4
    assert sum(findings.totals.values()) == 4


def test_an_event_in_the_lake_that_is_not_stored_is_named(world: World) -> None:
    lost = event(9)
    world.held.lake.add("o:2", lost.text.encode())
    assert world.problems() == {Problem.NOT_STORED: [lost.id]}


def test_an_event_that_the_stream_stored_but_that_is_nowhere_else_is_named(world: World) -> None:
    extra = event(9)
    world.held.store.add(item(extra))
    world.count(extra)
    assert world.problems() == {Problem.NOT_IN_LAKE: [extra.id]}


@pytest.mark.parametrize("id", ["e9", None])
def test_one_whose_raw_record_is_in_the_error_prefix_is_not(id: str | None, world: World) -> None:
    # GIVEN an event that was queued although the stream was told that it failed
    extra = event(9, **({} if id else {"id": "derived-from-the-record"}))
    world.held.store.add(item(extra))
    world.count(extra)
    # WHEN its record is there, with the id that its producer gave it, or without
    world.held.errors.add("e:1", document(json.dumps(fields(9, id=id)).encode()))
    # THEN
    assert world.problems() == {}


@pytest.mark.parametrize("raw", [b"\xff", b"not JSON", b"[]", b'{"type": 7}', b'{"id": 7}'])
def test_whatever_is_in_the_error_prefix_is_counted(raw: bytes, world: World) -> None:
    world.held.errors.add("e:1", document(raw, "E"))
    findings = world.findings()
    assert findings.is_clean
    assert findings.counts["records in the error prefix"] == 1
    assert findings.errors == {"E": 1}


def test_an_event_under_two_keys_is_named(world: World) -> None:
    # GIVEN the same source and id at another time
    again = event(1, time="2026-11-21T13:00:00Z")
    world.held.store.add(item(again))
    world.consumer.states[again.entity] = State(again.at, SOURCE)
    # THEN
    assert world.problems() == {Problem.STORED_TWICE: [again.id]}


def test_the_same_id_of_two_sources_is_two_events(world: World) -> None:
    other = event(1, source=SENDER, subject="other")
    world.held.store.add(item(other))
    world.count(other)
    assert world.problems() == {}


def test_an_item_that_is_not_at_its_event_s_time_is_named(world: World) -> None:
    extra = event(9, source=SENDER)
    world.held.store.add(item(extra, at="2026-11-21T11:00:00.000000Z#e9"))
    world.count(extra)
    found = world.problems()
    assert found[Problem.MISPLACED] == [f"{extra.entity} 2026-11-21T11:00:00.000000Z#e9"]


def test_a_stored_event_that_was_not_counted_is_named_but_not_of_a_type_unknown_there(
    world: World,
) -> None:
    # GIVEN
    uncounted, unknown = event(9, source=SENDER), event(10, type="weather", source=SENDER)
    for each in (uncounted, unknown):
        world.held.store.add(item(each))
    world.consumer.states[uncounted.entity] = State(uncounted.at, SENDER)
    # THEN
    assert world.problems() == {Problem.NOT_COUNTED: [uncounted.id]}


def test_a_counted_event_that_is_not_stored_is_named_unless_it_was_triggered_by_hand(
    world: World,
) -> None:
    # GIVEN
    ghost = event(1, id="ghost", time="2026-11-21T11:00:00Z")
    by_hand = event(2, id="by-hand", source=triggering.SOURCE, time="2026-11-21T13:00:00Z")
    for each in (ghost, by_hand):
        state = world.consumer.states[each.entity]
        world.count(each)
        world.consumer.states[each.entity] = max(
            state, world.consumer.states[each.entity], key=lambda one: one.place
        )
    # THEN the state by hand is right, too
    assert world.problems() == {Problem.ONLY_COUNTED: [ghost.id]}


@pytest.mark.parametrize(("change", "total"), [(1, 2), (-1, 0)])
def test_a_total_that_is_not_the_number_of_markers_is_named(
    change: int, total: int, world: World
) -> None:
    world.consumer.totals["device"] += change
    assert world.problems() == {Problem.WRONG_TOTAL: [f"device: total {total}, counted 1"]}


def test_a_state_that_is_not_the_latest_is_named(world: World) -> None:
    # GIVEN one that is older, one that is missing, and one that is of no event
    first, second, _ = world.by_stream
    world.consumer.states[first.entity] = State("2026-11-21T10:00:00.000000Z#e0", SOURCE)
    del world.consumer.states[second.entity]
    world.consumer.states["order/ghost"] = State("2026-11-21T10:00:00.000000Z#g", SOURCE)
    # THEN
    assert world.problems() == {
        Problem.WRONG_STATE: [
            f"{first.entity}: 2026-11-21T10:00:00.000000Z#e0, latest {first.at}",
            f"{second.entity}: none, latest {second.at}",
            "order/ghost: 2026-11-21T10:00:00.000000Z#g, no event",
        ]
    }


def test_a_state_by_hand_that_is_older_than_the_latest_event_is_named(world: World) -> None:
    first = world.by_stream[0]
    world.consumer.states[first.entity] = State("2026-11-21T10:00:00Z#e0", triggering.SOURCE)
    assert list(world.problems()) == [Problem.WRONG_STATE]


def test_a_line_that_comes_twice_is_told_and_is_no_failure(world: World) -> None:
    first = world.by_stream[0]
    world.held.lake.add("o:2", first.text.encode())
    findings = world.findings()
    assert findings.is_clean
    assert findings.twice_in_lake == [first.id]


@pytest.mark.parametrize("line", [b"", b"not JSON", b"\xff", b"[]", b'{"id": "e1"}'])
def test_what_is_no_event_in_the_lake_is_named_with_its_place(line: bytes, world: World) -> None:
    world.held.lake.add("events/o.gz:7", line)
    world.held.errors.add("errors/e.gz:8", line)
    assert world.problems() == {Problem.UNREADABLE: ["errors/e.gz:8", "events/o.gz:7"]}


def test_without_a_consumer_the_rest_is_compared_and_that_is_said(world: World) -> None:
    world.held.consumer = None
    findings = world.findings()
    assert findings.is_clean
    assert not findings.has_consumer
    assert "not deployed" in findings.notes[0]
    assert "sum of its totals" not in findings.counts


def test_what_a_consumer_may_have_forgotten_is_not_missing(world: World) -> None:
    # GIVEN a consumer older than its markers get, and an old event
    now = datetime.now(UTC)
    world.consumer.forgets = True
    old = event(9, source=SENDER, time=(now - timedelta(days=60)).isoformat())
    world.held.store.add(item(old))
    world.consumer.states[old.entity] = State(old.at, SENDER)
    world.consumer.totals["device"] += 1
    # THEN
    findings = compare(world.held, now=now)
    assert findings.is_clean
    assert "forgets" in findings.notes[0]
    # BUT fewer than the markers say are too few
    world.consumer.totals["device"] = 0
    assert list(compare(world.held, now=now).problems) == [Problem.WRONG_TOTAL]


def test_what_is_archived_or_deleted_in_time_is_not_missing(world: World) -> None:
    # GIVEN a store that forgets, and a lake of which the first hours are archived
    world.held.store.ttl_days = 7
    world.held.lake.add("o:2", event(9).text.encode())
    world.held.lake.since = "2026-11-21T12:30:00.000000Z"
    world.held.lake.lines.pop(world.by_stream[0].id)
    # THEN
    findings = world.findings()
    assert findings.is_clean
    assert [note.split()[0] for note in findings.notes] == ["The", "Objects"]


def test_it_looks_again_until_all_is_there_and_the_queues_are_empty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN an event that is first on its way, then missing, then there
    queued, missing, clean = World(), World(), World()
    queued.held.queued = 1
    missing.held.lake.add("o:2", event(9).text.encode())
    looks = [queued.held, missing.held, clean.held]
    monkeypatch.setattr(verifier.holdings, "read", lambda _: looks.pop(0))
    told: list[Findings] = []
    # WHEN
    findings = verify(None, wait=60, tell=told.append, pause=0)  # type: ignore[arg-type]
    # THEN
    assert findings.is_settled
    assert [each.is_clean for each in told] == [True, False]


def test_without_a_wait_it_looks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.held.lake.add("o:2", event(9).text.encode())
    looks = [world.held]
    monkeypatch.setattr(verifier.holdings, "read", lambda _: looks.pop(0))
    assert not verify(None).is_clean  # type: ignore[arg-type]


def test_it_waits_for_as_many_events_as_are_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a store that looks clean, because the stream still has the second event
    few, enough = World(), World()
    late = event(5, source=SENDER)
    enough.held.store.add(item(late))
    enough.count(late)
    looks = [few.held, few.held, enough.held]
    monkeypatch.setattr(verifier.holdings, "read", lambda _: looks.pop(0))
    expected = len(enough.held.store.events)
    told: list[Findings] = []
    # WHEN / THEN it is told, and goes on looking
    findings = verify(None, events=expected, wait=60, tell=told.append, pause=0)  # type: ignore[arg-type]
    assert findings.is_settled
    assert [each.problems for each in told] == 2 * [
        {Problem.TOO_FEW: [f"{expected - 1} of {expected}"]}
    ]

"""Holds lake, error prefix, store and consumer against each other, event by event."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from consumer import triggering
from consumer.kinds import TYPES
from consumer.tables import MARKER_DAYS
from ingest.records import SOURCE
from odyssey_cli.flows.ingest import holdings
from shared.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from odyssey_cli.flows.ingest.holdings import Consumer, Holdings, Store
    from odyssey_cli.target import Target

# What reads everything needs no hurry.
_PAUSE = 2.0


class Problem(StrEnum):
    """What can be wrong with an event, an entity or a type."""

    TOO_FEW = "fewer events in the store than expected"
    UNREADABLE = "unreadable line in the bucket"
    NOT_STORED = "in the lake, not in the store"
    NOT_IN_LAKE = "in the store by the stream, neither in the lake nor in the error prefix"
    STORED_TWICE = "in the store under several keys"
    MISPLACED = "in the store, not at its time and id"
    NOT_COUNTED = "in the store, not counted by the consumer"
    ONLY_COUNTED = "counted by the consumer, not in the store"
    WRONG_TOTAL = "total that differs from the number of events counted"
    WRONG_STATE = "state that is not of the entity's latest event"


@dataclass
class Findings:
    """What was found.

    Attributes:
        counts: how many there are of what, by name.
        totals: the consumer's total of each type; empty without a consumer.
        errors: how many records of the error prefix have which error.
        problems: what is missing or double, by name, of each kind of problem that there is.
        twice_in_lake: events of which the lake has several lines: Firehose delivers at least once.
        has_consumer: whether the consumer is deployed.
        queued: about how many messages are in the queues before store and consumer.
        notes: what was left out, and why.
    """

    counts: dict[str, int]
    totals: dict[str, int]
    errors: dict[str, int]
    problems: dict[Problem, list[str]]
    twice_in_lake: list[str]
    has_consumer: bool
    queued: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing is missing or double."""
        return not self.problems

    @property
    def is_settled(self) -> bool:
        """Whether that is so and the queues are empty; the stream may still hold something."""
        return self.is_clean and not self.queued


def verify(
    target: Target,
    *,
    events: int = 0,
    wait: float = 0.0,
    tell: Callable[[Findings], None] = lambda _: None,
    pause: float = _PAUSE,
) -> Findings:
    """Read everything, and compare; with `wait` again until it is settled or the time is over.

    Args:
        target: where the stacks are deployed.
        events: how many must be in the store at least: what the stream still buffers is nowhere.
        wait: how long, in seconds, what is on its way may take.
        tell: called with what was found before each wait.
        pause: seconds between two looks.

    Raises:
        OdysseyError: the intake is not deployed.
    """
    until = time.monotonic() + wait
    while True:
        findings = compare(holdings.read(target))
        stored = findings.counts["events in the store"]
        if stored < events:
            findings.problems[Problem.TOO_FEW] = [f"{stored} of {events}"]
        left = until - time.monotonic()
        if findings.is_settled or left <= 0:
            return findings
        tell(findings)
        time.sleep(min(pause, left))


def compare(held: Holdings, *, now: datetime | None = None) -> Findings:
    """Compare what is where; `now` decides which markers may have expired."""
    problems: dict[Problem, list[str]] = {}

    def add(problem: Problem, names: Iterable[str]) -> None:
        if found := sorted(names):
            problems.setdefault(problem, []).extend(found)

    lake, errors, store = held.lake, held.errors, held.store
    add(Problem.UNREADABLE, [*lake.unreadable, *errors.unreadable])
    # What the store forgets is longer in the lake.
    if not store.ttl_days:
        add(Problem.NOT_STORED, lake.lines.keys() - store.events.keys())
    add(Problem.NOT_IN_LAKE, _not_in_lake(held))
    add(Problem.STORED_TWICE, store.keys)
    add(Problem.MISPLACED, store.misplaced)
    if held.consumer is not None:
        since = (now or datetime.now(UTC)) - timedelta(days=MARKER_DAYS)
        counted_since = rfc3339(since) if held.consumer.forgets else ""
        add(Problem.NOT_COUNTED, _not_counted(store, held.consumer, counted_since))
        if not store.ttl_days:
            add(Problem.ONLY_COUNTED, _only_counted(store, held.consumer))
        add(Problem.WRONG_TOTAL, _wrong_totals(held.consumer))
        add(Problem.WRONG_STATE, _wrong_states(store, held.consumer))
    return Findings(
        counts=_counts(held),
        totals=dict(sorted(held.consumer.totals.items())) if held.consumer else {},
        errors=dict(sorted(errors.codes.items())),
        problems=problems,
        twice_in_lake=sorted(name for name, times in lake.lines.items() if times > 1),
        has_consumer=held.consumer is not None,
        queued=held.queued,
        notes=[*_notes(held)],
    )


def _counts(held: Holdings) -> dict[str, int]:
    by_stream = sum(map(_is_by_stream, held.store.events))
    counts = {
        "objects in the lake": held.lake.objects,
        "bytes in the lake": held.lake.size,
        "lines in the lake": held.lake.lines.total(),
        "events in the lake": len(held.lake.lines),
        "records in the error prefix": held.errors.records,
        "items in the store": held.store.items,
        "events in the store": len(held.store.events),
        "of these by the stream": by_stream,
        "of these directly by the queue": len(held.store.events) - by_stream,
        "entities in the store": len(held.store.latest),
    }
    if held.consumer is not None:
        counts |= {
            "events counted by the consumer": len(held.consumer.markers),
            "of these triggered by hand": sum(map(_is_by_hand, held.consumer.markers)),
            "sum of its totals": sum(held.consumer.totals.values()),
            "entities of the consumer": len(held.consumer.states),
        }
    return counts


def _notes(held: Holdings) -> Iterator[str]:
    if held.consumer is None:
        yield "The stack Consumer is not deployed, and is left out."
    elif held.consumer.forgets:
        yield (
            f"The consumer forgets after {MARKER_DAYS} days which events it has counted: older "
            "ones were not looked for there."
        )
    if held.store.ttl_days:
        yield (
            f"The store forgets events after {held.store.ttl_days} days: whether it has all that "
            "are in the lake or were counted was not looked at."
        )
    if held.lake.since:
        yield (
            f"Objects of the bucket are archived ({held.lake.archived + held.errors.archived}) or "
            f"deleted in time: events before {held.lake.since} were not looked for there."
        )


def _not_in_lake(held: Holdings) -> Iterator[str]:
    for name, event in held.store.events.items():
        if (
            _is_by_stream(name)
            and event.time >= held.lake.since
            and name not in held.lake.lines
            and name not in held.errors.events
            and f"{event.entity} {event.time}" not in held.errors.unnamed
        ):
            yield name


def _not_counted(store: Store, consumer: Consumer, since: str) -> Iterator[str]:
    for name, event in store.events.items():
        if event.type in TYPES and name not in consumer.markers and event.time >= since:
            yield name


def _only_counted(store: Store, consumer: Consumer) -> Iterator[str]:
    for name in consumer.markers:
        if name not in store.events and not _is_by_hand(name):
            yield name


def _wrong_totals(consumer: Consumer) -> Iterator[str]:
    counted = Counter(consumer.markers.values())
    for kind in sorted(counted.keys() | consumer.totals.keys()):
        total, markers = consumer.totals.get(kind, 0), counted[kind]
        if total < markers or (total > markers and not consumer.forgets):
            yield f"{kind}: total {total}, counted {markers}"


def _wrong_states(store: Store, consumer: Consumer) -> Iterator[str]:
    for entity, latest in store.latest.items():
        if entity.partition("/")[0] not in TYPES:
            continue
        state = consumer.states.get(entity)
        if state is None:
            yield f"{entity}: none, latest {latest}"
        # What somebody triggered by hand is not in the store.
        elif state.place != latest and (state.source != triggering.SOURCE or state.place < latest):
            yield f"{entity}: {state.place}, latest {latest}"
    if store.ttl_days:
        return
    for entity, state in consumer.states.items():
        if entity not in store.latest and state.source != triggering.SOURCE:
            yield f"{entity}: {state.place}, no event"


def _is_by_stream(name: str) -> bool:
    return name.partition(" ")[0] == SOURCE


def _is_by_hand(name: str) -> bool:
    return name.partition(" ")[0] == triggering.SOURCE

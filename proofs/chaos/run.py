"""Runs chaos, and finds a short history of what goes wrong."""

from __future__ import annotations

import importlib
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from proofs.chaos.world import DEADLY

if TYPE_CHECKING:
    from collections import Counter

    from proofs.chaos.history import Hop, Step, Violation
    from proofs.chaos.world import World
    from proofs.deployed import Deployed

# The world of each flow: its module and its class.
FLOWS = {
    "event-aggregator": ("event_aggregator", "EventAggregator"),
    "discovery": ("discovery", "Discovery"),
    "pubsub": ("pubsub", "PubSub"),
    "ingest": ("ingest", "Ingest"),
}


@dataclass(frozen=True)
class Report:
    """What a run found.

    Attributes:
        flow: which.
        events: how many went in.
        seed: with which they do so again.
        violations: promises that were not kept.
        hops: what happened to the first of the events concerned that has the fewest of them.
        faults: what went wrong on purpose, by function and kind.
        calls: what functions called: the operations of each, and how often.
        delivered: what functions were handed, first and again.
        overtaken: what each function was handed late.
        ended: where events ended.
        bad: how many could never get through, by where they ended and why.
        redrives: how often what was given up was brought back.
        steps: all invocations, for the picture.
        lasted: seconds of pretended time.
        seconds: how long that took.
        digest: the same for the same history.
    """

    flow: str
    events: int
    seed: int
    violations: list[Violation]
    hops: tuple[str, list[Hop]]
    faults: Counter[tuple[str, str]]
    calls: Counter[tuple[str, str]]
    delivered: Counter[tuple[str, str]]
    overtaken: Counter[str]
    ended: dict[str, int]
    bad: Counter[tuple[str, str]]
    redrives: int
    steps: list[Step]
    lasted: float
    seconds: float
    digest: str

    @property
    def is_kept(self) -> bool:
        """Whether every promise was kept."""
        return not self.violations

    @property
    def killers(self) -> int:
        """How many events ended a function."""
        return sum(number for (_, cause), number in self.bad.items() if cause == DEADLY)

    @property
    def poison(self) -> int:
        """How many events were to be rejected."""
        return sum(self.bad.values()) - self.killers

    def as_json(self) -> dict[str, Any]:
        """Return what a program wants to know."""
        name, hops = self.hops
        return {
            "flow": self.flow,
            "events": self.events,
            "seed": self.seed,
            "kept": self.is_kept,
            "violations": [asdict(each) for each in self.violations],
            "history": {"event": name, "hops": [asdict(each) for each in hops]} if name else None,
            "faults": _by_place(self.faults),
            "deliveries": sum(self.delivered.values()),
            "redeliveries": sum(n for (_, what), n in self.delivered.items() if what == "again"),
            "invocations": len(self.steps),
            "overtaken": {name: n for name, n in sorted(self.overtaken.items()) if n},
            "poison": self.poison,
            "killers": self.killers,
            "bad": _by_place(self.bad),
            "ended": self.ended,
            "redrives": self.redrives,
            "pretended_seconds": round(self.lasted, 1),
            "seconds": round(self.seconds, 2),
            "digest": self.digest,
        }


def _by_place(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (place, kind), number in sorted(counts.items()):
        found.setdefault(place, {})[kind] = number
    return found


def world_of(flow: str, deployed: Deployed, events: int, seed: int) -> World:
    """Return a flow before anything has happened."""
    module, name = FLOWS[flow]
    made: World = getattr(importlib.import_module(f"proofs.chaos.flows.{module}"), name)(
        deployed, events, seed
    )
    return made


def run(flow: str, deployed: Deployed, *, events: int, seed: int) -> Report:
    """Send events through a flow whose clouds fail, and reckon up."""
    began = time.perf_counter()
    world = world_of(flow, deployed, events, seed)
    violations = world.live()
    concerned = {each.event for each in violations if each.event in world.history.hops}
    name = min(sorted(concerned), key=lambda each: len(world.history.hops[each]), default="")
    return Report(
        flow=flow,
        events=events,
        seed=seed,
        violations=violations,
        hops=(name, world.history.hops.get(name, [])),
        faults=world.faults.counts,
        calls=world.faults.calls,
        delivered=world.history.delivered,
        overtaken=world.history.overtaken,
        ended=world.ended(),
        bad=world.bad(),
        redrives=world.rounds,
        steps=world.history.steps,
        lasted=world.schedule.elapsed,
        seconds=time.perf_counter() - began,
        digest=world.history.digest(),
    )


def reduced(report: Report, deployed: Deployed) -> Report:
    """Return a shorter run with the same seed that still goes wrong; the same if none is found.

    It bisects. Fewer events are another history, though, so that a run may keep its promises and a
    shorter one not: what this finds is short, and need not be the shortest.
    """
    found, kept = report, 0
    while found.events - kept > max(1, found.events // 8):
        smaller = run(report.flow, deployed, events=(kept + found.events) // 2, seed=report.seed)
        if smaller.violations:
            found = smaller
        else:
            kept = smaller.events
    return found

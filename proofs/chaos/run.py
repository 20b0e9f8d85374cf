"""Runs chaos, and finds the shortest history of what goes wrong."""

from __future__ import annotations

import importlib
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

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
        delivered: what functions were handed, first and again.
        ended: where events ended.
        poison: how many could never get through, and how many of them killed a function.
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
    delivered: Counter[tuple[str, str]]
    ended: dict[str, int]
    poison: tuple[int, int]
    redrives: int
    steps: list[Step]
    lasted: float
    seconds: float
    digest: str

    @property
    def is_kept(self) -> bool:
        """Whether every promise was kept."""
        return not self.violations

    def as_json(self) -> dict[str, Any]:
        """Return what a program wants to know."""
        name, hops = self.hops
        by_function: dict[str, dict[str, int]] = {}
        for (function, kind), number in sorted(self.faults.items()):
            by_function.setdefault(function, {})[kind] = number
        return {
            "flow": self.flow,
            "events": self.events,
            "seed": self.seed,
            "kept": self.is_kept,
            "violations": [asdict(each) for each in self.violations],
            "history": {"event": name, "hops": [asdict(each) for each in hops]} if name else None,
            "faults": by_function,
            "deliveries": sum(self.delivered.values()),
            "redeliveries": sum(n for (_, what), n in self.delivered.items() if what == "again"),
            "invocations": len(self.steps),
            "poison": self.poison[0],
            "killers": self.poison[1],
            "ended": self.ended,
            "redrives": self.redrives,
            "pretended_seconds": round(self.lasted, 1),
            "seconds": round(self.seconds, 2),
            "digest": self.digest,
        }


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
        delivered=world.history.delivered,
        ended=world.ended(),
        poison=(len(world.poison), len(world.killers)),
        redrives=world.rounds,
        steps=world.history.steps,
        lasted=world.schedule.elapsed,
        seconds=time.perf_counter() - began,
        digest=world.history.digest(),
    )


def shortest(report: Report, deployed: Deployed) -> Report:
    """Return the run with the fewest events, of those with the same seed, that still goes wrong."""
    found, events = report, report.events // 2
    while events:
        smaller = run(report.flow, deployed, events=events, seed=report.seed)
        if smaller.violations:
            found = smaller
        elif found.events - events <= max(1, found.events // 8):
            break
        events = (events + found.events) // 2 if not smaller.violations else events // 2
        if events >= found.events:
            break
    return found

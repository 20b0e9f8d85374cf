"""What must have gone wrong in runs of chaos before their success shows anything."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proofs.chaos import faults
from proofs.chaos.faults import DUPLICATE, NOT_INVOKED, NOT_REACHED, POISON, REPEATED, THROTTLED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from proofs.chaos.run import Report

AGAIN, OVERTAKEN = "delivered again", "overtaken"
# What happens on the way to a function. Of a shard and of a FIFO group the order is kept, and one
# shard or group overtakes another; a delivery stream hands over batches in their order.
API = DELIVERY_STREAM = frozenset({NOT_INVOKED, REPEATED, AGAIN})
STREAM = FIFO = API | {OVERTAKEN}
QUEUE = STREAM | {DUPLICATE}
TOPIC = QUEUE | {NOT_REACHED}


@dataclass(frozen=True)
class Part:
    """What a part of a flow calls and meets.

    Attributes:
        calls: operations, each with all that can go wrong in its calls; of batches with several
            entries, a part is refused.
        singly: operations of batches with one entry in most calls; that is refused.
        meets: what happens to it in no call of its own.
    """

    calls: frozenset[str] = frozenset()
    singly: frozenset[str] = frozenset()
    meets: frozenset[str] = frozenset()

    def kinds(self) -> frozenset[str]:
        """Return what must have happened to it."""
        found = {
            kind
            for operation in self.calls | self.singly
            for kind in faults.kinds_of(operation)
            if not kind.startswith((faults.PARTIAL, faults.REFUSED))
        }
        for operations, refusal in ((self.calls, faults.PARTIAL), (self.singly, faults.REFUSED)):
            for operation in operations:
                found |= {f"{refusal} {operation}"} & faults.kinds_of(operation)
        return frozenset(found) | self.meets


def _part(calls: str, meets: Iterable[str], *, singly: str = "") -> Part:
    return Part(frozenset(calls.split()), frozenset(singly.split()), frozenset(meets))


_REJECTS = "SendMessageBatch"
# Of each flow all that runs or delivers.
PARTS: dict[str, dict[str, Part]] = {
    "event-aggregator": {
        "producer": _part("PutItem", API),
        "aggregator": _part("BatchGetItem TransactWriteItems", STREAM | {POISON}, singly=_REJECTS),
    },
    "discovery": {
        "submit": _part("PutItem PutObject SendMessageBatch", ()),
        "updater": _part("UpdateItem SendMessageBatch", QUEUE | {POISON}),
        "service": _part(
            "ReceiveMessage BatchGetItem GetObject DeleteMessageBatch ChangeMessageVisibilityBatch",
            {DUPLICATE, OVERTAKEN},
        ),
        "redrive": _part("", {DUPLICATE}),
    },
    "pubsub": {
        "counter": _part("GetSecretValue BatchGetItem TransactWriteItems Publish", API),
        "multiplier": _part("TransactWriteItems", TOPIC | {POISON}, singly=_REJECTS),
        "logger": _part("", TOPIC | {POISON}, singly=_REJECTS),
    },
    "ingest": {
        "generator": _part("PutRecordBatch SendMessageBatch", ()),
        "transformer": _part("SendMessageBatch", DELIVERY_STREAM),
        "storer": _part("TransactWriteItems", FIFO | {POISON}, singly=_REJECTS),
        "emitter": _part("PutEvents", STREAM | {POISON}, singly=_REJECTS),
        "bus": _part("", {DUPLICATE, THROTTLED}),
        "trigger": _part("PutItem", API, singly="SendMessageBatch"),
        "responder": _part("BatchGetItem TransactWriteItems", QUEUE | {POISON}, singly=_REJECTS),
        "redrive": _part("", {DUPLICATE}),
    },
}


def struck(reports: Iterable[Report]) -> Counter[tuple[str, str]]:
    """Return how often each kind of trouble met each part, redelivery and reordering among it."""
    found: Counter[tuple[str, str]] = Counter()
    for report in reports:
        found.update(report.faults)
        found.update({(part, OVERTAKEN): n for part, n in report.overtaken.items()})
        again = {part: n for (part, what), n in report.delivered.items() if what == "again"}
        found.update({(part, AGAIN): n for part, n in again.items()})
    return found


def missing(flow: str, reports: Sequence[Report]) -> Iterator[str]:
    """Yield what none of these runs of a flow has seen and should have, and what is not in `PARTS`.

    Args:
        flow: which.
        reports: of runs with 1,200 events in three seeds in a row, or more.
    """
    if flow not in PARTS:
        yield f"proofs/chaos/coverage.py does not say what must happen to {flow}"
        return
    found = struck(reports)
    for name, part in PARTS[flow].items():
        yield from (f"{name}: no {each}" for each in sorted(part.kinds()) if not found[name, each])
    known = {
        (name, operation)
        for name, part in PARTS[flow].items()
        for operation in part.calls | part.singly
    }
    called = {each for report in reports for each in report.calls}
    yield from (f"{name} never called {each}" for name, each in sorted(known - called))
    yield from (f"{name} calls {each}, unknown to `PARTS`" for name, each in sorted(called - known))
    bad: Counter[tuple[str, str]] = Counter()
    for report in reports:
        bad.update(report.bad)
    yield from (f"no poison of {where}: {why}" for (where, why), n in sorted(bad.items()) if not n)

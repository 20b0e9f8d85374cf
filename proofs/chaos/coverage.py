"""What must have gone wrong in runs of chaos before their success shows anything."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from odyssey_cli.policy.edges import edges
from odyssey_cli.policy.templates import Template
from proofs.chaos import faults
from proofs.chaos.faults import (
    DUPLICATE,
    KEPT,
    NOT_INVOKED,
    NOT_REACHED,
    POISON,
    REPEATED,
    SILENCE,
    THROTTLED,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from proofs.chaos.run import Report
    from proofs.chaos.world import World
    from proofs.deployed import Deployed

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
        unkilled: why no event kills it; "" if one must have.
    """

    calls: frozenset[str] = frozenset()
    singly: frozenset[str] = frozenset()
    meets: frozenset[str] = frozenset()
    unkilled: str = ""

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
        return frozenset(found) | self.meets | ({POISON} if not self.unkilled else frozenset())


def _part(calls: str, meets: Iterable[str], *, singly: str = "", unkilled: str = "") -> Part:
    return Part(frozenset(calls.split()), frozenset(singly.split()), frozenset(meets), unkilled)


_REJECTS = "SendMessageBatch"
_CLIENT = "its client gets no answer, and nothing of the request is kept to be brought back"
_NO_FUNCTION = "no function, and no event is handed to it by a source"
_SERVICE = "no function: it looks at each message by itself, and gives up what it cannot verify"
# Firehose puts the whole batch into the error prefix. `ingest reprocess` puts that into the stream
# again, where it is one batch again, whose function dies again: there is no way out for the
# others, so that a run with such a record would never come to rest (docs/proofs.md says so).
_WHOLE_BATCH = "Firehose does not split a batch, and so its other records would never get through"


def _redrives(*functions: str, puts: str = "") -> dict[str, Part]:
    """Return whoever brings back what these functions gave up, and what `puts` rejected."""
    found = {
        faults.of_redrive(each): _part("", {KEPT}, unkilled=_NO_FUNCTION) for each in functions
    }
    if puts:
        part = _part("PutRecord", {KEPT}, unkilled=_NO_FUNCTION)
        found[faults.of_redrive(puts)] = part
    return found


# Of each flow all that runs or delivers.
PARTS: dict[str, dict[str, Part]] = {
    "event-aggregator": {
        "producer": _part("PutItem", API, unkilled=_CLIENT),
        "aggregator": _part("BatchGetItem TransactWriteItems", STREAM, singly=_REJECTS),
        **_redrives("aggregator"),
    },
    "discovery": {
        "submit": _part("PutItem PutObject SendMessageBatch", (), unkilled=_NO_FUNCTION),
        "updater": _part("UpdateItem SendMessageBatch", QUEUE),
        "service": _part(
            "ReceiveMessage BatchGetItem GetObject DeleteMessageBatch ChangeMessageVisibilityBatch",
            {DUPLICATE, OVERTAKEN},
            unkilled=_SERVICE,
        ),
        **_redrives("updater", "service"),
    },
    "pubsub": {
        "counter": _part(
            "GetSecretValue BatchGetItem TransactWriteItems Publish", API, unkilled=_CLIENT
        ),
        "multiplier": _part("TransactWriteItems", TOPIC, singly=_REJECTS),
        "logger": _part("", TOPIC, singly=_REJECTS),
        **_redrives("multiplier", "logger"),
    },
    "ingest": {
        "generator": _part("PutRecordBatch SendMessageBatch", (), unkilled=_NO_FUNCTION),
        "transformer": _part(
            "SendMessageBatch", DELIVERY_STREAM | {SILENCE}, unkilled=_WHOLE_BATCH
        ),
        "storer": _part("TransactWriteItems", FIFO, singly=_REJECTS),
        "emitter": _part("PutEvents", STREAM, singly=_REJECTS),
        "bus": _part("", {DUPLICATE, THROTTLED}, unkilled=_NO_FUNCTION),
        "trigger": _part("PutItem", API, singly="SendMessageBatch", unkilled=_CLIENT),
        "responder": _part("BatchGetItem TransactWriteItems", QUEUE, singly=_REJECTS),
        **_redrives("storer", "emitter", "responder", puts="transformer"),
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


def left_out(deployed: Deployed, worlds: Mapping[str, World]) -> Iterator[str]:
    """Yield each function that a source or topic hands events to and no flow goes through.

    Args:
        deployed: all stacks.
        worlds: of each flow, before anything has happened.
    """
    known = {handler for world in worlds.values() for handler in world.functions()}
    for name, body in deployed.templates.items():
        template = Template(name, body)
        for edge in edges(template):
            if not edge.kind.endswith("to function"):
                continue
            handler = body["Resources"][edge.ends]["Properties"]["Handler"]
            if handler.removesuffix(".handler") not in known:
                yield f"{handler} of {name}, {edge.kind}: in no flow of chaos"

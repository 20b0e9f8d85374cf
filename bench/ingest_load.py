"""Feeds records through the intake and its consumer and counts what they ask of AWS.

Runs as a process of its own (`python -m bench.ingest_load`), because the functions read their
environment once and boto3's default session is changed: a job comes as JSON on standard input,
the counts leave as JSON on standard output. Nothing is sent anywhere.

What one function hands on is what the next is fed with: records, messages of the FIFO queue, the
table's stream, events of the bus as messages of the consumer's queue.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import importlib
import io
import itertools
import json
import os
import random
import sys
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bench import ingest_shapes as shapes
from bench.dynamodb import Answer, CountingDynamoDB
from bench.load import Context, Counts, counted, session
from odyssey_cli.flows.ingest.events import MIX, make

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from odyssey_cli.flows.ingest.events import Event

TRANSFORMER, STORER, EMITTER = "ingest.transformer", "ingest.storer", "ingest.emitter"
RESPONDER = "consumer.responder"
SEED = 1
# Between two events, the benchmark's hundred a second.
TICK = timedelta(milliseconds=10)
# What one request of a queue and one event of a bus may have ("Amazon SQS pricing", "Amazon
# EventBridge pricing", 2026-11-21), and what records are rounded up to ("Amazon Data Firehose
# pricing", 2026-11-21).
ONE_REQUEST, ONE_RECORD = 64 * 1024, 5 * 1024


@dataclass(frozen=True)
class Load:
    """Events to feed.

    Attributes:
        events: how many.
        entities: how many of each type, told of at random; 0 for a new one with every event, None
            for the generator's own, about 32 at a time.
        together: whether they fill batches; otherwise each is alone in every batch.
    """

    events: int
    entities: int | None = None
    together: bool = True


@dataclass(frozen=True)
class Job:
    """What to feed.

    Attributes:
        environments: the variables of each function, by module.
        indexes: how many indexes each table has.
        keys: the attributes of each table's key.
        batch_sizes: records in a batch at most, by module.
        function_buffer: bytes of records that the transformer is given at most.
        object_buffer: bytes of lines in an object of the lake.
        loads: what to feed one after the other, each into empty tables.
    """

    environments: Mapping[str, Mapping[str, str]]
    indexes: Mapping[str, int]
    keys: Mapping[str, Sequence[str]]
    batch_sizes: Mapping[str, int]
    function_buffer: int
    object_buffer: int
    loads: Sequence[Load]

    @classmethod
    def read(cls, value: dict[str, Any]) -> Job:
        """Return what `asdict` made a dictionary of."""
        return cls(**{**value, "loads": [Load(**each) for each in value["loads"]]})


@dataclass(frozen=True)
class Lake:
    """What the delivery stream took and wrote, in bytes.

    Attributes:
        put: of the records as producers put them.
        billed: of the records, each rounded up.
        lines: of the lines that the transformer made of them.
        zipped: of the objects.
        objects: how many there are.
    """

    put: int
    billed: int
    lines: int
    zipped: int
    objects: int


@dataclass(frozen=True)
class Fed:
    """What a load asked of AWS.

    Attributes:
        events: that were fed.
        lake: what became of them in the lake.
        bus_bytes: of the events that were put on the bus, as it counts them.
        transformer: its counts.
        storer: its counts.
        emitter: its counts.
        responder: its counts.
    """

    events: int
    lake: Lake
    bus_bytes: int
    transformer: Counts
    storer: Counts
    emitter: Counts
    responder: Counts

    @classmethod
    def read(cls, value: dict[str, Any]) -> Fed:
        """Return what `asdict` made a dictionary of."""
        functions = {
            name: Counts(**value[name])
            for name in ("transformer", "storer", "emitter", "responder")
        }
        return cls(**{**value, **functions, "lake": Lake(**value["lake"])})


class CountingCloud(CountingDynamoDB):
    """Tables, and beside them a queue and a bus that take everything.

    Attributes:
        sent: entries that the queue was given.
        emitted: entries that the bus was given.
    """

    def __init__(self, indexes: Mapping[str, int], keys: Mapping[str, Sequence[str]]) -> None:
        super().__init__(indexes, keys=keys)
        self.sent: list[dict[str, Any]] = []
        self.emitted: list[dict[str, Any]] = []

    def answer(
        self,
        model: Any,  # noqa: ANN401 - botocore has no types
        params: dict[str, Any],
        **more: object,
    ) -> tuple[Answer, dict[str, Any]]:
        """Answer a call in botocore's place."""
        match model.name:
            case "SendMessageBatch":
                entries = json.loads(params["body"])["Entries"]
                if sum(len(each["MessageBody"].encode()) for each in entries) > ONE_REQUEST:
                    raise AssertionError("A batch is billed as more than one request.")
                self.sent += entries
                answer = {"Successful": [{"Id": each["Id"], "MessageId": "m"} for each in entries]}
            case "PutEvents":
                entries = json.loads(params["body"])["Entries"]
                if max(map(entry_bytes, entries)) > ONE_REQUEST:
                    raise AssertionError("An event is billed as more than one.")
                self.emitted += entries
                answer = {"FailedEntryCount": 0, "Entries": [{"EventId": "e"} for _ in entries]}  # type: ignore[dict-item]
            case _:
                return super().answer(model, params, **more)
        self.tally.calls[model.name] += 1
        return Answer(), answer | {"ResponseMetadata": {"HTTPStatusCode": 200}}


def entry_bytes(entry: Mapping[str, Any]) -> int:
    """Return the size of an event ("Calculating event entry size", EventBridge, 2026-11-21)."""
    texts = [entry["Source"], entry["DetailType"], entry["Detail"], *entry["Resources"]]
    return sum(len(each.encode()) for each in texts)


def feed(job: Job, printed: io.StringIO) -> list[Fed]:
    """Feed all loads; return the counts of each.

    Args:
        job: what to feed.
        printed: standard output; the functions' loggers keep the one they were imported with.

    Raises:
        AssertionError: what came out at an end is not what was fed.
    """
    return [_feed(load, job, printed) for load in job.loads]


def _feed(load: Load, job: Job, printed: io.StringIO) -> Fed:
    cloud = CountingCloud(job.indexes, job.keys)
    events = list(_events(load))
    flow = _Flow(job, load, cloud, printed)
    flow.import_all()

    records = [each.record() for each in events]
    lines: list[bytes] = []
    taken = by_bytes(records, job.function_buffer if load.together else 0)
    transformer = flow.feed(TRANSFORMER, taken, shapes.records, lines)
    storer = flow.feed(STORER, flow.batches(STORER, cloud.sent), shapes.queued)
    stored = cloud.tables[job.environments[STORER]["EVENTS_TABLE"]]
    emitter = flow.feed(EMITTER, flow.batches(EMITTER, [*stored.values()]), shapes.inserted)
    responder = flow.feed(RESPONDER, flow.batches(RESPONDER, cloud.emitted), shapes.delivered)

    totals = [
        int(item["event_count"]["N"])
        for items in cloud.tables.values()
        for item in items.values()
        if "event_count" in item
    ]
    arrived = {"lake": len(lines), "store": len(stored), "totals": sum(totals)}
    if set(arrived.values()) != {load.events}:
        raise AssertionError(f"{load.events} events were fed, there are {arrived}.")
    return Fed(
        events=load.events,
        lake=_lake(records, lines, job.object_buffer if load.together else 0),
        bus_bytes=sum(map(entry_bytes, cloud.emitted)),
        transformer=transformer,
        storer=storer,
        emitter=emitter,
        responder=responder,
    )


@dataclass
class _Flow:
    """One load on its way through the functions."""

    job: Job
    load: Load
    cloud: CountingCloud
    printed: io.StringIO
    modules: dict[str, Any] = field(default_factory=dict)

    def import_all(self) -> None:
        for name, environment in self.job.environments.items():
            os.environ.update(environment)
            self.modules[name] = importlib.import_module(name)
        session(self.cloud)

    def batches(self, name: str, items: list[Any]) -> Iterator[list[Any]]:
        """Return the batches in which a function gets `items`."""
        size = self.job.batch_sizes[name] if self.load.together else 1
        return (items[start : start + size] for start in range(0, len(items), size))

    def feed(
        self,
        name: str,
        batches: Iterable[list[Any]],
        event: Any,  # noqa: ANN401 - makes the event of a batch
        lines: list[bytes] | None = None,
    ) -> Counts:
        """Invoke a function with batches; `lines` gets what a transformer answers with."""
        counts = Counts(invocations=0, events=0)
        os.environ.update(self.job.environments[name])
        with counted(counts, self.cloud, self.printed):
            for batch in batches:
                answer = self.modules[name].handler(event(batch), Context(name))
                if answer.get("batchItemFailures"):
                    raise AssertionError(f"{name} returned records: {answer}")
                for record in answer.get("records", ()):
                    if record["result"] != "Ok":
                        raise AssertionError(f"{name} refused a record.")
                    lines.append(base64.b64decode(record["data"]))  # type: ignore[union-attr]
                counts.invocations += 1
                counts.events += len(batch)
        return counts


def _events(load: Load) -> Iterator[Event]:
    """Make a load's events, of which the generator alone decides what they tell."""
    ticks = itertools.count()
    begin = datetime.now(UTC) - TICK * load.events
    chance = random.Random(SEED)  # noqa: S311 - to be the same again
    made = make(MIX, load.events, seed=SEED, now=lambda: begin + TICK * next(ticks))
    for number, event in enumerate(made):
        if load.entities is None:
            yield event
        else:
            entity = chance.randrange(load.entities) if load.entities else number
            yield replace(event, subject=f"{event.type}-{entity:06}")


def by_bytes(items: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    """Return batches of so many bytes at most, but of one at least."""
    batch: list[bytes] = []
    filled = 0
    for each in items:
        if batch and filled + len(each) > size:
            yield batch
            batch, filled = [], 0
        batch.append(each)
        filled += len(each)
    if batch:
        yield batch


def _lake(records: Sequence[bytes], lines: Iterable[bytes], size: int) -> Lake:
    objects = [b"".join(each) for each in by_bytes(lines, size)]
    return Lake(
        put=sum(map(len, records)),
        billed=sum(-(-len(each) // ONE_RECORD) * ONE_RECORD for each in records),
        lines=sum(map(len, objects)),
        zipped=sum(len(gzip.compress(each)) for each in objects),
        objects=len(objects),
    )


def main() -> int:
    """Read a job, feed it, write the counts."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        fed = feed(Job.read(json.load(sys.stdin)), printed)
    json.dump([asdict(each) for each in fed], sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())

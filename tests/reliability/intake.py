"""Intake and consumer, one after the other, under AWS's documented rules of delivery.

How often and in what batches things are delivered is what the stacks' own templates say.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from consumer import responder
from ingest import emitter, storer, transformer
from local_cloud import event_delivery, firehose_delivery
from local_cloud.redelivery import deliver, deliver_messages
from proofs.fakes.faults import Crash
from tests.builders import FakeContext
from tests.consumer import received
from tests.ingest import KINDS, NOON, STREAM, as_bytes, at, envelope, inserted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from local_cloud.delivery import StreamSettings
    from local_cloud.firehose_settings import Processor
    from local_cloud.queue_delivery import QueueSettings
    from local_cloud.redelivery import Delivered
    from proofs.deployed import Deployed
    from tests.consumer import Consumer
    from tests.ingest import Ingest, Record

ERRORS = (Exception, Crash)
_PUT = NOON.timestamp()


@dataclass(frozen=True)
class Rules:
    """How the templates say that things are delivered.

    Attributes:
        processor: to the transformer.
        fifo: to the storer.
        table: to the emitter.
        buffer: to the responder.
    """

    processor: Processor
    fifo: QueueSettings
    table: StreamSettings
    buffer: QueueSettings

    @classmethod
    def of(cls, deployed: Deployed) -> Rules:
        """Read the templates of both stacks."""
        return cls(
            processor=deployed.processor("Ingest"),
            fifo=deployed.queue("ingest.storer"),
            table=deployed.stream("ingest.emitter"),
            buffer=deployed.queue("consumer.responder"),
        )


def out_of_order(count: int, entities: int = 30) -> list[Record]:
    """Return events whose order of arrival is not that of their times."""
    return [
        envelope(
            number,
            type=KINDS[number % 4],
            subject=f"s{number % entities}",
            time=at(number * 37 % 101),
            data={"number": number},
        )
        for number in range(count)
    ]


@dataclass
class Intake:
    """What the functions work between: Firehose, the queues, the stream and the bus.

    Attributes:
        rules: how things are delivered.
        lake: the lines of the data lake.
        error_prefix: records that Firehose gave up, as they were put.
        dead: dead letters of the FIFO queue, of the stream and of the buffer.
        seen: how many messages or records of each source were delivered.
    """

    rules: Rules
    ingest: Ingest
    consumer: Consumer
    lake: list[str] = field(default_factory=list)
    error_prefix: list[bytes] = field(default_factory=list)
    dead: dict[str, list[Record]] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)

    def start_over(self) -> None:
        """Begin with everything empty, and nothing that fails."""
        self.ingest.start_over()
        self.consumer.start_over(self.ingest.dynamodb, self.ingest.sqs)
        self.lake, self.error_prefix, self.dead = [], [], {}
        self.seen.clear()

    def put(self, values: Iterable[object], *, pause: float = 10) -> None:
        """Put records into the stream, and let Firehose have them transformed."""
        records = []
        for value in values:
            self.seen["record"] += 1
            number = self.seen["record"]
            records.append(firehose_delivery.Record(f"r{number}", as_bytes(value), _PUT))

        def invoke(batch: Sequence[firehose_delivery.Record]) -> Record:
            event = firehose_delivery.event(STREAM, "invocation", batch)
            try:
                return {"body": self._invoke(transformer, event)}
            except ERRORS:
                return {"error": True}

        def wait(_seconds: float) -> None:
            self.ingest.sqs.let_pass(pause)

        settled, _ = firehose_delivery.transform(records, self.rules.processor, invoke, wait)
        for record, result in zip(records, settled, strict=True):
            if isinstance(result, firehose_delivery.Failure):
                self.error_prefix.append(record.data)
            else:
                assert result.record is not None
                self.lake += result.record.data.decode().splitlines()

    def store(self, messages: Sequence[Record] | None = None) -> Delivered:
        """Deliver what is new in the FIFO queue, or `messages`."""
        queued = self.ingest.queued
        due = queued[self.seen["queue"] :] if messages is None else messages
        self.seen["queue"] = len(queued)

        invoke = partial(self._invoke, storer)
        done = deliver_messages(due, self.rules.fifo, invoke, errors=ERRORS, limit=2_000)
        self.dead.setdefault("queue", []).extend(map(dict, done.dead))
        return done

    def emit(self, records: Sequence[Record] | None = None) -> Delivered:
        """Deliver what is new in the stream, or `records`."""
        items = self.ingest.items
        new = [
            inserted(item, number)
            for number, item in enumerate(items, 1)
            if number > self.seen["stream"]
        ]
        self.seen["stream"] = len(items)

        due = new if records is None else records
        invoke = partial(self._invoke, emitter)
        done = deliver(due, self.rules.table, invoke, errors=ERRORS, limit=2_000)
        self.dead.setdefault("stream", []).extend(
            dict(record.payload) for each in done.given_up for record in each.batch.records
        )
        return done

    def on_bus(self) -> list[Record]:
        """Return what is new on the bus, as messages of the buffer."""
        entries = self.ingest.emitted[self.seen["bus"] :]
        made = []
        for number, entry in enumerate(entries, self.seen["bus"] + 1):
            fields = {
                "version": "0",
                "id": f"event-{number}",
                "detail-type": entry["DetailType"],
                "source": entry["Source"],
                "resources": entry["Resources"],
            }
            body = event_delivery.envelope(fields, entry["Detail"])
            made.append(received(body, f"bus-{number}"))
        self.seen["bus"] += len(entries)
        return made

    def respond(self, messages: Sequence[Record] | None = None) -> Delivered:
        """Deliver what is new on the bus, or `messages`."""
        due = self.on_bus() if messages is None else messages
        invoke = partial(self._invoke, responder)
        done = deliver_messages(due, self.rules.buffer, invoke, errors=ERRORS, limit=2_000)
        self.dead.setdefault("buffer", []).extend(map(dict, done.dead))
        return done

    def run(self) -> None:
        """Let everything on its way arrive."""
        self.store()
        self.emit()
        self.respond()

    def redrive(self) -> None:
        """Bring dead letters back to where they came from, and let everything arrive."""
        dead, self.dead = self.dead, {}
        self.store([{**each, "messageId": f"again {each['messageId']}"} for each in dead["queue"]])
        self.emit(dead["stream"])
        self.respond(dead["buffer"])
        self.run()

    @property
    def lake_ids(self) -> list[str]:
        return [json.loads(line)["id"] for line in self.lake]

    @property
    def queued_ids(self) -> set[str]:
        return {json.loads(each["body"])["id"] for each in self.ingest.queued}

    @property
    def stored_ids(self) -> Counter[str]:
        """How often each event is in the store."""
        return Counter(item["event"]["M"]["id"]["S"] for item in self.ingest.items)

    @property
    def counted_ids(self) -> set[str]:
        return {marker.rpartition(" ")[2] for marker in self.consumer.markers}

    def _invoke(self, function: Any, event: Record) -> Any:
        """Return a function's answer as the service gets it: as JSON."""
        self.ingest.dynamodb.started()
        name = function.__name__.rpartition(".")[2]
        return json.loads(json.dumps(function.handler(event, FakeContext(function_name=name))))

    def expect_counted(self, details: Iterable[Record], *, are_stored: bool = True) -> None:
        """Check store, totals and states against events: each once, the latest of each entity.

        Args:
            details: the events.
            are_stored: whether they came to the consumer by the store.
        """
        made = {each["id"]: each for each in details}
        assert self.stored_ids == (dict.fromkeys(made, 1) if are_stored else {})
        assert self.counted_ids == made.keys()
        assert self.consumer.totals == Counter(each["type"] for each in made.values())
        states = {}
        for each in sorted(made.values(), key=lambda each: (each["time"], each["id"])):
            states[f"{each['type']}/{each['subject']}"] = (each["id"], each["data"])
        assert self.consumer.states == states


@pytest.fixture(scope="session")
def intake_rules(deployed: Deployed) -> Rules:
    """What the synthesized stacks say."""
    return Rules.of(deployed)


@pytest.fixture
def intake(intake_rules: Rules, ingest: Ingest, consumer: Consumer) -> Intake:
    """Fresh intake and consumer, which share their clouds, at noon."""
    made = Intake(intake_rules, ingest, consumer)
    made.start_over()
    return made

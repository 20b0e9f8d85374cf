"""Intake and consumer: records and messages in, an order per entity, totals and states out."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer

from consumer import responder
from consumer import settings as consumer_settings
from ingest import emitter, settings, storer, transformer
from local_cloud import event_delivery
from odyssey_cli.flows.ingest.events import Event
from proofs.chaos import faults
from proofs.chaos.firehose import FirehoseSource
from proofs.chaos.flows import ingest_bringing_back as bringing_back
from proofs.chaos.flows import ingest_reckoning
from proofs.chaos.flows.ingest_errors import Errors
from proofs.chaos.flows.ingest_poison import KINDS_OF_POISON, Senders
from proofs.chaos.flows.ingest_producers import Producers
from proofs.chaos.queues import QueueSource
from proofs.chaos.streams import Inserts, StreamSource
from proofs.chaos.world import POISON_EVERY, REJECTS, Clouds, World, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proofs.chaos.history import Violation
    from proofs.chaos.world import Poison

QUEUE, BUS, BUFFER = "https://sqs/events.fifo", "arn:bus", "https://sqs/consumer"
KINDS = ("order", "device", "inventory", "security")
# Entities of each kind: few enough for every group to have a history.
ENTITIES = 25
# Events in one call of whoever sends, and the seconds between two.
_MOST, _PACE = 60, 12.0
# Of events: put into the stream, without an id of their own, and posted to the consumer. The
# rest is sent to the queue.
_BY_STREAM, _WITHOUT_ID, _POSTED = 0.75, 0.1, 0.05
# Only the transformer makes many calls for a batch.
_MORE = {"storer": 5.0, "emitter": 4.0, "responder": 5.0, "generator": 3.0, "trigger": 5.0}
# It makes one call for each batch of hundreds of records while it may not make it.
_SHORTER = {"transformer": 5}


@dataclass
class Ingest(World):
    """The world of the intake.

    Attributes:
        made: the events by name.
        ways: how each came in.
        taken: how often the stream took each from its producer.
        posted: names by the ids of events that were posted.
        stored_order: events as they were stored, by group.
    """

    made: dict[str, Event] = field(default_factory=dict)
    ways: dict[str, str] = field(default_factory=dict)
    stored_order: dict[str, list[str]] = field(default_factory=dict)
    taken: Counter[str] = field(default_factory=Counter)
    posted: dict[str, str] = field(default_factory=dict)

    def make_clouds(self) -> Clouds:
        """Return the clouds of both stacks."""
        self.table = Inserts()
        clouds = Clouds.with_tables(
            {"events": self.table}
            | {name: {} for name in ("markers", "totals", "entities", "requests")}
        )
        clouds.dynamodb.keys["events"] = ("entity", "at")
        return clouds

    def functions(self) -> tuple[str, ...]:
        """Return the functions that events go through."""
        return (
            "ingest.transformer",
            "ingest.storer",
            "ingest.emitter",
            "consumer.responder",
            "consumer.trigger",
        )

    def variables(self) -> dict[str, str]:
        """Return both stacks' variables."""
        return {
            "EVENTS_QUEUE": QUEUE,
            "PARTITIONED": "false",
            "REJECTS_QUEUE": REJECTS,
            "EVENTS_TABLE": "events",
            "EVENT_TTL_DAYS": "0",
            "BUS": BUS,
            "MARKERS_TABLE": "markers",
            "TOTALS_TABLE": "totals",
            "ENTITIES_TABLE": "entities",
            "REQUESTS_TABLE": "requests",
        }

    def make_sources(self) -> None:
        """Make delivery stream, FIFO queue, the table's stream and the consumer's queue."""
        self.faults.more, self.faults.shorter = _MORE, _SHORTER
        self.faults.silent = {"transformer": QUEUE}
        say, rules = name_of, self.deployed
        self.firehose = FirehoseSource(
            self.machine,
            "transformer",
            transformer.handler,
            rules.processor("Ingest"),
            lambda data: say(data.decode(errors="replace")) or "unknown",
        )
        self.fifo = QueueSource(
            self.machine, "storer", storer.handler, rules.queue("ingest.storer"), say
        )
        self.stream = StreamSource(
            self.machine, "emitter", emitter.handler, rules.stream("ingest.emitter")
        )
        self.buffer = QueueSource(
            self.machine, "responder", responder.handler, rules.queue("consumer.responder"), say
        )
        self.policy = rules.retry_policy("Consumer")
        self.errors = Errors(self.firehose)
        self.producers = Producers(self)
        for source in (self.firehose, self.fifo, self.stream, self.buffer):
            source.again = self.pump

    def restart(self) -> None:
        """Forget what processes know of their environment."""
        for read in (settings.transformer, settings.storer, settings.emitter):
            read.cache_clear()
        consumer_settings.responder.cache_clear()
        consumer_settings.trigger.cache_clear()
        # Two stacks have a queue each under one name.
        self.as_of("Ingest")

    def kinds(self) -> list[Callable[[str], Poison]]:
        """Return what can never be processed at some hop."""
        return KINDS_OF_POISON

    def deadly(self) -> tuple[str, ...]:
        """Return the functions that die of killers."""
        return "storer", "emitter", "responder"

    def feed(self) -> None:
        """Plan calls of all who send, each with some events and now and then poison."""
        batches: dict[str, list[Any]] = {"stream": [], "queue": []}
        senders = Senders(self)
        at = 0.0
        for number in range(self.number):
            if number % POISON_EVERY == POISON_EVERY - 1:
                name = self.make_bad(number // POISON_EVERY)
                if name in self.killers:
                    batches["queue"].append(self._event(name, alone=True))
                else:
                    senders.send_later(name, at, batches)
            else:
                self._plan(f"event-{number}", at, batches)
            if number % _MOST == _MOST - 1 or number == self.number - 1:
                at += _PACE * self.generator.random() * 2
                for way, send in (("stream", self.producers.put), ("queue", self.producers.queue)):
                    if batches[way]:
                        self.schedule.after(at, partial(send, batches[way]))
                        batches[way] = []

    def pump(self) -> None:
        """Carry what was sent, stored and put to where it is delivered from."""
        sqs = self.clouds.sqs
        for entry in sqs.queues.pop(QUEUE, ()):
            self.fifo.send(entry["MessageBody"], group=entry["MessageGroupId"])
        for entry in sqs.queues.pop(BUFFER, ()):
            self.buffer.send(entry["MessageBody"])
        for _, item in self.table.take():
            name = name_of(json.dumps(item)) or "unknown"
            group = self._group_of(name)
            if group is not None:
                self.stored_order.setdefault(group, []).append(name)
            keys = {each: item[each] for each in ("entity", "at")}
            self.stream.insert(item["entity"]["S"], item, keys, name)
        taken, self.clouds.firehose.taken = self.clouds.firehose.taken, []
        for record_id, data in taken:
            self.taken[name_of(data.decode(errors="replace")) or "unknown"] += 1
            self.firehose.put(record_id, data)
        for entry in self.clouds.events.buses.pop(BUS, ()):
            self.deliver(entry)

    def deliver(self, entry: dict[str, Any]) -> None:
        """Let a bus deliver an event to the consumer's queue, once or twice, or give it up."""
        fields = {
            "version": "0",
            "id": "bus",
            "detail-type": entry["DetailType"],
            "source": entry["Source"],
            "resources": entry["Resources"],
        }
        name = name_of(entry["Detail"]) or "unknown"
        if entry["DetailType"] not in KINDS:
            return
        body = event_delivery.envelope(fields, entry["Detail"])
        times = 1
        if self.faults.strikes(faults.DUPLICATE, faults.DUPLICATE_RATE, "bus"):
            times = 2
        for _ in range(times):
            self._to_buffer(body, name, retries=0, age=0.0)

    def _to_buffer(self, body: str, name: str, *, retries: int, age: float) -> None:
        pause: float = self.generator.expovariate(1.0)
        if self.faults.strikes(faults.THROTTLED, faults.RATES[faults.THROTTLED], "bus"):
            passes = self.generator.random() < 0.8
            code = "ThrottlingException" if passes else "AccessDenied"
            failure = event_delivery.failure_of(code, "So says chaos.")
            cut = self.generator.random()
            follows = event_delivery.after(self.policy, failure, retries, age, cut)
            if isinstance(follows, event_delivery.Again):
                wait = follows.after
                again = partial(self._to_buffer, body, name, retries=retries + 1, age=age + wait)
                self.schedule.after(wait, again)
                return
            self.history.note([name], self.schedule.elapsed, "bus", f"gave up: {failure.code}")
            self.buffer.give_up(body, name)
            return
        self.schedule.after(pause, lambda: self.buffer.send(body))

    def redrive(self) -> int:
        """Redrive the queues of failures, rejects that may pass, and the error prefix."""
        done = self.fifo.redrive(apart=self.apart) + self.stream.redrive()
        done += self.buffer.redrive(apart=self.apart)
        self.schedule.run()
        # Nothing says which of these two comes first.
        steps = [bringing_back.put_back_rejects, bringing_back.reprocess]
        return done + sum(step(self) for step in (steps if self.rounds % 2 else steps[::-1]))

    def has_more(self) -> bool:
        """Say whether records are to be put into the stream again."""
        return any(name not in self.poison for name, _, _ in self.rejected()) or any(
            each.code != "Lambda.ProcessingFailedStatus" for _, each in self.errors.given_up()
        )

    def name_of_reject(self, body: str) -> str:
        """Return the event that a reject is of; a record's bytes are in base64."""
        found = name_of(body)
        if found is None and '"recordId"' in body:
            import base64  # noqa: PLC0415

            data = base64.b64decode(json.loads(body)["data"])
            found = name_of(data.decode(errors="replace"))
        return found or "unknown"

    def dead(self) -> list[str]:
        """Return the events that are given up now."""
        return [*self.fifo.dead(), *self.stream.dead(), *self.buffer.dead()]

    def reckon(self) -> Iterator[Violation]:
        """Yield what is not as it must be."""
        return ingest_reckoning.reckon(self)

    def ended(self) -> dict[str, int]:
        """Return where events ended."""
        totals = self.clouds.dynamodb.tables["totals"].values()
        return {
            "in the lake": len(self.firehose.lake),
            "stored": len(self.table),
            "counted": sum(int(each["event_count"]["N"]) for each in totals),
            **self.count_ended(),
            "in the error prefix": len(self.errors.given_up()),
        }

    @property
    def states(self) -> dict[str, tuple[str, Any]]:
        """The event's id and the data of each entity's latest state."""
        read: Any = TypeDeserializer().deserialize
        return {
            key: (item["event_id"]["S"], read(item["state"]))
            for key, item in self.clouds.dynamodb.tables["entities"].items()
        }

    def _plan(self, name: str, at: float, batches: dict[str, list[Any]]) -> None:
        event = self._event(name)
        self.made[name] = event
        chance = self.generator.random()
        if chance < _BY_STREAM:
            is_named = self.generator.random() >= _WITHOUT_ID
            self.ways[name] = "stream" if is_named else "stream, no id"
            fields = json.loads(event.record())
            if not is_named:
                del fields["id"]
            batches["stream"].append(json.dumps(fields, ensure_ascii=False).encode())
        elif chance < _BY_STREAM + _POSTED:
            self.ways[name] = "post"
            self.schedule.after(at, partial(self.producers.post, event))
        else:
            self.ways[name] = "queue"
            batches["queue"].append(event)

    def _event(self, name: str, *, alone: bool = False) -> Event:
        """Return an event of a few entities and moments; out of order in time."""
        subject = name if alone else f"s{self.generator.randrange(ENTITIES)}"
        second = self.schedule.now + self.generator.randrange(-3_000, 0)
        return Event(
            name,
            self.generator.choice(KINDS),
            subject,
            datetime.fromtimestamp(second, UTC),
            {"name": name, "text": "Åsa café 😀 R&D C# 1+1 50% a;b %41"},
        )

    def _group_of(self, name: str) -> str | None:
        event = self.made.get(name)
        return None if event is None else message_group(event)

    def as_of(self, stack: str) -> None:
        """Set what two stacks call the same."""
        import os  # noqa: PLC0415

        os.environ["EVENTS_QUEUE"] = BUFFER if stack == "Consumer" else QUEUE


def message_group(event: Event) -> str:
    """Return the FIFO group of an event."""
    return event.message().group

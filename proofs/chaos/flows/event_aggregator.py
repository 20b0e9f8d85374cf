"""The event aggregator: requests in, summaries out."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from event_aggregator import aggregator, producer, settings
from proofs.chaos.history import Violation
from proofs.chaos.running import Stuck
from proofs.chaos.streams import Inserts, StreamSource
from proofs.chaos.world import POISON_EVERY, REJECTS, Clouds, Poison, World, name_of
from proofs.shapes import api_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_GROUPS = 40
# Requests in a second, of which some are sent again although they were answered.
_PACE, _SENT_AGAIN = 20.0, 0.02
_IMPATIENT = 200
_ACCEPTED = 202
# Functions that make a call or two do not fail often enough at the usual rates.
_SCALE = 4.0


@dataclass
class EventAggregator(World):
    """The world of the event aggregator.

    Attributes:
        groups: of each event that was sent.
        ids: what clients were told, by event.
        answers: status and type of problem that bad requests got.
    """

    groups: dict[str, int] = field(default_factory=dict)
    ids: dict[str, set[str]] = field(default_factory=dict)
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)

    def make_clouds(self) -> Clouds:
        """Return the stack's clouds."""
        self.table = Inserts()
        return Clouds.with_tables({"events": self.table, "processed": {}, "summaries": {}})

    def functions(self) -> tuple[str, ...]:
        """Return the functions that events go through."""
        return "event_aggregator.producer", "event_aggregator.aggregator"

    def variables(self) -> dict[str, str]:
        """Return the stack's variables."""
        return {
            "EVENTS_TABLE": "events",
            "GROUP_BY": '["group"]',
            "EVENT_TTL_DAYS": "0",
            "PROCESSED_TABLE": "processed",
            "SUMMARIES_TABLE": "summaries",
            "REJECTS_QUEUE": REJECTS,
        }

    def make_sources(self) -> None:
        """Make the table's stream."""
        self.faults.scale = _SCALE
        self.stream = StreamSource(
            self.machine,
            "aggregator",
            aggregator.handler,
            self.deployed.stream("event_aggregator.aggregator"),
        )
        self.stream.again = self.pump

    def restart(self) -> None:
        """Forget what processes know of their environment."""
        settings.producer.cache_clear()
        settings.aggregator.cache_clear()

    def feed(self) -> None:
        """Plan all requests."""
        at = 0.0
        for number in range(self.number):
            at += self.generator.expovariate(_PACE)
            if number % POISON_EVERY < POISON_EVERY - 1:
                name = f"event-{number}"
                self.groups[name] = self.generator.randrange(_GROUPS)
                self.schedule.after(at, partial(self._request, name))
                if self.generator.random() < _SENT_AGAIN:
                    later = at + self.generator.uniform(0, 400)
                    self.schedule.after(later, partial(self._request, name))
                continue
            name = self.make_bad(number // POISON_EVERY)
            if name in self.killers:
                self.groups[name] = _GROUPS
                self.schedule.after(at, partial(self._request, name))
            elif self.poison[name].source == "producer":
                self.schedule.after(at, partial(self._bad_request, name))
            else:
                self.schedule.after(at, partial(self._to_table, name))

    def pump(self) -> None:
        """Carry what was stored into the stream."""
        for _, item in self.table.take():
            name = name_of(json.dumps(item)) or "unknown"
            self.stream.insert(item["id"]["S"], item, {"id": item["id"]}, name)

    def redrive(self) -> int:
        """Hand over what was given up once more."""
        return self.stream.redrive()

    def dead(self) -> list[str]:
        """Return the events that are given up now."""
        return self.stream.dead()

    def ended(self) -> dict[str, int]:
        """Return where events ended."""
        return {
            "refused at the edge": len(self.answers),
            "stored": len(self.table),
            "counted": sum(self._counts().values()),
            **self.count_ended(),
        }

    def is_of_edge(self, poison: Poison) -> bool:
        """Say whether poison is a bad request."""
        return poison.source == "producer"

    def reckon(self) -> Iterator[Violation]:
        """Yield what is not as it must be."""
        stored: dict[str, list[dict[str, Any]]] = {}
        for item in self.table.values():
            stored.setdefault(name_of(json.dumps(item)) or "unknown", []).append(item)
        yield from self._stored(stored)
        processed = self.clouds.dynamodb.tables["processed"]
        for name in self.groups:
            for item in stored.get(name, []):
                is_counted = item["id"]["S"] in processed
                if is_counted == (name in self.killers):
                    what = "is counted" if is_counted else "is stored, and is not counted"
                    yield Violation(name, what)
        of_good = {item["id"]["S"] for name in self.groups for item in stored.get(name, [])}
        names = {item["id"]["S"]: name for name, items in stored.items() for item in items}
        for marker in sorted(processed.keys() - of_good):
            yield Violation(names.get(marker, marker), "has a marker, and is no event")
        yield from self._summaries(stored)
        for name, poison in self.poison.items():
            if self.is_of_edge(poison) and self.answers.get(name, (0, ""))[1] != poison.cause:
                yield Violation(name, f"was answered {self.answers.get(name)}: {poison.cause}")

    def _stored(self, stored: dict[str, list[dict[str, Any]]]) -> Iterator[Violation]:
        for name in self.groups:
            number = len(stored.get(name, []))
            if number != 1:
                yield Violation(name, f"was accepted, and is stored {number} times")
            if len(self.ids.get(name, ())) != 1:
                yield Violation(name, f"has the ids {sorted(self.ids.get(name, ()))}")
        for name in stored:
            if name in self.poison and self.poison[name].source == "producer":
                yield Violation(name, "was refused, and is stored")

    def _summaries(self, stored: dict[str, list[dict[str, Any]]]) -> Iterator[Violation]:
        times: dict[str, list[tuple[str, str]]] = {}
        for name, group in self.groups.items():
            if name not in self.killers:
                times.setdefault(f'{{"group":{group}}}', []).extend(
                    (item["received_at"]["S"], name) for item in stored.get(name, [])
                )
        counts = self._counts()
        for label, seen in times.items():
            if counts[label] != len(seen):
                what = f"the summary of {label} counts {counts[label]} of {len(seen)} events"
                yield Violation(self._suspect(seen), what)
        for label in sorted(counts.keys() - times.keys()):
            yield Violation("unknown", f"there is a summary of {label}, and no event of it")
        for item in self.clouds.dynamodb.tables["summaries"].values():
            seen = sorted(times.get(item["group_label"]["S"], []))
            span = (item["first_seen"]["S"], item["last_seen"]["S"])
            if seen and span != (seen[0][0], seen[-1][0]):
                yield Violation(seen[0][1], f"the span of {item['group_label']['S']} is {span}")

    def _suspect(self, seen: list[tuple[str, str]]) -> str:
        """Return, of a group's events, that with the most trouble."""
        return max(seen, key=lambda each: len(self.history.hops.get(each[1], [])))[1]

    def _counts(self) -> Counter[str]:
        summaries = self.clouds.dynamodb.tables["summaries"].values()
        return Counter(
            {each["group_label"]["S"]: int(each["item_count"]["N"]) for each in summaries}
        )

    def _request(self, name: str) -> None:
        """Send a request, again and again until it is accepted, as its client does."""
        body = json.dumps({"group": self.groups[name], "name": name}).encode()
        for attempt in range(_IMPATIENT):
            answer = self._send(name, body, attempt)
            if answer is not None and answer["statusCode"] == _ACCEPTED:
                self.ids.setdefault(name, set()).add(json.loads(answer["body"])["event_id"])
                return
            self.schedule.now += 1
        raise Stuck(name, "was never accepted")

    def _send(self, name: str, body: bytes, attempt: int) -> dict[str, Any] | None:
        request = api_request(
            "POST",
            "/trigger-event",
            body=body,
            headers={"Content-Type": "application/json", "Idempotency-Key": name},
            request_id=f"request {attempt} of {name}",
        )
        outcome = self.machine.invoke("producer", producer.handler, request, [name])
        self.pump()
        is_answered = outcome.error is None and outcome.invoked
        answer: Any = outcome.response
        return answer if is_answered else None

    # What can never be processed.

    def kinds(self) -> list[Callable[[str], Poison]]:
        """Return bad requests, and what somebody stores."""
        return [
            lambda name: Poison(name, "aggregator", "no text 'group'"),
            lambda name: Poison(name, "producer", "invalid-json"),
            lambda name: Poison(name, "aggregator", "'received_at' does not read as one"),
            lambda name: Poison(name, "aggregator", "'received_at' is no time"),
            lambda name: Poison(name, "producer", "missing-field"),
        ]

    def deadly(self) -> tuple[str, ...]:
        """Return the function that dies of killers."""
        return ("aggregator",)

    def _bad_request(self, name: str) -> None:
        bodies = {"invalid-json": f'{{"name": "{name}", ', "missing-field": f'{{"name": "{name}"}}'}
        for attempt in range(_IMPATIENT):
            answer = self._send(name, bodies[self.poison[name].cause].encode(), attempt)
            if answer is not None and answer["statusCode"] < 500:
                kind = json.loads(answer["body"])["type"].rpartition(":")[2]
                self.answers[name] = answer["statusCode"], kind
                return
            self.schedule.now += 1

    def _to_table(self, name: str) -> None:
        """Somebody stores an item that is no event."""
        item = {
            "id": {"S": "0" * 36},
            "name": {"S": name},
            "group": {"S": "0" * 64},
            "group_label": {"S": "none"},
            "received_at": {"S": "2026-11-21T12:00:00.000000Z"},
        }
        match self.poison[name].cause:
            case "no text 'group'":
                del item["group"]
            case "'received_at' is no time":
                item["received_at"] = {"S": "2026-99-99T12:00:00.000000Z"}
            case _:
                item["received_at"] = {"S": "noon"}
        item["id"] = {"S": f"{name:0>36}".replace("poison", "000000")}
        self.table[name] = item
        self.pump()

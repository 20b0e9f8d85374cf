"""What the intake and its consumer can never process, at each of their hops."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from proofs.chaos.world import Poison

if TYPE_CHECKING:
    from collections.abc import Callable

    from proofs.chaos.flows.ingest import Ingest


KINDS_OF_POISON: list[Callable[[str], Poison]] = [
    lambda name: Poison(name, "transformer", "not JSON"),
    lambda name: Poison(name, "storer", "not JSON"),
    lambda name: Poison(name, "emitter", "The item has no map 'event'."),
    lambda name: Poison(name, "transformer", "unknown field"),
    lambda name: Poison(name, "responder", "no text"),
    lambda name: Poison(name, "transformer", "no text 'type'"),
    lambda name: Poison(name, "responder", "not an event of a bus"),
    lambda name: Poison(name, "transformer", "more than an hour ahead"),
]


@dataclass
class Senders:
    """Send poison, each to the hop that must find it out."""

    world: Ingest

    def send_later(self, name: str, at: float, batches: dict[str, list[Any]]) -> None:
        """Plan to send poison, with what is sent at that time."""
        world, poison = self.world, self.world.poison[name]
        if poison.source == "transformer":
            batches["stream"].append(self._record(poison))
            return
        send: dict[str, Callable[[str], None]] = {
            "storer": self._to_queue,
            "emitter": self._to_table,
            "responder": self._to_bus,
        }
        world.schedule.after(at, partial(send[poison.source], name))

    def _record(self, poison: Poison) -> bytes:
        fields: dict[str, Any] = {
            "id": poison.name,
            "type": "order",
            "subject": poison.name,
            "time": "2026-11-21T12:00:00Z",
            "data": {"name": poison.name},
        }
        match poison.cause:
            case "unknown field":
                fields["colour"] = "red"
            case "no text 'type'":
                del fields["type"]
            case "more than an hour ahead":
                fields["time"] = "2026-12-24T12:00:00Z"
            case _:
                return f'{{"id": "{poison.name}", "data": '.encode()
        return json.dumps(fields).encode()

    def _to_queue(self, name: str) -> None:
        """Somebody sends a message that is no event; others of its group are behind it."""
        group = next(iter(self.world.fifo.arrived), "group")
        self.world.fifo.send(f'{{"id": "{name}", ', group=group, event=name)

    def _to_table(self, name: str) -> None:
        """Somebody stores an item that is no event."""
        item = {"entity": {"S": f"order/{name}"}, "at": {"S": "2026-11-21"}}
        self.world.table[f"order/{name} 2026-11-21"] = item
        self.world.pump()

    def _to_bus(self, name: str) -> None:
        """Somebody else puts an event that is none of ours, or into the consumer's queue."""
        if "of a bus" in self.world.poison[name].cause:
            self.world.buffer.send(json.dumps({"name": name}), event=name)
            return
        entry = {
            "DetailType": "order",
            "Source": "somebody",
            "Resources": [],
            "Detail": json.dumps({"specversion": "1.0", "data": {"name": name}}),
        }
        self.world.deliver(entry)

"""Streams of tables in front of functions: shards, checkpoints, bisected batches, pointers."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local_cloud.delivery import Advance, Discard, Record, Shard, StreamSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proofs.chaos.running import Machine

_SHARDS = 4
# Bytes of a record, of which a batch has 6 MB at most.
_SIZE = 1_000
_RETENTION = 86_400


class Inserts(dict[str, Any]):
    """A table's items, and which of them are new: what its stream has."""

    def __init__(self) -> None:
        super().__init__()
        self.fresh: list[str] = []

    def __setitem__(self, key: str, item: Any) -> None:
        if key not in self:
            self.fresh.append(key)
        super().__setitem__(key, item)

    def take(self) -> list[tuple[str, Any]]:
        """Return what nobody has taken yet."""
        found = [(key, self[key]) for key in self.fresh]
        self.fresh = []
        return found


@dataclass
class StreamSource:
    """The stream of a table, and the function that it invokes: one batch per shard at a time.

    Attributes:
        machine: runs the function.
        name: of the function.
        handler: the function.
        settings: the mapping's.
        pointers: what was given up, as the on-failure destination knows it.
        again: called after each invocation.
    """

    machine: Machine
    name: str
    handler: Callable[..., Any]
    settings: StreamSettings
    pointers: list[Discard] = field(default_factory=list)
    again: Callable[[], None] = lambda: None
    _shards: list[Shard] = field(default_factory=lambda: [Shard() for _ in range(_SHARDS)])
    _polled: set[int] = field(default_factory=set)
    _events: dict[str, str] = field(default_factory=dict)
    _number: int = 100

    @property
    def waiting(self) -> int:
        """How many records are given up."""
        return sum(len(each.batch.records) for each in self.pointers)

    def dead(self) -> list[str]:
        """Return the events that are given up."""
        return [self._events[r.sequence] for each in self.pointers for r in each.batch.records]

    def insert(self, key: str, item: Any, keys: Mapping[str, Any], event: str) -> None:
        """Take an insertion in.

        Args:
            key: what decides about the shard.
            item: the new item.
            keys: its key.
            event: what it is about.
        """
        self._number += 1
        sequence = str(self._number)
        self._events[sequence] = event
        payload = {
            "eventID": f"{self._number:032x}",
            "eventName": "INSERT",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "dynamodb": {
                "ApproximateCreationDateTime": int(self.machine.schedule.now),
                "Keys": dict(keys),
                "NewImage": item,
                "SequenceNumber": sequence,
                "SizeBytes": _SIZE,
                "StreamViewType": "NEW_IMAGE",
            },
            "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/Events/stream/1",
        }
        number = zlib.crc32(key.encode()) % _SHARDS
        now = self.machine.schedule.now
        self._shards[number].add([Record(sequence, now, payload, _SIZE)], now)
        self._poll_in(number, self._shards[number].wait(self.settings, now))

    def redrive(self) -> int:
        """Hand given-up records to the function, as `odyssey redrive` does; return how many."""
        due, self.pointers = self.pointers, []
        for pointer in due:
            records = pointer.batch.records
            events = [self._events[each.sequence] for each in records]
            now = self.machine.schedule.now
            if any(now - each.arrived > _RETENTION for each in records):
                self.machine.history.note(events, self._now, "stream", "gone from the stream")
                continue
            self.machine.history.note(events, self._now, "stream", "brought back")
            outcome = self.machine.invoke(
                self.name, self.handler, pointer.batch.event(), events, may_throttle=False
            )
            response: Any = outcome.response
            is_done = outcome.error is None and not (response or {}).get("batchItemFailures")
            if not is_done or self.machine.faults.keeps(self.name):
                self.pointers.append(pointer)
            self.again()
        return len(due)

    @property
    def _now(self) -> float:
        return self.machine.schedule.elapsed

    def _poll_in(self, number: int, seconds: float | None) -> None:
        if seconds is not None and number not in self._polled:
            self._polled.add(number)
            self.machine.schedule.after(seconds, lambda: self._poll(number))

    def _poll(self, number: int) -> None:
        self._polled.discard(number)
        shard = self._shards[number]
        batch, discards = shard.next(self.settings, self.machine.schedule.now)
        for each in discards:
            self._give_up(each)
        if batch is not None:
            events = [self._events[each.sequence] for each in batch.records]
            numbers = [int(each.sequence) for each in batch.records]
            outcome = self.machine.invoke(
                self.name, self.handler, batch.event(), events, numbers=numbers
            )
            for step in shard.settle(self.settings, batch, outcome, self.machine.schedule.now):
                if isinstance(step, Advance):
                    done = [self._events[each.sequence] for each in step.records]
                    self.machine.history.note(done, self._now, self.name, "done")
                else:
                    self._give_up(step)
            self.again()
        self._poll_in(number, shard.wait(self.settings, self.machine.schedule.now))

    def _give_up(self, discard: Discard) -> None:
        events = [self._events[each.sequence] for each in discard.batch.records]
        self.machine.history.note(events, self._now, "stream", f"given up: {discard.condition}")
        self.pointers.append(discard)

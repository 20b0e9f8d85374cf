"""Queues in front of functions: by AWS's rules of delivery, with the deployed settings."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from local_cloud import queue_delivery
from local_cloud.queue_delivery import Message, Queue, QueueSettings
from proofs.chaos import faults
from proofs.shapes import queue_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from proofs.chaos.running import Machine

# How long it takes Lambda to look again, at most.
_POLL = 1.0


@dataclass
class QueueSource:
    """A queue and the function that it invokes.

    Standard queues give messages in any order, and now and then one twice; FIFO queues keep the
    order of each group.

    Attributes:
        machine: runs the function.
        name: of the function.
        handler: the function.
        settings: the queue's and the mapping's.
        event_of: returns the event that a body is about; None for the message's own id.
        arrived: ids of events in the order in which the queue took them, by group.
        given_up: how often each event went to the dead-letter queue.
    """

    machine: Machine
    name: str
    handler: Callable[..., Any]
    settings: QueueSettings
    event_of: Callable[[str], str | None]
    arrived: dict[str, list[str]] = field(default_factory=dict)
    given_up: dict[str, int] = field(default_factory=dict)
    again: Callable[[], None] = lambda: None
    letters: list[Message] = field(default_factory=list)
    _queue: Queue = field(init=False)
    _events: dict[str, str] = field(default_factory=dict)
    _is_polled: bool = False
    _number: int = 0

    def __post_init__(self) -> None:
        self._queue = Queue(self.settings)

    @property
    def waiting(self) -> int:
        """How many messages are in the dead-letter queue."""
        return len(self._queue.dead) + len(self.letters)

    @property
    def queued(self) -> int:
        """How many messages are in the queue, those that the function is working on among them."""
        return len(self._queue.messages)

    def dead(self) -> list[str]:
        """Return the events in the dead-letter queue."""
        return [self._events[each.id] for each in (*self._queue.dead, *self.letters)]

    def send(self, body: str, *, group: str | None = None, event: str | None = None) -> None:
        """Put a message into the queue."""
        message = self._message(body, group, event)
        if group is not None:
            self.arrived.setdefault(group, []).append(self._events[message.id])
        self._queue.messages.append(message)
        self._poll_soon()

    def give_up(self, body: str, event: str | None = None) -> None:
        """Put into the dead-letter queue what a bus could not put into the queue."""
        self.letters.append(self._message(body, None, event))

    def redrive(self, *, apart: bool = False) -> int:
        """Bring all dead letters back, as `odyssey redrive` does; return how many.

        Args:
            apart: hand them to the function one by one, as `--apart` does. What it fails on stays.
        """
        due = [*self._queue.dead, *self.letters]
        self._queue.dead, self.letters = [], []
        for each in due:
            event = self._events[each.id]
            self.machine.history.note([event], self._now, f"{self.name}'s queue", "brought back")
            is_done = self._hand_over(each) if apart else self._send_back(each)
            if not is_done or self.machine.faults.keeps(self.name):
                self._queue.dead.append(each)
        return len(due)

    def _send_back(self, letter: Message) -> bool:
        body = str(letter.payload["body"])
        self._queue.messages.append(self._message(body, letter.group, self._events[letter.id]))
        self._poll_soon()
        return True

    def _hand_over(self, letter: Message) -> bool:
        """Call the function with a dead letter; say whether it has processed it."""
        outcome = self.machine.invoke(
            self.name,
            self.handler,
            {"Records": [_record(letter)]},
            [self._events[letter.id]],
            may_throttle=False,
        )
        self.again()
        response: Any = outcome.response
        return outcome.error is None and not (response or {}).get("batchItemFailures")

    @property
    def _now(self) -> float:
        return self.machine.schedule.elapsed

    def _message(self, body: str, group: str | None, event: str | None) -> Message:
        self._number += 1
        message_id = f"{self.name}-m{self._number}"
        self._events[message_id] = event or self.event_of(body) or message_id
        payload = queue_record(message_id, body, group=group)
        return Message(message_id, payload, group, visible_at=self.machine.schedule.now)

    def _poll_soon(self, seconds: float | None = None) -> None:
        if not self._is_polled:
            self._is_polled = True
            pause = self.machine.generator.uniform(0, _POLL) if seconds is None else seconds
            self.machine.schedule.after(self.settings.window + pause, self._poll)

    def _poll(self) -> None:
        self._is_polled = False
        now = self.machine.schedule.now
        if not self.settings.fifo:
            self.machine.generator.shuffle(self._queue.messages)
        dead = len(self._queue.dead)
        batch = self._queue.receive(self.settings.batch_size, now)
        for each in self._queue.dead[dead:]:
            self._note_given_up(each)
        if batch:
            self._deliver(batch)
        if not self._queue.messages:
            return
        now = self.machine.schedule.now
        soon = min(each.visible_at for each in self._queue.messages)
        self._poll_soon(soon - now if soon > now else None)

    def _note_given_up(self, message: Message) -> None:
        event = self._events[message.id]
        self.given_up[event] = self.given_up.get(event, 0) + 1
        what = f"given up after {message.receives} receives"
        self.machine.history.note([event], self._now, f"{self.name}'s queue", what)

    def _deliver(self, batch: list[Message]) -> None:
        events = [self._events[each.id] for each in batch]
        records = [_record(each) for each in batch]
        ids = [each.id for each in batch]
        numbers = [int(each.rpartition("-m")[2]) for each in ids]
        while True:
            outcome = self.machine.invoke(
                self.name, self.handler, {"Records": records}, events, numbers=numbers
            )
            settled = queue_delivery.settle(self.settings, ids, outcome)
            if not settled.again:
                break
        kept = set(settled.keep)
        if outcome.error is None:
            self._note(batch, kept)
        self._queue.delete(settled.delete)
        if not self.settings.fifo:
            self._repeat([each for each in batch if each.id not in kept])
        self.again()

    def _note(self, batch: list[Message], kept: set[str]) -> None:
        for what, found in (
            ("done", [each for each in batch if each.id not in kept]),
            ("to come again", [each for each in batch if each.id in kept]),
        ):
            events = [self._events[each.id] for each in found]
            self.machine.history.note(events, self._now, self.name, what)

    def _repeat(self, done: list[Message]) -> None:
        """Let some deleted messages come once more, as standard queues may."""
        for each in done:
            if self.machine.faults.strikes(faults.DUPLICATE, faults.DUPLICATE_RATE, self.name):
                hidden = self.machine.schedule.now + self.machine.generator.uniform(0, 60)
                self._queue.messages.append(replace(each, receives=1, visible_at=hidden))


def _record(message: Message) -> dict[str, Any]:
    """Return a message as the function gets it."""
    receives = {"ApproximateReceiveCount": str(message.receives)}
    attributes = {**message.payload["attributes"], **receives}
    return {**message.payload, "attributes": attributes}

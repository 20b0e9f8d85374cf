"""Sends records to a handler in memory, and again and again, as their source would.

For tests of handlers: the rules are those of delivery.py and queue_delivery.py, the time is
pretended, and the answer says what the handler was given and what became of each record.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local_cloud import queue_delivery
from local_cloud.delivery import (
    FAILED,
    Advance,
    Discard,
    Outcome,
    Record,
    Shard,
    StreamSettings,
)
from local_cloud.queue_delivery import Message, Queue, QueueSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Payload = Mapping[str, Any]
    Invoke = Callable[[dict[str, Any]], object]


class StillFailingError(AssertionError):
    """A handler that is retried for ever did not get through."""


@dataclass
class PretendClock:
    """Time that passes only when somebody waits.

    Attributes:
        now: The present, in seconds since 1970.
    """

    now: float = 1_795_000_000.0

    def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        self.now += seconds


@dataclass
class Delivered:
    """What became of the records.

    Attributes:
        sent: For each invoke, the records it carried.
        processed: Records that count as processed, in that order; filtered ones among them.
        given_up: Batches for the on-failure destination.
        dead: Messages that went to the dead-letter queue.
    """

    sent: list[list[Payload]] = field(default_factory=list)
    processed: list[Payload] = field(default_factory=list)
    given_up: list[Discard] = field(default_factory=list)
    dead: list[Payload] = field(default_factory=list)


def as_record(payload: Payload) -> Record:
    """Read a record as functions get it, of DynamoDB Streams or Kinesis."""
    size = len(json.dumps(payload, default=str))
    if "kinesis" in payload:
        kinesis = payload["kinesis"]
        arrived = float(kinesis["approximateArrivalTimestamp"])
        return Record(kinesis["sequenceNumber"], arrived, payload, size)
    change = payload["dynamodb"]
    arrived = float(change["ApproximateCreationDateTime"])
    return Record(change["SequenceNumber"], arrived, payload, size)


def deliver(
    records: Iterable[Payload],
    settings: StreamSettings,
    invoke: Invoke,
    clock: PretendClock | None = None,
    *,
    matches: Callable[[Payload], bool] = lambda _: True,
    errors: tuple[type[BaseException], ...] = (Exception,),
    limit: int = 10_000,
) -> Delivered:
    """Send the records of one shard to `invoke` until each is processed or given up.

    Args:
        records: Records as functions get them, in the shard's order.
        settings: The mapping's.
        invoke: Gets the event and returns the function's response or raises.
        clock: The time, which this moves on; by default it begins when the last record arrived.
        matches: The mapping's filter.
        errors: What `invoke` may raise that counts as the function's error.
        limit: Invokes after which this gives up.

    Raises:
        StillFailingError: It came to `limit` invokes.
    """
    read = [as_record(payload) for payload in records]
    clock = clock or PretendClock(max((r.arrived for r in read), default=PretendClock.now))
    result = Delivered()
    result.processed += [r.payload for r in read if not matches(r.payload)]
    shard = Shard()
    shard.add((r for r in read if matches(r.payload)), clock.now)
    while (seconds := shard.wait(settings, clock.now)) is not None:
        clock.sleep(seconds)
        batch, discards = shard.next(settings, clock.now)
        result.given_up += discards
        if batch is None:
            continue
        outcome = _outcome(batch.event(), invoke, errors, result, limit)
        for step in shard.settle(settings, batch, outcome, clock.now):
            if isinstance(step, Advance):
                result.processed += [record.payload for record in step.records]
            else:
                result.given_up.append(step)
    return result


def deliver_messages(
    messages: Sequence[Payload],
    settings: QueueSettings,
    invoke: Invoke,
    clock: PretendClock | None = None,
    *,
    matches: Callable[[Payload], bool] = lambda _: True,
    errors: tuple[type[BaseException], ...] = (Exception,),
    limit: int = 10_000,
) -> Delivered:
    """Send a queue's messages to `invoke` until the queue is empty; arguments as in `deliver`.

    Args:
        messages: Records as functions get them, in the order they were sent.
        settings: The queue's and the mapping's.
        invoke: Gets the event and returns the function's response or raises.
        clock: The time, which this moves on.
        matches: The mapping's filter; what does not match is deleted.
        errors: What `invoke` may raise that counts as the function's error.
        limit: Invokes after which this gives up.

    Raises:
        StillFailingError: It came to `limit` invokes.
    """
    clock = clock or PretendClock()
    result = Delivered()
    queue = Queue(
        settings,
        [
            Message(payload["messageId"], payload, payload["attributes"].get("MessageGroupId"))
            for payload in messages
        ],
    )
    while queue.messages:
        batch = queue.receive(settings.batch_size, clock.now)
        wanted = [message for message in batch if matches(message.payload)]
        dropped = [message for message in batch if not matches(message.payload)]
        queue.delete(message.id for message in dropped)
        result.processed += [message.payload for message in dropped]
        if wanted:
            event = {"Records": [_received(message) for message in wanted]}
            outcome = _outcome(event, invoke, errors, result, limit)
            settled = queue_delivery.settle(settings, [m.id for m in wanted], outcome)
            result.processed += [m.payload for m in wanted if m.id in settled.delete]
            queue.delete(settled.delete)
        elif not batch and queue.messages:
            clock.now = min(m.visible_at for m in queue.messages if m.visible_at > clock.now)
    result.dead = [message.payload for message in queue.dead]
    return result


def _received(message: Message) -> Payload:
    attributes = {
        **message.payload["attributes"],
        "ApproximateReceiveCount": str(message.receives),
    }
    return {**message.payload, "attributes": attributes}


def _outcome(
    event: dict[str, Any],
    invoke: Invoke,
    errors: tuple[type[BaseException], ...],
    result: Delivered,
    limit: int,
) -> Outcome:
    if len(result.sent) == limit:
        raise StillFailingError(f"The function did not get through in {limit} invokes.")
    result.sent.append(list(event["Records"]))
    try:
        return Outcome(invoke(event))
    except errors:
        return FAILED

"""Queues to functions, by the rules of queue_delivery.py instead of MiniStack's.

A mapping with something to do has one worker that receives and gathers, and each batch is
invoked on a thread of its own, as many at a time as the mapping allows. What is gathered or in
an invoke stays hidden (clock.py), so that batches in flight never share a FIFO group.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_cloud import clock, event_loop, mappings
from local_cloud.ground import Hook, find
from local_cloud.queue_delivery import SMALL_BATCH, QueueSettings, batch_now, settle

if TYPE_CHECKING:
    from local_cloud.mappings import Mapping

_LAMBDA = "ministack.services.lambda_svc"
_SQS = "ministack.services.sqs"
_POLL = Hook(_LAMBDA, "_poll_sqs", ())
_CONCURRENCY = Hook(_LAMBDA, "_sqs_esm_concurrency", ("esm", "func_rec", "config", "queue"))
_ATTRIBUTES = Hook(_LAMBDA, "_sqs_message_attributes_to_camel_case", ("attrs",))
_QUEUE = Hook(_SQS, "_queue_by_arn", ("arn",))
_RECEIVE = Hook(_SQS, "_receive_messages_for_esm", ("queue_url", "max_number"))
_DELETE = Hook(_SQS, "_delete_messages_for_esm", ("queue_url", "receipt_handles"))
_WAKE = Hook("ministack.core.concurrency", "esm_wake")
HOOKS = (_POLL, _CONCURRENCY, _ATTRIBUTES, _QUEUE, _RECEIVE, _DELETE, _WAKE)

READ = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
_LOOK_EVERY = 0.01
_REST = 0.05  # a visible message of a FIFO group in flight is no reason to spin
_LONG_REST = 0.5  # before something that was refused is tried again
_THROTTLED_PAUSE = 1.0  # in AWS's time, which does not document its own


@dataclass
class _Consumer:
    """What one mapping is at.

    Attributes:
        gathers: Whether a worker receives for it.
        invokes: Batches that functions have.
        rests_until: When it may have a worker again, by the monotonic clock.
    """

    gathers: bool = False
    invokes: int = 0
    rests_until: float = 0


@dataclass(frozen=True)
class _Gathered:
    """A received message, and what the function gets of it."""

    stored: dict[str, Any]
    payload: dict[str, Any]
    received_at: float

    @property
    def id(self) -> str:
        return str(self.stored["id"])


_consumers: dict[str, _Consumer] = {}


def install() -> None:
    """Put this poller in the place of MiniStack's."""
    _POLL.replace(lambda _: poll)


def poll() -> bool:
    """Give every mapping whose queue has a visible message a worker; say whether one got one."""
    found = mappings.all_of("sqs")
    for gone in _consumers.keys() - {mapping.id for mapping in found}:
        del _consumers[gone]
    dispatched = False
    for mapping in found:
        consumer = _consumers.setdefault(mapping.id, _Consumer())
        if consumer.gathers or not mapping.is_on or time.monotonic() < consumer.rests_until:
            continue
        with mapping.scope():
            if _room(mapping, consumer) and _has_visible(mapping):
                consumer.gathers = dispatched = True
                mappings.in_background(_work, mapping, consumer)
    return dispatched


def _has_visible(mapping: Mapping) -> bool:
    queue, now = find(_QUEUE)(mapping.source), time.time()
    return any(message["visible_at"] <= now for message in list(queue["messages"] if queue else ()))


def _room(mapping: Mapping, consumer: _Consumer) -> bool:
    function = mapping.function()
    if function is None:
        return False
    return bool(consumer.invokes < find(_CONCURRENCY)(mapping.stored, *function, None))


def _work(mapping: Mapping, consumer: _Consumer) -> None:
    rest = _REST
    gathered: list[_Gathered] = []
    try:
        if problem := mapping.refusal(READ, mapping.source):
            mapping.tell(f"PROBLEM: {problem}")
            rest = _LONG_REST
        else:
            _gather(mapping, consumer, gathered)
    finally:
        for message in gathered:
            clock.release(message.stored)
        consumer.rests_until = time.monotonic() + rest
        consumer.gathers = False
        clock.wake_in(rest)


def _gather(mapping: Mapping, consumer: _Consumer, gathered: list[_Gathered]) -> None:
    """Receive until the queue has no more, and hand batches on; the rest stays in `gathered`."""
    since = 0.0
    while mapping.is_on and _room(mapping, consumer):
        settings = _settings(mapping)
        if settings is None:
            return
        wanted = settings.batch_size - len(gathered)
        got = event_loop.run(lambda n=wanted: _receive(mapping, n))  # type: ignore[misc]
        if got and not gathered:
            since = time.time()
        gathered += _filtered(mapping, got)
        if not gathered and not got:
            return
        sizes = [len(json.dumps(message.payload)) for message in gathered]
        if count := batch_now(settings, sizes, since, time.time()):
            batch = gathered[:count]
            del gathered[:count]
            since = time.time()
            consumer.invokes += 1
            mappings.in_background(_invoke, mapping, consumer, settings, batch)
        elif not got:
            time.sleep(_LOOK_EVERY)


def _settings(mapping: Mapping) -> QueueSettings | None:
    queue = find(_QUEUE)(mapping.source)
    if queue is None:
        return None
    visibility = float(queue["attributes"].get("VisibilityTimeout", "30"))
    settings = QueueSettings.of(mapping.stored, fifo=queue["is_fifo"], visibility=visibility)
    return settings.sped_up(clock.scale())


def _receive(mapping: Mapping, at_most: int) -> list[_Gathered]:
    queue = find(_QUEUE)(mapping.source)
    if queue is None or at_most <= 0:
        return []
    received = find(_RECEIVE)(queue["url"], min(at_most, SMALL_BATCH))
    now = time.time()
    for message in received:
        clock.hold(message)
    return [_Gathered(message, payload(message, mapping, now), now) for message in received]


def _filtered(mapping: Mapping, got: list[_Gathered]) -> list[_Gathered]:
    """Return what passes the mapping's filter; Lambda deletes what does not."""
    passing = {id(record) for record in mapping.wanted([message.payload for message in got])}
    dropped = [message for message in got if id(message.payload) not in passing]
    if dropped:
        event_loop.run(lambda: _delete(mapping, dropped))
    return [message for message in got if id(message.payload) in passing]


def _invoke(
    mapping: Mapping, consumer: _Consumer, settings: QueueSettings, batch: list[_Gathered]
) -> None:
    kept = batch
    try:
        ids = [message.id for message in batch]
        event = {"Records": [message.payload for message in batch]}
        settled = settle(settings, ids, mappings.invoke(mapping, event))
        hidden_until = min(message.received_at for message in batch) + settings.visibility
        pause = _THROTTLED_PAUSE / clock.scale()
        while settled.again and mapping.is_on and time.time() + pause < hidden_until:
            time.sleep(pause)
            settled = settle(settings, ids, mappings.invoke(mapping, event))
        gone = [message for message in batch if message.id in settled.delete]
        event_loop.run(lambda: _delete(mapping, gone))
        kept = [message for message in batch if message.id in settled.keep]
    finally:
        for message in kept:
            clock.release(message.stored)
        consumer.invokes -= 1
        consumer.rests_until = 0
        find(_WAKE).set()


def _delete(mapping: Mapping, messages: list[_Gathered]) -> None:
    if queue := find(_QUEUE)(mapping.source):
        find(_DELETE)(queue["url"], {str(message.stored["receipt_handle"]) for message in messages})


def payload(message: dict[str, Any], mapping: Mapping, now: float) -> dict[str, Any]:
    """Return what a function gets of a message.

    Shape: the examples on "Using Lambda with Amazon SQS", 2026-11-21.
    https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    """
    attributes = {
        "ApproximateReceiveCount": str(message["receive_count"]),
        "SentTimestamp": _milliseconds(message["sent_at"]),
        "SenderId": (message.get("sys") or {}).get("SenderId", mapping.account),
        "ApproximateFirstReceiveTimestamp": _milliseconds(message["first_receive_at"] or now),
    }
    of_message = {
        "AWSTraceHeader": (message.get("sys") or {}).get("AWSTraceHeader"),
        "MessageGroupId": message.get("group_id"),
        "MessageDeduplicationId": message.get("dedup_id"),
        "SequenceNumber": message.get("seq"),
    }
    return {
        "messageId": message["id"],
        "receiptHandle": message["receipt_handle"],
        "body": message["body"],
        "attributes": attributes | {k: str(v) for k, v in of_message.items() if v is not None},
        "messageAttributes": find(_ATTRIBUTES)(message.get("message_attributes") or {}),
        "md5OfBody": message["md5_body"],
        "eventSource": "aws:sqs",
        "eventSourceARN": mapping.source,
        "awsRegion": mapping.region,
    }


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))

"""What could not be processed: finding it, showing it, and bringing it back.

Four kinds of message wait in a stack's failure queues:

- a *reject* carries the original record and the cause for which a handler refused it;
- a *pointer* names the stream records of a batch that Lambda gave up, by shard and numbers;
- a *delivery* holds a topic's message that did not get through to a subscribed function;
- a *dead letter* is a queue's own message, unchanged, or an event that a bus could not put into it.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from odyssey_cli import bus_letters, dead_letters, firehose_rejects, topic_deliveries
from odyssey_cli.failure_queues import REJECTS_OUTPUT, FailureQueue, Kind, discover
from odyssey_cli.invocations import NotDeliverable, hand_over
from odyssey_cli.stream_records import Read, read_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from odyssey_cli.target import Target

__all__ = [
    "REJECTS_OUTPUT",
    "Failure",
    "FailureQueue",
    "Kind",
    "Redriven",
    "Result",
    "batch_info",
    "collect",
    "discover",
    "redrive",
    "redrive_all",
    "rejected_again",
    "release",
]

# While messages are worked on nobody else sees them; long enough for a few thousand.
_HOLD_SECONDS = 3_600
# After so long, those that are left are held anew: a function that is begun then may still run for
# its 15 minutes ("Lambda quotas", 2026-11-21).
_WORK_SECONDS = 2_400
# How reading a message fails that is not what its queue is for.
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True)
class Failure:
    """One message in a failure queue, as SQS gave it."""

    queue: FailureQueue
    message: dict[str, Any]

    @property
    def body(self) -> Any:  # noqa: ANN401 - any JSON, or text
        """The body, parsed if it is JSON."""
        try:
            return json.loads(self.message["Body"])
        except (ValueError, RecursionError):
            return self.message["Body"]

    @property
    def cause(self) -> str:
        """Why it is there."""
        if self.queue.kind is Kind.REJECTS:
            return self.attribute("cause") or "unknown"
        if self.queue.kind is Kind.DEAD_LETTERS:
            if self.is_of_bus:
                return bus_letters.cause(self.attribute)
            return f"given up after {self.queue.max_receives} receives"
        try:
            if self.queue.kind is Kind.DELIVERIES:
                return self.delivery.cause
            return str(self.body["requestContext"]["condition"])
        except _UNREADABLE:
            return "unknown: the message cannot be read"

    @property
    def is_of_bus(self) -> bool:
        """Whether it is an event that did not even come into the queue."""
        return bus_letters.is_letter(self.message.get("MessageAttributes", {}))

    @property
    def what(self) -> str:
        """What is affected."""
        if self.queue.kind is Kind.REJECTS:
            return f"event {self.attribute('event_id') or 'without id'}"
        if self.is_of_bus and (event_id := bus_letters.what(self.body)):
            return f"event {event_id}"
        try:
            if self.queue.kind is Kind.DELIVERIES:
                return self.delivery.what
            if self.queue.kind is Kind.POINTERS:
                info = batch_info(self.body)
                return f"{info['batchSize']} records from {info['startSequenceNumber']}"
        except _UNREADABLE:
            pass
        return f"message {self.message['MessageId']}"

    @property
    def delivery(self) -> topic_deliveries.Delivery:
        """The delivery that it is of.

        Raises:
            NotDeliverable: it is of none.
        """
        return topic_deliveries.read(self.body, self.attribute)

    @property
    def since(self) -> str:
        """When it came, UTC."""
        sent = int(self.message["Attributes"]["SentTimestamp"]) / 1000
        return datetime.fromtimestamp(sent, UTC).strftime("%Y-%m-%d %H:%M:%S")

    def attribute(self, name: str) -> str:
        """Return a text attribute of the message, "" without it."""
        found = self.message.get("MessageAttributes", {}).get(name, {})
        return str(found.get("StringValue", ""))


class Result(StrEnum):
    """What became of a message."""

    DONE = "brought back"
    GONE = "gone from the stream"
    FAILED = "failed again"
    REJECTED = "rejected again"


@dataclass(frozen=True)
class Redriven:
    """What became of one failure, and why it is still there if it is."""

    failure: Failure
    result: Result
    detail: str = ""


def batch_info(pointer: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a pointer that names shard and sequence numbers."""
    found: dict[str, Any] = pointer["DDBStreamBatchInfo"]
    return found


def collect(target: Target, queue: FailureQueue) -> list[Failure]:
    """Receive the messages of a queue, and hold them; `release` what is not worked on.

    A FIFO queue gives ten of a group until those are deleted.
    """
    sqs = target.client("sqs")
    held: dict[str, Failure] = {}
    try:
        while True:
            messages = sqs.receive_message(
                QueueUrl=queue.url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=_HOLD_SECONDS,
                WaitTimeSeconds=1,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            if not messages:
                return list(held.values())
            for message in messages:
                held[message["MessageId"]] = Failure(queue, message)
    except BaseException:
        release(target, held.values())
        raise


def redrive_all(target: Target, queue: FailureQueue, *, apart: bool = False) -> Iterator[Redriven]:
    """Bring back what is in a queue now, one by one; what is not come to is released.

    Whoever is killed meanwhile leaves messages hidden, for an hour at most; none is lost.

    Args:
        target: where the queue is.
        queue: one of a stack's.
        apart: hand dead letters to their function instead of putting them into their queue
            (see `redrive`). Each is tried once, in the order in which the queue gives them. Of a
            FIFO group nothing can be received behind ten that stay.
    """
    seen: set[str] = set()
    while True:
        until = time.monotonic() + target.seconds(_WORK_SECONDS)
        held = collect(target, queue)
        release(target, [each for each in held if each.message["MessageId"] in seen])
        waiting = [each for each in held if each.message["MessageId"] not in seen]
        if not waiting:
            return
        is_late = False
        try:
            while waiting and not is_late:
                seen.add(waiting[0].message["MessageId"])
                redriven = redrive(target, waiting[0], apart=apart)
                del waiting[0]
                yield redriven
                is_late = time.monotonic() > until
        finally:
            release(target, waiting)
        # Of a FIFO group the next can be received only now.
        if queue.kind is not Kind.DEAD_LETTERS and not is_late:
            return


def rejected_again(
    target: Target, queue: FailureQueue, redriven: Iterable[Redriven]
) -> list[Redriven]:
    """Return what became of rejects once it is known which are in the queue again."""
    waiting = collect(target, queue)
    release(target, waiting)
    causes = {_identity(each): each.cause for each in waiting}
    return [
        Redriven(each.failure, Result.REJECTED, causes[identity])
        if each.result is Result.DONE and (identity := _identity(each.failure)) in causes
        else each
        for each in redriven
    ]


def release(target: Target, failures: Iterable[Failure]) -> None:
    """Let others see messages again at once."""
    sqs = target.client("sqs")
    for failure in failures:
        sqs.change_message_visibility(
            QueueUrl=failure.queue.url,
            ReceiptHandle=failure.message["ReceiptHandle"],
            VisibilityTimeout=0,
        )


def redrive(target: Target, failure: Failure, *, apart: bool = False) -> Redriven:
    """Bring one failure back; its message is deleted only when that has worked.

    Args:
        target: where it is.
        failure: one that is held.
        apart: do not put a dead letter into its queue, where it is received along with others:
            hand it to the function that reads the queue, and wait for what becomes of it. Until
            then it stays where it is. It goes into its queue all the same if no function of the
            stack reads that.
    """
    if failure.queue.kind is Kind.DEAD_LETTERS and not (apart and failure.queue.mappings):
        _send_back(target, failure)
        redriven = Redriven(failure, Result.DONE, dead_letters.TOGETHER if apart else "")
    else:
        redriven = _process(target, failure)
    if redriven.result is Result.DONE:
        target.client("sqs").delete_message(
            QueueUrl=failure.queue.url, ReceiptHandle=failure.message["ReceiptHandle"]
        )
    else:
        release(target, [failure])
    return redriven


def _process(target: Target, failure: Failure) -> Redriven:
    try:
        if failure.queue.kind is Kind.REJECTS and firehose_rejects.is_record(failure.body):
            firehose_rejects.put_back(
                target,
                failure.body,
                event_id=failure.attribute("event_id"),
                streams=failure.queue.streams,
            )
            return Redriven(failure, Result.DONE, firehose_rejects.PUT_BACK)
        function, read = _work(target, failure)
    except NotDeliverable as error:
        return Redriven(failure, Result.FAILED, str(error))
    except _UNREADABLE as error:
        # One message that cannot be read must not keep the others from coming back.
        return Redriven(failure, Result.FAILED, f"the message cannot be read: {error!r}")
    problem = hand_over(target, function, read.records)
    if problem is not None:
        return Redriven(failure, Result.FAILED, problem)
    if not read.complete:
        of = batch_info(failure.body)["batchSize"]
        return Redriven(
            failure, Result.GONE, f"{len(read.records)} of {of} were left and came back"
        )
    return Redriven(failure, Result.DONE)


def _work(target: Target, failure: Failure) -> tuple[str, Read]:
    """Return the function that a failure is for, and the records that it is to be handed.

    A topic's message goes to the one function that has not processed it. Published again it
    would come to all subscribers, of which the others have had it.
    """
    queue, body = failure.queue, failure.body
    if queue.kind is Kind.DEAD_LETTERS:
        function, record = dead_letters.delivery(failure.message, queue.mappings)
        return function, Read([record], complete=True)
    if queue.kind is Kind.DELIVERIES:
        delivery = failure.delivery
        function = delivery.function or _only(queue.functions)
        return _known(function, queue), Read(delivery.records, complete=True)
    if queue.kind is Kind.REJECTS and topic_deliveries.is_record(body):
        return _known(failure.attribute("source"), queue), Read([body], complete=True)
    is_reject = queue.kind is Kind.REJECTS
    info = {} if is_reject else batch_info(body)
    source = body["eventSourceARN"] if is_reject else info["streamArn"]
    for mapping in queue.mappings:
        if mapping["EventSourceArn"] == source:
            if is_reject:
                return mapping["FunctionArn"], Read([body], complete=True)
            return mapping["FunctionArn"], read_records(target, info, mapping)
    raise NotDeliverable("no mapping of the stack reads its source any more")


def _only(functions: tuple[str, ...]) -> str:
    if len(functions) != 1:
        raise NotDeliverable(f"it does not say which of {len(functions)} functions it is for")
    return functions[0]


def _known(function: str, queue: FailureQueue) -> str:
    """Return `function` if failures of it may be in `queue`: a message may name any."""
    if function not in queue.functions:
        raise NotDeliverable(f"its function {function!r} is none of those that the queue is for")
    return function


def _identity(reject: Failure) -> tuple[str, str]:
    """Return what a reject is known by; a topic's message can be one for each subscriber."""
    of_topic = topic_deliveries.is_record(reject.body)
    return reject.attribute("event_id"), reject.attribute("source") if of_topic else ""


def _send_back(target: Target, failure: Failure) -> None:
    message = failure.message
    request: dict[str, Any] = {"QueueUrl": failure.queue.source, "MessageBody": message["Body"]}
    if attributes := bus_letters.without(message.get("MessageAttributes", {})):
        request["MessageAttributes"] = attributes
    if group := message["Attributes"].get("MessageGroupId"):
        request["MessageGroupId"] = group
        if failure.queue.source.endswith(".fifo"):
            # The old id would make SQS drop it as a duplicate for five minutes.
            request["MessageDeduplicationId"] = str(uuid.uuid4())
    target.client("sqs").send_message(**request)

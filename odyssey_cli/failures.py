"""What could not be processed: finding it, showing it, and bringing it back.

Three kinds of message wait in a stack's failure queues:

- a *reject* carries the original record and the cause for which a handler refused it;
- a *pointer* names the stream records of a batch that Lambda gave up, by shard and numbers;
- a *dead letter* is a queue's own message, unchanged.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from odyssey_cli.stream_records import Read, read_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from botocore.config import Config

    from odyssey_cli.target import Target

# While messages are worked on nobody else sees them; long enough for a few thousand.
_HOLD_SECONDS = 3_600
# Synchronous invocations take 6 MB ("Lambda quotas", 2026-11-21); the records are not all of it.
_MAX_PAYLOAD = 4_000_000
# A function runs for 15 minutes at most ("Lambda quotas", 2026-11-21).
_LONGEST_INVOKE = 910
REJECTS_OUTPUT = "RejectsQueueUrl"


class Kind(StrEnum):
    """What a failure queue holds."""

    REJECTS = "rejects"
    POINTERS = "stream batches"
    DEAD_LETTERS = "dead letters"


@dataclass(frozen=True)
class FailureQueue:
    """One of a stack's failure queues.

    Attributes:
        url: its address.
        kind: what it holds.
        mappings: the event source mappings of the stack whose failures may be in it.
        source: for dead letters, the address of the queue they come from.
        max_receives: for dead letters, how often that queue lets a message be received.
    """

    url: str
    kind: Kind
    mappings: tuple[dict[str, Any], ...] = ()
    source: str = ""
    max_receives: int = 0


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
        except ValueError:
            return self.message["Body"]

    @property
    def cause(self) -> str:
        """Why it is there."""
        if self.queue.kind is Kind.REJECTS:
            return self.attribute("cause") or "unknown"
        if self.queue.kind is Kind.POINTERS:
            return str(self.body["requestContext"]["condition"])
        return f"given up after {self.queue.max_receives} receives"

    @property
    def what(self) -> str:
        """What is affected."""
        if self.queue.kind is Kind.REJECTS:
            return f"event {self.attribute('event_id') or 'without id'}"
        if self.queue.kind is Kind.POINTERS:
            info = batch_info(self.body)
            return f"{info['batchSize']} records from {info['startSequenceNumber']}"
        return f"message {self.message['MessageId']}"

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


def discover(target: Target, stack: str) -> list[FailureQueue]:
    """Return a deployed stack's failure queues, found by how they are wired."""
    outputs = target.outputs(stack)
    formation, sqs = target.client("cloudformation"), target.client("sqs")
    resources: dict[str, list[str]] = {}
    for page in formation.get_paginator("list_stack_resources").paginate(StackName=stack):
        for resource in page["StackResourceSummaries"]:
            ids = resources.setdefault(resource["ResourceType"], [])
            ids.append(resource["PhysicalResourceId"])
    functions = target.client("lambda")
    mappings = [
        functions.get_event_source_mapping(UUID=each)
        for each in resources.get("AWS::Lambda::EventSourceMapping", [])
    ]
    arns: dict[str, str] = {}
    sources: dict[str, tuple[str, int]] = {}
    for url in resources.get("AWS::SQS::Queue", []):
        attributes = sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=["QueueArn", "RedrivePolicy"]
        )["Attributes"]
        arns[url] = attributes["QueueArn"]
        if "RedrivePolicy" in attributes:
            policy = json.loads(attributes["RedrivePolicy"])
            sources[policy["deadLetterTargetArn"]] = url, int(policy["maxReceiveCount"])
    found = []
    for url, arn in arns.items():
        given_up = tuple(each for each in mappings if _destination(each) == arn)
        if _name(url) == _name(outputs.get(REJECTS_OUTPUT, "")):
            found.append(FailureQueue(url, Kind.REJECTS, tuple(mappings)))
        elif given_up:
            found.append(FailureQueue(url, Kind.POINTERS, given_up))
        elif arn in sources:
            source, receives = sources[arn]
            found.append(FailureQueue(url, Kind.DEAD_LETTERS, source=source, max_receives=receives))
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


def redrive_all(target: Target, queue: FailureQueue) -> Iterator[Redriven]:
    """Bring back what is in a queue now, one by one; what is not come to is released."""
    seen: set[str] = set()
    while True:
        waiting = [each for each in collect(target, queue) if each.message["MessageId"] not in seen]
        if not waiting:
            return
        try:
            while waiting:
                seen.add(waiting[0].message["MessageId"])
                redriven = redrive(target, waiting[0])
                del waiting[0]
                yield redriven
        finally:
            release(target, waiting)
        if queue.kind is not Kind.DEAD_LETTERS:
            return


def rejected_again(
    target: Target, queue: FailureQueue, redriven: Iterable[Redriven]
) -> list[Redriven]:
    """Return what became of rejects once it is known which are in the queue again."""
    waiting = collect(target, queue)
    release(target, waiting)
    causes = {each.attribute("event_id"): each.cause for each in waiting}
    return [
        Redriven(each.failure, Result.REJECTED, causes[event_id])
        if each.result is Result.DONE and (event_id := each.failure.attribute("event_id")) in causes
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


def redrive(target: Target, failure: Failure) -> Redriven:
    """Bring one failure back; its message is deleted only when that has worked."""
    if failure.queue.kind is Kind.DEAD_LETTERS:
        _send_back(target, failure)
        redriven = Redriven(failure, Result.DONE)
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
        mapping, read = _records(target, failure)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # One message that cannot be read must not keep the others from coming back.
        return Redriven(failure, Result.FAILED, f"the message cannot be read: {error!r}")
    if mapping is None:
        return Redriven(failure, Result.FAILED, "no mapping of the stack reads its source any more")
    functions = target.client("lambda", config=_patient())
    for batch in _batches(read.records):
        answer = functions.invoke(
            FunctionName=mapping["FunctionArn"], Payload=json.dumps({"Records": batch})
        )
        said = json.loads(answer["Payload"].read() or "null")
        if "FunctionError" in answer:
            return Redriven(failure, Result.FAILED, str(said.get("errorMessage", said)))
        failed = (said or {}).get("batchItemFailures") or []
        if failed:
            return Redriven(failure, Result.FAILED, f"{len(failed)} of {len(batch)} records")
    if not read.complete:
        of = batch_info(failure.body)["batchSize"]
        return Redriven(
            failure, Result.GONE, f"{len(read.records)} of {of} were left and came back"
        )
    return Redriven(failure, Result.DONE)


def _patient() -> Config:
    """Wait longer than any function runs, and never invoke twice for one answer."""
    from botocore.config import Config  # noqa: PLC0415 - see odyssey_cli.target

    return Config(read_timeout=_LONGEST_INVOKE, retries={"total_max_attempts": 1})


def _records(target: Target, failure: Failure) -> tuple[dict[str, Any] | None, Read]:
    is_reject = failure.queue.kind is Kind.REJECTS
    info = {} if is_reject else batch_info(failure.body)
    source = failure.body["eventSourceARN"] if is_reject else info["streamArn"]
    for mapping in failure.queue.mappings:
        if mapping["EventSourceArn"] == source:
            if is_reject:
                return mapping, Read([failure.body], complete=True)
            return mapping, read_records(target, info, mapping)
    return None, Read([], complete=False)


def _batches(records: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for record in records:
        length = len(json.dumps(record))
        if batch and size + length > _MAX_PAYLOAD:
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += length
    if batch:
        yield batch


def _send_back(target: Target, failure: Failure) -> None:
    message = failure.message
    request: dict[str, Any] = {"QueueUrl": failure.queue.source, "MessageBody": message["Body"]}
    if attributes := message.get("MessageAttributes"):
        request["MessageAttributes"] = attributes
    if group := message["Attributes"].get("MessageGroupId"):
        request["MessageGroupId"] = group
        if failure.queue.source.endswith(".fifo"):
            # The old id would make SQS drop it as a duplicate for five minutes.
            request["MessageDeduplicationId"] = str(uuid.uuid4())
    target.client("sqs").send_message(**request)


def _destination(mapping: dict[str, Any]) -> str:
    config = mapping.get("DestinationConfig") or {}
    return str((config.get("OnFailure") or {}).get("Destination", ""))


def _name(url: str) -> str:
    """Return a queue's account and name: hosts differ between two spellings of one address."""
    return "/".join(url.split("/")[-2:])

"""An in-memory SQS client that refuses what SQS refuses; calls are counted with DynamoDB's.

Rules: "SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch" and
"ChangeMessageVisibilityBatch" (API Reference), "Amazon SQS message quotas", and for queues whose
URL ends in `.fifo` "High throughput for FIFO queues" (deduplication within a group), 2026-11-21.
Receiving from them keeps no order here; local_cloud/queue_delivery.py does.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from proofs.fakes.dynamodb import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proofs.fakes.dynamodb import FakeDynamoDB

MAX_ENTRIES = 10
MAX_BYTES = 1_048_576
LONGEST_POLL, LONGEST_HIDING = 20, 43_200
# Seconds after which whoever still waits does so for ever.
PATIENCE = 100_000
# Calls after which whoever still asks does so for ever.
MANY = 50_000
# Seconds for which a FIFO queue knows a deduplication id.
DEDUPLICATION = 300
_NAME = re.compile(r"[!-~]{1,128}")
_ALLOWED = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")


@dataclass
class FakeSQS:
    """Queues by URL.

    Attributes:
        dynamodb: whose hooks and numbers the calls share.
        queues: the messages of each queue, oldest first.
        refuse_next: how many entries each of the next batches refuses, the first ones.
        fault_of_sender: whether it says of these that they can never be taken.
        refuse_deletions: the same for batches of deletions.
        max_receives: receives after which a message goes to `dead`; None for no such queue.
        dead: the dead-letter queue of all.
        now: the time in seconds, which passes while a call waits for messages.
        known: until when a deduplication id is known, by queue, group and id.
    """

    dynamodb: FakeDynamoDB
    queues: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    refuse_next: list[int] = field(default_factory=list)
    fault_of_sender: bool = False
    refuse_deletions: list[int] = field(default_factory=list)
    max_receives: int | None = None
    dead: list[dict[str, Any]] = field(default_factory=list)
    now: float = 0
    known: dict[tuple[str, str, str], float] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def let_pass(self, seconds: float) -> None:
        """Let time pass, as for somebody who sleeps."""
        self.now += seconds

    def send_message_batch(
        self,
        *,
        QueueUrl: str,  # noqa: N803 - boto3's names
        Entries: list[dict[str, Any]],  # noqa: N803
    ) -> dict[str, Any]:
        call = self.dynamodb.begin("SendMessageBatch", {"QueueUrl": QueueUrl, "Entries": Entries})
        ids = _checked_ids(Entries, call.operation)
        if sum(_size(entry) for entry in Entries) > MAX_BYTES:
            raise refusal("AWS.SimpleQueueService.BatchRequestTooLong", call.operation)
        if not all(_ALLOWED.fullmatch(text) for entry in Entries for text in _texts(entry)):
            raise refusal("InvalidMessageContents", call.operation)
        is_fifo = QueueUrl.endswith(".fifo")
        if not all(_has_names(entry, is_fifo=is_fifo) for entry in Entries):
            raise refusal("InvalidParameterValue", call.operation)
        refused = self.refuse_next.pop(0) if self.refuse_next else 0
        self.queues.setdefault(QueueUrl, []).extend(
            {**entry, "MessageId": f"message-{next(self._numbers)}", "receives": 0, "visible": 0}
            for entry in Entries[refused:]
            if not is_fifo or self._is_new(QueueUrl, entry)
        )
        self.dynamodb.after(call)
        code = "InvalidMessageContents" if self.fault_of_sender else "InternalError"
        return _answer(ids, dict.fromkeys(ids[:refused], code), by_sender=self.fault_of_sender)

    def receive_message(
        self,
        *,
        QueueUrl: str,  # noqa: N803
        MaxNumberOfMessages: int = 1,  # noqa: N803
        WaitTimeSeconds: int = 0,  # noqa: N803
        VisibilityTimeout: int = 30,  # noqa: N803
        MessageSystemAttributeNames: list[str] | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        call = self.dynamodb.begin("ReceiveMessage", locals())
        if not (
            1 <= MaxNumberOfMessages <= MAX_ENTRIES
            and WaitTimeSeconds in range(LONGEST_POLL + 1)
            and VisibilityTimeout in range(LONGEST_HIDING + 1)
        ):
            raise refusal("InvalidParameterValue", call.operation)
        found = self._wait(QueueUrl, WaitTimeSeconds)[:MaxNumberOfMessages]
        for message in found:
            message["receives"] += 1
            message["visible"] = self.now + VisibilityTimeout
        self.dynamodb.after(call)
        wanted = MessageSystemAttributeNames or []
        return {"Messages": [_received(message, wanted) for message in found]} if found else {}

    def delete_message_batch(
        self,
        *,
        QueueUrl: str,  # noqa: N803
        Entries: list[dict[str, Any]],  # noqa: N803
    ) -> dict[str, Any]:
        call = self.dynamodb.begin("DeleteMessageBatch", {"QueueUrl": QueueUrl, "Entries": Entries})
        ids = _checked_ids(Entries, call.operation)
        refused = self.refuse_deletions.pop(0) if self.refuse_deletions else 0
        # With the handle of an earlier receive nothing happens, and nothing is said.
        handles = {entry["ReceiptHandle"] for entry in Entries[refused:]}
        queue = self.queues.get(QueueUrl, [])
        queue[:] = [message for message in queue if _handle(message) not in handles]
        self.dynamodb.after(call)
        return _answer(ids, dict.fromkeys(ids[:refused], "InternalError"))

    def change_message_visibility_batch(
        self,
        *,
        QueueUrl: str,  # noqa: N803
        Entries: list[dict[str, Any]],  # noqa: N803
    ) -> dict[str, Any]:
        call = self.dynamodb.begin(
            "ChangeMessageVisibilityBatch", {"QueueUrl": QueueUrl, "Entries": Entries}
        )
        ids = _checked_ids(Entries, call.operation)
        held = {
            _handle(message): message
            for message in self.queues.get(QueueUrl, [])
            if message["visible"] > self.now
        }
        failed = {}
        for entry in Entries:
            if entry["VisibilityTimeout"] not in range(LONGEST_HIDING + 1):
                raise refusal("InvalidParameterValue", call.operation)
            if entry["ReceiptHandle"] in held:
                held[entry["ReceiptHandle"]]["visible"] = self.now + entry["VisibilityTimeout"]
            else:
                failed[entry["Id"]] = "MessageNotInflight"
        self.dynamodb.after(call)
        return _answer(ids, failed)

    def _is_new(self, url: str, entry: dict[str, Any]) -> bool:
        name = (url, entry["MessageGroupId"], entry["MessageDeduplicationId"])
        if self.known.get(name, 0) > self.now:
            return False
        self.known[name] = self.now + DEDUPLICATION
        return True

    def _wait(self, url: str, seconds: int) -> list[dict[str, Any]]:
        """Return what is visible, now or as soon as something is."""
        queue = self.queues.setdefault(url, [])
        until = self.now + seconds
        assert until < PATIENCE, "it waits for messages for ever"
        assert len(self.dynamodb.calls) < MANY, "it asks for messages for ever"
        while True:
            found = [message for message in queue if message["visible"] <= self.now]
            spent = [each for each in found if each["receives"] == self.max_receives]
            self.dead += spent
            queue[:] = [message for message in queue if message not in spent]
            found = [message for message in found if message not in spent]
            soon = [message["visible"] for message in queue if message["visible"] <= until]
            if found or not soon:
                self.now = self.now if found else until
                return found
            self.now = min(soon)


def _received(message: dict[str, Any], wanted: list[str]) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": str(message["receives"])}
    return {
        "MessageId": message["MessageId"],
        "ReceiptHandle": _handle(message),
        "Body": message["MessageBody"],
        "Attributes": {name: text for name, text in attributes.items() if name in wanted},
    }


def _handle(message: dict[str, Any]) -> str:
    return f"{message['MessageId']} receive {message['receives']}"


def _checked_ids(entries: list[dict[str, Any]], operation: str) -> list[str]:
    ids: list[str] = [entry["Id"] for entry in entries]
    if not 1 <= len(ids) <= MAX_ENTRIES or len(set(ids)) < len(ids):
        raise refusal("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", operation)
    return ids


def _answer(ids: list[str], failed: dict[str, str], *, by_sender: bool = False) -> dict[str, Any]:
    answer: dict[str, Any] = {"Successful": [{"Id": each} for each in ids if each not in failed]}
    if failed:
        answer["Failed"] = [
            {"Id": each, "SenderFault": by_sender, "Code": code} for each, code in failed.items()
        ]
    return answer


def _has_names(entry: dict[str, Any], *, is_fifo: bool) -> bool:
    """Say whether group and deduplication are as they have to be."""
    if not is_fifo:
        return "MessageDeduplicationId" not in entry
    names = [entry.get("MessageGroupId", ""), entry.get("MessageDeduplicationId", "")]
    return all(map(_NAME.fullmatch, names))


def _texts(entry: dict[str, Any]) -> list[str]:
    attributes = entry.get("MessageAttributes", {})
    return [entry["MessageBody"], *[value["StringValue"] for value in attributes.values()]]


def _size(entry: dict[str, Any]) -> int:
    names = "".join(
        name + value["DataType"] for name, value in entry.get("MessageAttributes", {}).items()
    )
    return sum(len(text.encode()) for text in [*_texts(entry), names])

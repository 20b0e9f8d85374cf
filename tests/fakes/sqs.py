"""An in-memory SQS client that refuses what SQS refuses; calls are counted with DynamoDB's.

Rules: "SendMessageBatch" (API Reference) and "Amazon SQS message quotas", 2026-11-21.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.fakes.dynamodb import refusal

if TYPE_CHECKING:
    from tests.fakes.dynamodb import FakeDynamoDB

MAX_ENTRIES = 10
MAX_BYTES = 1_048_576
_ALLOWED = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")


@dataclass
class FakeSQS:
    """Queues by URL.

    Attributes:
        dynamodb: whose hooks and numbers the calls share.
        queues: the messages of each queue, oldest first.
        refuse_next: how many entries each of the next batches refuses, the first ones.
    """

    dynamodb: FakeDynamoDB
    queues: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    refuse_next: list[int] = field(default_factory=list)

    def send_message_batch(
        self,
        *,
        QueueUrl: str,  # noqa: N803 - boto3's names
        Entries: list[dict[str, Any]],  # noqa: N803
    ) -> dict[str, Any]:
        call = self.dynamodb.begin("SendMessageBatch", {"QueueUrl": QueueUrl, "Entries": Entries})
        ids = [entry["Id"] for entry in Entries]
        if not 1 <= len(ids) <= MAX_ENTRIES or len(set(ids)) < len(ids):
            raise refusal("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", call.operation)
        if sum(_size(entry) for entry in Entries) > MAX_BYTES:
            raise refusal("AWS.SimpleQueueService.BatchRequestTooLong", call.operation)
        if not all(_ALLOWED.fullmatch(text) for entry in Entries for text in _texts(entry)):
            raise refusal("InvalidMessageContents", call.operation)
        refused = self.refuse_next.pop(0) if self.refuse_next else 0
        self.queues.setdefault(QueueUrl, []).extend(Entries[refused:])
        self.dynamodb.after(call)
        answer: dict[str, Any] = {"Successful": [{"Id": each} for each in ids[refused:]]}
        if refused:
            answer["Failed"] = [
                {"Id": each, "SenderFault": False, "Code": "InternalError"}
                for each in ids[:refused]
            ]
        return answer


def _texts(entry: dict[str, Any]) -> list[str]:
    attributes = entry.get("MessageAttributes", {})
    return [entry["MessageBody"], *[value["StringValue"] for value in attributes.values()]]


def _size(entry: dict[str, Any]) -> int:
    names = "".join(
        name + value["DataType"] for name, value in entry.get("MessageAttributes", {}).items()
    )
    return sum(len(text.encode()) for text in [*_texts(entry), names])

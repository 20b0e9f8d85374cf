"""An in-memory SNS client that refuses what SNS refuses; calls are counted with DynamoDB's.

Rules: "Publish" (API Reference) and "Amazon SNS message attributes", 2026-11-21.
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

MAX_BYTES = 262_144
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


@dataclass
class FakeSNS:
    """Topics by ARN.

    Attributes:
        dynamodb: whose hooks and numbers the calls share.
        topics: the messages of each topic, oldest first.
    """

    dynamodb: FakeDynamoDB
    topics: dict[str, list[dict[str, Any]]]
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @classmethod
    def with_topics(cls, dynamodb: FakeDynamoDB, *arns: str) -> FakeSNS:
        return cls(dynamodb, {arn: [] for arn in arns})

    def publish(
        self,
        *,
        TopicArn: str,  # noqa: N803 - boto3's names
        Message: str,  # noqa: N803
        MessageAttributes: dict[str, dict[str, str]] | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        call = self.dynamodb.begin("Publish", locals())
        attributes = MessageAttributes or {}
        if TopicArn not in self.topics:
            raise refusal("NotFound", call.operation, status=404)
        fits = len(Message) > 0 and _size(Message, attributes) <= MAX_BYTES
        if not fits or not all(map(_is_attribute, attributes.values())):
            raise refusal("InvalidParameter", call.operation)
        message_id = f"message-{next(self._numbers)}"
        self.topics[TopicArn].append(
            {"MessageId": message_id, "Message": Message, "MessageAttributes": attributes}
        )
        self.dynamodb.after(call)
        return {"MessageId": message_id}


def _size(message: str, attributes: dict[str, dict[str, str]]) -> int:
    texts = [
        message,
        *attributes,
        *[text for each in attributes.values() for text in each.values()],
    ]
    return sum(len(text.encode()) for text in texts)


def _is_attribute(attribute: dict[str, str]) -> bool:
    text = attribute.get("StringValue", "")
    match attribute.get("DataType"):
        case "String":
            return bool(text)
        case "Number":
            return _NUMBER.fullmatch(text) is not None
    return False

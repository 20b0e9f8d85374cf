"""What invokes the functions of the intake and its consumer, as far as they read it."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bench.load import REGION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.capacity import Item

ACCOUNT = "123456789012"
STREAM = f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/stream"


def records(data: list[bytes]) -> dict[str, Any]:
    """Return what Firehose invokes with ("Data transformation", Amazon Data Firehose)."""
    arrived = int(datetime.now(UTC).timestamp() * 1000)
    return {
        "invocationId": "invocation",
        "deliveryStreamArn": STREAM,
        "region": REGION,
        "records": [
            {
                "recordId": f"{number:056}",
                "approximateArrivalTimestamp": arrived,
                "data": base64.b64encode(each).decode(),
            }
            for number, each in enumerate(data)
        ],
    }


def queued(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a batch of the FIFO queue, of what was sent."""
    return _messages((each["MessageBody"], each["MessageGroupId"]) for each in entries)


def inserted(items: list[Item]) -> dict[str, Any]:
    """Return a batch of the table's stream ("Using AWS Lambda with Amazon DynamoDB")."""
    return {
        "Records": [
            {
                "eventName": "INSERT",
                "eventSource": "aws:dynamodb",
                "dynamodb": {
                    "Keys": {name: item[name] for name in ("entity", "at")},
                    "NewImage": item,
                    "SequenceNumber": f"{number:021}",
                    "StreamViewType": "NEW_IMAGE",
                },
            }
            for number, item in enumerate(items, 1)
        ]
    }


def delivered(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a batch of what a rule delivers to a queue ("Events", Amazon EventBridge)."""
    bodies = (
        {
            "version": "0",
            "id": f"00000000-0000-0000-0000-{number:012}",
            "detail-type": each["DetailType"],
            "source": each["Source"],
            "account": ACCOUNT,
            "time": "2026-11-21T12:00:00Z",
            "region": REGION,
            "resources": each["Resources"],
            "detail": json.loads(each["Detail"]),
        }
        for number, each in enumerate(entries)
    )
    return _messages((json.dumps(each, ensure_ascii=False), "") for each in bodies)


def _messages(bodies: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return a batch of a queue's messages ("Using AWS Lambda with Amazon SQS")."""
    return {
        "Records": [
            {
                "messageId": f"m{number}",
                "receiptHandle": "handle",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1"}
                | ({"MessageGroupId": group} if group else {}),
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "awsRegion": REGION,
            }
            for number, (body, group) in enumerate(bodies)
        ]
    }

"""Discovery's items, files and announcements, for tests of its function, script and service.

The shape of a queue's messages: "Using Lambda with Amazon SQS", 2026-11-21.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from discovery.announcements import UPDATED, UPLOADED, Announcement
from odyssey_cli.flows.discovery.documents import Document, Submission

if TYPE_CHECKING:
    from collections.abc import Iterable

TEXT = "Åsa café 😀 R&D C# 1+1 50% a;b %41"
MORNING = datetime(2026, 11, 21, 9, tzinfo=UTC)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MORNING_TEXT, NOON_TEXT = "2026-11-21T09:00:00.000000Z", "2026-11-21T12:00:00.000000Z"


def item_id(number: int) -> str:
    return str(uuid.UUID(int=number))


def submission(number: int, name: str = "laptop.json", **changes: Any) -> Submission:
    """Return a submission as it was written this morning, without a file."""
    fields: dict[str, Any] = {
        "id": item_id(number),
        "manufacturer": "Framework",
        "model": TEXT,
        "year": 2021,
        "created_at": MORNING_TEXT,
    }
    document = Document(**fields | changes)
    return Submission(Path(name), document, document.content(), is_new=True)


def item(number: int, *, version: int = 1, **changes: Any) -> dict[str, Any]:
    """Return an item as the script stores it, or, from version 2, as the updater leaves it."""
    made = submission(number).item()
    if version > 1:
        made |= {"status": {"S": "updated"}, "updated_at": {"S": NOON_TEXT}}
    return made | {"version": {"N": str(version)}} | changes


def uploaded(number: int, version: int = 1) -> str:
    """Return the body of an announcement to the updater."""
    return _body(UPLOADED, number, version, MORNING)


def updated(number: int, version: int = 2) -> str:
    """Return the body of an announcement to the service."""
    return _body(UPDATED, number, version, NOON)


def _body(type: str, number: int, version: int, time: datetime) -> str:
    return Announcement(type, item_id(number), version, time, item_id(number)).message().body


def record(message_id: str, body: str) -> dict[str, Any]:
    """Return a message as a function gets it."""
    return {
        "messageId": message_id,
        "receiptHandle": f"handle of {message_id}",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1795000000000",
            "SenderId": "AROAEXAMPLEROLE:script",
            "ApproximateFirstReceiveTimestamp": "1795000000001",
        },
        "messageAttributes": {},
        "md5OfBody": "098f6bcd4621d373cade4e832627b4f6",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:Uploaded",
        "awsRegion": "us-east-1",
    }


def records(bodies: Iterable[str]) -> list[dict[str, Any]]:
    """Return messages `m1`, `m2` and so on."""
    return [record(f"m{number}", body) for number, body in enumerate(bodies, 1)]

"""The consumer's functions, as Lambda runs them, on clouds in memory; and what they are handed.

Shapes: "Events" (Amazon EventBridge User Guide) and "Using Lambda with Amazon SQS", 2026-11-21.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from boto3.dynamodb.types import TypeDeserializer

from consumer import reader, responder, settings, trigger
from proofs.fakes.dynamodb import FakeDynamoDB
from proofs.fakes.sqs import FakeSQS
from shared import clients, times
from tests.builders import CALLER, FakeContext, api_request
from tests.ingest import NOON, REJECTS, at, numbers, rejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

QUEUE = "https://sqs/consumer"
VARIABLES = {
    "MARKERS_TABLE": "markers",
    "TOTALS_TABLE": "totals",
    "ENTITIES_TABLE": "entities",
    "REQUESTS_TABLE": "requests",
    "EVENTS_QUEUE": QUEUE,
    "REJECTS_QUEUE": REJECTS,
}
TABLES = ("markers", "totals", "entities", "requests")
_READS = (settings.responder, settings.reader, settings.trigger)
Record = dict[str, Any]
# Status and body.
Answer = tuple[int, Any]


def delivered(detail: Record, /, **changes: Any) -> str:
    """Return an event as the bus delivers it to a queue."""
    made = {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": detail.get("type"),
        "source": detail.get("source"),
        "account": "123456789012",
        "time": "2026-11-21T12:00:00Z",
        "region": "us-east-1",
        "resources": [f"{detail.get('type')}/{detail.get('subject')}"],
        "detail": detail,
    }
    return json.dumps(made | changes, ensure_ascii=False, separators=(",", ":"))


def received(body: str, id: str = "m1") -> Record:
    """Return a message of the queue as a function gets it."""
    return {
        "messageId": id,
        "receiptHandle": f"handle of {id}",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1795000000000"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:Buffer",
        "awsRegion": "us-east-1",
    }


def batch(details: Iterable[Record | str]) -> list[Record]:
    """Return messages `m1`, `m2` and so on; a text is a body as it is."""
    return [
        received(each if isinstance(each, str) else delivered(each), f"m{number}")
        for number, each in enumerate(details, 1)
    ]


def wanted(**changes: Any) -> Record:
    """Return the body of a request to trigger an event."""
    return {"type": "order", "subject": "o-1", "time": at(-60), "data": {"n": 1}} | changes


def post_events(
    body: object,
    *,
    key: str | None = None,
    caller: str | None = CALLER,
    request_id: str | None = None,
    content_type: str | None = "application/json",
) -> Record:
    """Return `POST /events`; a body that is no bytes or text is sent as JSON."""
    headers = {"Content-Type": content_type, "Idempotency-Key": key}
    raw = body if isinstance(body, bytes | str | None) else json.dumps(body).encode()
    kept = {name: value for name, value in headers.items() if value is not None}
    return api_request(
        "POST", "/events", body=raw, headers=kept, caller=caller, request_id=request_id
    )


class Consumer:
    """Responder, reader and trigger, and all that they call."""

    def __init__(self, dynamodb: FakeDynamoDB | None = None, sqs: FakeSQS | None = None) -> None:
        self.start_over(dynamodb, sqs)

    def start_over(self, dynamodb: FakeDynamoDB | None = None, sqs: FakeSQS | None = None) -> None:
        """Begin with everything empty, and nothing that fails; on clouds that others use."""
        self.dynamodb = dynamodb or FakeDynamoDB({})
        self.dynamodb.tables |= {name: {} for name in TABLES}
        self.sqs = sqs or FakeSQS(self.dynamodb)

    def respond(self, records: Sequence[Record]) -> list[int]:
        """Return the places, from 1, of the messages that come again."""
        event = {"Records": list(records)}
        return numbers(responder.handler(event, FakeContext(function_name="responder")), records)

    def get(self, path: str) -> Answer:
        return _checked(reader.handler(api_request("GET", path), FakeContext()), ok=200)

    def post(self, request: Record) -> Answer:
        return _checked(trigger.handler(request, FakeContext()), ok=202)

    @property
    def totals(self) -> dict[str, int]:
        table = self.dynamodb.tables["totals"]
        return {key: int(item["event_count"]["N"]) for key, item in table.items()}

    @property
    def states(self) -> dict[str, tuple[str, Any]]:
        """The event's id and the data of each entity's latest state, by entity."""
        read = TypeDeserializer().deserialize
        return {
            key: (item["event_id"]["S"], read(item["state"]))
            for key, item in self.dynamodb.tables["entities"].items()
        }

    @property
    def markers(self) -> set[str]:
        return set(self.dynamodb.tables["markers"])

    @property
    def queued(self) -> list[Record]:
        """The messages of the queue, as a function gets them."""
        return [
            received(each["MessageBody"], each["MessageId"])
            for each in self.sqs.queues.get(QUEUE, [])
        ]

    @property
    def rejected(self) -> list[tuple[Record, dict[str, str]]]:
        return rejected(self.sqs)

    @property
    def operations(self) -> list[str]:
        return [call.operation for call in self.dynamodb.calls]


def _checked(response: Record, *, ok: int) -> Answer:
    """Return status and body; what is not `ok` must be a problem."""
    status, body = response["statusCode"], json.loads(response["body"])
    kind = "application/json" if status == ok else "application/problem+json"
    assert response["multiValueHeaders"]["Content-Type"] == [kind]
    if status != ok:
        assert body["status"] == status
        assert body["detail"].endswith(".")
    return status, body


@pytest.fixture
def consumer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Consumer]:
    """A fresh consumer at noon."""
    made = Consumer()
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(times, "now", lambda: NOON)
    # No jitter, no wait.
    monkeypatch.setattr(random, "uniform", lambda _low, _high: 0)
    monkeypatch.setattr(clients, "dynamodb", lambda: made.dynamodb)
    monkeypatch.setattr(clients, "sqs", lambda: made.sqs)
    for read in _READS:
        read.cache_clear()
        # The variables of another stack may have the same names.
        read()
    yield made
    for read in _READS:
        read.cache_clear()

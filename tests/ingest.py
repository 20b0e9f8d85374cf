"""Intake's functions, as Lambda runs them, on clouds in memory; and what they are handed.

Shapes: "Required parameters for data transformation" (Amazon Data Firehose), "Using Lambda with
Amazon SQS" and "Using AWS Lambda with Amazon DynamoDB", 2026-11-21.
"""

from __future__ import annotations

import base64
import json
import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ingest import emitter, settings, storer, transformer
from ingest.transforming import message
from proofs.fakes.dynamodb import FakeDynamoDB
from proofs.fakes.events import FakeEvents
from proofs.fakes.faults import Crash
from proofs.fakes.sqs import FakeSQS
from shared import clients, entity_events, times
from tests.builders import FakeContext

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from shared.entity_events import EntityEvent

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TEXT = "Åsa café 😀 R&D C# 1+1 50% a;b %41"
STREAM = "arn:aws:firehose:us-east-1:123456789012:deliverystream/Intake"
QUEUE, REJECTS, BUS = "https://sqs/events.fifo", "https://sqs/rejects", "arn:bus"
VARIABLES = {
    "EVENTS_QUEUE": QUEUE,
    "PARTITIONED": "false",
    "REJECTS_QUEUE": REJECTS,
    "EVENTS_TABLE": "events",
    "EVENT_TTL_DAYS": "0",
    "BUS": BUS,
}
KINDS = ("order", "device", "inventory", "security")
_READS = (settings.transformer, settings.storer, settings.emitter)
Record = dict[str, Any]


def at(second: float = 0) -> str:
    """Return the time so many seconds before noon, or after it."""
    return times.rfc3339(NOON + timedelta(seconds=second))


def fields(number: int = 1, /, **changes: Any) -> Record:
    """Return what a producer puts; a change to None takes a field away."""
    made = {
        "id": f"e{number}",
        "type": KINDS[number % 4],
        "subject": f"s{number % 10}",
        "time": at(-number),
        "data": {"number": number, "text": TEXT},
    }
    return {name: value for name, value in (made | changes).items() if value is not None}


def as_bytes(value: object) -> bytes:
    """Return a record's bytes, of JSON if it is none yet."""
    if isinstance(value, bytes):
        return value
    return json.dumps(value, ensure_ascii=False).encode()


def put(value: object, id: str = "r1", *, arrived: datetime = NOON) -> Record:
    """Return a record as Firehose hands it over."""
    return {
        "recordId": id,
        "approximateArrivalTimestamp": int(arrived.timestamp() * 1000),
        "data": base64.b64encode(as_bytes(value)).decode(),
    }


def buffer(values: Iterable[object]) -> list[Record]:
    """Return records `r1`, `r2` and so on."""
    return [put(value, f"r{number}") for number, value in enumerate(values, 1)]


def delivery(records: Sequence[Record], *, stream: str = STREAM) -> Record:
    """Return what Firehose invokes the function with."""
    return {
        "invocationId": "invocation-1",
        "deliveryStreamArn": stream,
        "region": "us-east-1",
        "records": list(records),
    }


def envelope(number: int = 1, /, **changes: Any) -> Record:
    """Return an event as the transformer makes it."""
    made = {
        "specversion": "1.0",
        "id": f"e{number}",
        "source": "/aws-odyssey/ingest",
        "type": KINDS[number % 4],
        "subject": f"s{number % 10}",
        "time": at(-number),
        "datacontenttype": "application/json",
        "correlationid": f"e{number}",
        "data": {"number": number, "text": TEXT},
    }
    return made | changes


def event(number: int = 1, /, **changes: Any) -> EntityEvent:
    return entity_events.from_dict(envelope(number, **changes))


def sent(value: object, id: str = "m1", *, group: str | None = None) -> Record:
    """Return a message of the FIFO queue as a function gets it; its group is the entity's."""
    body = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return {
        "messageId": id,
        "receiptHandle": f"handle of {id}",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1795000000000",
            "SequenceNumber": "18849496460467696128",
            "MessageGroupId": group or message(entity_events.read(body)).group,
            "MessageDeduplicationId": id,
        },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:Events.fifo",
        "awsRegion": "us-east-1",
    }


def messages(values: Iterable[object]) -> list[Record]:
    """Return messages `m1`, `m2` and so on."""
    return [sent(value, f"m{number}") for number, value in enumerate(values, 1)]


def inserted(item: Record, number: int) -> Record:
    """Return an insertion of the stream; numbers go up, but not as texts."""
    return {
        "eventID": f"{number:032x}",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_795_000_000,
            "Keys": {name: item[name] for name in ("entity", "at")},
            "NewImage": item,
            "SequenceNumber": str(98 + number),
            "SizeBytes": 200,
            "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/Events/stream/1",
    }


def numbers(answer: Mapping[str, Any], records: Sequence[Record]) -> list[int]:
    """Return the places, from 1, of the records that are to come again, in the answer's order."""
    assert set(answer) == {"batchItemFailures"}
    failed = [each["itemIdentifier"] for each in answer["batchItemFailures"]]
    assert len(failed) == len(set(failed))
    ids = [each.get("messageId") or each["dynamodb"]["SequenceNumber"] for each in records]
    # Lambda takes an identifier that it did not give as the failure of all.
    return [ids.index(each) + 1 for each in failed]


class Ingest:
    """Transformer, storer and emitter, and all that they call."""

    def __init__(self) -> None:
        self.start_over()

    def start_over(self) -> None:
        """Begin with everything empty, and nothing that fails."""
        self.dynamodb = FakeDynamoDB.with_tables("events")
        self.dynamodb.keys["events"] = ("entity", "at")
        self.sqs = FakeSQS(self.dynamodb)
        self.events = FakeEvents(self.dynamodb)

    def transform(self, records: Sequence[Record]) -> list[Record]:
        """Return the answers to the records; every record must have one."""
        answer = transformer.handler(delivery(records), FakeContext(function_name="transformer"))
        assert set(answer) == {"records"}
        answers: list[Record] = answer["records"]
        assert [each["recordId"] for each in answers] == [each["recordId"] for each in records]
        return answers

    def store(self, records: Sequence[Record]) -> list[int]:
        """Return the places, from 1, of the messages that come again."""
        batch = {"Records": list(records)}
        return numbers(storer.handler(batch, FakeContext(function_name="storer")), records)

    def emit(self, records: Sequence[Record]) -> list[int]:
        """Return the places, from 1, of the records that come again."""
        batch = {"Records": list(records)}
        return numbers(emitter.handler(batch, FakeContext(function_name="emitter")), records)

    @property
    def items(self) -> list[Record]:
        return list(self.dynamodb.tables["events"].values())

    @property
    def insertions(self) -> list[Record]:
        """The stream of the table."""
        return [inserted(item, number) for number, item in enumerate(self.items, 1)]

    @property
    def queued(self) -> list[Record]:
        """The messages of the FIFO queue, as a function gets them."""
        return [
            sent(each["MessageBody"], each["MessageId"], group=each["MessageGroupId"])
            for each in self.sqs.queues.get(QUEUE, [])
        ]

    @property
    def emitted(self) -> list[Record]:
        """What the bus took."""
        return self.events.buses.get(BUS, [])

    @property
    def rejected(self) -> list[tuple[Record, dict[str, str]]]:
        """What is in the rejects queue: record and attributes."""
        return rejected(self.sqs)

    @property
    def operations(self) -> list[str]:
        return [call.operation for call in self.dynamodb.calls]


def rejected(sqs: FakeSQS) -> list[tuple[Record, dict[str, str]]]:
    """Return what is in the rejects queue: record and attributes."""
    return [
        (
            json.loads(each["MessageBody"]),
            {name: value["StringValue"] for name, value in each["MessageAttributes"].items()},
        )
        for each in sqs.queues.get(REJECTS, [])
    ]


def lines(answers: Iterable[Record]) -> list[str]:
    """Return the lines for the lake, of the records that are fine."""
    found = [
        base64.b64decode(each["data"], validate=True).decode()
        for each in answers
        if each["result"] == "Ok"
    ]
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in found)
    return [line.removesuffix("\n") for line in found]


def results(answers: Iterable[Record]) -> list[str]:
    return [each["result"] for each in answers]


def survives(act: Any, *arguments: Any) -> Any:
    """Return what `act` returns, or None if it dies or fails, which is one to Lambda."""
    try:
        return act(*arguments)
    except (Crash, Exception):  # noqa: BLE001 - Lambda takes any
        return None


@pytest.fixture
def ingest(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ingest]:
    """A fresh intake at noon."""
    made = Ingest()
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(times, "now", lambda: NOON)
    # No jitter, no wait.
    monkeypatch.setattr(random, "uniform", lambda _low, _high: 0)
    monkeypatch.setattr(clients, "dynamodb", lambda: made.dynamodb)
    monkeypatch.setattr(clients, "sqs", lambda: made.sqs)
    monkeypatch.setattr(clients, "events", lambda: made.events)
    for read in _READS:
        read.cache_clear()
        # The variables of another stack may have the same names.
        read()
    yield made
    for read in _READS:
        read.cache_clear()

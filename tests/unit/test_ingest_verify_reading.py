"""Lake, error prefix, store and consumer are read as they are, whatever is in them."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.ingest import CONSUMER, STACK, holdings
from odyssey_cli.flows.ingest.verify import compare
from odyssey_cli.target import Target
from tests.ingest import event, fields

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT = "123456789012"
BUCKET = "lake"
KEYS = {"store": ("entity", "at"), "markers": ("id",), "totals": ("id",), "entities": ("id",)}


class FakeFormation:
    """Knows when the consumer was made."""

    def __init__(self) -> None:
        self.created = datetime.now(UTC)

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        return {"Stacks": [{"StackName": StackName, "CreationTime": self.created}]}


class Cloud:
    """The stacks, in moto."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.s3, self.dynamodb, self.sqs = (
            boto3.client(name, region_name="us-east-1") for name in ("s3", "dynamodb", "sqs")
        )
        self.formation = FakeFormation()
        clients = {
            "s3": self.s3,
            "dynamodb": self.dynamodb,
            "sqs": self.sqs,
            "cloudformation": self.formation,
        }
        self.s3.create_bucket(Bucket=BUCKET)
        for table, names in KEYS.items():
            kinds: Any = zip(names, ("HASH", "RANGE"), strict=False)
            self.dynamodb.create_table(
                TableName=table,
                KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in kinds],
                AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in names],
                BillingMode="PAY_PER_REQUEST",
            )
        self.queue = self.sqs.create_queue(QueueName="queue")["QueueUrl"]
        self.stacks: dict[str, dict[str, str]] = {
            STACK: {
                "LakeBucket": BUCKET,
                "EventsPrefix": "events/",
                "ErrorsPrefix": "errors/",
                "EventsTable": "store",
                "EventsQueueUrl": self.queue,
            },
            CONSUMER: {
                "MarkersTable": "markers",
                "TotalsTable": "totals",
                "EntitiesTable": "entities",
                "EventsQueueUrl": self.queue,
            },
        }
        monkeypatch.setattr(Target, "client", lambda _, service, **__: clients[service])
        monkeypatch.setattr(Target, "outputs", lambda _, stack: self.outputs(stack))
        self.target = Target({}, Path(), None, account=ACCOUNT)

    def outputs(self, stack: str) -> dict[str, str]:
        if stack not in self.stacks:
            raise OdysseyError(f"The stack {stack} is not deployed.", "Deploy it.")
        return self.stacks[stack]

    def write(self, key: str, content: bytes, **options: Any) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content, **options)

    def put(self, table: str, **values: Any) -> None:
        item = {name: _value(value) for name, value in values.items()}
        self.dynamodb.put_item(TableName=table, Item=item)


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {"M": {name: _value(each) for name, each in value.items()}}
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with mock_aws():
        yield Cloud(monkeypatch)


def lines(*numbers: int) -> bytes:
    return "".join(f"{event(number).text}\n" for number in numbers).encode()


def test_an_event_that_is_everywhere_is_found_everywhere(cloud: Cloud) -> None:
    # GIVEN
    one = event(1)
    cloud.write("events/2026/11/21/12/one.gz", gzip.compress(lines(1)))
    cloud.put("store", entity=one.entity, at=one.at, event=one.envelope.as_dict())
    cloud.put("markers", id=one.id, type=one.envelope.type, expires_at=1)
    cloud.put("totals", id=one.envelope.type, event_count=1)
    cloud.put("entities", id=one.entity, place=one.at, source=one.envelope.source)
    # WHEN
    held = holdings.read(cloud.target)
    # THEN
    findings = compare(held)
    assert findings.is_settled
    assert set(held.lake.lines) == set(held.store.events) == {one.id}
    assert findings.totals == {one.envelope.type: 1}
    assert findings.counts["bytes in the lake"] > 0


def test_objects_are_read_compressed_or_not_and_each_line_is_an_event(cloud: Cloud) -> None:
    cloud.write("events/a.gz", gzip.compress(lines(1, 2)))
    cloud.write("events/b", lines(3) + b"\n" + lines(3))
    cloud.write("elsewhere/c", lines(4))
    lake = holdings.read(cloud.target).lake
    assert lake.lines == {event(1).id: 1, event(2).id: 1, event(3).id: 2}
    assert lake.objects == 2


def test_an_object_that_is_torn_is_named_and_its_other_lines_count(cloud: Cloud) -> None:
    cloud.write("events/torn.gz", gzip.compress(lines(1))[:-9])
    cloud.write("events/bad", lines(2) + b"no event\n")
    lake = holdings.read(cloud.target).lake
    bad, torn = lake.unreadable
    assert bad == "events/bad:2"
    assert torn.startswith("events/torn.gz: ")
    assert event(2).id in lake.lines


def test_raw_records_are_read_from_the_error_prefix(cloud: Cloud) -> None:
    # GIVEN
    raws = [json.dumps(fields(1)).encode(), b"\xff", json.dumps(fields(2, id=None)).encode()]
    documents = [
        json.dumps({"rawData": base64.b64encode(raw).decode(), "errorCode": "E"}) for raw in raws
    ]
    cloud.write("errors/processing-failed/one", "\n".join(documents).encode())
    # WHEN
    errors = holdings.read(cloud.target).errors
    # THEN
    assert (errors.records, errors.codes) == (3, {"E": 3})
    assert errors.events == {event(1).id}
    assert len(errors.unnamed) == 1


def test_archived_objects_are_not_read_and_the_lake_says_until_when(cloud: Cloud) -> None:
    cloud.write("events/old.gz", b"", StorageClass="GLACIER")
    cloud.write("errors/old.gz", b"", StorageClass="DEEP_ARCHIVE")
    held = holdings.read(cloud.target)
    assert (held.lake.archived, held.errors.archived) == (1, 1)
    assert held.lake.since > "2020"


def test_a_bucket_that_deletes_in_time_says_since_when_all_is_there(cloud: Cloud) -> None:
    rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 30}}
    cloud.s3.put_bucket_lifecycle_configuration(
        Bucket=BUCKET, LifecycleConfiguration={"Rules": [rule]}
    )
    since = holdings.read(cloud.target).lake.since
    age = datetime.now(UTC) - datetime.fromisoformat(since)
    assert age.days == 30


def test_a_store_that_forgets_says_so(cloud: Cloud) -> None:
    cloud.stacks[STACK]["EventTtlDays"] = "7"
    assert holdings.read(cloud.target).store.ttl_days == 7


def test_without_a_consumer_there_is_none(cloud: Cloud) -> None:
    del cloud.stacks[CONSUMER]
    assert holdings.read(cloud.target).consumer is None


def test_a_consumer_older_than_its_markers_get_may_have_forgotten(cloud: Cloud) -> None:
    cloud.formation.created -= timedelta(days=46)
    found = holdings.read(cloud.target).consumer
    assert found is not None
    assert found.forgets


def test_messages_in_the_queues_are_on_their_way(cloud: Cloud) -> None:
    cloud.sqs.send_message(QueueUrl=cloud.queue, MessageBody="one")
    findings = compare(holdings.read(cloud.target))
    # One queue stands for both here.
    assert findings.queued == 2
    assert findings.is_clean
    assert not findings.is_settled


def test_all_pages_of_a_table_are_read(cloud: Cloud) -> None:
    padding = {"x": "y" * 190_000}
    for number in range(8):
        one = event(number, data=padding)
        cloud.put("store", entity=one.entity, at=one.at, event=one.envelope.as_dict())
    assert holdings.read(cloud.target).store.items == 8

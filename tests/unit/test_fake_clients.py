"""The fakes tell the truth: updates and objects behave there as on moto."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from proofs.fakes.dynamodb import FakeDynamoDB
from proofs.fakes.expressions import UnknownExpressionError
from proofs.fakes.s3 import FakeS3
from proofs.fakes.sqs import FakeSQS
from tests.unit.aws import Aws, make_table

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

# A real client or the fake.
Client = Any
CONTENT = "Åsa café 😀".encode()
CHECKSUM = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
URL = "https://sqs/queue"


@pytest.fixture(params=["fake", "moto"])
def table(request: pytest.FixtureRequest) -> tuple[Client, str]:
    """A client, and the name of a table that holds `a` in version 1."""
    if request.param == "fake":
        client: Client = FakeDynamoDB.with_tables("table")
        name = "table"
    else:
        aws: Aws = request.getfixturevalue("aws")
        client, name = aws.client, make_table(aws.client)
    client.put_item(TableName=name, Item=stored(1, "old"))
    return client, name


def stored(version: int, status: str) -> dict[str, Any]:
    return {
        "id": {"S": "a"},
        "version": {"N": str(version)},
        "status": {"S": status},
        "kept": {"S": "k"},
    }


def update(table: tuple[Client, str], key: str, version: int, **changes: Any) -> None:
    client, name = table
    arguments: dict[str, Any] = {
        "TableName": name,
        "Key": {"id": {"S": key}},
        "UpdateExpression": "SET #status = :new, #version = :following",
        "ConditionExpression": "#version = :version",
        "ExpressionAttributeNames": {"#status": "status", "#version": "version"},
        "ExpressionAttributeValues": {
            ":new": {"S": "new"},
            ":version": {"N": str(version)},
            ":following": {"N": str(version + 1)},
        },
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    client.update_item(**arguments | changes)


def read(table: tuple[Client, str], *keys: str) -> list[Any]:
    client, name = table
    request = {"Keys": [{"id": {"S": key}} for key in keys], "ConsistentRead": True}
    items: list[Any] = client.batch_get_item(RequestItems={name: request})["Responses"][name]
    return items


def test_an_update_whose_condition_holds_sets_what_it_names(table: tuple[Client, str]) -> None:
    update(table, "a", 1)
    assert read(table, "a") == [stored(2, "new")]


def test_an_update_whose_condition_fails_returns_the_item_and_changes_nothing(
    table: tuple[Client, str],
) -> None:
    with pytest.raises(table[0].exceptions.ConditionalCheckFailedException) as failed:
        update(table, "a", 2)
    assert failed.value.response["Item"] == stored(1, "old")
    assert read(table, "a") == [stored(1, "old")]


def test_an_update_of_what_is_not_there_returns_no_item_and_makes_none(
    table: tuple[Client, str],
) -> None:
    with pytest.raises(table[0].exceptions.ConditionalCheckFailedException) as failed:
        update(table, "missing", 1)
    assert "Item" not in failed.value.response
    assert read(table, "missing") == []


def test_an_update_without_condition_makes_an_item(table: tuple[Client, str]) -> None:
    client, name = table
    client.update_item(
        TableName=name,
        Key={"id": {"S": "ghost"}},
        UpdateExpression="SET kept = :k",
        ExpressionAttributeValues={":k": {"S": "k"}},
    )
    assert read(table, "ghost") == [{"id": {"S": "ghost"}, "kept": {"S": "k"}}]


@pytest.mark.parametrize(
    "changes",
    [
        {"ExpressionAttributeNames": {"#status": "status", "#version": "version", "#x": "x"}},
        {"UpdateExpression": "SET status = :new, #version = :following",
         "ExpressionAttributeNames": {"#version": "version"}},
    ],
    ids=["a name that is not used", "a reserved word"],
)  # fmt: skip
def test_an_expression_beyond_the_rules_is_invalid(
    table: tuple[Client, str], changes: dict[str, Any]
) -> None:
    with pytest.raises((ClientError, UnknownExpressionError)):
        update(table, "a", 1, **changes)
    assert read(table, "a") == [stored(1, "old")]


@pytest.fixture(params=["fake", "moto"])
def bucket(request: pytest.FixtureRequest, moto: DynamoDBClient) -> tuple[Client, str]:
    """A client, and the name of a versioned bucket."""
    if request.param == "fake":
        return FakeS3.with_buckets(FakeDynamoDB.with_tables(), "bucket"), "bucket"
    client = boto3.client("s3", region_name="us-east-1")
    name = f"bucket-{abs(hash(request.node.nodeid))}"
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return client, name


def put(bucket: tuple[Client, str], key: str = "a/å 😀", **more: Any) -> None:
    arguments = {"Body": CONTENT, "ChecksumSHA256": CHECKSUM, "IfNoneMatch": "*"}
    bucket[0].put_object(Bucket=bucket[1], Key=key, **arguments | more)


def versions(bucket: tuple[Client, str]) -> list[Any]:
    client, name = bucket
    pages = client.get_paginator("list_object_versions").paginate(Bucket=name)
    return [
        {"Key": each["Key"], "VersionId": each["VersionId"]}
        for page in pages
        for each in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
    ]


def code(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as failed:
        call(**arguments)
    return str(failed.value.response["Error"]["Code"])


def test_an_object_is_stored_once_and_read_as_it_is(bucket: tuple[Client, str]) -> None:
    client, name = bucket
    put(bucket)
    assert code(put, bucket=bucket) == "PreconditionFailed"
    found = client.get_object(Bucket=name, Key="a/å 😀")
    assert found["Body"].read() == CONTENT
    assert "ChecksumSHA256" not in found
    assert len(versions(bucket)) == 1
    assert code(client.get_object, Bucket=name, Key="missing") == "NoSuchKey"


def test_versions_are_listed_and_deleted_one_by_one(bucket: tuple[Client, str]) -> None:
    client, name = bucket
    put(bucket, "a")
    put(bucket, "b")
    assert [each["Key"] for each in versions(bucket)] == ["a", "b"]
    left = client.delete_objects(
        Bucket=name, Delete={"Objects": versions(bucket)[:1], "Quiet": True}
    )
    assert "Errors" not in left
    assert [each["Key"] for each in versions(bucket)] == ["b"]


def test_tags_of_a_bucket_without_tags_are_an_error(bucket: tuple[Client, str]) -> None:
    client, name = bucket
    assert code(client.get_bucket_tagging, Bucket=name) == "NoSuchTagSet"
    assert code(client.get_bucket_tagging, Bucket="no-such-bucket") == "NoSuchBucket"


def test_the_fake_refuses_content_that_its_checksum_does_not_fit() -> None:
    fake = FakeS3.with_buckets(FakeDynamoDB.with_tables(), "bucket")
    assert code(put, bucket=(fake, "bucket"), Body=b"damaged") == "BadDigest"
    assert fake.buckets["bucket"] == {}


def test_the_fake_returns_a_checksum_that_it_was_given_when_asked() -> None:
    fake = FakeS3.with_buckets(FakeDynamoDB.with_tables(), "bucket")
    put((fake, "bucket"), "a")
    fake.store("bucket", "b", CONTENT)
    found = [fake.get_object(Bucket="bucket", Key=key, ChecksumMode="ENABLED") for key in "ab"]
    assert [each.get("ChecksumSHA256") for each in found] == [CHECKSUM, None]


def test_the_fake_queue_hides_what_is_received_and_gives_it_up_in_the_end() -> None:
    fake = FakeSQS(FakeDynamoDB.with_tables(), max_receives=2)
    fake.send_message_batch(QueueUrl=URL, Entries=[{"Id": "1", "MessageBody": "a"}])
    options: dict[str, Any] = {
        "QueueUrl": URL,
        "VisibilityTimeout": 30,
        "MessageSystemAttributeNames": ["ApproximateReceiveCount"],
    }
    [first] = fake.receive_message(**options)["Messages"]
    # Hidden for 30 seconds, of which a call waits for at most 20.
    assert fake.receive_message(**options, WaitTimeSeconds=20) == {}
    [second] = fake.receive_message(**options, WaitTimeSeconds=20)["Messages"]
    assert fake.now == 30
    assert second["Attributes"] == {"ApproximateReceiveCount": "2"}
    # An old handle deletes nothing.
    old = {"Id": "1", "ReceiptHandle": first["ReceiptHandle"]}
    assert "Failed" not in fake.delete_message_batch(QueueUrl=URL, Entries=[old])
    changed = fake.change_message_visibility_batch(
        QueueUrl=URL, Entries=[{**old, "VisibilityTimeout": 0}]
    )
    assert [each["Id"] for each in changed["Failed"]] == ["1"]
    fake.now += 30
    assert fake.receive_message(**options) == {}
    assert [message["MessageBody"] for message in fake.dead] == ["a"]

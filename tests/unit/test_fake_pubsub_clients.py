"""The fakes tell the truth: topics, secrets, reads and rankings behave there as on moto."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from proofs.fakes.dynamodb import FakeDynamoDB
from proofs.fakes.faults import Death
from proofs.fakes.secrets import FakeSecretsManager
from proofs.fakes.sns import MAX_BYTES, FakeSNS
from tests.unit.aws import Aws, make_table

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

# A real client or the fake.
Client = Any
UNKNOWN = "arn:aws:sns:us-east-1:123456789012:unknown"
WAY = {"way": {"DataType": "String", "StringValue": "curl"}}


def refused(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as failed:
        call(**arguments)
    return str(failed.value.response["Error"]["Code"])


@pytest.fixture(params=["fake", "moto"])
def topic(request: pytest.FixtureRequest, moto: DynamoDBClient) -> tuple[Client, str]:
    """A client, and the ARN of a topic."""
    if request.param == "fake":
        arn = "arn:aws:sns:us-east-1:123456789012:topic"
        return FakeSNS.with_topics(FakeDynamoDB.with_tables(), arn), arn
    client = boto3.client("sns", region_name="us-east-1")
    return client, client.create_topic(Name="topic")["TopicArn"]


@pytest.mark.parametrize("text", ["a", "Åsa café 😀", "a" * MAX_BYTES])
def test_a_topic_takes_a_message_and_names_it(topic: tuple[Client, str], text: str) -> None:
    client, arn = topic
    ids = {client.publish(TopicArn=arn, Message=text)["MessageId"] for _ in range(2)}
    assert len(ids) == 2


def test_a_topic_takes_attributes(topic: tuple[Client, str]) -> None:
    client, arn = topic
    number = {"words": {"DataType": "Number", "StringValue": "2"}}
    assert client.publish(TopicArn=arn, Message="a", MessageAttributes=WAY | number)["MessageId"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"TopicArn": UNKNOWN}, "NotFound"),
        ({"Message": "a" * (MAX_BYTES + 1)}, "InvalidParameter"),
        (
            {"MessageAttributes": {"way": {"DataType": "String", "StringValue": ""}}},
            "InvalidParameter",
        ),
        (
            {"MessageAttributes": {"words": {"DataType": "Number", "StringValue": "two"}}},
            "InvalidParameter",
        ),
    ],
)
def test_a_message_beyond_the_rules_is_refused(
    topic: tuple[Client, str], changes: dict[str, Any], code: str
) -> None:
    client, arn = topic
    assert refused(client.publish, **{"TopicArn": arn, "Message": "a", **changes}) == code


def test_the_fake_topic_refuses_what_moto_lets_pass() -> None:
    fake = FakeSNS.with_topics(FakeDynamoDB.with_tables(), "arn")
    # Attributes are a part of the message.
    exact = MAX_BYTES - len("way" + "String" + "curl")
    fake.publish(TopicArn="arn", Message="a" * exact, MessageAttributes=WAY)
    message = {"TopicArn": "arn", "MessageAttributes": WAY}
    assert refused(fake.publish, Message="a" * (exact + 1), **message) == "InvalidParameter"
    assert refused(fake.publish, Message="", **message) == "InvalidParameter"
    assert len(fake.topics["arn"]) == 1


@pytest.fixture(params=["fake", "moto"])
def secrets(request: pytest.FixtureRequest, moto: DynamoDBClient) -> tuple[Client, str, str]:
    """A client, and the ARNs of a text and of a binary secret."""
    if request.param == "fake":
        held: dict[str, str | bytes] = {"arn:text": "Åsa", "arn:binary": b"\xff"}
        return FakeSecretsManager(FakeDynamoDB.with_tables(), held), "arn:text", "arn:binary"
    client = boto3.client("secretsmanager", region_name="us-east-1")
    name = f"secret-{abs(hash(request.node.nodeid))}"
    text = client.create_secret(Name=f"text-{name}", SecretString="Åsa")
    binary = client.create_secret(Name=f"binary-{name}", SecretBinary=b"\xff")
    return client, text["ARN"], binary["ARN"]


def test_a_secret_is_read_as_it_was_stored(secrets: tuple[Client, str, str]) -> None:
    client, text, binary = secrets
    assert client.get_secret_value(SecretId=text)["SecretString"] == "Åsa"
    assert client.get_secret_value(SecretId=binary)["SecretBinary"] == b"\xff"
    assert "SecretString" not in client.get_secret_value(SecretId=binary)
    assert refused(client.get_secret_value, SecretId="unknown") == "ResourceNotFoundException"


@pytest.fixture(params=["fake", "moto"])
def ranked(request: pytest.FixtureRequest) -> tuple[Client, str]:
    """A client, and the name of a table with the ranking `by-count` of three words."""
    if request.param == "fake":
        client: Client = FakeDynamoDB({"table": {}}, indexes={"by-count": "word_count"})
        name = "table"
    else:
        aws: Aws = request.getfixturevalue("aws")
        client, name = aws.client, make_table(aws.client, ranking="by-count", rank="word_count")
    for word, count in (("a", 9), ("b", 100), ("c", 11)):
        client.put_item(TableName=name, Item=item(word, count))
    client.put_item(TableName=name, Item={"id": {"S": "unranked"}})
    client.put_item(TableName=name, Item=item("other", 999) | {"ranking": {"S": "other"}})
    return client, name


def item(word: str, count: int) -> dict[str, Any]:
    return {"id": {"S": word}, "ranking": {"S": "all"}, "word_count": {"N": str(count)}}


@pytest.mark.parametrize(
    ("forward", "limit", "found"),
    [(False, 100, "bca"), (True, 100, "acb"), (False, 2, "bc"), (True, 1, "a")],
)
def test_a_ranking_is_in_the_order_of_numbers(
    ranked: tuple[Client, str], limit: int, found: str, *, forward: bool
) -> None:
    client, name = ranked
    answer = client.query(
        TableName=name,
        IndexName="by-count",
        KeyConditionExpression="ranking = :r",
        ExpressionAttributeValues={":r": {"S": "all"}},
        ScanIndexForward=forward,
        Limit=limit,
    )
    assert "".join(each["id"]["S"] for each in answer["Items"]) == found


def test_an_index_that_is_not_there_is_refused(ranked: tuple[Client, str]) -> None:
    client, name = ranked
    values = {":r": {"S": "all"}}
    arguments = {"TableName": name, "KeyConditionExpression": "ranking = :r"}
    with pytest.raises(ClientError):
        client.query(**arguments, IndexName="unknown", ExpressionAttributeValues=values)


def test_an_item_is_read_or_not_there(ranked: tuple[Client, str]) -> None:
    client, name = ranked
    arguments = {"TableName": name, "ConsistentRead": True}
    assert client.get_item(**arguments, Key={"id": {"S": "a"}})["Item"] == item("a", 9)
    assert "Item" not in client.get_item(**arguments, Key={"id": {"S": "x"}})


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_process_dies_in_any_of_their_calls(side: str) -> None:
    dynamodb = FakeDynamoDB.with_tables("table")
    sns = FakeSNS.with_topics(dynamodb, "arn")
    secrets = FakeSecretsManager(dynamodb, {"arn": "a"})
    with Death(dynamodb, 2, side) as death:
        secrets.get_secret_value(SecretId="arn")
        sns.publish(TopicArn="arn", Message="a")
        raise AssertionError("it lives")
    assert death.came
    assert len(sns.topics["arn"]) == (1 if side == "after" else 0)

"""The fakes tell the truth: keys of two parts, FIFO queues and buses behave there as on moto."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from ingest import storing
from proofs.fakes.dynamodb import FakeDynamoDB
from proofs.fakes.events import FakeEvents
from proofs.fakes.sizes import item_size
from proofs.fakes.sqs import FakeSQS
from tests.ingest import NOON, Ingest, envelope, messages

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

# A real client or the fake.
Client = Any
_names = itertools.count(1)


@pytest.fixture(params=["fake", "moto"])
def table(request: pytest.FixtureRequest) -> tuple[Client, str]:
    """A client, and the name of an empty table of events."""
    if request.param == "fake":
        return FakeDynamoDB({"events": {}}, keys={"events": ("entity", "at")}), "events"
    client: DynamoDBClient = request.getfixturevalue("moto")
    name = f"events-{next(_names)}"
    client.create_table(
        TableName=name,
        KeySchema=[
            {"AttributeName": "entity", "KeyType": "HASH"},
            {"AttributeName": "at", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "entity", "AttributeType": "S"},
            {"AttributeName": "at", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    return client, name


def put(name: str, entity: str, at: str, **texts: str) -> dict[str, Any]:
    item = {"entity": {"S": entity}, "at": {"S": at}, **{k: {"S": v} for k, v in texts.items()}}
    condition = "attribute_not_exists(entity)"
    return {"Put": {"TableName": name, "Item": item, "ConditionExpression": condition}}


def reasons(table: tuple[Client, str], *actions: dict[str, Any]) -> list[str]:
    try:
        table[0].transact_write_items(TransactItems=list(actions))
    except table[0].exceptions.TransactionCanceledException as error:
        return [reason["Code"] for reason in error.response["CancellationReasons"]]
    return []


def read(table: tuple[Client, str], entity: str, at: str) -> Any:
    client, name = table
    key = {"entity": {"S": entity}, "at": {"S": at}}
    return client.get_item(TableName=name, Key=key, ConsistentRead=True).get("Item")


def test_a_key_of_two_parts_is_there_only_if_both_are(table: tuple[Client, str]) -> None:
    name = table[1]
    assert reasons(table, put(name, "a", "1"), put(name, "a", "2"), put(name, "b", "1")) == []
    found = reasons(table, put(name, "b", "2"), put(name, "a", "2", more="x"))
    assert found == ["None", "ConditionalCheckFailed"]
    assert read(table, "b", "2") is None
    assert read(table, "a", "2") == {"entity": {"S": "a"}, "at": {"S": "2"}}


def test_a_cancelled_put_tells_of_the_item_in_its_way_if_it_asked_for_it(
    table: tuple[Client, str],
) -> None:
    # GIVEN two items
    client, name = table
    assert reasons(table, put(name, "a", "1", text="x"), put(name, "a", "2", text="y")) == []
    # WHEN a put asks for what is there, another one does not, and a third one has its way
    asks, silent, free = (put(name, "a", at, text="z") for at in "123")
    for each in (asks, free):
        each["Put"]["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    with pytest.raises(client.exceptions.TransactionCanceledException) as cancelled:
        client.transact_write_items(TransactItems=[asks, silent, free])
    # THEN
    found = cancelled.value.response["CancellationReasons"]
    assert [each["Code"] for each in found] == ["ConditionalCheckFailed"] * 2 + ["None"]
    item = {"entity": {"S": "a"}, "at": {"S": "1"}, "text": {"S": "x"}}
    assert [each.get("Item") for each in found] == [item, None, None]


def test_dynamodb_itself_tells_the_storer_of_an_event_in_the_place_of_another(
    table: tuple[Client, str],
) -> None:
    # GIVEN
    client, name = table
    values = [envelope(1), envelope(1, source="/elsewhere"), envelope(1, data={"n": 1})]
    batches = [storing.Batch.read(messages([each]), now=NOON) for each in values]
    arguments: dict[str, Any] = {"table": name, "ttl_days": 0, "now": NOON, "client": client}
    # WHEN
    results = [storing.store(each.messages, **arguments) for each in (*batches, batches[0])]
    # THEN
    assert [(each.stored, each.already, len(each.rejects)) for each in results] == [
        (1, 0, 0),
        (0, 0, 1),
        (0, 0, 1),
        (0, 1, 0),
    ]


def test_the_same_key_of_two_parts_twice_in_a_transaction_is_invalid(
    table: tuple[Client, str],
) -> None:
    twins = [put(table[1], "a", "1"), put(table[1], "a", "1", more="x")]
    with pytest.raises(ClientError, match="ValidationException"):
        table[0].transact_write_items(TransactItems=twins)


def test_dynamodb_itself_takes_what_the_storer_writes(table: tuple[Client, str]) -> None:
    # GIVEN real rules of expressions and keys
    client, name = table
    batch = storing.Batch.read(messages(envelope(n) for n in range(1, 11)), now=NOON)
    arguments: dict[str, Any] = {"table": name, "ttl_days": 1, "now": NOON, "client": client}
    # WHEN it stores twice
    results = [storing.store(batch.messages, tries=lambda: range(3), **arguments) for _ in "12"]
    # THEN
    assert [(each.stored, each.already, each.failed) for each in results] == [
        (10, 0, {}),
        (0, 10, {}),
    ]
    event = batch.messages[0].event
    assert read(table, event.entity, event.at)["event"]["M"]["id"] == {"S": "e1"}


def test_the_fake_refuses_items_and_transactions_that_are_too_large() -> None:
    client = FakeDynamoDB({"events": {}}, keys={"events": ("entity", "at")})
    table = (client, "events")
    room = 409_600 - item_size(put("events", "a", "0", text="")["Put"]["Item"])
    assert reasons(table, put("events", "a", "0", text="x" * room)) == []
    large = put("events", "a", "1", text="x" * (room + 1))
    assert reasons(table, put("events", "a", "2"), large) == ["None", "ValidationError"]
    most = [put("events", "a", f"{n:02}", text="x" * (room - 1)) for n in range(10, 21)]
    assert reasons(table, *most[:10]) == []
    with pytest.raises(ClientError, match="ValidationException"):
        client.transact_write_items(TransactItems=most)


@pytest.fixture(params=["fake", "moto"])
def fifo(request: pytest.FixtureRequest) -> tuple[Client, str]:
    """A client, and a FIFO queue that knows messages within their groups."""
    if request.param == "fake":
        return FakeSQS(FakeDynamoDB.with_tables()), "https://sqs/queue.fifo"
    request.getfixturevalue("moto")
    client = boto3.client("sqs", region_name="us-east-1")
    attributes = {
        "FifoQueue": "true",
        "DeduplicationScope": "messageGroup",
        "FifoThroughputLimit": "perMessageGroupId",
    }
    made = client.create_queue(QueueName=f"q{next(_names)}.fifo", Attributes=attributes)  # type: ignore[arg-type]
    return client, made["QueueUrl"]


def send(fifo: tuple[Client, str], *entries: tuple[str, str, str]) -> dict[str, Any]:
    client, url = fifo
    answer: dict[str, Any] = client.send_message_batch(
        QueueUrl=url,
        Entries=[
            {
                "Id": str(number),
                "MessageBody": body,
                "MessageGroupId": group,
                "MessageDeduplicationId": deduplication,
            }
            for number, (body, group, deduplication) in enumerate(entries)
        ],
    )
    return answer


def bodies(fifo: tuple[Client, str]) -> list[str]:
    client, url = fifo
    answer = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return sorted(each["Body"] for each in answer.get("Messages", []))


def test_a_fifo_queue_takes_what_it_knows_and_keeps_the_first(fifo: tuple[Client, str]) -> None:
    send(fifo, ("1", "g", "a"))
    answer = send(fifo, ("2", "g", "a"), ("3", "g", "b"))
    assert len(answer["Successful"]) == 2
    assert not answer.get("Failed")
    assert bodies(fifo) == ["1", "3"]


def test_the_fake_forgets_what_it_knows_after_five_minutes_and_per_group() -> None:
    client = FakeSQS(FakeDynamoDB.with_tables())
    fifo = (client, "https://sqs/queue.fifo")
    send(fifo, ("1", "g", "a"), ("2", "other", "a"))
    client.let_pass(299)
    send(fifo, ("3", "g", "a"))
    client.let_pass(1)
    send(fifo, ("4", "g", "a"))
    assert bodies(fifo) == ["1", "2", "4"]


@pytest.mark.parametrize("missing", ["MessageGroupId", "MessageDeduplicationId"])
def test_a_fifo_queue_wants_group_and_deduplication_id(
    fifo: tuple[Client, str], missing: str
) -> None:
    entry = {"Id": "0", "MessageBody": "b", "MessageGroupId": "g", "MessageDeduplicationId": "d"}
    del entry[missing]
    with pytest.raises(ClientError):
        fifo[0].send_message_batch(QueueUrl=fifo[1], Entries=[entry])


@pytest.mark.parametrize("name", ["x" * 129, "é", "a b"])
def test_the_fake_refuses_names_that_sqs_refuses(name: str) -> None:
    fifo = (FakeSQS(FakeDynamoDB.with_tables()), "https://sqs/queue.fifo")
    for entry in [("b", name, "d"), ("b", "g", name)]:
        with pytest.raises(ClientError, match="InvalidParameterValue"):
            send(fifo, entry)


@pytest.fixture(params=["fake", "moto"])
def events(request: pytest.FixtureRequest) -> Client:
    if request.param == "fake":
        return FakeEvents(FakeDynamoDB.with_tables())
    request.getfixturevalue("moto")
    return boto3.client("events", region_name="us-east-1")


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "EventBusName": "default",
        "Source": "/tests",
        "DetailType": "order",
        "Resources": ["order/1"],
        "Detail": json.dumps({"a": 1}),
    } | changes


def test_a_bus_says_which_entries_it_took(events: Client) -> None:
    answer = events.put_events(Entries=[entry(), entry(Detail="{"), entry()])
    assert answer["FailedEntryCount"] == 1
    assert ["ErrorCode" in each for each in answer["Entries"]] == [False, True, False]
    assert ["EventId" in each for each in answer["Entries"]] == [True, False, True]


def test_a_bus_takes_no_more_than_ten_entries(events: Client) -> None:
    assert events.put_events(Entries=[entry()] * 10)["FailedEntryCount"] == 0
    with pytest.raises(ClientError, match="ValidationException"):
        events.put_events(Entries=[entry()] * 11)


def test_the_fake_takes_no_more_than_a_megabyte() -> None:
    events = FakeEvents(FakeDynamoDB.with_tables())
    large = entry(Detail=json.dumps({"a": "x" * 525_000}))
    assert events.put_events(Entries=[large])["FailedEntryCount"] == 0
    with pytest.raises(ClientError, match="ValidationException"):
        events.put_events(Entries=[large] * 2)


@pytest.mark.parametrize("by_sender", [True, False])
def test_the_fake_says_whose_fault_a_refusal_is(*, by_sender: bool) -> None:
    # "BatchResultErrorEntry", Amazon SQS API Reference, 2026-11-21.
    client = FakeSQS(FakeDynamoDB.with_tables(), refuse_next=[1], fault_of_sender=by_sender)
    answer = send((client, "https://sqs/queue.fifo"), ("1", "g", "a"), ("2", "g", "b"))
    [failed] = answer["Failed"]
    assert (failed["Id"], failed["SenderFault"]) == ("0", by_sender)
    assert [each["Id"] for each in answer["Successful"]] == ["1"]


def test_the_fake_refuses_the_entries_it_is_told_to() -> None:
    events = FakeEvents(FakeDynamoDB.with_tables(), refuse_next=[{0, 2}])
    details = [json.dumps({"n": n}) for n in range(3)]
    answer = events.put_events(Entries=[entry(Detail=detail) for detail in details])
    assert answer["FailedEntryCount"] == 2
    assert [each["Detail"] for each in events.buses["default"]] == [details[1]]
    assert events.put_events(Entries=[entry()])["FailedEntryCount"] == 0


def test_the_intake_of_the_tests_is_that_of_the_stack(ingest: Ingest) -> None:
    # Names that only the tests have would prove nothing.
    assert ingest.dynamodb.keys["events"] == (storing.ENTITY, storing.AT)

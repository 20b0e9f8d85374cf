"""Failures come back unchanged, are deleted only then, and are never lost."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from odyssey_cli import failures, stream_records
from odyssey_cli.errors import OdysseyError
from odyssey_cli.failures import FailureQueue, Kind, Result
from odyssey_cli.stream_records import matches
from odyssey_cli.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/1"
MAPPING = {
    "EventSourceArn": STREAM,
    "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
    "FilterCriteria": {"Filters": [{"Pattern": '{"eventName":["INSERT"]}'}]},
}


def record(number: int, name: str = "INSERT") -> dict[str, Any]:
    return {
        "eventName": name,
        "eventSourceARN": STREAM,
        "dynamodb": {"SequenceNumber": str(number)},
    }


class FakeLambda:
    """Remembers what it was invoked with; answers what it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[dict[str, Any]]] = []
        self.answer: dict[str, Any] = {"batchItemFailures": []}
        self.error = False

    def invoke(self, *, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803
        assert FunctionName == MAPPING["FunctionArn"]
        self.batches.append(json.loads(Payload)["Records"])
        said = {"Payload": io.BytesIO(json.dumps(self.answer).encode())}
        return {**said, "FunctionError": "Unhandled"} if self.error else said


class FakeStream:
    """A shard whose oldest records are gone."""

    def __init__(self, *numbers: int) -> None:
        self.records = [record(n, "INSERT" if n % 2 else "MODIFY") for n in numbers]
        self.empty_pages = 0

    def get_shard_iterator(self, **asked: str) -> dict[str, str]:
        oldest = int(self.records[0]["dynamodb"]["SequenceNumber"])
        if int(asked.get("SequenceNumber", oldest)) < oldest:
            error = {"Code": "TrimmedDataAccessException", "Message": ""}
            raise ClientError({"Error": error}, "GetShardIterator")
        return {"ShardIterator": "0"}

    def get_records(self, *, ShardIterator: str) -> dict[str, Any]:  # noqa: N803
        start = int(ShardIterator)
        if self.empty_pages and start == 2:
            self.empty_pages -= 1
            return {"Records": [], "NextShardIterator": ShardIterator}
        return {
            "Records": self.records[start : start + 2],
            "NextShardIterator": str(start + 2),
        }


@pytest.fixture
def sqs() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("sqs")


@pytest.fixture
def function() -> FakeLambda:
    return FakeLambda()


@pytest.fixture
def stream() -> FakeStream:
    return FakeStream(1, 2, 3, 4, 5, 6)


@pytest.fixture
def to(
    sqs: Any, function: FakeLambda, stream: FakeStream, monkeypatch: pytest.MonkeyPatch
) -> Target:
    clients = {"sqs": sqs, "lambda": function, "dynamodbstreams": stream}
    monkeypatch.setattr(Target, "client", lambda _, service, **__: clients[service])
    monkeypatch.setattr(stream_records, "_PAUSE", 0.0)
    monkeypatch.setattr(stream_records, "_PATIENCE", 0.05)
    return Target({}, Path(), None)


def waiting(sqs: Any, queue: FailureQueue) -> int:
    attributes = sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["All"])["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"])


def reject_queue(sqs: Any) -> FailureQueue:
    queue = FailureQueue(
        sqs.create_queue(QueueName="rejects")["QueueUrl"], Kind.REJECTS, (MAPPING,)
    )
    attributes = {"cause": "no group", "event_id": "e-1"}
    sqs.send_message(
        QueueUrl=queue.url,
        MessageBody=json.dumps(record(1)),
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    )
    return queue


def pointer_queue(sqs: Any, first: int, last: int) -> FailureQueue:
    queue = FailureQueue(
        sqs.create_queue(QueueName="given-up")["QueueUrl"], Kind.POINTERS, (MAPPING,)
    )
    body = {
        "requestContext": {"condition": "RetryAttemptsExhausted"},
        "DDBStreamBatchInfo": {
            "shardId": "shard-1",
            "startSequenceNumber": str(first),
            "endSequenceNumber": str(last),
            "approximateArrivalOfFirstRecord": "2026-11-21T00:00:00Z",
            "batchSize": last - first + 1,
            "streamArn": STREAM,
        },
    }
    sqs.send_message(QueueUrl=queue.url, MessageBody=json.dumps(body))
    return queue


def test_a_reject_is_handed_back_as_it_was_and_then_deleted(
    sqs: Any, to: Target, function: FakeLambda
) -> None:
    # GIVEN a reject
    queue = reject_queue(sqs)
    [failure] = failures.collect(to, queue)
    assert (failure.cause, failure.what) == ("no group", "event e-1")

    # WHEN it is redriven
    redriven = failures.redrive(to, failure)

    # THEN the function got the original record, and the queue is empty
    assert redriven.result is Result.DONE
    assert function.batches == [[record(1)]]
    failures.release(to, [])
    assert waiting(sqs, queue) == 0


@pytest.mark.parametrize("how", ["raises", "reports"])
def test_what_fails_again_stays_in_the_queue(
    how: str, sqs: Any, to: Target, function: FakeLambda
) -> None:
    # GIVEN a function that is still broken
    queue = reject_queue(sqs)
    function.error = how == "raises"
    function.answer = (
        {"errorMessage": "still broken"}
        if how == "raises"
        else {"batchItemFailures": [{"itemIdentifier": "1"}]}
    )

    # WHEN a reject is redriven
    [failure] = failures.collect(to, queue)
    redriven = failures.redrive(to, failure)

    # THEN it says so, and the message can be received again at once
    assert redriven.result is Result.FAILED
    assert redriven.detail == ("still broken" if how == "raises" else "1 of 1 records")
    assert waiting(sqs, queue) == 1


def test_a_pointers_records_are_read_from_the_stream_and_filtered_as_lambda_would(
    sqs: Any, to: Target, function: FakeLambda
) -> None:
    # GIVEN a batch that was given up: records 2 to 5 of a shard
    queue = pointer_queue(sqs, 1, 5)

    # WHEN it is redriven
    [failure] = failures.collect(to, queue)
    redriven = failures.redrive(to, failure)

    # THEN the function got the inserts among them, and nothing beyond
    assert redriven.result is Result.DONE
    assert [[each["dynamodb"]["SequenceNumber"] for each in b] for b in function.batches] == [
        ["1", "3", "5"]
    ]
    assert waiting(sqs, queue) == 0


def test_records_that_the_stream_forgot_are_said_to_be_gone_and_their_pointer_stays(
    sqs: Any, to: Target, function: FakeLambda
) -> None:
    # GIVEN a pointer to records of which the shard has only the last two
    queue = pointer_queue(sqs, -3, 2)

    # WHEN it is redriven
    [failure] = failures.collect(to, queue)
    redriven = failures.redrive(to, failure)

    # THEN the function got what is left, and the pointer is still there
    assert redriven.result is Result.GONE
    assert redriven.detail == "1 of 6 were left and came back"
    assert [[each["dynamodb"]["SequenceNumber"] for each in b] for b in function.batches] == [["1"]]
    assert waiting(sqs, queue) == 1


def test_empty_pages_between_records_end_no_read(
    sqs: Any, to: Target, function: FakeLambda, stream: FakeStream
) -> None:
    # GIVEN a stream that answers with nothing now and then
    stream.empty_pages = 7
    queue = pointer_queue(sqs, 1, 6)

    # WHEN a pointer is redriven
    [failure] = failures.collect(to, queue)
    redriven = failures.redrive(to, failure)

    # THEN all its inserts came back
    assert redriven.result is Result.DONE
    assert len(function.batches[0]) == 3


def test_a_pointer_whose_last_records_never_come_stays(
    sqs: Any, to: Target, function: FakeLambda
) -> None:
    # GIVEN a pointer beyond what the shard has
    queue = pointer_queue(sqs, 1, 9)

    # WHEN it is redriven
    [failure] = failures.collect(to, queue)
    redriven = failures.redrive(to, failure)

    # THEN it is not taken for done
    assert redriven.result is Result.GONE
    assert waiting(sqs, queue) == 1


@pytest.mark.parametrize(
    "body",
    ["not JSON", "[]", "{}", json.dumps({**record(1), "eventSourceARN": "arn:of:another"})],
)
def test_a_message_that_cannot_be_brought_back_keeps_no_other_from_it(
    body: str, sqs: Any, to: Target, function: FakeLambda
) -> None:
    # GIVEN such a message beside a good one
    queue = reject_queue(sqs)
    sqs.send_message(QueueUrl=queue.url, MessageBody=body)

    # WHEN all are redriven
    redriven = list(failures.redrive_all(to, queue))

    # THEN the good one came back, and the other can be seen again at once
    assert sorted(each.result for each in redriven) == [Result.DONE, Result.FAILED]
    assert function.batches == [[record(1)]]
    assert waiting(sqs, queue) == 1


def test_what_an_interrupted_redrive_did_not_come_to_is_seen_again_at_once(
    sqs: Any, to: Target, function: FakeLambda, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN Ctrl-C in the first of two messages
    queue = reject_queue(sqs)
    sqs.send_message(QueueUrl=queue.url, MessageBody=json.dumps(record(3)))

    def interrupt(**_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(function, "invoke", interrupt)

    # WHEN
    with pytest.raises(KeyboardInterrupt):
        list(failures.redrive_all(to, queue))

    # THEN
    assert waiting(sqs, queue) == 2


def test_a_reject_that_is_rejected_again_is_not_said_to_be_back(
    sqs: Any, to: Target, function: FakeLambda
) -> None:
    # GIVEN a function that sends the reject to the queue again
    queue = reject_queue(sqs)
    redriven = list(failures.redrive_all(to, queue))
    assert failures.rejected_again(to, queue, redriven) == redriven

    # WHEN
    sqs.send_message(
        QueueUrl=queue.url,
        MessageBody=json.dumps(record(1)),
        MessageAttributes={
            "event_id": {"DataType": "String", "StringValue": "e-1"},
            "cause": {"DataType": "String", "StringValue": "still no group"},
        },
    )

    # THEN
    [again] = failures.rejected_again(to, queue, redriven)
    assert (again.result, again.detail) == (failures.Result.REJECTED, "still no group")
    assert waiting(sqs, queue) == 1


def test_all_of_a_fifo_group_comes_back_in_order(sqs: Any, to: Target) -> None:
    # GIVEN more messages of one group than a FIFO queue gives at once
    source, dead = (
        sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"})["QueueUrl"]
        for name in ("source.fifo", "dead.fifo")
    )
    for n in range(25):
        sqs.send_message(
            QueueUrl=dead, MessageBody=str(n), MessageGroupId="g", MessageDeduplicationId=str(n)
        )

    # WHEN
    redriven = list(failures.redrive_all(to, FailureQueue(dead, Kind.DEAD_LETTERS, source=source)))

    # THEN
    assert len(redriven) == 25
    back: list[str] = []
    while messages := sqs.receive_message(QueueUrl=source, MaxNumberOfMessages=10).get("Messages"):
        back += [each["Body"] for each in messages]
        for each in messages:
            sqs.delete_message(QueueUrl=source, ReceiptHandle=each["ReceiptHandle"])
    assert back == [str(n) for n in range(25)]


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_a_dead_letter_goes_back_to_its_queue_unchanged(fifo: bool, sqs: Any, to: Target) -> None:
    # GIVEN a message in a dead-letter queue
    suffix, attributes = (".fifo", {"FifoQueue": "true"}) if fifo else ("", {})
    source, dead = (
        sqs.create_queue(QueueName=name + suffix, Attributes=attributes)["QueueUrl"]
        for name in ("source", "dead")
    )
    ids = {"MessageGroupId": "g", "MessageDeduplicationId": "same"} if fifo else {}
    extra = {"kind": {"DataType": "String", "StringValue": "k"}}
    for url in (source, dead):
        # The first one stands for the delivery that failed: SQS remembers its id.
        sqs.send_message(QueueUrl=url, MessageBody="Åsa", MessageAttributes=extra, **ids)
    sqs.purge_queue(QueueUrl=source)
    queue = FailureQueue(dead, Kind.DEAD_LETTERS, source=source)

    # WHEN it is redriven
    [failure] = failures.collect(to, queue)
    assert failures.redrive(to, failure).result is Result.DONE

    # THEN it is in its queue again, with a new deduplication id, and nowhere else
    [back] = sqs.receive_message(
        QueueUrl=source, AttributeNames=["All"], MessageAttributeNames=["All"]
    )["Messages"]
    assert back["Body"] == "Åsa"
    assert back["MessageAttributes"]["kind"]["StringValue"] == "k"
    if fifo:
        assert back["Attributes"]["MessageGroupId"] == "g"
        assert back["Attributes"]["MessageDeduplicationId"] != "same"
    assert waiting(sqs, queue) == 0


@pytest.mark.parametrize(
    ("pattern", "passes"),
    [
        ({"eventName": ["INSERT"]}, True),
        ({"eventName": ["MODIFY", "REMOVE"]}, False),
        ({"dynamodb": {"SequenceNumber": ["1"]}}, True),
        ({"dynamodb": {"NewImage": {"a": ["1"]}}}, False),
    ],
)
def test_filters_compare_values(pattern: dict[str, Any], passes: bool) -> None:
    assert matches(pattern, record(1)) is passes


def test_a_filter_that_is_not_understood_is_refused() -> None:
    with pytest.raises(OdysseyError, match="does not know"):
        matches({"eventName": [{"prefix": "INS"}]}, record(1))

"""What the on-failure destination of a stream gets."""

from __future__ import annotations

from typing import Any

from local_cloud.delivery import FAILED, RETRIES_EXHAUSTED, TOO_OLD, Batch, Discard, Outcome, Record
from local_cloud.failure_record import failure_record

# "Retain discarded records for a DynamoDB event source in Lambda" and "Retain discarded batch
# records for a Kinesis Data Streams event source in Lambda" (pages.py), with shorter names.
DYNAMODB_EXAMPLE = {
    "requestContext": {
        "requestId": "316aa6d0",
        "functionArn": "arn:aws:lambda:us-east-2:123456789012:function:myfunction",
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 1,
    },
    "responseContext": {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    },
    "version": "1.0",
    "timestamp": "2019-11-14T00:13:49.717Z",
    "DDBStreamBatchInfo": {
        "shardId": "shardId-00000001573689847184-864758bb",
        "startSequenceNumber": "800000000003126276362",
        "endSequenceNumber": "800000000003126276362",
        "approximateArrivalOfFirstRecord": "2019-11-14T00:13:19Z",
        "approximateArrivalOfLastRecord": "2019-11-14T00:13:19Z",
        "batchSize": 1,
        "streamArn": "arn:aws:dynamodb:us-east-2:123456789012:table/mytable/stream/2019-11-14",
    },
}
KINESIS_BATCH = {
    "shardId": "shardId-000000000001",
    "startSequenceNumber": "1",
    "endSequenceNumber": "2",
    "approximateArrivalOfFirstRecord": "2019-11-14T00:13:19.000Z",
    "approximateArrivalOfLastRecord": "2019-11-14T00:13:19.835Z",
    "batchSize": 2,
    "streamArn": "arn:aws:kinesis:us-east-2:123456789012:stream/mystream",
}
ARRIVED = 1_573_690_399


def document(discard: Discard, **more: str) -> dict[str, Any]:
    example: dict[str, Any] = DYNAMODB_EXAMPLE
    given = {
        "function_arn": example["requestContext"]["functionArn"],
        "version": "$LATEST",
        "stream_arn": example["DDBStreamBatchInfo"]["streamArn"],
        "shard_id": example["DDBStreamBatchInfo"]["shardId"],
        "request_id": "316aa6d0",
    }
    return failure_record(discard, now=1_573_690_429.717, **{**given, **more})


def test_a_batch_that_kept_failing_is_described_as_documented() -> None:
    tried = Batch((Record("800000000003126276362", ARRIVED, {}),), invocations=1, last=FAILED)

    assert document(Discard(tried, RETRIES_EXHAUSTED)) == DYNAMODB_EXAMPLE


def test_a_batch_of_kinesis_has_its_own_key_and_milliseconds() -> None:
    records = (Record("1", ARRIVED, {}), Record("2", ARRIVED + 0.835, {}))

    made = document(
        Discard(Batch(records, 3, FAILED), RETRIES_EXHAUSTED),
        stream_arn=KINESIS_BATCH["streamArn"],  # type: ignore[arg-type]
        shard_id="shardId-000000000001",
    )

    assert made["KinesisBatchInfo"] == KINESIS_BATCH
    assert "DDBStreamBatchInfo" not in made


def test_a_reported_failure_is_no_function_error() -> None:
    batch = Batch((Record("1", ARRIVED, {}),), 2, Outcome({"batchItemFailures": []}))

    made = document(Discard(batch, RETRIES_EXHAUSTED))

    assert made["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}


def test_a_batch_that_was_too_old_to_be_sent_has_no_response() -> None:
    made = document(Discard(Batch((Record("1", ARRIVED, {}),)), TOO_OLD))

    assert made["requestContext"]["condition"] == "RecordAgeExceeded"
    assert made["requestContext"]["approximateInvokeCount"] == 0
    assert "responseContext" not in made

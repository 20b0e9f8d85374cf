"""What Lambda sends to a stream's on-failure destination: where the records are, not what they are.

"Retain discarded records for a DynamoDB event source in Lambda", read 2026-11-21, has the shape:
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
The condition of records that grew too old is on no page; "RecordAgeExceeded" is what AWS sends.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local_cloud.delivery import Discard


def failure_record(
    discard: Discard,
    *,
    function_arn: str,
    version: str,
    stream_arn: str,
    shard_id: str,
    request_id: str,
    now: float,
) -> dict[str, Any]:
    """Return the document for a batch that was given up.

    Args:
        discard: The batch and why.
        function_arn: The function's, with the qualifier of the mapping if it has one.
        version: The version that was invoked.
        stream_arn: The stream's.
        shard_id: The shard's.
        request_id: An id for the last invoke.
        now: The present, in seconds since 1970.
    """
    batch = discard.batch
    first, last = batch.records[0], batch.records[-1]
    document: dict[str, Any] = {
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": discard.condition,
            "approximateInvokeCount": batch.invocations,
        }
    }
    if batch.last is not None:
        document["responseContext"] = {"statusCode": 200, "executedVersion": version}
        if batch.last.error is not None:
            document["responseContext"]["functionError"] = batch.last.error
    is_kinesis = stream_arn.split(":")[2] == "kinesis"
    precision = "milliseconds" if is_kinesis else "seconds"
    return document | {
        "version": "1.0",
        "timestamp": _iso(now, "milliseconds"),
        "KinesisBatchInfo" if is_kinesis else "DDBStreamBatchInfo": {
            "shardId": shard_id,
            "startSequenceNumber": first.sequence,
            "endSequenceNumber": last.sequence,
            "approximateArrivalOfFirstRecord": _iso(first.arrived, precision),
            "approximateArrivalOfLastRecord": _iso(last.arrived, precision),
            "batchSize": len(batch.records),
            "streamArn": stream_arn,
        },
    }


def _iso(seconds: float, precision: str) -> str:
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec=precision)
    return text.replace("+00:00", "Z")

"""How Firehose takes, transforms and names what it delivers to S3: decisions only.

Pure, like delivery.py. The rules are those of these pages, read 2026-11-21:

- "PutRecordBatch" and "Amazon Data Firehose Quota" (500 records, 4 MiB, 1,000 KiB a record)
  https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
  https://docs.aws.amazon.com/firehose/latest/dev/limits.html
- "Transform source data in Amazon Data Firehose" (a buffer for Lambda, then one for S3; 6 MB)
  https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
- "Required parameters for data transformation" (Ok, Dropped, ProcessingFailed; record ids)
  https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-status-model.html
- "Handle failure in data transformation" (retries, the document of a failed record)
  https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
- "Monitor Amazon Data Firehose using CloudWatch Logs" (codes and messages of errors)
  https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-logs.html

What those pages leave open, and how it is decided here, where others have published what they
saw on AWS as they saw it:

- The document of a failed record has numbers where the page has strings, and says `lambdaARN`
  where the page says `lambdaArn`.
- A function that fails, or cannot be invoked, is invoked again; what a function answered is
  final, however wrong it is.
- A record id that was not in the event is ignored; one that comes twice fails its record.
- Firehose pauses ten seconds before it invokes again.

Settings are in firehose_settings.py, names in firehose_names.py.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from local_cloud.firehose_settings import Hint, Processor

T = TypeVar("T")

MOST_RECORDS = 500
LARGEST_RECORD = 1_024_000
LARGEST_BATCH = 4 * 1024 * 1024
LARGEST_RESPONSE = 6 * 1024 * 1024
PROCESSING_FAILED = "processing-failed"


# Putting


def put_problem(sizes: Sequence[int], *, batch: bool = True) -> tuple[str, str] | None:
    """Return the code and message of the error that a put of records this large gets.

    Args:
        sizes: Bytes of each record, before base64.
        batch: Whether it is PutRecordBatch; PutRecord names its record otherwise.
    """
    if batch and not 1 <= len(sizes) <= MOST_RECORDS:
        bound = "greater than or equal to 1" if not sizes else "less than or equal to 500"
        return "ValidationException", _violated("'records'", f"length {bound}")
    for number, size in enumerate(sizes, start=1):
        if size > LARGEST_RECORD:
            where = f"'records.{number}.member.data'" if batch else "'record.data'"
            return "ValidationException", _violated(where, "length less than or equal to 1024000")
    if batch and sum(sizes) > LARGEST_BATCH:
        return "InvalidArgumentException", "Records size exceeds 4 MB limit"
    return None


def _violated(where: str, rule: str) -> str:
    return (
        f"1 validation error detected: Value at {where} failed to satisfy constraint: "
        f"Member must have {rule}"
    )


@dataclass(frozen=True)
class Record:
    """A record of a stream.

    Attributes:
        id: What the function knows it by, the same in all attempts.
        data: Its bytes, as they were put or as the function returned them.
        arrived: When it was put, in seconds since 1970.
    """

    id: str
    data: bytes
    arrived: float


# Buffering


@dataclass
class Buffer(Generic[T]):
    """Things that wait to be handed on together.

    Attributes:
        things: Each with its size in bytes.
        since: When the first of them came, by the caller's clock.
    """

    things: list[tuple[int, T]] = field(default_factory=list)
    since: float = 0

    def add(self, thing: T, size: int, now: float) -> None:
        """Put one more in."""
        if not self.things:
            self.since = now
        self.things.append((size, thing))

    def due(self, hint: Hint) -> float | None:
        """Return when there is something to take, None while the buffer is empty."""
        if not self.things:
            return None
        full = sum(size for size, _ in self.things) >= hint.size
        return self.since if full else self.since + hint.interval

    def take(self, hint: Hint, now: float) -> list[T]:
        """Remove and return what goes on now: at most the size, but one thing at least."""
        due = self.due(hint)
        if due is None or due > now:
            return []
        count, total = 1, self.things[0][0]
        while count < len(self.things) and total + self.things[count][0] <= hint.size:
            total += self.things[count][0]
            count += 1
        taken = [thing for _, thing in self.things[:count]]
        del self.things[:count]
        return taken


# Transforming


@dataclass(frozen=True)
class Failure:
    """Why a record, or an invocation, failed."""

    code: str
    message: str


ACCESS_DENIED = Failure(
    "Lambda.InvokeAccessDenied",
    "Access was denied. Ensure that the access policy allows access to the Lambda function.",
)
NOT_FOUND = Failure(
    "Lambda.ResourceNotFound",
    "The specified Lambda function does not exist. Use a different function that does exist.",
)
THROTTLED = Failure(
    "Lambda.InvokeLimitExceeded",
    "The Lambda concurrent execution limit is exceeded. Increase the concurrent execution limit.",
)
FUNCTION_ERROR = Failure(
    "Lambda.FunctionError",
    "The Lambda function was successfully invoked but it returned an error result.",
)
S3_DENIED = Failure(
    "S3.AccessDenied",
    "Access was denied. Ensure that the trust policy for the provided IAM role allows Kinesis "
    "Firehose to assume the role, and the access policy allows access to the S3 bucket.",
)
NO_BUCKET = Failure(
    "S3.NoSuchBucket",
    "The specified bucket does not exist. Create the bucket or use a different bucket that does "
    "exist.",
)
INTERNAL = Failure(
    "InternalError",
    "An internal error occurred while attempting to deliver data. Delivery will be retried; if "
    "the error persists, then it will be reported to AWS for resolution.",
)
NO_KEYS = "DynamicPartitioning.MetadataExtractionFailed"
_UNREADABLE = Failure(
    "Lambda.JsonProcessingException",
    "There was an error parsing returned records from the Lambda function. Ensure that the "
    "returned records follow the status model required by Kinesis Firehose.",
)
_MISSING = Failure(
    "Lambda.MissingRecordId",
    "One or more record Ids were not returned. Ensure that the Lambda function returns all "
    "received record Ids.",
)
_TWICE = Failure(
    "Lambda.DuplicatedRecordId",
    "Multiple records were returned with the same record ID. Ensure that the Lambda function "
    "returns unique record IDs for each record.",
)
_FAILED = Failure("Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record")
_NO_DATA = Failure("Lambda.InvalidReturnFormat", "The data field cannot be null or empty.")
_NO_BASE64 = Failure("Lambda.InvalidReturnFormat", "The data field must be base64 encoded.")
_NO_RESULT = Failure(
    "Lambda.InvalidReturnFormat", "The result field must be one of Ok, Dropped or ProcessingFailed."
)


@dataclass(frozen=True)
class Transformed:
    """A record that the function was fine with; None for one that it dropped.

    Attributes:
        keys: The partition keys that the function gave it.
    """

    record: Record | None
    keys: tuple[tuple[str, str], ...] = ()


def event(stream: str, invocation: str, records: Sequence[Record]) -> dict[str, Any]:
    """Return what the function gets.

    Args:
        stream: The stream's ARN.
        invocation: The id of this attempt.
        records: The records, as they were put.
    """
    return {
        "invocationId": invocation,
        "deliveryStreamArn": stream,
        "region": stream.split(":")[3],
        "records": [
            {
                "recordId": record.id,
                "approximateArrivalTimestamp": _milliseconds(record.arrived),
                "data": base64.b64encode(record.data).decode(),
            }
            for record in records
        ],
    }


def answered(result: Mapping[str, Any]) -> Failure | None:
    """Say what was wrong with an invocation, from MiniStack's record of it."""
    if result.get("throttle"):
        return THROTTLED
    if result.get("error"):
        return FUNCTION_ERROR
    too_large = len(json.dumps(result.get("body"), ensure_ascii=False).encode()) > LARGEST_RESPONSE
    return FUNCTION_ERROR if too_large else None


def settle(records: Sequence[Record], body: object) -> list[Transformed | Failure]:
    """Return what became of each record, in the order of the records."""
    if not isinstance(body, dict):
        return [_UNREADABLE] * len(records)
    returned = body.get("records")
    answers: dict[str, list[dict[str, Any]]] = {}
    for answer in returned if isinstance(returned, list) else []:
        if isinstance(answer, dict):
            answers.setdefault(str(answer.get("recordId")), []).append(answer)
    return [_settled(record, answers.get(record.id, [])) for record in records]


def _settled(record: Record, answers: list[dict[str, Any]]) -> Transformed | Failure:
    if len(answers) != 1:
        return _TWICE if answers else _MISSING
    [answer] = answers
    result, data = answer.get("result"), answer.get("data")
    if result != "Ok":
        known: dict[str, Transformed | Failure] = {
            "Dropped": Transformed(None),
            "ProcessingFailed": _FAILED,
        }
        return known.get(str(result), _NO_RESULT)
    if not isinstance(data, str):
        return _NO_DATA
    try:
        made = replace(record, data=base64.b64decode(data, validate=True))
    except ValueError:
        return _NO_BASE64
    metadata = answer.get("metadata")
    keys = metadata.get("partitionKeys") if isinstance(metadata, dict) else None
    pairs = keys.items() if isinstance(keys, dict) else ()
    return Transformed(made, tuple(sorted((str(k), str(v)) for k, v in pairs)))


def transform(
    records: Sequence[Record],
    processor: Processor,
    invoke: Callable[[Sequence[Record]], Failure | dict[str, Any]],
    sleep: Callable[[float], None],
) -> tuple[list[Transformed | Failure], int]:
    """Invoke the function until it answers or is given up.

    Args:
        records: What it gets.
        processor: How often to try, and the pauses.
        invoke: Returns MiniStack's record of an invocation, or why there was none.
        sleep: How to wait.

    Returns:
        What became of each record, and how often the function was tried.
    """
    attempt = 0
    while True:
        attempt += 1
        result = invoke(records)
        failure = result if isinstance(result, Failure) else answered(result)
        if failure is None and not isinstance(result, Failure):
            return settle(records, result.get("body")), attempt
        if attempt > processor.retries:
            return [failure or INTERNAL] * len(records), attempt
        sleep(processor.pause)


def error_document(
    record: Record, failure: Failure, *, attempts: int, ended: float, function: str | None
) -> str:
    """Return the line that a failed record gets in the error prefix.

    Args:
        record: The record as it was put.
        failure: What was wrong.
        attempts: How often the function was invoked with it.
        ended: When that ended, in seconds since 1970.
        function: The function's ARN, None when no function failed.
    """
    return json.dumps(
        {
            "rawData": base64.b64encode(record.data).decode(),
            "errorCode": failure.code,
            "errorMessage": failure.message,
            "attemptsMade": attempts,
            "arrivalTimestamp": _milliseconds(record.arrived),
            "attemptEndingTimestamp": _milliseconds(ended),
        }
        | ({"lambdaARN": function} if function else {})
    )


def log_message(
    failure: Failure, *, stream: str, bucket: str, version: int, function: str | None
) -> str:
    """Return what the stream's log says of a failure.

    Args:
        failure: What was wrong.
        stream: The stream's ARN.
        bucket: The bucket's name.
        version: The stream's version.
        function: The function's ARN, None when no function failed.
    """
    return json.dumps(
        {
            "deliveryStreamARN": stream,
            "destination": f"arn:aws:s3:::{bucket}",
            "deliveryStreamVersionId": str(version),
            "message": failure.message,
            "errorCode": failure.code,
        }
        | ({"processor": function} if function else {})
    )


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)

"""Firehose: what it takes, when it hands on, and what becomes of each record."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from local_cloud import firehose_delivery as rules
from local_cloud.firehose_delivery import Buffer, Failure, Record, Transformed
from local_cloud.firehose_settings import Hint, Processor, Settings, problem
from tests.conformance.pages import Page

if TYPE_CHECKING:
    from collections.abc import Sequence

_GUIDE = "https://docs.aws.amazon.com/firehose/latest/dev/"
_API = "https://docs.aws.amazon.com/firehose/latest/APIReference/"
PUT_BATCH = Page("PutRecordBatch", f"{_API}API_PutRecordBatch.html")
QUOTA = Page("Amazon Data Firehose Quota", f"{_GUIDE}limits.html")
HINTS = Page("BufferingHints", f"{_API}API_BufferingHints.html")
PARAMETER = Page("ProcessorParameter", f"{_API}API_ProcessorParameter.html")
TRANSFORM = Page(
    "Transform source data in Amazon Data Firehose", f"{_GUIDE}data-transformation.html"
)
STATUS = Page(
    "Required parameters for data transformation",
    f"{_GUIDE}data-transformation-status-model.html",
)
FAILURES = Page(
    "Handle failure in data transformation", f"{_GUIDE}data-transformation-failure-handling.html"
)
LOGS = Page(
    "Monitor Amazon Data Firehose using CloudWatch Logs",
    f"{_GUIDE}monitoring-with-cloudwatch-logs.html",
)
PARTITIONS = Page("Buffer data for dynamic partitioning", f"{_GUIDE}buffering.html")

MIB = 1024 * 1024


def said(case: Any) -> str:
    return str(case.says)


@dataclass(frozen=True)
class Put:
    says: str
    page: Page
    sizes: list[int]
    code: str | None = None
    message: str = ""


PUTS = [
    Put("five hundred records are taken", PUT_BATCH, [1] * 500),
    Put("one more is not", PUT_BATCH, [1] * 501, "ValidationException", "'records'"),
    Put("nor is none", PUT_BATCH, [], "ValidationException", "'records'"),
    Put("a record has up to 1,000 KiB before base64", QUOTA, [1_024_000]),
    Put(
        "a larger one refuses the batch",
        QUOTA, [1, 1_024_001], "ValidationException", "'records.2.member.data'",
    ),
    Put("a batch has up to 4 MiB", QUOTA, [MIB - 32_768] * 4 + [131_072]),
    Put(
        "and not a byte more",
        QUOTA, [MIB - 32_768] * 4 + [131_073], "InvalidArgumentException", "4 MB",
    ),
    Put("an empty record is a record", PUT_BATCH, [0]),
]  # fmt: skip


@pytest.mark.parametrize("case", PUTS, ids=said)
def test_a_batch_is_taken_or_refused_as_a_whole(case: Put) -> None:
    found = rules.put_problem(case.sizes)

    assert (found and found[0]) == case.code
    assert case.message in (found[1] if found else "")


@dataclass(frozen=True)
class Buffering:
    """Sizes by when they come, and the batches by when they go."""

    says: str
    page: Page
    come: dict[float, list[int]]
    go: dict[float, list[list[int]]]


BUFFERINGS = [
    Buffering("what comes waits for the interval", HINTS, {0: [1, 2], 30: [3]}, {60: [[1, 2, 3]]}),
    Buffering("the size ends the waiting", HINTS, {0: [40], 5: [60]}, {5: [[40, 60]]}),
    Buffering(
        "what does not fit waits for the next",
        HINTS, {0: [40, 50, 60], 10: [1]}, {0: [[40, 50]], 60: [[60, 1]]},
    ),
    Buffering(
        "one that is too large goes alone",
        TRANSFORM, {0: [500, 1]}, {0: [[500]], 60: [[1]]},
    ),
    Buffering(
        "the interval begins with the first in the buffer",
        HINTS, {0: [1], 61: [2]}, {60: [[1]], 121: [[2]]},
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", BUFFERINGS, ids=said)
def test_a_buffer_hands_on_when_it_is_full_or_old(case: Buffering) -> None:
    hint, buffer, went = Hint(size=100, interval=60), Buffer[int](), dict[float, Any]()

    for now in range(200):
        for size in case.come.get(now, []):
            buffer.add(size, size, now)
        while taken := buffer.take(hint, now):
            went.setdefault(now, []).append(taken)

    assert went == case.go
    assert buffer.due(hint) is None


def test_defaults_are_those_of_the_pages_and_a_faster_clock_shortens_only_times() -> None:
    # HINTS, PARAMETER
    config = {"BucketARN": "arn:aws:s3:::lake", "RoleARN": "arn:aws:iam::1:role/r"}
    settings = Settings.of(config)
    assert settings == Settings("lake", "arn:aws:iam::1:role/r", Hint(5 * MIB, 300))

    given = processing(LambdaArn="f")
    settings = Settings.of({**config, **given, "CompressionFormat": "GZIP"}).sped_up(20)
    assert (settings.hint, settings.gzip, settings.extension) == (Hint(5 * MIB, 15), True, ".gz")
    assert settings.processor == Processor("f", Hint(MIB, 3), 3, pause=0.5)


def processing(**parameters: str) -> dict[str, Any]:
    named = [{"ParameterName": k, "ParameterValue": v} for k, v in parameters.items()]
    return {
        "ProcessingConfiguration": {
            "Enabled": True,
            "Processors": [{"Type": "Lambda", "Parameters": named}],
        }
    }


# Transforming

A, B = Record("a", b"raw a", 1_741_088_912.364), Record("b", b"raw b", 1_741_088_913)


def ok(name: str, data: object = "bmV3", **more: object) -> dict[str, Any]:
    return {"recordId": name, "result": "Ok", "data": data, **more}


NEW_B = Transformed(Record("b", b"new", B.arrived))


@dataclass(frozen=True)
class Answer:
    """What a function returns for records a and b, and what becomes of a; b is always fine."""

    says: str
    page: Page
    records: object
    becomes: Transformed | str
    b: object = field(default_factory=lambda: NEW_B)


ANSWERS = [
    Answer(
        "Ok replaces the data",
        STATUS, [ok("a"), ok("b")], Transformed(Record("a", b"new", A.arrived)),
    ),
    Answer(
        "the order of the answer does not matter",
        STATUS, [ok("b"), ok("a", "")], Transformed(Record("a", b"", A.arrived)),
    ),
    Answer(
        "Dropped is no failure",
        STATUS, [{"recordId": "a", "result": "Dropped"}, ok("b")], Transformed(None),
    ),
    Answer(
        "ProcessingFailed is one",
        STATUS,
        [{"recordId": "a", "result": "ProcessingFailed", "data": "bmV3"}, ok("b")],
        "Lambda.ProcessingFailedStatus",
    ),
    Answer("a record that does not come back failed", STATUS, [ok("b")], "Lambda.MissingRecordId"),
    Answer(
        "so did one that comes back under another id",
        STATUS, [ok("A"), ok("b")], "Lambda.MissingRecordId",
    ),
    Answer(
        "and one that comes back twice",
        LOGS, [ok("a"), ok("b"), ok("a")], "Lambda.DuplicatedRecordId",
    ),
    Answer(
        "another result is none of the three",
        STATUS, [ok("b"), {"recordId": "a", "result": "ok", "data": "bmV3"}],
        "Lambda.InvalidReturnFormat",
    ),
    Answer("Ok needs data", STATUS, [ok("a", None), ok("b")], "Lambda.InvalidReturnFormat"),
    Answer("in base64", STATUS, [ok("a", "Å"), ok("b")], "Lambda.InvalidReturnFormat"),
    Answer(
        "partition keys come with the metadata",
        PARTITIONS, [ok("a", metadata={"partitionKeys": {"type": "order"}}), ok("b")],
        Transformed(Record("a", b"new", A.arrived), (("type", "order"),)),
    ),
    Answer(
        "without a list, no record came back",
        STATUS, None, "Lambda.MissingRecordId", "Lambda.MissingRecordId",
    ),
]  # fmt: skip


def code(result: Transformed | Failure) -> Transformed | str:
    return result.code if isinstance(result, Failure) else result


def test_base64_that_is_not_ascii_is_no_base64() -> None:
    [failed] = rules.settle([A], {"records": [ok("a", "Åsa 😀")]})
    assert code(failed) == "Lambda.InvalidReturnFormat"


@pytest.mark.parametrize("case", ANSWERS, ids=said)
def test_each_record_is_settled_by_its_own_answer(case: Answer) -> None:
    first, second = rules.settle([A, B], {"records": case.records})

    assert code(first) == case.becomes
    assert code(second) == case.b


@pytest.mark.parametrize("body", [None, [], "text", 1])
def test_an_answer_that_is_no_object_fails_every_record(body: object) -> None:
    # LOGS
    found = rules.settle([A, B], body)
    assert [code(each) for each in found] == ["Lambda.JsonProcessingException"] * 2


FINE: dict[str, Any] = {"body": {"records": [ok("a"), ok("b")]}}
RAISED: dict[str, Any] = {"body": {"errorMessage": "no"}, "error": True}


@dataclass(frozen=True)
class Attempts:
    """What the invocations come to, and what that means."""

    says: str
    page: Page
    results: Sequence[dict[str, Any] | Failure]
    ends: str | None
    retries: int = 3


ATTEMPTS = [
    Attempts("a function that answers is invoked once", TRANSFORM, [FINE], None),
    Attempts("one that fails is invoked three times more", FAILURES, [RAISED] * 3 + [FINE], None),
    Attempts("then its batch has failed", FAILURES, [RAISED] * 4, "Lambda.FunctionError"),
    Attempts(
        "throttles count as well",
        FAILURES, [{"throttle": True}] * 4, "Lambda.InvokeLimitExceeded",
    ),
    Attempts(
        "so does a role that may not invoke",
        FAILURES, [rules.ACCESS_DENIED] * 4, "Lambda.InvokeAccessDenied",
    ),
    Attempts("the retries can be set", PARAMETER, [RAISED] * 2, "Lambda.FunctionError", 1),
    Attempts("to none", PARAMETER, [RAISED], "Lambda.FunctionError", 0),
    Attempts(
        "an answer of more than 6 MB is an error",
        TRANSFORM, [{"body": "x" * (6 * MIB)}], "Lambda.FunctionError", 0,
    ),
    Attempts(
        "a wrong answer is an answer",
        STATUS, [{"body": {"records": []}}], "Lambda.MissingRecordId",
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", ATTEMPTS, ids=said)
def test_a_function_is_invoked_until_it_answers(case: Attempts) -> None:
    left, sent, waits = list(case.results), list[object](), list[float]()

    def invoke(records: Sequence[Record]) -> dict[str, Any] | Failure:
        sent.append(records)
        return left.pop(0)

    processor = Processor("f", Hint(MIB, 60), case.retries, pause=10)
    results, attempts = rules.transform([A, B], processor, invoke, waits.append)

    assert left == []
    assert attempts == len(case.results)
    assert sent == [[A, B]] * attempts  # record ids are stable
    assert waits == [10] * (attempts - 1)
    codes = {each.code if isinstance(each, Failure) else None for each in results}
    assert codes == {case.ends}


def test_the_event_is_that_of_the_page() -> None:
    # TRANSFORM, and the test events of the Lambda console
    stream = "arn:aws:firehose:us-east-1:123456789012:deliverystream/s"

    assert rules.event(stream, "invoked", [A]) == {
        "invocationId": "invoked",
        "deliveryStreamArn": stream,
        "region": "us-east-1",
        "records": [
            {
                "recordId": "a",
                "approximateArrivalTimestamp": 1_741_088_912_364,
                "data": base64.b64encode(b"raw a").decode(),
            }
        ],
    }


def test_a_failed_record_is_documented_with_its_raw_data() -> None:
    # FAILURES
    document = json.loads(
        rules.error_document(
            A, rules.FUNCTION_ERROR, attempts=4, ended=1_741_089_007.666, function="arn:f"
        )
    )

    assert document == {
        "rawData": base64.b64encode(b"raw a").decode(),
        "errorCode": "Lambda.FunctionError",
        "errorMessage": "The Lambda function was successfully invoked but it returned an error "
        "result.",
        "attemptsMade": 4,
        "arrivalTimestamp": 1_741_088_912_364,
        "attemptEndingTimestamp": 1_741_089_007_666,
        "lambdaARN": "arn:f",
    }


GOOD = {"BucketARN": "arn:aws:s3:::lake", "RoleARN": "arn:aws:iam::1:role/r"}
DYNAMIC = {"DynamicPartitioningConfiguration": {"Enabled": True}}


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({}, None),
        ({"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}}, None),
        ({"BufferingHints": {"SizeInMBs": 129, "IntervalInSeconds": 60}}, "from 1 to 128"),
        ({"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 901}}, "from 0 to 900"),
        ({"BufferingHints": {"SizeInMBs": 1}}, "needs both"),
        (DYNAMIC, "from 64 to 128"),
        ({**DYNAMIC, "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60}}, None),
        (processing(LambdaArn="f", BufferSizeInMBs="0.2"), None),
        (processing(LambdaArn="f", BufferSizeInMBs="3.5"), "from 0.2 to 3"),
        (processing(NumberOfRetries="1"), "LambdaArn"),
        ({"CompressionFormat": "ZIP"}, "ZIP"),
        ({"S3BackupMode": "Enabled"}, "back"),
        ({"DataFormatConversionConfiguration": {"SchemaConfiguration": {}}}, "convert"),
        ({"CustomTimeZone": "Asia/Tokyo"}, "UTC"),
        ({"ProcessingConfiguration": {"Enabled": "true", "Processors": [{"Type": "X"}]}}, "X"),
        ({"ProcessingConfiguration": {"Enabled": False, "Processors": [{"Type": "X"}]}}, None),
    ],
)
def test_a_stream_that_cannot_be_served_is_refused(
    config: dict[str, Any], says: str | None
) -> None:
    # HINTS, PARAMETER, TRANSFORM, PARTITIONS; the rest are gaps of the local cloud
    found = problem({**GOOD, **config})

    assert (found is None) == (says is None)
    assert (says or "") in (found or "")

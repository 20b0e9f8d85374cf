"""What becomes of records that are put into delivery streams, with IAM enforced.

The rules themselves are in tests/conformance; here is that real deliveries obey them, with times
divided by the clock scale.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.local.sources import Bench, eventually
from tests.local.templates import Stack
from tests.local.topics import arn, document, role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from odyssey_cli.target import Target

TRANSFORMER = """
import base64, json, os, time
def handler(event, context):
    ids = [record["recordId"] for record in event["records"]]
    print("SENT " + json.dumps([event["invocationId"], ids, event["deliveryStreamArn"]]))
    if "BROKEN" in os.environ:
        raise ValueError("Åsa 😀")
    time.sleep(float(os.environ.get("SECONDS", "0")))
    made = []
    for record in event["records"]:
        text = base64.b64decode(record["data"]).decode()
        data = base64.b64encode((text.upper() + chr(10)).encode()).decode()
        result = {"d": "Dropped", "f": "ProcessingFailed"}.get(text[:1], "Ok")
        made.append({"recordId": record["recordId"], "result": result, "data": data})
    return {"records": made}
"""
ERRORS = "errors/!{firehose:error-output-type}/"
Resources = dict[str, Any]


def delivers(*statements: dict[str, Any]) -> Resources:
    """Return a role that Firehose may assume."""
    made = role(*statements)
    [trust] = made["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    trust["Principal"] = {"Service": "firehose.amazonaws.com"}
    return made


def allow(action: str, *resources: object) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": list(resources)}


def transformer(**environment: str) -> Resources:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Code": {"ZipFile": TRANSFORMER},
            "Role": arn("Plain"),
            "Timeout": 60,
            "Environment": {"Variables": environment},
        },
    }


def processing(kind: str, parameters: Resources) -> Resources:
    named = [{"ParameterName": k, "ParameterValue": v} for k, v in parameters.items()]
    return {"Enabled": True, "Processors": [{"Type": kind, "Parameters": named}]}


def stream(
    name: str, function: str = "", *, role: str = "Delivers", seconds: int = 20, mib: int = 1,
    retries: int = 3, **more: Any,
) -> Resources:  # fmt: skip
    """Return a stream whose objects begin with its logical name."""
    parameters = {
        "LambdaArn": arn(function),
        "BufferIntervalInSeconds": str(seconds),
        "NumberOfRetries": str(retries),
    }
    processor = {"ProcessingConfiguration": processing("Lambda", parameters)}
    return {
        "Type": "AWS::KinesisFirehose::DeliveryStream",
        "Properties": {
            "DeliveryStreamType": "DirectPut",
            "DeliveryStreamEncryptionConfigurationInput": {"KeyType": "AWS_OWNED_CMK"},
            "Tags": [{"Key": "stack", "Value": "Åsa"}],
            "ExtendedS3DestinationConfiguration": {
                "BucketARN": arn("Lake"),
                "RoleARN": arn(role),
                "BufferingHints": {"SizeInMBs": mib, "IntervalInSeconds": seconds},
                "CompressionFormat": "GZIP",
                "Prefix": f"{name}/!{{timestamp:yyyy/MM/dd/HH}}/",
                "ErrorOutputPrefix": f"{name}/{ERRORS}",
                "CloudWatchLoggingOptions": {
                    "Enabled": True,
                    "LogGroupName": {"Ref": "Log"},
                    "LogStreamName": {"Ref": "LogStream"},
                },
                **(processor if function else {}),
                **more,
            },
        },
    }


def resources() -> Resources:
    lake, objects = arn("Lake"), {"Fn::Join": ["", [arn("Lake"), "/*"]]}
    functions = [arn(name) for name in ("Fine", "Slow", "Broken")]
    tls_only = {
        **allow("s3:*", lake, objects),
        "Effect": "Deny",
        "Principal": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    key = {"KMSEncryptionConfig": {"AWSKMSKeyARN": arn("Key")}}
    log = {"Ref": "Log"}
    logs = allow("logs:PutLogEvents", arn("Log"))
    query = {"MetadataExtractionQuery": "{type: .type}", "JsonParsingEngine": "JQ-1.6"}
    return {
        "Lake": {
            "Type": "AWS::S3::Bucket",
            "Properties": {"VersioningConfiguration": {"Status": "Enabled"}},
        },
        "LakePolicy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {"Bucket": {"Ref": "Lake"}, "PolicyDocument": document(tls_only)},
        },
        "Log": {"Type": "AWS::Logs::LogGroup", "Properties": {}},
        "LogStream": {"Type": "AWS::Logs::LogStream", "Properties": {"LogGroupName": log}},
        "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": document()}},
        "Plain": role(),
        "Delivers": delivers(
            allow("s3:PutObject", objects), allow("lambda:InvokeFunction", *functions), logs
        ),
        "Writes": delivers(allow("s3:PutObject", objects), logs),
        "Invokes": delivers(allow("lambda:InvokeFunction", *functions), logs),
        "Fine": transformer(),
        "Slow": transformer(SECONDS="4"),
        "Broken": transformer(BROKEN="yes"),
        "Whole": stream("Whole", "Fine", seconds=60, EncryptionConfiguration=key),
        "Waits": stream("Waits", "Slow"),
        "Fails": stream("Fails", "Broken", retries=1),
        "MayNotInvoke": stream("MayNotInvoke", "Fine", role="Writes", retries=0),
        "MayNotWrite": stream("MayNotWrite", "Fine", role="Invokes"),
        "Untouched": stream("Untouched", seconds=900),
        "Parted": stream(
            "Parted",
            mib=64,
            Prefix="Parted/type=!{partitionKeyFromQuery:type}/",
            DynamicPartitioningConfiguration={"Enabled": True},
            ProcessingConfiguration=processing("MetadataExtraction", query),
        ),
    }


class Lake:
    """Deployed streams, and what they wrote."""

    def __init__(self, target: Target) -> None:
        self.bench = Bench(target)
        self.stack = Stack(target)
        self.s3 = target.client("s3")
        self.firehose = target.client("firehose")

    def put(self, stream: str, *texts: str) -> dict[str, Any]:
        found: dict[str, Any] = self.firehose.put_record_batch(
            DeliveryStreamName=self.stack.physical_id(stream),
            Records=[{"Data": text.encode()} for text in texts],
        )
        return found

    def keys(self, prefix: str) -> list[str]:
        bucket = self.stack.physical_id("Lake")
        found = self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return [str(each["Key"]) for each in found]

    def written(self, prefix: str, count: int = 1, seconds: float = 12) -> dict[str, str]:
        """Return the text of objects by key once there are that many."""
        eventually(lambda: len(self.keys(prefix)), count, seconds)
        return {key: self.text(key) for key in self.keys(prefix)}

    def text(self, key: str) -> str:
        found = self.s3.get_object(Bucket=self.stack.physical_id("Lake"), Key=key)
        body: bytes = found["Body"].read()
        return (gzip.decompress(body) if key.endswith(".gz") else body).decode()

    def errors(self, stream: str, count: int = 1) -> list[dict[str, Any]]:
        texts = self.written(f"{stream}/errors/processing-failed/", count).values()
        return [json.loads(line) for text in texts for line in text.splitlines()]

    def sent(self, function: str) -> list[Any]:
        return self.bench.sent(self.stack.physical_id(function))

    def logged(self) -> list[dict[str, Any]]:
        group = self.stack.physical_id("Log")
        events = self.stack.target.client("logs").filter_log_events(logGroupName=group)["events"]
        return [json.loads(event["message"]) for event in events]

    def empty(self) -> None:
        bucket = self.stack.physical_id("Lake")
        found = self.s3.list_object_versions(Bucket=bucket)
        for each in found.get("Versions", []) + found.get("DeleteMarkers", []):
            self.s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])


@pytest.fixture(scope="module")
def lake(target: Target) -> Iterator[Lake]:
    lake = Lake(target)
    assert lake.stack.create(**resources()) == "CREATE_COMPLETE", lake.stack.reasons()
    yield lake
    lake.empty()
    assert lake.stack.delete() is None


def decoded(error: dict[str, Any]) -> str:
    return base64.b64decode(error["rawData"]).decode()


def test_records_are_buffered_transformed_in_one_call_and_written_as_one_object(
    lake: Lake, scale: float
) -> None:
    # WHEN
    began, day = time.monotonic(), datetime.now(UTC)
    first = lake.put("Whole", "a Åsa café 😀", "drop", "fail 1")
    second = lake.put("Whole", "b", "fail 2")
    assert (first["FailedPutCount"], first["Encrypted"]) == (0, True)
    ids = [each["RecordId"] for each in first["RequestResponses"] + second["RequestResponses"]]
    assert len(set(ids)) == 5

    # THEN the data is one object, two buffers later
    [(key, text)] = lake.written("Whole/2").items()
    assert time.monotonic() - began > 120 / scale
    assert text == "A ÅSA CAFÉ 😀\nB\n"
    name = re.escape(lake.stack.physical_id("Whole"))
    assert re.fullmatch(
        rf"Whole/{day:%Y/%m/%d}/\d\d/{name}-1-{day:%Y-%m-%d}(-\d\d){{3}}-[0-9a-f-]{{36}}\.gz", key
    )
    head = lake.s3.head_object(Bucket=lake.stack.physical_id("Lake"), Key=key)
    assert (head["ContentEncoding"], head["ContentType"]) == ("gzip", "application/octet-stream")
    assert head["VersionId"]
    assert head["SSEKMSKeyId"].endswith(lake.stack.physical_id("Key"))

    # AND what the function refused is in the error prefix, each a line
    errors = lake.errors("Whole")
    assert [decoded(error) for error in errors] == ["fail 1", "fail 2"]
    assert {error["errorCode"] for error in errors} == {"Lambda.ProcessingFailedStatus"}
    assert {error["attemptsMade"] for error in errors} == {1}
    # AND the function was invoked once
    name = lake.stack.physical_id("Whole")
    [names] = [ids for _, ids, arn in lake.sent("Fine") if arn.endswith(f"/{name}")]
    assert len(set(names)) == 5


def test_a_function_that_fails_gets_the_same_records_again_and_then_all_are_errors(
    lake: Lake,
) -> None:
    lake.put("Fails", "one", "two")

    errors = lake.errors("Fails")
    assert [decoded(error) for error in errors] == ["one", "two"]
    assert {error["errorCode"] for error in errors} == {"Lambda.FunctionError"}
    assert {error["attemptsMade"] for error in errors} == {2}
    [[first, ids, _], [second, same, _]] = lake.sent("Broken")
    assert ids == same
    assert first != second
    assert lake.keys("Fails/2") == []

    # AND the stream's log says so
    said = [each for each in lake.logged() if each["errorCode"] == "Lambda.FunctionError"]
    assert said[0]["processor"].endswith(lake.stack.physical_id("Broken"))


def test_streams_do_not_wait_for_each_other_nor_for_a_missing_permission(lake: Lake) -> None:
    # GIVEN a stream whose role may not write, and one whose function is slow
    lake.put("MayNotWrite", "late")
    lake.put("Waits", "slow")

    # WHEN another stream's records come
    lake.put("MayNotInvoke", "refused")
    lake.put("Parted", '{"type": "order"}', '{"type": "device"}', '{"type": "order", "n": 2}', "no")

    # THEN they get through first
    parts = lake.written("Parted/type=", 2)
    assert {key.split("/")[1]: text for key, text in parts.items()} == {
        "type=order": '{"type": "order"}{"type": "order", "n": 2}',
        "type=device": '{"type": "device"}',
    }
    assert [decoded(error) for error in lake.errors("Parted")] == ["no"]
    [error] = lake.errors("MayNotInvoke")
    assert (error["errorCode"], error["attemptsMade"]) == ("Lambda.InvokeAccessDenied", 1)
    assert lake.keys("Waits/") == []

    # AND what could not be written is, once the role may
    assert lake.keys("MayNotWrite/") == []
    eventually(lambda: "S3.AccessDenied" in {each["errorCode"] for each in lake.logged()}, True)
    lake.stack.target.client("iam").put_role_policy(
        RoleName=lake.stack.physical_id("Invokes"),
        PolicyName="more",
        PolicyDocument=json.dumps(document(allow("s3:PutObject", "*"))),
    )
    assert [*lake.written("MayNotWrite/2").values()] == ["LATE\n"]
    assert [*lake.written("Waits/2").values()] == ["SLOW\n"]


def test_a_buffer_that_is_full_does_not_wait_and_limits_are_those_of_aws(lake: Lake) -> None:
    # GIVEN a stream with an interval of 45 seconds here
    name = lake.stack.physical_id("Untouched")
    errors = lake.firehose.exceptions

    # WHEN more than a megabyte comes
    lake.put("Untouched", "x" * 1_000_000)
    lake.put("Untouched", "y" * 100_000)

    # THEN it is delivered as it came, up to the size
    [text] = lake.written("Untouched/2", seconds=5).values()
    assert text == "x" * 1_000_000

    # AND what is too much is refused as a whole
    with pytest.raises(errors.ClientError, match="less than or equal to 500") as refused:
        lake.put("Untouched", *["z"] * 501)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(errors.ClientError, match=r"'records\.1\.member\.data'"):
        lake.put("Untouched", "z" * 1_024_001)
    with pytest.raises(errors.InvalidArgumentException, match="4 MB"):
        lake.put("Untouched", *["z" * 1_000_000] * 4, "z" * 200_000)
    with pytest.raises(errors.ResourceNotFoundException):
        lake.firehose.put_record(DeliveryStreamName="none", Record={"Data": b""})

    # AND an update changes the stream in place, and what it has in its buffer
    changed = resources()
    changed["Untouched"] = stream("Untouched", seconds=0, CompressionFormat="UNCOMPRESSED")
    changed["Untouched"]["Properties"]["Tags"] = [{"Key": "stage", "Value": "dev"}]
    assert lake.stack.update(**changed) == "UPDATE_COMPLETE", lake.stack.reasons()
    lake.firehose.put_record(DeliveryStreamName=name, Record={"Data": b"z"})
    found = lake.written("Untouched/2", 3, seconds=5)
    plain = {key: text for key, text in found.items() if not key.endswith(".gz")}
    assert set(plain.values()) == {"y" * 100_000, "z"}
    assert all(f"/{name}-2-" in key for key in plain)
    made = lake.firehose.describe_delivery_stream(DeliveryStreamName=name)
    description = made["DeliveryStreamDescription"]
    assert description["DeliveryStreamEncryptionConfiguration"]["Status"] == "ENABLED"
    [destination] = description["Destinations"]
    assert destination["DestinationId"] == "destinationId-000000000001"
    to = destination["ExtendedS3DestinationDescription"]
    assert to["BufferingHints"] == {"SizeInMBs": 1, "IntervalInSeconds": 0}
    assert to["CloudWatchLoggingOptions"]["LogGroupName"] == lake.stack.physical_id("Log")
    tags = lake.firehose.list_tags_for_delivery_stream(DeliveryStreamName=name)["Tags"]
    assert {"Key": "stage", "Value": "dev"} in tags
    assert "stack" not in {tag["Key"] for tag in tags}
    assert "aws:cloudformation:stack-name" in {tag["Key"] for tag in tags}


def test_a_stream_that_cannot_deliver_is_not_made_and_one_that_is_deleted_loses_its_buffer(
    lake: Lake, cloud_state: Path
) -> None:
    errors = lake.firehose.exceptions
    iam, bucket = lake.stack.target.client("iam"), lake.stack.physical_id("Lake")
    roles = {
        name: iam.get_role(RoleName=lake.stack.physical_id(name))["Role"]["Arn"]
        for name in ("Delivers", "Plain")
    }
    name = f"stream-{uuid.uuid4().hex[:8]}"

    def create(role: str, **more: Any) -> None:
        to = {"BucketARN": f"arn:aws:s3:::{bucket}", "RoleARN": roles[role], **more}
        lake.firehose.create_delivery_stream(
            DeliveryStreamName=name, ExtendedS3DestinationConfiguration=to
        )

    with pytest.raises(errors.InvalidArgumentException, match="unable to assume role"):
        create("Plain")
    with pytest.raises(errors.InvalidArgumentException, match="ErrorOutputPrefix can't be null"):
        create("Delivers", Prefix="!{timestamp:yyyy}/")
    with pytest.raises(errors.InvalidArgumentException, match="does not compress"):
        create("Delivers", CompressionFormat="ZIP")

    create("Delivers", Prefix="lost/")
    lake.firehose.put_record(DeliveryStreamName=name, Record={"Data": b"lost"})
    lake.firehose.delete_delivery_stream(DeliveryStreamName=name)

    def said() -> bool:
        log = (cloud_state / "cloud.log").read_text()
        return f"{name} was deleted with 1 records in its buffers" in log

    assert eventually(said, True)
    assert lake.keys("lost/") == []

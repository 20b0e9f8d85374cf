"""Buckets and objects of the local cloud, as a stack or a role meets them."""

from __future__ import annotations

import base64
import concurrent.futures
import hashlib
import uuid
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.local.functions import allow, policy, role
from tests.local.templates import Stack

if TYPE_CHECKING:
    from odyssey_cli.target import Target

CONFIGURED = {
    "VersioningConfiguration": {"Status": "Enabled"},
    "PublicAccessBlockConfiguration": {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": False,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": False,
    },
    "BucketEncryption": {
        "ServerSideEncryptionConfiguration": [
            {
                "BucketKeyEnabled": True,
                "ServerSideEncryptionByDefault": {
                    "SSEAlgorithm": "aws:kms",
                    "KMSMasterKeyID": "alias/one",
                },
            }
        ]
    },
    "LifecycleConfiguration": {
        "Rules": [
            {
                "Id": "Overwritten",
                "Status": "Enabled",
                "ExpiredObjectDeleteMarker": True,
                "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
            },
            {
                "Id": "Unfinished",
                "Status": "Enabled",
                "Prefix": "raw/",
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            },
        ]
    },
}


@pytest.fixture
def stack(target: Target) -> Stack:
    return Stack(target)


@pytest.fixture
def s3(target: Target) -> Any:
    return target.client("s3")


@pytest.fixture
def versioned(s3: Any) -> str:
    name = f"bucket-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def bucket(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::S3::Bucket", "Properties": properties}


def tags(**given: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in given.items()]


def own_tags(s3: Any, name: str) -> dict[str, str]:
    """Return a bucket's tags without those that CloudFormation adds."""
    found = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=name)["TagSet"]}
    return {key: value for key, value in found.items() if not key.startswith("aws:")}


def as_role(target: Target, *statements: dict[str, Any]) -> Any:
    """Return a client of S3 for a role that may do what the statements say."""
    session = target.client("sts").assume_role(
        RoleArn=role(target, *statements), RoleSessionName="reader"
    )["Credentials"]
    return boto3.client(
        "s3",
        endpoint_url=target.endpoint,
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )


def put(s3: Any, **request: Any) -> str:
    """Put an object; return "OK" or the error's code."""
    try:
        s3.put_object(**request)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "OK"


def test_a_bucket_has_the_tags_of_its_template(stack: Stack, s3: Any) -> None:
    # GIVEN a stack with a bucket
    assert stack.create(Bucket=bucket(Tags=tags(a="1", b="2"))) == "CREATE_COMPLETE"
    name = stack.physical_id("Bucket")
    assert own_tags(s3, name) == {"a": "1", "b": "2"}

    # WHEN a tag is dropped, one is changed and one is new, and all are dropped
    assert stack.update(Bucket=bucket(Tags=tags(b="3", c="4"))) == "UPDATE_COMPLETE"

    # THEN the bucket, which is still the same, follows, and names its stack
    assert own_tags(s3, name) == {"b": "3", "c": "4"}
    found = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=name)["TagSet"]}
    assert found["aws:cloudformation:stack-name"] == stack.name
    assert stack.update(Bucket=bucket()) == "UPDATE_COMPLETE"
    assert own_tags(s3, name) == {}
    assert stack.physical_id("Bucket") == name
    assert stack.delete() is None


def test_a_bucket_can_be_asked_for_what_its_template_says(stack: Stack, s3: Any) -> None:
    # GIVEN a bucket with all that our templates set
    assert stack.create(Bucket=bucket(**CONFIGURED)) == "CREATE_COMPLETE"
    name = stack.physical_id("Bucket")

    # THEN S3 says it back
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    blocked = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    assert blocked == CONFIGURED["PublicAccessBlockConfiguration"]
    encryption = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]
    assert encryption["Rules"] == [
        {
            "ApplyServerSideEncryptionByDefault": {
                "SSEAlgorithm": "aws:kms",
                "KMSMasterKeyID": "alias/one",
            },
            "BucketKeyEnabled": True,
        }
    ]
    assert s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"] == [
        {
            "ID": "Overwritten",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
        },
        {
            "ID": "Unfinished",
            "Status": "Enabled",
            "Filter": {"Prefix": "raw/"},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        },
    ]

    # WHEN the template says nothing of it any more
    assert stack.update(Bucket=bucket()) == "UPDATE_COMPLETE"

    # THEN the bucket is as a new one, but a versioned bucket can only be suspended
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Suspended"
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket=name)
    encryption = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]
    [rule] = encryption["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert stack.delete() is None


@pytest.mark.parametrize("left", ["object", "version", "marker"])
def test_a_stack_cannot_delete_a_bucket_that_is_not_empty(stack: Stack, s3: Any, left: str) -> None:
    # GIVEN a bucket that holds an object, or only a version that was deleted, or only its marker
    stack.create(Bucket=bucket(VersioningConfiguration={"Status": "Enabled"}))
    name = stack.physical_id("Bucket")
    versions = [s3.put_object(Bucket=name, Key="one", Body=b"1")["VersionId"]]
    if left != "object":
        versions.append(s3.delete_object(Bucket=name, Key="one")["VersionId"])
    if left == "marker":
        s3.delete_object(Bucket=name, Key="one", VersionId=versions.pop(0))

    # WHEN the stack is deleted
    assert stack.delete() == "DELETE_FAILED"

    # THEN it says why, and the bucket still has what it had
    assert "BucketNotEmpty" in stack.reasons()
    for version in versions:
        s3.delete_object(Bucket=name, Key="one", VersionId=version)
    assert stack.delete() is None
    with pytest.raises(ClientError, match="404"):
        s3.head_bucket(Bucket=name)


def test_an_object_is_created_once_however_many_try(s3: Any, versioned: str) -> None:
    plain = f"bucket-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=plain)
    for name in (plain, versioned):
        # GIVEN many that would create the same object and replace none
        request = {"Bucket": name, "Key": "one", "IfNoneMatch": "*"}

        # WHEN they try at the same time
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            tries = [pool.submit(put, s3, **request, Body=bytes([n])) for n in range(20)]

        # THEN one can, and so can the next one after a deletion
        answers = sorted(each.result() for each in tries)
        assert answers == ["OK"] + ["PreconditionFailed"] * 19
        s3.delete_object(Bucket=name, Key="one")
        assert put(s3, **request) == "OK"


def test_an_object_keeps_the_checksum_that_it_was_sent_with(s3: Any, versioned: str) -> None:
    # GIVEN an object with its checksum
    checksum = base64.b64encode(hashlib.sha256(b"one").digest()).decode()
    s3.put_object(Bucket=versioned, Key="one", Body=b"one", ChecksumSHA256=checksum)

    # THEN it is said with it, and another object is refused with that checksum
    for read in (s3.get_object, s3.head_object):
        found = read(Bucket=versioned, Key="one", ChecksumMode="ENABLED")
        assert (found["ChecksumSHA256"], found["ChecksumType"]) == (checksum, "FULL_OBJECT")
    with pytest.raises(ClientError, match="BadDigest"):
        s3.put_object(Bucket=versioned, Key="one", Body=b"two", ChecksumSHA256=checksum)


def test_only_who_may_list_is_told_that_an_object_is_missing(
    target: Target, s3: Any, versioned: str
) -> None:
    # GIVEN two roles of which one may list the bucket
    arn = f"arn:aws:s3:::{versioned}"
    get = allow("s3:GetObject", f"{arn}/*")
    reader, lister = as_role(target, get), as_role(target, get, allow("s3:ListBucket", arn))
    s3.put_object(Bucket=versioned, Key="there", Body=b"")

    # THEN both read what is there, and one learns what is not
    for client in (reader, lister):
        client.get_object(Bucket=versioned, Key="there")
    with pytest.raises(ClientError, match=r"AccessDenied.*s3:ListBucket"):
        reader.get_object(Bucket=versioned, Key="missing")
    with pytest.raises(ClientError, match="403"):
        reader.head_object(Bucket=versioned, Key="missing")
    with pytest.raises(ClientError, match="NoSuchKey"):
        lister.get_object(Bucket=versioned, Key="missing")
    with pytest.raises(ClientError, match="404"):
        lister.head_object(Bucket=versioned, Key="missing")


def test_a_bucket_over_tls_only_takes_what_a_role_sends(
    target: Target, s3: Any, versioned: str
) -> None:
    # GIVEN a bucket with the statement that CDK writes for `enforce_ssl`
    arn = f"arn:aws:s3:::{versioned}"
    deny = {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(Bucket=versioned, Policy=policy(deny))

    # THEN a role that may write can, and nothing else
    writer = as_role(target, allow("s3:PutObject", f"{arn}/*"))
    writer.put_object(Bucket=versioned, Key="one", Body=b"")
    with pytest.raises(ClientError, match=r"AccessDenied.*s3:GetObject"):
        writer.get_object(Bucket=versioned, Key="one")


EMPTYING = ("s3:ListBucketVersions", "s3:GetBucketTagging", "s3:DeleteObjectVersion")


def emptier(target: Target, name: str, *actions: str) -> Any:
    arn = f"arn:aws:s3:::{name}"
    resources = {action: f"{arn}/*" if "Object" in action else arn for action in actions}
    return as_role(target, *(allow(action, on) for action, on in resources.items()))


def empty(s3: Any, name: str) -> list[dict[str, Any]]:
    """Do what a function that empties a bucket does; return what it could not delete."""
    s3.get_bucket_tagging(Bucket=name)
    errors = []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        found = page.get("Versions", []) + page.get("DeleteMarkers", [])
        named = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
        errors += s3.delete_objects(Bucket=name, Delete={"Objects": named}).get("Errors", [])
    return errors


def fill(s3: Any, name: str, markers: int = 0) -> None:
    """Put five versions and markers of three objects, and markers of objects that never were."""
    for key in ("0", "1", "2", "0"):
        s3.put_object(Bucket=name, Key=key, Body=b"")
    s3.delete_object(Bucket=name, Key="1")
    if markers:
        named = [{"Key": f"never-{n}"} for n in range(markers)]
        s3.delete_objects(Bucket=name, Delete={"Objects": named, "Quiet": True})
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags(a="1")})


def test_three_permissions_empty_a_bucket(target: Target, s3: Any, versioned: str) -> None:
    # GIVEN a bucket with more versions and delete markers than fit on a page
    fill(s3, versioned, markers=1000)

    # WHEN a role with just these permissions empties it
    assert empty(emptier(target, versioned, *EMPTYING), versioned) == []

    # THEN nothing is left
    s3.delete_bucket(Bucket=versioned)


@pytest.mark.parametrize("missing", EMPTYING)
def test_none_of_them_can_be_left_out(
    target: Target, s3: Any, versioned: str, missing: str
) -> None:
    # GIVEN a role without one of them, and with the permission for objects without a version
    fill(s3, versioned)
    others = {*EMPTYING, "s3:DeleteObject"} - {missing}
    client = emptier(target, versioned, *others)

    # THEN it is refused, and the refusal names what is missing: each object's on its own
    if missing == "s3:DeleteObjectVersion":
        errors = empty(client, versioned)
        assert len(errors) == 5
        assert {error["Code"] for error in errors} == {"AccessDenied"}
        assert all(missing in error["Message"] for error in errors)
    else:
        with pytest.raises(ClientError, match=f"AccessDenied.*{missing}"):
            empty(client, versioned)


def test_some_objects_of_a_batch_can_be_refused(target: Target, s3: Any, versioned: str) -> None:
    # GIVEN a role that may delete one of two objects
    fill(s3, versioned)
    client = as_role(target, allow("s3:DeleteObject", f"arn:aws:s3:::{versioned}/0"))

    # WHEN it would delete both
    both = {"Objects": [{"Key": "2"}, {"Key": "0"}]}
    answer = client.delete_objects(Bucket=versioned, Delete=both)

    # THEN one goes, and the other stays
    assert [deleted["Key"] for deleted in answer["Deleted"]] == ["0"]
    [error] = answer["Errors"]
    assert (error["Key"], error["Code"]) == ("2", "AccessDenied")
    assert "s3:DeleteObject " in error["Message"]
    left = s3.list_objects_v2(Bucket=versioned)["Contents"]
    assert [each["Key"] for each in left] == ["2"]


@pytest.mark.parametrize("call", ["put_item", "update_item"])
def test_a_condition_that_fails_shows_the_item_that_is_there(target: Target, call: str) -> None:
    # GIVEN a table with an item
    dynamodb = target.client("dynamodb")
    table = f"table-{uuid.uuid4().hex[:8]}"
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {"id": {"S": "one"}, "count": {"N": "1"}}
    dynamodb.put_item(TableName=table, Item=item)

    # WHEN a write fails on its condition, on that item and on one that is not there
    def failure(id: str) -> dict[str, Any]:
        key: dict[str, Any] = {"Item" if call == "put_item" else "Key": {"id": {"S": id}}}
        with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException) as caught:
            getattr(dynamodb, call)(
                TableName=table,
                ConditionExpression="revision = :revision",
                ExpressionAttributeValues={":revision": {"N": "7"}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **key,
            )
        return dict(caught.value.response)

    # THEN the error has the one item, and no other
    assert failure("one")["Item"] == item
    assert "Item" not in failure("two")

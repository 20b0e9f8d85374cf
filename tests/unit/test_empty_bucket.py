"""The bucket is emptied when its resource is deleted, and CloudFormation always gets an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from custom_resources import empty_bucket
from custom_resources.emptying import EMPTY_TAG, empty
from proofs.fakes.dynamodb import Call, FakeDynamoDB, refusal
from proofs.fakes.s3 import FakeS3
from shared import clients
from tests.builders import FakeContext
from tests.unit.answering import asked, identity

if TYPE_CHECKING:
    from tests.unit.answering import CloudFormation


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> FakeS3:
    """A bucket with the tag, a bucket without, and objects in both."""
    client = FakeS3.with_buckets(FakeDynamoDB.with_tables(), "files", "others")
    client.tags["files"] = {"odyssey:stack": "Discovery", EMPTY_TAG: "true"}
    for bucket in client.buckets:
        for content in (b"first", b"second", None):
            client.store(bucket, "a/laptop.json", content)
        client.store(bucket, "b/å 😀.json", b"only")
    monkeypatch.setattr(clients, "s3", lambda: client)
    return client


def request(request_type: str) -> dict[str, Any]:
    return asked(request_type, "Custom::EmptyBucket", "FilesEmpty", Bucket="files")


def handle(request_type: str, **changes: Any) -> None:
    """Let the function handle a request, in a context with `changes`."""
    empty_bucket.handler(request(request_type), FakeContext(**changes))  # type: ignore[arg-type]


def left(s3: FakeS3, bucket: str = "files") -> int:
    return sum(len(versions) for versions in s3.buckets[bucket].values())


def operations(s3: FakeS3) -> list[str]:
    return [call.operation for call in s3.dynamodb.calls]


def test_a_deletion_leaves_no_version_and_no_delete_marker(
    s3: FakeS3, formation: CloudFormation
) -> None:
    handle("Delete")
    assert left(s3) == 0
    assert [answer["Status"] for answer in formation.answers] == ["SUCCESS"]


def test_the_answer_has_the_documented_fields(s3: FakeS3, formation: CloudFormation) -> None:
    handle("Delete")
    assert formation.answers == [
        identity(request("Delete"))
        | {"Status": "SUCCESS", "Reason": "", "PhysicalResourceId": "files"}
    ]


@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_nothing_is_deleted_before_the_resource_is(
    s3: FakeS3, formation: CloudFormation, request_type: str
) -> None:
    handle(request_type)
    assert operations(s3) == []
    assert [answer["Status"] for answer in formation.answers] == ["SUCCESS"]


@pytest.mark.parametrize(
    "tags", [{}, {"odyssey:stack": "Discovery"}, {EMPTY_TAG: "false"}, {EMPTY_TAG.upper(): "true"}]
)
def test_a_bucket_that_has_lost_the_tag_keeps_its_data(
    s3: FakeS3, formation: CloudFormation, tags: dict[str, str]
) -> None:
    s3.tags["files"] = tags
    handle("Delete")
    assert left(s3) == 4
    assert operations(s3) == ["GetBucketTagging"]
    assert [answer["Status"] for answer in formation.answers] == ["SUCCESS"]


def test_only_the_bucket_of_the_request_is_emptied(s3: FakeS3, formation: CloudFormation) -> None:
    s3.tags["others"] = {EMPTY_TAG: "true"}
    handle("Delete")
    assert left(s3, "others") == 4


def test_a_bucket_that_is_gone_is_a_success(s3: FakeS3, formation: CloudFormation) -> None:
    del s3.buckets["files"]
    handle("Delete")
    assert [answer["Status"] for answer in formation.answers] == ["SUCCESS"]


def test_an_empty_bucket_takes_no_deletion(s3: FakeS3, formation: CloudFormation) -> None:
    s3.buckets["files"].clear()
    handle("Delete")
    assert "DeleteObjects" not in operations(s3)
    assert [answer["Status"] for answer in formation.answers] == ["SUCCESS"]


def test_more_versions_than_a_page_holds_are_all_deleted(s3: FakeS3) -> None:
    # GIVEN 2,504 versions and markers
    for number in range(1_250):
        s3.store("files", f"c/{number}", b"content")
        s3.store("files", f"c/{number}", None)
    # WHEN / THEN
    assert empty("files", s3, lambda: True) == 2_504  # type: ignore[arg-type]
    assert left(s3) == 0
    assert operations(s3).count("DeleteObjects") == 3


def test_what_cannot_be_deleted_is_a_failure_that_names_it(
    s3: FakeS3, formation: CloudFormation
) -> None:
    s3.locked = {"a/laptop.json"}
    handle("Delete")
    [answer] = formation.answers
    assert answer["Status"] == "FAILED"
    assert answer["PhysicalResourceId"] == "files"
    for part in ("files could not be emptied", "3 objects", "a/laptop.json", "AccessDenied"):
        assert part in answer["Reason"]


@pytest.mark.parametrize("operation", ["GetBucketTagging", "ListObjectVersions", "DeleteObjects"])
def test_whatever_call_is_refused_there_is_an_answer_with_the_reason(
    s3: FakeS3, formation: CloudFormation, operation: str
) -> None:
    def refuse(call: Call) -> None:
        if call.operation == operation:
            raise refusal("AccessDenied", operation)

    s3.dynamodb.before = refuse
    handle("Delete")
    [answer] = formation.answers
    assert answer["Status"] == "FAILED"
    assert "AccessDenied" in answer["Reason"]
    assert left(s3) == 4


@pytest.mark.parametrize("status", [300, 403, 503])
def test_an_answer_that_is_not_taken_is_an_error_so_that_lambda_tries_again(
    s3: FakeS3, formation: CloudFormation, status: int
) -> None:
    formation.status = status
    with pytest.raises(RuntimeError, match=str(status)):
        handle("Delete")


def test_a_long_error_makes_no_answer_that_is_too_long(
    s3: FakeS3, formation: CloudFormation
) -> None:
    def refuse(call: Call) -> None:
        raise ValueError("😀" * 2_000)

    s3.dynamodb.before = refuse
    handle("Delete")
    assert formation.answers[0]["Status"] == "FAILED"


def test_when_time_is_short_the_answer_is_a_failure_that_says_what_to_do(
    s3: FakeS3, formation: CloudFormation
) -> None:
    # GIVEN less time than another thousand versions and the answer may take
    handle("Delete", remaining=119_999)
    # THEN there is an answer, and nothing was begun
    [answer] = formation.answers
    assert answer["Status"] == "FAILED"
    assert answer["Reason"] == (
        "files could not be emptied: 0 versions are gone, more are left; delete it again"
    )
    assert answer["PhysicalResourceId"] == "files"
    assert left(s3) == 4
    assert "DeleteObjects" not in operations(s3)


def test_as_long_as_there_is_time_it_deletes(s3: FakeS3, formation: CloudFormation) -> None:
    handle("Delete", remaining=120_001)
    assert [answer["Status"] for answer in formation.answers] == ["SUCCESS"]
    assert left(s3) == 0


def test_an_empty_bucket_needs_no_time(s3: FakeS3, formation: CloudFormation) -> None:
    s3.buckets["files"].clear()
    handle("Delete", remaining=1)
    assert [answer["Status"] for answer in formation.answers] == ["SUCCESS"]


def test_what_there_was_no_time_for_is_deleted_the_next_time(s3: FakeS3) -> None:
    # GIVEN 2,504 versions and time for the first thousand
    for number in range(2_500):
        s3.store("files", f"c/{number}", b"content")
    time_left = iter([True, False])
    # WHEN
    with pytest.raises(RuntimeError, match="1000 versions are gone, more are left"):
        empty("files", s3, lambda: next(time_left))  # type: ignore[arg-type]
    # THEN a thousand are gone, and whoever deletes again deletes the rest
    assert left(s3) == 1_504
    assert empty("files", s3, lambda: True) == 1_504  # type: ignore[arg-type]
    assert left(s3) == 0

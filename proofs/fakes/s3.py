"""An in-memory S3 client: versioned buckets; calls are counted with DynamoDB's.

Rules: "PutObject", "GetObject", "ListObjectVersions", "DeleteObjects" and "GetBucketTagging" (API
Reference), "How to prevent object overwrites with conditional writes", 2026-11-21.
"""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from proofs.fakes.dynamodb import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proofs.fakes.dynamodb import FakeDynamoDB

MAX_PAGE = MAX_DELETIONS = 1_000
OWNER = "123456789012"


@dataclass(frozen=True)
class Version:
    """A version of an object, or a delete marker, which has no content."""

    number: int
    content: bytes | None
    checksum: str | None = None

    @property
    def id(self) -> str:
        """Its id."""
        return f"v{self.number}"


@dataclass
class FakeS3:
    """Versioned buckets by name.

    Attributes:
        dynamodb: whose hooks and numbers the calls share.
        buckets: by name, by key, the versions of each object, oldest first.
        tags: the tags of each bucket that has some.
        locked: keys whose versions cannot be deleted.
    """

    dynamodb: FakeDynamoDB
    buckets: dict[str, dict[str, list[Version]]]
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    locked: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @classmethod
    def with_buckets(cls, dynamodb: FakeDynamoDB, *names: str) -> FakeS3:
        return cls(dynamodb, {name: {} for name in names})

    def store(self, bucket: str, key: str, content: bytes | None) -> None:
        """Add a version as somebody else, without a checksum; None adds a delete marker."""
        versions = self.buckets[bucket].setdefault(key, [])
        versions.append(Version(next(self._numbers), content))

    def put_object(
        self,
        *,
        Bucket: str,  # noqa: N803 - boto3's names
        Key: str,  # noqa: N803
        Body: bytes,  # noqa: N803
        ContentType: str = "binary/octet-stream",  # noqa: N803
        ChecksumSHA256: str | None = None,  # noqa: N803
        IfNoneMatch: str | None = None,  # noqa: N803
        ExpectedBucketOwner: str | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        call = self.dynamodb.begin("PutObject", locals())
        _check_owner(ExpectedBucketOwner, call.operation)
        objects = self._bucket(Bucket, call.operation)
        versions = objects.get(Key, [])
        if ChecksumSHA256 not in (None, _checksum(Body)):
            raise refusal("BadDigest", call.operation)
        if IfNoneMatch == "*" and versions and versions[-1].content is not None:
            raise refusal("PreconditionFailed", call.operation)
        version = Version(next(self._numbers), Body, ChecksumSHA256)
        objects[Key] = [*versions, version]
        self.dynamodb.after(call)
        return {"VersionId": version.id}

    def get_object(
        self,
        *,
        Bucket: str,  # noqa: N803
        Key: str,  # noqa: N803
        ChecksumMode: str | None = None,  # noqa: N803
        ExpectedBucketOwner: str | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        call = self.dynamodb.begin("GetObject", locals())
        _check_owner(ExpectedBucketOwner, call.operation)
        versions = self._bucket(Bucket, call.operation).get(Key)
        if not versions or versions[-1].content is None:
            raise refusal("NoSuchKey", call.operation)
        last = versions[-1]
        self.dynamodb.after(call)
        content = last.content or b""
        answer: dict[str, Any] = {
            "Body": io.BytesIO(content),
            "ContentLength": len(content),
            "VersionId": last.id,
        }
        if ChecksumMode == "ENABLED" and last.checksum is not None:
            answer["ChecksumSHA256"] = last.checksum
        return answer

    def get_bucket_tagging(self, *, Bucket: str) -> dict[str, Any]:  # noqa: N803
        call = self.dynamodb.begin("GetBucketTagging", locals())
        self._bucket(Bucket, call.operation)
        if not self.tags.get(Bucket):
            raise refusal("NoSuchTagSet", call.operation)
        self.dynamodb.after(call)
        tags = self.tags[Bucket]
        return {"TagSet": [{"Key": name, "Value": value} for name, value in tags.items()]}

    def get_paginator(self, operation: str) -> _Versions:
        assert operation == "list_object_versions"
        return _Versions(self)

    def delete_objects(self, *, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        call = self.dynamodb.begin("DeleteObjects", locals())
        objects = self._bucket(Bucket, call.operation)
        if not 1 <= len(Delete["Objects"]) <= MAX_DELETIONS:
            raise refusal("MalformedXML", call.operation)
        errors, deleted = [], []
        for each in Delete["Objects"]:
            if each["Key"] in self.locked:
                errors.append({**each, "Code": "AccessDenied", "Message": "Access Denied"})
                continue
            left = [v for v in objects.get(each["Key"], []) if v.id != each["VersionId"]]
            objects[each["Key"]] = left
            if not left:
                del objects[each["Key"]]
            deleted.append(each)
        self.dynamodb.after(call)
        answer = {} if Delete.get("Quiet") else {"Deleted": deleted}
        return answer | ({"Errors": errors} if errors else {})

    def _bucket(self, name: str, operation: str) -> dict[str, list[Version]]:
        if name not in self.buckets:
            raise refusal("NoSuchBucket", operation)
        return self.buckets[name]

    def _page(self, bucket: str, after: tuple[str, int] | None) -> list[tuple[str, Version]]:
        """Return the next versions, by key, the newest first."""
        call = self.dynamodb.begin("ListObjectVersions", {"Bucket": bucket, "after": after})
        found = [
            (key, version)
            for key, versions in sorted(self._bucket(bucket, call.operation).items())
            for version in reversed(versions)
            if after is None or (key, -version.number) > after
        ]
        self.dynamodb.after(call)
        return found[:MAX_PAGE]


@dataclass(frozen=True)
class _Versions:
    """The paginator of ListObjectVersions; each page is listed when it is asked for."""

    client: FakeS3

    def paginate(self, *, Bucket: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        after: tuple[str, int] | None = None
        while True:
            page = self.client._page(Bucket, after)
            answer: dict[str, Any] = {}
            for key, version in page:
                kind = "DeleteMarkers" if version.content is None else "Versions"
                answer.setdefault(kind, []).append({"Key": key, "VersionId": version.id})
            yield answer
            if len(page) < MAX_PAGE:
                return
            key, version = page[-1]
            after = (key, -version.number)


def _checksum(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _check_owner(expected: str | None, operation: str) -> None:
    """Refuse what is meant for another account's bucket ("Verifying bucket ownership")."""
    if expected not in (None, OWNER):
        raise refusal("AccessDenied", operation, status=403)

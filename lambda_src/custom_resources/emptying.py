"""Emptying a bucket that may be emptied.

Only one that carries the tag may. CloudFormation removes the tag, with all other changes, before
it deletes what a template no longer has; so a stack that turns from dev to prod, and loses its
emptying, keeps its data. Tags are eventually consistent ("Amazon S3 data consistency model",
2026-11-21): that a removed one is seen to be gone rests on the minutes in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_s3 import S3Client

EMPTY_TAG = "odyssey:empty-on-delete"


def empty(bucket: str, client: S3Client, has_time: Callable[[], bool]) -> int:
    """Delete every version of every object of a tagged bucket; return how many there were.

    Args:
        bucket: its name; one that is gone already, or has no tag, is left alone.
        client: for S3.
        has_time: whether there is time for another thousand.

    Raises:
        RuntimeError: some could not be deleted, or there was no time for all.
    """
    if not _may_be_emptied(bucket, client):
        return 0
    deleted = 0
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if not found:
            continue
        if not has_time():
            raise RuntimeError(f"{deleted} versions are gone, more are left; delete it again")
        versions: Any = [{name: each[name] for name in ("Key", "VersionId")} for each in found]
        left = client.delete_objects(Bucket=bucket, Delete={"Objects": versions, "Quiet": True})
        if errors := left.get("Errors"):
            raise RuntimeError(f"{len(errors)} objects stay, the first: {errors[0]}")
        deleted += len(versions)
    return deleted


def _may_be_emptied(bucket: str, client: S3Client) -> bool:
    try:
        tags = client.get_bucket_tagging(Bucket=bucket)["TagSet"]
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchBucket", "NoSuchTagSet"):
            return False
        raise
    return {"Key": EMPTY_TAG, "Value": "true"} in tags

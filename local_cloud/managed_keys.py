"""SSE-KMS without a key: S3 then encrypts with the key that AWS manages for it.

MiniStack refuses such a write. The CDK's command line makes it for every asset, because the
bucket of its bootstrap asks for `aws:kms` and names no key.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/specifying-kms-encryption.html
read 2026-11-21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_cloud.ground import Hook

if TYPE_CHECKING:
    from collections.abc import Callable

_RESOLVE = Hook("ministack.services.s3", "_resolve_sse_write_headers", ("headers", "bucket_name"))
HOOKS = (_RESOLVE,)

_ALGORITHM = "x-amz-server-side-encryption"
_KEY = "x-amz-server-side-encryption-aws-kms-key-id"


def with_key(headers: dict[str, str]) -> dict[str, str]:
    """Return a write's headers, with S3's own key where SSE-KMS is asked for without one."""
    if headers.get(_ALGORITHM) == "aws:kms" and not headers.get(_KEY):
        return headers | {_KEY: "alias/aws/s3"}
    return headers


def install() -> None:
    """Put the key in before MiniStack looks for it."""

    def make(resolve: Callable[..., Any]) -> Callable[..., Any]:
        return lambda headers, bucket_name: resolve(with_key(headers), bucket_name)

    _RESOLVE.replace(make)

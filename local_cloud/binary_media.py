"""Binary media types of REST APIs: the two header rules that MiniStack leaves out.

MiniStack base64-encodes a request whose `Content-Type` matches `binaryMediaTypes` and decodes a
response whose request's `Accept` matches. It does neither when the header is absent, so that
bytes which are not UTF-8 reached the function already damaged, and reads a list in `Accept` as
one type. On AWS an absent content type is `application/json`, `*/*` covers everything, and of
several accepted types the first one counts.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings-workflow.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/integration-passthrough-behaviors.html
read 2026-11-21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.ground import Hook

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MATCHES = Hook(
    "ministack.services.apigateway_v1",
    "_media_type_matches",
    ("media_type", "binary_media_types"),
)
HOOKS = (_MATCHES,)


def effective_media_type(header: str | None) -> str:
    """Return the media type that API Gateway compares with `binaryMediaTypes`."""
    first = (header or "").split(",", 1)[0].split(";", 1)[0].strip()
    return first or "application/json"


def install() -> None:
    """Put the two rules in front of MiniStack's comparison."""

    def make(
        matches: Callable[[str, Sequence[str]], bool],
    ) -> Callable[[str | None, Sequence[str]], bool]:
        return lambda header, patterns: matches(effective_media_type(header), patterns)

    _MATCHES.replace(make)

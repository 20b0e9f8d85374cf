"""What a JSON API checks of every request before it looks at the content."""

from __future__ import annotations

import base64
import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from shared import strict_json
from shared.problems import Problem, bad_request

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.common import BaseProxyEvent


# Items of a page.
DEFAULT_LIMIT, MAX_LIMIT = 20, 100


def json_object(event: BaseProxyEvent, *, max_bytes: int) -> dict[str, strict_json.Json]:
    """Return the JSON object in the body of a request.

    Raises:
        Problem: 400 for a wrong content type, an empty body, or a body that is no JSON object
            later hops can carry; 413 for a body over `max_bytes`.
    """
    if media_type_of(event) != "application/json":
        raise bad_request("content-type", "Send the header Content-Type: application/json.")
    return json_object_of(body_bytes(event, max_bytes=max_bytes))


def json_object_of(body: bytes) -> dict[str, strict_json.Json]:
    """Return the JSON object that a body is.

    Raises:
        Problem: 400 if it is none that later hops can carry.
    """
    if not body.strip():
        raise bad_request("empty-body", "The body is empty; send a JSON object.")
    try:
        value = strict_json.parse(body)
    except strict_json.InvalidJson as error:
        raise bad_request("invalid-json", str(error)) from None
    if not isinstance(value, dict):
        raise bad_request("not-an-object", "The body must be a JSON object.")
    return value


def media_type_of(event: BaseProxyEvent) -> str:
    """Return the content type of a request, without its parameters; empty if it has none."""
    return (event.headers.get("content-type") or "").split(";")[0].strip().lower()


def body_bytes(event: BaseProxyEvent, *, max_bytes: int) -> bytes:
    """Return the body of a request as it was sent.

    Raises:
        Problem: 413 for a body over `max_bytes`.
    """
    # Four characters of base64 are three bytes; so much is not decoded just to be refused.
    if event.is_base64_encoded and len(event.body or "") > (max_bytes + 2) // 3 * 4:
        raise _too_large(max_bytes)
    body = _bytes(event)
    if len(body) > max_bytes:
        raise _too_large(max_bytes)
    return body


def _too_large(max_bytes: int) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "body-too-large",
        f"The body has more than {max_bytes} bytes.",
    )


def page_size(limit: str | None) -> int:
    """Return how many items a page is to have, by the request's `limit`.

    Raises:
        Problem: 400 for a limit out of range.
    """
    if limit is None:
        return DEFAULT_LIMIT
    if not re.fullmatch(r"[0-9]{1,3}", limit) or not 1 <= int(limit) <= MAX_LIMIT:
        raise bad_request("limit", f"limit must be a whole number from 1 to {MAX_LIMIT}.")
    return int(limit)


def _bytes(event: BaseProxyEvent) -> bytes:
    text = event.body or ""
    if not event.is_base64_encoded:
        # A lone surrogate cannot have come over the wire; let the JSON check name it.
        return text.encode("utf-8", errors="surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise bad_request("invalid-base64", "The body is not valid base64.") from None

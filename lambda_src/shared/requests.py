"""What a JSON API checks of every request before it looks at the content."""

from __future__ import annotations

import base64
from http import HTTPStatus
from typing import TYPE_CHECKING

from shared import strict_json
from shared.problems import Problem, bad_request

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent


def json_object(event: APIGatewayProxyEvent, *, max_bytes: int) -> dict[str, strict_json.Json]:
    """Return the JSON object in the body of a request.

    Raises:
        Problem: 400 for a wrong content type, an empty body, or a body that is no JSON object
            later hops can carry; 413 for a body over `max_bytes`.
    """
    content_type = (event.headers.get("content-type") or "").split(";")[0].strip().lower()
    if content_type != "application/json":
        raise bad_request("content-type", "Send the header Content-Type: application/json.")
    body = _bytes(event)
    if not body.strip():
        raise bad_request("empty-body", "The body is empty; send a JSON object.")
    if len(body) > max_bytes:
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "body-too-large",
            f"The body has {len(body)} bytes; {max_bytes} are allowed.",
        )
    try:
        value = strict_json.parse(body)
    except strict_json.InvalidJson as error:
        raise bad_request("invalid-json", str(error)) from None
    if not isinstance(value, dict):
        raise bad_request("not-an-object", "The body must be a JSON object.")
    return value


def _bytes(event: APIGatewayProxyEvent) -> bytes:
    text = event.body or ""
    if not event.is_base64_encoded:
        # A lone surrogate cannot have come over the wire; let the JSON check name it.
        return text.encode("utf-8", errors="surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise bad_request("invalid-base64", "The body is not valid base64.") from None

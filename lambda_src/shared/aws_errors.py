"""How calls to AWS fail: refused by the service, or without an answer."""

from __future__ import annotations

from typing import Any, cast

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

_SERVER_ERROR = 500
# "Common Errors" and "ReceiveMessage" (Amazon SQS API Reference), 2026-11-21.
_THROTTLED = {"OverLimit", "RequestThrottled", "ThrottlingException", "Throttling"}
AWS_ERRORS = (ClientError, BotoCoreError)
# Why something failed that was behind a call that did, and was spared.
NOT_TRIED = "NotTried"


def error_code(error: Exception) -> str:
    """Return the service's code of an error, or the kind of error where no answer came."""
    if isinstance(error, ClientError):
        return error.response["Error"]["Code"]
    return type(error).__name__


def passes(error: Exception) -> bool:
    """Say whether a call may succeed later without anybody mending anything."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= _SERVER_ERROR or error_code(error) in _THROTTLED
    # A certificate or a proxy is somebody's setting.
    if isinstance(error, exceptions.SSLError | exceptions.ProxyConnectionError):
        return False
    return isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError)


def item_as_it_is(error: ClientError) -> dict[str, Any] | None:
    """Return the item, in DynamoDB's form, for which a write's condition failed; None for none.

    The write must have asked for it with `ReturnValuesOnConditionCheckFailure`.
    """
    return cast("dict[str, Any]", error.response).get("Item")

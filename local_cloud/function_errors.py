"""Failures of a function behind a REST API, as API Gateway answers them.

MiniStack sends the caller what the function raised, in a shape of its own, and takes an answer
in the wrong format for a body. On AWS the caller learns "Internal server error" through the
gateway response DEFAULT_5XX: 502 when the function failed or its answer has the wrong format,
500 when Lambda refused the invocation.
https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway-errors.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
read 2026-11-21.
"""

from __future__ import annotations

import json
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Shaped = tuple[dict[str, Any] | None, str | None]
    Rendered = tuple[int, dict[str, str], bytes]

_MODULE = "ministack.services.apigateway_v1"
_SHAPE = Hook(_MODULE, "_lambda_proxy_response", ("result",))
_INVOKE = Hook(_MODULE, "_invoke_lambda_proxy_v1")
_RENDER = Hook(_MODULE, "_gateway_error_response", ("error", "request"))
_ERROR = Hook(_MODULE, "_GatewayError")
HOOKS = (_SHAPE, _INVOKE, _RENDER, _ERROR)

_BUILT_IN_STATUS = 500

# The status of the failure that the invocation under way ended in, if it did.
_failure: ContextVar[int | None] = ContextVar("failure", default=None)


def failure(result: Mapping[str, Any]) -> int | None:
    """Return the status that API Gateway gives for an invocation, None when it went well.

    Args:
        result: MiniStack's record of the invocation: `throttle`, `error` and `body`.
    """
    if result.get("throttle"):
        return 500
    if result.get("error") or not _has_the_format(result.get("body")):
        return 502
    return None


def _has_the_format(answer: object) -> bool:
    if isinstance(answer, bytes | str):
        try:
            answer = json.loads(answer)
        except ValueError:
            return False
    if answer is None:
        return True
    return isinstance(answer, dict) and isinstance(answer.get("body"), str | None)


def install() -> None:
    """Send failures through the API's gateway responses."""
    _SHAPE.replace(_noting_failures)
    _INVOKE.replace(_answering_failures)
    _RENDER.replace(_with_their_status)


def _noting_failures(shape: Callable[[Mapping[str, Any]], Shaped]) -> Callable[..., Shaped]:
    def noting(result: Mapping[str, Any]) -> Shaped:
        _failure.set(failure(result))
        return shape(result)

    return noting


def _answering_failures(invoke: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def answering(*arguments: object, **named: object) -> object:
        _failure.set(None)
        answer = await invoke(*arguments, **named)
        status = _failure.get()
        if status is None:
            return answer
        error = find(_ERROR)("DEFAULT_5XX", "Internal server error")
        error.own_status = status
        return error

    return answering


def _with_their_status(render: Callable[[Any, Any], Rendered]) -> Callable[..., Rendered]:
    def rendered(error: object, request: object) -> Rendered:
        status, headers, body = render(error, request)
        # A gateway response that sets no status keeps that of the failure.
        if status == _BUILT_IN_STATUS:
            status = getattr(error, "own_status", status)
        return status, headers, body

    return rendered

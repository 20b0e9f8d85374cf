"""HTTP APIs in front of functions, payload format 2.0: what MiniStack does otherwise.

- A body of a text type that is not UTF-8 reached the function damaged. What API Gateway does with
  it is on no page; here it comes as base64, like everything that is not text.
- Path parameters are decoded once, wholly; cookies have a list of their own; the request id that
  the function sees is the one the caller is told (`apigw-requestid`).
- A function that fails, is gone or refuses the API, and an answer in a wrong format, are 500 with
  "Internal Server Error", and nothing of the failure reaches the caller. So are throttles, for
  which no page names a status. A function slower than the integration allows is 503.
- A request beyond 10 MB is 413.
- A template's route settings (throttling) are shown by GetStage, which read them in vain.
- The function's own policy must let the API invoke it, with the route as `aws:SourceArn`.

Not done: throttling by the stage's settings, access logs, and `OPTIONS` of an API without CORS,
which MiniStack answers itself.

- "Create AWS Lambda proxy integrations for HTTP APIs in API Gateway"
  https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
- "Troubleshooting issues with HTTP API Lambda integrations"
  https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html
- "Quotas for configuring and running an HTTP API" (10 MB, 30 seconds)
  https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
read 2026-11-21.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
import os
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_cloud import mappings, permissions
from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Response = tuple[int, dict[str, Any], bytes]

_GATEWAY = "ministack.services.apigateway"
_INVOKE = Hook(
    _GATEWAY,
    "_invoke_lambda_proxy",
    (
        "integration",
        "api_id",
        "stage",
        "path",
        "method",
        "headers",
        "body",
        "query_params",
        "route_key",
        "path_params",
        "authorizer_claims",
        "authorizer_scopes",
        "authorizer_lambda_context",
        "authorizer_iam",
        "owner_account_id",
        "owner_region",
        "raw_query_string",
    ),
)
_FUNCTION_OF = Hook(_GATEWAY, "_extract_lambda_ref_from_integration_uri", ("uri",))
_EXECUTE = Hook(
    "ministack.services.lambda_svc", "_execute_function_with_config_scope", ("func", "event")
)
_STAGE = Hook("ministack.services.cloudformation.provisioners", "_apigw_v2_stage_props", ("props",))
HOOKS = (_INVOKE, _FUNCTION_OF, _EXECUTE, _STAGE)

logger = logging.getLogger("odyssey.http")

PRINCIPAL = "apigateway.amazonaws.com"
LARGEST_BODY = 10 * 1024 * 1024
_LONGEST = 30.0


@dataclass
class _Call:
    """A request on its way through an integration.

    Attributes:
        id: What the caller and the function know it by.
        body: Its body, as it came.
        result: MiniStack's record of the invocation, None while there is none.
    """

    id: str
    body: bytes
    result: dict[str, Any] | None = None


_call: ContextVar[_Call | None] = ContextVar("call", default=None)


def install() -> None:
    """Put these rules around MiniStack's integration."""
    _INVOKE.replace(_guarded)
    _EXECUTE.replace(_shaped)
    _STAGE.replace(_with_settings)


def _with_settings(stage: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def with_settings(properties: dict[str, Any]) -> dict[str, Any]:
        made = stage(properties)
        of_routes = {key: as_stored(given) for key, given in made["routeSettings"].items()}
        default = as_stored(made["defaultRouteSettings"])
        return {**made, "defaultRouteSettings": default, "routeSettings": of_routes}

    return with_settings


def as_stored(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of a template as the API has them: their names begin in lower case."""
    return {name[:1].lower() + name[1:]: value for name, value in settings.items()}


def event(given: Mapping[str, Any], body: bytes, request_id: str) -> dict[str, Any]:
    """Return the event of payload format 2.0 from MiniStack's.

    Args:
        given: MiniStack's event.
        body: The request's body.
        request_id: The request's id.
    """
    made = {**given, "requestContext": {**given["requestContext"], "requestId": request_id}}
    if given.get("pathParameters"):
        # Everything else is decoded already.
        decoded = {k: v.replace("%25", "%") for k, v in given["pathParameters"].items()}
        made["pathParameters"] = decoded
    else:
        made.pop("pathParameters", None)
    headers = dict(given.get("headers") or {})
    if cookies := headers.pop("cookie", None):
        made["cookies"] = [cookie.strip() for cookie in cookies.split(";")]
    made["headers"] = headers
    if body and not given["isBase64Encoded"] and not _is_utf8(body):
        made |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return made


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_failure(result: Mapping[str, Any] | None) -> bool:
    """Say whether an invocation gave no answer that API Gateway can pass on.

    Args:
        result: MiniStack's record of the invocation: `throttle`, `error` and `body`.
    """
    if result is None or result.get("throttle") or result.get("error"):
        return True
    answer = result.get("body")
    # Without a status code any JSON is the body of a 200.
    return isinstance(answer, dict) and "statusCode" in answer and not _has_the_format(answer)


def _has_the_format(answer: Mapping[str, Any]) -> bool:
    status, body = answer["statusCode"], answer.get("body")
    headers, cookies = answer.get("headers"), answer.get("cookies")
    return (
        isinstance(status, int | str)
        and not isinstance(status, bool)
        and str(status).isdigit()
        and 100 <= int(status) <= 599  # noqa: PLR2004 -- HTTP
        and isinstance(body, str | None)
        and (not answer.get("isBase64Encoded") or _is_base64(body or ""))
        and isinstance(headers, dict | None)
        and all(isinstance(value, str | int | float) for value in (headers or {}).values())
        and isinstance(cookies, list | None)
        and all(isinstance(cookie, str) for cookie in cookies or ())
    )


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def route_arn(region: str, account: str, api: str, stage: str, method: str, route_key: str) -> str:
    """Return the `aws:SourceArn` of a request that a route takes."""
    _, _, route_path = route_key.partition(" ")
    rest = f"{method}{route_path}" if route_path else route_key
    return f"arn:aws:execute-api:{region}:{account}:{api}/{stage}/{rest}"


def _says(status: int, message: str, request_id: str) -> Response:
    headers = {"Content-Type": "application/json", "apigw-requestid": request_id}
    return status, headers, json.dumps({"message": message}, separators=(",", ":")).encode()


def _guarded(invoke: Callable[..., Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
    async def guarded(
        integration: dict[str, Any],
        api_id: str,
        stage: str,
        path: str,
        method: str,
        headers: dict[str, str],
        body: bytes,
        query_params: object,
        route_key: str = "$default",
        path_params: object = None,
        *,
        owner_account_id: str,
        owner_region: str,
        **more: object,
    ) -> Response:
        call = _Call(base64.b64encode(os.urandom(11)).decode(), body or b"")
        if len(call.body) > LARGEST_BODY:
            return _says(413, "Request Entity Too Large", call.id)
        source = route_arn(owner_region, owner_account_id, api_id, stage, method, route_key)
        function = find(_FUNCTION_OF)(integration.get("integrationUri", ""))
        if not function.startswith("arn:"):
            function = f"arn:aws:lambda:{owner_region}:{owner_account_id}:function:{function}"
        with mappings.scope_of(owner_account_id, owner_region):
            if not permissions.service_may_invoke(function, PRINCIPAL, source):
                logger.warning("%s may not invoke %s, or there is none.", source, function)
                return _says(500, "Internal Server Error", call.id)
        token = _call.set(call)
        try:
            work = asyncio.ensure_future(
                invoke(
                    integration,
                    api_id,
                    stage,
                    path,
                    method,
                    headers,
                    body,
                    query_params,
                    route_key,
                    path_params,
                    owner_account_id=owner_account_id,
                    owner_region=owner_region,
                    **more,
                )
            )
        finally:
            _call.reset(token)
        seconds = min(float(integration.get("timeoutInMillis") or 30_000) / 1000, _LONGEST)
        if not (await asyncio.wait({work}, timeout=seconds))[0]:
            # The function goes on, as on AWS, and nobody hears of it.
            work.add_done_callback(lambda done: done.exception())
            return _says(503, "Service Unavailable", call.id)
        if work.exception() or is_failure(call.result):
            result = call.result or {}
            what, log = work.exception() or result.get("body"), result.get("log", "")
            logger.warning("%s failed a request: %s\n%s", function, what, log)
            return _says(500, "Internal Server Error", call.id)
        status, answered, content = work.result()
        named = {name: _text(value) for name, value in answered.items()}
        return int(status), named | {"apigw-requestid": call.id}, content

    return guarded


def _text(value: Any) -> Any:  # noqa: ANN401 -- a header's value, or its list of cookies
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _shaped(execute: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def shaped(func: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
        call = _call.get()
        if call is None:
            return execute(func, given)
        call.result = execute(func, event(given, call.body, call.id))
        return call.result

    return shaped

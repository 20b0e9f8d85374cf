"""Refusals by IAM at a REST API's edge, in the shape the API gives its refusals.

MiniStack answers a caller whose policies do not allow `execute-api:Invoke` in front of the API,
in a service's shape. On AWS it is the API's gateway response ACCESS_DENIED, with the status,
headers and body that its `GatewayResponse` resources set.
https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
read 2026-11-21.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Callable

_ENFORCE = Hook(
    "ministack.app",
    "_enforce_execute_api",
    ("api_id", "stage", "method", "execute_path", "headers", "query_params", "iam_action"),
)
_AUTHENTICATION_RESPONSE = Hook(
    "ministack.services.apigateway_v1",
    "authentication_error_response",
    ("api_id", "stage_name", "error", "headers", "query_params"),
)
_ERRORS = Hook("ministack.services.apigateway_v1", "_AUTHENTICATION_GATEWAY_ERRORS")
HOOKS = (_ENFORCE, _AUTHENTICATION_RESPONSE, _ERRORS)

# A response as MiniStack's edge passes it on: status, headers, body.
Response = tuple[int, dict[str, str], bytes | str]
_FORBIDDEN = 403


class _Denied:
    """What MiniStack's gateway-response code reads of an error."""

    code = "AccessDenied"

    def __init__(self, message: str) -> None:
        self.message = message


def install() -> None:
    """Route denials through the gateway response of the API."""
    find(_ERRORS)[_Denied.code] = ("ACCESS_DENIED", "AccessDeniedException")
    _ENFORCE.replace(_through_gateway)


def _through_gateway(
    enforce: Callable[..., Response | None],
) -> Callable[..., Response | None]:
    def enforced(
        api_id: str,
        stage: str,
        method: str,
        execute_path: str,
        headers: dict[str, str],
        query_params: dict[str, Any],
        iam_action: str = "execute-api:Invoke",
    ) -> Response | None:
        refused = enforce(api_id, stage, method, execute_path, headers, query_params, iam_action)
        if refused is None or not is_denial(refused):
            return refused
        shaped: Response | None = find(_AUTHENTICATION_RESPONSE)(
            api_id, stage, _Denied(message(refused)), headers, query_params
        )
        return shaped or refused

    return enforced


def is_denial(response: Response) -> bool:
    """Say whether this is the evaluator's own answer, not one that a gateway response shaped."""
    status, headers, _ = response
    media_type = {name.lower(): value for name, value in headers.items()}.get("content-type", "")
    return status == _FORBIDDEN and "x-amz-json" in media_type


def message(response: Response) -> str:
    """Return the sentence of a service's error."""
    try:
        body = json.loads(response[2])
    except ValueError:
        return "Forbidden"
    return str(body.get("message") or body.get("Message") or "Forbidden")

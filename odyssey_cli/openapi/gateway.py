"""What API Gateway itself answers, instead of a function or when one fails.

- "Gateway response types for API Gateway" (types and their status)
  https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
- "Amazon API Gateway quotas and important notes" (10 MB, 414 for a method's ARN of more than 1,600
  bytes, 10,240 bytes of request line and headers)
  https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
- "Troubleshooting issues with HTTP API Lambda integrations" (500 and 503)
  https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html
read 2026-11-21.
"""

from __future__ import annotations

from http import HTTPStatus

from odyssey_cli.openapi.parts import JSON, URN, Problems, Schema

# The response types of a REST API that IAM protects. For the status of a function that failed and
# of a body beyond what Lambda takes, the page has no type of its own.
OF_REST: Problems = {
    HTTPStatus.BAD_REQUEST: {
        "BAD_REQUEST_BODY": "The gateway cannot read the body.",
        "BAD_REQUEST_PARAMETERS": "The gateway cannot read the request.",
    },
    HTTPStatus.FORBIDDEN: {
        "ACCESS_DENIED": "The caller's policies do not allow this.",
        "DEFAULT_4XX": "The signature is incomplete, or nobody's.",
        "EXPIRED_TOKEN": "The caller's session is over.",
        "INVALID_SIGNATURE": "The signature is wrong.",
        "MISSING_AUTHENTICATION_TOKEN": "There is no signature, or no such route.",
    },
    HTTPStatus.NOT_FOUND: {"RESOURCE_NOT_FOUND": "There is no such route."},
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: {"REQUEST_TOO_LARGE": "The request has more than 10 MB."},
    HTTPStatus.TOO_MANY_REQUESTS: {"THROTTLED": "There are too many requests at once."},
    HTTPStatus.INTERNAL_SERVER_ERROR: {
        "API_CONFIGURATION_ERROR": "The API is not what it should be."
    },
    HTTPStatus.BAD_GATEWAY: {"DEFAULT_5XX": "The function failed."},
    HTTPStatus.GATEWAY_TIMEOUT: {
        "INTEGRATION_FAILURE": "The function cannot be reached.",
        "INTEGRATION_TIMEOUT": "The function took more than 29 seconds.",
    },
}
# An HTTP API's have a message and no type.
OF_HTTP: dict[HTTPStatus, str] = {
    HTTPStatus.BAD_REQUEST: "The gateway cannot read the request.",
    HTTPStatus.NOT_FOUND: "There is no such route.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The request has more than 10 MB.",
    HTTPStatus.TOO_MANY_REQUESTS: "There are too many requests at once.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "The function failed.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The function took more than 30 seconds.",
}
# Before the API is known: no body is promised.
OF_THE_WIRE: dict[HTTPStatus, str] = {
    HTTPStatus.REQUEST_URI_TOO_LONG: "The path is too long for a method that IAM protects.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "Request line and headers have more than 10,240 "
    "bytes.",
}
MESSAGE: Schema = {
    "description": "What the gateway itself answers.",
    "type": "object",
    "properties": {"message": {"type": ["string", "null"]}},
    "required": ["message"],
}


def problem(types: dict[str, str]) -> Schema:
    """Return the schema of a REST API's gateway responses; see `odyssey_constructs.api`."""
    return {
        "title": "GatewayProblem",
        "type": "object",
        "properties": {
            "type": {"enum": [URN + name for name in types]},
            "title": {"type": ["string", "null"]},
            "request_id": {"type": "string"},
        },
        "required": ["type", "title", "request_id"],
        "additionalProperties": False,
    }


def message() -> dict[str, Schema]:
    """Return the content of an HTTP API's own answers."""
    return {JSON: {"schema": {"$ref": "#/components/schemas/GatewayMessage"}}}

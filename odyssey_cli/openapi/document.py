"""Makes the OpenAPI document of a stack: its template's routes with their descriptions."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from odyssey_cli.errors import OdysseyError
from odyssey_cli.openapi import consumer, event_aggregator, gateway, pubsub
from odyssey_cli.openapi.parts import JSON, PROBLEM, URN, Api, Operation, Problems, Schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from odyssey_cli.openapi.routes import Route

VERSION = "3.1.0"
# By stack.
APIS: dict[str, Api] = {
    "EventAggregator": event_aggregator.API,
    "Consumer": consumer.API,
    "PubSub": pubsub.API,
}
_KINDS = ("is_rest", "is_signed")
_SIGNATURE = {"SigV4": list[str]()}
_LIMITS = "request line and headers together 10,240 bytes"


def document(stack: str, found: Sequence[Route]) -> Schema:
    """Return the OpenAPI document of a stack.

    Args:
        stack: its name.
        found: the routes of its template.

    Raises:
        OdysseyError: it has no API, or a route that nobody has described.
    """
    if not found:
        raise OdysseyError(
            f"{stack} has no API.", f"Those that have one are {', '.join(sorted(APIS))}."
        )
    api = APIS.get(stack)
    unknown = [each.name for each in found if api is None or each.name not in api.operations]
    if api is None or unknown:
        raise OdysseyError(
            f"{stack} has routes that nobody has described: {', '.join(unknown)}.",
            "Describe them in odyssey_cli/openapi.",
        )
    paths: dict[str, Any] = {}
    for route in found:
        method, _, path = route.name.partition(" ")
        operation = _operation(route, api.operations[route.name])
        paths.setdefault(path, {})[method.lower()] = operation
    is_rest, is_signed = (any(getattr(each, name) for each in found) for name in _KINDS)
    return {
        "openapi": VERSION,
        "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
        "info": {
            "title": f"{stack}: {api.title}",
            "version": "1",
            "description": f"{api.about}\n\nThe gateway takes requests of at most 10 MB, "
            f"{_LIMITS}.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [_server("/v1" if is_rest else "")],
        "paths": paths,
        "components": {
            "schemas": {**api.schemas, "Problem": _PROBLEM, "GatewayMessage": gateway.MESSAGE},
            "securitySchemes": {**(_SIGV4 if is_signed else {}), **api.security_schemes},
        },
    }


_PROBLEM: Schema = {
    "description": "RFC 9457. What to test for is the `type`.",
    "type": "object",
    "properties": {
        "type": {"type": "string", "pattern": f"^{URN}[a-z-]+$"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
}
_SIGV4: Schema = {
    "SigV4": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "AWS Signature Version 4 for the service `execute-api`, by whoever has the "
        "stack's client policy.",
        "x-amazon-apigateway-authtype": "awsSigv4",
    }
}


def _server(path: str) -> Schema:
    return {
        "url": f"https://{{api}}.execute-api.{{region}}.amazonaws.com{path}",
        "description": "`./odyssey outputs STACK ApiUrl` tells a deployed one.",
        "variables": {"api": {"default": "api-id"}, "region": {"default": "us-east-1"}},
    }


def _operation(route: Route, described: Operation) -> Schema:
    made: Schema = {
        "operationId": re.sub(r"\W+", "-", route.name).strip("-").lower(),
        "summary": described.summary,
    }
    if described.parameters:
        made["parameters"] = list(described.parameters)
    if described.bodies:
        made["requestBody"] = {
            "required": True,
            "description": f"At most {described.max_bytes} bytes, JSON and forms in UTF-8.",
            "content": {
                kind: {"schema": schema, "example": described.examples[kind]}
                for kind, schema in described.bodies.items()
            },
        }
    security = [_SIGNATURE] if route.is_signed else described.security
    made["security"] = [dict(each) for each in security]
    answers = _answers(described, is_rest=route.is_rest)
    made["responses"] = {str(int(status)): answer for status, answer in sorted(answers)}
    return made


def _answers(described: Operation, *, is_rest: bool) -> Iterator[tuple[HTTPStatus, Schema]]:
    for status, answer in described.answers.items():
        yield (
            status,
            {
                "description": answer.what,
                "content": {kind: {"schema": schema} for kind, schema in answer.content.items()},
                **({"headers": _headers(answer.headers)} if answer.headers else {}),
            },
        )
    own = described.problems
    for status in {*own, *(gateway.OF_REST if is_rest else gateway.OF_HTTP)}:
        yield status, _refusal(status, own, is_rest=is_rest)
    for status, what in gateway.OF_THE_WIRE.items():
        if is_rest or status is not HTTPStatus.REQUEST_URI_TOO_LONG:
            yield status, {"description": f"{what} No body is promised."}


def _headers(schemas: Mapping[str, Schema]) -> Schema:
    return {name: {"schema": schema} for name, schema in schemas.items()}


def _refusal(status: HTTPStatus, own: Problems, *, is_rest: bool) -> Schema:
    """Return the problems of a status: the function's own, and the gateway's."""
    types = own.get(status, {})
    of_gateway = gateway.OF_REST.get(status, {}) if is_rest else {}
    schemas = [_problem(status, types)] if types else []
    if of_gateway:
        schemas.append(gateway.problem(of_gateway))
    content: Schema = {}
    if schemas:
        content[PROBLEM] = {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}
    lines = [f"- `{URN}{name}`: {why}" for name, why in sorted({**types, **of_gateway}.items())]
    if not is_rest and status in gateway.OF_HTTP:
        content[JSON] = gateway.message()[JSON]
        lines.append(f"- a `message` of the gateway's: {gateway.OF_HTTP[status]}")
    return {"description": "\n".join([f"{status.phrase}.", "", *lines]), "content": content}


def _problem(status: HTTPStatus, types: Mapping[str, str]) -> Schema:
    return {
        "allOf": [
            {"$ref": "#/components/schemas/Problem"},
            {
                "properties": {
                    "type": {"enum": [URN + name for name in sorted(types)]},
                    "status": {"const": int(status)},
                }
            },
        ]
    }

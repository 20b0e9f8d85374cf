"""What descriptions of APIs are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from shared import identity, problems, requests, strict_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A JSON Schema (2020-12, OpenAPI 3.1's), or another object of the document.
Schema = dict[str, Any]
# The problem types of a status, each with when it is answered.
Problems = dict[HTTPStatus, dict[str, str]]

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
TEXT = "text/plain"
PROBLEM = problems.CONTENT_TYPE
URN = "urn:aws-odyssey:problem:"

TIME: Schema = {"type": "string", "format": "date-time"}
COUNT: Schema = {"type": "integer", "minimum": 0}
UUID: Schema = {"type": "string", "format": "uuid"}
# What every later hop can carry; see shared/strict_json.py.
ANY: Schema = {
    "description": f"JSON of at most {strict_json.MAX_DEPTH} levels. A field's name has at most "
    f"{strict_json.MAX_NAME} bytes in UTF-8.",
    "anyOf": [
        {"type": ["null", "boolean", "string"]},
        {
            "type": "number",
            "minimum": -strict_json.LARGEST,
            "maximum": strict_json.LARGEST,
            "description": f"Written as a whole number, at most ±{strict_json.MAX_INTEGER}; else "
            f"at least ±{strict_json.SMALLEST}, or 0.",
        },
        {"type": "array", "items": {"$ref": "#/components/schemas/Json"}},
        {"$ref": "#/components/schemas/JsonObject"},
    ],
}
OBJECT: Schema = {
    "type": "object",
    "propertyNames": {"minLength": 1, "maxLength": strict_json.MAX_NAME},
    "additionalProperties": {"$ref": "#/components/schemas/Json"},
}
JSON_SCHEMAS = {"Json": ANY, "JsonObject": OBJECT}

LIMIT: Schema = {
    "name": "limit",
    "in": "query",
    "description": "How many items a page has.",
    "schema": {
        "type": "integer",
        "minimum": 1,
        "maximum": requests.MAX_LIMIT,
        "default": requests.DEFAULT_LIMIT,
    },
}

# What a client can do wrong with any JSON body.
BAD_JSON = {
    "content-type": f"The content type is not {JSON}.",
    "empty-body": "There is no body.",
    "invalid-base64": "The gateway's encoding of the body is broken; no client can cause it.",
    "invalid-json": "The body is no JSON that every later hop can carry.",
    "not-an-object": "The body is JSON, but not an object.",
}
BAD_KEY = {"idempotency-key": "The Idempotency-Key is not 1 to 255 visible ASCII characters."}
BAD_LIMIT = {"limit": f"The limit is not a whole number from 1 to {requests.MAX_LIMIT}."}
KEY_REUSED = {"idempotency-key-reused": "The key was used for something else."}


def too_large(max_bytes: int) -> dict[str, str]:
    """Return the problem of a body that is too large."""
    return {"body-too-large": f"The body has more than {max_bytes} bytes."}


def in_path(name: str, schema: Schema, *, example: str, what: str = "") -> Schema:
    """Return a parameter of the path."""
    about = {"description": what} if what else {}
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": schema,
        "example": example,
        **about,
    }


def idempotency_key(what: str) -> Schema:
    """Return the header that names a request, of which `what` is said."""
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "description": what,
        "schema": {"type": "string", "pattern": f"^{identity.KEY}$"},
    }


def record(required: Mapping[str, Schema], **optional: Schema) -> Schema:
    """Return the schema of an object with exactly these fields."""
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


@dataclass(frozen=True)
class Answer:
    """A good answer.

    Attributes:
        what: it tells.
        content: the schema of its body, by media type.
        headers: the schemas of its headers.
    """

    what: str
    content: Mapping[str, Schema]
    headers: Mapping[str, Schema] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """What a route takes and answers, the gateway's own answers left out.

    Attributes:
        handler: the function's module.
        function: of the module, which serves the route.
        summary: what it is for, in a line.
        answers: the good ones, by status.
        problems: the others.
        parameters: of path, query and headers.
        bodies: the schema of each body it takes, by media type; none if it takes no body.
        examples: a body of each media type; a form's fields as an object.
        max_bytes: of the body.
        security: who may, if the route asks for no signature of IAM's.
    """

    handler: str
    function: str
    summary: str
    answers: Mapping[HTTPStatus, Answer]
    problems: Problems
    parameters: Sequence[Schema] = ()
    bodies: Mapping[str, Schema] = field(default_factory=dict)
    examples: Mapping[str, Schema] = field(default_factory=dict)
    max_bytes: int = 0
    security: Sequence[Mapping[str, Sequence[str]]] = ()


@dataclass(frozen=True)
class Api:
    """An API's description.

    Attributes:
        title: its name.
        about: what it is for, in Markdown.
        operations: by method and path, as a template's route says it: `GET /words/{word}`.
        schemas: that its operations refer to.
        security_schemes: beside the signature of a REST API.
    """

    title: str
    about: str
    operations: Mapping[str, Operation]
    schemas: Mapping[str, Schema] = field(default_factory=dict)
    security_schemes: Mapping[str, Schema] = field(default_factory=dict)

"""Hostile requests: what no schema would think of, for every operation that a document describes.

Each is a good request (the document's own example) with one thing wrong or odd.
"""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from odyssey_cli.fuzz.hostile_json import BAD, BAD_CONTENT_TYPES, NO_OBJECTS
from odyssey_cli.fuzz.hostile_parts import (
    ANY_QUERIES,
    BAD_FORMS,
    BAD_KEYS,
    HEADERS,
    LARGEST_BODY,
    ODD_JSON,
    PATHS,
    QUERIES,
    TEXTS,
)
from odyssey_cli.openapi.parts import FORM, JSON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli.openapi.parts import Schema


@dataclass(frozen=True)
class Hostile:
    """A request.

    Attributes:
        name: what is wrong with it.
        operation: that it is for, as it is described.
        path: with its query, as it is sent, below the API's address.
        headers: beside those that say who sends it.
        body: its bytes.
        refused: whether it must be refused; if not, any answer will do that is described.
        chunked: whether its length is not told beforehand.
    """

    name: str
    operation: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    refused: bool = False
    chunked: bool = False

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.operation.partition(" ")[0]

    def header(self, name: str) -> str:
        """Return the first header of this name; empty if there is none."""
        found = (value for each, value in self.headers if each.lower() == name)
        return next(found, "")


def good(document: Schema) -> Iterator[Hostile]:
    """Yield the document's own example of every request: one per media type that it may have."""
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            values = {
                each["name"]: quote(each["example"], safe="")
                for each in described.get("parameters", [])
                if each["in"] == "path"
            }
            made = Hostile("good", f"{method.upper()} {path}", path.format(**values))
            content = described.get("requestBody", {}).get("content", {})
            for kind, media in content.items():
                body = _body(kind, media["example"])
                yield replace(made, headers=(("content-type", kind),), body=body)
            if not content:
                yield made


def corpus(document: Schema, *, texts: bool = True) -> Iterator[Hostile]:
    """Yield the hostile requests for every operation of a document.

    Args:
        document: of the API, OpenAPI.
        texts: whether good bodies with hostile texts in them are among them, a third of all.
    """
    for each in good(document):
        described = _described(document, each.operation)
        yield from _with_headers(each, described)
        yield from _with_paths(each, described)
        if not each.body:
            yield from _with_queries(each, described)
        else:
            yield from _with_bodies(each)
            yield from _with_encodings(each)
            if texts:
                yield from _with_texts(each, described)


def _described(document: Schema, operation: str) -> Schema:
    method, _, path = operation.partition(" ")
    found: Schema = document["paths"][path][method.lower()]
    return found


def _body(kind: str, example: Any) -> bytes:  # noqa: ANN401 - any JSON
    if kind == FORM:
        return urlencode(example).encode()
    return json.dumps(example, ensure_ascii=False).encode()


def _with_queries(made: Hostile, described: Schema) -> Iterator[Hostile]:
    reads_some = any(each["in"] == "query" for each in described.get("parameters", []))
    for name, query in (ANY_QUERIES | (QUERIES if reads_some else {})).items():
        yield replace(made, name=f"query: {name}", path=f"{made.path}?{query}")


def _with_headers(made: Hostile, described: Schema) -> Iterator[Hostile]:
    given = replace(made, body=b"") if made.body else made
    for name, headers in HEADERS.items():
        refused = bool(made.body)
        yield replace(
            given, name=f"header: {name}", headers=given.headers + headers, refused=refused
        )
    if any(each["name"] == "Idempotency-Key" for each in described.get("parameters", [])):
        for name, key in BAD_KEYS.items():
            headers = (*made.headers, ("Idempotency-Key", key))
            yield replace(made, name=f"key: {name}", headers=headers, refused=True)


def _with_paths(made: Hostile, described: Schema) -> Iterator[Hostile]:
    parameters = [each for each in described.get("parameters", []) if each["in"] == "path"]
    _, _, template = made.operation.partition(" ")
    for hostile in parameters:
        for name, value in PATHS.items():
            values = {
                each["name"]: value if each is hostile else quote(each["example"], safe="")
                for each in parameters
            }
            yield replace(made, name=f"{hostile['name']}: {name}", path=template.format(**values))


def _with_bodies(made: Hostile) -> Iterator[Hostile]:
    if made.header("content-type") == FORM:
        bad, odd = BAD_FORMS, dict[str, bytes]()
    else:
        bad, odd = BAD | NO_OBJECTS, ODD_JSON
    huge = {
        "a hundred thousand brackets": b"[" * 100_000,
        "a hundred thousand objects": b'{"a":' * 100_000,
        "10 MB": b" " * LARGEST_BODY,
        "10 MB and a byte": b" " * (LARGEST_BODY + 1),
    }
    for name, body in (bad | huge).items():
        yield replace(made, name=f"body: {name}", body=body, refused=True)
    for name, body in odd.items():
        yield replace(made, name=f"body: {name}", body=body)


def _with_encodings(made: Hostile) -> Iterator[Hostile]:
    kind = made.header("content-type")
    other = [each for each in BAD_CONTENT_TYPES if each not in (FORM, JSON)]
    for each in (*other, "application/jsonp", "multipart/form-data", "*/*", "a" * 1_000):
        headers = () if each is None else (("content-type", each),)
        yield replace(made, name=f"content type: {each!r:.40}", headers=headers, refused=True)
    zipped = replace(made, body=gzip.compress(made.body))
    coded = ("content-encoding", "gzip")
    yield replace(zipped, name="zipped", headers=(*made.headers, coded), refused=True)
    yield replace(zipped, name="zipped, and nobody says so", refused=True)
    yield replace(
        made, name="base64, and nobody says so", body=base64.b64encode(made.body), refused=True
    )
    yield replace(made, name="said to be zipped", headers=(*made.headers, coded))
    yield replace(
        made, name="another character set", headers=(("content-type", f"{kind}; charset=utf-16"),)
    )
    twice = (*made.headers, ("content-type", "text/plain"))
    yield replace(made, name="two content types", headers=twice)
    yield replace(made, name="in chunks", chunked=True)
    yield replace(made, name="broken, in chunks", body=b'{"a":', chunked=True, refused=True)


def _with_texts(made: Hostile, described: Schema) -> Iterator[Hostile]:
    kind = made.header("content-type")
    example = described["requestBody"]["content"][kind]["example"]
    for place in _texts_in(example):
        for name, text in TEXTS.items():
            body = _body(kind, _replaced(example, place, text))
            yield replace(made, name=f"{'.'.join(place)}: {name}", body=body)


def _texts_in(value: Any, *place: str) -> Iterator[tuple[str, ...]]:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        yield place
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _texts_in(each, *place, name)


def _replaced(value: Any, place: tuple[str, ...], text: str) -> Any:  # noqa: ANN401 - any JSON
    if not place:
        return text
    name, *rest = place
    return {**value, name: _replaced(value[name], tuple(rest), text)}

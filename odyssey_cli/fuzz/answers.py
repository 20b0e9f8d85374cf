"""Whether an answer is one that a document describes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jsonschema_rs

if TYPE_CHECKING:
    from odyssey_cli.openapi.parts import Schema

_SERVER_ERROR, _CLIENT_ERROR = 500, 400


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; status 0 says that there was none, and the body why."""

    status: int
    content_type: str
    body: bytes


class Described:
    """The answers that a document describes."""

    def __init__(self, document: Schema) -> None:
        self._document = document
        self._validators: dict[tuple[str, str, str], jsonschema_rs.Validator] = {}

    def fault(self, operation: str, answer: Answer, *, refused: bool = False) -> str | None:
        """Return what is wrong with an answer; None if nothing is.

        Args:
            operation: that it is of, as it is described.
            answer: what came.
            refused: whether it must be a refusal.
        """
        if answer.status == 0 or answer.status >= _SERVER_ERROR:
            return f"it was answered {answer.status}: {answer.body[:200]!r}"
        if refused and answer.status < _CLIENT_ERROR:
            return f"it was not refused but answered {answer.status}"
        described = self._responses(operation).get(str(answer.status))
        if described is None:
            return f"the status {answer.status} is not described: {answer.body[:200]!r}"
        return self._body_fault(operation, answer) if "content" in described else None

    def _responses(self, operation: str) -> Schema:
        method, _, path = operation.partition(" ")
        found: Schema = self._document["paths"][path][method.lower()]["responses"]
        return found

    def _body_fault(self, operation: str, answer: Answer) -> str | None:
        kind = answer.content_type.partition(";")[0].strip().lower()
        status = str(answer.status)
        if kind not in self._responses(operation)[status]["content"]:
            return f"{kind!r} is not described for {status}: {answer.body[:200]!r}"
        if "json" not in kind:
            return None
        try:
            value = json.loads(answer.body)
        except ValueError:
            return f"the body of {status} is no JSON: {answer.body[:200]!r}"
        errors = self._validator(operation, status, kind).iter_errors(value)
        return next((f"the body of {status}: {each.message}" for each in errors), None)

    def _validator(self, operation: str, status: str, kind: str) -> jsonschema_rs.Validator:
        found = self._validators.get((operation, status, kind))
        if found is None:
            schema = self._responses(operation)[status]["content"][kind]["schema"]
            # References in the schema begin at the document's root.
            whole = {"allOf": [schema], "components": self._document["components"]}
            found = jsonschema_rs.Draft202012Validator(whole)
            self._validators[operation, status, kind] = found
        return found

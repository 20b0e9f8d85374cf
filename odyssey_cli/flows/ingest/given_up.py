"""A record that Firehose gave up, as it is in the error prefix."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ingest.records import Record
from shared import strict_json, times
from shared.identity import is_key
from shared.rejects import Unprocessable

if TYPE_CHECKING:
    from shared.entity_events import EntityEvent

# Ours, beside Firehose's own names ("Handle failure in data transformation", Amazon Data Firehose,
# 2026-11-21).
_DECIDED = "odysseyEventId"


@dataclass(frozen=True)
class GivenUp:
    """One of them.

    Attributes:
        code: its error, as Firehose calls it.
        record: what was put.
        decided: the id that `ingest reprocess` has put it with, if the stream may not have taken
            it; None if it has not been tried.
    """

    code: str
    record: bytes
    decided: str | None = None

    @classmethod
    def of(cls, line: bytes) -> GivenUp:
        """Return what a line of the error prefix tells.

        Raises:
            ValueError: it is none of Firehose's documents.
        """
        try:
            document: Any = json.loads(line)
            decided = document.get(_DECIDED)
            return cls(
                str(document["errorCode"]),
                base64.b64decode(document["rawData"]),
                decided if is_key(decided) else None,
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError("It is none of Firehose's documents.") from error

    @staticmethod
    def with_decided(line: bytes, id: str) -> bytes:
        """Return a line of the error prefix that tells with which id its record was put."""
        return json.dumps(json.loads(line) | {_DECIDED: id}).encode()

    @property
    def id(self) -> Any:  # noqa: ANN401 - any JSON
        """What its producer gave as id of the event; None if it gave none."""
        return self._fields.get("id")

    @cached_property
    def event(self) -> EntityEvent | None:
        """Its event, under any id if its producer gave none; None if it has no event."""
        try:
            return Record(stream="", id="", arrived=times.now(), data=self.record).event()
        except Unprocessable:
            return None

    def named(self, id: str) -> bytes:
        """Return what was put, with an id of the event."""
        return json.dumps(self._fields | {"id": id}, ensure_ascii=False).encode()

    @cached_property
    def _fields(self) -> dict[str, Any]:
        """The record's fields; none if it is no JSON object."""
        try:
            fields = strict_json.parse(self.record)
        except strict_json.InvalidJson:
            return {}
        return fields if isinstance(fields, dict) else {}

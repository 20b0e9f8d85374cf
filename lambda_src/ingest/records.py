"""What producers put into the delivery stream, and what is made of it.

A record is a JSON object in UTF-8 with the event's own attributes: `type`, `subject` (the entity),
`time` and `data`, and, if the producer wants to be able to send it twice, `id`. The rest of the
envelope is added here.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shared import envelope, strict_json
from shared.entity_events import EntityEvent
from shared.identity import is_key, stable_id
from shared.rejects import Unprocessable

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE = "/aws-odyssey/ingest"
_FIELDS = frozenset({"id", "type", "subject", "time", "data", "correlationid"})


@dataclass(frozen=True)
class Record:
    """One record of a delivery stream, as a function gets it.

    Attributes:
        stream: the ARN of the stream.
        id: Firehose's, the same whenever it hands over the record.
        arrived: when it was put.
        data: its bytes.
    """

    stream: str
    id: str
    arrived: datetime
    data: bytes

    @classmethod
    def of(cls, record: Mapping[str, Any], *, stream: str) -> Record:
        """Read a record of the event that Firehose invokes a function with."""
        return cls(
            stream=stream,
            id=record["recordId"],
            arrived=datetime.fromtimestamp(record["approximateArrivalTimestamp"] / 1000, UTC),
            data=base64.b64decode(record["data"]),
        )

    @property
    def event_id(self) -> str:
        """The id of its event if the producer gave none."""
        return stable_id("firehose", self.stream, self.id)

    @property
    def named_id(self) -> str:
        """The id that its producer gave, as far as it can be read, else the derived one."""
        try:
            fields = strict_json.parse(self.data)
        except strict_json.InvalidJson:
            return self.event_id
        given = fields.get("id") if isinstance(fields, dict) else None
        return given if isinstance(given, str) and is_key(given) else self.event_id

    def event(self) -> EntityEvent:
        """Return the record's event.

        Raises:
            Unprocessable: it has none that all later hops can carry.
        """
        try:
            fields = strict_json.parse(self.data)
        except strict_json.InvalidJson as error:
            raise Unprocessable(str(error)) from None
        if not isinstance(fields, dict):
            raise Unprocessable("The record is not a JSON object.")
        if unknown := sorted(fields.keys() - _FIELDS):
            raise Unprocessable(f"The record has an unknown field, {unknown[0][:50]!r}.")
        given = {name: value for name, value in fields.items() if value is not None}
        event_id = given.get("id", self.event_id)
        made = {
            "specversion": "1.0",
            "id": event_id,
            "source": SOURCE,
            "correlationid": event_id,
        }
        return EntityEvent.of(envelope.from_dict(made | given), now=self.arrived)

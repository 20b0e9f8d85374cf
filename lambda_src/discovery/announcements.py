"""What is announced on the queues: that an item is uploaded, and that it is updated.

An announcement names an item and the version it has, nothing else of it: whoever wants to know
reads the item, so that a late or repeated announcement cannot bring back an old state. All
deliveries and repetitions of one announcement are the same event.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared import envelope, queues
from shared.envelope import Envelope
from shared.rejects import Unprocessable

if TYPE_CHECKING:
    from datetime import datetime

UPLOADED = "aws-odyssey.discovery.uploaded"
UPDATED = "aws-odyssey.discovery.updated"
# What `status` an item has once that is true of it.
STATUS_UPLOADED, STATUS_UPDATED = "uploaded", "updated"
FIRST_VERSION = 1
_SOURCE = "/aws-odyssey/discovery"
_ITEM_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Announcement:
    """An item has reached a version.

    Attributes:
        type: `UPLOADED` or `UPDATED`.
        item_id: the item, a UUID.
        version: from 1.
        time: when it reached the version.
        correlation_id: the same for all announcements of one submission.
    """

    type: str
    item_id: str
    version: int
    time: datetime
    correlation_id: str

    def message(self) -> queues.Message:
        """Return the announcement as a message."""
        event = Envelope(
            id=f"{self.item_id}/{self.version}",
            source=_SOURCE,
            type=self.type,
            time=self.time,
            data={"id": self.item_id, "version": self.version},
            correlation_id=self.correlation_id,
        )
        return queues.Message(queues.json_text(event.as_dict()))

    @classmethod
    def read(cls, body: str, type: str) -> Announcement:
        """Read a message that should be an announcement of `type`.

        Raises:
            Unprocessable: it is something else.
        """
        event = envelope.read(body)
        if event.type != type:
            raise Unprocessable(f"The event's type is {event.type[:100]!r}, not {type!r}.")
        item_id, version = event.data.get("id"), event.data.get("version")
        if not is_item_id(item_id):
            raise Unprocessable("The event's data has no 'id' that is a UUID in lower case.")
        if not isinstance(version, int) or isinstance(version, bool) or version < FIRST_VERSION:
            raise Unprocessable("The event's data has no 'version' that is a whole number from 1.")
        return cls(type, str(item_id), version, event.time, event.correlation_id)


def is_item_id(value: object) -> bool:
    """Say whether `value` is what the id of an item looks like."""
    return isinstance(value, str) and _ITEM_ID.fullmatch(value) is not None

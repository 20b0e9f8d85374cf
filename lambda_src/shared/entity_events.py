"""Events about entities, of which the latest says what an entity's state is.

An entity is known by its type and its id, an event by its source and its id. Whatever is read here
can be carried by every hop: 200,000 bytes of JSON are at most 400,000 in DynamoDB, which takes
items of 409,600 ("Quotas in Amazon DynamoDB"; "DynamoDB item sizes and formats"), while an SQS
message and an EventBridge request hold 1 MiB ("Amazon SQS message quotas"; "PutEvents", Amazon
EventBridge API Reference; all 2026-11-21).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared import envelope as envelopes
from shared.identity import is_key
from shared.queues import json_text
from shared.rejects import Unprocessable
from shared.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from shared.envelope import Envelope

MAX_BYTES = 200_000
# Ours: what an event holds is checked and written value by value, ten events and more in the time
# of one invocation.
MAX_VALUES = 5_000
# Ours: with a clock that is further ahead, one event would stay an entity's latest for ever.
MAX_AHEAD = timedelta(hours=1)
# EventBridge takes 128 characters as type of an event ("PutEventsRequestEntry", 2026-11-21); these
# also make a folder in a bucket and a part of a path.
_TYPE = re.compile(r"[a-z][a-z0-9.-]{0,63}")
# Only services of AWS may put events of such a source ("PutEventsResultEntry", Amazon EventBridge
# API Reference, 2026-11-21).
_OF_AWS = "aws."
# What passes through a path unchanged.
SUBJECT = "[A-Za-z0-9][A-Za-z0-9._:@-]{0,254}"
_SUBJECT = re.compile(SUBJECT)


class TooLarge(Unprocessable):
    """The event has more bytes than later hops can carry."""


# Each is one that came, and a key by itself: what it says may be a thousand times as large.
@dataclass(frozen=True, eq=False)
class EntityEvent:
    """An event about one entity; `of` makes it of an envelope."""

    envelope: Envelope

    @classmethod
    def of(cls, envelope: Envelope, *, now: datetime | None = None) -> EntityEvent:
        """Return the event in an envelope.

        Args:
            envelope: a CloudEvent.
            now: when it was taken in; None if that was long ago and checked then.

        Raises:
            Unprocessable: it is about no entity, its time has not come yet, or a later hop could
                not carry it.
        """
        if not is_type(envelope.type):
            raise Unprocessable("The event's 'type' is not made of a-z, 0-9, '.' and '-'.")
        if envelope.subject is None or not is_subject(envelope.subject):
            raise Unprocessable(
                "The event's 'subject' is not made of letters, digits, '.', '_', ':', '@' and '-'."
            )
        if envelope.source.startswith(_OF_AWS):
            raise Unprocessable(f"The event's 'source' begins with {_OF_AWS!r}.")
        if not is_key(envelope.id):
            raise Unprocessable("The event's 'id' is not 1 to 255 visible ASCII characters.")
        if now is not None and envelope.time > now + MAX_AHEAD:
            raise Unprocessable(
                f"The event's 'time' is more than an hour ahead: {rfc3339(envelope.time)}."
            )
        values = _values(envelope.data)
        if values > MAX_VALUES:
            raise Unprocessable(f"The event's data has {values} values, more than {MAX_VALUES}.")
        event = cls(envelope)
        size = len(event.text.encode())
        if size > MAX_BYTES:
            raise TooLarge(f"The event has {size} bytes, more than {MAX_BYTES}.")
        return event

    @cached_property
    def id(self) -> str:
        """What a marker of the event is called: unique, because no source has a space in it."""
        return f"{self.envelope.source} {self.envelope.id}"

    @cached_property
    def entity(self) -> str:
        """The entity's key, `<type>/<subject>`; no type has a slash in it."""
        return entity_key(self.envelope.type, str(self.envelope.subject))

    @cached_property
    def at(self) -> str:
        """The event's place among those of its entity, `<time>#<id>`; as text it sorts so."""
        return f"{rfc3339(self.envelope.time)}#{self.envelope.id}"

    @cached_property
    def text(self) -> str:
        """The envelope as JSON, in one line."""
        return json_text(self.envelope.as_dict())


def read(body: str, *, now: datetime | None = None) -> EntityEvent:
    """Return the event that a text is; see `EntityEvent.of`."""
    return EntityEvent.of(envelopes.read(body), now=now)


def from_dict(value: Mapping[str, Any], *, now: datetime | None = None) -> EntityEvent:
    """Return the event that a JSON object is; see `EntityEvent.of`."""
    return EntityEvent.of(envelopes.from_dict(value), now=now)


def is_type(text: str) -> bool:
    """Say whether `text` can be the type of an event."""
    return _TYPE.fullmatch(text) is not None


def is_subject(text: str) -> bool:
    """Say whether `text` can be the id of an entity."""
    return _SUBJECT.fullmatch(text) is not None


def entity_key(type: str, subject: str) -> str:
    """Return the key of an entity."""
    return f"{type}/{subject}"


def _values(value: Any) -> int:  # noqa: ANN401 - any JSON
    """Count the values in a JSON value, itself among them."""
    if isinstance(value, dict):
        value = [*value.values()]
    return 1 + sum(map(_values, value)) if isinstance(value, list) else 1

"""The generator's events, as records of the delivery stream and as messages of the queue."""

from __future__ import annotations

import json
import random
import uuid
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from ingest.transforming import message
from odyssey_cli.flows.ingest.payloads import stories
from shared import envelope, times
from shared.entity_events import EntityEvent, entity_key
from shared.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from shared.queues import Message

MIX = "mix"
# The source of what goes directly into the queue; what goes through the stream gets the intake's.
SENDER = "/aws-odyssey/generator"
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Event:
    """One event, before it is on its way.

    Attributes:
        id: no other event's.
        type: one that the consumer knows.
        subject: the entity that it is about.
        time: when it happened.
        data: what it tells.
    """

    id: str
    type: str
    subject: str
    time: datetime
    data: dict[str, Any]

    @property
    def entity(self) -> str:
        """The key of the entity that it is about."""
        return entity_key(self.type, self.subject)

    def record(self) -> bytes:
        """Return what is put into the delivery stream."""
        return json.dumps(self._fields(), ensure_ascii=False).encode()

    def message(self) -> Message:
        """Return what is sent to the queue: the envelope that the stream's records get there."""
        made = {"specversion": "1.0", "source": SENDER, "correlationid": self.id}
        return message(EntityEvent.of(envelope.from_dict(self._fields() | made)))

    def _fields(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "type": self.type,
            "subject": self.subject,
            "time": rfc3339(self.time),
            "data": self.data,
        }


def make(
    type: str, count: int, *, seed: int, now: Callable[[], datetime] = times.now
) -> Iterator[Event]:
    """Yield events, each made when it is asked for.

    Their times are then, and increase. Ids are random, so that no event of a run is one of another
    run's; all else follows from the seed.

    Args:
        type: one of the consumer's types, or `mix`.
        count: how many.
        seed: what decides what they tell.
        now: the clock.
    """
    chance = random.Random(seed)  # noqa: S311 - to be the same again
    last: datetime | None = None
    for story in islice(stories(type, chance=chance, seed=seed), count):
        time = now()
        if last is not None and time <= last:
            time = last + _TICK
        last = time
        yield Event(str(uuid.uuid4()), story.type, story.subject, time, story.data)

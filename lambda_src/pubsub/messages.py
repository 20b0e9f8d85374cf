"""What the topic carries: that a message was counted, with its words as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pubsub.ways import WAYS
from pubsub.words import MAX_DISTINCT, MAX_WORD_BYTES, Word
from shared import envelope
from shared.envelope import Envelope
from shared.rejects import Unprocessable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

COUNTED = "aws-odyssey.pubsub.counted"
_SOURCE = "/aws-odyssey/pubsub"


@dataclass(frozen=True)
class Message:
    """A message whose words count.

    Attributes:
        id: a UUID, the same for every delivery of it.
        way: how it came in, one of `WAYS`.
        words: each once, with its occurrences.
        time: when it first came in.
        correlation_id: of the request that first brought it.
    """

    id: str
    way: str
    words: tuple[Word, ...]
    time: datetime
    correlation_id: str

    def envelope(self) -> Envelope:
        """Return the event that this message was counted."""
        return Envelope(
            id=self.id,
            source=_SOURCE,
            type=COUNTED,
            time=self.time,
            data={
                "way": self.way,
                "words": [
                    {"word": word.text, "occurrences": word.occurrences} for word in self.words
                ],
            },
            correlation_id=self.correlation_id,
        )

    @classmethod
    def read(cls, body: str) -> Message:
        """Read an event from the topic.

        Raises:
            Unprocessable: it is not one of ours.
        """
        event = envelope.read(body)
        if event.type != COUNTED:
            raise Unprocessable(f"The event's type is {event.type[:100]!r}, not {COUNTED!r}.")
        way = event.data.get("way")
        if way not in WAYS:
            raise Unprocessable("The event's data has no 'way' that is one of ours.")
        return cls(event.id, way, _words(event.data), event.time, event.correlation_id)


def _words(data: Mapping[str, Any]) -> tuple[Word, ...]:
    listed = data.get("words")
    if not isinstance(listed, list) or not 0 < len(listed) <= MAX_DISTINCT:
        raise Unprocessable(f"The event's data has no 'words', a list of 1 to {MAX_DISTINCT}.")
    words = tuple(_word(each) for each in listed)
    if len({word.text for word in words}) != len(words):
        raise Unprocessable("The event's data has a word twice.")
    return words


def _word(value: object) -> Word:
    match value:
        # To Python, true is an integer.
        case {"word": str(text), "occurrences": int(occurrences)} if (
            0 < len(text.encode()) <= MAX_WORD_BYTES
            and not isinstance(occurrences, bool)
            and occurrences > 0
        ):
            return Word(text, occurrences)
    raise Unprocessable("The event's data has a word without text or number of occurrences.")

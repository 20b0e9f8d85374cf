"""The responder's tables, and how long it remembers events."""

from __future__ import annotations

from dataclasses import dataclass

# Longer than an event can come back: from the archive after 7 days, then 14 in a dead-letter queue,
# 4 in the queue and 14 in its dead-letter queue.
MARKER_DAYS = 45


@dataclass(frozen=True)
class Tables:
    """Where markers, totals and states are; the key of each is `id`."""

    markers: str
    totals: str
    entities: str

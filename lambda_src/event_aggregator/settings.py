"""What the stack tells the functions, each environment read once into one typed object."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from event_aggregator.aggregation import Tables
from shared.environment import required


@dataclass(frozen=True)
class Producer:
    """The producer's environment; `ttl_days` is 0 for events that stay."""

    table: str
    group_by: tuple[str, ...]
    ttl_days: int


@dataclass(frozen=True)
class Aggregator:
    """The aggregator's environment."""

    tables: Tables
    rejects_queue: str


@dataclass(frozen=True)
class Reader:
    """The reader's environment; `ranking` is the name of the index."""

    table: str
    ranking: str


@cache
def producer() -> Producer:
    """Read the producer's environment."""
    return Producer(
        table=required("EVENTS_TABLE"),
        group_by=tuple(json.loads(required("GROUP_BY"))),
        ttl_days=int(required("EVENT_TTL_DAYS")),
    )


@cache
def aggregator() -> Aggregator:
    """Read the aggregator's environment."""
    return Aggregator(
        tables=Tables(required("PROCESSED_TABLE"), required("SUMMARIES_TABLE")),
        rejects_queue=required("REJECTS_QUEUE"),
    )


@cache
def reader() -> Reader:
    """Read the reader's environment."""
    return Reader(table=required("SUMMARIES_TABLE"), ranking=required("RANKING"))

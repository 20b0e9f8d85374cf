"""What the stack tells the functions, each environment read once into one typed object."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from consumer.tables import Tables
from shared.environment import required


@dataclass(frozen=True)
class Responder:
    """The responder's environment."""

    tables: Tables
    rejects_queue: str


@dataclass(frozen=True)
class Reader:
    """The reader's environment."""

    totals: str
    entities: str


@dataclass(frozen=True)
class Trigger:
    """The trigger's environment."""

    requests: str
    queue: str


@cache
def responder() -> Responder:
    """Read the responder's environment."""
    tables = Tables(required("MARKERS_TABLE"), required("TOTALS_TABLE"), required("ENTITIES_TABLE"))
    return Responder(tables, required("REJECTS_QUEUE"))


@cache
def reader() -> Reader:
    """Read the reader's environment."""
    return Reader(required("TOTALS_TABLE"), required("ENTITIES_TABLE"))


@cache
def trigger() -> Trigger:
    """Read the trigger's environment."""
    return Trigger(required("REQUESTS_TABLE"), required("EVENTS_QUEUE"))

"""What the stack tells the functions, each environment read once into one typed object."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from shared.environment import required


@dataclass(frozen=True)
class Transformer:
    """The transformer's environment; `partitioned` says that the lake has a folder per type."""

    queue: str
    partitioned: bool
    rejects_queue: str


@dataclass(frozen=True)
class Storer:
    """The storer's environment; `ttl_days` is 0 for events that stay."""

    table: str
    ttl_days: int
    rejects_queue: str


@dataclass(frozen=True)
class Emitter:
    """The emitter's environment."""

    bus: str
    rejects_queue: str


@cache
def transformer() -> Transformer:
    """Read the transformer's environment."""
    return Transformer(
        queue=required("EVENTS_QUEUE"),
        partitioned=required("PARTITIONED") == "true",
        rejects_queue=required("REJECTS_QUEUE"),
    )


@cache
def storer() -> Storer:
    """Read the storer's environment."""
    return Storer(
        table=required("EVENTS_TABLE"),
        ttl_days=int(required("EVENT_TTL_DAYS")),
        rejects_queue=required("REJECTS_QUEUE"),
    )


@cache
def emitter() -> Emitter:
    """Read the emitter's environment."""
    return Emitter(bus=required("BUS"), rejects_queue=required("REJECTS_QUEUE"))

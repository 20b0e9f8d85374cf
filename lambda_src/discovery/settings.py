"""What the stack tells the updater, read once into one typed object."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from discovery.updating import Resources
from shared.environment import required


@dataclass(frozen=True)
class Updater:
    """The updater's environment."""

    resources: Resources
    rejects_queue: str


@cache
def updater() -> Updater:
    """Read the updater's environment."""
    return Updater(
        resources=Resources(required("ITEMS_TABLE"), required("UPDATED_QUEUE")),
        rejects_queue=required("REJECTS_QUEUE"),
    )

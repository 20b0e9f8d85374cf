"""The tables, as counter and multiplier are told of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from shared.environment import required


@dataclass(frozen=True)
class Tables:
    """Where markers and words are."""

    markers: str
    words: str


@cache
def tables() -> Tables:
    """Read the environment."""
    return Tables(required("MARKERS_TABLE"), required("WORDS_TABLE"))

"""What happened: to each event, hop by hop, and in all, step by step."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Hop:
    """One thing that happened to an event.

    Attributes:
        at: when, in seconds from the beginning.
        where: the function or the place.
        what: in a few words.
    """

    at: float
    where: str
    what: str

    def __str__(self) -> str:
        """Return it as a line."""
        return f"{self.at:10.1f} s  {self.where}: {self.what}"


@dataclass(frozen=True)
class Violation:
    """A promise that was not kept, and to which event."""

    event: str
    what: str


@dataclass(frozen=True)
class Step:
    """An invocation, for the picture.

    Attributes:
        again: whether something of it was delivered before.
        faults: how many faults there had been by its end.
        waiting: how many messages and records were in dead-letter queues then.
    """

    again: bool
    faults: int
    waiting: int


@dataclass
class History:
    """All of it, in order.

    Attributes:
        hops: what happened to each event.
        steps: all invocations.
        delivered: how many events and messages each function was handed, first and again.
        overtaken: how many it was handed first after one that the source had got later.
    """

    hops: dict[str, list[Hop]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    delivered: Counter[tuple[str, str]] = field(default_factory=Counter)
    overtaken: Counter[str] = field(default_factory=Counter)
    _handed: dict[str, set[int]] = field(default_factory=dict)
    _last: dict[str, int] = field(default_factory=dict)

    def note(self, events: Iterable[str], at: float, where: str, what: str) -> None:
        """Remember what happened to some events at once."""
        hop = Hop(at, where, what)
        for event in events:
            self.hops.setdefault(event, []).append(hop)

    def hand_over(self, function: str, numbers: Iterable[int]) -> None:
        """Count what is handed over for the first time, and late.

        Args:
            function: to which.
            numbers: of messages and records, in the order in which their source got them.
        """
        handed = self._handed.setdefault(function, set())
        for number in numbers:
            last = self._last.get(function, number)
            self.overtaken[function] += number not in handed and number < last
            self._last[function] = max(number, last)
            handed.add(number)

    def digest(self) -> str:
        """Return what two runs have in common only if they were the same."""
        found = hashlib.sha256()
        for event, hops in self.hops.items():
            found.update(event.encode())
            for hop in hops:
                found.update(f"{hop.at:.6f}{hop.where}{hop.what}".encode())
        return found.hexdigest()[:16]

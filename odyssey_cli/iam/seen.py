"""What the local cloud's IAM decided while a flow was driven, and in which step it first did."""

from __future__ import annotations

import http.client
import json
import time
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from odyssey_cli.iam.grants import matches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from odyssey_cli.cloud import Cloud
    from odyssey_cli.iam.grants import Grant

_PATH = "/_odyssey/decisions"


@dataclass(frozen=True)
class Decision:
    """Decisions that were alike; see `local_cloud.decisions`."""

    principal: str
    action: str
    resource: str
    allowed: bool
    through: str
    first: float
    count: int
    policies: tuple[str, ...]
    groups: tuple[str, ...]

    @classmethod
    def of(cls, given: dict[str, Any]) -> Decision:
        """Return what the cloud says of it."""
        lists = {name: tuple(given[name]) for name in ("policies", "groups")}
        return cls(**{**given, **lists})

    def is_of(self, grant: Grant) -> bool:
        """Say whether whoever asked holds this grant, and what was asked for is what it is for."""
        return self.is_like(grant) and matches(grant.resource, self.resource)

    def is_like(self, grant: Grant) -> bool:
        """Say whether whoever asked holds this grant, and the action is the grant's."""
        holds = grant.principal in (self.principal, *self.policies)
        return holds and matches(grant.action, self.action, ignore_case=True)


@dataclass(frozen=True)
class Recording:
    """All decisions since the record began.

    Attributes:
        decisions: in the order in which they were first made.
        left_off: how many the cloud could not keep; the record proves nothing if there are any.
    """

    decisions: tuple[Decision, ...]
    left_off: int

    @property
    def lacking(self) -> str:
        """What it lacks, in a sentence; "" if it is complete."""
        if not self.left_off:
            return ""
        return (
            f"The local cloud's record of decisions was full and left off {self.left_off}, "
            "so nobody knows what was used."
        )


@dataclass(frozen=True)
class Sighting:
    """That a grant was used.

    Attributes:
        step: the flow's step in which it was first.
        at: when that was, in seconds since 1970.
        count: how often it was.
        through: in which ways: by a call, by an event source mapping, ...
    """

    step: str
    at: float
    count: int
    through: tuple[str, ...]


class Steps:
    """When each step of a flow began."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._began: list[float] = []
        self._names: list[str] = []

    def begin(self, name: str) -> None:
        """Note that a step begins now."""
        self._began.append(self._now())
        self._names.append(name)

    def at(self, moment: float) -> str:
        """Return the step that was under way."""
        return self._names[max(bisect_right(self._began, moment) - 1, 0)] if self._names else ""

    def ends(self, since: str) -> dict[str, float]:
        """Return how many seconds after a step each later one ended; the last one has not."""
        ended = [*self._began[1:], self._now()]
        start = ended[self._names.index(since)] if since in self._names else ended[0]
        return {name: end - start for name, end in zip(self._names, ended, strict=True)}


def recording(cloud: Cloud, *, begin_anew: bool = False) -> Recording:
    """Return what a local cloud has decided.

    Args:
        cloud: the local cloud.
        begin_anew: forget it there.
    """
    connection = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=30)
    try:
        method = "DELETE" if begin_anew else "GET"
        connection.request(method, _PATH, headers={"x-odyssey": "1"})
        answered = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return Recording(tuple(map(Decision.of, answered["decisions"])), answered["left_off"])


def sighting(grant: Grant, decisions: Iterable[Decision], steps: Steps) -> Sighting | None:
    """Return where a grant was used, None if it was not.

    Args:
        grant: what is allowed.
        decisions: all there were.
        steps: of the flow that drives the grant's stack.
    """
    found = [each for each in decisions if each.allowed and each.is_of(grant)]
    if not found:
        return None
    first = min(each.first for each in found)
    ways = tuple(sorted({each.through for each in found}))
    return Sighting(steps.at(first), first, sum(each.count for each in found), ways)

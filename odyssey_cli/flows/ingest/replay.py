"""Replays the bus's archive to the bus.

AWS wants ten minutes before an event can be relied on to be in the archive ("Archiving and
replaying events in Amazon EventBridge"), a replay need not keep the order, and goes through its
window minute by minute ("Replaying archived events in Amazon EventBridge"; both 2026-11-21).
"""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.ingest import STACK

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_cli.target import Target

COMPLETED = "COMPLETED"
_ENDED = (COMPLETED, "FAILED", "CANCELLED")
ADVICE = (
    "AWS may take ten minutes until an event is in the archive, and a replay keeps no order: "
    "wait so long before you rely on it."
)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
# How often AWS is asked, in seconds of its own.
_EVERY = 5.0


@dataclass(frozen=True)
class Replay:
    """A replay as it is now.

    Attributes:
        name: no other's.
        start: of the window.
        end: of the window.
        state: EventBridge's word for it.
        reason: why it is so, if EventBridge says.
        last: the time of the event that was replayed last; None if none was.
    """

    name: str
    start: datetime
    end: datetime
    state: str
    reason: str = ""
    last: datetime | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in _ENDED

    @property
    def share(self) -> float:
        """How much of the window it has gone through, from 0 to 1, as far as that is known."""
        if self.state == COMPLETED:
            return 1.0
        if self.last is None:
            return 0.0
        share = (self.last - self.start) / (self.end - self.start)
        return max(0.0, min(1.0, share))


def duration(text: str) -> timedelta:
    """Return how long "30s", "10m", "2h" or "7d" is.

    Raises:
        OdysseyError: the text is none of these.
    """
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", text.strip())
    if match is None or not int(match[1]):
        raise OdysseyError(
            f"--since {text!r} is no length of time.", "Write it as 30s, 10m, 2h or 7d."
        )
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def start(target: Target, since: timedelta, *, now: datetime | None = None) -> Replay:
    """Start to replay what was put on the bus since then, to all of its rules.

    Args:
        target: where the stack is deployed.
        since: how far back.
        now: the end of the window.

    Raises:
        OdysseyError: the stack is not deployed there.
    """
    outputs = target.outputs(STACK)
    now = now or datetime.now(UTC)
    # The API takes whole seconds; the window has all of the last one, and does not end in future.
    end = now.replace(microsecond=0) + timedelta(seconds=1)
    begin = end - since - timedelta(seconds=1)
    time.sleep((end - now).total_seconds())
    name = f"odyssey-{uuid.uuid4().hex}"
    target.client("events").start_replay(
        ReplayName=name,
        EventSourceArn=outputs["ArchiveArn"],
        Destination={"Arn": outputs["BusArn"]},
        EventStartTime=begin,
        EventEndTime=end,
    )
    return look(target, name)


def look(target: Target, name: str) -> Replay:
    """Return a replay as it is now."""
    found: dict[str, Any] = target.client("events").describe_replay(ReplayName=name)
    return Replay(
        name=name,
        start=found["EventStartTime"],
        end=found["EventEndTime"],
        state=found["State"],
        reason=found.get("StateReason", ""),
        last=found.get("EventLastReplayedTime"),
    )


def wait(target: Target, replay: Replay, *, tell: Callable[[Replay], None]) -> Replay:
    """Wait until a replay has ended; `tell` hears how it goes."""
    while not replay.has_ended:
        tell(replay)
        time.sleep(target.seconds(_EVERY))
        replay = look(target, replay.name)
    tell(replay)
    return replay

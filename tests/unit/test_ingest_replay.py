"""A replay has its own name and window, and is waited for until it has ended, however it does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.ingest import replay as replays
from odyssey_cli.flows.ingest.replay import Replay, duration, start, wait
from odyssey_cli.target import Target

NOW = datetime(2026, 11, 21, 12, 0, 0, 500_000, tzinfo=UTC)
ARCHIVE, BUS = "arn:archive", "arn:bus"


class FakeEvents:
    """Describes a replay as it is told to, in turn.

    Attributes:
        started: what it was asked to replay.
        states: the states to come; the last one stays.
        last: the time of the last event.
    """

    def __init__(self) -> None:
        self.started: list[dict[str, Any]] = []
        self.states = ["COMPLETED"]
        self.last: datetime | None = None

    def start_replay(self, **asked: Any) -> dict[str, Any]:
        self.started.append(asked)
        return {"State": "STARTING"}

    def describe_replay(self, *, ReplayName: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        [asked] = [each for each in self.started if each["ReplayName"] == ReplayName]
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {
            "State": state,
            "EventStartTime": asked["EventStartTime"],
            "EventEndTime": asked["EventEndTime"],
            **({"StateReason": "No."} if state == "FAILED" else {}),
            **({"EventLastReplayedTime": self.last} if self.last else {}),
        }


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> FakeEvents:
    fake = FakeEvents()
    monkeypatch.setattr(Target, "client", lambda *_, **__: fake)
    monkeypatch.setattr(
        Target, "outputs", lambda *_: {"ArchiveArn": ARCHIVE, "BusArn": BUS, "BusName": "bus"}
    )
    monkeypatch.setattr(replays.time, "sleep", lambda _: None)
    return fake


@pytest.fixture
def target() -> Target:
    return Target({}, Path(), None)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("30s", timedelta(seconds=30)),
        ("10m", timedelta(minutes=10)),
        (" 2h ", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
    ],
)
def test_a_length_of_time_is_a_number_and_a_unit(text: str, length: timedelta) -> None:
    assert duration(text) == length


@pytest.mark.parametrize("text", ["", "10", "m", "-1m", "0m", "1.5h", "1w", "10m ago", "9" * 9])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(OdysseyError, match="no length of time"):
        duration(text)


def test_it_replays_the_archive_to_the_bus_from_then_to_now(
    events: FakeEvents, target: Target
) -> None:
    # WHEN
    replay = start(target, timedelta(minutes=10), now=NOW)
    # THEN
    [asked] = events.started
    assert asked["EventSourceArn"] == ARCHIVE
    assert asked["Destination"] == {"Arn": BUS}
    # AWS takes whole seconds: all of the last ten minutes is in it.
    assert asked["EventStartTime"] <= NOW - timedelta(minutes=10)
    assert NOW <= asked["EventEndTime"] <= NOW + timedelta(seconds=1)
    assert asked["ReplayName"] == replay.name
    assert len(replay.name) <= 64


def test_no_two_replays_have_one_name(events: FakeEvents, target: Target) -> None:
    names = {start(target, timedelta(minutes=1), now=NOW).name for _ in range(3)}
    assert len(names) == 3


@pytest.mark.parametrize(
    ("state", "reason"), [("COMPLETED", ""), ("FAILED", "No."), ("CANCELLED", "")]
)
def test_it_is_waited_for_until_it_has_ended(
    state: str, reason: str, events: FakeEvents, target: Target
) -> None:
    # GIVEN
    events.states = ["STARTING", "STARTING", "RUNNING", state]
    seen: list[str] = []
    # WHEN
    replay = wait(
        target,
        start(target, timedelta(minutes=1), now=NOW),
        tell=lambda now: seen.append(now.state),
    )
    # THEN
    assert (replay.state, replay.reason) == (state, reason)
    assert seen == ["STARTING", "STARTING", "RUNNING", state]


@pytest.mark.parametrize(
    ("state", "after", "share"),
    [
        ("RUNNING", None, 0.0),
        ("RUNNING", 15, 0.25),
        ("RUNNING", -5, 0.0),
        ("RUNNING", 90, 1.0),
        ("COMPLETED", None, 1.0),
        ("COMPLETED", 15, 1.0),
    ],
)
def test_how_far_it_is_says_the_last_event(state: str, after: int | None, share: float) -> None:
    last = None if after is None else NOW + timedelta(seconds=after)
    replay = Replay("r", NOW, NOW + timedelta(minutes=1), state, last=last)
    assert replay.share == share

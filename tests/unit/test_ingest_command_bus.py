"""What is said of what was replayed or captured, and how it ends."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from odyssey_cli.flows.ingest import capture, replay
from tests.unit.ingesting import error_of, run, target  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from pathlib import Path

    from odyssey_cli.target import Target

pytestmark = pytest.mark.usefixtures("target")
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def replayed(monkeypatch: pytest.MonkeyPatch, state: str, **more: Any) -> None:
    started = replay.Replay("odyssey-1", NOW - timedelta(minutes=10), NOW, "STARTING")

    def wait(_: Target, seen: replay.Replay, *, tell: Any) -> replay.Replay:
        tell(seen)
        if state == "interrupted":
            raise KeyboardInterrupt
        return replay.Replay(seen.name, seen.start, seen.end, state, **more)

    monkeypatch.setattr(replay, "start", lambda *_: started)
    monkeypatch.setattr(replay, "wait", wait)


def test_a_replay_says_what_aws_wants_and_what_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    replayed(monkeypatch, "COMPLETED", last=NOW)
    result = run("replay", "--since", "10m")
    assert result.exit_code == 0
    assert "ten minutes" in result.stderr
    assert "2026-11-21T11:50:00Z to 2026-11-21T12:00:00Z" in result.stdout
    assert "COMPLETED; the last event is of 2026-11-21T12:00:00Z" in result.stdout


def test_a_replay_of_nothing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    replayed(monkeypatch, "COMPLETED")
    assert "has no event" in run("replay", "--since", "10m").stdout


def test_a_state_steers_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "COMPLETED", "[/red]\x1b[2J")
    replayed(monkeypatch, "[/red]\x1b[2J")
    assert r"[/red]\x1b[2J; the archive has no event" in run("replay", "--since", "10m").stdout


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED"])
def test_a_replay_that_did_not_get_to_its_end_is_an_error(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replayed(monkeypatch, state, reason="The archive is gone")
    result = run("replay", "--since", "10m", "--json")
    assert error_of(result).problem == (
        f"The replay odyssey-1 has ended as {state}: The archive is gone."
    )
    assert json.loads(result.stdout)["state"] == state


def test_ctrl_c_leaves_a_replay_running_and_says_how_to_see_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replayed(monkeypatch, "interrupted")
    result = run("replay", "--since", "10m")
    assert result.exit_code == 130
    assert "aws events describe-replay --replay-name odyssey-1" in result.stderr
    assert "aws events cancel-replay --replay-name odyssey-1" in result.stderr


ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class FakeBus:
    """Has events pass when it is listened to; a signal may come then.

    Attributes:
        asked: the options it was called with.
        cleared: whether its end was disturbed by nothing.
    """

    def __init__(self, *events: str, ended_by: signal.Signals | None = None) -> None:
        self.events, self.ended_by = events, ended_by
        self.asked: dict[str, Any] = {}
        self.cleared = False

    def capture(self, file: Any, *, captured: capture.Captured, **options: Any) -> None:
        self.asked = options
        options["listening"]()
        try:
            for event in self.events:
                file.write(f"{event}\n")
                captured.events += 1
                options["tell"](captured)
            if self.ended_by is not None:
                signal.raise_signal(self.ended_by)
        finally:
            options["ending"]()
            for each in ENDING:
                signal.raise_signal(each)
            self.cleared = True


def on(bus: FakeBus, monkeypatch: pytest.MonkeyPatch) -> FakeBus:
    monkeypatch.setattr(capture.Bus, "of", lambda _: bus)
    return bus


def test_a_capture_writes_a_new_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bus, file = on(FakeBus("{}", "{}"), monkeypatch), tmp_path / "events.jsonl"
    result = run("capture", "--out", str(file), "--seconds", "9", "--count", "2", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"file": str(file), "events": 2}
    assert file.read_text() == "{}\n{}\n"
    assert (bus.asked["seconds"], bus.asked["count"]) == (9, 2)


@pytest.mark.parametrize("ended_by", [None, *ENDING])
def test_a_signal_ends_a_capture_with_what_it_has_and_no_other_disturbs_its_end(
    ended_by: signal.Signals | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # GIVEN
    bus, file = on(FakeBus("{}", ended_by=ended_by), monkeypatch), tmp_path / "events.jsonl"
    before = [signal.getsignal(each) for each in ENDING]
    # WHEN
    result = run("capture", "--out", str(file))
    # THEN
    assert (result.exit_code, result.stdout) == (0, f"1 event in {file}.\n")
    assert file.read_text() == "{}\n"
    assert bus.cleared
    assert [signal.getsignal(each) for each in ENDING] == before


def test_whoever_was_started_by_nohup_is_not_ended_by_sighup(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def capture(_: FakeBus, file: Any, **options: Any) -> None:
        signal.raise_signal(signal.SIGHUP)
        file.write("still there")

    monkeypatch.setattr(FakeBus, "capture", capture)
    on(FakeBus(), monkeypatch)
    file = tmp_path / "events.jsonl"
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        result = run("capture", "--out", str(file))
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert result.exit_code == 0
    assert file.read_text() == "still there"


def test_the_name_of_a_file_is_told_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    on(FakeBus("{}"), monkeypatch)
    (tmp_path / "[").mkdir()
    result = run("capture", "--out", f"{tmp_path}/[/red]")
    assert result.stdout == f"1 event in {tmp_path}/[/red].\n"


def test_what_a_killed_capture_leaves_is_told_in_the_help() -> None:
    said = " ".join(run("capture", "--help").stdout.replace("│", " ").split())
    assert "leaves its rule on the bus, with which the stack Ingest cannot be deleted" in said
    assert "once they are an hour old" in said


def test_a_file_that_is_there_is_not_overwritten(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bus, file = on(FakeBus("{}"), monkeypatch), tmp_path / "events.jsonl"
    file.write_text("mine")
    error = error_of(run("capture", "--out", str(file)))
    assert "is not overwritten" in error.problem
    assert "another file" in error.remedy
    assert file.read_text() == "mine"
    assert bus.asked == {}


def test_a_file_that_cannot_be_written_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    on(FakeBus(), monkeypatch)
    error = error_of(run("capture", "--out", str(tmp_path / "none" / "events.jsonl")))
    assert "cannot be written: No such file" in error.problem

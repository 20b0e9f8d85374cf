"""What is said of what came back from the error prefix, and how it ends."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from odyssey_cli.commands import ingest_reprocess
from odyssey_cli.flows.ingest import generate, reprocess
from odyssey_cli.flows.ingest.reprocess import Report
from tests.unit.ingesting import error_of, run, target  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_cli.target import Target

RESTORE = "restore them to read them"


@pytest.fixture(autouse=True)
def to(target: Target, monkeypatch: pytest.MonkeyPatch) -> Target:  # noqa: F811
    monkeypatch.setattr(ingest_reprocess, "resolve", lambda *_, **__: target)
    monkeypatch.setattr(generate, "sender", lambda to, via: (to, via))
    return target


@pytest.fixture
def told(to: Target, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command where this is what became of the records."""

    def command(report: Report, *arguments: str) -> Any:
        def done(
            target: Target,  # noqa: F811
            stream: Any,
            *,
            despite_queued: bool,
            tell: Callable[[str], None],
        ) -> Report:
            assert target is to
            assert stream == (to, "firehose")
            assert despite_queued is ("--despite-queued" in arguments)
            tell("watching …")
            return report

        monkeypatch.setattr(reprocess, "reprocess", done)
        return run("reprocess", *arguments)

    return command


@pytest.mark.parametrize(
    ("brought_back", "said"),
    [(0, "0 records put"), (1, "1 record put"), (1_200, "1200 records put")],
)
def test_it_says_how_many_records_came_back(told: Any, brought_back: int, said: str) -> None:
    result = told(Report(brought_back=brought_back))
    assert result.exit_code == 0
    assert result.stdout == f"{said} into the stream again.\n"
    assert result.stderr == ""


def test_at_a_terminal_it_says_what_it_waits_for(
    told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    class Terminal(nullcontext[Any]):
        is_terminal = True

        def status(self, text: str) -> Terminal:
            said.append(text)
            return Terminal(self)

        def update(self, text: str) -> None:
            said.append(text)

    said: list[str] = []
    monkeypatch.setattr(ingest_reprocess, "err", Terminal())
    # WHEN
    assert told(Report()).exit_code == 0
    # THEN
    assert said == ["reading …", "watching …"]


def test_it_says_what_stays_and_who_brings_that_back(told: Any) -> None:
    places = [f"errors/{'x' * 300}:1", "errors/b:2"]
    result = told(Report(2, rejects=3, archived=1, unreadable=places))
    assert result.exit_code == 0
    assert result.stdout == "2 records put into the stream again.\n"
    assert "3 rejects left to ./odyssey redrive Ingest." in result.stderr
    assert f"1 object archived: {RESTORE}." in result.stderr
    for place in places:
        assert f"{place} is none of Firehose's documents." in result.stderr


def test_a_place_is_told_as_it_is_and_steers_no_terminal(told: Any) -> None:
    result = told(Report(unreadable=["errors/[/red][bold]\x1b[2J:1"]))
    assert result.exit_code == 0
    assert r"errors/[/red][bold]\x1b[2J:1 is none" in result.stderr


def test_what_the_stream_did_not_take_is_an_error(told: Any) -> None:
    result = told(Report(2, refused=1))
    assert result.stdout == "2 records put into the stream again.\n"
    error = error_of(result)
    assert error.problem == "The stream did not take 1 record."
    assert error.remedy == "They are still in the error prefix; run it again."


def test_what_may_be_queued_is_an_error_that_says_what_to_do(told: Any) -> None:
    result = told(Report(2, waiting=1))
    assert result.stdout == "2 records put into the stream again.\n"
    error = error_of(result)
    assert error.problem == "1 record without an id left: the event may be queued."
    assert error.remedy.startswith("Run ./odyssey redrive Ingest, and this again")
    assert "--despite-queued" in error.remedy


def test_two_errors_are_told_together(told: Any) -> None:
    error = error_of(told(Report(refused=2, waiting=3)))
    assert error.problem.startswith("The stream did not take 2 records. 3 records without an id")
    assert "run it again. Run ./odyssey redrive Ingest" in error.remedy


def test_one_can_go_on_and_is_told_of_the_risk(told: Any) -> None:
    assert told(Report(), "--despite-queued").exit_code == 0
    said = " ".join(run("reprocess", "--help").stdout.replace("│", " ").split())
    assert "without an id whose event is among them is counted twice." in said


@pytest.mark.parametrize(("refused", "waiting"), [(0, 0), (1, 0), (0, 4)])
def test_as_json_it_is_one_object_and_nothing_else(told: Any, refused: int, waiting: int) -> None:
    result = told(Report(1, refused, 2, 3, ["errors/a:1"], waiting), "--json")
    assert json.loads(result.stdout) == {
        "brought_back": 1,
        "refused": refused,
        "rejects": 2,
        "archived": 3,
        "unreadable": ["errors/a:1"],
        "waiting": waiting,
    }
    assert bool(result.exit_code) is bool(refused or waiting)

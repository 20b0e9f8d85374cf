"""What the chaos command shows, and how it exits."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from typer.testing import CliRunner

from odyssey_cli.commands import chaos, chaos_view
from odyssey_cli.errors import OdysseyError
from proofs.chaos import run as chaos_run
from proofs.chaos.history import Hop, Step, Violation
from proofs.chaos.run import Report
from proofs.chaos.world import DEADLY

if TYPE_CHECKING:
    import pytest


def report(*violations: Violation) -> Report:
    return Report(
        flow="ingest",
        events=1_000,
        seed=7,
        violations=list(violations),
        hops=("event-3", [Hop(1.5, "storer", "died")]) if violations else ("", []),
        faults=Counter({("storer", "crash"): 2, ("bus", "duplicate"): 1}),
        calls=Counter({("storer", "PutItem"): 12}),
        delivered=Counter({("storer", "first"): 10, ("storer", "again"): 4}),
        overtaken=Counter({"storer": 5}),
        ended={"stored": 9},
        bad=Counter({("storer", "not JSON"): 7, ("emitter", DEADLY): 3, ("storer", DEADLY): 0}),
        redrives=2,
        steps=[Step(n % 2 == 1, n, n // 4) for n in range(80)],
        lasted=7_200,
        seconds=1.25,
        digest="abc",
    )


def shown(made: Report, *, is_terminal: bool = True) -> str:
    console = Console(width=120, record=True, quiet=False, file=None, force_terminal=False)
    with console.capture() as capture:
        for part in chaos_view.parts(made, is_terminal=is_terminal):
            console.print(part)
    return capture.get()


def test_a_run_shows_faults_by_function_where_events_ended_and_a_picture() -> None:
    text = shown(report())
    assert "crash" in text
    assert "up to 19" in text
    assert "█" in text
    assert "nothing lost, nothing counted twice" in text
    assert "seed 7" in text
    assert "5 overtaken" in text


def test_a_run_shows_what_poison_there_was_and_what_there_was_not() -> None:
    rows = [line.split() for line in shown(report()).splitlines()]
    assert ["storer", "not", "JSON", "7"] in rows
    assert ["emitter", "deadly", "3"] in rows
    assert ["storer", "deadly", "0"] in rows


def test_without_a_terminal_there_is_no_picture() -> None:
    assert "█" not in shown(report(), is_terminal=False)


def test_a_violation_shows_what_happened_to_its_event() -> None:
    text = shown(report(Violation("event-3", "is stored 2 times")))
    assert "1 promise not kept" in text
    assert "event-3 is stored 2 times" in text
    assert "1.5 s  storer: died" in text


def test_bars_are_as_high_as_their_numbers() -> None:
    assert chaos_view.bars([0, 1, 4, 8]) == " ▁▄█"
    assert chaos_view.bars([]) == ""


def command(
    monkeypatch: pytest.MonkeyPatch, made: Report, *arguments: str, shorter: Report | None = None
) -> Any:
    app = typer.Typer()
    chaos.register(app)
    monkeypatch.setattr(chaos, "_deployed", lambda: None)
    monkeypatch.setattr(chaos_run, "run", lambda *_args, **_options: made)
    monkeypatch.setattr(chaos_run, "reduced", lambda found, _deployed: shorter or found)
    return CliRunner().invoke(app, ["ingest", *arguments])


def test_figures_are_there_for_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    result = command(monkeypatch, report(), "--seed", "7", "--json")
    told = json.loads(result.stdout[result.stdout.index("{") :])
    assert told["kept"] is True
    assert told["faults"] == {"bus": {"duplicate": 1}, "storer": {"crash": 2}}
    assert (told["poison"], told["killers"], told["redeliveries"]) == (7, 3, 4)
    assert told["overtaken"] == {"storer": 5}
    assert told["bad"] == {"emitter": {"deadly": 3}, "storer": {"deadly": 0, "not JSON": 7}}


def test_a_broken_promise_ends_with_1_and_says_how_to_see_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = report(Violation("event-3", "is stored 2 times"))
    result = command(monkeypatch, broken, "--seed", "7")
    assert result.exit_code == 1
    assert isinstance(result.exception, OdysseyError)
    assert "event-3 is stored 2 times" in result.exception.problem
    assert "./odyssey chaos ingest --events 1000 --seed 7" in result.exception.remedy


def test_a_shorter_run_is_told_of_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    broken = report(Violation("event-3", "is lost"), Violation("event-4", "is lost"))
    shorter = replace(report(Violation("event-9", "is lost")), events=125, seconds=0.5)
    # WHEN
    result = command(monkeypatch, broken, "--seed", "7", "--json", shorter=shorter)
    # THEN the figures are those of the run that was asked for, and so is all beside them
    told = json.loads(result.stdout[result.stdout.index("{") :])
    assert told["figures"] == {"tried": 1_000, "passed": 998, "seconds": 1.25}
    assert (told["events"], len(told["violations"]), told["seconds"]) == (1_000, 2, 1.25)
    assert (told["shorter"]["events"], len(told["shorter"]["violations"])) == (125, 1)
    assert result.exit_code == 1
    assert "event-9" in result.exception.problem
    assert "--events 125 --seed 7" in result.exception.remedy
    # WHEN people look
    text = command(monkeypatch, broken, "--seed", "7", shorter=shorter).stdout
    # THEN
    assert "ingest: 125 events" in text
    assert "What was asked for:\ningest: 1000 events" in text
    assert text.splitlines()[-1] == "1000 cases tried, 998 passed, 1.25 s"


def test_a_run_of_which_no_shorter_one_goes_wrong_is_told_of_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = report(Violation("event-3", "is lost"))
    result = command(monkeypatch, broken, "--seed", "7", "--json")
    assert json.loads(result.stdout[result.stdout.index("{") :])["shorter"] is None
    assert "What was asked for" not in command(monkeypatch, broken, "--seed", "7").stdout


def test_an_unknown_flow_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    app = typer.Typer()
    chaos.register(app)
    result = CliRunner().invoke(app, ["nowhere"])
    assert isinstance(result.exception, OdysseyError)
    assert "event-aggregator" in result.exception.remedy

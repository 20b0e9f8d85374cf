"""What is said of events that were sent and of what was found, and how it ends."""

from __future__ import annotations

import json
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import pytest
from typer.testing import CliRunner

from consumer.kinds import TYPES
from odyssey_cli.__main__ import app
from odyssey_cli.commands import ingest as commands
from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.ingest import generate, verify
from odyssey_cli.flows.ingest.generate import Report
from odyssey_cli.flows.ingest.verify import Findings, Problem
from odyssey_cli.target import Target
from tests.unit.ingesting import error_of, run, target  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("target")


def test_the_group_is_one_of_the_command_line() -> None:
    result = CliRunner().invoke(app, ["ingest", "--help"])
    assert result.exit_code == 0
    names = ("generate", "verify", "replay", "capture", "reprocess", "totals", "entity", "trigger")
    for command in (*names, "failures"):
        assert f"{command} " in result.output


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> Callable[[Report], list[dict[str, Any]]]:
    """Let a run end with a report; return what runs are asked for."""

    def given(report: Report) -> list[dict[str, Any]]:
        asked: list[dict[str, Any]] = []

        def generate(_: Target, **options: Any) -> Report:
            asked.append(options)
            options["tell"](report)
            return report

        monkeypatch.setattr("odyssey_cli.flows.ingest.generate.generate", generate)
        return asked

    return given


def test_every_type_of_the_consumer_is_a_choice_and_all_of_them_together() -> None:
    assert get_args(get_type_hints(commands.generate)["kind"]) == (*TYPES, "mix")
    assert get_args(get_type_hints(commands.generate)["via"]) == get_args(generate.Via)


def test_a_run_that_brought_in_all_says_so(generator: Any) -> None:
    # GIVEN
    asked = generator(Report(3, made=3, accepted=3, retried=1, seconds=2.0))
    # WHEN
    result = run(
        "generate", "--count", "3", "--type", "order", "--seed", "7", "--via", "sqs", "--json"
    )
    # THEN
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "via": "sqs",
        "type": "order",
        "seed": 7,
        "wanted": 3,
        "made": 3,
        "accepted": 3,
        "retried": 1,
        "not_accepted": 0,
        "not_accepted_causes": {},
        "unknown": 0,
        "unknown_causes": {},
        "interrupted": False,
        "seconds": 2.0,
        "per_second": 1.5,
    }
    [options] = asked
    assert (options["count"], options["type"], options["seed"]) == (3, "order", 7)
    assert (options["via"], options["rate"]) == ("sqs", None)


def test_the_seed_is_told_even_if_none_was_given(generator: Any) -> None:
    asked = generator(Report(1, made=1, accepted=1))
    result = run("generate", "--count", "1", "--json")
    assert json.loads(result.stdout)["seed"] == asked[0]["seed"]


def test_whatever_is_unaccounted_for_is_an_error(generator: Any) -> None:
    # GIVEN
    refused, unknown = Counter({"Throttled": 2}), Counter({"ReadTimeoutError": 1})
    generator(Report(10, made=6, accepted=3, refused=refused, unknown=unknown, gave_up=True))
    # WHEN
    result = run("generate", "--count", "10")
    # THEN
    error = error_of(result)
    assert error.problem == (
        "Of 10 events, 2 were not accepted (Throttled: 2); of 1 nobody knows (ReadTimeoutError: "
        "1); 4 were not made."
    )
    assert "verify" in error.remedy
    assert "Throttled" in result.stdout


def test_a_cause_is_told_as_it_is_and_steers_no_terminal(generator: Any) -> None:
    generator(Report(1, made=1, refused=Counter({"[/red]\x1b[2J": 1})))
    assert r"  [/red]\x1b[2J" in run("generate", "--count", "1").stdout


def test_a_run_that_somebody_ended_is_told_of_and_ends_as_ctrl_c_does(generator: Any) -> None:
    generator(Report(10, made=4, accepted=4, interrupted=True))
    result = run("generate", "--count", "10", "--json")
    assert result.exit_code == 130
    assert json.loads(result.stdout)["accepted"] == 4
    assert "6 events were not made" in result.stderr


def test_ctrl_c_asks_the_run_to_end_and_is_ctrl_c_again_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN somebody who presses it during the run
    before = signal.getsignal(signal.SIGINT)

    def interrupted(_: Target, **options: Any) -> Report:
        signal.raise_signal(signal.SIGINT)
        assert options["stop"].requested
        return Report(2, made=1, accepted=1, interrupted=True)

    monkeypatch.setattr("odyssey_cli.flows.ingest.generate.generate", interrupted)
    # WHEN
    result = run("generate", "--count", "2")
    # THEN
    assert result.exit_code == 130
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    "wrong",
    [
        ("--count", "0"),
        ("--rate", "0"),
        ("--type", "weather"),
        ("--via", "kinesis"),
        ("--seed", "-1"),
    ],
)
def test_what_cannot_be_is_refused(wrong: tuple[str, str]) -> None:
    assert run("generate", *wrong).exit_code == 2


def findings(**changes: Any) -> Findings:
    counts = {"records in the error prefix": 2, "sum of its totals": 3}
    made = {"problems": {}, "twice_in_lake": [], "has_consumer": True}
    return Findings(
        **({"counts": counts, "totals": {"order": 3}, "errors": {"E": 2}} | made | changes)
    )


def found(monkeypatch: pytest.MonkeyPatch, findings: Findings) -> list[dict[str, Any]]:
    asked: list[dict[str, Any]] = []

    def verified(_: Target, **options: Any) -> Findings:
        asked.append(options)
        options["tell"](findings)
        return findings

    monkeypatch.setattr(verify, "verify", verified)
    return asked


def test_what_is_clean_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = found(monkeypatch, findings())
    result = run("verify", "--wait", "5")
    assert result.exit_code == 0
    assert "Nothing is missing or double." in result.stdout
    assert asked[0]["wait"] == 5


def test_what_is_missing_is_named_and_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN more than anybody wants to read
    names = [f"/a e{number:02}" for number in range(12)]
    found(monkeypatch, findings(problems={Problem.NOT_STORED: names}))
    # WHEN
    result = run("verify")
    # THEN
    error = error_of(result)
    assert f"{Problem.NOT_STORED}: 12" in error.problem
    assert "--wait 180" in error.remedy
    assert "e09" in result.stdout
    assert "e10" not in result.stdout
    assert "and 2 more" in result.stdout
    # AND JSON has all of them
    result = run("verify", "--json")
    error_of(result)
    assert json.loads(result.stdout)["problems"] == {str(Problem.NOT_STORED): names}
    assert not json.loads(result.stdout)["clean"]


def test_whoever_has_waited_is_not_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, findings(problems={Problem.NOT_STORED: ["e"]}))
    assert "--wait" not in error_of(run("verify", "--wait", "1")).remedy


def test_what_is_no_failure_is_told_beside_the_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, findings(twice_in_lake=["e"], queued=2, notes=["No consumer."]))
    result = run("verify", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["twice_in_lake"] == ["e"]
    for said in ("1 event in the lake more than once", "About 2 messages", "No consumer."):
        assert said in result.stderr


def test_control_characters_of_an_id_are_spelt_out(monkeypatch: pytest.MonkeyPatch) -> None:
    found(monkeypatch, findings(problems={Problem.NOT_STORED: ["[red]\x1b[2J"]}))
    assert "  [red]\\x1b[2J\n" in run("verify").stdout
    found(monkeypatch, findings(errors={"[/red]\x1b": 1}, notes=["[/red]\x1b"]))
    result = run("verify")
    assert "[/red]\\x1b\n" in result.stderr
    assert "  [/red]\\x1b " in result.stdout


@pytest.mark.parametrize("stacks", [["Ingest"], ["Ingest", "Consumer"]])
def test_failures_are_those_of_the_stacks_that_are_deployed(
    stacks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    shown: list[tuple[str, ...]] = []

    def outputs(_: Target, stack: str) -> dict[str, str]:
        if stack not in stacks:
            raise OdysseyError("Not there.", "Deploy it.")
        return {}

    monkeypatch.setattr(Target, "outputs", outputs)
    monkeypatch.setattr(commands, "show_failures", lambda _, *asked, **__: shown.append(asked))
    # WHEN
    run("failures")
    # THEN
    assert shown == [tuple(stacks)]

"""Every proof prints its figures at its end, in one shape and in the same words."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from odyssey_cli import audit, checkov, paths
from odyssey_cli.__main__ import app
from odyssey_cli.commands import audit as audit_command
from odyssey_cli.commands import policy
from odyssey_cli.figures import figures, line
from odyssey_cli.fuzz import runner
from odyssey_cli.fuzz.report import Report
from odyssey_cli.iam import proof
from odyssey_cli.target import Target
from proofs.chaos.history import Violation
from tests.unit import test_chaos_command as chaos
from tests.unit.small_templates import shop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Invoke = Callable[..., Any]

LINE = re.compile(r"(\d+) cases? tried, (\d+) passed, \d+\.\d\d s")
# Commands of docs/proofs.md that prove nothing: tests hold what `openapi` prints against the rest.
NO_PROOFS = {"openapi", "test", "up"}


def _of_templates(patch: pytest.MonkeyPatch, _: Path) -> None:
    patch.setattr(policy, "_templates", lambda *_: [shop("dev")])


def _fuzz(patch: pytest.MonkeyPatch, _: Path) -> None:
    good = Report("PubSub", 7, cases=3, seconds=1.25)
    patch.setattr(runner, "fuzz", lambda *_, **__: [runner.Tried("PubSub", good, good)])


def _secrets(patch: pytest.MonkeyPatch, folder: Path) -> None:
    (folder / "a.txt").write_text("nothing")
    patch.setattr(paths, "ROOT", folder)


def _checkov(patch: pytest.MonkeyPatch, _: Path) -> None:
    report = checkov.Report(accepted=2, passed=3, resources=4, seconds=1)
    patch.setattr(checkov, "run", lambda *_: report)


def _iam(patch: pytest.MonkeyPatch, _: Path) -> None:
    patch.setattr(proof, "prove", lambda *_, **__: proof.Proof(recording_seconds=2))


def _audit(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.setattr(audit_command, "resolve", lambda *_, **__: Target({}, folder, None))
    patch.setattr(audit_command, "_templates", lambda _: [])
    patch.setattr(audit, "audit", lambda *_: audit.Report(looked_at=3, seconds=1))


# Each proof: its command, and what stands for the work that it takes.
PROOFS: dict[str, tuple[list[str], Callable[[pytest.MonkeyPatch, Path], None]]] = {
    "edges": (["edges"], _of_templates),
    "rules": (["rules"], _of_templates),
    "fuzz": (["fuzz"], _fuzz),
    "secrets": (["secrets"], _secrets),
    "checkov": (["checkov"], _checkov),
    "iam": (["iam", "prove"], _iam),
    "audit": (["audit"], _audit),
}


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Invoke:
    def run(name: str, *arguments: str) -> Any:
        if name == "chaos":
            return chaos.command(monkeypatch, chaos.report(), "--seed", "7", *arguments)
        command, prepare = PROOFS[name]
        prepare(monkeypatch, tmp_path)
        return CliRunner().invoke(app, [*command, *arguments])

    return run


@pytest.mark.parametrize("name", [*PROOFS, "chaos"])
def test_a_proof_ends_with_its_figures(invoke: Invoke, name: str) -> None:
    # WHEN
    told, shown = invoke(name, "--json"), invoke(name)
    # THEN for programs there is one object in one shape
    assert (told.exit_code, shown.exit_code) == (0, 0), told.output + shown.output
    found = json.loads(told.stdout)["figures"]
    assert [*found][:3] == ["tried", "passed", "seconds"]
    assert {name: type(found[name]) for name in ("tried", "passed")} == {
        "tried": int, "passed": int,
    }  # fmt: skip
    assert isinstance(found["seconds"], int | float)
    assert found["passed"] == found["tried"]
    # AND for people the last line says the same in the same words
    last = LINE.fullmatch(shown.stdout.rstrip().splitlines()[-1])
    assert last is not None, shown.stdout
    assert (int(last[1]), int(last[2])) == (found["tried"], found["passed"])


def test_of_chaos_an_event_passes_unless_a_promise_to_it_is_broken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN two events with three promises that were not kept
    broken = chaos.report(
        Violation("event-3", "is lost"),
        Violation("event-3", "is rejected"),
        Violation("event-4", "is stored 2 times"),
    )
    # WHEN
    told = json.loads(chaos.command(monkeypatch, broken, "--seed", "7", "--json").stdout)
    # THEN
    assert (told["figures"]["tried"], told["figures"]["passed"]) == (1_000, 998)


def test_every_command_of_the_page_is_a_proof_with_figures() -> None:
    page = (paths.ROOT / "docs" / "proofs.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^\./odyssey (\w+)", page, re.MULTILINE))
    assert shown - NO_PROOFS == {*PROOFS, "chaos"}


@pytest.mark.parametrize(("tried", "passed"), [(1, 2), (1, -1), (-1, -1)])
def test_more_than_was_tried_cannot_have_passed(tried: int, passed: int) -> None:
    with pytest.raises(ValueError, match="cannot have passed"):
        figures(tried=tried, passed=passed, seconds=1)


def test_figures_are_told_with_what_else_there_is_to_count() -> None:
    found = figures(tried=1, passed=0, seconds=1.23456, left=3)
    assert found == {"tried": 1, "passed": 0, "seconds": 1.235, "left": 3}
    assert line(found) == "1 case tried, 0 passed, 1.24 s"

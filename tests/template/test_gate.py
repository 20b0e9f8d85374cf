"""What `python app.py` lets through: no finding of cdk-nag or of CloudFormation Validate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from odyssey_constructs import findings
from tests.template.conftest import EVERY_OPTION
from tests.template.synth import read, synthesize

if TYPE_CHECKING:
    from pathlib import Path

    from constructs import Construct

# An acknowledgement for what only an option brings is used only with that option.
STAGES: dict[str, dict[str, object]] = {
    "dev": {"stage": "dev", "alarm_email": "me@example.com", "private_host": "jump"},
    "prod with every option": EVERY_OPTION,
}
WITHOUT_ACKNOWLEDGEMENTS = """
import runpy
from odyssey_constructs import findings
findings.acknowledge = lambda *_: None
runpy.run_path("app.py", run_name="__main__")
"""


@dataclass(frozen=True)
class Run:
    """A finished `python app.py`."""

    exit_code: int
    output: str
    report: dict[str, Any]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """`python app.py` for each stage, and the last without acknowledgements, side by side."""
    commands = {
        **{stage: (["app.py"], context, "true") for stage, context in STAGES.items()},
        "unacknowledged": (["-c", WITHOUT_ACKNOWLEDGEMENTS], EVERY_OPTION, "true"),
    }
    folders = {name: tmp_path_factory.mktemp(name) for name in commands}
    started = {
        name: subprocess.Popen(
            [sys.executable, *arguments],
            env={
                **os.environ,
                "CDK_OUTDIR": str(folders[name]),
                "CDK_CONTEXT_JSON": json.dumps(context),
                "CDK_VALIDATION": validation,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name, (arguments, context, validation) in commands.items()
    }
    outputs = {name: process.communicate()[0] for name, process in started.items()}
    return {
        name: Run(process.returncode, outputs[name], read(folders[name] / "validation-report.json"))
        for name, process in started.items()
    }


@pytest.mark.parametrize("name", STAGES)
def test_no_finding_is_open_not_even_a_warning(name: str, runs: dict[str, Run]) -> None:
    run = runs[name]
    assert violations(run.report) == set(), run.output
    assert run.exit_code == 0, run.output


def test_an_open_finding_fails_the_synth(runs: dict[str, Run]) -> None:
    assert runs["unacknowledged"].exit_code != 0
    packs = {report["pluginName"] for report in runs["unacknowledged"].report["pluginReports"]}
    assert {"AwsSolutions", "Serverless", "CloudFormation Validate"} <= packs


@pytest.mark.parametrize("name", STAGES)
def test_every_acknowledgement_has_a_reason_and_still_matches_a_finding_below_it(
    name: str, runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an app in which nothing is acknowledged, only written down
    acknowledged: list[tuple[str, str, str]] = []

    def write_down(construct: Construct, rule: str, reason: str) -> None:
        acknowledged.append((construct.node.path, rule, reason))

    for module in list(sys.modules.values()):
        if getattr(module, "acknowledge", None) is findings.acknowledge and module is not findings:
            monkeypatch.setattr(module, "acknowledge", write_down)
    # WHEN
    with pytest.raises(RuntimeError, match="Acknowledge with"):
        synthesize(tmp_path, **STAGES[name])
    # THEN
    found = violations(read(tmp_path / "validation-report.json"))
    # CloudFormation's own rules take their time, and are broken with every option only.
    found |= {
        (path, f"CloudFormation-Validate::{rule}")
        for path, rule in violations(runs["unacknowledged"].report, "CloudFormation Validate")
    }
    assert acknowledged
    for path, rule, reason in acknowledged:
        assert len(reason) > 20, rule
        assert reason.endswith("."), reason
        assert path.count("/") >= 1, f"{rule} is acknowledged for a whole stack"
        assert any(
            rule == open_rule and (at == path or at.startswith(f"{path}/"))
            for at, open_rule in found
        ), f"{rule} at {path} matches nothing"


def violations(report: dict[str, Any], pack: str = "") -> set[tuple[str, str]]:
    """Return the path and the rule of every open finding, of one pack or all."""
    return {
        (construct["constructPath"], violation["ruleName"])
        for plugin in report["pluginReports"]
        if plugin["pluginName"] == pack or not pack
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    }

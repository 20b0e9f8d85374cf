"""What the CDK is told, what of its output a person gets to see, and in which order stacks come."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from odyssey_cli import cdk, paths
from odyssey_cli.errors import OdysseyError
from odyssey_cli.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Told = Callable[..., dict[str, str]]

ACCOUNT, REGION = "123456789012", "eu-north-1"


def test_a_refused_setting_is_said_in_its_own_words() -> None:
    output = """Traceback (most recent call last):
  File "app.py", line 17, in build
odyssey_constructs.config.ConfigError: Unknown context option 'stge': did you mean 'stage'?
"""
    assert cdk._reason(output) == "Unknown context option 'stge': did you mean 'stage'?"


def test_findings_are_said_with_their_place_and_without_the_stack_trace() -> None:
    output = """ERROR The queue is open. (AwsSolutions)
   Stack/Queue/Resource aws-cdk-lib.aws_sqs.CfnQueue
   Acknowledge with 'AwsSolutions::AwsSolutions-SQS4'
jsii.errors.JavaScriptError:
      at Kernel.invoke (/tmp/x.js:1:1)
"""
    assert cdk._reason(output) == "Stack/Queue/Resource: The queue is open. (AwsSolutions)"


def test_a_failed_deployment_is_said_by_its_failures() -> None:
    lines = ["Stack | 1/6 | CREATE_COMPLETE | AWS::SNS::Topic"] * 40
    lines.append("Stack | 2/6 | CREATE_FAILED | AWS::SSM::Parameter | reserved name")

    assert cdk._reason("\n".join(lines)) == lines[-1]


def test_stacks_come_after_those_they_need(tmp_path: Path) -> None:
    # GIVEN an assembly that names a stack before the one it needs
    kind = "aws:cloudformation:stack"
    artifacts = {
        "B": {"type": kind, "dependencies": ["A", "B.assets"]},
        "B.assets": {"type": "cdk:asset-manifest"},
        "A": {"type": kind},
    }
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))

    assert cdk.stacks(tmp_path) == ["A", "B"]


def entry(kind: str, data: object) -> dict[str, object]:
    return {"type": kind, "data": data, "trace": ["at somewhere.js:1"]}


def described(folder: Path, stack: str, **entries: list[dict[str, object]]) -> None:
    """Write the metadata of a stack, by construct."""
    (folder / f"{stack}.metadata.json").write_text(json.dumps(entries), encoding="utf-8")


def test_what_the_app_says_about_the_wanted_stacks_is_noted(tmp_path: Path) -> None:
    # GIVEN stacks with prices, warnings and what only tools read
    described(
        tmp_path,
        "Network",
        vpc=[entry("aws:cdk:logicalId", "Vpc1"), entry("aws:cdk:info", "36.50 USD, é")],
        host=[entry("aws:cdk:warning", "It is old.")],
    )
    described(tmp_path, "Ingest", bucket=[entry("aws:cdk:info", "Not of a wanted stack.")])
    described(tmp_path, "Operations", topic=[entry("aws:cdk:logicalId", "Topic1")])

    # WHEN / THEN
    assert cdk.notes(tmp_path, ["Operations", "Network"]) == ["36.50 USD, é", "It is old."]
    assert cdk.notes(tmp_path, []) == []


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    """Synthesize with `context` what a file `held`; return the environment that the app gets."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "STATE", tmp_path / ".odyssey")

    def told(
        held: Mapping[str, object] | None = None,
        context: Mapping[str, str] | None = None,
        **environment: str,
    ) -> dict[str, str]:
        got: dict[str, str] = {}

        def run(_command: list[str], *, env: dict[str, str], **_: Any) -> Any:
            got.update(env)
            Path(env["CDK_OUTDIR"]).mkdir()
            return subprocess.CompletedProcess([], 0, "", "")

        monkeypatch.setattr(subprocess, "run", run)
        if held is not None:
            (tmp_path / "cdk.context.json").write_text(json.dumps(held), encoding="utf-8")
        to = Target(environment, tmp_path, None, account=ACCOUNT)
        cdk.synthesize(to, context=context)
        return got

    return told


def test_the_app_gets_the_kept_images_beside_what_the_cdk_would_say(told: Told) -> None:
    # GIVEN a context file with a kept image, a look-up of the CDK's, and an option, which plain
    # `cdk` would not prefer to the one in cdk.json
    kept = {"odyssey:ami:111111111111:eu-north-1:arm64": "ami-0123456789abcdef0"}
    others = {"availability-zones:account=1": ["a"], "stage": "prod"}
    context = json.loads(told(kept | others)["CDK_CONTEXT_JSON"])
    assert context == kept | {
        "aws:cdk:enable-path-metadata": True,
        "aws:cdk:enable-asset-metadata": True,
    }


def test_an_option_of_the_command_line_is_added(told: Told) -> None:
    context = json.loads(told({}, {"stage": "prod"})["CDK_CONTEXT_JSON"])
    assert context["stage"] == "prod"


def test_the_app_is_told_for_which_account_and_region_it_synthesizes(told: Told) -> None:
    # GIVEN somebody's own variables of the same names
    environment = told(AWS_REGION=REGION, CDK_DEFAULT_ACCOUNT="1", CDK_DEFAULT_REGION="us-west-1")
    assert environment["CDK_DEFAULT_ACCOUNT"] == ACCOUNT
    assert environment["CDK_DEFAULT_REGION"] == REGION
    assert told()["CDK_DEFAULT_REGION"] == ""


def test_a_context_file_that_cannot_be_read_stops_before_the_synth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("It ran."))
    (tmp_path / "cdk.context.json").write_text("{", encoding="utf-8")
    with pytest.raises(OdysseyError, match=r"cdk\.context\.json cannot be read"):
        cdk.synthesize(Target({}, tmp_path, None))

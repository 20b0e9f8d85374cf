"""What of the CDK's output a person gets to see, and in which order stacks come."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from odyssey_cli import cdk

if TYPE_CHECKING:
    from pathlib import Path


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

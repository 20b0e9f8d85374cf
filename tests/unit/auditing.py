"""An account as an audit sees it, and templates of stacks that may have left something there."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from moto import mock_aws

from odyssey_cli import audit, belonging
from odyssey_cli.cloud import Cloud
from odyssey_cli.policy.templates import Template
from odyssey_cli.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from odyssey_cli.inventory import Thing

ACCOUNT = "123456789012"
# What stacks of ours have, as far as these tests speak of it.
TEMPLATES = [
    Template(name, {"Resources": {each: {"Type": kind} for each, kind in resources.items()}})
    for name, resources in {
        "Network": {
            "Closer1A2B3C4D": "AWS::Lambda::Function",
            "FlowsF5DB04FD": "AWS::Logs::LogGroup",
            "FlowsBucket1A2B3C4D": "AWS::S3::Bucket",
            "ApiSecret23DDCAD6": "AWS::SecretsManager::Secret",
            "LogRole4C0B2D1D": "AWS::IAM::Role",
        },
        "EventAggregator": {
            "EventsTable4B7491D3": "AWS::DynamoDB::Table",
            "ReaderFunction09EC41FB": "AWS::Lambda::Function",
            "ReaderRole07D5A14E": "AWS::IAM::Role",
            "RejectsQueue93545DD6": "AWS::SQS::Queue",
            "LinesQueue12AB34CD": "AWS::SQS::Queue",
        },
    }.items()
]
OURS = {"project": "aws-odyssey"}
PROD = OURS | {"stage": "prod"}
STACK, QUEUE, TABLE = "AWS::CloudFormation::Stack", "AWS::SQS::Queue", "AWS::DynamoDB::Table"
PARAMETER, LOGS = "AWS::SSM::Parameter", "AWS::Logs::LogGroup"
ROLE, FUNCTION, BUCKET = "AWS::IAM::Role", "AWS::Lambda::Function", "AWS::S3::Bucket"
RULE = "AWS::Events::Rule"
SNAPSHOTS = Path(__file__).parents[1] / "template" / "__snapshots__" / "test_snapshots"


def arn(service: str, resource: str) -> str:
    """Return the ARN of a resource in the account."""
    return f"arn:aws:{service}:us-east-1:{ACCOUNT}:{resource}"


def reviewed(stage: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the stacks' names and templates, as they were reviewed."""
    named = [(re.search(rf"\[{stage}-(\w+)\]", each.name), each) for each in SNAPSHOTS.iterdir()]
    return [(found[1], json.loads(file.read_text())) for found, file in named if found]


def target(tmp_path: Path) -> Target:
    """Return a target that says AWS, and must not be asked for anything."""
    return Target({"AWS_REGION": "us-east-1"}, tmp_path, None, account=ACCOUNT)


@contextlib.contextmanager
def moto_account(tmp_path: Path) -> Iterator[Target]:
    """Run an account of moto's while the block does."""
    with mock_aws():
        session = boto3.Session("key", "secret", region_name="us-east-1")
        yield replace(target(tmp_path), caller=session)


def local(tmp_path: Path, started_at: float) -> Target:
    """Return a local cloud that does not run."""
    cloud = Cloud(
        port=1, endpoint="http://127.0.0.1:1", pid=1, state=tmp_path, started_at=started_at,
        clock_scale=20,
    )  # fmt: skip
    return Target({"AWS_REGION": "us-east-1"}, tmp_path, cloud)


class Account:
    """What an audit asks of an account: its resources, their tags, and what is in its stacks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.things: set[Thing] = set()
        self.tags: dict[str, dict[str, str]] = {}
        self.in_stacks: dict[str, list[tuple[str, str]]] = {}
        self.refused: list[str] = []
        monkeypatch.setattr(audit, "everything", self.everything)
        monkeypatch.setattr(belonging, "tagged", lambda *_: self.tags)
        self.asked: dict[Thing, dict[str, str]] = {}
        monkeypatch.setattr(belonging, "ask_tags", lambda _, thing: self.asked.get(thing, {}))
        monkeypatch.setattr(belonging, "members", self.members)
        monkeypatch.setattr(audit, "_contents", lambda *_: "empty")

    def everything(self, _: Target, unseen: list[str] | None = None) -> set[Thing]:
        if unseen is not None:
            unseen += self.refused
        return self.things

    def members(self, _: Target, stacks: list[str]) -> set[tuple[str, str]]:
        return {
            (kind, belonging.short(name))
            for stack in stacks
            for kind, name in self.in_stacks.get(stack, [])
        }

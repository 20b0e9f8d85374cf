"""What CloudFormation asks of custom resources, and how it asks again; see batches.py."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from custom_resources import answering, close_default_group, empty_bucket
from proofs.crash_points import Batch, again
from proofs.fakes.dynamodb import FakeDynamoDB, refusal
from proofs.fakes.s3 import FakeS3
from shared import clients
from tests.builders import FakeContext

if TYPE_CHECKING:
    import pytest

# Of Lambda at a request that nobody waits for.
ATTEMPTS = 3


class CloudFormation:
    """Takes the answers of custom resources; its calls are counted with the others."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch
        self.start_over()
        patch.setattr(answering.urllib3, "PoolManager", lambda: self)

    def start_over(self) -> None:
        self.dynamodb = FakeDynamoDB.with_tables()
        self.s3 = FakeS3.with_buckets(self.dynamodb, "files")
        self.rules = {"ingress", "egress"}
        self.answers: list[Any] = []
        self.patch.setattr(clients, "s3", lambda: self.s3)
        self.patch.setattr(clients, "ec2", lambda: self)

    def request(self, *_to: str, body: str, **_headers: Any) -> SimpleNamespace:
        call = self.dynamodb.begin("Answer", {"body": body})
        self.answers.append(json.loads(body))
        self.dynamodb.after(call)
        return SimpleNamespace(status=200)

    def revoke_security_group_ingress(self, **_request: Any) -> None:
        self._revoke("ingress")

    def revoke_security_group_egress(self, **_request: Any) -> None:
        self._revoke("egress")

    def ask(self, handler: Any, kind: str, properties: dict[str, str]) -> None:
        """Ask as CloudFormation does: Lambda tries again what died, and an answer ends it."""
        event = {
            "RequestType": kind,
            "ResponseURL": "https://cloudformation",
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "resource",
            "ResourceProperties": properties,
        }
        again(lambda: handler(event, FakeContext()), ATTEMPTS)

    def _revoke(self, rule: str) -> None:
        call = self.dynamodb.begin("Revoke", {"rule": rule})
        if rule not in self.rules:
            raise refusal("InvalidPermission.NotFound", call.operation)
        self.rules.discard(rule)
        self.dynamodb.after(call)


def emptied(request: pytest.FixtureRequest) -> Batch:
    formation = CloudFormation(request.getfixturevalue("monkeypatch"))

    def start() -> None:
        formation.start_over()
        formation.s3.tags["files"] = {"odyssey:empty-on-delete": "true"}
        for number in range(1_500):
            formation.s3.store("files", f"k{number:04}", b"x" if number % 3 else None)

    def check() -> None:
        assert formation.s3.buckets["files"] == {}
        assert {each["Status"] for each in formation.answers} == {"SUCCESS"}
        assert {each["PhysicalResourceId"] for each in formation.answers} == {"files"}

    return Batch(
        start,
        lambda: formation.dynamodb,
        lambda: formation.ask(empty_bucket.handler, "Delete", {"Bucket": "files"}),
        check,
    )


def closed(request: pytest.FixtureRequest) -> Batch:
    formation = CloudFormation(request.getfixturevalue("monkeypatch"))

    def check() -> None:
        assert formation.rules == set()
        assert {each["Status"] for each in formation.answers} == {"SUCCESS"}
        assert {each["PhysicalResourceId"] for each in formation.answers} == {"sg-1"}

    return Batch(
        formation.start_over,
        lambda: formation.dynamodb,
        lambda: formation.ask(close_default_group.handler, "Create", {"GroupId": "sg-1"}),
        check,
    )

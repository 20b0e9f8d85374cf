"""What CloudFormation asks of custom resources, and how it asks again; see batches.py."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from custom_resources import answering, close_default_group, empty_bucket
from proofs.crash_points import Batch, again
from proofs.fakes.dynamodb import FakeDynamoDB, refusal
from proofs.fakes.faults import Crash
from proofs.fakes.s3 import FakeS3
from shared import clients
from tests.builders import FakeContext

if TYPE_CHECKING:
    import pytest

# Of Lambda at a request that nobody waits for.
ATTEMPTS = 3
ERRORS = (Exception, Crash)
# By a call that failed, and whose process lived.
SAID = ("AccessDenied", "Read timeout")


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

        def attempt() -> None:
            again(lambda: handler(event, FakeContext()), self.dynamodb, ATTEMPTS, errors=ERRORS)

        again(attempt, self.dynamodb, is_done=lambda _none: self._is_settled())

    def _is_settled(self) -> bool:
        """Say whether the last answer is a success; whoever sees a failure tries again."""
        return bool(self.answers) and self.answers[-1]["Status"] == "SUCCESS"

    def check_answers(self) -> None:
        """Assert that the last answer is a success, and any before it but for what a call said."""
        assert self._is_settled()
        for answer in self.answers:
            said = any(each in answer["Reason"] for each in SAID)
            assert answer["Status"] == ("FAILED" if said else "SUCCESS"), answer

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
        formation.check_answers()
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
        formation.check_answers()
        assert {each["PhysicalResourceId"] for each in formation.answers} == {"sg-1"}

    return Batch(
        formation.start_over,
        lambda: formation.dynamodb,
        lambda: formation.ask(close_default_group.handler, "Create", {"GroupId": "sg-1"}),
        check,
    )

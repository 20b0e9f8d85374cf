"""CloudFormation as custom resources see it: it asks, waits, and takes their answers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3

URL = "https://cloudformation-custom-resource-response.s3.amazonaws.com/a?signature=b"


@dataclass
class CloudFormation:
    """What takes the answers, in place of urllib3's connections."""

    status: int = 200
    answers: list[dict[str, Any]] = field(default_factory=list)

    @property
    def told(self) -> list[str]:
        """How each request went."""
        return [answer["Status"] for answer in self.answers]

    def request(self, method: str, url: str, *, body: str, headers: dict[str, str]) -> Any:
        assert (method, url, headers) == ("PUT", URL, {"content-type": ""})
        self.answers.append(json.loads(body))
        # "Custom resource response objects": the most that an answer may have.
        assert len(body.encode()) <= 4_096
        return SimpleNamespace(status=self.status)


@pytest.fixture
def formation(monkeypatch: pytest.MonkeyPatch) -> CloudFormation:
    made = CloudFormation()
    monkeypatch.setattr(urllib3, "PoolManager", lambda: made)
    return made


def asked(request_type: str, kind: str, logical_id: str, **properties: str) -> dict[str, Any]:
    """Return what CloudFormation sends to a custom resource's function."""
    return {
        "RequestType": request_type,
        "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/Any/guid",
        "RequestId": "unique id for this request",
        "LogicalResourceId": logical_id,
        "ResourceType": kind,
        "ResponseURL": URL,
        "ResourceProperties": {"ServiceToken": "arn", **properties},
    }


def identity(request: dict[str, Any]) -> dict[str, Any]:
    """Return what an answer repeats of its request."""
    return {name: request[name] for name in ("StackId", "RequestId", "LogicalResourceId")}

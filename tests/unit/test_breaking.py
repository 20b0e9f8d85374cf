"""What is broken from outside is that and nothing else, and whole again afterwards."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from odyssey_cli import breaking
from odyssey_cli.cloud import Cloud
from odyssey_cli.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

CLOUD = Cloud(4566, "http://127.0.0.1:4566", 1, Path(), 0.0, 20.0)
QUEUE = "arn:aws:sqs:us-east-1:123456789012:Events"


class FakeIam:
    """Has roles on two pages; remembers the policies that they have got."""

    def __init__(self) -> None:
        self.policies: dict[tuple[str, str], dict[str, Any]] = {}

    def get_paginator(self, operation: str) -> FakeIam:
        assert operation == "list_roles"
        return self

    def paginate(self) -> Iterator[dict[str, Any]]:
        for names in (["Other-StorerRole1", "Ingest-Storer"], ["Ingest-StorerRole2"]):
            yield {"Roles": [{"RoleName": name} for name in names]}

    def put_role_policy(self, *, RoleName: str, PolicyName: str, PolicyDocument: str) -> None:  # noqa: N803
        self.policies[RoleName, PolicyName] = json.loads(PolicyDocument)

    def delete_role_policy(self, *, RoleName: str, PolicyName: str) -> None:  # noqa: N803
        del self.policies[RoleName, PolicyName]


@pytest.fixture
def iam(monkeypatch: pytest.MonkeyPatch) -> FakeIam:
    fake = FakeIam()
    monkeypatch.setattr(Target, "client", lambda *_, **__: fake)
    return fake


@pytest.mark.parametrize(("more", "resource"), [({}, "*"), ({"on": QUEUE}, QUEUE)])
def test_one_role_is_denied_one_action_while_the_block_runs(
    more: dict[str, str], resource: str, iam: FakeIam
) -> None:
    target = Target({}, Path(), None)
    with breaking.denied(target, "Ingest", "Storer", "sqs:SendMessage", **more):
        [((role, _), document)] = iam.policies.items()
    assert role == "Ingest-StorerRole2"
    assert document["Statement"] == [
        {"Effect": "Deny", "Action": "sqs:SendMessage", "Resource": resource}
    ]
    assert iam.policies == {}


def test_the_role_is_whole_again_however_the_block_ends(iam: FakeIam) -> None:
    def ends() -> None:
        with breaking.denied(Target({}, Path(), None), "Ingest", "Storer", "sqs:SendMessage"):
            assert iam.policies
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ends()
    assert iam.policies == {}


ARMED = [{"containing": "mine", "times": 2}, {"containing": "another's", "times": 5}]


class FakeConnection:
    """Answers with what is still to fail."""

    requests: list[tuple[Any, ...]]
    closed: int

    def __init__(self, host: str, port: int, *, timeout: float) -> None:
        assert (host, port) == ("127.0.0.1", CLOUD.port)
        assert timeout > 0

    def request(self, *request: Any) -> None:
        self.requests.append(request)

    def getresponse(self) -> io.BytesIO:
        return io.BytesIO(json.dumps(ARMED).encode())

    def close(self) -> None:
        FakeConnection.closed += 1


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> type[FakeConnection]:
    FakeConnection.requests, FakeConnection.closed = [], 0
    monkeypatch.setattr("http.client.HTTPConnection", FakeConnection)
    return FakeConnection


@pytest.mark.parametrize(("more", "chance"), [({}, 1.0), ({"chance": 0.2}, 0.2)])
def test_requests_are_armed_to_fail_with_their_chance(
    more: dict[str, float], chance: float, connection: type[FakeConnection]
) -> None:
    breaking.fail_requests(
        CLOUD, "AWSEvents.PutEvents", containing="bus", times=3, code="E", **more
    )
    [(method, path, body, headers)] = connection.requests
    assert (method, path, headers) == ("PUT", "/_odyssey/fault", {"x-odyssey": "1"})
    assert json.loads(body) == {
        "target": "AWSEvents.PutEvents",
        "containing": "bus",
        "times": 3,
        "code": "E",
        "chance": chance,
    }
    assert connection.closed == 1


def test_the_failures_that_are_armed_are_known_one_by_one(
    connection: type[FakeConnection],
) -> None:
    assert breaking.faults(CLOUD) == ARMED
    [(method, path, body, headers)] = connection.requests
    assert (method, path, body, headers) == ("GET", "/_odyssey/fault", None, {"x-odyssey": "1"})
    assert connection.closed == 1


def test_what_was_armed_is_disarmed_by_the_same_words(connection: type[FakeConnection]) -> None:
    breaking.disarm(CLOUD, "AWSEvents.PutEvents", containing="bus")
    [(method, path, body, headers)] = connection.requests
    assert (method, path, headers) == ("DELETE", "/_odyssey/fault", {"x-odyssey": "1"})
    assert json.loads(body) == {"target": "AWSEvents.PutEvents", "containing": "bus"}
    assert connection.closed == 1


def test_it_is_known_how_many_of_ones_own_are_still_to_fail(
    connection: type[FakeConnection],
) -> None:
    assert breaking.faults_left(CLOUD, {"mine", "other"}) == 2
    [(method, path, body, _)] = connection.requests
    assert (method, path, body) == ("GET", "/_odyssey/fault", None)
    assert connection.closed == 1

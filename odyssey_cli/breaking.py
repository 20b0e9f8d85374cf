"""Breaking things from outside, as an operator's mistake or a bad day of AWS's would."""

from __future__ import annotations

import http.client
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from odyssey_cli.cloud import Cloud
    from odyssey_cli.target import Target

_POLICY = "odyssey-broken"


@contextmanager
def denied(
    target: Target, stack: str, function: str, action: str, *, on: str = "*"
) -> Iterator[None]:
    """Deny the role of a stack's function one action while the block runs.

    Args:
        target: where the stack is deployed.
        stack: its name.
        function: the function's construct id, e.g. `Aggregator`.
        action: what the role may not do, e.g. `dynamodb:PutItem`.
        on: the ARN of what it may not do that to.
    """
    iam = target.client("iam")
    [role] = [
        role["RoleName"]
        for page in iam.get_paginator("list_roles").paginate()
        for role in page["Roles"]
        if role["RoleName"].startswith(f"{stack}-{function}Role")
    ]
    statement = {"Effect": "Deny", "Action": action, "Resource": on}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=role, PolicyName=_POLICY, PolicyDocument=document)
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName=_POLICY)


def fail_requests(
    cloud: Cloud, target: str, *, containing: str, times: int, code: str, chance: float = 1.0
) -> None:
    """Let the next requests of one kind to a local cloud fail; see `local_cloud.faults`.

    Args:
        cloud: the local cloud.
        target: their `X-Amz-Target`.
        containing: text in their body.
        times: how many fail.
        code: the error they are answered with.
        chance: the probability that one fails.
    """
    fault = {
        "target": target,
        "containing": containing,
        "times": times,
        "code": code,
        "chance": chance,
    }
    _faults(cloud, "PUT", json.dumps(fault))


def faults_left(cloud: Cloud, containing: Collection[str]) -> int:
    """Return how many of the requests are still to fail that contain one of these texts.

    Others may let other requests of the same cloud fail.
    """
    return sum(int(each["times"]) for each in faults(cloud) if each["containing"] in containing)


def faults(cloud: Cloud) -> list[dict[str, Any]]:
    """Return the failures that are armed, each with how `times` it will still happen."""
    return _faults(cloud, "GET")


def disarm(cloud: Cloud, target: str, *, containing: str) -> None:
    """Let no more of the requests fail that were to, by `fail_requests` with the same words."""
    _faults(cloud, "DELETE", json.dumps({"target": target, "containing": containing}))


def publish_image(cloud: Cloud) -> str:
    """Let AWS publish a newer Amazon Linux on a local cloud; return the id for arm64."""
    published: dict[str, Any] = _ask(cloud, "PUT", "/_odyssey/ami")
    return str(published["images"]["arm64"])


def _faults(cloud: Cloud, method: str, body: str | None = None) -> list[dict[str, Any]]:
    answered: list[dict[str, Any]] = _ask(cloud, method, "/_odyssey/fault", body)
    return answered


def _ask(cloud: Cloud, method: str, path: str, body: str | None = None) -> Any:  # noqa: ANN401
    connection = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=10)
    try:
        connection.request(method, path, body, {"x-odyssey": "1"})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()

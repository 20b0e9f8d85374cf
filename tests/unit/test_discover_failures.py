"""A stack's failure queues are found by how they are wired."""

from __future__ import annotations

import json

import pytest

from odyssey_cli import failures
from odyssey_cli.failures import FailureQueue, Kind
from tests.unit.redriving import ACCOUNT, LOGGER, MULTIPLIER, Cloud

COUNTER = "PubSub-Counter"
FUNCTIONS = (COUNTER, MULTIPLIER, LOGGER)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    cloud = Cloud(monkeypatch)
    cloud.formation.resources = {"AWS::Lambda::Function": list(FUNCTIONS)}
    return cloud


def url(name: str) -> str:
    return f"https://sqs/{ACCOUNT}/{name}"


def arn(name: str) -> str:
    return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"


def queues(cloud: Cloud, *names: str) -> None:
    cloud.formation.resources["AWS::SQS::Queue"] = [url(name) for name in names]


def test_where_failed_invocations_of_a_function_go_its_deliveries_are(cloud: Cloud) -> None:
    # GIVEN a queue of each subscriber, one of rejects, and one that has nothing to do with it
    queues(cloud, "multiplier", "logger", "rejects", "other")
    cloud.formation.outputs = {failures.REJECTS_OUTPUT: f"http://elsewhere/{ACCOUNT}/rejects"}
    cloud.formation.resources["AWS::Lambda::EventInvokeConfig"] = ["of multiplier", "of logger"]
    cloud.functions.destinations = {MULTIPLIER: arn("multiplier"), LOGGER: arn("logger")}
    # WHEN
    found = failures.discover(cloud.target, "PubSub")
    # THEN
    assert found == [
        FailureQueue(url("multiplier"), Kind.DELIVERIES, functions=(MULTIPLIER,)),
        FailureQueue(url("logger"), Kind.DELIVERIES, functions=(LOGGER,)),
        FailureQueue(url("rejects"), Kind.REJECTS, functions=FUNCTIONS),
    ]


def test_functions_may_share_a_queue_or_have_none(cloud: Cloud) -> None:
    queues(cloud, "shared")
    cloud.formation.resources["AWS::Lambda::EventInvokeConfig"] = ["1", "2", "3"]
    cloud.functions.destinations = {
        COUNTER: None,
        MULTIPLIER: arn("shared"),
        LOGGER: arn("shared"),
    }
    [found] = failures.discover(cloud.target, "PubSub")
    assert found.functions == (MULTIPLIER, LOGGER)


def test_a_stack_that_says_nothing_of_asynchronous_invocations_is_not_asked_for_them(
    cloud: Cloud,
) -> None:
    # GIVEN queues and functions as the other systems have them
    queues(cloud, "source", "dead", "rejects")
    cloud.sqs.policies[url("source")] = json.dumps(
        {"deadLetterTargetArn": arn("dead"), "maxReceiveCount": 5}
    )
    cloud.formation.resources["AWS::Lambda::EventSourceMapping"] = ["mapping"]
    cloud.formation.outputs = {failures.REJECTS_OUTPUT: url("rejects")}
    # WHEN
    dead, rejects = failures.discover(cloud.target, "Discovery")
    # THEN
    assert dead == FailureQueue(
        url("dead"), Kind.DEAD_LETTERS, source=url("source"), max_receives=5
    )
    assert (rejects.kind, rejects.functions) == (Kind.REJECTS, FUNCTIONS)
    assert [each["UUID"] for each in rejects.mappings] == ["mapping"]
    assert cloud.functions.lookups == []

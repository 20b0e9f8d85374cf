"""Who gets what a topic is told, and how CloudFormation changes that, on the local cloud."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.local.templates import Stack
from tests.local.topics import common, document, subscriber

if TYPE_CHECKING:
    from odyssey_cli.target import Target
    from tests.local.sources import Bench

FILTERS: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "words": ("MessageAttributes", {"kind": ["a", "b"]}, {"1", "2"}),
    "prefix": ("MessageAttributes", {"kind": [{"prefix": "cou"}]}, {"3"}),
    "other": ("MessageAttributes", {"kind": [{"anything-but": ["a", "b"]}]}, {"3"}),
    "number": ("MessageAttributes", {"n": [{"numeric": [">", 1, "<=", 3]}]}, {"2", "3"}),
    "both": ("MessageAttributes", {"kind": ["a", "b"], "n": [{"numeric": ["=", 2]}]}, {"2"}),
    "absent": ("MessageAttributes", {"kind": [{"exists": False}]}, {"4"}),
    "body": ("MessageBody", {"data": {"kind": ["a"]}}, {"1"}),
    "body prefix": ("MessageBody", {"data": {"kind": [{"prefix": "cou"}]}}, {"3"}),
    "body other": ("MessageBody", {"data": {"kind": [{"anything-but": "a"}]}}, {"2", "3"}),
    "body number": ("MessageBody", {"data": {"n": [{"numeric": [">=", 2]}]}}, {"2", "3"}),
}


def test_filter_policies_choose_by_attributes_and_by_body(bench: Bench) -> None:
    # GIVEN a queue for each policy
    sns = bench.target.client("sns")
    topic_arn = sns.create_topic(Name=f"topic-{time.monotonic_ns()}")["TopicArn"]
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    queues = {}
    for name, (scope, policy, _) in FILTERS.items():
        queues[name], queue = bench.queue(Policy=json.dumps(document(everybody)))
        attributes = {"FilterPolicy": json.dumps(policy), "FilterPolicyScope": scope}
        sns.subscribe(
            TopicArn=topic_arn, Protocol="sqs", Endpoint=queue,
            Attributes=attributes | {"RawMessageDelivery": "true"},
        )  # fmt: skip

    # WHEN
    for n, kind in enumerate(["a", "b", "counted", None], 1):
        given: dict[str, Any] = {"n": {"DataType": "Number", "StringValue": str(n)}}
        body: dict[str, Any] = {"id": str(n)}
        if kind:
            given["kind"] = {"DataType": "String", "StringValue": kind}
            body["data"] = {"kind": kind, "n": n}
        sns.publish(TopicArn=topic_arn, Message=json.dumps(body), MessageAttributes=given)
    sns.publish(TopicArn=topic_arn, Message="no JSON")

    # THEN each has what its policy says
    assert {
        name: {json.loads(body)["id"] for body in bench.bodies(url)} for name, url in queues.items()
    } == {name: expected for name, (_, _, expected) in FILTERS.items()}


def test_a_stack_changes_and_deletes_what_belongs_to_a_subscription(target: Target) -> None:
    # GIVEN
    stack = Stack(target)
    resources = {**common(), **subscriber("Fine")}
    assert stack.create(**resources) == "CREATE_COMPLETE", stack.reasons()
    sns, functions = target.client("sns"), target.client("lambda")
    topic_arn, name = stack.physical_id("Topic"), stack.physical_id("Fine")
    subscription = stack.physical_id("FineSubscribes")

    def of_subscription() -> dict[str, str]:
        return sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]

    assert json.loads(of_subscription()["FilterPolicy"]) == {"to": ["Fine"]}
    topic = sns.get_topic_attributes(TopicArn=topic_arn)["Attributes"]
    assert topic["KmsMasterKeyId"] == "alias/aws/sns"
    assert json.loads(topic["Policy"])["Statement"][0]["Effect"] == "Deny"

    # WHEN everything changes
    properties = resources["FineSubscribes"]["Properties"]
    properties |= {"FilterPolicy": {"data": ["x"]}, "FilterPolicyScope": "MessageBody"}
    del properties["RedrivePolicy"]
    attempts = resources["FineAttempts"]["Properties"]
    attempts |= {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
    del attempts["DestinationConfig"]
    resources["Topic"]["Properties"] = {"DisplayName": "other"}
    del resources["TopicPolicy"]
    assert stack.update(**resources) == "UPDATE_COMPLETE", stack.reasons()

    # THEN it has, and the subscription is the same
    assert json.loads(of_subscription()["FilterPolicy"]) == {"data": ["x"]}
    assert of_subscription()["FilterPolicyScope"] == "MessageBody"
    assert not of_subscription().get("RedrivePolicy")
    config = functions.get_function_event_invoke_config(FunctionName=name)
    assert (config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]) == (0, 60)
    assert config["FunctionArn"].endswith(":$LATEST")
    assert config["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}
    topic = sns.get_topic_attributes(TopicArn=topic_arn)["Attributes"]
    assert not topic.get("KmsMasterKeyId")
    assert "Deny" not in topic.get("Policy", "")

    # AND parts go one by one, then all of it
    gone = ("FineAttempts", "FineSubscribes", "FineAllows")
    rest = {name: resource for name, resource in resources.items() if name not in gone}
    assert stack.update(**rest) == "UPDATE_COMPLETE", stack.reasons()
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.get_function_event_invoke_config(FunctionName=name)
    assert sns.list_subscriptions_by_topic(TopicArn=topic_arn)["Subscriptions"] == []
    assert statements(target, name) == []
    assert stack.delete() is None
    assert topic_arn not in [found["TopicArn"] for found in sns.list_topics()["Topics"]]


def statements(target: Target, name: str) -> list[Any]:
    """Return the statements of a function's own policy."""
    functions = target.client("lambda")
    try:
        policy = functions.get_policy(FunctionName=name)["Policy"]
    except functions.exceptions.ResourceNotFoundException:
        return []
    found: list[Any] = json.loads(policy)["Statement"]
    return found

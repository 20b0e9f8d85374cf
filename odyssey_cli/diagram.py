"""Draws a stack from its synthesized template, so that the picture cannot lie.

Nodes are what holds or moves data, and the clients outside AWS; edges are the wiring that the
template itself declares: routes and their functions, event source mappings, subscriptions, failure
destinations, dead-letter queues, and the calls that the roles allow on what holds data. A line
without a label joins a secret and those who may read it: who shares one can prove it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SHAPES = {
    "AWS::ApiGateway::RestApi": ('(["', '"])'),
    "AWS::ApiGatewayV2::Api": ('(["', '"])'),
    "AWS::Lambda::Function": ('["', '"]'),
    "AWS::SNS::Topic": ('(("', '"))'),
    "AWS::DynamoDB::Table": ('[("', '")]'),
    "AWS::SQS::Queue": ('>"', '"]'),
    "AWS::S3::Bucket": ('[/"', '"/]'),
    "AWS::SecretsManager::Secret": ('[["', '"]]'),
    # Only clients' roles are drawn; the functions stand for theirs.
    "AWS::IAM::Role": ('{{"', '"}}'),
}
_SECRET = "AWS::SecretsManager::Secret"  # noqa: S105 - a type
_HOLDS_DATA = {
    "AWS::DynamoDB::Table",
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
    _SECRET,
}
# Event source mappings make these, which have edges of their own, or they belong to a receive.
_NOT_DRAWN = {
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
}
Resources = dict[str, dict[str, Any]]
_KINDS = {"Api", "Bucket", "Function", "Queue", "Role", "Secret", "Table", "Topic"}
_GIVEN_UP = '-. "given up" .->'
# Logical id, arrow with its label, logical id.
Edge = tuple[str, str, str]


def mermaid(template: Path) -> str:
    """Return the Mermaid flow chart of a template that has path metadata."""
    resources: Resources = json.loads(template.read_text(encoding="utf-8"))["Resources"]
    hidden = _hidden(resources)
    labels = {
        logical_id: _label(resource)
        for logical_id, resource in resources.items()
        if resource["Type"] in _SHAPES and logical_id not in hidden
    }
    names = {logical_id: label.replace(" ", "") for logical_id, label in labels.items()}
    lines = []
    for logical_id, label in labels.items():
        opening, closing = _SHAPES[resources[logical_id]["Type"]]
        lines.append(f"{names[logical_id]}{opening}{label}{closing}")
    wired = [
        *_methods(resources),
        *_routes(resources),
        *_mappings(resources),
        *_subscriptions(resources),
        *_attempts(resources),
        *_dead_letters(resources),
    ]
    for source, arrow, target in [*wired, *_calls(resources, wired)]:
        if source in names:
            lines.append(f"{names[source]} {arrow} {names[target]}")
    return "\n    ".join(["flowchart LR", *lines])


def _label(resource: dict[str, Any]) -> str:
    parts: list[str] = resource["Metadata"]["aws:cdk:path"].split("/")[1:-1]
    # The construct's own name; the last part often only repeats what kind of thing it is.
    return " ".join(parts[:-1] if parts[-1] in _KINDS else parts)


def _hidden(resources: Resources) -> set[str]:
    """Return what the system's own data never passes: CloudFormation's helpers, and their roles."""
    helpers = {
        function
        for resource in resources.values()
        if resource["Type"].startswith("Custom::")
        for function in _referenced(resource["Properties"]["ServiceToken"])
    }
    services = {
        logical_id
        for logical_id, resource in resources.items()
        if resource["Type"] == "AWS::IAM::Role"
        and "Service" in json.dumps(resource["Properties"]["AssumeRolePolicyDocument"])
    }
    return helpers | services


def _methods(resources: Resources) -> Iterator[Edge]:
    for method in _of(resources, "AWS::ApiGateway::Method"):
        [function] = [
            target
            for target in _referenced(method["Integration"]["Uri"])
            if resources.get(target, {}).get("Type") == "AWS::Lambda::Function"
        ]
        path = _path(resources, method["ResourceId"]["Ref"])
        yield method["RestApiId"]["Ref"], f'-- "{method["HttpMethod"]} {path}" -->', function


def _routes(resources: Resources) -> Iterator[Edge]:
    for route in _of(resources, "AWS::ApiGatewayV2::Route"):
        [integration] = _referenced(route["Target"])
        [function] = _referenced(resources[integration]["Properties"]["IntegrationUri"])
        yield route["ApiId"]["Ref"], f'-- "{route["RouteKey"]}" -->', function


def _path(resources: Resources, resource_id: str) -> str:
    properties = resources[resource_id]["Properties"]
    parent = properties["ParentId"].get("Ref")
    prefix = _path(resources, parent) if parent else ""
    return f"{prefix}/{properties['PathPart']}"


def _mappings(resources: Resources) -> Iterator[Edge]:
    for mapping in _of(resources, "AWS::Lambda::EventSourceMapping"):
        [source] = _referenced(mapping["EventSourceArn"])
        [function] = _referenced(mapping["FunctionName"])
        patterns = [
            json.loads(each["Pattern"])
            for each in mapping.get("FilterCriteria", {}).get("Filters", [])
        ]
        names = [name for pattern in patterns for name in pattern.get("eventName", [])]
        label = f"stream: {', '.join(names)}" if names else "messages"
        yield source, f'== "{label}" ==>', function
        failure = mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        for queue in _referenced(failure):
            yield function, _GIVEN_UP, queue


def _subscriptions(resources: Resources) -> Iterator[Edge]:
    for subscription in _of(resources, "AWS::SNS::Subscription"):
        [topic] = _referenced(subscription["TopicArn"])
        # An address outside the stack is text.
        for function in _referenced(subscription["Endpoint"]):
            only = ", ".join(subscription.get("FilterPolicy", {}))
            yield topic, f'== "messages{f", by {only}" if only else ""}" ==>', function
        policy = subscription.get("RedrivePolicy", {})
        for queue in _referenced(policy.get("deadLetterTargetArn")):
            yield topic, _GIVEN_UP, queue


def _attempts(resources: Resources) -> Iterator[Edge]:
    for config in _of(resources, "AWS::Lambda::EventInvokeConfig"):
        [function] = _referenced(config["FunctionName"])
        for queue in _referenced(config.get("DestinationConfig", {}).get("OnFailure")):
            yield function, _GIVEN_UP, queue


def _dead_letters(resources: Resources) -> Iterator[Edge]:
    for logical_id, resource in resources.items():
        if resource["Type"] == "AWS::SQS::Queue":
            policy = resource["Properties"].get("RedrivePolicy", {})
            for queue in _referenced(policy.get("deadLetterTargetArn")):
                yield logical_id, _GIVEN_UP, queue


def _calls(resources: Resources, wired: list[Edge]) -> Iterator[Edge]:
    """Draw what roles may do to what holds data, unless an edge of `wired` says it already."""
    connected = {(source, target) for source, _, target in wired} | {
        (target, source) for source, _, target in wired
    }
    calls: dict[tuple[str, str], list[str]] = defaultdict(list)
    for who, statement in _statements(resources):
        actions = statement["Action"]
        for holder in _referenced(statement["Resource"]):
            if resources.get(holder, {}).get("Type") in _HOLDS_DATA:
                calls[who, holder] += [
                    action.partition(":")[2]
                    for action in ([actions] if isinstance(actions, str) else actions)
                    if action not in _NOT_DRAWN
                ]
    for (who, holder), names in calls.items():
        kind = resources[holder]["Type"]
        if kind == _SECRET:
            yield holder, "-.-", who
        elif names and not (kind == "AWS::SQS::Queue" and (who, holder) in connected):
            reads = names == ["ReceiveMessage"]
            source, target = (holder, who) if reads else (who, holder)
            yield source, f'-- "{", ".join(names)}" -->', target


def _statements(resources: Resources) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the statements of all policies of roles, with the function or client they are for."""
    functions = {
        role: logical_id
        for logical_id, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Function"
        for role in _referenced(resource["Properties"]["Role"])
    }
    managed = {
        policy: logical_id
        for logical_id, resource in resources.items()
        if resource["Type"] == "AWS::IAM::Role"
        for policy in _referenced(resource["Properties"].get("ManagedPolicyArns"))
    }
    for logical_id, resource in resources.items():
        if resource["Type"] == "AWS::IAM::Policy":
            roles = resource["Properties"]["Roles"]
            [role] = [found for each in roles for found in _referenced(each)]
        elif logical_id in managed:
            role = managed[logical_id]
        else:
            continue
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
            yield functions.get(role, role), statement


def _of(resources: Resources, type: str) -> Iterator[dict[str, Any]]:
    return (each["Properties"] for each in resources.values() if each["Type"] == type)


def _referenced(value: object) -> list[str]:
    """Return the logical ids that an expression refers to, in order."""
    if isinstance(value, dict):
        if "Ref" in value:
            return [value["Ref"]]
        if "Fn::GetAtt" in value:
            return [value["Fn::GetAtt"][0]]
        value = list(value.values())
    if isinstance(value, list):
        return [found for each in value for found in _referenced(each)]
    return []

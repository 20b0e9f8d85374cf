"""Draws a stack from its synthesized template, so that the picture cannot lie.

Nodes are what holds or moves data, and the clients outside AWS; edges are the wiring that the
template itself declares: routes and their functions, event source mappings, subscriptions, what
delivery streams and rules of buses deliver, failure destinations, dead-letter queues, and the calls
that the roles allow on what holds data. A line without a label joins a secret and those who may
read it: who shares one can prove it. Networks are drawn by odyssey_cli/network_diagram.py.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from odyssey_cli import network_diagram
from odyssey_cli.templates import Resources, of, referenced

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
    "AWS::KinesisFirehose::DeliveryStream": ('[\\"', '"/]'),
    "AWS::Events::EventBus": ('((("', '")))'),
    "AWS::Events::Archive": ('[("', '")]'),
    "AWS::SecretsManager::Secret": ('[["', '"]]'),
    # Only clients' roles are drawn; the functions stand for theirs.
    "AWS::IAM::Role": ('{{"', '"}}'),
}
_SECRET = "AWS::SecretsManager::Secret"  # noqa: S105 - a type
_HOLDS_DATA = {
    "AWS::DynamoDB::Table",
    "AWS::Events::EventBus",
    "AWS::KinesisFirehose::DeliveryStream",
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
_KINDS = {
    *("Api", "Bucket", "Bus", "Function", "Queue", "Role", "Secret", "Stream", "Table", "Topic"),
}
_GIVEN_UP = '-. "given up" .->'
# Logical id, arrow with its label, logical id.
Edge = tuple[str, str, str]


def mermaid(template: Path) -> str:
    """Return the Mermaid flow chart of a template that has path metadata."""
    resources: Resources = json.loads(template.read_text(encoding="utf-8"))["Resources"]
    hidden = _hidden(resources)
    elsewhere = _buses_elsewhere(resources)
    labels = {
        logical_id: _label(resource)
        for logical_id, resource in resources.items()
        if resource["Type"] in _SHAPES and logical_id not in hidden
    }
    names = {logical_id: label.replace(" ", "") for logical_id, label in labels.items()}
    names |= {bus: re.sub(r"\W", "", f"Bus{bus}") for bus in elsewhere}
    lines = [f'{names[bus]}((("bus {bus}")))' for bus in elsewhere]
    for logical_id, label in labels.items():
        opening, closing = _SHAPES[resources[logical_id]["Type"]]
        kind = " (FIFO)" if resources[logical_id]["Properties"].get("FifoQueue") else ""
        lines.append(f"{names[logical_id]}{opening}{label}{kind}{closing}")
    wired = [
        *_streams(resources),
        *_methods(resources),
        *_routes(resources),
        *_mappings(resources),
        *_subscriptions(resources),
        *_attempts(resources),
        *_archives(resources),
        *_rules(resources),
        *_dead_letters(resources),
    ]
    for source, arrow, target in [*wired, *_calls(resources, wired)]:
        if source in names:
            lines.append(f"{names[source]} {arrow} {names[target]}")
    if network_diagram.draws(resources):
        lines += network_diagram.lines(resources)
    return "\n    ".join(["flowchart LR", *lines])


def _label(resource: dict[str, Any]) -> str:
    path: str = resource["Metadata"]["aws:cdk:path"]
    parts = path.removesuffix("/Resource").split("/")[1:]
    # The construct's own name; the last part often only repeats what kind of thing it is.
    return " ".join(parts[:-1] if parts[-1] in _KINDS else parts)


def _hidden(resources: Resources) -> set[str]:
    """Return what the system's own data never passes: CloudFormation's helpers, and their roles."""
    helpers = {
        function
        for resource in resources.values()
        if resource["Type"].startswith("Custom::")
        for function in referenced(resource["Properties"]["ServiceToken"])
    }
    services = {
        logical_id
        for logical_id, resource in resources.items()
        if resource["Type"] == "AWS::IAM::Role"
        and "Service" in json.dumps(resource["Properties"]["AssumeRolePolicyDocument"])
    }
    return helpers | services


def _methods(resources: Resources) -> Iterator[Edge]:
    for method in of(resources, "AWS::ApiGateway::Method"):
        [function] = [
            target
            for target in referenced(method["Integration"]["Uri"])
            if resources.get(target, {}).get("Type") == "AWS::Lambda::Function"
        ]
        path = _path(resources, method["ResourceId"]) or "/"
        yield method["RestApiId"]["Ref"], f'-- "{method["HttpMethod"]} {path}" -->', function


def _routes(resources: Resources) -> Iterator[Edge]:
    for route in of(resources, "AWS::ApiGatewayV2::Route"):
        [integration] = referenced(route["Target"])
        [function] = referenced(resources[integration]["Properties"]["IntegrationUri"])
        yield route["ApiId"]["Ref"], f'-- "{route["RouteKey"]}" -->', function


def _path(resources: Resources, resource_id: dict[str, Any]) -> str:
    if "Ref" not in resource_id:
        # The API's root.
        return ""
    properties = resources[resource_id["Ref"]]["Properties"]
    return f"{_path(resources, properties['ParentId'])}/{properties['PathPart']}"


def _streams(resources: Resources) -> Iterator[Edge]:
    for logical_id, resource in resources.items():
        if resource["Type"] == "AWS::KinesisFirehose::DeliveryStream":
            destination = resource["Properties"]["ExtendedS3DestinationConfiguration"]
            for function in referenced(destination.get("ProcessingConfiguration")):
                yield logical_id, '== "batches" ==>', function
            for bucket in referenced(destination["BucketARN"]):
                yield logical_id, f'== "{_folder(destination["Prefix"])}" ==>', bucket
                yield logical_id, f'-. "{_folder(destination["ErrorOutputPrefix"])}" .->', bucket


def _folder(prefix: str) -> str:
    return prefix[: prefix.index("/") + 1]


def _archives(resources: Resources) -> Iterator[Edge]:
    for logical_id, resource in resources.items():
        if resource["Type"] == "AWS::Events::Archive":
            days = resource["Properties"].get("RetentionDays")
            [bus] = referenced(resource["Properties"]["SourceArn"])
            yield bus, f'== "all events{f", {days} days" if days else ""}" ==>', logical_id


def _buses_elsewhere(resources: Resources) -> list[str]:
    """Return the names of buses that are not the stack's own but have rules in it."""
    buses = (rule.get("EventBusName", "default") for rule in of(resources, "AWS::Events::Rule"))
    return sorted({bus for bus in buses if isinstance(bus, str)})


def _rules(resources: Resources) -> Iterator[Edge]:
    for rule in of(resources, "AWS::Events::Rule"):
        bus = rule.get("EventBusName", "default")
        [source] = referenced(bus) or [bus]
        pattern = rule["EventPattern"]
        label = ", ".join(pattern.get("detail-type", [])) or f"events, by {', '.join(pattern)}"
        for each in rule["Targets"]:
            for target in referenced(each["Arn"]):
                yield source, f'== "{label}" ==>', target
            for queue in referenced(each.get("DeadLetterConfig")):
                yield source, _GIVEN_UP, queue


def _mappings(resources: Resources) -> Iterator[Edge]:
    for mapping in of(resources, "AWS::Lambda::EventSourceMapping"):
        [source] = referenced(mapping["EventSourceArn"])
        [function] = referenced(mapping["FunctionName"])
        patterns = [
            json.loads(each["Pattern"])
            for each in mapping.get("FilterCriteria", {}).get("Filters", [])
        ]
        names = [name for pattern in patterns for name in pattern.get("eventName", [])]
        label = f"stream: {', '.join(names)}" if names else "messages"
        yield source, f'== "{label}" ==>', function
        failure = mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        for queue in referenced(failure):
            yield function, _GIVEN_UP, queue


def _subscriptions(resources: Resources) -> Iterator[Edge]:
    for subscription in of(resources, "AWS::SNS::Subscription"):
        [topic] = referenced(subscription["TopicArn"])
        # An address outside the stack is text.
        for function in referenced(subscription["Endpoint"]):
            only = ", ".join(subscription.get("FilterPolicy", {}))
            yield topic, f'== "messages{f", by {only}" if only else ""}" ==>', function
        policy = subscription.get("RedrivePolicy", {})
        for queue in referenced(policy.get("deadLetterTargetArn")):
            yield topic, _GIVEN_UP, queue


def _attempts(resources: Resources) -> Iterator[Edge]:
    for config in of(resources, "AWS::Lambda::EventInvokeConfig"):
        [function] = referenced(config["FunctionName"])
        for queue in referenced(config.get("DestinationConfig", {}).get("OnFailure")):
            yield function, _GIVEN_UP, queue


def _dead_letters(resources: Resources) -> Iterator[Edge]:
    for logical_id, resource in resources.items():
        if resource["Type"] == "AWS::SQS::Queue":
            policy = resource["Properties"].get("RedrivePolicy", {})
            for queue in referenced(policy.get("deadLetterTargetArn")):
                yield logical_id, _GIVEN_UP, queue


def _calls(resources: Resources, wired: list[Edge]) -> Iterator[Edge]:
    """Draw what roles may do to what holds data, unless an edge of `wired` says it already."""
    connected = {(source, target) for source, _, target in wired} | {
        (target, source) for source, _, target in wired
    }
    calls: dict[tuple[str, str], list[str]] = defaultdict(list)
    for who, statement in _statements(resources):
        actions = statement["Action"]
        for holder in referenced(statement["Resource"]):
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
        for role in referenced(resource["Properties"]["Role"])
    }
    managed = {
        policy: logical_id
        for logical_id, resource in resources.items()
        if resource["Type"] == "AWS::IAM::Role"
        for policy in referenced(resource["Properties"].get("ManagedPolicyArns"))
    }
    for logical_id, resource in resources.items():
        if resource["Type"] == "AWS::IAM::Policy":
            roles = resource["Properties"]["Roles"]
            [role] = [found for each in roles for found in referenced(each)]
        elif logical_id in managed:
            role = managed[logical_id]
        else:
            continue
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
            yield functions.get(role, role), statement

"""Draws a stack from its synthesized template, so that the picture cannot lie.

Nodes are what holds or moves data; edges are the wiring that the template itself declares:
methods and their functions, event source mappings, failure destinations, and for every table
the calls its users' roles allow.
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
    "AWS::Lambda::Function": ('["', '"]'),
    "AWS::DynamoDB::Table": ('[("', '")]'),
    "AWS::SQS::Queue": ('>"', '"]'),
}
# The event source mapping makes these; it has an edge of its own.
_STREAM_READS = {
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
}
Resources = dict[str, dict[str, Any]]
# Logical id, arrow with its label, logical id.
Edge = tuple[str, str, str]


def mermaid(template: Path) -> str:
    """Return the Mermaid flow chart of a template that has path metadata."""
    resources: Resources = json.loads(template.read_text(encoding="utf-8"))["Resources"]
    labels = {
        logical_id: _label(resource)
        for logical_id, resource in resources.items()
        if resource["Type"] in _SHAPES
    }
    names = {logical_id: label.replace(" ", "") for logical_id, label in labels.items()}
    lines = []
    for logical_id, label in labels.items():
        opening, closing = _SHAPES[resources[logical_id]["Type"]]
        lines.append(f"{names[logical_id]}{opening}{label}{closing}")
    for edges in (_routes(resources), _mappings(resources), _calls(resources)):
        lines += [f"{names[source]} {arrow} {names[target]}" for source, arrow, target in edges]
    return "\n    ".join(["flowchart LR", *lines])


def _label(resource: dict[str, Any]) -> str:
    parts: list[str] = resource["Metadata"]["aws:cdk:path"].split("/")[1:-1]
    # The construct's own name; the last part often only repeats what kind of thing it is.
    return " ".join(parts[:-1] if parts[-1] in {"Api", "Table", "Function", "Queue"} else parts)


def _routes(resources: Resources) -> Iterator[Edge]:
    for method in _of(resources, "AWS::ApiGateway::Method"):
        [function] = [
            target
            for target in _referenced(method["Integration"]["Uri"])
            if resources.get(target, {}).get("Type") == "AWS::Lambda::Function"
        ]
        path = _path(resources, method["ResourceId"]["Ref"])
        yield method["RestApiId"]["Ref"], f'-- "{method["HttpMethod"]} {path}" -->', function


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
            yield function, '-. "given up" .->', queue


def _calls(resources: Resources) -> Iterator[Edge]:
    functions = {
        role: logical_id
        for logical_id, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Function"
        for role in _referenced(resource["Properties"]["Role"])
    }
    calls: dict[tuple[str, str], list[str]] = defaultdict(list)
    for policy in _of(resources, "AWS::IAM::Policy"):
        [role] = [target for each in policy["Roles"] for target in _referenced(each)]
        for statement in policy["PolicyDocument"]["Statement"]:
            actions = statement["Action"]
            for table in _referenced(statement["Resource"]):
                if resources.get(table, {}).get("Type") == "AWS::DynamoDB::Table":
                    calls[functions[role], table] += [
                        action.removeprefix("dynamodb:")
                        for action in ([actions] if isinstance(actions, str) else actions)
                        if action not in _STREAM_READS
                    ]
    for (function, table), names in calls.items():
        if names:
            yield function, f'-- "{", ".join(names)}" -->', table


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

"""Synthesizing the app, and finding one's way in what comes out."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_cdk import App

from app import build, context_defaults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Json = Any
Template = dict[str, Any]
Resource = dict[str, Any]


@dataclass(frozen=True)
class Synth:
    """A synthesized app: its folder, and its templates by stack."""

    folder: Path
    templates: dict[str, Template]

    @property
    def manifest(self) -> dict[str, Any]:
        """The cloud assembly's manifest."""
        return read(self.folder / "manifest.json")


def read(file: Path) -> dict[str, Any]:
    """Return the JSON object in `file`."""
    value: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return value


def synthesize(folder: Path, **context: object) -> Synth:
    """Synthesize with the context of cdk.json and `context`, without CloudFormation Validate.

    That takes four seconds; tests/template/test_gate.py runs it.
    """
    app = App(
        outdir=str(folder),
        context={**context_defaults(), **context},
        builtin_cloud_formation_validation=False,
    )
    build(app)
    assembly = app.synth()
    return Synth(folder, {stack.stack_name: stack.template for stack in assembly.stacks})


def resources(template: Template, kind: str | None = None) -> dict[str, Resource]:
    """Return the resources, by logical id,, of one type or all."""
    return {
        logical_id: resource
        for logical_id, resource in template["Resources"].items()
        if kind is None or resource["Type"] == kind
    }


def references(template: Template, kind: str, attribute: str = "") -> set[str]:
    """Return what `target` makes of references to the resources of a type."""
    return {f"<{logical_id}{attribute}>" for logical_id in resources(template, kind)}


def properties(template: Template, kind: str) -> list[dict[str, Any]]:
    """Return the properties of every resource of one type."""
    return [resource.get("Properties", {}) for resource in resources(template, kind).values()]


def only(template: Template, kind: str) -> dict[str, Any]:
    """Return the properties of the one resource of a type."""
    [found] = properties(template, kind)
    return found


def named(template: Template, kind: str, name: str) -> tuple[str, dict[str, Any]]:
    """Return the logical id and the properties of the one resource whose id begins so."""
    [(logical_id, found)] = [
        each for each in resources(template, kind).items() if each[0].startswith(name)
    ]
    return logical_id, found.get("Properties", {})


def walk(value: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Yield every value below, with its path."""
    yield path, value
    if isinstance(value, dict):
        for name, item in value.items():
            yield from walk(item, f"{path}/{name}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from walk(item, f"{path}/{number}")


def as_list(value: Json) -> list[Json]:
    """Return a list, where IAM allows one value or several."""
    return value if isinstance(value, list) else [value]


def statements(template: Template) -> list[tuple[str, dict[str, Any]]]:
    """Return every policy statement, with the resource it is in."""
    return [
        (logical_id, statement)
        for logical_id, resource in template["Resources"].items()
        for path, document in walk(resource.get("Properties", {}))
        if isinstance(document, dict) and "Statement" in document
        for statement in document["Statement"]
    ]


def role_statements(template: Template, role: str) -> list[dict[str, Any]]:
    """Return the statements of all policies of the role with this logical id."""
    return [
        statement
        for policy in properties(template, "AWS::IAM::Policy")
        if {"Ref": role} in policy["Roles"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def functions(template: Template) -> dict[str, dict[str, Any]]:
    """Return the properties of each function, by the last part of its handler's module."""
    return {
        function["Handler"].split(".")[-2]: function
        for function in properties(template, "AWS::Lambda::Function")
    }


def target(value: Json) -> str:
    """Return an ARN or reference as text, with logical ids in place of what they stand for."""
    match value:
        case str():
            return value
        case {"Ref": logical_id}:
            return f"<{logical_id}>"
        case {"Fn::GetAtt": [logical_id, attribute]}:
            return f"<{logical_id}.{attribute}>"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(target(part) for part in parts)
        case {"Fn::Sub": text}:
            return str(text)
    return json.dumps(value)


_HASH = re.compile(r"[0-9a-f]{64}")
_ACCOUNT = re.compile(r"\b\d{12}\b")
_REGION = re.compile(r"\b(us|eu|ap|ca|sa)-[a-z]+-\d\b")


def normalised(template: Template) -> Template:
    """Return the template without what differs between checkouts, accounts and handlers."""
    text = json.dumps(copy.deepcopy(template))
    for pattern, name in ((_HASH, "<hash>"), (_ACCOUNT, "<account>"), (_REGION, "<region>")):
        text = pattern.sub(name, text)
    result: Template = json.loads(text)
    return result

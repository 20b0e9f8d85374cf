"""A synthesized template, and finding one's way in it. Nothing here imports the CDK."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from odyssey_cli.templates import referenced

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Json = Any
Properties = dict[str, Any]
Statement = dict[str, Any]

# How a stack finds the topic of all alarms, and how the stack that has the topic announces it.
ALARM_TOPIC = "/odyssey/alarm-topic-arn"
# What expressions have that refer to the account itself, as `text` writes it.
OWN_ACCOUNT = "<AWS::AccountId>"
TOPIC = "AWS::SNS::Topic"
_KINDS = {
    *("Api", "Bucket", "Bus", "Function", "Queue", "Role", "Secret", "Stream", "Table", "Topic"),
}
# What the CDK appends to a logical id, so that it is unique.
_HASH = re.compile(r"[0-9A-F]{8}$")


@dataclass(frozen=True)
class Template:
    """A stack's template, and what its manifest says of the stack.

    Attributes:
        name: the stack's.
        body: the template.
        stage: `dev` or `prod`.
        protected: whether CloudFormation refuses to delete the stack.
        tags: those of the stack itself.
    """

    name: str
    body: dict[str, Any]
    stage: str = "dev"
    protected: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_prod(self) -> bool:
        """Whether the stack's data must outlive it."""
        return self.stage == "prod"

    @cached_property
    def resources(self) -> dict[str, dict[str, Any]]:
        """The resources, by logical id."""
        found: dict[str, dict[str, Any]] = self.body.get("Resources", {})
        return found

    @cached_property
    def _by_type(self) -> dict[str, dict[str, Properties]]:
        found: dict[str, dict[str, Properties]] = defaultdict(dict)
        for logical_id, resource in self.resources.items():
            found[resource["Type"]][logical_id] = resource.get("Properties", {})
        return found

    def of(self, *types: str) -> dict[str, Properties]:
        """Return the properties of the resources of some types, by logical id."""
        return {
            logical_id: properties
            for type_ in types
            for logical_id, properties in self._by_type.get(type_, {}).items()
        }

    def type(self, logical_id: str | None) -> str:
        """Return a resource's type; "" when the template has no such resource."""
        kind: str = self.resources.get(logical_id or "", {}).get("Type", "")
        return kind

    def properties(self, logical_id: str | None) -> Properties:
        """Return a resource's properties; none when the template has no such resource."""
        found: Properties = self.resources.get(logical_id or "", {}).get("Properties", {})
        return found

    def resource(self, value: Json, *types: str) -> str | None:
        """Return the one resource, of one of some types, that an expression refers to, if any."""
        found = [
            each
            for each in referenced(value)
            if each in self.resources and (not types or self.type(each) in types)
        ]
        return found[0] if found else None

    def arn(self, logical_id: str) -> str:
        """Return the expression for a resource's ARN, as `text` writes it."""
        # What else is an end of an edge has its ARN as an attribute.
        return f"<{logical_id}>" if self.type(logical_id) == TOPIC else f"<{logical_id}.Arn>"

    def whose_arn(self, value: Json, *types: str) -> str | None:
        """Return the resource, of one of some types, whose ARN an expression is, if any.

        Of one in another account, or of a queue's address, there is none.
        """
        found = self.resource(value, *types)
        return found if found and text(value) == self.arn(found) else None

    def label(self, logical_id: str) -> str:
        """Return what a person calls a resource: its construct's path, else its logical id."""
        resource = self.resources.get(logical_id, {})
        if path := resource.get("Metadata", {}).get("aws:cdk:path"):
            return label(path)
        return _HASH.sub("", logical_id)

    @cached_property
    def alarm_topics(self) -> frozenset[str]:
        """The parameter or the topic that stands for the app's alarm topic."""
        parameters = self.body.get("Parameters", {})
        asked = {name for name, each in parameters.items() if each.get("Default") == ALARM_TOPIC}
        announced = {
            topic
            for each in self.of("AWS::SSM::Parameter").values()
            if each.get("Name") == ALARM_TOPIC
            for topic in referenced(each.get("Value"))
        }
        return frozenset(asked | announced)

    @cached_property
    def helpers(self) -> frozenset[str]:
        """The functions that CloudFormation calls for custom resources."""
        return frozenset(
            function
            for properties in self.custom_resources.values()
            for function in referenced(properties.get("ServiceToken"))
        )

    @cached_property
    def custom_resources(self) -> dict[str, Properties]:
        """The properties of the custom resources, by logical id."""
        kinds = [
            kind
            for kind in self._by_type
            if kind.startswith("Custom::") or kind == "AWS::CloudFormation::CustomResource"
        ]
        return self.of(*kinds)

    @cached_property
    def statements(self) -> list[tuple[str, Statement]]:
        """The statements of every policy document, with the resource it is in."""
        return [
            (logical_id, statement)
            for logical_id, resource in self.resources.items()
            for document in _documents(resource.get("Properties", {}))
            for statement in as_list(document["Statement"])
        ]

    def allowed(self, role: str) -> Iterator[Statement]:
        """Yield the statements of all policies of a role."""
        inline = self.properties(role).get("Policies", [])
        managed = referenced(self.properties(role).get("ManagedPolicyArns"))
        documents = [
            *inline,
            *(
                properties
                for logical_id, properties in self.of(
                    "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"
                ).items()
                if role in referenced(properties.get("Roles")) or logical_id in managed
            ),
        ]
        for each in documents:
            yield from statements_of(each)


def label(path: str) -> str:
    """Return what a person calls the construct at a path: its name in its stack."""
    parts = path.removesuffix("/Resource").split("/")[1:]
    # The last part often only repeats what kind of thing it is.
    return " ".join(parts[:-1] if parts[-1] in _KINDS else parts)


def load(assembly: Path) -> list[Template]:
    """Return the templates of a cloud assembly, with their stacks' settings."""
    manifest = json.loads((assembly / "manifest.json").read_text(encoding="utf-8"))
    found = []
    for name, artifact in manifest["artifacts"].items():
        if artifact["type"] == "aws:cloudformation:stack":
            settings = artifact["properties"]
            file = assembly / settings["templateFile"]
            tags = settings.get("tags", {})
            found.append(
                Template(
                    name,
                    json.loads(file.read_text(encoding="utf-8")),
                    stage=tags.get("stage", ""),
                    protected=settings.get("terminationProtection", False),
                    tags=tags,
                )
            )
    return found


def text(value: Json) -> str:
    """Return an ARN or name as text, with `<logical id>` in place of what is not known yet."""
    match value:
        case str():
            return value
        case {"Ref": logical_id}:
            return f"<{logical_id}>"
        case {"Fn::GetAtt": [logical_id, attribute]}:
            return f"<{logical_id}.{attribute}>"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(text(part) for part in parts)
        case {"Fn::Sub": str() as pattern}:
            return re.sub(r"\$\{([^}!]+)\}", r"<\1>", pattern)
    return json.dumps(value)


def as_list(value: Json) -> list[Json]:
    """Return a list, where one value may stand for a list of one, and none for an empty one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def statements_of(properties: Properties, document: str = "PolicyDocument") -> list[Statement]:
    """Return the statements of the policy document in some properties."""
    return as_list(properties.get(document, {}).get("Statement"))


def services(statement: Statement) -> list[str]:
    """Return the services of AWS that a statement is about."""
    principal = statement.get("Principal")
    return as_list(principal.get("Service")) if isinstance(principal, dict) else []


def walk(value: Json) -> Iterator[Json]:
    """Yield a value and every value in it."""
    yield value
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from walk(each)


def _documents(value: Json) -> list[dict[str, Any]]:
    # Lists, and nothing for text and numbers: most of the time of all rules was spent here.
    if isinstance(value, dict):
        found, parts = [value] if "Statement" in value else [], [*value.values()]
    else:
        found, parts = [], value
    for part in parts:
        if isinstance(part, dict | list):
            found += _documents(part)
    return found


def whole(value: Json) -> int | None:
    """Return a whole number, which a template may write as text; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | str) and re.fullmatch(r"-?\d+", str(value)):
        return int(value)
    return None


def span(seconds: int) -> str:
    """Return e.g. `30 s`, `12 h` or `4 days`."""
    day, hour, minute = 24 * 60 * 60, 60 * 60, 60
    for unit, name in ((day, "days"), (hour, "h"), (minute, "min")):
        if (seconds > unit and seconds % unit == 0) or seconds == hour == unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"

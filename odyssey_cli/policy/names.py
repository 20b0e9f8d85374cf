"""Rules on what ties a stack to others: exports, and names that can be taken only once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odyssey_cli.policy.rule import Fault
from odyssey_cli.policy.templates import text, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli.policy.templates import Properties, Template

# Where the property that names a resource for ever is neither `Name` nor made of its type.
_NAMED_BY = {
    "AWS::EC2::SecurityGroup": {"GroupName"},
    "AWS::EC2::KeyPair": {"KeyName"},
    "AWS::KMS::Alias": {"AliasName"},
}
# Where it is within another property.
_NAMED_WITHIN = {"AWS::Budgets::Budget": ("Budget", "BudgetName")}
# A name that is none, or only within something that has one.
_LABELS = {
    ("AWS::ApiGateway::RestApi", "Name"): "a label: callers use the id",
    ("AWS::ApiGatewayV2::Api", "Name"): "a label: callers use the id",
    ("AWS::ApiGateway::Stage", "StageName"): "within its API",
    ("AWS::ApiGatewayV2::Stage", "StageName"): "within its API",
    ("AWS::IAM::Policy", "PolicyName"): "within its role",
}
# What has to have a name, or is found by it: how the name begins, with `{stack}` for the stack's,
# so that an account has room for a second copy.
_NEEDED = {
    # Others have to know a bus, and CloudFormation makes none without a name.
    ("AWS::Events::EventBus", "Name"): "{stack}-",
    # CloudFormation makes none without a name.
    ("AWS::EC2::KeyPair", "KeyName"): "{stack}",
    # How stacks find what they share, without an export.
    ("AWS::SSM::Parameter", "Name"): "/odyssey/",
}


def no_export(template: Template) -> Iterator[Fault]:
    """No stack exports a value or imports another's: each can be deployed and deleted alone."""
    for name, output in template.body.get("Outputs", {}).items():
        if "Export" in output:
            yield Fault(name, "It ties other stacks to this one.", "Announce it as a parameter.")
    for part in ("Resources", "Outputs"):
        for at, each in template.body.get(part, {}).items():
            if any(isinstance(value, dict) and "Fn::ImportValue" in value for value in walk(each)):
                yield Fault(
                    at, "It needs another stack's export.", "Read a parameter or a setting."
                )


def _named_within(kind: str, properties: Properties) -> set[str]:
    outer, name = _NAMED_WITHIN.get(kind, ("", ""))
    return {name} & set(properties.get(outer, {}))


def no_physical_name(template: Template) -> Iterator[Fault]:
    """Nothing has a name that another copy could not have, but what others find it by."""
    for at, resource in template.resources.items():
        kind, properties = resource["Type"], resource.get("Properties", {})
        last = kind.rpartition("::")[2]
        names = {"Name", f"{last}Name", *_NAMED_BY.get(kind, ())} & set(properties)
        for name in names | _named_within(kind, properties):
            needed = _NEEDED.get((kind, name))
            if (kind, name) in _LABELS:
                continue
            if needed is None:
                yield Fault(
                    at,
                    f"{name} is taken: there is no second copy, and no replacement.",
                    f"Leave {name} out; outputs say what AWS named it.",
                )
            elif not text(properties[name]).startswith(needed.format(stack=template.name)):
                yield Fault(
                    at,
                    f"{name} does not say whose it is.",
                    f"Let {name} begin with {needed.format(stack=template.name)}.",
                )

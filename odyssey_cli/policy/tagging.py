"""Whose everything is: the app's tags, on each stack and on whatever takes tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odyssey_cli.policy.edges_of_services import BUCKET
from odyssey_cli.policy.rule import Fault
from odyssey_constructs.project import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli.policy.templates import Json, Template

STAGES = ("dev", "prod")
# What CloudFormation does not tag, or, for policies, what has no tags in AWS.
UNTAGGABLE = {
    "AWS::ApiGateway::Account",
    "AWS::ApiGateway::Deployment",
    "AWS::ApiGateway::GatewayResponse",
    "AWS::ApiGateway::Method",
    "AWS::ApiGateway::Resource",
    "AWS::ApiGatewayV2::Integration",
    "AWS::ApiGatewayV2::Route",
    "AWS::EC2::Route",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::Events::Archive",
    "AWS::IAM::Group",
    "AWS::IAM::InstanceProfile",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogStream",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "Custom::ClosedDefaultGroup",
    "Custom::EmptyBucket",
}
# Where tags are in a property of another name.
_TAGS = {"AWS::Budgets::Budget": "ResourceTags"}
# What the CDK adds, so that a person finds a network's parts, and it the subnets, again.
_OF_NETWORKS = {"Name", "aws-cdk:subnet-name", "aws-cdk:subnet-type"}
# What lets the custom resource empty a bucket: lambda_src/custom_resources/emptying.py.
_EMPTIED = "odyssey:empty-on-delete"


def property_of(kind: str) -> str:
    """Return the property of a type that has its tags."""
    return _TAGS.get(kind, "Tags")


def tagged(template: Template) -> Iterator[Fault]:
    """Stacks and all that takes tags have the app's, with the stack's name and stage."""
    ours = {"project": PROJECT, "stack": template.name, "stage": template.stage}
    if template.tags != ours or template.stage not in STAGES:
        yield Fault("", f"The stack has other tags than the app's: {template.tags}.", _remedy(ours))
    for at, resource in template.resources.items():
        kind = resource["Type"]
        said = resource.get("Properties", {}).get(property_of(kind))
        if kind in UNTAGGABLE:
            if said is not None:
                yield Fault(
                    at,
                    f"{kind} has tags, although it is said to take none.",
                    "Take it out of UNTAGGABLE in policy/tagging.py.",
                )
            continue
        wanted = dict(ours)
        if kind == BUCKET and not template.is_prod:
            wanted[_EMPTIED] = "true"
        found = _tags(said)
        if kind.startswith("AWS::EC2::"):
            found = {name: value for name, value in found.items() if name not in _OF_NETWORKS}
        if found != wanted:
            yield Fault(
                at, f"It has other tags than the app's: {found or 'none'}.", _remedy(wanted)
            )


def _tags(said: Json) -> dict[str, Json]:
    """Return tags by name: some types have an object of them, most a list."""
    if isinstance(said, dict):
        return said
    return {each.get("Key"): each.get("Value") for each in said or []}


def _remedy(wanted: dict[str, str]) -> str:
    tags = ", ".join(f"{name}={value}" for name, value in wanted.items())
    return f"Let them be {tags}, or say in policy/tagging.py why not."

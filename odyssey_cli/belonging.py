"""Whose a resource is: by its tags, by the name that CloudFormation made, by its stack."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from odyssey_cli.inventory import tags_of
from odyssey_constructs.project import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from odyssey_cli.inventory import Thing
    from odyssey_cli.policy.templates import Template
    from odyssey_cli.target import Target

BOOTSTRAP = "CDKToolkit"
STACK, LOG_GROUP, FUNCTION = (
    "AWS::CloudFormation::Stack",
    "AWS::Logs::LogGroup",
    "AWS::Lambda::Function",
)
_PARAMETER, _RULE = "AWS::SSM::Parameter", "AWS::Events::Rule"
# What Lambda calls a function's log group when nobody has made one.
_OF_LAMBDA = "/aws/lambda/"
# Where the private key of a key pair is, by the pair's id.
KEY_PAIRS = "/ec2/keypair/"
# Log groups that services make by themselves.
_LOGS = r"/aws/(?:lambda|cloudformation|kinesisfirehose|apigateway|vendedlogs/\w+)/"
# What an ARN says of a type that the inventory lists: service, and the first word of its resource.
_LISTED = {
    ("apigateway", "restapis"): "AWS::ApiGateway::RestApi",
    ("apigateway", "apis"): "AWS::ApiGatewayV2::Api",
    ("cloudwatch", "alarm"): "AWS::CloudWatch::Alarm",
    ("cloudwatch", "dashboard"): "AWS::CloudWatch::Dashboard",
    ("cloudformation", "stack"): STACK,
    ("dynamodb", "table"): "AWS::DynamoDB::Table",
    ("ec2", "elastic-ip"): "AWS::EC2::EIP",
    ("ec2", "instance"): "AWS::EC2::Instance",
    ("ec2", "instance-connect-endpoint"): "AWS::EC2::InstanceConnectEndpoint",
    ("ec2", "internet-gateway"): "AWS::EC2::InternetGateway",
    ("ec2", "key-pair"): "AWS::EC2::KeyPair",
    ("ec2", "natgateway"): "AWS::EC2::NatGateway",
    ("ec2", "network-acl"): "AWS::EC2::NetworkAcl",
    ("ec2", "network-interface"): "AWS::EC2::NetworkInterface",
    ("ec2", "route-table"): "AWS::EC2::RouteTable",
    ("ec2", "security-group"): "AWS::EC2::SecurityGroup",
    ("ec2", "snapshot"): "AWS::EC2::Snapshot",
    ("ec2", "subnet"): "AWS::EC2::Subnet",
    ("ec2", "volume"): "AWS::EC2::Volume",
    ("ec2", "vpc"): "AWS::EC2::VPC",
    ("ec2", "vpc-endpoint"): "AWS::EC2::VPCEndpoint",
    ("ec2", "vpc-flow-log"): "AWS::EC2::FlowLog",
    ("events", "archive"): "AWS::Events::Archive",
    ("events", "event-bus"): "AWS::Events::EventBus",
    ("events", "rule"): _RULE,
    ("firehose", "deliverystream"): "AWS::KinesisFirehose::DeliveryStream",
    ("iam", "group"): "AWS::IAM::Group",
    ("iam", "instance-profile"): "AWS::IAM::InstanceProfile",
    ("iam", "policy"): "AWS::IAM::ManagedPolicy",
    ("iam", "role"): "AWS::IAM::Role",
    ("iam", "user"): "AWS::IAM::User",
    ("kms", "key"): "AWS::KMS::Key",
    ("lambda", "event-source-mapping"): "AWS::Lambda::EventSourceMapping",
    ("lambda", "function"): FUNCTION,
    ("logs", "log-group"): LOG_GROUP,
    ("s3", ""): "AWS::S3::Bucket",
    ("secretsmanager", "secret"): "AWS::SecretsManager::Secret",
    ("sns", ""): "AWS::SNS::Topic",
    ("sqs", ""): "AWS::SQS::Queue",
    ("ssm", "parameter"): _PARAMETER,
}


def short(name: str) -> str:
    """Return what is the same in all the ways in which services spell one resource's name."""
    if name.startswith("arn:"):
        resource = name.split(":", 5)[-1].removesuffix(":*")
        # "table/NAME", "secret:NAME", "policy/path/NAME", "/restapis/ID/stages/v1", "TOPIC".
        if resource.startswith("/"):
            return resource.split("/")[2]
        kind = re.match(r"[a-z-]+(?=[:/])", resource)
        rest = resource[kind.end() + 1 :] if kind else resource
        if kind and kind[0] in ("role", "policy", "user", "group", "instance-profile", "stack"):
            # IAM names come after their path, a stack's before its id.
            return rest.split("/")[0] if kind[0] == "stack" else rest.rpartition("/")[2]
        # A rule's comes after its bus's.
        return rest.rpartition("/")[2] if kind and kind[0] == "rule" else rest
    if re.match(r"https?://", name):
        return name.rpartition("/")[2]
    return name.rpartition("|")[2]


def type_of(arn: str) -> str:
    """Return the type of an ARN's resource, "" if it is of none that the inventory lists."""
    service, resource = arn.split(":")[2], arn.split(":", 5)[-1]
    words = [word for word in re.split("[:/]", resource) if word]
    return _LISTED.get((service, words[0])) or _LISTED.get((service, ""), "")


def key(type: str, name: str) -> tuple[str, str]:
    """Return what is one resource's alone, however it is spelled: its type, and its short name."""
    if type == _RULE:
        # Each bus has names of its own.
        bus, _, rule = (
            name.split(":", 5)[-1].removeprefix("rule/").replace("/", "|").rpartition("|")
        )
        return type, f"{bus or 'default'}|{rule}"
    # An ARN has no slash before a parameter's name.
    return type, short(name).lstrip("/" if type == _PARAMETER else "")


def by_key(tags: Mapping[str, dict[str, str]]) -> dict[tuple[str, str], dict[str, str]]:
    """Return the tags of resources by their keys, from those by their ARNs."""
    return {key(type_of(arn), arn): tags[arn] for arn in tags}


def made_by(thing: Thing, templates: Iterable[Template]) -> str:
    """Return the stack whose template says that CloudFormation makes this name, "" if none does.

    It makes STACK-LOGICALID-RANDOM, writes buckets small, and cuts the second part short where the
    whole is too long for a service ("Name type", AWS CloudFormation User Guide, 2026-11-21, for
    the first; the rest from memory); none of ours is. Lambda makes log groups from functions'
    names, API Gateway's setting is a role.
    """
    name, kind = short(thing.name), thing.type
    if kind == LOG_GROUP and name.startswith(_OF_LAMBDA):
        name, kind = name.removeprefix(_OF_LAMBDA), FUNCTION
    if kind == "AWS::ApiGateway::Account":
        kind = "AWS::IAM::Role"
    # A secret's begins with the logical id, and six characters of the service's own end it.
    is_secret = kind == "AWS::SecretsManager::Secret"
    stack, end = (r"(?:(.+)-)?", r"-\w{6}") if is_secret else (r"(.+)-", r"(?:\.fifo)?")
    made = re.fullmatch(rf"{stack}([A-Za-z0-9]+)-[A-Za-z0-9]{{8,}}{end}", name)
    if made is None:
        return ""
    is_small = kind == "AWS::S3::Bucket"
    for template in templates:
        own = template.name.lower() if is_small else template.name
        ids = (each.lower() if is_small else each for each in template.of(kind))
        if made[1] in (own, None) and made[2] in ids:
            return template.name
    return ""


def looks_like(thing: Thing, stacks: Iterable[str]) -> str:
    """Return the stack that a name reminds of, though others may well have given it, else ""."""
    name = short(thing.name)
    for stack in stacks:
        made = rf"{re.escape(stack)}-[A-Za-z0-9]{{3,}}-[A-Za-z0-9]{{8,}}"
        if thing.type == "AWS::S3::Bucket":
            made = made.lower().replace("a-za-z", "a-z")
        if thing.type == LOG_GROUP:
            made = rf"{_LOGS}{re.escape(stack)}[-/].+|{made}"
        if re.fullmatch(rf"(?:{made})(?:-\w{{6}})?(?:\.fifo)?", name):
            return stack
        if thing.type == STACK and name == stack:
            return stack
    return ""


class Held:
    """What is in stacks, so that it is in use or goes with them."""

    def __init__(
        self, members: set[tuple[str, str]], others: set[tuple[str, str]], things: Iterable[Thing]
    ) -> None:
        """Remember who is in what.

        Args:
            members: type and short name of everything in stacks of ours, and in the bootstrap.
            others: the same of stacks of strangers that are called as ours.
            things: everything there is.
        """
        implicit = {(LOG_GROUP, f"{_OF_LAMBDA}{name}") for kind, name in others if kind == FUNCTION}
        self._members = members | others | implicit
        self._types = {kind for kind, _ in members}
        self._places = {
            name for kind, name in self._members if kind in ("AWS::EC2::VPC", "AWS::EC2::Instance")
        }
        pairs = [each for each in things if each.type == "AWS::EC2::KeyPair"]
        self._private = {KEY_PAIRS + each.within for each in pairs if self._has(each)}
        self._vpcs = {each.name for each in things if each.type == "AWS::EC2::VPC"}

    def _has(self, thing: Thing) -> bool:
        return (thing.type, short(thing.name)) in self._members

    def __contains__(self, thing: Thing) -> bool:
        """Say whether a resource is in a stack, or a part of what is, or of a VPC that is there."""
        if self._has(thing) or (thing.within and thing.within in self._places):
            return True
        if thing.is_part and thing.within in self._vpcs:
            return True
        if thing.type == "AWS::ApiGateway::Account":
            return thing.type in self._types
        return thing.type == _PARAMETER and thing.name in self._private


def members(to: Target, stacks: Iterable[str]) -> set[tuple[str, str]]:
    """Return type and short name of everything in stacks, the stacks themselves not.

    What could not be made has no name, and what a deletion left out is the stack's no more.
    """
    listing = to.client("cloudformation").get_paginator("list_stack_resources")
    return {
        (each["ResourceType"], short(each["PhysicalResourceId"]))
        for stack in stacks
        for page in listing.paginate(StackName=stack)
        for each in page["StackResourceSummaries"]
        if each.get("PhysicalResourceId")
        and each["ResourceStatus"] not in {"DELETE_COMPLETE", "DELETE_SKIPPED"}
    }


def tagged(to: Target, unseen: list[str]) -> dict[str, dict[str, str]]:
    """Return the tags of everything with our tag that AWS's tagging service knows, by ARN.

    It knows no IAM roles and users ("Services that support the Resource Groups Tagging API",
    2026-11-21), and for some time what is gone already.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - see odyssey_cli.inventory

    listing = to.client("resourcegroupstaggingapi").get_paginator("get_resources")
    found: dict[str, dict[str, str]] = {}
    try:
        for page in listing.paginate(TagFilters=[{"Key": "project", "Values": [PROJECT]}]):
            for each in page["ResourceTagMappingList"]:
                found[each["ResourceARN"]] = tags_of(each)
    except ClientError as error:
        unseen.append(f"tags: {error}")
    return found


def ask_tags(to: Target, thing: Thing) -> dict[str, str]:
    """Return a resource's tags as its own service tells them, {} if it does not."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - see odyssey_cli.inventory

    ask = _ASK.get(thing.type)
    try:
        return ask(to, thing.name) if ask else {}
    except ClientError:
        # A bucket without tags has no such thing as tags; what is just gone has none either.
        return {}


def _asking(service: str, call: str, argument: str) -> Callable[[Target, str], dict[str, str]]:
    def ask(to: Target, name: str) -> dict[str, str]:
        return tags_of(getattr(to.client(service), call)(**{argument: name}))

    return ask


def _of_table(to: Target, name: str) -> dict[str, str]:
    dynamodb = to.client("dynamodb")
    arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
    return tags_of(dynamodb.list_tags_of_resource(ResourceArn=arn))


def _of_parameter(to: Target, name: str) -> dict[str, str]:
    ssm = to.client("ssm")
    answer: Mapping[str, Any] = ssm.list_tags_for_resource(
        ResourceType="Parameter", ResourceId=name
    )
    return tags_of({"Tags": answer.get("TagList", [])})


_ASK: dict[str, Callable[[Target, str], dict[str, str]]] = {
    "AWS::DynamoDB::Table": _of_table,
    "AWS::IAM::Role": _asking("iam", "list_role_tags", "RoleName"),
    "AWS::IAM::User": _asking("iam", "list_user_tags", "UserName"),
    "AWS::KMS::Key": _asking("kms", "list_resource_tags", "KeyId"),
    "AWS::Logs::LogGroup": _asking("logs", "list_tags_log_group", "logGroupName"),
    "AWS::S3::Bucket": _asking("s3", "get_bucket_tagging", "Bucket"),
    "AWS::SNS::Topic": _asking("sns", "list_tags_for_resource", "ResourceArn"),
    "AWS::SQS::Queue": _asking("sqs", "list_queue_tags", "QueueUrl"),
    "AWS::SSM::Parameter": _of_parameter,
}

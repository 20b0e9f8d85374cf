"""Whose a resource is: by its tags, by the name that CloudFormation made, by its stack."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from odyssey_cli.inventory import tags_of
from odyssey_constructs.project import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from odyssey_cli.inventory import Thing
    from odyssey_cli.target import Target

BOOTSTRAP = "CDKToolkit"
# Log groups that services make by themselves, and where the local cloud has ours.
_LOGS = r"/aws/(?:lambda|cloudformation|kinesisfirehose|apigateway|vendedlogs/\w+)/"
# What an ARN says of a type that the inventory lists: service, and the first word of its resource.
_LISTED = {
    *(("apigateway", word) for word in ("restapis", "apis")),
    *(("cloudwatch", word) for word in ("alarm", "dashboard")),
    ("cloudformation", "stack"),
    ("dynamodb", "table"),
    *(("events", word) for word in ("archive", "event-bus", "rule")),
    ("firehose", "deliverystream"),
    *(("iam", word) for word in ("group", "instance-profile", "policy", "role", "user")),
    ("kms", "key"),
    *(("lambda", word) for word in ("event-source-mapping", "function")),
    ("logs", "log-group"),
    ("s3", ""),
    ("secretsmanager", "secret"),
    *(("sns", ""), ("sqs", "")),
    ("ssm", "parameter"),
    *(
        ("ec2", word)
        for word in (
            "elastic-ip",
            "instance",
            "instance-connect-endpoint",
            "internet-gateway",
            "key-pair",
            "natgateway",
            "network-acl",
            "network-interface",
            "route-table",
            "security-group",
            "snapshot",
            "subnet",
            "volume",
            "vpc",
            "vpc-endpoint",
            "vpc-flow-log",
        )
    ),
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


def is_listed(arn: str) -> bool:
    """Say whether an inventory would have the resource of an ARN, if it still existed."""
    service, resource = arn.split(":")[2], arn.split(":", 5)[-1]
    words = [word for word in re.split("[:/]", resource) if word]
    return (service, words[0]) in _LISTED or (service, "") in _LISTED


def named_after(thing: Thing, stacks: Iterable[str]) -> str | None:
    """Return the stack that a resource's name comes from, None if from none of them.

    CloudFormation makes STACK-LOGICALID-RANDOM, cuts the second part short where names may not be
    long, and writes buckets small.
    """
    name = short(thing.name)
    for stack in stacks:
        made = rf"{re.escape(stack)}-[A-Za-z0-9]{{3,}}-[A-Za-z0-9]{{8,}}"
        if thing.type == "AWS::S3::Bucket":
            made = made.lower().replace("a-za-z", "a-z")
        if thing.type == "AWS::Logs::LogGroup":
            made = rf"{_LOGS}{re.escape(stack)}[-/].+|{made}"
        # Six characters more end a secret's.
        if re.fullmatch(rf"(?:{made})(?:-\w{{6}})?(?:\.fifo)?", name):
            return stack
        if thing.type == "AWS::CloudFormation::Stack" and name == stack:
            return stack
    return None


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

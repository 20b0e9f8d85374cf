"""Hosts that a deployment has replaced and could not terminate, because they are protected.

CloudFormation then reports success, and the old host runs on beside the new one, billed and in no
stack ("Change termination protection", Amazon EC2 User Guide, 2026-11-21: protection keeps
everybody from terminating, until it is lifted).
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from odyssey_cli.kept_image import STACK
from odyssey_constructs.project import PROJECT

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_ec2 import EC2Client

    from odyssey_cli.target import Target

_ALIVE = ["pending", "running", "stopping", "stopped"]


def hosts_left(target: Target) -> list[str]:
    """Return the ids of hosts that carry the stack's tags and are not the stack's any more."""
    client: EC2Client = target.client("ec2")
    ours: Any = [
        {"Name": "tag:project", "Values": [PROJECT]},
        {"Name": "tag:stack", "Values": [STACK]},
        {"Name": "instance-state-name", "Values": _ALIVE},
    ]
    alive = {
        host["InstanceId"]
        for page in client.get_paginator("describe_instances").paginate(Filters=ours)
        for reservation in page["Reservations"]
        for host in reservation["Instances"]
    }
    formation: CloudFormationClient = target.client("cloudformation")
    kept = {
        resource.get("PhysicalResourceId")
        for page in formation.get_paginator("list_stack_resources").paginate(StackName=STACK)
        for resource in page["StackResourceSummaries"]
    }
    return sorted(alive - kept)


def said_of(host: str, target: Target) -> str:
    """Return what to tell somebody of a host that was left."""
    aws = shlex.join(["aws", *target.aws_options])
    return (
        f"The host {host} is no longer the stack's, but protected: it runs on and is billed. When "
        f"you need it no more: {aws} ec2 modify-instance-attribute --instance-id {host} "
        f"--no-disable-api-termination && {aws} ec2 terminate-instances --instance-ids {host}"
    )

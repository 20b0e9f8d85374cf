"""A custom resource that takes the rules out of a VPC's default security group.

CloudFormation cannot change that group. It begins with two rules: all traffic from itself, all to
anywhere ("Default security groups for your VPCs", Amazon VPC User Guide, 2026-11-21).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from custom_resources.answering import answer
from shared import clients

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext
    from types_boto3_ec2 import EC2Client
    from types_boto3_ec2.type_defs import IpPermissionTypeDef

logger = Logger()


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: LambdaContext) -> None:
    """Lambda's entry point: answers CloudFormation, which waits for it."""
    group = event["ResourceProperties"]["GroupId"]
    failure = None
    # The group goes with its VPC, so that there is nothing to put back.
    if event["RequestType"] != "Delete":
        try:
            close(group, clients.ec2())
        except Exception as error:
            logger.exception("failed", group=group)
            failure = f"{group} could not be closed: {error}"
    answer(event, physical_id=group, failure=failure)


def close(group: str, client: EC2Client) -> None:
    """Revoke the rules with which a default group begins; those that are gone may be."""
    inside: IpPermissionTypeDef = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}
    anywhere: IpPermissionTypeDef = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    _revoke(client.revoke_security_group_ingress, group, inside)
    _revoke(client.revoke_security_group_egress, group, anywhere)


def _revoke(call: Callable[..., object], group: str, rule: IpPermissionTypeDef) -> None:
    try:
        call(GroupId=group, IpPermissions=[rule])
    except ClientError as error:
        if error.response["Error"]["Code"] != "InvalidPermission.NotFound":
            raise

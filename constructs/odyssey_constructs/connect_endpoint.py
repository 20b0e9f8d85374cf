"""An EC2 Instance Connect Endpoint: SSH to a host without a public address, by IAM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2

from odyssey_constructs.host import SSH

if TYPE_CHECKING:
    from constructs import Construct
    from odyssey_constructs.host import Host
    from odyssey_constructs.vpc import Vpc


def connect_endpoint(scope: Construct, id: str, *, network: Vpc, to: Host) -> str:
    """Make the endpoint beside a host, open from it to the host's SSH only; return its id.

    It is free but for traffic between zones ("Connect to your instances using EC2 Instance
    Connect Endpoint", 2026-11-21), and is in the host's own zone.
    """
    group = ec2.SecurityGroup(
        scope,
        f"{id}Group",
        vpc=network.vpc,
        description=f"The way to private hosts of {Stack.of(scope).stack_name}",
        allow_all_outbound=False,
    )
    group.connections.allow_to(to.group, SSH, "SSH through the Instance Connect Endpoint")
    endpoint = ec2.CfnInstanceConnectEndpoint(
        scope,
        id,
        subnet_id=network.private_subnets[0].subnet_id,
        security_group_ids=[group.security_group_id],
        # The host sees the endpoint's address, which its group can name.
        preserve_client_ip=False,
    )
    return endpoint.ref

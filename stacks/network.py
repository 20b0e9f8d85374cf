"""Network: a VPC, and a host in it that can be logged in to without a port being open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_ec2 as ec2

from odyssey_constructs.budget import monthly_budget
from odyssey_constructs.connect_endpoint import connect_endpoint
from odyssey_constructs.host import SSH, USER, Host
from odyssey_constructs.stack import OdysseyStack
from odyssey_constructs.vpc import Vpc

if TYPE_CHECKING:
    from constructs import Construct
    from odyssey_constructs.config import Config


class Network(OdysseyStack):
    """Public and private subnets, a public host, and what may reach it.

    Args:
        scope: the parent.
        id: the name within the parent.
        ami: the id of the hosts' image; None for the latest at each deployment.
        config: the app's settings.
    """

    def __init__(self, scope: Construct, id: str, *, ami: str | None, config: Config) -> None:
        super().__init__(
            scope, id, config=config, description="AWS Odyssey: a network and a host in it"
        )
        network = Vpc(self, "Network", config=config)
        # Always there: a host can only be given one when it is made, and SSH comes later.
        key_pair = ec2.KeyPair(
            self,
            "KeyPair",
            # CloudFormation demands a name, and a new one where a tag changes, as the stage's does.
            key_pair_name=f"{self.stack_name}-{config.stage}",
            type=ec2.KeyPairType.ED25519,
        )
        host = Host(
            self,
            "Host",
            network=network,
            public=True,
            key_pair=key_pair,
            ami=ami,
            config=config,
        )
        if config.ssh_cidr:
            source = ec2.Peer.ipv4(config.ssh_cidr)
            host.group.add_ingress_rule(source, SSH, "SSH from whoever deployed this")
        self.outputs(
            Account=self.account,
            VpcId=network.vpc.vpc_id,
            PublicSubnets=",".join(each.subnet_id for each in network.vpc.public_subnets),
            PrivateSubnets=",".join(each.subnet_id for each in network.private_subnets),
            InternetGatewayId=str(network.vpc.internet_gateway_id),
            HostId=host.instance.instance_id,
            HostAddress=host.instance.instance_public_ip,
            KeyPairId=key_pair.key_pair_id,
            KeyParameter=key_pair.private_key.parameter_name,
            SshCommand=f"ssh -i .odyssey/keys/{key_pair.key_pair_id}.pem "
            f"{USER}@{host.instance.instance_public_ip}",
        )
        if config.private_host != "none":
            self._private_host(network, host, key_pair, ami, config)
        if config.budget_email:
            monthly_budget(self, "Budget", usd=config.budget_usd, email=config.budget_email)

    def _private_host(
        self, network: Vpc, host: Host, key_pair: ec2.KeyPair, ami: str | None, config: Config
    ) -> None:
        """Add a host without a public address, and the one way to it."""
        private = Host(
            self,
            "PrivateHost",
            network=network,
            public=False,
            key_pair=key_pair,
            ami=ami,
            config=config,
        )
        self.outputs(
            PrivateHostId=private.instance.instance_id,
            PrivateHostAddress=private.instance.instance_private_ip,
        )
        if config.private_host == "jump":
            host.allow_ssh_to(private)
        else:
            endpoint = connect_endpoint(self, "ConnectEndpoint", network=network, to=private)
            self.outputs(ConnectEndpointId=endpoint)

"""An EC2 host: Amazon Linux 2023, reached by Session Manager, with nothing open."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import jsii
from aws_cdk import Stack, Tags
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam

from constructs import Construct
from odyssey_constructs.alarms import FIVE_MINUTES, alarm
from odyssey_constructs.encryption import encryption_key
from odyssey_constructs.findings import acknowledge

if TYPE_CHECKING:
    from odyssey_constructs.config import Config
    from odyssey_constructs.vpc import Vpc

SSH = ec2.Port.tcp(22)
HTTPS = ec2.Port.tcp(443)
USER = "ec2-user"
_TYPES = {"arm64": "t4g.micro", "x86_64": "t3.micro"}
# "Reference the latest AMIs using Systems Manager public parameters", Amazon Linux 2023 User
# Guide, 2026-11-21.
_LATEST = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{}"
# What the image's own snapshot needs.
_ROOT_GIB = 8


@jsii.implements(ec2.IMachineImage)
class _Image:
    """An image by its id, whatever the region."""

    def __init__(self, id: str) -> None:
        self._id = id

    def get_image(self, _scope: Construct) -> ec2.MachineImageConfig:
        return ec2.MachineImageConfig(
            image_id=self._id,
            os_type=ec2.OperatingSystemType.LINUX,
            user_data=ec2.UserData.for_linux(),
        )


class Host(Construct):
    """A host with its own role and security group, which lets HTTPS out and nothing in.

    HTTPS is what Session Manager's agent, the packages of Amazon Linux and the AWS API need. The
    metadata service answers version 2 only, and the volume is encrypted: with the account's own
    key in dev, with the stack's in prod, where the host is also protected from termination.

    Args:
        scope: the parent.
        id: the name within the parent.
        network: where it is, in the first zone, so that a second moves nothing.
        public: whether it is in a public subnet, with a public address, or in a private one.
        key_pair: whose private key opens it to SSH.
        ami: the id of its image; the public parameter's when None, which CloudFormation reads
            at every deployment: a newer image then replaces the host.
        config: the app's settings.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: Vpc,
        public: bool,
        key_pair: ec2.KeyPair,
        ami: str | None,
        config: Config,
    ) -> None:
        super().__init__(scope, id)
        where = "public" if public else "private"
        subnets = network.vpc.public_subnets if public else network.private_subnets
        self.group = ec2.SecurityGroup(
            self,
            "Group",
            vpc=network.vpc,
            description=f"The {where} host of {Stack.of(self).stack_name}",
            allow_all_outbound=False,
        )
        self.group.add_egress_rule(
            ec2.Peer.any_ipv4(), HTTPS, "Session Manager, packages and the AWS API"
        )
        self.instance = ec2.Instance(
            self,
            "Instance",
            vpc=network.vpc,
            vpc_subnets=ec2.SubnetSelection(subnets=subnets[:1]),
            associate_public_ip_address=public,
            instance_type=ec2.InstanceType(_TYPES[config.architecture]),
            machine_image=_image(ami, config),
            key_pair=key_pair,
            security_group=self.group,
            role=self._role(),
            http_tokens=ec2.HttpTokens.REQUIRED,
            # One hop: the host, not the containers on it.
            http_put_response_hop_limit=1,
            block_devices=[
                ec2.BlockDevice(
                    device_name="/dev/xvda",
                    volume=ec2.BlockDeviceVolume.ebs(
                        _ROOT_GIB,
                        encrypted=True,
                        kms_key=encryption_key(self, config=config),
                        volume_type=ec2.EbsDeviceVolumeType.GP3,
                    ),
                )
            ],
            propagate_tags_to_volume_on_creation=True,
            disable_api_termination=config.is_prod,
            # What is beyond its share of the processor waits, instead of being billed.
            credit_specification=ec2.CpuCredits.STANDARD,
        )
        Tags.of(self.instance).add("Name", f"{Stack.of(self).stack_name}/{where}")
        self._alarm(where)
        self._acknowledge(ami, config)

    def allow_ssh_to(self, other: Host) -> None:
        """Let this host be the way to another one's SSH."""
        self.group.connections.allow_to(other.group, SSH, "SSH through the public host")

    def _alarm(self, where: str) -> None:
        alarm(
            self,
            "Impaired",
            metric=cloudwatch.Metric(
                namespace="AWS/EC2",
                metric_name="StatusCheckFailed",
                dimensions_map={"InstanceId": self.instance.instance_id},
                statistic="Maximum",
                period=FIVE_MINUTES,
            ),
            threshold=1,
            # AWS recovers a host of its own by then, unless it is the host's fault.
            evaluation_periods=3,
            description=f"The {where} host, or what it runs on, has failed its status checks for "
            "15 minutes: it cannot be reached. Reboot it; stop and start it to move it.",
        )

    def _role(self) -> iam.Role:
        """The least with which Session Manager works.

        The calls are those of "Add Session Manager permissions to an existing IAM role", AWS
        Systems Manager User Guide, 2026-11-21, without S3 and KMS, which only sessions with logs
        or a key of their own need. The agent's report can be limited to hosts ("Actions, resources,
        and condition keys for AWS Systems Manager", Service Authorization Reference, 2026-11-21; a
        report that is refused names the host, github.com/aws/amazon-ssm-agent/issues/543); the
        channels have no resource ("... for Amazon Message Gateway Service", same day).
        """
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
            description="Session Manager's agent on the host",
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=[
                    "ssmmessages:CreateControlChannel",
                    "ssmmessages:CreateDataChannel",
                    "ssmmessages:OpenControlChannel",
                    "ssmmessages:OpenDataChannel",
                ],
                resources=["*"],
            )
        )
        hosts = Stack.of(self).format_arn(service="ec2", resource="instance", resource_name="*")
        role.add_to_policy(
            iam.PolicyStatement(actions=["ssm:UpdateInstanceInformation"], resources=[hosts])
        )
        acknowledge(
            role,
            "AwsSolutions-IAM5[Resource::*]",
            "Session Manager's channels have no resource-level permissions.",
        )
        acknowledge(
            role,
            "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:ec2:<AWS::Region>:<AWS::AccountId>:"
            "instance/*]",
            "A host's id is not known before the host, which needs the role first.",
        )
        return role

    def _acknowledge(self, ami: str | None, config: Config) -> None:
        acknowledge(
            self.instance,
            "AwsSolutions-EC28",
            "A host to log in to needs no metrics by the minute, which cost 2.10 USD a month "
            "(Amazon CloudWatch pricing, 2026-11-21).",
        )
        if not config.is_prod:
            acknowledge(
                self.instance,
                "AwsSolutions-EC29",
                "A dev stack goes without a trace when destroyed; in prod the host is protected.",
            )
        if ami is not None:
            acknowledge(
                self.instance,
                "CloudFormation-Validate::W9010",
                "A parameter that names the newest image would replace the host. Its id is kept, "
                "for each account, region and architecture.",
            )


def _image(ami: str | None, config: Config) -> ec2.IMachineImage:
    if ami is not None:
        return cast("ec2.IMachineImage", _Image(ami))
    return ec2.MachineImage.from_ssm_parameter(_LATEST.format(config.architecture))

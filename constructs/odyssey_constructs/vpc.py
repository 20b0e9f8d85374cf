"""A network: public and private subnets, the ways out of it, and a log of what flows."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import jsii
from aws_cdk import Annotations, ArnFormat, CustomResource, Duration, Stack, Tags
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam

from constructs import Construct
from odyssey_constructs.function import PythonFunction, answer_within
from odyssey_constructs.retention import log_group

if TYPE_CHECKING:
    from odyssey_constructs.address_plan import AddressPlan
    from odyssey_constructs.config import Config

PUBLIC, PRIVATE = "Public", "Private"
# A month has 730 hours in AWS's own estimates. Per hour, us-east-1: 0.045 USD the gateway ("Amazon
# VPC pricing", NAT Gateway) and 0.005 its address (Public IPv4 Address), 2026-11-21.
NAT_USD_A_MONTH = 730 * (0.045 + 0.005)


@jsii.implements(ec2.IIpAddresses)
class _Planned:
    """The CDK's way to be told which addresses each subnet has."""

    def __init__(self, plan: AddressPlan) -> None:
        self._plan = plan

    def allocate_vpc_cidr(self) -> ec2.VpcIpamOptions:
        return ec2.VpcIpamOptions(cidr_block=str(self._plan.vpc))

    def allocate_subnets_cidr(self, options: ec2.AllocateCidrRequest) -> ec2.SubnetIpamOptions:
        blocks = {PUBLIC: iter(self._plan.public), PRIVATE: iter(self._plan.private)}
        # By name, because the CDK decides the order, and asks for as many as there are zones.
        chosen = [next(blocks[each.configuration.name]) for each in options.requested_subnets]
        return ec2.SubnetIpamOptions(
            allocated_subnets=[ec2.AllocatedSubnet(cidr=str(each)) for each in chosen]
        )


class Vpc(Construct):
    """A VPC with a public and a private subnet in each zone, and nothing open.

    Its private subnets have no way to the internet unless `config.nat_gateway` pays for one; S3
    and DynamoDB they reach through gateway endpoints, which are free. All that is accepted or
    rejected is logged. Its default security group, which whatever names none gets, is closed.

    Args:
        scope: the parent.
        id: the name within the parent.
        config: the app's settings.
    """

    def __init__(self, scope: Construct, id: str, *, config: Config) -> None:
        super().__init__(scope, id)
        kind = ec2.SubnetType.PRIVATE_ISOLATED
        if config.nat_gateway:
            kind = ec2.SubnetType.PRIVATE_WITH_EGRESS
            Annotations.of(self).add_info(
                f"The NAT gateway costs {NAT_USD_A_MONTH:.2f} USD a month in us-east-1 even when "
                "idle, and 0.045 USD a GB. Without -c nat_gateway=true there is none."
            )
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=cast("ec2.IIpAddresses", _Planned(config.address_plan)),
            max_azs=config.vpc_zones,
            nat_gateways=1 if config.nat_gateway else 0,
            # Ours closes it; the CDK's would bring a Node function.
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name=PUBLIC,
                    subnet_type=ec2.SubnetType.PUBLIC,
                    # A public address is paid for and reachable: whoever wants one says so.
                    map_public_ip_on_launch=False,
                ),
                ec2.SubnetConfiguration(name=PRIVATE, subnet_type=kind),
            ],
        )
        self._name_subnets()
        for service in ("S3", "DynamoDB"):
            self.vpc.add_gateway_endpoint(
                service, service=getattr(ec2.GatewayVpcEndpointAwsService, service.upper())
            )
        self._log_flows(config)
        self._close_default_group(config)

    @property
    def private_subnets(self) -> list[ec2.ISubnet]:
        """Its private subnets, with a way out or without."""
        return self.vpc.private_subnets or self.vpc.isolated_subnets

    def _name_subnets(self) -> None:
        """Name what people see in lists, which would else have the names of constructs."""
        stack = Stack.of(self).stack_name
        Tags.of(self.vpc).add("Name", stack)
        for kind, subnets in (
            ("public", self.vpc.public_subnets),
            ("private", self.private_subnets),
        ):
            for number, subnet in enumerate(subnets, start=1):
                Tags.of(subnet).add("Name", f"{stack}/{kind}-{number}")

    def _log_flows(self, config: Config) -> None:
        logs = log_group(self, "Flows", config=config)
        role = iam.Role(
            self,
            "FlowLogRole",
            assumed_by=iam.ServicePrincipal(
                "vpc-flow-logs.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            ),
            description="The VPC writes its flow log",
        )
        self.vpc.add_flow_log(
            "FlowLog",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(logs, role),
            traffic_type=ec2.FlowLogTrafficType.ALL,
        )

    def _close_default_group(self, config: Config) -> None:
        """Take the two rules out of the default security group that each VPC begins with."""
        group = self.vpc.vpc_default_security_group
        closer = PythonFunction(
            self,
            "DefaultGroupCloser",
            handler="custom_resources.close_default_group",
            timeout=Duration.minutes(1),
            # Whoever deploys the stack waits for it and is told by CloudFormation.
            alarmed=False,
            config=config,
        )
        permission = iam.Policy(
            self,
            "MayClose",
            roles=[closer.role],
            statements=[
                iam.PolicyStatement(
                    actions=["ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress"],
                    resources=[
                        Stack.of(self).format_arn(
                            service="ec2",
                            resource="security-group",
                            resource_name=group,
                            arn_format=ArnFormat.SLASH_RESOURCE_NAME,
                        )
                    ],
                )
            ],
        )
        closed = CustomResource(
            self,
            "DefaultGroupClosed",
            resource_type="Custom::ClosedDefaultGroup",
            service_token=closer.function.function_arn,
            properties={"GroupId": group},
            service_timeout=answer_within(closer),
        )
        closed.node.add_dependency(closer.role, permission)

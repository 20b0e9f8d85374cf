"""Instances of small stacks, and the network that they are in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.local.templates import Stack

if TYPE_CHECKING:
    from odyssey_cli.target import Target

ARM, X86 = (
    f"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{architecture}"
    for architecture in ("arm64", "x86_64")
)
SUBNETS = {"Inner": "10.7.0.0/28", "Outer": "10.7.1.0/24"}
TRUST = {
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ]
}


def ref(name: str) -> dict[str, Any]:
    return {"Ref": name}


def resource(type: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{type}", "Properties": properties}


class Network:
    """A stack with a VPC of two subnets, two groups, a key pair and an instance profile."""

    def __init__(self, target: Target) -> None:
        self.stack = Stack(target)
        self.key = f"{self.stack.name}-key"
        vpc = resource("EC2::VPC", CidrBlock="10.7.0.0/16", EnableDnsHostnames=True)
        group = resource("EC2::SecurityGroup", GroupDescription="Some", VpcId=ref("Vpc"))
        subnets = {
            name: resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock=cidr)
            for name, cidr in SUBNETS.items()
        }
        subnets["Outer"]["Properties"]["MapPublicIpOnLaunch"] = True
        made = self.stack.create(
            Vpc=vpc,
            Group=group,
            Other=group,
            Key=resource("EC2::KeyPair", KeyName=self.key, KeyType="ed25519"),
            Role=resource("IAM::Role", AssumeRolePolicyDocument=TRUST),
            Profile=resource("IAM::InstanceProfile", Roles=[ref("Role")]),
            **subnets,
        )
        assert made == "CREATE_COMPLETE", self.stack.reasons()
        self.inner, self.outer, self.vpc, self.group, self.other, self.profile = map(
            self.stack.physical_id, ("Inner", "Outer", "Vpc", "Group", "Other", "Profile")
        )


class Hosts:
    """Instances of small stacks, and what there is of them."""

    def __init__(self, target: Target, network: Network) -> None:
        self.ec2, self.network = target.client("ec2"), network
        ssm = target.client("ssm")
        self.images = {
            name: ssm.get_parameter(Name=name)["Parameter"]["Value"] for name in (ARM, X86)
        }

    def host(self, **properties: Any) -> dict[str, Any]:
        """Return the resource of a host in the inner subnet, unless the properties say other."""
        given: dict[str, Any] = {"ImageId": self.images[ARM], "InstanceType": "t4g.nano"}
        if "NetworkInterfaces" not in properties:
            given |= {"SubnetId": self.network.inner, "SecurityGroupIds": [self.network.group]}
        return resource("EC2::Instance", **{**given, **properties})

    def one(self, id: str) -> dict[str, Any]:
        [reservation] = self.ec2.describe_instances(InstanceIds=[id])["Reservations"]
        [instance] = reservation["Instances"]
        return dict(instance)

    def interfaces(self) -> list[dict[str, Any]]:
        by_vpc = [{"Name": "vpc-id", "Values": [self.network.vpc]}]
        return list(self.ec2.describe_network_interfaces(Filters=by_vpc)["NetworkInterfaces"])

    def volumes(self, id: str) -> list[dict[str, Any]]:
        by_instance = [{"Name": "attachment.instance-id", "Values": [id]}]
        return list(self.ec2.describe_volumes(Filters=by_instance)["Volumes"])

    def credits(self, id: str) -> str:
        [found] = self.ec2.describe_instance_credit_specifications(InstanceIds=[id])[
            "InstanceCreditSpecifications"
        ]
        return str(found["CpuCredits"])

    def protected(self, id: str) -> bool:
        found = self.ec2.describe_instance_attribute(
            InstanceId=id, Attribute="disableApiTermination"
        )
        return bool(found["DisableApiTermination"]["Value"])


def tags(found: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}

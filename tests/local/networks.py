"""Resources of templates with a network, and what the EC2 API says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.local.templates import Stack

if TYPE_CHECKING:
    from odyssey_cli.target import Target


def ref(logical_id: str) -> dict[str, str]:
    return {"Ref": logical_id}


def attribute(logical_id: str, name: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [logical_id, name]}


def resource(type: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::EC2::{type}", "Properties": properties}


def tag(value: str) -> list[dict[str, str]]:
    return [{"Key": "purpose", "Value": value}]


VPC = resource("VPC", CidrBlock="10.1.0.0/16")
GATEWAY = resource("InternetGateway")
ATTACHMENT = resource("VPCGatewayAttachment", VpcId=ref("Vpc"), InternetGatewayId=ref("Gateway"))
ATTACHED = {"Vpc": VPC, "Gateway": GATEWAY, "Attachment": ATTACHMENT}


def subnet(cidr: str = "10.1.0.0/24", **properties: Any) -> dict[str, Any]:
    return resource("Subnet", VpcId=ref("Vpc"), CidrBlock=cidr, **properties)


def group(**properties: Any) -> dict[str, Any]:
    return resource("SecurityGroup", VpcId=ref("Vpc"), GroupDescription="tests", **properties)


def probe(value: Any) -> dict[str, Any]:
    """Return a resource that shows the value of something in a template."""
    properties = {"Type": "String", "Value": value}
    return {"Type": "AWS::SSM::Parameter", "Properties": properties}


class Network(Stack):
    """A stack, and the EC2 API to see what it made."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.ec2: Any = target.client("ec2")
        self.ssm = target.client("ssm")

    def shown(self, logical_id: str) -> str:
        """Return what a probe shows."""
        found = self.ssm.get_parameter(Name=self.physical_id(logical_id))
        return str(found["Parameter"]["Value"])

    def within(self) -> list[dict[str, Any]]:
        """Return the filter for what is in the stack's VPC."""
        return [{"Name": "vpc-id", "Values": [self.physical_id("Vpc")]}]

    def interfaces(self, subnet: str = "Subnet") -> list[dict[str, Any]]:
        """Return the network interfaces in one of the stack's subnets."""
        wanted = [{"Name": "subnet-id", "Values": [self.physical_id(subnet)]}]
        found: list[dict[str, Any]]
        found = self.ec2.describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]
        return found

    def own_tags(self, resource_id: str) -> dict[str, str]:
        """Return a resource's tags but for CloudFormation's own."""
        wanted = [{"Name": "resource-id", "Values": [resource_id]}]
        tags = self.ec2.describe_tags(Filters=wanted)["Tags"]
        return {each["Key"]: each["Value"] for each in tags if not each["Key"].startswith("aws:")}

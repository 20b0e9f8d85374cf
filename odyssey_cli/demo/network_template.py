"""The network that a template says, and the one that the EC2 API describes, in the same words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_ec2 import EC2Client
    from types_boto3_ec2.type_defs import IpPermissionOutputTypeDef

    from odyssey_cli.target import Target

Facts = set[str]


@dataclass
class Template:
    """A deployed template, and the id that each of its resources has got."""

    resources: dict[str, Any]
    parameters: dict[str, str]
    ids: dict[str, str]

    @classmethod
    def deployed(cls, target: Target, assembly: Path, stack: str) -> Template:
        """Read a template, and from CloudFormation what became of it."""
        text = (assembly / f"{stack}.template.json").read_text(encoding="utf-8")
        formation: CloudFormationClient = target.client("cloudformation")
        made = formation.describe_stack_resources(StackName=stack)["StackResources"]
        [described] = formation.describe_stacks(StackName=stack)["Stacks"]
        return cls(
            resources=json.loads(text)["Resources"],
            parameters={
                each["ParameterKey"]: each.get("ResolvedValue") or each["ParameterValue"]
                for each in described.get("Parameters", [])
            },
            ids={each["LogicalResourceId"]: each["PhysicalResourceId"] for each in made},
        )

    def of(self, type: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the id and the properties of each resource of an EC2 type."""
        for name, resource in self.resources.items():
            if resource["Type"] == f"AWS::EC2::{type}":
                yield self.ids[name], self._resolved(resource["Properties"])

    def _resolved(self, value: Any) -> Any:  # noqa: ANN401 - any JSON
        match value:
            case {"Ref": name} | {"Fn::GetAtt": [name, _]} if name in self.ids:
                return self.ids[name]
            case {"Ref": name} if name in self.parameters:
                return self.parameters[name]
            case dict():
                return {key: self._resolved(each) for key, each in value.items()}
            case list():
                return [self._resolved(each) for each in value]
        return value


def said(template: Template) -> Facts:
    """Return what a template says of its network."""
    facts = {f"vpc {name} {made['CidrBlock']}" for name, made in template.of("VPC")}
    facts |= {
        f"subnet {name} {made['CidrBlock']} public by default: {made['MapPublicIpOnLaunch']}"
        for name, made in template.of("Subnet")
    }
    for _, route in template.of("Route"):
        way = route.get("GatewayId") or route["NatGatewayId"]
        facts.add(f"route {route['RouteTableId']} {route['DestinationCidrBlock']} {way}")
    for name, endpoint in template.of("VPCEndpoint"):
        facts |= {f"endpoint {name} in {table}" for table in endpoint["RouteTableIds"]}
    for _, association in template.of("SubnetRouteTableAssociation"):
        facts.add(f"{association['SubnetId']} uses {association['RouteTableId']}")
    for name, group in template.of("SecurityGroup"):
        for direction in ("Ingress", "Egress"):
            for rule in group.get(f"SecurityGroup{direction}", []):
                facts.add(f"{name} {direction} {_port(rule)} {rule['CidrIp']}")
    for _, attachment in template.of("VPCGatewayAttachment"):
        facts.add(f"{attachment['InternetGatewayId']} on {attachment['VpcId']}")
    for _, log in template.of("FlowLog"):
        facts.add(f"flow log of {log['ResourceId']}: {log['TrafficType']}, {log['LogGroupName']}")
    for name, pair in template.of("KeyPair"):
        facts.add(f"key pair {name} {pair['KeyType']}")
    for name, host in template.of("Instance"):
        facts |= _said_of_host(name, host)
    return facts


def _said_of_host(name: str, host: dict[str, Any]) -> Facts:
    [interface] = host["NetworkInterfaces"]
    [device] = host["BlockDeviceMappings"]
    disk = device["Ebs"]
    return {
        f"host {name} {host['InstanceType']} {host['ImageId']} {host['KeyName']}",
        f"host {name} in {interface['SubnetId']} {interface['GroupSet']}",
        f"host {name} public: {interface['AssociatePublicIpAddress']}",
        f"host {name} has the role of {host['IamInstanceProfile']}",
        f"host {name} metadata tokens {host['MetadataOptions']['HttpTokens']}",
        f"host {name} disk {disk['VolumeType']} {disk['VolumeSize']} GiB",
        f"host {name} disk encrypted: {disk['Encrypted']}",
    }


def described(client: EC2Client, vpc: str) -> Facts:
    """Return what the EC2 API describes of a VPC, but for what every VPC has from the start."""
    within: Any = [{"Name": "vpc-id", "Values": [vpc]}]
    facts = {
        f"vpc {each['VpcId']} {each['CidrBlock']}"
        for each in client.describe_vpcs(VpcIds=[vpc])["Vpcs"]
    }
    facts |= {
        f"subnet {each['SubnetId']} {each['CidrBlock']} "
        f"public by default: {each['MapPublicIpOnLaunch']}"
        for each in client.describe_subnets(Filters=within)["Subnets"]
    }
    for table in client.describe_route_tables(Filters=within)["RouteTables"]:
        name = table["RouteTableId"]
        for route in table["Routes"]:
            way = route.get("GatewayId") or route.get("NatGatewayId", "")
            if "DestinationPrefixListId" in route:
                facts.add(f"endpoint {way} in {name}")
            elif way != "local":
                facts.add(f"route {name} {route['DestinationCidrBlock']} {way}")
        for association in table["Associations"]:
            if not association.get("Main"):
                facts.add(f"{association['SubnetId']} uses {name}")
    for group in client.describe_security_groups(Filters=within)["SecurityGroups"]:
        facts |= _rules(group["GroupId"], "Ingress", group["IpPermissions"])
        facts |= _rules(group["GroupId"], "Egress", group["IpPermissionsEgress"])
    attached: Any = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
    for gateway in client.describe_internet_gateways(Filters=attached)["InternetGateways"]:
        facts.add(f"{gateway['InternetGatewayId']} on {gateway['Attachments'][0]['VpcId']}")
    logged: Any = [{"Name": "resource-id", "Values": [vpc]}]
    for log in client.describe_flow_logs(Filters=logged)["FlowLogs"]:
        facts.add(f"flow log of {vpc}: {log['TrafficType']}, {log['LogGroupName']}")
    for reservation in client.describe_instances(Filters=within)["Reservations"]:
        for host in reservation["Instances"]:
            facts |= _described_of_host(client, host)
    return facts


def _described_of_host(client: EC2Client, host: Any) -> Facts:  # noqa: ANN401 - an InstanceTypeDef
    name = host["InstanceId"]
    groups = [each["GroupId"] for each in host["SecurityGroups"]]
    profile = host["IamInstanceProfile"]["Arn"].rpartition("/")[2]
    volumes = [each["Ebs"]["VolumeId"] for each in host["BlockDeviceMappings"]]
    [disk] = client.describe_volumes(VolumeIds=volumes)["Volumes"]
    pairs = client.describe_key_pairs(KeyNames=[host["KeyName"]])["KeyPairs"]
    return {f"key pair {each['KeyName']} {each['KeyType']}" for each in pairs} | {
        f"host {name} {host['InstanceType']} {host['ImageId']} {host['KeyName']}",
        f"host {name} in {host['SubnetId']} {groups}",
        f"host {name} public: {bool(host.get('PublicIpAddress'))}",
        f"host {name} has the role of {profile}",
        f"host {name} metadata tokens {host['MetadataOptions']['HttpTokens']}",
        f"host {name} disk {disk['VolumeType']} {disk['Size']} GiB",
        f"host {name} disk encrypted: {disk['Encrypted']}",
    }


def _rules(group: str, direction: str, permissions: list[IpPermissionOutputTypeDef]) -> Facts:
    found = set()
    for permission in permissions:
        peers = [block["CidrIp"] for block in permission.get("IpRanges", [])]
        peers += [pair["GroupId"] for pair in permission.get("UserIdGroupPairs", [])]
        found |= {f"{group} {direction} {_port(permission)} {peer}" for peer in peers}
    return found


def _port(rule: Any) -> str:  # noqa: ANN401 - of a template or of the API, which agree here
    return f"{rule['IpProtocol']} {rule.get('FromPort')}-{rule.get('ToPort')}"

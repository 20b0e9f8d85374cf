"""VPCs, subnets and internet gateways: ranges that fit, and nothing lost that is in use.

MiniStack takes any range for a VPC or a subnet, deletes subnets, gateways and VPCs under what
still needs them, and lacks some of their attributes in templates.

- AWS::EC2::VPC, AWS::EC2::Subnet, AWS::EC2::InternetGateway, AWS::EC2::VPCGatewayAttachment
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-vpc.html
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-subnet.html
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-vpcgatewayattachment.html
- DeleteVpc ("you must detach or delete all gateways and resources that are associated with the
  VPC"), DeleteSubnet, DetachInternetGateway ("must not contain any running instances with
  Elastic IP addresses or public IPv4 addresses"), DeleteInternetGateway
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpc.html
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DetachInternetGateway.html
- "VPC CIDR blocks", "Subnet CIDR blocks" (/16 to /28)
  https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
  https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
read 2026-11-21. Not in it: IPv6, secondary ranges and IPAM.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from local_cloud import ec2_answers as answers
from local_cloud import ec2_calls, network_acls, network_interfaces, security_groups
from local_cloud.ec2_answers import Parameters, Refusal
from local_cloud.ec2_calls import EC2, FORMATION, Made, Properties, Record
from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Callable

_VPCS = Hook(EC2, "_vpcs")
_SUBNETS = Hook(EC2, "_subnets")
_GATEWAYS = Hook(EC2, "_internet_gateways")
_TABLES = Hook(EC2, "_route_tables")
_ACLS = Hook(EC2, "_network_acls")
_INTERFACES = Hook(EC2, "_network_interfaces")
_ADDRESSES = Hook(EC2, "_addresses")
_ENDPOINTS = Hook(EC2, "_vpc_endpoints")
_GROUPS = Hook(EC2, "_security_groups")
_DELETE_VPC = Hook(EC2, "_delete_vpc", ("p",))
_SUBNET_FIELDS = Hook(EC2, "_subnet_fields_xml", ("subnet", "tag"))
_HANDLERS = Hook(FORMATION, "_RESOURCE_HANDLERS")
_REPLACING = Hook(FORMATION, "_REPLACING_PROPERTIES")
HOOKS = (
    _VPCS,
    _SUBNETS,
    _GATEWAYS,
    _TABLES,
    _ACLS,
    _INTERFACES,
    _ADDRESSES,
    _ENDPOINTS,
    _GROUPS,
    _DELETE_VPC,
    _SUBNET_FIELDS,
    _HANDLERS,
    _REPLACING,
)

_VPC = "AWS::EC2::VPC"
_SUBNET = "AWS::EC2::Subnet"
_GATEWAY = "AWS::EC2::InternetGateway"
_ATTACHMENT = "AWS::EC2::VPCGatewayAttachment"
_LARGEST, _SMALLEST = 16, 28
_VPC_MISSING = ("InvalidVpcID.NotFound", "vpc")
_GATEWAY_MISSING = ("InvalidInternetGatewayID.NotFound", "internetGateway")


def _range(kind: str, cidr: str) -> ipaddress.IPv4Network:
    """Read a range that a VPC or a subnet may have; raises Refusal for another."""
    try:
        network = ipaddress.IPv4Network(cidr)
    except ValueError:
        raise Refusal(
            "InvalidParameterValue",
            f"Value ({cidr}) for parameter cidrBlock is invalid. This is not a valid CIDR block.",
        ) from None
    if not _LARGEST <= network.prefixlen <= _SMALLEST:
        raise Refusal(f"Invalid{kind}.Range", f"The CIDR '{cidr}' is invalid.")
    return network


def check_subnet(vpc_id: str, cidr: str) -> None:
    """Refuse a subnet outside of its VPC's range, or over another subnet."""
    vpc = ec2_calls.known(find(_VPCS), vpc_id, *_VPC_MISSING)
    network = _range("Subnet", cidr)
    if not network.subnet_of(ipaddress.IPv4Network(vpc["CidrBlock"])):
        raise Refusal("InvalidSubnet.Range", f"The CIDR '{cidr}' is invalid.")
    for other in find(_SUBNETS).values():
        if other["VpcId"] == vpc_id and network.overlaps(ipaddress.IPv4Network(other["CidrBlock"])):
            raise Refusal(
                "InvalidSubnet.Conflict", f"The CIDR '{cidr}' conflicts with another subnet"
            )


def check_vpc_free(id: str) -> None:
    """Refuse to delete a VPC that has more than what it came with."""
    vpc = ec2_calls.known(find(_VPCS), id, *_VPC_MISSING)
    own = (vpc["DefaultNetworkAclId"], vpc["MainRouteTableId"], vpc["DefaultSecurityGroupId"])
    stores = (_SUBNETS, _TABLES, _ACLS, _GROUPS, _INTERFACES, _ENDPOINTS)
    of_vpc = [
        each
        for store in stores
        for each, record in find(store).items()
        if record["VpcId"] == id and each not in own
    ]
    attached = any(
        attachment["VpcId"] == id
        for gateway in find(_GATEWAYS).values()
        for attachment in gateway["Attachments"]
    )
    if of_vpc or attached:
        raise ec2_calls.in_use("vpc", id)


def check_subnet_free(id: str) -> None:
    """Refuse to delete a subnet that something is in."""
    network_interfaces.subnet_of(id)
    if network_interfaces.users_of_subnet(id):
        raise ec2_calls.in_use("subnet", id)


def check_gateway_free(id: str) -> None:
    """Refuse to delete an internet gateway that is attached."""
    if ec2_calls.known(find(_GATEWAYS), id, *_GATEWAY_MISSING)["Attachments"]:
        raise ec2_calls.in_use("internetGateway", id)


def check_attachable(gateway_id: str, vpc_id: str) -> None:
    """Refuse a second VPC for a gateway, and a second gateway for a VPC."""
    gateway = ec2_calls.known(find(_GATEWAYS), gateway_id, *_GATEWAY_MISSING)
    ec2_calls.known(find(_VPCS), vpc_id, *_VPC_MISSING)
    if gateway["Attachments"]:
        raise Refusal(
            "Resource.AlreadyAssociated",
            f"resource {gateway_id} is already attached to network "
            f"{gateway['Attachments'][0]['VpcId']}",
        )
    attached = [
        each["VpcId"] for other in find(_GATEWAYS).values() for each in other["Attachments"]
    ]
    if vpc_id in attached:
        raise Refusal(
            "InvalidParameterValue",
            f"Network {vpc_id} already has an internet gateway attached",
        )


def check_detachable(gateway_id: str, vpc_id: str) -> None:
    """Refuse to detach a gateway that public addresses of the VPC are reached by."""
    gateway = ec2_calls.known(find(_GATEWAYS), gateway_id, *_GATEWAY_MISSING)
    if vpc_id not in [each["VpcId"] for each in gateway["Attachments"]]:
        raise Refusal(
            "Gateway.NotAttached", f"resource {gateway_id} is not attached to network {vpc_id}"
        )
    elastic = {each["NetworkInterfaceId"] for each in find(_ADDRESSES).values()}
    for interface in find(_INTERFACES).values():
        mapped = interface["NetworkInterfaceId"] in elastic or interface.get("AutoPublicIp")
        if interface["VpcId"] == vpc_id and mapped:
            raise Refusal(
                "DependencyViolation",
                f"Network {vpc_id} has some mapped public address(es). Please unmap those public "
                "address(es) before detaching the gateway.",
            )


def _check_new_vpc(parameters: Parameters) -> None:
    _range("Vpc", answers.first(parameters, "CidrBlock"))


def _check_new_subnet(parameters: Parameters) -> None:
    check_subnet(answers.first(parameters, "VpcId"), answers.first(parameters, "CidrBlock"))


def _check_attach(parameters: Parameters) -> None:
    check_attachable(
        answers.first(parameters, "InternetGatewayId"), answers.first(parameters, "VpcId")
    )


def _check_detach(parameters: Parameters) -> None:
    check_detachable(
        answers.first(parameters, "InternetGatewayId"), answers.first(parameters, "VpcId")
    )


def _of(check: Callable[[str], None], name: str) -> Callable[[Parameters], None]:
    return lambda parameters: check(answers.first(parameters, name))


def _complete_default_groups() -> None:
    """Let the members of new VPCs' default groups in."""
    for vpc in find(_VPCS).values():
        group = find(_GROUPS).get(vpc["DefaultSecurityGroupId"])
        if group and not vpc.get("DefaultGroupIsComplete"):
            vpc["DefaultGroupIsComplete"] = True
            if not group["IpPermissions"]:
                security_groups.let_members_in(group)


def _with_free_addresses(write: Callable[..., str]) -> Callable[..., str]:
    def written(subnet: Record, tag: str = "item") -> str:
        free = network_interfaces.free_addresses(subnet)
        return write({**subnet, "AvailableIpAddressCount": free}, tag=tag)

    return written


def _vpc_attributes(id: str) -> Record:
    vpc = find(_VPCS)[id]
    return {
        "VpcId": id,
        "CidrBlock": vpc["CidrBlock"],
        "CidrBlockAssociations": [f"vpc-cidr-assoc-{id[4:]}"],
        "DefaultNetworkAcl": vpc["DefaultNetworkAclId"],
        "DefaultSecurityGroup": vpc["DefaultSecurityGroupId"],
        "Ipv6CidrBlocks": [],
    }


def _subnet_attributes(id: str) -> Record:
    subnet = find(_SUBNETS)[id]
    return {
        "AvailabilityZone": subnet["AvailabilityZone"],
        "AvailabilityZoneId": subnet["AvailabilityZoneId"],
        "CidrBlock": subnet["CidrBlock"],
        "Ipv6CidrBlocks": [],
        "NetworkAclAssociationId": network_acls.association_of(id)["NetworkAclAssociationId"],
        "SubnetId": id,
        "VpcId": subnet["VpcId"],
    }


def _attachment_attributes(id: str) -> Record:
    return {"AttachmentType": id.partition("|")[0]}


def _create_vpc(then: Callable[..., Made]) -> Callable[..., Made]:
    def create(logical_id: str, properties: Properties, stack: str) -> Made:
        ec2_calls.refuse(properties, "Ipv4IpamPoolId", "Ipv4NetmaskLength")
        _range("Vpc", properties.get("CidrBlock", ""))
        vpc_id, _ = then(logical_id, properties, stack)
        _complete_default_groups()
        return vpc_id, _vpc_attributes(vpc_id)

    return create


def _create_subnet(then: Callable[..., Made]) -> Callable[..., Made]:
    def create(logical_id: str, properties: Properties, stack: str) -> Made:
        ec2_calls.refuse(properties, "Ipv4IpamPoolId", "Ipv6CidrBlock", "Ipv6Native", "OutpostArn")
        check_subnet(properties["VpcId"], properties.get("CidrBlock", ""))
        subnet_id, _ = then(logical_id, properties, stack)
        return subnet_id, _subnet_attributes(subnet_id)

    return create


def _update(then: Callable[..., Made], attributes: Callable[[str], Record]) -> Callable[..., Made]:
    def update(*arguments: Any) -> Made:  # noqa: ANN401 -- MiniStack's
        made_id, _ = then(*arguments)
        return made_id, attributes(made_id)

    return update


def _delete(
    then: Callable[..., None], check: Callable[[str], None], store: Hook
) -> Callable[[str, Properties], None]:
    def delete(id: str, properties: Properties) -> None:
        if id in find(store):
            check(id)
            then(id, properties)

    return delete


def _create_attachment(then: Callable[..., Made]) -> Callable[..., Made]:
    def create(logical_id: str, properties: Properties, stack: str) -> Made:
        if gateway := properties.get("InternetGatewayId"):
            check_attachable(gateway, properties["VpcId"])
        made_id, _ = then(logical_id, properties, stack)
        return made_id, _attachment_attributes(made_id)

    return create


def _delete_attachment(then: Callable[..., None]) -> Callable[[str, Properties], None]:
    def delete(id: str, properties: Properties) -> None:
        gateway = find(_GATEWAYS).get(properties.get("InternetGatewayId", ""))
        if gateway and gateway["Attachments"]:
            check_detachable(gateway["InternetGatewayId"], properties["VpcId"])
        then(id, properties)

    return delete


def _around(type: str, **made: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put what is made of MiniStack's handlers in their places."""
    handlers = find(_HANDLERS)[type]
    for doing, make in made.items():
        handlers[doing] = ec2_calls.told(type, doing, make(handlers[doing]))


def install() -> None:
    """Put the rules around MiniStack's calls and types."""
    answers.guard("CreateVpc", _check_new_vpc)
    answers.guard("CreateSubnet", _check_new_subnet)
    answers.guard("DeleteVpc", _of(check_vpc_free, "VpcId"))
    answers.guard("DeleteSubnet", _of(check_subnet_free, "SubnetId"))
    answers.guard("DeleteInternetGateway", _of(check_gateway_free, "InternetGatewayId"))
    answers.guard("AttachInternetGateway", _check_attach)
    answers.guard("DetachInternetGateway", _check_detach)
    for action in ("CreateVpc", "CreateDefaultVpc"):
        ec2_calls.afterwards(action, _complete_default_groups)
    _SUBNET_FIELDS.replace(_with_free_addresses)
    _around(
        _VPC,
        create=_create_vpc,
        update=lambda then: _update(then, _vpc_attributes),
        delete=lambda then: _delete(then, check_vpc_free, _VPCS),
    )
    _around(
        _SUBNET,
        create=_create_subnet,
        update=lambda then: _update(then, _subnet_attributes),
        delete=lambda then: _delete(then, check_subnet_free, _SUBNETS),
    )
    _around(_GATEWAY, delete=lambda then: _delete(then, check_gateway_free, _GATEWAYS))
    _around(
        _ATTACHMENT,
        create=_create_attachment,
        update=lambda then: _update(then, _attachment_attributes),
        delete=_delete_attachment,
    )
    find(_REPLACING)[_VPC] = ("CidrBlock", "Ipv4IpamPoolId", "Ipv4NetmaskLength")
    find(_REPLACING)[_SUBNET] = ("AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "VpcId")
    find(_REPLACING)[_ATTACHMENT] = ("VpcId",)

"""Network interfaces: those that services keep in a subnet, and how all of them are described.

A NAT gateway, an endpoint or the like has an interface in its subnet, which takes an address of
the subnet, keeps the subnet and the interface's security groups from being deleted, and goes when
its owner goes. MiniStack has interfaces only for those who create them by hand.

- DescribeNetworkInterfaces, NetworkInterface
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInterface.html
- "Requester-managed network interfaces"
  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/requester-managed-eni.html
- "Subnet CIDR blocks" (the first four addresses and the last are AWS's)
  https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
read 2026-11-21.
"""

from __future__ import annotations

import ipaddress
import secrets
from typing import TYPE_CHECKING

from local_cloud import ec2_answers, ec2_calls, instance_addresses
from local_cloud.ec2_answers import Parameters, Refusal
from local_cloud.ec2_calls import EC2, Record
from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_INTERFACES = Hook(EC2, "_network_interfaces")
_INSTANCES = Hook(EC2, "_instances")
_SUBNETS = Hook(EC2, "_subnets")
_GROUPS = Hook(EC2, "_security_groups")
_VPCS = Hook(EC2, "_vpcs")
HOOKS = (_INTERFACES, _INSTANCES, _SUBNETS, _GROUPS, _VPCS)

_RESERVED_AT_START = 4
_RESERVED = 5


def add(
    subnet_id: str,
    *,
    kind: str,
    description: str,
    groups: Iterable[str] = (),
    private_ip: str | None = None,
    checked: bool = True,
) -> Record:
    """Put an interface that a service manages into a subnet.

    Args:
        subnet_id: The subnet; raises Refusal when there is none.
        kind: The interface's type, such as `nat_gateway`.
        description: What DescribeNetworkInterfaces says of it.
        groups: Ids of its security groups.
        private_ip: The address it must have; any free one if None.
        checked: Whether its source and destination are checked.
    """
    record = _record(
        subnet_of(subnet_id),
        kind=kind,
        description=description,
        groups=groups,
        private_ip=private_ip,
    )
    record |= {
        "Status": "in-use",
        "SourceDestCheck": checked,
        "RequesterManaged": True,
        "Attachment": {
            "AttachmentId": ec2_calls.new_id("ela-attach"),
            "InstanceOwnerId": "amazon-aws",
            "DeviceIndex": 1,
            "Status": "attached",
            "AttachTime": ec2_calls.now(),
            "DeleteOnTermination": False,
        },
    }
    return record


def _record(
    subnet: Record, *, kind: str, description: str, groups: Iterable[str], private_ip: str | None
) -> Record:
    interface_id = ec2_calls.new_id("eni")
    record = {
        "NetworkInterfaceId": interface_id,
        "SubnetId": subnet["SubnetId"],
        "VpcId": subnet["VpcId"],
        "AvailabilityZone": subnet["AvailabilityZone"],
        "Description": description,
        "OwnerId": ec2_calls.account(),
        "Status": "available",
        "PrivateIpAddress": free_address(subnet, private_ip),
        "InterfaceType": kind,
        "SourceDestCheck": True,
        "MacAddress": "0a:" + secrets.token_bytes(5).hex(":"),
        "Groups": [group_fields(group) for group in groups],
        "Attachment": None,
    }
    find(_INTERFACES)[interface_id] = record
    return record


def remove(id: str) -> None:
    """Take a service's interface away with its owner."""
    find(_INTERFACES).pop(id, None)
    ec2_answers.untag(id)


def subnet_of(id: str) -> Record:
    """Return a subnet; raises Refusal when there is none."""
    return ec2_calls.known(find(_SUBNETS), id, "InvalidSubnetID.NotFound", "subnet")


def group_fields(id: str) -> Record:
    """Return a security group as an interface has it; raises Refusal when there is none."""
    group = find(_GROUPS).get(id)
    if group is None:
        raise Refusal("InvalidGroup.NotFound", f"The security group '{id}' does not exist")
    return {"GroupId": id, "GroupName": group["GroupName"]}


def default_group(vpc_id: str) -> str:
    """Return the security group of what is given none."""
    return str(find(_VPCS)[vpc_id]["DefaultSecurityGroupId"])


def free_address(subnet: Record, wanted: str | None = None) -> str:
    """Return an address of the subnet that nothing has; raises Refusal when there is none."""
    network = ipaddress.ip_network(subnet["CidrBlock"])
    taken = set(_addresses_in(subnet["SubnetId"]))
    if wanted:
        if ipaddress.ip_address(wanted) not in network:
            raise Refusal(
                "InvalidParameterValue", f"Address {wanted} does not fall within the subnet's range"
            )
        if wanted in taken:
            raise Refusal("InvalidIPAddress.InUse", f"Address {wanted} is in use.")
        return wanted
    for offset in range(_RESERVED_AT_START, network.num_addresses - 1):
        address = str(network[offset])
        if address not in taken:
            return address
    raise Refusal(
        "InsufficientFreeAddressesInSubnet",
        f"There are not enough free addresses in subnet '{subnet['SubnetId']}'.",
    )


def free_addresses(subnet: Record) -> int:
    """Count what DescribeSubnets calls AvailableIpAddressCount."""
    network = ipaddress.ip_network(subnet["CidrBlock"])
    return network.num_addresses - _RESERVED - len(set(_addresses_in(subnet["SubnetId"])))


def _addresses_in(subnet_id: str) -> Iterator[str]:
    for interface in find(_INTERFACES).values():
        if interface["SubnetId"] == subnet_id:
            yield interface["PrivateIpAddress"]
    for instance in running():
        if instance["SubnetId"] == subnet_id:
            yield instance["PrivateIpAddress"]


def running() -> list[Record]:
    """Return the instances that are not terminated: these have addresses and groups."""
    return [each for each in find(_INSTANCES).values() if each["State"]["Name"] != "terminated"]


def users_of_subnet(id: str) -> bool:
    """Say whether an interface or an instance is in a subnet."""
    everything = [*find(_INTERFACES).values(), *running()]
    return any(each["SubnetId"] == id for each in everything)


def users_of_group(id: str) -> bool:
    """Say whether an interface or an instance has a security group."""
    groups = [interface["Groups"] for interface in find(_INTERFACES).values()]
    groups += [instance["SecurityGroups"] for instance in running()]
    return any(group["GroupId"] == id for each in groups for group in each)


def fields(interface: Record) -> Record:
    """Return an interface as DescribeNetworkInterfaces answers it."""
    address = instance_addresses.association(interface)
    private = interface["PrivateIpAddress"]
    return {
        "networkInterfaceId": interface["NetworkInterfaceId"],
        "subnetId": interface["SubnetId"],
        "vpcId": interface["VpcId"],
        "availabilityZone": interface["AvailabilityZone"],
        "description": interface["Description"],
        "ownerId": interface["OwnerId"],
        "requesterManaged": bool(interface.get("RequesterManaged")),
        "status": interface["Status"],
        "macAddress": interface["MacAddress"],
        "privateIpAddress": private,
        "privateDnsName": instance_addresses.private_name(private),
        "sourceDestCheck": interface.get("SourceDestCheck", True),
        "interfaceType": interface.get("InterfaceType", "interface"),
        "groupSet": [
            {"groupId": group["GroupId"], "groupName": group["GroupName"]}
            for group in interface["Groups"]
        ],
        "attachment": _attachment(interface.get("Attachment")),
        "association": address,
        "privateIpAddressesSet": [
            {"privateIpAddress": private, "primary": True, "association": address}
        ],
        "tagSet": ec2_answers.tag_set(interface["NetworkInterfaceId"]),
    }


def _attachment(attachment: Record | None) -> Record | None:
    if not attachment:
        return None
    return {
        "attachmentId": attachment["AttachmentId"],
        "instanceId": attachment.get("InstanceId"),
        "instanceOwnerId": attachment.get("InstanceOwnerId") or ec2_calls.account(),
        "deviceIndex": attachment.get("DeviceIndex", 0),
        "status": attachment.get("Status", "attached"),
        "attachTime": attachment.get("AttachTime"),
        "deleteOnTermination": bool(attachment.get("DeleteOnTermination")),
    }


def _values(interface: Record) -> dict[str, list[str]]:
    """Return what an interface has, by the name of the filter."""
    groups = interface["Groups"]
    attachment = interface.get("Attachment") or {}
    address = instance_addresses.association(interface) or {}
    return {
        "addresses.private-ip-address": [interface["PrivateIpAddress"]],
        "association.allocation-id": [address.get("allocationId", "")],
        "association.public-ip": [address.get("publicIp", "")],
        "attachment.instance-id": [attachment.get("InstanceId") or ""],
        "attachment.status": [attachment.get("Status", "detached")],
        "availability-zone": [interface["AvailabilityZone"]],
        "description": [interface["Description"]],
        "group-id": [group["GroupId"] for group in groups],
        "group-name": [group["GroupName"] for group in groups],
        "interface-type": [interface.get("InterfaceType", "interface")],
        "network-interface-id": [interface["NetworkInterfaceId"]],
        "owner-id": [interface["OwnerId"]],
        "private-ip-address": [interface["PrivateIpAddress"]],
        "requester-managed": [str(bool(interface.get("RequesterManaged"))).lower()],
        "status": [interface["Status"]],
        "subnet-id": [interface["SubnetId"]],
        "vpc-id": [interface["VpcId"]],
    }


def _describe(parameters: Parameters) -> str:
    missing = ("InvalidNetworkInterfaceID.NotFound", "networkInterface")
    chosen = ec2_calls.asked_for(
        find(_INTERFACES), parameters, "NetworkInterfaceId", missing, _values
    )
    return ec2_answers.xml("networkInterfaceSet", [fields(each) for each in chosen])


def _create(parameters: Parameters) -> str:
    """Make an interface for whoever asks: MiniStack's has no address of the subnet."""
    subnet = subnet_of(ec2_answers.first(parameters, "SubnetId"))
    groups = ec2_answers.members(parameters, "SecurityGroupId")
    record = _record(
        subnet,
        kind=ec2_answers.first(parameters, "InterfaceType") or "interface",
        description=ec2_answers.first(parameters, "Description"),
        groups=groups or [default_group(subnet["VpcId"])],
        private_ip=ec2_answers.first(parameters, "PrivateIpAddress") or None,
    )
    ec2_calls.set_tags(record["NetworkInterfaceId"], parameters, "network-interface")
    return ec2_answers.xml("networkInterface", fields(record))


def _may_delete(parameters: Parameters) -> None:
    named = ec2_answers.first(parameters, "NetworkInterfaceId")
    interface = find(_INTERFACES).get(named)
    if interface and interface["Status"] == "in-use":
        raise Refusal("InvalidParameterValue", f"Network interface '{named}' is currently in use.")


def install() -> None:
    """Make and describe interfaces in full, and keep those in use."""
    ec2_answers.answer("DescribeNetworkInterfaces", _describe)
    ec2_answers.answer("CreateNetworkInterface", _create)
    ec2_answers.guard("DeleteNetworkInterface", _may_delete)

"""The network interfaces of instances, which come and go with them.

- "Amazon EC2 instance IP addressing" (who gets a public address)
  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-instance-addressing.html
- AWS::EC2::Instance NetworkInterface
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-ec2-instance-networkinterface.html
read 2026-11-21. Not made: IPv6, and instances with an interface that was there before.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from local_cloud import ec2_answers as answers
from local_cloud import ec2_calls, instance_addresses, network_interfaces
from local_cloud.ec2_answers import Refusal
from local_cloud.ec2_calls import EC2, Record, yes
from local_cloud.ground import Hook, find

_INTERFACES = Hook(EC2, "_network_interfaces")
_SUBNETS = Hook(EC2, "_subnets")
_GROUPS = Hook(EC2, "_security_groups")
_ADDRESSES = Hook(EC2, "_addresses")
_ENSURE = Hook(EC2, "_ensure_defaults_initialized", ())
HOOKS = (_INTERFACES, _SUBNETS, _GROUPS, _ADDRESSES, _ENSURE)

_AT_INSTANCE_LEVEL = {
    "SubnetId": "subnet ID",
    "SecurityGroupIds": "security groups",
    "SecurityGroups": "security groups",
    "PrivateIpAddress": "private IP address",
}

Properties = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """An interface that an instance will have.

    Attributes:
        index: the device index.
        subnet: the subnet's record.
        groups: the security groups' ids.
        address: the private address that is asked for, None for any.
        public: whether it gets a public address.
        description: the template's.
        goes: whether it is deleted with the instance.
    """

    index: int
    subnet: Record
    groups: list[str]
    address: str | None
    public: bool
    description: str
    goes: bool


def plan(wanted: Properties) -> list[Plan]:
    """Return the interfaces of an instance with these properties, by device index.

    Raises:
        Refusal: A subnet or group does not exist, or they do not go together.
    """
    find(_ENSURE)()
    given = wanted.get("NetworkInterfaces") or []
    for name, what in _AT_INSTANCE_LEVEL.items():
        if given and wanted.get(name):
            raise Refusal(
                "InvalidParameterCombination",
                f"Network interfaces and an instance-level {what} may not be specified on the "
                "same request",
            )
    if not given:
        given = [{name: wanted[name] for name in _AT_INSTANCE_LEVEL if name in wanted}]
    zone = wanted.get("AvailabilityZone")
    plans = [_plan(each, number, zone) for number, each in enumerate(given)]
    return sorted(plans, key=lambda each: each.index)


def _plan(given: Properties, number: int, zone: str | None) -> Plan:
    ec2_calls.refuse(given, "NetworkInterfaceId", "Ipv6Addresses", "Ipv6AddressCount")
    subnet = _subnet(given.get("SubnetId"), zone)
    index = int(given.get("DeviceIndex", number))
    # The subnet's setting is for the primary interface only.
    by_default = subnet.get("MapPublicIpOnLaunch", False) and index == 0
    return Plan(
        index=index,
        subnet=subnet,
        groups=_groups(given, subnet),
        address=given.get("PrivateIpAddress"),
        public=yes(given.get("AssociatePublicIpAddress", by_default)),
        description=str(given.get("Description", "")),
        goes=yes(given.get("DeleteOnTermination", True)),
    )


def _subnet(id: str | None, zone: str | None) -> Record:
    if id is None:
        return _default_subnet(zone)
    subnet = network_interfaces.subnet_of(id)
    if zone not in (None, subnet["AvailabilityZone"]):
        raise Refusal(
            "InvalidParameterValue",
            f"Value ({zone}) for parameter availabilityZone is invalid. Subnet '{id}' is in the "
            f"availability zone {subnet['AvailabilityZone']}",
        )
    return subnet


def _default_subnet(zone: str | None) -> Record:
    for subnet in find(_SUBNETS).values():
        if subnet.get("DefaultForAz") and zone in (None, subnet["AvailabilityZone"]):
            found: Record = subnet
            return found
    raise Refusal("MissingInput", "No subnets found for the default VPC. Please specify a subnet.")


def _groups(given: Properties, subnet: Record) -> list[str]:
    ids = [*(given.get("GroupSet") or given.get("Groups") or given.get("SecurityGroupIds") or [])]
    ids += [_by_name(name, subnet["VpcId"]) for name in given.get("SecurityGroups") or []]
    check_groups(ids, subnet["VpcId"], f"subnet {subnet['SubnetId']}")
    return ids or [network_interfaces.default_group(subnet["VpcId"])]


def _by_name(name: str, vpc_id: str) -> str:
    for group_id, group in find(_GROUPS).items():
        if (group["GroupName"], group["VpcId"]) == (name, vpc_id):
            return str(group_id)
    raise Refusal("InvalidGroup.NotFound", f"The security group '{name}' does not exist")


def check_groups(ids: list[str], vpc_id: str, where: str) -> None:
    """Refuse groups that do not exist, or are not in the VPC of `where`."""
    for group_id in ids:
        network_interfaces.group_fields(group_id)
        if find(_GROUPS)[group_id]["VpcId"] != vpc_id:
            raise Refusal(
                "InvalidParameter",
                f"Security group {group_id} and {where} belong to different networks.",
            )


def attach(planned: Plan, instance_id: str) -> Record:
    """Make an interface and attach it to an instance; raises Refusal if it gets no address."""
    interface_id = ec2_calls.new_id("eni")
    address = network_interfaces.free_address(planned.subnet, planned.address)
    record = {
        "NetworkInterfaceId": interface_id,
        "SubnetId": planned.subnet["SubnetId"],
        "VpcId": planned.subnet["VpcId"],
        "AvailabilityZone": planned.subnet["AvailabilityZone"],
        "Description": planned.description,
        "OwnerId": ec2_calls.account(),
        "Status": "in-use",
        "PrivateIpAddress": address,
        "PrivateDnsName": instance_addresses.private_name(address),
        "InterfaceType": "interface",
        "SourceDestCheck": True,
        "MacAddress": "0e:" + secrets.token_bytes(5).hex(":"),
        "Groups": [network_interfaces.group_fields(group) for group in planned.groups],
        "Attachment": {
            "AttachmentId": ec2_calls.new_id("eni-attach"),
            "InstanceId": instance_id,
            "InstanceOwnerId": ec2_calls.account(),
            "DeviceIndex": planned.index,
            "Status": "attached",
            "AttachTime": ec2_calls.now(),
            "DeleteOnTermination": planned.goes,
        },
    }
    if planned.public:
        instance_addresses.renew(record)
    find(_INTERFACES)[interface_id] = record
    return record


def of_instance(instance_id: str) -> list[Record]:
    """Return an instance's interfaces, the primary first."""
    attached = [
        each
        for each in find(_INTERFACES).values()
        if (each.get("Attachment") or {}).get("InstanceId") == instance_id
    ]
    return sorted(attached, key=lambda each: int(each["Attachment"].get("DeviceIndex", 0)))


def release(instance_id: str) -> None:
    """Let go of the interfaces and Elastic IPs of an instance that is terminated."""
    interfaces = of_instance(instance_id)
    ids = {each["NetworkInterfaceId"] for each in interfaces}
    for address in find(_ADDRESSES).values():
        if address.get("InstanceId") == instance_id or address.get("NetworkInterfaceId") in ids:
            for name in ("AssociationId", "InstanceId", "NetworkInterfaceId", "PrivateIpAddress"):
                address[name] = None
    for interface in interfaces:
        if interface["Attachment"].get("DeleteOnTermination", True):
            del find(_INTERFACES)[interface["NetworkInterfaceId"]]
            answers.untag(interface["NetworkInterfaceId"])
        else:
            interface.pop(instance_addresses.GIVEN, None)
            interface |= {"Attachment": None, "Status": "available"}


def set_groups(interface: Record, ids: list[str]) -> None:
    """Give an interface these security groups; the VPC's default one when there are none."""
    ids = ids or [network_interfaces.default_group(interface["VpcId"])]
    interface["Groups"] = [network_interfaces.group_fields(group_id) for group_id in ids]

"""Elastic IP addresses: what they are associated with, and their types in templates.

- AWS::EC2::EIP (`Ref` is the address), AWS::EC2::EIPAssociation
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-eip.html
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-eipassociation.html
- AssociateAddress, ReleaseAddress ("you must disassociate it first"), DescribeAddresses
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateAddress.html
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReleaseAddress.html
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Address.html
read 2026-11-21. Not in it: address pools of one's own and the transfer between accounts.
"""

from __future__ import annotations

import secrets
from typing import Any

from local_cloud import ec2_answers as answers
from local_cloud import ec2_calls
from local_cloud.ec2_answers import Parameters, Refusal
from local_cloud.ec2_calls import EC2, Made, Properties, Record
from local_cloud.ground import Hook, find

_ADDRESSES = Hook(EC2, "_addresses")
_INTERFACES = Hook(EC2, "_network_interfaces")
_INSTANCES = Hook(EC2, "_instances")
HOOKS = (_ADDRESSES, _INTERFACES, _INSTANCES)

_EIP = "AWS::EC2::EIP"
_ASSOCIATION = "AWS::EC2::EIPAssociation"
_MISSING = ("InvalidAllocationID.NotFound", "allocation")
_FREE = {
    "AssociationId": None,
    "InstanceId": None,
    "NetworkInterfaceId": None,
    "PrivateIpAddress": None,
}


def allocate() -> Record:
    """Make an address that nothing has."""
    taken = {each["PublicIp"] for each in find(_ADDRESSES).values()}
    while (public := "52." + ".".join(str(secrets.randbelow(254) + 1) for _ in range(3))) in taken:
        pass
    allocation_id = ec2_calls.new_id("eipalloc")
    find(_ADDRESSES)[allocation_id] = {
        "AllocationId": allocation_id,
        "PublicIp": public,
        "Domain": "vpc",
        **_FREE,
    }
    made: Record = find(_ADDRESSES)[allocation_id]
    return made


def by_allocation(id: str) -> Record:
    """Return an address; raises Refusal when there is none with that id."""
    return ec2_calls.known(find(_ADDRESSES), id, *_MISSING)


def by_address(public: str) -> Record:
    """Return an address; raises Refusal when it is not the account's."""
    for address in find(_ADDRESSES).values():
        if address["PublicIp"] == public:
            found: Record = address
            return found
    raise Refusal("InvalidAddress.NotFound", f"Address '{public}' not found.")


def associate(address: Record, interface: Record, *, taking: bool = False) -> str:
    """Give an interface an address; returns the association's id.

    Args:
        address: The Elastic IP address.
        interface: The network interface.
        taking: Whether to take the address away from what has it.
    """
    if address["AssociationId"] and not taking:
        raise Refusal(
            "Resource.AlreadyAssociated",
            f"resource {address['AllocationId']} is already associated with associate-id "
            f"{address['AssociationId']}",
        )
    if address["AssociationId"]:
        disassociate(address)
    instance_id = (interface.get("Attachment") or {}).get("InstanceId")
    address.update(
        AssociationId=ec2_calls.new_id("eipassoc"),
        InstanceId=instance_id,
        NetworkInterfaceId=interface["NetworkInterfaceId"],
        PrivateIpAddress=interface["PrivateIpAddress"],
    )
    return str(address["AssociationId"])


def disassociate(address: Record) -> None:
    """Take an address away from what has it."""
    address.update(_FREE)


def interface_of(instance_id: str) -> Record:
    """Return the primary interface of an instance; raises Refusal when there is no instance."""
    ec2_calls.known(find(_INSTANCES), instance_id, "InvalidInstanceID.NotFound", "instance")
    for interface in find(_INTERFACES).values():
        attachment = interface.get("Attachment") or {}
        if (attachment.get("InstanceId"), attachment.get("DeviceIndex")) == (instance_id, 0):
            found: Record = interface
            return found
    raise Refusal("InvalidInstanceID", f"The instance '{instance_id}' has no network interface.")


def _target(instance_id: str, interface_id: str) -> Record:
    if interface_id:
        code = "InvalidNetworkInterfaceID.NotFound"
        return ec2_calls.known(find(_INTERFACES), interface_id, code, "networkInterface")
    if instance_id:
        return interface_of(instance_id)
    raise Refusal(
        "MissingParameter", "Either instance ID or network interface id must be specified"
    )


def release(address: Record) -> None:
    """Give an address back that nothing has."""
    if address["AssociationId"]:
        raise Refusal("InvalidIPAddress.InUse", f"Address {address['PublicIp']} is in use.")
    find(_ADDRESSES).pop(address["AllocationId"])
    answers.untag(address["AllocationId"])


def _requested(parameters: Parameters) -> Record:
    if allocation := answers.first(parameters, "AllocationId"):
        return by_allocation(allocation)
    return by_address(answers.first(parameters, "PublicIp"))


def _allocate(parameters: Parameters) -> str:
    made = allocate()
    ec2_calls.set_tags(made["AllocationId"], parameters, "elastic-ip")
    return answers.elements(
        {
            "publicIp": made["PublicIp"],
            "domain": made["Domain"],
            "allocationId": made["AllocationId"],
            "networkBorderGroup": ec2_calls.region(),
            "publicIpv4Pool": "amazon",
        }
    )


def _release(parameters: Parameters) -> str:
    release(_requested(parameters))
    return ec2_calls.DONE


def _associate(parameters: Parameters) -> str:
    target = _target(
        answers.first(parameters, "InstanceId"), answers.first(parameters, "NetworkInterfaceId")
    )
    taking = ec2_calls.yes(answers.first(parameters, "AllowReassociation"))
    made = associate(_requested(parameters), target, taking=taking)
    return ec2_calls.DONE + answers.xml("associationId", made)


def _disassociate(parameters: Parameters) -> str:
    named = answers.first(parameters, "AssociationId")
    for address in find(_ADDRESSES).values():
        if named and address["AssociationId"] == named:
            _may_take(address)
            disassociate(address)
            return ec2_calls.DONE
    raise Refusal("InvalidAssociationID.NotFound", f"The association ID '{named}' does not exist")


def _may_take(address: Record) -> None:
    """Refuse to take an address from a service's interface, such as a NAT gateway's."""
    interface = find(_INTERFACES).get(address["NetworkInterfaceId"]) or {}
    if interface.get("RequesterManaged"):
        raise Refusal("AuthFailure", "You do not have permission to access the specified resource.")


def _fields(address: Record) -> Record:
    interface = address["NetworkInterfaceId"]
    return {
        "publicIp": address["PublicIp"],
        "allocationId": address["AllocationId"],
        "domain": address["Domain"],
        "associationId": address["AssociationId"],
        "instanceId": address["InstanceId"],
        "networkInterfaceId": interface,
        "networkInterfaceOwnerId": ec2_calls.account() if interface else None,
        "privateIpAddress": address["PrivateIpAddress"],
        "publicIpv4Pool": "amazon",
        "networkBorderGroup": ec2_calls.region(),
        "tagSet": answers.tag_set(address["AllocationId"]),
    }


def _values(address: Record) -> dict[str, list[str]]:
    named = {
        "allocation-id": "AllocationId",
        "association-id": "AssociationId",
        "instance-id": "InstanceId",
        "network-interface-id": "NetworkInterfaceId",
        "private-ip-address": "PrivateIpAddress",
        "public-ip": "PublicIp",
    }
    return {name: [address[key]] if address[key] else [] for name, key in named.items()}


def _describe(parameters: Parameters) -> str:
    public = answers.members(parameters, "PublicIp")
    chosen = ec2_calls.asked_for(find(_ADDRESSES), parameters, "AllocationId", _MISSING, _values)
    named = [by_address(each)["AllocationId"] for each in public]
    return answers.xml(
        "addressesSet",
        [_fields(each) for each in chosen if not public or each["AllocationId"] in named],
    )


def _attributes(address: Record) -> Made:
    public = address["PublicIp"]
    return public, {"AllocationId": address["AllocationId"], "PublicIp": public}


def _create_address(_logical_id: str, properties: Properties, _stack: str) -> Made:
    ec2_calls.refuse(properties, "PublicIpv4Pool", "TransferAddress", "IpamPoolId", "Address")
    instance = properties.get("InstanceId")
    target = interface_of(instance) if instance else None
    address = allocate()
    if target:
        associate(address, target)
    ec2_calls.template_tags(address["AllocationId"], properties)
    return _attributes(address)


def _update_address(public: str, old: Properties, new: Properties) -> Made:
    address = by_address(public)
    instance = new.get("InstanceId")
    if instance != old.get("InstanceId"):
        if instance:
            associate(address, interface_of(instance), taking=True)
        else:
            disassociate(address)
    ec2_calls.template_tags(address["AllocationId"], new, old)
    return _attributes(address)


def _delete_address(public: str, properties: Properties) -> None:
    for address in list(find(_ADDRESSES).values()):
        if address["PublicIp"] == public:
            if properties.get("InstanceId"):
                disassociate(address)
            release(address)


def _create_association(_logical_id: str, properties: Properties, _stack: str) -> Made:
    ec2_calls.refuse(properties, "PrivateIpAddress")
    if allocation := properties.get("AllocationId"):
        address = by_allocation(allocation)
    else:
        address = by_address(str(properties.get("EIP")))
    target = _target(properties.get("InstanceId", ""), properties.get("NetworkInterfaceId", ""))
    # A replacement has the address before the one it replaces gives it up.
    association_id = associate(address, target, taking=True)
    return association_id, {"Id": association_id}


def _delete_association(id: str, _properties: Properties) -> None:
    for address in find(_ADDRESSES).values():
        if address["AssociationId"] == id:
            disassociate(address)


def install() -> None:
    """Answer the calls, and register the types."""
    answers.answer("AllocateAddress", _allocate)
    answers.answer("ReleaseAddress", _release)
    answers.answer("AssociateAddress", _associate)
    answers.answer("DisassociateAddress", _disassociate)
    answers.answer("DescribeAddresses", _describe)
    ec2_calls.provide(
        _EIP,
        create=_create_address,
        update=_update_address,
        delete=_delete_address,
        replacing=("Domain", "NetworkBorderGroup", "TransferAddress"),
        tags=True,
    )
    every: tuple[Any, ...] = (
        "AllocationId",
        "EIP",
        "InstanceId",
        "NetworkInterfaceId",
        "PrivateIpAddress",
    )
    ec2_calls.provide(
        _ASSOCIATION, create=_create_association, delete=_delete_association, replacing=every
    )

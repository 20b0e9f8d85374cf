"""The addresses and DNS names of interfaces: those of Elastic IPs, and those that Amazon gives.

One that Amazon gives at launch is in the interface's record under `GIVEN`. It is another one after
the instance was stopped.

- "Amazon EC2 instance IP addressing"
  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-instance-addressing.html
- "DNS attributes for your VPC"
  https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
read 2026-11-21.
"""

from __future__ import annotations

import random

from local_cloud import ec2_calls
from local_cloud.ec2_calls import EC2, Record
from local_cloud.ground import Hook, find

_INTERFACES = Hook(EC2, "_network_interfaces")
_VPCS = Hook(EC2, "_vpcs")
_ADDRESSES = Hook(EC2, "_addresses")
HOOKS = (_INTERFACES, _VPCS, _ADDRESSES)

GIVEN = "AutoPublicIp"
_FIRST_REGION = "us-east-1"


def renew(interface: Record) -> None:
    """Give an interface one of Amazon's public addresses, instead of the one it had."""
    used = {each.get(GIVEN) for each in find(_INTERFACES).values()}
    used |= {each["PublicIp"] for each in find(_ADDRESSES).values()}
    while (address := f"54.{_octet()}.{_octet()}.{_octet()}") in used:
        pass
    interface[GIVEN] = address


def _octet() -> int:
    return random.randint(1, 254)  # noqa: S311 - any will do


def private_name(address: str) -> str:
    """Return the private DNS name of an address."""
    region = ec2_calls.region()
    zone = "ec2" if region == _FIRST_REGION else f"{region}.compute"
    return f"ip-{address.replace('.', '-')}.{zone}.internal"


def _public_name(address: str, vpc_id: str) -> str:
    """Return an address's public DNS name; a VPC without DNS hostnames has none."""
    vpc = find(_VPCS).get(vpc_id) or {}
    named = vpc.get("EnableDnsHostnames", vpc.get("IsDefault", False))
    if not named or not vpc.get("EnableDnsSupport", True):
        return ""
    region = ec2_calls.region()
    zone = "compute-1" if region == _FIRST_REGION else f"{region}.compute"
    return f"ec2-{address.replace('.', '-')}.{zone}.amazonaws.com"


def association(interface: Record) -> dict[str, str] | None:
    """Return the public address of an interface as EC2 answers it, None if it has none.

    It is that of an Elastic IP, or else the one that Amazon gave at launch.
    """
    for address in find(_ADDRESSES).values():
        if _is_of(address, interface):
            return {
                "publicIp": address["PublicIp"],
                "publicDnsName": _public_name(address["PublicIp"], interface["VpcId"]),
                "ipOwnerId": interface["OwnerId"],
                "allocationId": address["AllocationId"],
                "associationId": address["AssociationId"],
            }
    if own := interface.get(GIVEN):
        name = _public_name(own, interface["VpcId"])
        return {"publicIp": own, "publicDnsName": name, "ipOwnerId": "amazon"}
    return None


def _is_of(address: Record, interface: Record) -> bool:
    """Say whether an Elastic IP is the interface's, or its instance's and it is the primary."""
    if address.get("NetworkInterfaceId"):
        return bool(address["NetworkInterfaceId"] == interface["NetworkInterfaceId"])
    attachment = interface.get("Attachment") or {}
    instance = attachment.get("InstanceId")
    primary = int(attachment.get("DeviceIndex") or 0) == 0
    return bool(instance and primary and address.get("InstanceId") == instance)

"""NAT gateways: their interface and address, and their type in templates.

A public NAT gateway needs an internet gateway on its VPC, or it fails; a template must therefore
say that it depends on the attachment, which nothing else in it says.

- AWS::EC2::NatGateway
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-natgateway.html
- CreateNatGateway, NatGateway, NatGatewayAddress
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NatGateway.html
- "Troubleshoot NAT gateways" (Gateway.NotAttached, Resource.AlreadyAssociated)
  https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html
read 2026-11-21. Not in it: regional NAT gateways, secondary addresses, and that a deleted one is
described for about an hour only.
"""

from __future__ import annotations

from local_cloud import addresses, ec2_calls, network_interfaces
from local_cloud import ec2_answers as answers
from local_cloud.ec2_answers import Parameters, Refusal
from local_cloud.ec2_calls import EC2, Made, Properties, Record
from local_cloud.ground import Hook, find

_GATEWAYS = Hook(EC2, "_nat_gateways")
_INTERNET_GATEWAYS = Hook(EC2, "_internet_gateways")
_INTERFACES = Hook(EC2, "_network_interfaces")
HOOKS = (_GATEWAYS, _INTERNET_GATEWAYS, _INTERFACES)

_TYPE = "AWS::EC2::NatGateway"
_MISSING = ("NatGatewayNotFound", "NatGateway")
_NOT_DONE = (
    "AvailabilityMode",
    "AvailabilityZoneAddresses",
    "SecondaryAllocationIds",
    "SecondaryPrivateIpAddressCount",
    "SecondaryPrivateIpAddresses",
    "VpcId",
)


def create(given: Properties) -> Record:
    """Make a NAT gateway of a template's properties, or of a request's, which have their names."""
    ec2_calls.refuse(given, *_NOT_DONE)
    subnet = network_interfaces.subnet_of(given.get("SubnetId") or "")
    kind = given.get("ConnectivityType") or "public"
    address = _address(given.get("AllocationId"), kind, subnet["VpcId"])
    gateway_id = ec2_calls.new_id("nat")
    interface = network_interfaces.add(
        subnet["SubnetId"],
        kind="nat_gateway",
        description=f"Interface for NAT Gateway {gateway_id}",
        private_ip=given.get("PrivateIpAddress"),
        checked=False,
    )
    if address:
        addresses.associate(address, interface)
    record = {
        "NatGatewayId": gateway_id,
        "SubnetId": subnet["SubnetId"],
        "VpcId": subnet["VpcId"],
        "ConnectivityType": kind,
        "State": "available",
        "CreateTime": ec2_calls.now(),
        "Address": _address_fields(interface, address),
    }
    find(_GATEWAYS)[gateway_id] = record
    return record


def _address(allocation: str | None, kind: str, vpc_id: str) -> Record | None:
    """Return the Elastic IP that a gateway of this kind gets, None for a private one."""
    if kind == "private":
        if allocation:
            raise Refusal("InvalidParameterCombination", "A private NAT gateway has no allocation")
        return None
    if not allocation:
        raise Refusal("MissingParameter", "The request must contain the parameter AllocationId")
    address = addresses.by_allocation(allocation)
    if address["AssociationId"]:
        raise Refusal(
            "Resource.AlreadyAssociated",
            f"Elastic IP address [{allocation}] is already associated",
        )
    attached = [
        each["VpcId"]
        for gateway in find(_INTERNET_GATEWAYS).values()
        for each in gateway["Attachments"]
    ]
    if vpc_id not in attached:
        raise Refusal("Gateway.NotAttached", f"Network {vpc_id} has no Internet gateway attached")
    return address


def _address_fields(interface: Record, address: Record | None) -> Record:
    return {
        "allocationId": address and address["AllocationId"],
        "associationId": address and address["AssociationId"],
        "publicIp": address and address["PublicIp"],
        "networkInterfaceId": interface["NetworkInterfaceId"],
        "privateIp": interface["PrivateIpAddress"],
        "isPrimary": True,
        "status": "succeeded",
    }


def delete(id: str) -> None:
    """Delete a gateway: its interface goes and its address is free; it is still described."""
    gateway = ec2_calls.known(find(_GATEWAYS), id, *_MISSING)
    if gateway["State"] == "deleted":
        return
    of_gateway = gateway["Address"]
    if of_gateway["allocationId"]:
        addresses.disassociate(addresses.by_allocation(of_gateway["allocationId"]))
    network_interfaces.remove(of_gateway["networkInterfaceId"])
    gateway.update(State="deleted", DeleteTime=ec2_calls.now())


def _fields(gateway: Record) -> Record:
    return {
        "natGatewayId": gateway["NatGatewayId"],
        "subnetId": gateway["SubnetId"],
        "vpcId": gateway["VpcId"],
        "state": gateway["State"],
        "connectivityType": gateway["ConnectivityType"],
        "availabilityMode": "zonal",
        "createTime": gateway["CreateTime"],
        "deleteTime": gateway.get("DeleteTime"),
        "natGatewayAddressSet": [gateway["Address"]],
        "tagSet": answers.tag_set(gateway["NatGatewayId"]),
    }


def _values(gateway: Record) -> dict[str, list[str]]:
    return {
        "nat-gateway-id": [gateway["NatGatewayId"]],
        "state": [gateway["State"]],
        "subnet-id": [gateway["SubnetId"]],
        "vpc-id": [gateway["VpcId"]],
    }


def _create(parameters: Parameters) -> str:
    names = ("SubnetId", "AllocationId", "ConnectivityType", "PrivateIpAddress", *_NOT_DONE)
    made = create({name: answers.first(parameters, name) for name in names})
    ec2_calls.set_tags(made["NatGatewayId"], parameters, "natgateway")
    return answers.xml("natGateway", _fields(made))


def _delete(parameters: Parameters) -> str:
    named = answers.first(parameters, "NatGatewayId")
    delete(named)
    return answers.xml("natGatewayId", named)


def _describe(parameters: Parameters) -> str:
    chosen = ec2_calls.asked_for(find(_GATEWAYS), parameters, "NatGatewayId", _MISSING, _values)
    return answers.xml("natGatewaySet", [_fields(each) for each in chosen])


def _made(gateway: Record) -> Made:
    gateway_id = gateway["NatGatewayId"]
    return gateway_id, {
        "NatGatewayId": gateway_id,
        "EniId": gateway["Address"]["networkInterfaceId"],
    }


def _create_resource(_logical_id: str, properties: Properties, _stack: str) -> Made:
    gateway = create(properties)
    ec2_calls.template_tags(gateway["NatGatewayId"], properties)
    return _made(gateway)


def _update_resource(id: str, old: Properties, new: Properties) -> Made:
    ec2_calls.refuse(new, *_NOT_DONE)
    ec2_calls.template_tags(id, new, old)
    return _made(ec2_calls.known(find(_GATEWAYS), id, *_MISSING))


def _delete_resource(id: str, _properties: Properties) -> None:
    if id in find(_GATEWAYS):
        delete(id)


def install() -> None:
    """Answer the calls, and register the type."""
    answers.answer("CreateNatGateway", _create)
    answers.answer("DeleteNatGateway", _delete)
    answers.answer("DescribeNatGateways", _describe)
    ec2_calls.provide(
        _TYPE,
        create=_create_resource,
        update=_update_resource,
        delete=_delete_resource,
        replacing=("AllocationId", "ConnectivityType", "PrivateIpAddress", "SubnetId"),
        tags=True,
    )

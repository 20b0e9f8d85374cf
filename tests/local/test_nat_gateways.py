"""NAT gateways and Elastic IP addresses that a stack makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.local.networks import (
    ATTACHED,
    VPC,
    Network,
    attribute,
    probe,
    ref,
    resource,
    subnet,
    tag,
)

if TYPE_CHECKING:
    from odyssey_cli.target import Target

OUT = "0.0.0.0/0"
ADDRESS = resource("EIP", Domain="vpc", Tags=tag("tests"))


@pytest.fixture
def network(target: Target) -> Network:
    return Network(target)


def nat(*, after: str | None = "Attachment", **properties: Any) -> dict[str, Any]:
    """Return a public NAT gateway; a template must say that it needs the attachment."""
    given = {"AllocationId": attribute("Address", "AllocationId"), **properties}
    made = resource("NatGateway", SubnetId=ref("Subnet"), **given)
    return {**made, "DependsOn": after} if after else made


def address(network: Network, logical_id: str = "Address") -> dict[str, Any]:
    public = [network.physical_id(logical_id)]
    found: dict[str, Any]
    [found] = network.ec2.describe_addresses(PublicIps=public)["Addresses"]
    return found


def gateway(network: Network, id: str) -> dict[str, Any]:
    found: dict[str, Any]
    [found] = network.ec2.describe_nat_gateways(NatGatewayIds=[id])["NatGateways"]
    return found


def test_a_nat_gateway_has_an_interface_and_an_address_as_long_as_it_is(network: Network) -> None:
    # GIVEN a private subnet's way out through a NAT gateway in a public one
    table = resource("RouteTable", VpcId=ref("Vpc"))
    route = resource(
        "Route",
        RouteTableId=ref("Table"),
        DestinationCidrBlock=OUT,
        NatGatewayId=ref("Nat"),
    )
    base = {**ATTACHED, "Subnet": subnet(), "Address": ADDRESS, "Table": table}
    shows = {
        "GatewayId": probe(attribute("Nat", "NatGatewayId")),
        "InterfaceId": probe(attribute("Nat", "EniId")),
        "PublicIp": probe(attribute("Address", "PublicIp")),
    }
    made = {"Nat": nat(Tags=tag("tests")), "Out": route}
    assert network.create(**base, **made, **shows) == "CREATE_COMPLETE"
    nat_id = network.physical_id("Nat")

    # THEN EC2 says of the gateway, its interface and its address that they belong together
    found = gateway(network, nat_id)
    [interface] = network.interfaces()
    [of_gateway] = found["NatGatewayAddresses"]
    own = address(network)
    assert (found["State"], found["ConnectivityType"]) == ("available", "public")
    assert found["SubnetId"] == network.physical_id("Subnet")
    assert interface["InterfaceType"] == "nat_gateway"
    assert interface["Description"] == f"Interface for NAT Gateway {nat_id}"
    assert (interface["RequesterManaged"], interface["Status"]) == (True, "in-use")
    assert interface["PrivateIpAddress"] == of_gateway["PrivateIp"]
    assert interface["PrivateIpAddress"].startswith("10.1.0.")
    assert interface["Association"]["PublicIp"] == own["PublicIp"] == of_gateway["PublicIp"]
    assert own["NetworkInterfaceId"] == interface["NetworkInterfaceId"]
    assert own["AssociationId"] == of_gateway["AssociationId"]
    assert own["PrivateIpAddress"] == of_gateway["PrivateIp"]
    assert own["AllocationId"] == of_gateway["AllocationId"]
    [in_subnet] = network.ec2.describe_subnets(SubnetIds=[found["SubnetId"]])["Subnets"]
    assert in_subnet["AvailableIpAddressCount"] == 256 - 5 - 1
    assert network.own_tags(nat_id) == {"purpose": "tests"}
    assert network.own_tags(own["AllocationId"]) == {"purpose": "tests"}

    # THEN the template's references are theirs
    assert network.shown("GatewayId") == nat_id
    assert network.shown("InterfaceId") == interface["NetworkInterfaceId"]
    assert network.shown("PublicIp") == own["PublicIp"] == network.physical_id("Address")

    # THEN the route leads there
    tables = network.ec2.describe_route_tables(RouteTableIds=[network.physical_id("Table")])
    routes = {each["DestinationCidrBlock"]: each for each in tables["RouteTables"][0]["Routes"]}
    assert (routes[OUT]["NatGatewayId"], routes[OUT]["State"]) == (nat_id, "active")

    # THEN nobody can take the address, the interface or the way out from it
    with pytest.raises(ClientError, match=r"InvalidIPAddress\.InUse"):
        network.ec2.release_address(AllocationId=own["AllocationId"])
    with pytest.raises(ClientError, match="AuthFailure"):
        network.ec2.disassociate_address(AssociationId=own["AssociationId"])
    with pytest.raises(ClientError, match="in use"):
        network.ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])
    with pytest.raises(ClientError, match="mapped public address"):
        network.ec2.detach_internet_gateway(
            InternetGatewayId=network.physical_id("Gateway"), VpcId=network.physical_id("Vpc")
        )

    # WHEN the gateway goes
    assert network.update(**base) == "UPDATE_COMPLETE"

    # THEN its interface is gone, its address is free, and it is described as deleted
    assert network.interfaces() == []
    assert "AssociationId" not in address(network)
    assert gateway(network, nat_id)["State"] == "deleted"
    public = network.physical_id("Address")
    assert network.delete() is None
    with pytest.raises(ClientError, match=r"InvalidAddress\.NotFound"):
        network.ec2.describe_addresses(PublicIps=[public])


def test_a_nat_gateway_moves_with_a_new_address(network: Network) -> None:
    # GIVEN a NAT gateway
    base = {**ATTACHED, "Subnet": subnet(), "Address": ADDRESS}
    assert network.create(**base, Nat=nat()) == "CREATE_COMPLETE"
    first = network.physical_id("Nat")

    # WHEN its tags change
    assert network.update(**base, Nat=nat(Tags=tag("new"))) == "UPDATE_COMPLETE"

    # THEN it is the same one
    assert network.physical_id("Nat") == first
    assert network.own_tags(first) == {"purpose": "new"}

    # WHEN it gets another address
    more = {**base, "Other": resource("EIP")}
    moved = nat(AllocationId=attribute("Other", "AllocationId"))
    assert network.update(**more, Nat=moved) == "UPDATE_COMPLETE"

    # THEN there is another one with it, and the first is deleted
    assert "AssociationId" in address(network, "Other")
    assert "AssociationId" not in address(network)
    assert gateway(network, first)["State"] == "deleted"
    assert gateway(network, network.physical_id("Nat"))["State"] == "available"
    assert len(network.interfaces()) == 1
    assert network.delete() is None


def test_a_public_nat_gateway_needs_the_internet_gateway_first(network: Network) -> None:
    # Without DependsOn nothing in a template says that the attachment comes first.
    made = {"Vpc": VPC, "Subnet": subnet(), "Address": ADDRESS, "Nat": nat(after=None)}

    assert network.create(**made) == "CREATE_FAILED"

    assert "Gateway.NotAttached" in network.reasons()
    assert network.delete() is None


def test_a_private_nat_gateway_needs_neither_gateway_nor_address(network: Network) -> None:
    properties = {"ConnectivityType": "private", "PrivateIpAddress": "10.1.0.77"}
    private = resource("NatGateway", SubnetId=ref("Subnet"), **properties)

    assert network.create(Vpc=VPC, Subnet=subnet(), Nat=private) == "CREATE_COMPLETE"

    [interface] = network.interfaces()
    assert (interface["PrivateIpAddress"], interface.get("Association")) == ("10.1.0.77", None)
    assert network.delete() is None


def test_an_association_gives_an_interface_an_address_and_takes_it_back(network: Network) -> None:
    # GIVEN an interface, and an address associated with it
    network.create(**ATTACHED, Subnet=subnet(), Address=ADDRESS)
    interface = network.ec2.create_network_interface(SubnetId=network.physical_id("Subnet"))[
        "NetworkInterface"
    ]["NetworkInterfaceId"]
    base = {**ATTACHED, "Subnet": subnet(), "Address": ADDRESS}
    association = resource(
        "EIPAssociation",
        AllocationId=attribute("Address", "AllocationId"),
        NetworkInterfaceId=interface,
    )
    shows = {"AssociationId": probe(attribute("Association", "Id"))}
    assert network.update(**base, Association=association, **shows) == "UPDATE_COMPLETE"

    # THEN EC2 says so of both
    [found] = network.interfaces()
    assert address(network)["AssociationId"] == network.physical_id("Association")
    assert address(network)["NetworkInterfaceId"] == interface
    assert found["Association"]["PublicIp"] == network.physical_id("Address")
    assert network.shown("AssociationId") == network.physical_id("Association")

    # WHEN the association goes
    assert network.update(**base) == "UPDATE_COMPLETE"

    # THEN the address is free
    assert "AssociationId" not in address(network)
    network.ec2.delete_network_interface(NetworkInterfaceId=interface)
    assert network.delete() is None

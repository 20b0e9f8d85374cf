"""VPCs, subnets, internet gateways and route tables that a stack makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.local.networks import (
    ATTACHED,
    GATEWAY,
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

TABLE = resource("RouteTable", VpcId=ref("Vpc"))
ASSOCIATION = resource(
    "SubnetRouteTableAssociation", SubnetId=ref("Subnet"), RouteTableId=ref("Table")
)
OUT = "0.0.0.0/0"


@pytest.fixture
def network(target: Target) -> Network:
    return Network(target)


def route(**properties: Any) -> dict[str, Any]:
    return resource("Route", RouteTableId=ref("Table"), **properties)


def out(*, after: str | None = "Attachment") -> dict[str, Any]:
    """Return the way to the internet; a template must say that it needs the attachment."""
    made = route(DestinationCidrBlock=OUT, GatewayId=ref("Gateway"))
    return {**made, "DependsOn": after} if after else made


def described(network: Network, table: str = "Table") -> dict[str, Any]:
    ids = [network.physical_id(table)]
    found: dict[str, Any]
    [found] = network.ec2.describe_route_tables(RouteTableIds=ids)["RouteTables"]
    return found


def routes(network: Network) -> dict[str, tuple[str, str]]:
    """Return a table's routes: gateway and state by destination."""
    return {
        each["DestinationCidrBlock"]: (each.get("GatewayId", ""), each["State"])
        for each in described(network)["Routes"]
    }


def test_a_vpc_comes_and_goes_with_its_own_group_table_and_acl(network: Network) -> None:
    # GIVEN a VPC
    vpc = {**VPC, "Properties": {**VPC["Properties"], "Tags": tag("tests")}}
    shows = {
        "Range": probe(attribute("Vpc", "CidrBlock")),
        "DefaultGroup": probe(attribute("Vpc", "DefaultSecurityGroup")),
    }
    assert network.create(Vpc=vpc, **shows) == "CREATE_COMPLETE"
    vpc_id = network.physical_id("Vpc")

    # THEN it has a group whose members reach each other and everything
    [own] = network.ec2.describe_security_groups(Filters=network.within())["SecurityGroups"]
    [inward], [outward] = own["IpPermissions"], own["IpPermissionsEgress"]
    assert (own["GroupName"], own["GroupId"]) == ("default", network.shown("DefaultGroup"))
    assert inward["IpProtocol"] == outward["IpProtocol"] == "-1"
    assert [pair["GroupId"] for pair in inward["UserIdGroupPairs"]] == [own["GroupId"]]
    assert (inward["IpRanges"], outward["IpRanges"]) == ([], [{"CidrIp": OUT}])

    # THEN it has a main route table with the way to itself, and an ACL
    [table] = network.ec2.describe_route_tables(Filters=network.within())["RouteTables"]
    [association], [local] = table["Associations"], table["Routes"]
    assert association["Main"] is True
    assert (local["DestinationCidrBlock"], local["GatewayId"]) == ("10.1.0.0/16", "local")
    [acl] = network.ec2.describe_network_acls(Filters=network.within())["NetworkAcls"]
    assert acl["IsDefault"] is True
    assert network.shown("Range") == "10.1.0.0/16"
    assert network.own_tags(vpc_id) == {"purpose": "tests"}

    # THEN none of them can be deleted without it
    with pytest.raises(ClientError, match="CannotDelete"):
        network.ec2.delete_security_group(GroupId=own["GroupId"])
    with pytest.raises(ClientError, match="DependencyViolation"):
        network.ec2.delete_route_table(RouteTableId=table["RouteTableId"])
    with pytest.raises(ClientError, match="default network ACL"):
        network.ec2.delete_network_acl(NetworkAclId=acl["NetworkAclId"])

    # WHEN it goes
    within = network.within()
    assert network.delete() is None

    # THEN they are gone with it
    assert network.ec2.describe_security_groups(Filters=within)["SecurityGroups"] == []
    assert network.ec2.describe_route_tables(Filters=within)["RouteTables"] == []
    assert network.ec2.describe_network_acls(Filters=within)["NetworkAcls"] == []


def test_a_subnet_says_where_it_is_and_how_many_addresses_it_has(network: Network) -> None:
    # GIVEN a small subnet in a zone, whose machines get public addresses
    made = subnet("10.1.0.0/28", AvailabilityZone="us-east-1b", MapPublicIpOnLaunch=True)
    names = ("AvailabilityZone", "CidrBlock", "VpcId", "NetworkAclAssociationId")
    shows = {f"Its{name}": probe(attribute("Subnet", name)) for name in names}
    assert network.create(Vpc=VPC, Subnet=made, **shows) == "CREATE_COMPLETE"

    # THEN EC2 and the template say so
    subnet_id = network.physical_id("Subnet")
    [found] = network.ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"]
    assert (found["AvailabilityZone"], found["MapPublicIpOnLaunch"]) == ("us-east-1b", True)
    assert found["AvailableIpAddressCount"] == 16 - 5
    assert network.shown("ItsAvailabilityZone") == "us-east-1b"
    assert network.shown("ItsCidrBlock") == "10.1.0.0/28"
    assert network.shown("ItsVpcId") == network.physical_id("Vpc")
    assert network.shown("ItsNetworkAclAssociationId").startswith("aclassoc-")

    # WHEN its range changes
    made = subnet("10.1.4.0/24", AvailabilityZone="us-east-1b")
    assert network.update(Vpc=VPC, Subnet=made) == "UPDATE_COMPLETE"

    # THEN it is another one
    [found] = network.ec2.describe_subnets(Filters=network.within())["Subnets"]
    assert found["SubnetId"] == network.physical_id("Subnet") != subnet_id
    assert network.delete() is None


@pytest.mark.parametrize(
    ("resources", "reason"),
    [
        ({"Vpc": resource("VPC", CidrBlock="10.0.0.0/8")}, "InvalidVpc.Range"),
        ({"Vpc": VPC, "One": subnet("10.2.0.0/24")}, "InvalidSubnet.Range"),
        (
            {"Vpc": VPC, "One": subnet("10.1.0.0/23"), "Two": subnet("10.1.1.0/24")},
            "InvalidSubnet.Conflict",
        ),
        (
            {"Vpc": VPC, "Gateway": GATEWAY, "Table": TABLE, "Out": out(after=None)},
            "InvalidParameterValue",
        ),
        (
            {
                **ATTACHED,
                "Second": GATEWAY,
                "Too": {
                    **resource(
                        "VPCGatewayAttachment", VpcId=ref("Vpc"), InternetGatewayId=ref("Second")
                    ),
                    "DependsOn": "Attachment",
                },
            },
            "already has an internet gateway attached",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    network: Network, resources: dict[str, Any], reason: str
) -> None:
    made = network.create(**resources)

    assert (made, reason in network.reasons()) == ("CREATE_FAILED", True)
    assert network.delete() is None


def test_nothing_is_deleted_under_what_needs_it(network: Network, target: Target) -> None:
    # GIVEN a VPC with a subnet, a table of its own, a gateway, and something in the subnet
    made = {**ATTACHED, "Subnet": subnet(), "Table": TABLE, "Association": ASSOCIATION}
    assert network.create(**made, Out=out()) == "CREATE_COMPLETE"
    ids = {name: network.physical_id(name) for name in ("Vpc", "Subnet", "Table", "Gateway")}
    inside = network.ec2.create_network_interface(SubnetId=ids["Subnet"])["NetworkInterface"]
    assert inside["PrivateIpAddress"].startswith("10.1.0.")
    [own] = inside["Groups"]
    assert own["GroupName"] == "default"

    # THEN EC2 deletes none of them
    for delete in (
        lambda: network.ec2.delete_vpc(VpcId=ids["Vpc"]),
        lambda: network.ec2.delete_subnet(SubnetId=ids["Subnet"]),
        lambda: network.ec2.delete_route_table(RouteTableId=ids["Table"]),
        lambda: network.ec2.delete_internet_gateway(InternetGatewayId=ids["Gateway"]),
    ):
        with pytest.raises(ClientError, match="DependencyViolation"):
            delete()

    # THEN the stack cannot go, and goes once the subnet is empty
    assert network.delete() == "DELETE_FAILED"
    assert "DependencyViolation" in network.reasons()
    network.ec2.delete_network_interface(NetworkInterfaceId=inside["NetworkInterfaceId"])
    assert network.delete() is None
    gateways = network.ec2.describe_internet_gateways()["InternetGateways"]
    assert ids["Gateway"] not in [each["InternetGatewayId"] for each in gateways]


def test_a_subnet_has_the_routes_of_its_table(network: Network) -> None:
    # GIVEN a table with the way out, for one of two subnets
    base = {**ATTACHED, "Subnet": subnet(), "Other": subnet("10.1.1.0/24"), "Table": TABLE}
    shows = {"Destination": probe(attribute("Out", "CidrBlock"))}
    assert network.create(**base, Association=ASSOCIATION, Out=out(), **shows) == (
        "CREATE_COMPLETE"
    )
    gateway = network.physical_id("Gateway")

    # THEN EC2 says so; the other subnet is in no table's associations, as it has the main one
    assert routes(network) == {"10.1.0.0/16": ("local", "active"), OUT: (gateway, "active")}
    [association] = described(network)["Associations"]
    assert association["SubnetId"] == network.physical_id("Subnet")
    assert association["RouteTableAssociationId"] == network.physical_id("Association")
    wanted = [{"Name": "association.subnet-id", "Values": [network.physical_id("Other")]}]
    assert network.ec2.describe_route_tables(Filters=wanted)["RouteTables"] == []
    assert network.shown("Destination") == OUT

    # THEN a subnet cannot have two tables, nor a table two ways to one place
    with pytest.raises(ClientError, match=r"Resource\.AlreadyAssociated"):
        network.ec2.associate_route_table(
            RouteTableId=network.physical_id("Table"), SubnetId=network.physical_id("Subnet")
        )
    with pytest.raises(ClientError, match="RouteAlreadyExists"):
        network.ec2.create_route(
            RouteTableId=network.physical_id("Table"), DestinationCidrBlock=OUT, GatewayId=gateway
        )

    # WHEN the subnet gets another table
    second = {**ASSOCIATION, "Properties": {**ASSOCIATION["Properties"]}}
    second["Properties"]["RouteTableId"] = ref("Second")
    more = {**base, "Second": TABLE}
    assert network.update(**more, Association=second, Out=out()) == "UPDATE_COMPLETE"

    # THEN it has that one only
    assert described(network)["Associations"] == []
    [association] = described(network, "Second")["Associations"]
    assert association["RouteTableAssociationId"] == network.physical_id("Association")

    # WHEN the route goes
    assert network.update(**more, Association=second) == "UPDATE_COMPLETE"

    # THEN only the way to the VPC is left
    assert list(routes(network)) == ["10.1.0.0/16"]
    assert network.delete() is None


def test_a_route_to_nowhere_is_a_black_hole(network: Network) -> None:
    # GIVEN the way out
    network.create(**ATTACHED, Table=TABLE, Out=out())
    gateway, vpc = network.physical_id("Gateway"), network.physical_id("Vpc")

    # WHEN somebody detaches the gateway
    network.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)

    # THEN the route leads nowhere until it is back
    assert routes(network)[OUT] == (gateway, "blackhole")
    network.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    assert routes(network)[OUT] == (gateway, "active")
    assert network.delete() is None


def test_an_account_starts_with_a_default_vpc_whose_group_lets_its_members_in(
    target: Target,
) -> None:
    # A region that nobody has used yet.
    ec2 = target.session.client("ec2", endpoint_url=target.endpoint, region_name="eu-west-3")

    [vpc] = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    wanted = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    [own] = ec2.describe_security_groups(Filters=wanted)["SecurityGroups"]

    [rule] = own["IpPermissions"]
    assert [pair["GroupId"] for pair in rule["UserIdGroupPairs"]] == [own["GroupId"]]
    [acl] = ec2.describe_network_acls(Filters=wanted)["NetworkAcls"]
    subnets = {each["SubnetId"] for each in ec2.describe_subnets(Filters=wanted)["Subnets"]}
    assert {each["SubnetId"] for each in acl["Associations"]} == subnets

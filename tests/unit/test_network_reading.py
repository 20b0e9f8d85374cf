"""What is read of a VPC, of which moto's EC2 plays the owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from moto import mock_aws

from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.network.places import UnknownPlace
from odyssey_cli.flows.network.reach import reach
from odyssey_cli.flows.network.reading import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli.flows.network.topology import Network

ZONES = ("us-east-1a", "us-east-1b")
# One of those that moto has; to ask it for them all takes seconds.
IMAGE = "ami-12c6146b"
# moto knows no Instance Connect Endpoints: each of these is a page of an answer.
_DOOR = {"InstanceConnectEndpointId": "eice-1", "SubnetId": "", "State": "create-complete",
         "SecurityGroupIds": ["sg-door"], "NetworkInterfaceIds": ["eni-door"]}  # fmt: skip


class Made(NamedTuple):
    """What was made by calls, and what is read of it."""

    client: Any
    vpc: str
    ids: dict[str, str]
    network: Network


@pytest.fixture(scope="module")
def made() -> Iterator[Made]:
    """A VPC beside the default one, with something of everything."""
    with mock_aws():
        client = boto3.client("ec2", region_name="us-east-1")
        ids = _make(client)
        _answer_for_endpoints(client, ids)
        yield Made(client, ids["vpc"], ids, read(client, ids["vpc"]))


def _make(ec2: Any) -> dict[str, str]:
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": "Network/Vpc"}])
    public, private = (
        ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for cidr, zone in zip(("10.0.0.0/20", "10.0.32.0/20"), ZONES, strict=True)
    )
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    other = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=public)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.create_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0", GatewayId=gateway)
    endpoint = ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=[table]
    )["VpcEndpoint"]["VpcEndpointId"]
    group, peer = (
        ec2.create_security_group(GroupName=name, Description=f"of {name}", VpcId=vpc)["GroupId"]
        for name in ("host", "peer")
    )
    own = ec2.create_managed_prefix_list(
        PrefixListName="us", MaxEntries=2, AddressFamily="IPv4",
        Entries=[{"Cidr": "203.0.113.0/29"}],
    )["PrefixList"]["PrefixListId"]  # fmt: skip
    permissions: list[dict[str, Any]] = [
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22,
         "IpRanges": [{"CidrIp": "203.0.113.7/32", "Description": "me"}],
         "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}]},
        {"IpProtocol": "tcp", "FromPort": 8000, "ToPort": 8010,
         "UserIdGroupPairs": [{"GroupId": peer}]},
        {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53,
         "PrefixListIds": [{"PrefixListId": own}]},
    ]  # fmt: skip
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=permissions)
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    ec2.create_network_acl_entry(
        NetworkAclId=acl, RuleNumber=90, Protocol="6", RuleAction="deny", Egress=False,
        CidrBlock="198.51.100.0/24", PortRange={"From": 22, "To": 23},
    )  # fmt: skip
    ec2.create_network_acl_entry(
        NetworkAclId=acl, RuleNumber=80, Protocol="6", RuleAction="deny", Egress=False,
        Ipv6CidrBlock="2001:db8::/32", PortRange={"From": 22, "To": 23},
    )  # fmt: skip
    host = _run(ec2, public, group, public_address=True)
    gone = _run(ec2, public, group, public_address=False)
    ec2.terminate_instances(InstanceIds=[gone])
    ec2.create_tags(Resources=[host], Tags=[{"Key": "Name", "Value": "Host"}])
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=public, AllocationId=address)["NatGateway"]
    return {"vpc": vpc, "public": public, "private": private, "gateway": gateway, "other": other,
            "table": table, "endpoint": endpoint, "group": group, "peer": peer, "own": own,
            "acl": acl, "host": host, "gone": gone, "nat": nat["NatGatewayId"]}  # fmt: skip


def _run(ec2: Any, subnet: str, group: str, *, public_address: bool) -> str:
    interface = {"DeviceIndex": 0, "SubnetId": subnet, "Groups": [group],
                 "AssociatePublicIpAddress": public_address}  # fmt: skip
    started = ec2.run_instances(
        ImageId=IMAGE, MinCount=1, MaxCount=1, NetworkInterfaces=[interface]
    )
    return str(started["Instances"][0]["InstanceId"])


def _answer_for_endpoints(ec2: Any, ids: dict[str, str]) -> None:
    """Answer in two pages, of which the first is empty, as AWS's may be."""

    def answer(params: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
        body = params["body"]
        assert body["Filter.1.Name"] == "vpc-id"
        found = [{**_DOOR, "SubnetId": ids["private"]}] if "NextToken" in body else []
        page = {"InstanceConnectEndpoints": found, **({} if found else {"NextToken": "more"})}
        return AWSResponse("", 200, {}, None), page  # type: ignore[arg-type]

    ec2.meta.events.register("before-call.ec2.DescribeInstanceConnectEndpoints", answer)


def test_subnets_are_public_by_their_route_to_an_internet_gateway(made: Made) -> None:
    kinds = {each.id: (each.kind, each.cidr, each.zone) for each in made.network.subnets}
    assert kinds == {
        made.ids["public"]: ("public", "10.0.0.0/20", ZONES[0]),
        made.ids["private"]: ("private", "10.0.32.0/20", ZONES[1]),
    }
    assert (made.network.name, made.network.cidrs) == ("Network/Vpc", ("10.0.0.0/16",))


def test_a_route_table_has_its_ipv4_routes_and_its_subnets(made: Made) -> None:
    table = made.network.table_of(made.ids["public"])
    s3 = made.network.prefix_list_of("s3")
    assert s3 is not None
    assert table.id == made.ids["table"]
    assert {(each.destination, each.target, each.state) for each in table.routes} == {
        ("10.0.0.0/16", "local", "active"),
        ("0.0.0.0/0", made.ids["gateway"], "active"),
        (s3.id, made.ids["endpoint"], "active"),
    }
    main = made.network.table_of(made.ids["private"])
    assert main.is_main
    assert main.subnets == ()


def test_a_group_has_its_ipv4_rules_by_cidr_group_and_prefix_list(made: Made) -> None:
    group = made.network.group(made.ids["group"])
    assert group is not None
    assert all(rule.id.startswith("sgr-") for rule in group.rules)
    assert {
        (each.is_egress, each.protocol, each.ports, each.peer, each.description)
        for each in group.rules
    } == {
        (True, "all", None, "0.0.0.0/0", ""),
        (False, "tcp", (22, 22), "203.0.113.7/32", "me"),
        (False, "tcp", (8000, 8010), made.ids["peer"], ""),
        (False, "udp", (53, 53), made.ids["own"], ""),
    }


def test_prefix_lists_of_rules_and_of_the_two_services_are_read_with_their_blocks(
    made: Made,
) -> None:
    names = {each.name: each for each in made.network.prefix_lists}
    assert set(names) == {"us", "com.amazonaws.us-east-1.s3", "com.amazonaws.us-east-1.dynamodb"}
    assert names["us"].cidrs == ("203.0.113.0/29",)
    assert all(each.cidrs for each in names.values())


def test_an_acl_has_its_entries_in_the_order_in_which_they_are_asked(made: Made) -> None:
    [own] = [each for each in made.network.acls if each.id == made.ids["acl"]]
    [default] = [each for each in made.network.acls if each.is_default]
    inbound = [each for each in own.entries if not each.is_egress]
    assert (inbound[0].number, inbound[0].action, inbound[0].protocol) == (90, "deny", "tcp")
    assert (inbound[0].cidr, inbound[0].ports) == ("198.51.100.0/24", (22, 23))
    order = [(each.is_egress, each.number) for each in default.entries]
    assert order == [(False, 100), (False, 32767), (True, 100), (True, 32767)]
    assert {each.protocol for each in default.entries} == {"all"}
    assert set(default.subnets) == {made.ids["public"], made.ids["private"]}
    assert made.network.acl_of(made.ids["public"]) == default


def test_hosts_are_those_that_are_not_terminated(made: Made) -> None:
    [host] = made.network.hosts
    assert (host.id, host.name, host.state) == (made.ids["host"], "Host", "running")
    assert (host.subnet, host.groups) == (made.ids["public"], (made.ids["group"],))
    assert host.address.startswith("10.0.")
    assert host.public_address


def test_gateways_and_endpoints_are_those_of_the_vpc(made: Made) -> None:
    network = made.network
    assert [(each.id, each.state) for each in network.internet_gateways] == [
        (made.ids["gateway"], "available")
    ]
    [nat] = network.nat_gateways
    assert (nat.id, nat.subnet) == (made.ids["nat"], made.ids["public"])
    assert nat.public_address
    [endpoint] = network.gateway_endpoints
    assert (endpoint.id, endpoint.service) == (made.ids["endpoint"], "com.amazonaws.us-east-1.s3")
    assert endpoint.route_tables == (made.ids["table"],)


def test_a_regional_nat_gateway_has_no_subnet_and_is_not_looked_at(made: Made) -> None:
    # GIVEN a NAT gateway as EC2 describes a regional one, which moto does not make
    client = boto3.client("ec2", region_name="us-east-1")
    _answer_for_endpoints(client, made.ids)
    regional = {"NatGatewayId": "nat-1", "State": "available", "AvailabilityMode": "regional",
                "NatGatewayAddresses": [{"PublicIp": "198.51.100.20"}]}  # fmt: skip
    pending = {"NatGatewayId": "nat-2", "State": "pending", "SubnetId": made.ids["public"]}
    page = {"NatGateways": [regional, pending]}
    client.meta.events.register(
        "before-call.ec2.DescribeNatGateways",
        lambda **_: (AWSResponse("", 200, {}, None), page),  # type: ignore[arg-type]
    )

    # WHEN
    network = read(client, made.vpc)

    # THEN
    assert [(each.id, each.subnet, each.public_address) for each in network.nat_gateways] == [
        ("nat-1", None, "198.51.100.20"),
        ("nat-2", made.ids["public"], None),
    ]
    with pytest.raises(UnknownPlace, match="nat-1, a regional NAT gateway"):
        reach(network, "internet", "198.51.100.20", 22)


def test_entries_are_read_of_no_prefix_list_that_nothing_names(made: Made) -> None:
    # GIVEN a prefix list that no route and no rule names
    client = boto3.client("ec2", region_name="us-east-1")
    _answer_for_endpoints(client, made.ids)
    other = client.create_managed_prefix_list(
        PrefixListName="other", MaxEntries=1, AddressFamily="IPv4"
    )["PrefixList"]["PrefixListId"]
    asked: list[str] = []
    client.meta.events.register(
        "before-call.ec2.DescribeManagedPrefixLists",
        lambda params, **_: asked.append(params["body"].get("Filter.1.Name", "all")),
    )
    client.meta.events.register(
        "before-call.ec2.GetManagedPrefixListEntries",
        lambda params, **_: asked.append(params["body"]["PrefixListId"]),
    )

    # WHEN
    network = read(client, made.vpc)

    # THEN it is not asked for, and of the others each is once
    ids = [each.id for each in network.prefix_lists]
    assert other not in ids
    assert len(set(ids)) == 3
    assert sorted(asked) == sorted(["prefix-list-name", "prefix-list-id", *ids])


def test_what_is_on_a_later_page_is_read_too(made: Made) -> None:
    [door] = made.network.connect_endpoints
    assert (door.id, door.subnet) == ("eice-1", made.ids["private"])
    assert door.groups == ("sg-door",)
    assert door.interfaces == ("eni-door",)


def test_interfaces_are_those_of_its_subnets(made: Made) -> None:
    [host] = made.network.hosts
    assert host.address in {each.address for each in made.network.interfaces}
    subnets = {each.subnet for each in made.network.interfaces}
    assert subnets <= {made.ids["public"], made.ids["private"]}


def test_what_was_read_can_be_asked_who_reaches_whom(made: Made) -> None:
    assert reach(made.network, "203.0.113.7", "public", 22).gets_through
    assert not reach(made.network, "203.0.113.8", "public", 22).gets_through
    assert reach(made.network, "203.0.113.1", "public", 53, "udp").gets_through
    assert "endpoint" in {each.kind for each in reach(made.network, "public", "s3", 443).hops}


def test_a_vpc_that_is_not_there_is_an_error(made: Made) -> None:
    with pytest.raises(OdysseyError, match="There is no VPC vpc-0123456789abcdef0"):
        read(made.client, "vpc-0123456789abcdef0")

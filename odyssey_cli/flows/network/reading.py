"""Reads a VPC from EC2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.network.topology import (
    INTERNET_GATEWAY,
    SERVICES,
    AclEntry,
    ConnectEndpoint,
    GatewayEndpoint,
    Host,
    Interface,
    InternetGateway,
    NatGateway,
    Network,
    NetworkAcl,
    Ports,
    PrefixList,
    Route,
    RouteTable,
    Rule,
    SecurityGroup,
    Subnet,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from botocore.client import BaseClient

    Described = Mapping[str, Any]

# A route has one of these; "Route" (Amazon EC2 API Reference), 2026-11-21.
_TARGETS = (
    "GatewayId",
    "NatGatewayId",
    "InstanceId",
    "NetworkInterfaceId",
    "TransitGatewayId",
    "VpcPeeringConnectionId",
    "EgressOnlyInternetGatewayId",
    "LocalGatewayId",
    "CarrierGatewayId",
    "CoreNetworkArn",
)
# ACLs give protocols by number, rules of security groups some by name.
_PROTOCOLS = {"-1": "all", "1": "icmp", "6": "tcp", "17": "udp"}
# How many a filter takes: "Filter" (Amazon EC2 API Reference), 2026-11-21.
_VALUES = 200


class NoVpcError(OdysseyError):
    """The VPC that the stack has made is gone."""


def read(client: BaseClient, vpc_id: str) -> Network:
    """Return a VPC with everything in it that decides where a packet goes.

    Args:
        client: of EC2.
        vpc_id: the VPC's id.

    Raises:
        NoVpcError: there is none.
    """
    vpcs = _all(client, "describe_vpcs", "Vpcs", vpc_id)
    if not vpcs:
        raise NoVpcError(
            f"There is no VPC {vpc_id}: somebody deleted it.",
            "Destroy the stack and deploy it: a deployment alone does not bring it back.",
        )
    tables = _all(client, "describe_route_tables", "RouteTables", vpc_id)
    route_tables = tuple(map(_route_table, tables))
    found = _all(client, "describe_subnets", "Subnets", vpc_id)
    subnets = tuple(_subnet(each, route_tables) for each in found)
    ids = {each.id for each in subnets}
    groups = _groups(client, vpc_id)
    return Network(
        id=vpc_id,
        name=_name(vpcs[0]),
        cidrs=_cidrs(vpcs[0]),
        subnets=subnets,
        route_tables=route_tables,
        groups=groups,
        acls=tuple(map(_acl, _all(client, "describe_network_acls", "NetworkAcls", vpc_id))),
        hosts=_hosts(client, vpc_id, ids),
        interfaces=_interfaces(client, vpc_id, ids),
        internet_gateways=_internet_gateways(client, vpc_id),
        nat_gateways=_nat_gateways(client, vpc_id),
        gateway_endpoints=_gateway_endpoints(client, vpc_id),
        prefix_lists=_prefix_lists(client, route_tables, groups),
        connect_endpoints=_connect_endpoints(client, vpc_id),
    )


def _all(
    client: BaseClient, operation: str, key: str, vpc_id: str, *, option: str = "Filters"
) -> list[Described]:
    """Return what a call describes of a VPC, page by page."""
    pages = client.get_paginator(operation).paginate(
        **{option: [{"Name": "vpc-id", "Values": [vpc_id]}]}
    )
    return [each for page in pages for each in page.get(key, [])]


def _name(described: Described) -> str:
    tags = described.get("Tags") or described.get("TagSet") or []
    return next((str(each["Value"]) for each in tags if each["Key"] == "Name"), "")


def _cidrs(vpc: Described) -> tuple[str, ...]:
    blocks = [
        str(each["CidrBlock"])
        for each in vpc.get("CidrBlockAssociationSet", [])
        if each.get("CidrBlockState", {}).get("State") == "associated"
    ]
    return tuple(blocks) or (str(vpc["CidrBlock"]),)


def _route_table(table: Described) -> RouteTable:
    associations = table.get("Associations", [])
    routes = [
        Route(
            destination=each.get("DestinationCidrBlock") or each.get("DestinationPrefixListId", ""),
            target=next((str(each[name]) for name in _TARGETS if each.get(name)), ""),
            state=each.get("State", "active"),
            is_propagated=each.get("Origin") == "EnableVgwRoutePropagation",
        )
        for each in table.get("Routes", [])
        if not each.get("DestinationIpv6CidrBlock")
    ]
    return RouteTable(
        id=table["RouteTableId"],
        name=_name(table),
        is_main=any(each.get("Main") for each in associations),
        subnets=tuple(each["SubnetId"] for each in associations if each.get("SubnetId")),
        routes=tuple(routes),
    )


def _subnet(subnet: Described, tables: tuple[RouteTable, ...]) -> Subnet:
    number = subnet["SubnetId"]
    tables = tuple(each for each in tables if number in each.subnets) or tuple(
        each for each in tables if each.is_main
    )
    targets = [route.target for each in tables for route in each.routes]
    leads_out = any(target.startswith(INTERNET_GATEWAY) for target in targets)
    kind: Literal["public", "private"] = "public" if leads_out else "private"
    return Subnet(number, _name(subnet), subnet["CidrBlock"], subnet["AvailabilityZone"], kind)


def _groups(client: BaseClient, vpc_id: str) -> tuple[SecurityGroup, ...]:
    """Return the security groups; DescribeSecurityGroups itself gives no ids of rules."""
    groups = _all(client, "describe_security_groups", "SecurityGroups", vpc_id)
    rules: dict[str, list[Rule]] = {each["GroupId"]: [] for each in groups}
    ids = list(rules)
    for start in range(0, len(ids), _VALUES):
        values = ids[start : start + _VALUES]
        pages = client.get_paginator("describe_security_group_rules").paginate(
            Filters=[{"Name": "group-id", "Values": values}]
        )
        for page in pages:
            for each in page["SecurityGroupRules"]:
                if (rule := _rule(each)) is not None:
                    rules[each["GroupId"]].append(rule)
    return tuple(
        SecurityGroup(
            id=each["GroupId"],
            name=each["GroupName"],
            description=each.get("Description", ""),
            rules=tuple(rules[each["GroupId"]]),
        )
        for each in groups
    )


def _rule(rule: Described) -> Rule | None:
    peer = (
        rule.get("CidrIpv4")
        or rule.get("PrefixListId")
        or rule.get("ReferencedGroupInfo", {}).get("GroupId")
    )
    if not peer:
        return None
    protocol = _protocol(rule["IpProtocol"])
    first, last = int(rule.get("FromPort", -1)), int(rule.get("ToPort", -1))
    has_ports = protocol != "all" and first >= 0
    return Rule(
        id=rule["SecurityGroupRuleId"],
        is_egress=rule["IsEgress"],
        protocol=protocol,
        ports=(first, last) if has_ports else None,
        peer=str(peer),
        description=rule.get("Description", ""),
    )


def _acl(acl: Described) -> NetworkAcl:
    entries = [
        AclEntry(
            number=int(each["RuleNumber"]),
            is_egress=each["Egress"],
            action=each["RuleAction"],
            protocol=_protocol(each["Protocol"]),
            cidr=each["CidrBlock"],
            ports=_acl_ports(each),
        )
        for each in acl.get("Entries", [])
        if each.get("CidrBlock")
    ]
    return NetworkAcl(
        id=acl["NetworkAclId"],
        name=_name(acl),
        is_default=acl["IsDefault"],
        subnets=tuple(each["SubnetId"] for each in acl.get("Associations", [])),
        entries=tuple(sorted(entries, key=lambda each: (each.is_egress, each.number))),
    )


def _acl_ports(entry: Described) -> Ports:
    ports = entry.get("PortRange") or {}
    if _protocol(entry["Protocol"]) == "all" or ports.get("From") is None:
        return None
    return int(ports["From"]), int(ports["To"])


def _protocol(protocol: str) -> str:
    return _PROTOCOLS.get(str(protocol), str(protocol))


def _hosts(client: BaseClient, vpc_id: str, subnets: Set[str]) -> tuple[Host, ...]:
    """Return the VPC's instances; one that is terminated has no subnet any more."""
    return tuple(
        _host(instance)
        for reservation in _all(client, "describe_instances", "Reservations", vpc_id)
        for instance in reservation["Instances"]
        if instance.get("SubnetId", "") in subnets and instance["State"]["Name"] != "terminated"
    )


def _host(instance: Described) -> Host:
    primary = [
        each
        for each in instance.get("NetworkInterfaces", [])
        if each.get("Attachment", {}).get("DeviceIndex") == 0
    ]
    groups = primary[0]["Groups"] if primary else instance.get("SecurityGroups", [])
    return Host(
        id=instance["InstanceId"],
        name=_name(instance),
        state=instance["State"]["Name"],
        key_name=instance.get("KeyName", ""),
        subnet=instance["SubnetId"],
        address=instance["PrivateIpAddress"],
        public_address=instance.get("PublicIpAddress") or None,
        groups=tuple(each["GroupId"] for each in groups),
    )


def _interfaces(client: BaseClient, vpc_id: str, subnets: Set[str]) -> tuple[Interface, ...]:
    return tuple(
        Interface(
            id=each["NetworkInterfaceId"],
            subnet=each["SubnetId"],
            address=each["PrivateIpAddress"],
            public_address=each.get("Association", {}).get("PublicIp"),
            groups=tuple(group["GroupId"] for group in each.get("Groups", [])),
            kind=each.get("InterfaceType", "interface"),
            description=each.get("Description", ""),
        )
        for each in _all(client, "describe_network_interfaces", "NetworkInterfaces", vpc_id)
        if each.get("SubnetId", "") in subnets and each.get("PrivateIpAddress")
    )


def _internet_gateways(client: BaseClient, vpc_id: str) -> tuple[InternetGateway, ...]:
    pages = client.get_paginator("describe_internet_gateways").paginate(
        Filters=[{"Name": "attachment.vpc-id", "Values": [vpc_id]}]
    )
    return tuple(
        InternetGateway(each["InternetGatewayId"], attachment["State"])
        for page in pages
        for each in page["InternetGateways"]
        for attachment in each["Attachments"]
    )


def _nat_gateways(client: BaseClient, vpc_id: str) -> tuple[NatGateway, ...]:
    found = _all(client, "describe_nat_gateways", "NatGateways", vpc_id, option="Filter")
    return tuple(
        NatGateway(
            id=each["NatGatewayId"],
            name=_name(each),
            # A regional one has none: "NatGateway" (Amazon EC2 API Reference), 2026-11-21.
            subnet=each.get("SubnetId"),
            state=each["State"],
            address=next((it.get("PrivateIp", "") for it in _addresses(each)), ""),
            public_address=next(
                (it["PublicIp"] for it in _addresses(each) if it.get("PublicIp")), None
            ),
        )
        for each in found
        if each["State"] != "deleted"
    )


def _addresses(nat: Described) -> list[Described]:
    return list(nat.get("NatGatewayAddresses", []))


def _gateway_endpoints(client: BaseClient, vpc_id: str) -> tuple[GatewayEndpoint, ...]:
    return tuple(
        GatewayEndpoint(
            id=each["VpcEndpointId"],
            service=each["ServiceName"],
            state=each["State"],
            route_tables=tuple(each.get("RouteTableIds", [])),
        )
        for each in _all(client, "describe_vpc_endpoints", "VpcEndpoints", vpc_id)
        if each.get("VpcEndpointType", "Gateway") == "Gateway" and each["VpcId"] == vpc_id
    )


def _connect_endpoints(client: BaseClient, vpc_id: str) -> tuple[ConnectEndpoint, ...]:
    key = "InstanceConnectEndpoints"
    return tuple(
        ConnectEndpoint(
            id=each["InstanceConnectEndpointId"],
            subnet=each["SubnetId"],
            state=each["State"],
            groups=tuple(each.get("SecurityGroupIds", [])),
            interfaces=tuple(each.get("NetworkInterfaceIds", [])),
        )
        for each in _all(client, "describe_instance_connect_endpoints", key, vpc_id)
        if not each["State"].startswith("delete-complete")
    )


def _prefix_lists(
    client: BaseClient, tables: tuple[RouteTable, ...], groups: tuple[SecurityGroup, ...]
) -> tuple[PrefixList, ...]:
    """Return the prefix lists that routes and rules name, and those of the two services."""
    peers = {rule.peer for each in groups for rule in each.rules}
    peers |= {route.destination for each in tables for route in each.routes}
    named = sorted(each for each in peers if each.startswith("pl-"))
    services = [f"com.amazonaws.{client.meta.region_name}.{each}" for each in SERVICES]
    found: dict[str, PrefixList] = {}
    for name, values in (("prefix-list-name", services), ("prefix-list-id", named)):
        for start in range(0, len(values), _VALUES):
            wanted = {"Name": name, "Values": values[start : start + _VALUES]}
            pages = client.get_paginator("describe_managed_prefix_lists").paginate(Filters=[wanted])
            for each in (each for page in pages for each in page["PrefixLists"]):
                id_, its_name = each["PrefixListId"], each["PrefixListName"]
                # Looked at again because the local cloud does not filter its own lists by id.
                asked = id_ in named or its_name in services
                if asked and id_ not in found and each["AddressFamily"] == "IPv4":
                    found[id_] = PrefixList(id_, its_name, _entries(client, each))
    return tuple(found.values())


def _entries(client: BaseClient, prefix_list: Described) -> tuple[str, ...]:
    pages = client.get_paginator("get_managed_prefix_list_entries").paginate(
        PrefixListId=prefix_list["PrefixListId"]
    )
    return tuple(each["Cidr"] for page in pages for each in page["Entries"])

"""A network as the stack makes it, and how to change one thing of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from odyssey_cli.flows.network.topology import (
    AclEntry,
    ConnectEndpoint,
    GatewayEndpoint,
    Host,
    Interface,
    InternetGateway,
    NatGateway,
    Network,
    NetworkAcl,
    PrefixList,
    Route,
    RouteTable,
    Rule,
    SecurityGroup,
    Subnet,
)

ALLOWED, STRANGER = "203.0.113.7", "203.0.113.8"
PUBLIC, PRIVATE = "i-0aaaaaaaaaaaaaaaa", "i-0bbbbbbbbbbbbbbbb"
DOOR = "eice-0cccccccccccccccc"
LOCAL = Route("10.0.0.0/16", "local")
OUT = Route("0.0.0.0/0", "igw-1")
TO_S3, TO_DYNAMODB = Route("pl-s3", "vpce-s3"), Route("pl-dynamodb", "vpce-dynamodb")
HTTPS_OUT = Rule("sgr-https", is_egress=True, protocol="tcp", ports=(443, 443), peer="0.0.0.0/0")
SSH_IN = Rule("sgr-ssh", False, "tcp", (22, 22), f"{ALLOWED}/32", "somebody's own address")
EVERYBODY_IN = Rule("sgr-all", False, "tcp", (22, 22), "0.0.0.0/0")
FROM_DOOR = Rule("sgr-door", False, "tcp", (22, 22), "sg-door")
FROM_PUBLIC = Rule("sgr-public", False, "tcp", (22, 22), "sg-public")
SSH_OUT = Rule("sgr-out", True, "tcp", (22, 22), "sg-private")
NAT = NatGateway("nat-1", "Nat", "subnet-public", "available", "10.0.0.20", "198.51.100.20")


def allow(number: int, cidr: str = "0.0.0.0/0", **more: Any) -> AclEntry:
    """Return an inbound entry for everything, but for what is said."""
    return AclEntry(**({"number": number, "is_egress": False, "action": "allow",
                        "protocol": "all", "cidr": cidr} | more))  # fmt: skip


def deny(number: int, cidr: str = "0.0.0.0/0", **more: Any) -> AclEntry:
    """Return an inbound entry against everything, but for what is said."""
    return allow(number, cidr, **({"action": "deny"} | more))


def acl(id: str, *subnets: str, entries: tuple[AclEntry, ...] = (), default: bool = False) -> Any:
    """Return an ACL with AWS's default entries, or others."""
    usual = (allow(100), deny(32767), allow(100, is_egress=True), deny(32767, is_egress=True))
    return NetworkAcl(id, "", default, subnets, entries or usual)


def network() -> Network:
    """Return a network in one zone with a host in each subnet, SSH open to one address."""
    return Network(
        id="vpc-1",
        name="Network/Vpc",
        cidrs=("10.0.0.0/16",),
        subnets=(
            Subnet("subnet-public", "Public", "10.0.0.0/20", "eu-north-1a", "public"),
            Subnet("subnet-private", "Private", "10.0.32.0/20", "eu-north-1a", "private"),
        ),
        route_tables=(
            RouteTable("rtb-main", "", True, (), (LOCAL,)),
            RouteTable(
                "rtb-public", "", False, ("subnet-public",), (LOCAL, OUT, TO_S3, TO_DYNAMODB)
            ),
            RouteTable("rtb-private", "", False, ("subnet-private",), (LOCAL, TO_S3, TO_DYNAMODB)),
        ),
        groups=(
            SecurityGroup("sg-default", "default", "", ()),
            SecurityGroup("sg-public", "Public", "of the public host", (HTTPS_OUT, SSH_IN)),
            SecurityGroup("sg-private", "Private", "of the private host", (HTTPS_OUT, FROM_DOOR)),
            SecurityGroup("sg-door", "Door", "of the endpoint", (SSH_OUT,)),
        ),
        acls=(acl("acl-1", "subnet-public", "subnet-private", default=True),),
        hosts=(
            Host(PUBLIC, "Host", "running", "key", "subnet-public", "10.0.0.10", "198.51.100.10",
                 ("sg-public",)),
            Host(PRIVATE, "PrivateHost", "running", "key", "subnet-private", "10.0.32.10", None,
                 ("sg-private",)),
        ),
        interfaces=(
            Interface("eni-door", "subnet-private", "10.0.32.30", None, ("sg-door",),
                      "ec2_instance_connect_endpoint"),
        ),
        internet_gateways=(InternetGateway("igw-1", "available"),),
        gateway_endpoints=(
            GatewayEndpoint("vpce-s3", "com.amazonaws.eu-north-1.s3", "available",
                            ("rtb-public", "rtb-private")),
            GatewayEndpoint("vpce-dynamodb", "com.amazonaws.eu-north-1.dynamodb", "available",
                            ("rtb-public", "rtb-private")),
        ),
        prefix_lists=(
            PrefixList("pl-s3", "com.amazonaws.eu-north-1.s3", ("3.5.216.0/22", "16.12.10.0/23")),
            PrefixList("pl-dynamodb", "com.amazonaws.eu-north-1.dynamodb", ("52.94.0.0/22",)),
        ),
        connect_endpoints=(
            ConnectEndpoint(DOOR, "subnet-private", "create-complete", ("sg-door",),
                            ("eni-door",)),
        ),
    )  # fmt: skip


def changed(of: Network, part: str, id: str, **fields: Any) -> Network:
    """Return a network in which one thing differs, e.g. `hosts`, `i-…`, state="stopped"."""
    parts = getattr(of, part)
    assert [each.id for each in parts].count(id) == 1
    new = tuple(replace(each, **fields) if each.id == id else each for each in parts)
    return replace(of, **{part: new})


def with_rules(group: str, *rules: Rule, of: Network | None = None) -> Network:
    """Return a network in which a security group has just these rules."""
    return changed(of or network(), "groups", group, rules=rules)


def with_routes(table: str, *routes: Route, of: Network | None = None) -> Network:
    """Return a network in which a route table has just these routes."""
    return changed(of or network(), "route_tables", table, routes=routes)


def with_entries(*entries: AclEntry, subnet: str = "subnet-public") -> Network:
    """Return a network in which a subnet has an ACL of its own, open but for these entries."""
    usual = (allow(1000), allow(1000, is_egress=True), deny(32767), deny(32767, is_egress=True))
    own = acl("acl-own", subnet, entries=(*entries, *usual))
    rest = [name for name in ("subnet-public", "subnet-private") if name != subnet]
    return replace(network(), acls=(acl("acl-1", *rest, default=True), own))


def with_nat(nat: NatGateway = NAT) -> Network:
    """Return a network whose private subnet leads to a NAT gateway."""
    routes = (LOCAL, TO_S3, TO_DYNAMODB, Route("0.0.0.0/0", nat.id))
    return replace(with_routes("rtb-private", *routes), nat_gateways=(nat,))

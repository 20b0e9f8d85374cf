"""What a VPC consists of, as far as it decides where a packet goes. IPv4 only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from odyssey_cli.flows.network.addresses import Addresses

# None is every port.
Ports = tuple[int, int] | None
INTERNET_GATEWAY = "igw-"
# Those that have gateway endpoints, and prefix lists of AWS's own.
SERVICES = ("s3", "dynamodb")
# What there is to say of a NAT gateway without a subnet: `reach` knows none of its route table,
# which AWS makes ("Regional NAT gateways", Amazon VPC User Guide, 2026-11-21).
REGIONAL = "a regional NAT gateway, at which this does not look; Reachability Analyzer does"


@dataclass(frozen=True)
class Subnet:
    """A subnet; `kind` is public when its route table leads to an internet gateway."""

    id: str
    name: str
    cidr: str
    zone: str
    kind: Literal["public", "private"]


@dataclass(frozen=True)
class Route:
    """A route: from `destination`, a CIDR block or a prefix list's id, to `target`'s id."""

    destination: str
    target: str
    state: str = "active"
    is_propagated: bool = False


@dataclass(frozen=True)
class RouteTable:
    """A route table and the ids of the subnets that name it; the main one has the others."""

    id: str
    name: str
    is_main: bool
    subnets: tuple[str, ...]
    routes: tuple[Route, ...]


@dataclass(frozen=True)
class Rule:
    """A rule of a security group.

    Attributes:
        protocol: `tcp`, `udp`, another's name or number, or `all`.
        peer: who is let in, or may be gone to: a CIDR block, a group's id or a prefix list's id.
    """

    id: str
    is_egress: bool
    protocol: str
    ports: Ports
    peer: str
    description: str = ""


@dataclass(frozen=True)
class SecurityGroup:
    """A security group with its rules."""

    id: str
    name: str
    description: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class AclEntry:
    """A numbered entry of a network ACL; the one that nobody can remove is 32767."""

    number: int
    is_egress: bool
    action: Literal["allow", "deny"]
    protocol: str
    cidr: str
    ports: Ports = None


@dataclass(frozen=True)
class NetworkAcl:
    """A network ACL and the ids of its subnets."""

    id: str
    name: str
    is_default: bool
    subnets: tuple[str, ...]
    entries: tuple[AclEntry, ...]


@dataclass(frozen=True)
class Interface:
    """A network interface; `kind` is AWS's name for what it is for, e.g. `nat_gateway`."""

    id: str
    subnet: str
    address: str
    public_address: str | None
    groups: tuple[str, ...]
    kind: str
    description: str = ""


@dataclass(frozen=True)
class Host:
    """An EC2 instance, by its primary network interface."""

    id: str
    name: str
    state: str
    key_name: str
    subnet: str
    address: str
    public_address: str | None
    groups: tuple[str, ...]


@dataclass(frozen=True)
class InternetGateway:
    """An internet gateway, and the state of its attachment to the VPC."""

    id: str
    state: str


@dataclass(frozen=True)
class NatGateway:
    """A NAT gateway; without a public address it leads to other private networks only.

    A regional one has no subnet, and is none of those that `reach` looks at.
    """

    id: str
    name: str
    subnet: str | None
    state: str
    address: str
    public_address: str | None


@dataclass(frozen=True)
class GatewayEndpoint:
    """A gateway endpoint of S3 or DynamoDB; routes to a prefix list lead to it."""

    id: str
    service: str
    state: str
    route_tables: tuple[str, ...]


@dataclass(frozen=True)
class PrefixList:
    """A named list of CIDR blocks."""

    id: str
    name: str
    cidrs: tuple[str, ...]


@dataclass(frozen=True)
class ConnectEndpoint:
    """An EC2 Instance Connect Endpoint."""

    id: str
    subnet: str
    state: str
    groups: tuple[str, ...]
    interfaces: tuple[str, ...]


@dataclass(frozen=True)
class Network:
    """A VPC and everything in it that decides where a packet goes."""

    id: str
    name: str
    cidrs: tuple[str, ...]
    subnets: tuple[Subnet, ...] = ()
    route_tables: tuple[RouteTable, ...] = ()
    groups: tuple[SecurityGroup, ...] = ()
    acls: tuple[NetworkAcl, ...] = ()
    hosts: tuple[Host, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    internet_gateways: tuple[InternetGateway, ...] = ()
    nat_gateways: tuple[NatGateway, ...] = ()
    gateway_endpoints: tuple[GatewayEndpoint, ...] = ()
    prefix_lists: tuple[PrefixList, ...] = ()
    connect_endpoints: tuple[ConnectEndpoint, ...] = ()

    def host(self, id: str) -> Host | None:
        """Return the host with an id."""
        return next((each for each in self.hosts if each.id == id), None)

    def subnet(self, id: str) -> Subnet:
        """Return the subnet with an id; a KeyError says that the VPC has none."""
        for each in self.subnets:
            if each.id == id:
                return each
        raise KeyError(id)

    def group(self, id: str) -> SecurityGroup | None:
        """Return the security group with an id."""
        return next((each for each in self.groups if each.id == id), None)

    def table_of(self, subnet: str) -> RouteTable:
        """Return the route table of a subnet: the one that it names, else the VPC's main one."""
        named = [each for each in self.route_tables if subnet in each.subnets]
        main = [each for each in self.route_tables if each.is_main]
        return (named + main)[0]

    def acl_of(self, subnet: str) -> NetworkAcl:
        """Return the network ACL of a subnet: each has exactly one."""
        named = [each for each in self.acls if subnet in each.subnets]
        default = [each for each in self.acls if each.is_default]
        return (named + default)[0]

    def in_subnets(self, kind: Literal["public", "private"]) -> list[Subnet]:
        """Return the subnets of a kind, in the order of their zones."""
        found = [each for each in self.subnets if each.kind == kind]
        return sorted(found, key=lambda each: (each.zone, each.cidr))

    def prefix_list_of(self, service: str) -> PrefixList | None:
        """Return AWS's prefix list of `s3` or `dynamodb` in the VPC's region."""
        for each in self.prefix_lists:
            if each.name.startswith("com.amazonaws.") and each.name.split(".")[3:] == [service]:
                return each
        return None

    def addresses_of(self, name: str) -> Addresses:
        """Return the addresses of a CIDR block, or of a prefix list by its id."""
        if not name.startswith("pl-"):
            return Addresses.of(name)
        cidrs = [cidr for each in self.prefix_lists if each.id == name for cidr in each.cidrs]
        return Addresses.of(*cidrs)

    @property
    def own(self) -> Addresses:
        """Every address of the VPC."""
        return Addresses.of(*self.cidrs)

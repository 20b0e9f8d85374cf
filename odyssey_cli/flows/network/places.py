"""Who is meant by the names that `reach` takes."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING, Literal

from odyssey_cli.flows.network.addresses import EVERY, NOT_ON_THE_INTERNET, Addresses
from odyssey_cli.flows.network.checks import EPHEMERAL, LINUX_EPHEMERAL
from odyssey_cli.flows.network.topology import REGIONAL, SERVICES

if TYPE_CHECKING:
    from odyssey_cli.flows.network.topology import Host, Network, Subnet

# As "DescribeNetworkInterfaces" spells it (its filter interface-type), and as "NetworkInterface"
# does: Amazon EC2 API Reference, 2026-11-21.
_NAT = ("nat_gateway", "natGateway")
NAMES = "internet, public, private, an instance's id, or an IPv4 address"


class UnknownPlace(ValueError):  # noqa: N818 - reads as the statement it is
    """The name is nobody's; the text says what there is."""


@dataclass(frozen=True)
class Place:
    """One end of a connection.

    Attributes:
        name: as a sentence calls it.
        addresses: that packets carry: in the VPC the private one; of somebody who does not exist
            yet, or of everybody, all that it could be.
        id: of an instance, or whatever else it is.
        subnet: id; None outside of the VPC.
        groups: ids of the security groups; None if nobody knows them.
        public_address: that the internet gateway translates.
        by_public_address: whether it was named by that address.
        state: an instance's.
        note: what a reader should know about the choice.
        client_ports: those of its own from which it calls, and to which answers come.
        is_nat: whether it is a NAT gateway, which nobody can call.
    """

    name: str
    addresses: Addresses
    id: str = ""
    subnet: str | None = None
    groups: tuple[str, ...] | None = None
    public_address: str | None = None
    by_public_address: bool = False
    state: str = "running"
    note: str = ""
    client_ports: tuple[int, int] = EPHEMERAL
    is_nat: bool = False


def find(network: Network, name: str) -> Place:
    """Return whom a name means.

    Args:
        network: where to look.
        name: `internet`; `public` or `private`, the host there; `s3` or `dynamodb`; the id of an
            instance or of an EC2 Instance Connect Endpoint; an IPv4 address.

    Raises:
        UnknownPlace: nobody.
    """
    if name == "internet":
        return Place("the internet", _internet(network))
    if name in ("public", "private"):
        return _in_subnets(network, "public" if name == "public" else "private")
    if name in SERVICES:
        return _service(network, name)
    if name.startswith("i-"):
        host = network.host(name)
        if host is None:
            known = ", ".join(each.id for each in network.hosts) or "none"
            raise UnknownPlace(f"There is no instance {name} in {network.id}; there is: {known}.")
        return of_host(host)
    if name.startswith("eice-"):
        return _connect_endpoint(network, name)
    try:
        return _at(network, str(IPv4Address(name)))
    except AddressValueError:
        raise UnknownPlace(f"{name!r} is none of: {NAMES}.") from None


def of_host(host: Host, *, by_public_address: bool = False) -> Place:
    """Return a host as one end of a connection."""
    return Place(
        name=f"host {host.id} ({host.address})",
        addresses=Addresses.of(host.address),
        id=host.id,
        subnet=host.subnet,
        groups=host.groups,
        public_address=host.public_address,
        by_public_address=by_public_address,
        state=host.state,
        client_ports=LINUX_EPHEMERAL,
    )


def _internet(network: Network) -> Addresses:
    # What S3 or DynamoDB send themselves is answered through the endpoint: no part of the question.
    services = Addresses()
    for table in network.route_tables:
        for route in table.routes:
            if route.target.startswith("vpce-"):
                services |= network.addresses_of(route.destination)
    return EVERY - NOT_ON_THE_INTERNET - network.own - services


def _in_subnets(network: Network, kind: Literal["public", "private"]) -> Place:
    subnets = network.in_subnets(kind)
    if not subnets:
        raise UnknownPlace(f"{network.id} has no {kind} subnet.")
    ids = [each.id for each in subnets]
    hosts = sorted(
        (each for each in network.hosts if each.subnet in ids),
        key=lambda each: (each.state != "running", ids.index(each.subnet), each.id),
    )
    return of_host(hosts[0]) if hosts else _anybody(subnets[0])


def _anybody(subnet: Subnet, address: str | None = None) -> Place:
    who = f"{address} in {subnet.id}" if address else f"any host in {subnet.id} ({subnet.cidr})"
    return Place(
        name=who,
        addresses=Addresses.of(address or subnet.cidr),
        id=subnet.id,
        subnet=subnet.id,
        client_ports=LINUX_EPHEMERAL,
        note=f"There is no host{' at ' + address if address else ''} in the {subnet.kind} subnet "
        f"{subnet.id}: this is what its route table and ACL mean for any host there. Security "
        "groups come with the host.",
    )


def _service(network: Network, service: str) -> Place:
    found = network.prefix_list_of(service)
    if found is None or not found.cidrs:
        raise UnknownPlace(f"Nobody knows the addresses of {service}: it has no prefix list here.")
    name = "Amazon S3" if service == "s3" else "Amazon DynamoDB"
    return Place(f"{name} ({found.id})", Addresses.of(*found.cidrs), id=found.id)


def _connect_endpoint(network: Network, name: str) -> Place:
    for each in network.connect_endpoints:
        if each.id == name:
            cidr = network.subnet(each.subnet).cidr
            own = [it.address for it in network.interfaces if it.id in each.interfaces]
            state = "running" if each.state == "create-complete" else each.state
            return Place(
                name=f"Instance Connect Endpoint {name}",
                addresses=Addresses.of(*own or [cidr]),
                id=name,
                subnet=each.subnet,
                groups=each.groups,
                state=state,
            )
    raise UnknownPlace(f"There is no Instance Connect Endpoint {name} in {network.id}.")


def _at(network: Network, address: str) -> Place:
    for host in network.hosts:
        if address in (host.address, host.public_address):
            return of_host(host, by_public_address=address == host.public_address)
    for interface in network.interfaces:
        if address in (interface.address, interface.public_address):
            return Place(
                name=f"interface {interface.id} ({interface.address})",
                addresses=Addresses.of(interface.address),
                id=interface.id,
                subnet=interface.subnet,
                groups=interface.groups,
                public_address=interface.public_address,
                by_public_address=address == interface.public_address,
                is_nat=interface.kind in _NAT,
            )
    for nat in network.nat_gateways:
        if nat.subnet is None and address == nat.public_address:
            raise UnknownPlace(f"{address} is of {nat.id}, {REGIONAL}.")
    if address not in network.own:
        return Place(address, Addresses.of(address))
    for subnet in network.subnets:
        if address in Addresses.of(subnet.cidr):
            return _anybody(subnet, address)
    raise UnknownPlace(f"{address} is of {network.id}, but of none of its subnets.")

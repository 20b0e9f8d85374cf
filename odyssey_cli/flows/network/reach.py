"""Says whether a packet gets through a network, and what decides it.

It reasons from what is deployed and sends nothing. Sources, all of 2026-11-21. Amazon VPC User
Guide: "How route priority works"; "Enable internet access for a VPC using an internet gateway"
(a public address and a route, both ways); "NAT gateway basics"; "Security group rules" (stateful:
the answer passes unasked); "Network ACL rules" (numbered, the first that fits decides; stateless:
the answer is asked as well; what stays in a subnet is not); "Ephemeral ports" in "Network ACLs"
(to which port of the client it goes). AWS PrivateLink Guide: "Gateway endpoints". Amazon EC2 User
Guide: "Security groups for EC2 Instance Connect Endpoint".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from odyssey_cli.flows.network.checks import pieces, spelt
from odyssey_cli.flows.network.places import Place, find
from odyssey_cli.flows.network.walk import Hop, Stopped, Walk, follow

if TYPE_CHECKING:
    from odyssey_cli.flows.network.addresses import Addresses
    from odyssey_cli.flows.network.topology import Network

NOT_LOOKED_AT = (
    "whether a process listens on the host",
    "the host's own firewall",
    "names (DNS)",
    "policies of endpoints and of IAM",
    "IPv6",
)


@dataclass(frozen=True)
class Clients:
    """Some of the clients on the internet.

    Attributes:
        ports: ranges of their own ports, e.g. `32768-65535`, to which answers come through.
        addresses: CIDR blocks; none if all that were asked about.
    """

    ports: tuple[str, ...]
    addresses: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """As a sentence calls them."""
        said = f"for clients that use ports {', '.join(self.ports)}"
        return f"from {', '.join(self.addresses)} {said}" if self.addresses else said


@dataclass(frozen=True)
class Verdict:
    """What came of it.

    Attributes:
        source: as a sentence calls it.
        destination: as a sentence calls it.
        port: that was asked about.
        protocol: `tcp` or `udp`.
        gets_through: whether packets of all addresses that were asked about do, and the answers.
        decided_by: the hop that decides, in words.
        hops: in the order of the packet, up to the one that decides.
        only_from: CIDR blocks from which it would get through, if not from all.
        only_to: CIDR blocks to which it would, if not to all.
        only_for: clients for which it would, because entries allow answers to some ports only.
        notes: what a reader should know about who was asked about.
    """

    source: str
    destination: str
    port: int
    protocol: str
    gets_through: bool
    decided_by: str
    hops: tuple[Hop, ...]
    only_from: tuple[str, ...] = ()
    only_to: tuple[str, ...] = ()
    only_for: tuple[Clients, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The answer."""
        said = f"{self.protocol} {self.port} from {self.source} to {self.destination} "
        said += "gets through" if self.gets_through else "does not get through"
        some = [f"from {', '.join(self.only_from)}"] if self.only_from else []
        some += [each.text for each in self.only_for]
        if some:
            said += f", only {' and '.join(some)}"
        if self.only_to:
            said += f", only to {', '.join(self.only_to)}"
        return f"{said}."


def reach(
    network: Network, source: str, destination: str, port: int, protocol: str = "tcp"
) -> Verdict:
    """Say whether packets get from `source` to a port of `destination`, and answers back.

    Args:
        network: as it is deployed.
        source: see `places.find`.
        destination: see `places.find`.
        port: 1 to 65535.
        protocol: `tcp` or `udp`.

    Raises:
        UnknownPlace: a name is nobody's.
        ValueError: the question makes no sense; the text says why.
    """
    start, end = find(network, source), find(network, destination)
    if start.subnet is None and end.subnet is None:
        raise ValueError(f"Neither {start.name} nor {end.name} is in {network.id}.")
    if start == replace(end, by_public_address=start.by_public_address):
        raise ValueError(f"{start.name} is both ends: that packet never leaves it.")
    walk = Walk(network, port, protocol)
    some_get_through = _followed(walk, start, end)
    decider = walk.decider or _telling(walk.hops, end)
    return Verdict(
        source=start.name,
        destination=end.name,
        port=port,
        protocol=protocol,
        gets_through=walk.decider is None,
        decided_by=f"{decider.looked_at}: {decider.found}",
        hops=tuple(walk.hops),
        only_from=_part(walk, start) if some_get_through else (),
        only_to=_part(walk, end) if some_get_through else (),
        only_for=_only_for(walk, start, end, walk.left(start) if some_get_through else None),
        notes=tuple(each.note for each in (start, end) if each.note),
    )


def _followed(walk: Walk, start: Place, end: Place) -> bool:
    try:
        follow(walk, start, end)
    except Stopped:
        return False
    return True


def _only_for(
    walk: Walk, start: Place, end: Place, with_any: Addresses | None
) -> tuple[Clients, ...]:
    """Return who gets through by answers to some ports only; of our own hosts the ports are known.

    Args:
        walk: with all the ports that clients may use.
        start: the client.
        end: the destination.
        with_any: the client's addresses that get through whatever port they use.
    """
    if start.subnet is not None or end.subnet is None or walk.decider is None:
        return ()
    found: dict[Addresses, list[tuple[int, int]]] = {}
    # Each piece fits an entry or does not, so that there is one answer for all of its ports.
    for first, last in pieces(walk.network.acl_of(end.subnet).entries, start.client_ports):
        client = replace(start, client_ports=(first, last))
        again = walk.anew()
        through = again.left(client) if _followed(again, client, end) else None
        if through and through != with_any:
            ranges = found.setdefault(through, [])
            continues = ranges and ranges[-1][1] + 1 == first
            ranges.append((ranges.pop()[0] if continues else first, last))
    return tuple(
        Clients(tuple(map(spelt, ranges)), () if each == start.addresses else each.cidrs)
        for each, ranges in found.items()
    )


def _part(walk: Walk, place: Place) -> tuple[str, ...]:
    left = walk.left(place)
    return () if left == place.addresses else left.cidrs


def _telling(hops: list[Hop], end: Place) -> Hop:
    """Return what a learner should know of a packet that gets through: who let it in, or its route.

    Of two routes, that of a NAT gateway's subnet is the less surprising one.
    """
    if end.subnet is not None:
        groups = [each for each in hops if each.kind == "security group" and each.id]
        if groups:
            return groups[-1]
    return next(each for each in hops if each.kind == "route")

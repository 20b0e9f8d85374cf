"""What one route table, network ACL or set of security groups does to a set of packets.

Sources, all of 2026-11-21. Amazon VPC User Guide: "How route priority works"; "Control subnet
traffic with network access control lists" and "Network ACL rules"; "Security group rules".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from odyssey_cli.flows.network.addresses import Addresses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from odyssey_cli.flows.network.topology import (
        AclEntry,
        Network,
        NetworkAcl,
        Ports,
        Route,
        RouteTable,
        Rule,
    )

# A client's own port, to which answers go, by who the client is: "Ephemeral ports" in "Network
# ACLs" (Amazon VPC User Guide), 2026-11-21. Of clients that nobody knows it is any of these, which
# are a NAT gateway's, too.
EPHEMERAL = (1024, 65535)
# Amazon Linux's. That page says 61000 for the last, as kernels did before 4.2; since then it is
# 60999: ip_local_port_range in "IP Sysctl" (The Linux Kernel documentation), 2026-11-21.
LINUX_EPHEMERAL = (32768, 60999)
_LAST_ENTRY = 32767


@dataclass(frozen=True)
class Traffic:
    """Packets of a protocol to some ports, to or from some addresses."""

    peer: Addresses
    ports: tuple[int, int]
    protocol: str

    @property
    def text(self) -> str:
        """E.g. `tcp 22`."""
        return f"{self.protocol} {spelt(self.ports)}"


@dataclass(frozen=True)
class Found:
    """What came of it.

    Attributes:
        passed: the addresses for which the packets go on.
        by: what decided, in words.
        id: its id.
    """

    passed: Addresses
    by: str
    id: str


def spelt(ports: Ports) -> str:
    """Return ports as people write them."""
    if ports is None:
        return "all ports"
    first, last = ports
    return str(first) if first == last else f"{first}-{last}"


def routed(
    network: Network, table: RouteTable, peer: Addresses
) -> list[tuple[Route | None, Addresses]]:
    """Return which of the addresses take which route, and last which of them have none.

    The longest prefix wins; among equals a static route to a CIDR block comes before one to a
    prefix list, and that before a propagated one ("How route priority works").
    """
    ways = [
        (Addresses.of(cidr), int(cidr.partition("/")[2]), _rank(route), route)
        for route in table.routes
        for cidr in _cidrs(network, route.destination)
    ]
    ways.sort(key=lambda way: (-way[1], way[2]))
    found: dict[Route | None, Addresses] = {}
    left = peer
    for block, _, _, route in ways:
        if part := left & block:
            found[route] = found.get(route, Addresses()) | part
            left -= part
    if left:
        found[None] = left
    return list(found.items())


def _cidrs(network: Network, destination: str) -> Iterable[str]:
    if not destination.startswith("pl-"):
        return (destination,)
    # Not as a set, in which neighbours are one block with a shorter prefix.
    return [cidr for each in network.prefix_lists if each.id == destination for cidr in each.cidrs]


def _rank(route: Route) -> int:
    if route.is_propagated:
        return 2
    return 1 if route.destination.startswith("pl-") else 0


def through_acl(acl: NetworkAcl, traffic: Traffic, *, is_egress: bool) -> Found:
    """Return what a network ACL lets pass: the entry with the lowest number that fits decides.

    Of several ports, all have to pass.
    """
    entries = sorted(
        (each for each in acl.entries if each.is_egress == is_egress),
        key=lambda each: each.number,
    )
    passed = traffic.peer
    allowing: dict[AclEntry, None] = {}
    denying: list[tuple[AclEntry | None, tuple[int, int]]] = []
    for ports in pieces(entries, traffic.ports):
        left, allowed = traffic.peer, Addresses()
        for entry in entries:
            part = left & Addresses.of(entry.cidr) if _fits(entry, traffic, ports) else Addresses()
            if not part:
                continue
            left -= part
            if entry.action == "allow":
                allowed |= part
                allowing.setdefault(entry)
            else:
                denying.append((entry, ports))
        if left:
            denying.append((None, ports))
        passed &= allowed
    name = f"{acl.id} ({acl.name})" if acl.name else acl.id
    side = "outbound" if is_egress else "inbound"
    if not denying:
        numbers = " and ".join(_number(each) for each in allowing)
        first = next(iter(allowing))
        return Found(
            passed, f"{side} entry {numbers} of {name} allows {traffic.text}", _id(acl, first)
        )
    decisive, ports = denying[0]
    what = Traffic(traffic.peer, ports, traffic.protocol).text
    by = f"{side} entry {_number(decisive)} of {name} denies {what}"
    if decisive is not None and decisive.number != _LAST_ENTRY:
        by += f" {'to' if is_egress else 'from'} {decisive.cidr}"
    else:
        by += ": no other entry allows it" + (f" {_but(passed, is_egress)}" if passed else "")
    return Found(passed, by, _id(acl, decisive))


def _but(passed: Addresses, is_egress: bool) -> str:
    return f"but {'to' if is_egress else 'from'} {', '.join(passed.cidrs)}"


def _number(entry: AclEntry | None) -> str:
    return "*" if entry is None or entry.number == _LAST_ENTRY else str(entry.number)


def _id(acl: NetworkAcl, entry: AclEntry | None) -> str:
    return f"{acl.id}#{_number(entry)}"


def pieces(entries: Iterable[AclEntry], ports: tuple[int, int]) -> list[tuple[int, int]]:
    """Split a range of ports where an entry begins or ends, so that each fits a piece or not."""
    first, last = ports
    starts = {first}
    for entry in entries:
        if entry.ports is not None:
            starts |= {entry.ports[0], entry.ports[1] + 1}
    inside = sorted(start for start in starts if first <= start <= last)
    return list(zip(inside, [start - 1 for start in inside[1:]] + [last], strict=True))


def _fits(entry: AclEntry | Rule, traffic: Traffic, ports: tuple[int, int]) -> bool:
    if entry.protocol not in ("all", traffic.protocol):
        return False
    return entry.ports is None or entry.ports[0] <= ports[0] <= ports[1] <= entry.ports[1]


def through_groups(
    network: Network,
    groups: tuple[str, ...],
    traffic: Traffic,
    *,
    peer_groups: tuple[str, ...],
    is_egress: bool,
) -> Found:
    """Return what security groups let pass: what any rule of any of them allows.

    A rule that names a group means the private addresses of its members ("Security group
    referencing").

    Args:
        network: where the groups are.
        groups: ids of the groups of one end.
        traffic: to or from the other end.
        peer_groups: ids of the other end's groups.
        is_egress: whether the outbound rules are asked.
    """
    passed = Addresses()
    by: list[str] = []
    ids: list[str] = []
    others: list[str] = []
    for group in filter(None, map(network.group, groups)):
        for rule in group.rules:
            if rule.is_egress != is_egress or not _fits(rule, traffic, traffic.ports):
                continue
            part = _allowed(network, rule, traffic.peer, peer_groups)
            if part - passed:
                passed |= part
                by.append(f"{rule.id} of {group.id} allows {_described(rule)}")
                ids.append(rule.id)
            elif not part:
                others.append(rule.peer)
    if by:
        return Found(passed, f"rule {' and '.join(by)}", " ".join(ids))
    side, where = ("outbound", "to") if is_egress else ("inbound", "from")
    nobody = f"no {side} rule of {', '.join(groups)} allows {traffic.text} {where} "
    nobody += f"there, only {where} {', '.join(others)}" if others else "anywhere"
    return Found(passed, nobody, " ".join(groups))


def _allowed(
    network: Network, rule: Rule, peer: Addresses, peer_groups: tuple[str, ...]
) -> Addresses:
    if rule.peer.startswith("sg-"):
        return peer if rule.peer in peer_groups else Addresses()
    return peer & network.addresses_of(rule.peer)


def _described(rule: Rule) -> str:
    what = (
        "everything"
        if rule.protocol == "all"
        else f"{rule.protocol}{'' if rule.ports is None else ' ' + spelt(rule.ports)}"
    )
    return f"{what} {'to' if rule.is_egress else 'from'} {rule.peer}"

"""A packet's way through a network, and its answer's way back: what is asked, in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from odyssey_cli.flows.network import checks
from odyssey_cli.flows.network.addresses import NOT_ON_THE_INTERNET, Addresses
from odyssey_cli.flows.network.checks import EPHEMERAL, Found, Traffic
from odyssey_cli.flows.network.places import Place
from odyssey_cli.flows.network.topology import REGIONAL

if TYPE_CHECKING:
    from odyssey_cli.flows.network.topology import Network, Route

Direction = Literal["there", "back"]
_LOCAL, _INTERNET, _NAT, _ENDPOINT = "local", "igw-", "nat-", "vpce-"
# "available" is the state of an internet gateway's attachment: "InternetGatewayAttachment"
# (Amazon EC2 API Reference), 2026-11-21, which lists "attached" as well.
_ATTACHED = ("available", "attached")


@dataclass(frozen=True)
class Hop:
    """Something that was looked at.

    Attributes:
        direction: on the way there, or of the answer back.
        kind: `host`, `address`, `route`, `gateway`, `endpoint`, `security group` or `network acl`.
        looked_at: what.
        found: what it says.
        ok: whether packets go on; the first hop at which they do not decides, and is the last.
        id: of what decided.
    """

    direction: Direction
    kind: str
    looked_at: str
    found: str
    ok: bool
    id: str = ""


class Stopped(Exception):  # noqa: N818 - reads as the statement it is
    """No packet goes on from here."""


class Walk:
    """Asks one thing after the other, until one says no.

    If some addresses pass and others do not, that decides, and it goes on with those that pass,
    to find out who gets through in the end.
    """

    def __init__(self, network: Network, port: int, protocol: str) -> None:
        self.network = network
        self.hops: list[Hop] = []
        self.decider: Hop | None = None
        self._ports = (port, port)
        self._protocol = protocol
        self._left: dict[Place, Addresses] = {}

    def anew(self) -> Walk:
        """Return a walk that asks about the same packet, and has not begun."""
        return Walk(self.network, self._ports[0], self._protocol)

    def left(self, place: Place) -> Addresses:
        """Return those of a place's addresses that have passed so far."""
        return self._left.get(place, place.addresses)

    def traffic(self, peer: Place, ports: tuple[int, int] | None = None) -> Traffic:
        """Return the packets to or from a place: those there, or answers to a client's ports."""
        return Traffic(self.left(peer), ports or self._ports, self._protocol)

    def narrow(
        self, direction: Direction, kind: str, looked_at: str, peer: Place, found: Found
    ) -> None:
        """Note what was found about packets to or from `peer`; go on with what passed."""
        ok = found.passed == self.left(peer)
        only = "only " if found.passed and not ok and kind == "security group" else ""
        self._note(Hop(direction, kind, looked_at, only + found.by, ok, found.id))
        self._left[peer] = found.passed
        if not found.passed:
            raise Stopped

    def check(
        self, direction: Direction, kind: str, looked_at: str, found: str, *, ok: bool, id: str = ""
    ) -> None:
        """Note what is the same for every packet."""
        self._note(Hop(direction, kind, looked_at, found, ok, id))
        if not ok:
            raise Stopped

    def _note(self, hop: Hop) -> None:
        if self.decider is None:
            self.hops.append(hop)
            self.decider = None if hop.ok else hop


@dataclass(frozen=True)
class _Door:
    """By what a packet left for the outside, where to the answer comes back; None for neither."""

    public_address: str | None = None
    nat_subnet: str | None = None


def follow(walk: Walk, start: Place, end: Place) -> None:
    """Follow a packet from `start` to `end`, and its answer.

    Raises:
        Stopped: nothing gets through.
    """
    is_local = not end.by_public_address
    target, caller, door = end, start, _Door()
    if start.subnet is not None:
        # Who addresses a host by its public address leaves the VPC, and comes back in.
        target = end if end.subnet is None or is_local else _seen_as(end.public_address)
        door = _leave(walk, start, target)
        # An internet gateway leaves the port as it is, a NAT gateway takes one of its own.
        ports = start.client_ports if door.nat_subnet is None else EPHEMERAL
        caller = start if is_local else _seen_as(door.public_address, ports)
    if end.subnet is not None:
        _enter(walk, end, caller)
        _answer(walk, end, caller)
    if start.subnet is not None:
        _take_answer(walk, start, target, door)


def _seen_as(public_address: str | None, client_ports: tuple[int, int] = EPHEMERAL) -> Place:
    address = public_address or "nobody"
    addresses = Addresses.of(address) if public_address else Addresses()
    return Place(address, addresses, client_ports=client_ports)


def _leave(walk: Walk, start: Place, target: Place) -> _Door:
    subnet = _subnet(start)
    walk.check("there", "host", start.name, f"is {start.state}", ok=start.state == "running")
    _ask_groups(walk, start, target, is_egress=True)
    _ask_acl(walk, subnet, target, is_egress=True)
    if target.subnet is not None:
        _ask_route(walk, "there", subnet, target, (_LOCAL,))
        return _Door()
    _check_on_the_internet(walk, target)
    route = _ask_route(walk, "there", subnet, target, (_INTERNET, _NAT, _ENDPOINT))
    if route.target.startswith(_ENDPOINT):
        _check_endpoint(walk, route)
        return _Door()
    if route.target.startswith(_NAT):
        return _leave_by_nat(walk, start, target, route)
    _check_gateway(walk, route.target)
    _check_public_address(walk, start)
    return _Door(start.public_address)


def _leave_by_nat(walk: Walk, start: Place, target: Place, route: Route) -> _Door:
    found = [each for each in walk.network.nat_gateways if each.id == route.target]
    nat = found[0] if found else None
    looked_at = f"NAT gateway {route.target}"
    if nat is None or nat.state != "available":
        state = nat.state if nat else "gone"
        walk.check("there", "gateway", looked_at, f"is {state}", ok=False, id=route.target)
        raise Stopped
    if nat.subnet is None:
        walk.check("there", "gateway", looked_at, f"is {REGIONAL}", ok=False, id=nat.id)
        raise Stopped
    has_public = nat.public_address is not None
    text = f"has the public address {nat.public_address}" if has_public else "is a private one"
    walk.check("there", "gateway", looked_at, text, ok=has_public, id=nat.id)
    _ask_acl(walk, nat.subnet, start, is_egress=False)
    _ask_acl(walk, nat.subnet, target, is_egress=True)
    onwards = _ask_route(walk, "there", nat.subnet, target, (_INTERNET,))
    _check_gateway(walk, onwards.target)
    return _Door(nat.public_address, nat.subnet)


def _enter(walk: Walk, end: Place, caller: Place) -> None:
    if caller.subnet is None:
        _check_on_the_internet(walk, caller)
        attached = [it.id for it in walk.network.internet_gateways if it.state in _ATTACHED]
        found = "is attached to the VPC" if attached else "the VPC has none"
        name = f"internet gateway {' '.join(attached)}".rstrip()
        walk.check("there", "gateway", name, found, ok=bool(attached), id=" ".join(attached))
        _check_public_address(walk, end)
    if end.is_nat:
        text = "is a NAT gateway's: it sends on what hosts send out, and takes answers only"
        walk.check("there", "gateway", end.name, text, ok=False, id=end.id)
    walk.check("there", "host", end.name, f"is {end.state}", ok=end.state == "running")
    _ask_acl(walk, _subnet(end), caller, is_egress=False)
    _ask_groups(walk, end, caller, is_egress=False)


def _answer(walk: Walk, end: Place, caller: Place) -> None:
    """Follow the answer out of the destination's subnet."""
    _pass_groups(walk, end)
    _ask_acl(walk, _subnet(end), caller, is_egress=True, answer_to=caller.client_ports)
    wanted = _INTERNET if caller.subnet is None else _LOCAL
    _ask_route(walk, "back", _subnet(end), caller, (wanted,))


def _take_answer(walk: Walk, start: Place, target: Place, door: _Door) -> None:
    subnet = _subnet(start)
    own = start.client_ports
    if door.nat_subnet is not None:
        _ask_acl(walk, door.nat_subnet, target, is_egress=False, answer_to=EPHEMERAL)
        _ask_acl(walk, door.nat_subnet, start, is_egress=True, answer_to=own)
    _ask_acl(walk, subnet, target, is_egress=False, answer_to=own)
    _pass_groups(walk, start)


def _subnet(place: Place) -> str:
    if place.subnet is None:
        raise ValueError(f"{place.name} is in no subnet.")
    return place.subnet


def _ask_groups(walk: Walk, place: Place, peer: Place, *, is_egress: bool) -> None:
    looked_at = f"security groups of {place.name}, {'outbound' if is_egress else 'inbound'}"
    if place.groups is None:
        walk.check(
            "there", "security group", looked_at, "there is no host yet to have any", ok=True
        )
    elif place.groups:
        found = checks.through_groups(
            walk.network,
            place.groups,
            walk.traffic(peer),
            peer_groups=peer.groups or (),
            is_egress=is_egress,
        )
        walk.narrow("there", "security group", looked_at, peer, found)


def _pass_groups(walk: Walk, place: Place) -> None:
    if place.groups:
        text = "not asked: they are stateful, an answer passes"
        walk.check("back", "security group", f"security groups of {place.name}", text, ok=True)


def _ask_acl(
    walk: Walk,
    subnet: str,
    peer: Place,
    *,
    is_egress: bool,
    answer_to: tuple[int, int] | None = None,
) -> None:
    """Ask a subnet's ACL; it does not see what stays in the subnet.

    Args:
        walk: so far.
        subnet: id.
        peer: where the packets come from or go.
        is_egress: whether they leave the subnet.
        answer_to: the client's own ports, if they are an answer.
    """
    if peer.subnet == subnet:
        return
    direction: Direction = "there" if answer_to is None else "back"
    acl = walk.network.acl_of(subnet)
    found = checks.through_acl(acl, walk.traffic(peer, answer_to), is_egress=is_egress)
    walk.narrow(direction, "network acl", f"network ACL of {subnet}", peer, found)


def _ask_route(
    walk: Walk, direction: Direction, subnet: str, peer: Place, wanted: tuple[str, ...]
) -> Route:
    """Ask a subnet's route table for the way to a place; return the route that most packets take.

    Args:
        walk: so far.
        direction: of the packets.
        subnet: id.
        peer: where they go.
        wanted: how the ids begin of targets by which they get there.
    """
    table = walk.network.table_of(subnet)
    looked_at = f"route table {table.id} of {subnet}"
    ways = checks.routed(walk.network, table, walk.left(peer))
    taken = [way for way in ways if way[0] is not None]
    if not taken:
        walk.check(direction, "route", looked_at, f"no route to {peer.name}", ok=False, id=table.id)
    route = max(taken, key=lambda way: way[1].count)[0]
    if route is None:
        raise Stopped
    text, ok = _leads(route, direction, wanted)
    id_ = f"{table.id} {route.destination}"
    if not ok:
        walk.check(direction, "route", looked_at, text, ok=False, id=id_)
    passed = Addresses()
    for way, part in taken:
        if way is not None and (way.target, way.state) == (route.target, route.state):
            passed |= part
    walk.narrow(direction, "route", looked_at, peer, Found(passed, text, id_))
    return route


def _leads(route: Route, direction: Direction, wanted: tuple[str, ...]) -> tuple[str, bool]:
    text = f"{route.destination} leads to {route.target}"
    if route.state != "active":
        return f"{text}, which is gone ({route.state})", False
    if route.target.startswith(wanted):
        return text, True
    if route.target == _LOCAL:
        return f"{text}: it stays in the VPC, where nobody has that address", False
    if direction == "back":
        return f"{text}: the answer does not go back the way that the packet came", False
    return f"{text}, behind which this does not look; Reachability Analyzer does", False


def _check_on_the_internet(walk: Walk, place: Place) -> None:
    # Of a service the prefix list says where it is.
    if place.id.startswith("pl-") or not place.addresses & NOT_ON_THE_INTERNET:
        return
    text = "is not an address of the internet, and not of this VPC"
    walk.check("there", "address", place.name, text, ok=False, id=place.name)


def _check_gateway(walk: Walk, id: str) -> None:
    states = [each.state for each in walk.network.internet_gateways if each.id == id]
    ok = bool(states) and states[0] in _ATTACHED
    text = "is attached to the VPC" if ok else "is not attached to the VPC"
    walk.check("there", "gateway", f"internet gateway {id}", text, ok=ok, id=id)


def _check_public_address(walk: Walk, place: Place) -> None:
    text = "has no public IPv4 address, and an internet gateway carries nothing else"
    if place.public_address is not None:
        text = f"has the public address {place.public_address}"
    ok = place.public_address is not None
    walk.check("there", "address", place.name, text, ok=ok, id=place.id)


def _check_endpoint(walk: Walk, route: Route) -> None:
    states = [each.state for each in walk.network.gateway_endpoints if each.id == route.target]
    state = states[0] if states else "gone"
    name = f"gateway endpoint {route.target}"
    walk.check("there", "endpoint", name, f"is {state}", ok=state == "available", id=route.target)

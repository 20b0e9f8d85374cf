"""What `odyssey network` shows of a network, and of who reaches whom in it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from odyssey_cli.console import plain
from odyssey_cli.flows.network.checks import spelt
from odyssey_cli.flows.network.reach import NOT_LOOKED_AT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from odyssey_cli.flows.network.reach import Verdict
    from odyssey_cli.flows.network.topology import (
        Host,
        Network,
        NetworkAcl,
        Ports,
        RouteTable,
        SecurityGroup,
        Subnet,
    )

# The entry that every ACL ends with, which AWS shows as a star.
_LAST_ENTRY = 32767
_WAYS = {False: "in", True: "out"}


def described(network: Network) -> dict[str, Any]:
    """Return a network for JSON."""
    return asdict(network)


def tree(network: Network) -> Tree:
    """Return a network as a tree: zones, subnets, and what each subnet has."""
    top = Tree(_text("VPC", network.id, network.name, ", ".join(network.cidrs)))
    for each in network.internet_gateways:
        top.add(_text("internet gateway", each.id, each.state))
    for endpoint in network.gateway_endpoints:
        top.add(_text("gateway endpoint", endpoint.id, endpoint.service, endpoint.state))
    zones: dict[str, Tree] = {}
    for subnet in sorted(network.subnets, key=lambda each: (each.zone, each.kind != "public")):
        if subnet.zone not in zones:
            zones[subnet.zone] = top.add(_text("zone", subnet.zone))
        _add_subnet(zones[subnet.zone], network, subnet)
    return top


def _add_subnet(zone: Tree, network: Network, subnet: Subnet) -> None:
    of = zone.add(_text(f"{subnet.kind} subnet", subnet.id, subnet.name, subnet.cidr))
    table, acl = network.table_of(subnet.id), network.acl_of(subnet.id)
    routes = of.add(_text("route table", table.id, "(main)" if table.is_main else ""))
    for route in table.routes:
        state = "" if route.state == "active" else f"({route.state})"
        to = _named(network, route.destination)
        routes.add(_text(to, "→", route.target, state))
    of.add(_text("network ACL", acl.id, "(default)" if acl.is_default else ""))
    for nat in network.nat_gateways:
        if nat.subnet == subnet.id:
            public = f"public {nat.public_address}" if nat.public_address else "private"
            of.add(_text("NAT gateway", nat.id, nat.state, nat.address, public))
    for endpoint in network.connect_endpoints:
        if endpoint.subnet == subnet.id:
            of.add(_text("Instance Connect Endpoint", endpoint.id, endpoint.state))
    for host in network.hosts:
        if host.subnet == subnet.id:
            _add_host(of, network, host)


def _add_host(subnet: Tree, network: Network, host: Host) -> None:
    of = subnet.add(_text("host", host.id, host.name, host.state))
    public = f"public {host.public_address}" if host.public_address else "no public address"
    of.add(_text(host.address, public))
    for group in host.groups:
        of.add(_text("security group", _named(network, group)))


def tables(network: Network) -> Iterator[RenderableType]:
    """Yield tables of the addresses, routes, rules and entries."""
    yield _addresses(network)
    for table in network.route_tables:
        yield _routes(network, table)
    for group in network.groups:
        yield _rules(network, group)
    for acl in network.acls:
        yield _entries(acl)


def _addresses(network: Network) -> Table:
    rows = _table("Addresses", "who", "subnet", "address")
    for host in network.hosts:
        _row(rows, (host.id, host.name), host.subnet, _both(host.address, host.public_address))
    known = {host.address for host in network.hosts}
    for each in network.interfaces:
        if each.address not in known:
            addresses = _both(each.address, each.public_address)
            _row(rows, (each.id, each.kind), each.subnet, addresses)
    return rows


def _both(private: str, public: str | None) -> tuple[str, str]:
    return private, f"public {public}" if public else "no public address"


def _routes(network: Network, table: RouteTable) -> Table:
    of = ", ".join(table.subnets) or ("every other subnet" if table.is_main else "no subnet")
    rows = _table(f"Route table {table.id} of {of}", "destination", "target", "state")
    for route in table.routes:
        to = (route.destination, _name_of(network, route.destination))
        _row(rows, to, route.target, route.state)
    return rows


def _rules(network: Network, group: SecurityGroup) -> RenderableType:
    title = f"Security group {group.id} {group.name}"
    if not group.rules:
        return Text(plain(f"{title}: no rule, so nothing gets in or out"), style="bold")
    rows = _table(title, "rule", "way", "what", "from or to")
    for rule in group.rules:
        what = _what(rule.protocol, rule.ports)
        peer = (rule.peer, _name_of(network, rule.peer), rule.description)
        _row(rows, rule.id, _WAYS[rule.is_egress], what, peer)
    return rows


def _entries(acl: NetworkAcl) -> Table:
    of = ", ".join(acl.subnets) or "no subnet"
    rows = _table(f"Network ACL {acl.id} of {of}", "way", "number", "what", "from or to", "action")
    for each in acl.entries:
        number = "*" if each.number == _LAST_ENTRY else str(each.number)
        what = _what(each.protocol, each.ports)
        _row(rows, _WAYS[each.is_egress], number, what, each.cidr, each.action)
    return rows


def _what(protocol: str, ports: Ports) -> str:
    return "everything" if protocol == "all" else f"{protocol} {spelt(ports)}"


def _named(network: Network, id_: str) -> str:
    name = _name_of(network, id_)
    return f"{id_} ({name})" if name else id_


def _name_of(network: Network, id_: str) -> str:
    """Return the name of a prefix list or security group; nothing for a CIDR block."""
    names = {each.id: each.name for each in network.prefix_lists}
    names |= {each.id: each.name for each in network.groups}
    return names.get(id_, "")


def verdict(found: Verdict) -> dict[str, Any]:
    """Return who reaches whom for JSON."""
    fields = asdict(found)
    return {
        "from": fields.pop("source"),
        "to": fields.pop("destination"),
        "port": fields.pop("port"),
        "protocol": fields.pop("protocol"),
        "gets_through": fields.pop("gets_through"),
        "sentence": found.sentence,
        **fields,
        "not_looked_at": NOT_LOOKED_AT,
    }


def hops(found: Verdict) -> Table:
    """Return what was looked at, in the order of the packet."""
    rows = _table("", "", "way", "looked at", "found")
    for hop in found.hops:
        mark = Text("✓", style="green") if hop.ok else Text("✗", style="red")
        cells = (Text(plain(each), overflow="fold") for each in (hop.looked_at, hop.found))
        rows.add_row(mark, hop.direction, *cells)
    return rows


def answer(found: Verdict) -> Iterator[Text]:
    """Yield the answer, who else gets through, what decides, and what was not looked at."""
    yield Text(plain(found.sentence), style="green" if found.gets_through else "red")
    yield Text(plain(f"Decided by {found.decided_by}."))
    yield from (Text(plain(note)) for note in found.notes)
    yield Text(
        f"Not looked at: {', '.join(NOT_LOOKED_AT)}. AWS's own answer comes from Reachability "
        "Analyzer.",
        style="dim",
    )


def _table(title: str, *columns: str) -> Table:
    table = Table(title=Text(plain(title), style="bold") if title else None, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _row(table: Table, *cells: str | tuple[str, ...]) -> None:
    """Add a row; of a cell with several lines the first is an id, which then has a line to fit."""
    lines = [(cell,) if isinstance(cell, str) else cell for cell in cells]
    table.add_row(
        *(Text("\n".join(plain(line) for line in cell if line), overflow="fold") for cell in lines)
    )


def _text(*parts: str) -> Text:
    return Text(plain(" ".join(filter(None, parts))), overflow="fold")

"""Whether a packet gets through, and what decides: each case is a rule of AWS's.

The rules' sources are those that odyssey_cli/flows/network/reach.py names.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from odyssey_cli.flows.network.reach import Verdict, reach
from odyssey_cli.flows.network.topology import Interface, PrefixList, Route, Rule
from tests.unit.networks import (
    ALLOWED,
    DOOR,
    EVERYBODY_IN,
    FROM_PUBLIC,
    HTTPS_OUT,
    LOCAL,
    NAT,
    OUT,
    PRIVATE,
    PUBLIC,
    SSH_IN,
    SSH_OUT,
    STRANGER,
    TO_DYNAMODB,
    TO_S3,
    acl,
    allow,
    changed,
    deny,
    network,
    with_entries,
    with_nat,
    with_routes,
    with_rules,
)

if TYPE_CHECKING:
    from odyssey_cli.flows.network.topology import Network

BASE = network()
OPEN = with_rules("sg-public", HTTPS_OUT, EVERYBODY_IN)
JUMP = with_rules(
    "sg-public", HTTPS_OUT, SSH_IN, SSH_OUT, of=with_rules("sg-private", HTTPS_OUT, FROM_PUBLIC)
)
NO_PRIVATE_HOST = replace(BASE, hosts=BASE.hosts[:1])
EPHEMERAL = (1024, 65535)
LINUX = (32768, 60999)
EVERYBODY_OUT = Rule("sgr-any", True, "all", None, "0.0.0.0/0")
NAT_SEEN = replace(with_nat(), interfaces=(*BASE.interfaces, Interface(
    "eni-nat", "subnet-public", "10.0.0.20", "198.51.100.20", (), "nat_gateway")))  # fmt: skip
# Both hosts have a public address, and its subnet leads the private one's out.
BOTH_PUBLIC = changed(
    with_routes("rtb-private", LOCAL, OUT, of=with_rules("sg-private", EVERYBODY_OUT)),
    "hosts", PRIVATE, public_address="198.51.100.11",
)  # fmt: skip


def last(verdict: Verdict) -> tuple[str, str, str]:
    hop = verdict.hops[-1]
    return hop.direction, hop.kind, hop.id


# What gets through: the rule, the network, from, to, port, and what is said to decide.
THROUGH = {
    "a rule of a security group admits its source": (
        BASE, ALLOWED, "public", 22, "rule sgr-ssh of sg-public allows tcp 22 from 203.0.113.7/32"),
    "a rule for 0.0.0.0/0 admits the whole internet": (OPEN, "internet", "public", 22, "sgr-all"),
    "an address or an id names the same host": (BASE, ALLOWED, PUBLIC, 22, "sgr-ssh"),
    "the public address of a host is its": (BASE, ALLOWED, "198.51.100.10", 22, "sgr-ssh"),
    "the private address of a host is its": (BASE, ALLOWED, "10.0.0.10", 22, "sgr-ssh"),
    "a public address and a route lead out": (
        BASE, "public", "internet", 443, "route table rtb-public of subnet-public: 0.0.0.0/0 leads "
        "to igw-1"),
    "a prefix list's route leads to the gateway endpoint": (
        BASE, "private", "s3", 443, "pl-s3 leads to vpce-s3"),
    "a longer prefix wins over 0.0.0.0/0": (BASE, "public", "dynamodb", 443, "vpce-dynamodb"),
    "without an endpoint a public host takes the internet": (
        with_routes("rtb-public", LOCAL, OUT), "public", "s3", 443, "0.0.0.0/0 leads to igw-1"),
    "the local route and a rule that names a group": (
        JUMP, "public", "private", 22, "sgr-public of sg-private allows tcp 22 from sg-public"),
    "the Instance Connect Endpoint's group is let in": (BASE, DOOR, "private", 22, "sgr-door"),
    "a NAT gateway leads out of a private subnet": (
        with_nat(), "private", "internet", 443, "0.0.0.0/0 leads to nat-1"),
    "security groups are stateful: the answer needs no rule": (
        with_rules("sg-public", SSH_IN), ALLOWED, "public", 22, "sgr-ssh"),
    "network ACLs do not see what stays in a subnet": (
        with_entries(deny(1), deny(1, is_egress=True), subnet="subnet-private"),
        DOOR, "private", 22, "sgr-door"),
    "the lowest number that fits decides, not the order": (
        with_entries(deny(20), allow(10, protocol="tcp", ports=(22, 22))),
        ALLOWED, "public", 22, "sgr-ssh"),
    "an entry for another protocol does not fit": (
        with_entries(deny(1, protocol="udp")), ALLOWED, "public", 22, "sgr-ssh"),
    "an entry for other addresses does not fit": (
        with_entries(deny(1, f"{STRANGER}/32")), ALLOWED, "public", 22, "sgr-ssh"),
    "a host's own ports are Linux's: 32768-60999": (
        with_entries(allow(1, protocol="tcp", ports=(32768, 60999)), deny(2)),
        "public", "internet", 443, "0.0.0.0/0 leads to igw-1"),
    "any host of a subnet is one of ours": (
        replace(with_entries(
            allow(1, protocol="tcp", ports=(32768, 60999)), deny(2), subnet="subnet-private"),
            hosts=BASE.hosts[:1]),
        "private", "s3", 443, "pl-s3 leads to vpce-s3"),
    "a caller's own ports are asked of the other's subnet, too": (
        replace(JUMP, acls=with_entries(allow(1, is_egress=True, protocol="tcp", ports=LINUX),
                                        deny(2, is_egress=True), subnet="subnet-private").acls),
        "public", "private", 22, "sgr-public of sg-private"),
    "an internet gateway leaves a host's port as it is": (
        replace(with_rules("sg-public", HTTPS_OUT, EVERYBODY_IN, SSH_OUT, of=BOTH_PUBLIC),
                acls=with_entries(allow(1, is_egress=True, protocol="tcp", ports=LINUX),
                                  deny(2, is_egress=True, ports=(1024, 65535), protocol="tcp")
                                  ).acls),
        "private", "198.51.100.10", 22, "sgr-all"),
    "behind a NAT gateway the host has its own ports": (
        replace(with_nat(), acls=with_entries(
            allow(1, protocol="tcp", ports=LINUX), deny(2), subnet="subnet-private").acls),
        "private", "internet", 443, "0.0.0.0/0 leads to nat-1"),
    "a NAT gateway's subnet sends answers on to the host's own ports": (
        replace(with_nat(), acls=with_entries(
            allow(1, "10.0.32.0/20", is_egress=True, protocol="tcp", ports=LINUX),
            allow(2, "10.0.32.0/20", is_egress=True, protocol="tcp", ports=(443, 443)),
            deny(3, "10.0.32.0/20", is_egress=True)).acls),
        "private", "internet", 443, "0.0.0.0/0 leads to nat-1"),
    "an answer may pass by several entries": (
        with_entries(allow(1, is_egress=True, protocol="tcp", ports=(1024, 40000)),
                     allow(2, is_egress=True, protocol="tcp", ports=(40001, 65535)),
                     deny(3, is_egress=True)),
        ALLOWED, "public", 22, "sgr-ssh"),
    "rules of all groups count together": (
        changed(with_rules("sg-public", HTTPS_OUT, of=with_rules("sg-default", SSH_IN)),
                "hosts", PUBLIC, groups=("sg-public", "sg-default")),
        ALLOWED, "public", 22, "sgr-ssh of sg-default"),
    "a rule for all protocols fits each": (
        with_rules("sg-public", Rule("sgr-any", False, "all", None, "203.0.113.0/24")),
        ALLOWED, "public", 22, "sgr-any of sg-public allows everything from 203.0.113.0/24"),
    "a rule may name a prefix list as its source": (
        replace(with_rules("sg-public", Rule("sgr-list", False, "tcp", (20, 30), "pl-own")),
                prefix_lists=(*BASE.prefix_lists, PrefixList("pl-own", "us", ("203.0.113.0/29",)))),
        ALLOWED, "public", 22, "sgr-list"),
    "the VPC's main route table has every other subnet": (
        changed(changed(BASE, "route_tables", "rtb-public", subnets=()),
                "route_tables", "rtb-main", routes=(LOCAL, OUT)),
        ALLOWED, "public", 22, "sgr-ssh"),
    "a host addresses another by its public address through the gateway": (
        with_rules("sg-public", HTTPS_OUT, EVERYBODY_IN, of=with_rules(
            "sg-private", Rule("sgr-any", True, "all", None, "0.0.0.0/0"), of=with_nat())),
        "private", "198.51.100.10", 22, "sgr-all"),
}  # fmt: skip


@pytest.mark.parametrize("case", THROUGH.values(), ids=THROUGH)
def test_a_packet_gets_through(case: tuple[Network, str, str, int, str]) -> None:
    of, source, destination, port, decided_by = case
    verdict = reach(of, source, destination, port)
    assert verdict.gets_through, verdict.decided_by
    assert decided_by in verdict.decided_by
    assert all(hop.ok for hop in verdict.hops)
    assert verdict.only_from == verdict.only_to == ()
    assert verdict.sentence.endswith(" gets through.")


# What does not: the rule, the network, from, to, port, the last hop, and what it says.
STOPPED = {
    "a security group admits nothing that no rule names": (
        with_rules("sg-public", HTTPS_OUT), "internet", "public", 22,
        ("there", "security group", "sg-public"), "no inbound rule of sg-public allows tcp 22"),
    "a rule admits its own source only": (
        BASE, STRANGER, "public", 22,
        ("there", "security group", "sg-public"), "only from 203.0.113.7/32"),
    "an outbound rule lets nobody in": (
        with_rules("sg-public", Rule("sgr-any", True, "all", None, "0.0.0.0/0")),
        ALLOWED, "public", 22, ("there", "security group", "sg-public"), "no inbound rule"),
    "a rule admits its own port only": (
        BASE, ALLOWED, "public", 80, ("there", "security group", "sg-public"), "tcp 80"),
    "outbound rules are asked too": (
        BASE, "public", "internet", 80,
        ("there", "security group", "sg-public"), "no outbound rule"),
    "without a public address nobody gets in from the internet": (
        BASE, "internet", "private", 22, ("there", "address", PRIVATE), "no public IPv4 address"),
    "without a route there is no way out": (
        BASE, "private", "internet", 443,
        ("there", "route", "rtb-private"), "no route to the internet"),
    "without a public address the internet gateway leads nowhere": (
        changed(BASE, "hosts", PUBLIC, public_address=None), "public", "internet", 443,
        ("there", "address", PUBLIC), "no public IPv4 address"),
    "without an internet gateway nobody gets in": (
        replace(BASE, internet_gateways=()), ALLOWED, "public", 22,
        ("there", "gateway", ""), "the VPC has none"),
    "a gateway that is not attached leads nowhere": (
        changed(BASE, "internet_gateways", "igw-1", state="detached"), "public", "internet", 443,
        ("there", "gateway", "igw-1"), "not attached"),
    "without a route the answer does not get out": (
        with_routes("rtb-public", LOCAL), ALLOWED, "public", 22,
        ("back", "route", "rtb-public"), "no route to 203.0.113.7"),
    "the answer goes by the longest prefix, too": (
        with_routes("rtb-public", LOCAL, OUT, Route("203.0.113.0/24", "vgw-1")),
        ALLOWED, "public", 22,
        ("back", "route", "rtb-public 203.0.113.0/24"), "not go back the way"),
    "a route whose target is gone swallows packets": (
        with_routes("rtb-public", LOCAL, replace(OUT, state="blackhole")),
        "public", "internet", 443, ("there", "route", "rtb-public 0.0.0.0/0"), "blackhole"),
    "what is behind other targets is not looked at": (
        with_routes("rtb-public", LOCAL, OUT, Route("192.0.2.0/24", "tgw-1")),
        "public", "192.0.2.1", 443, ("there", "route", "rtb-public 192.0.2.0/24"),
        "Reachability Analyzer does"),
    "nobody on the internet has a private address": (
        BASE, "public", "192.168.1.1", 443,
        ("there", "address", "192.168.1.1"), "not an address of the internet"),
    "nobody on the internet comes from a private address": (
        OPEN, "192.168.1.1", "public", 22,
        ("there", "address", "192.168.1.1"), "not an address of the internet"),
    "the entry with the lowest number denies": (
        with_entries(deny(5, f"{ALLOWED}/32", protocol="tcp", ports=(22, 22))),
        ALLOWED, "public", 22, ("there", "network acl", "acl-own#5"),
        "inbound entry 5 of acl-own denies tcp 22 from 203.0.113.7/32"),
    "the last entry denies what no other allows": (
        replace(BASE, acls=(acl("acl-1", "subnet-public", entries=(deny(32767),)),)),
        ALLOWED, "public", 22, ("there", "network acl", "acl-1#*"),
        "inbound entry * of acl-1 denies tcp 22: no other entry allows it"),
    "network ACLs are stateless: the answer needs an entry": (
        with_entries(deny(7, is_egress=True, protocol="tcp", ports=EPHEMERAL)),
        ALLOWED, "public", 22, ("back", "network acl", "acl-own#7"), "tcp 1024-65535"),
    "the answer needs all of the ephemeral ports": (
        with_entries(deny(7, is_egress=True, protocol="tcp", ports=(40000, 65535))),
        ALLOWED, "public", 22, ("back", "network acl", "acl-own#7"), "tcp 40000-65535"),
    "without all of a host's own ports no answer is sure": (
        with_entries(allow(1, protocol="tcp", ports=(32769, 65535)), deny(2)),
        "public", "internet", 443, ("back", "network acl", "acl-own#2"), "denies tcp 32768 from"),
    "nor without the last of them": (
        with_entries(deny(7, protocol="tcp", ports=(60999, 60999))),
        "public", "internet", 443, ("back", "network acl", "acl-own#7"), "denies tcp 60999 from"),
    "a NAT gateway's own ports begin at 1024": (
        replace(with_nat(), acls=with_entries(
            allow(1, "10.0.0.0/16"), allow(2, protocol="tcp", ports=LINUX), deny(3)).acls),
        "private", ALLOWED, 443,
        ("back", "network acl", "acl-own#3"), "denies tcp 1024-32767 from"),
    "a NAT gateway's own ports are asked where the answer begins": (
        replace(with_rules("sg-public", HTTPS_OUT, EVERYBODY_IN, of=with_rules(
            "sg-private", Rule("sgr-any", True, "all", None, "0.0.0.0/0"), of=with_nat())),
            acls=with_entries(allow(1, "10.0.0.0/16", is_egress=True), allow(
                2, is_egress=True, protocol="tcp", ports=(20, 22)), allow(
                3, is_egress=True, protocol="tcp", ports=LINUX), deny(4, is_egress=True)).acls),
        "private", "198.51.100.10", 22,
        ("back", "network acl", "acl-own#4"), "denies tcp 1024-32767 to"),
    "a NAT gateway takes nothing from the internet that is no answer": (
        NAT_SEEN, "internet", "198.51.100.20", 22,
        ("there", "gateway", "eni-nat"), "takes answers only"),
    "nor from the VPC, to its private address": (
        with_rules("sg-public", EVERYBODY_OUT, of=NAT_SEEN), "public", "10.0.0.20", 22,
        ("there", "gateway", "eni-nat"), "takes answers only"),
    "nor to its public one": (
        with_rules("sg-public", EVERYBODY_OUT, of=NAT_SEEN), "public", "198.51.100.20", 22,
        ("there", "gateway", "eni-nat"), "takes answers only"),
    "behind a regional NAT gateway it does not look": (
        with_nat(replace(NAT, subnet=None)), "private", "internet", 443,
        ("there", "gateway", "nat-1"), "Reachability Analyzer does"),
    "the answer needs the first of the ephemeral ports, too": (
        with_entries(deny(7, is_egress=True, protocol="tcp", ports=(1000, 39999))),
        ALLOWED, "public", 22, ("back", "network acl", "acl-own#7"), "tcp 1024-39999"),
    "the answer from the internet needs an entry": (
        with_entries(deny(7, protocol="tcp", ports=EPHEMERAL)),
        "public", "internet", 443, ("back", "network acl", "acl-own#7"), "inbound entry 7"),
    "the way out needs an entry": (
        with_entries(deny(7, is_egress=True, protocol="tcp", ports=(443, 443))),
        "public", "internet", 443, ("there", "network acl", "acl-own#7"), "outbound entry 7"),
    "between subnets both ACLs are asked": (
        replace(JUMP, acls=with_entries(deny(7, "10.0.0.0/20"), subnet="subnet-private").acls),
        "public", "private", 22, ("there", "network acl", "acl-own#7"), "from 10.0.0.0/20"),
    "a subnet's ACL is asked for the answer to a neighbour": (
        replace(JUMP, acls=with_entries(
            deny(7, "10.0.0.0/20", is_egress=True), subnet="subnet-private").acls),
        "public", "private", 22, ("back", "network acl", "acl-own#7"), "to 10.0.0.0/20"),
    "the caller's ACL is asked for the answer": (
        replace(JUMP, acls=with_entries(deny(7, "10.0.32.0/20")).acls),
        "public", "private", 22, ("back", "network acl", "acl-own#7"), "from 10.0.32.0/20"),
    "a rule that names a group admits its members only": (
        BASE, "public", "private", 22,
        ("there", "security group", "sg-public"), "no outbound rule"),
    "a NAT gateway needs an internet gateway that is attached": (
        changed(with_nat(), "internet_gateways", "igw-1", state="detached"),
        "private", "internet", 443, ("there", "gateway", "igw-1"), "not attached"),
    "a group means private addresses, not public ones": (
        with_rules("sg-public", replace(FROM_PUBLIC, peer="sg-private"), of=with_rules(
            "sg-private", Rule("sgr-any", True, "all", None, "0.0.0.0/0"), of=with_nat())),
        "private", "198.51.100.10", 22,
        ("there", "security group", "sg-public"), "only from sg-private"),
    "a host that is stopped answers nobody": (
        changed(BASE, "hosts", PUBLIC, state="stopped"), ALLOWED, "public", 22,
        ("there", "host", ""), "is stopped"),
    "a host that is stopped calls nobody": (
        changed(BASE, "hosts", PUBLIC, state="stopped"), "public", "s3", 443,
        ("there", "host", ""), "is stopped"),
    "a gateway endpoint that is gone leads nowhere": (
        changed(BASE, "gateway_endpoints", "vpce-s3", state="deleting"), "private", "s3", 443,
        ("there", "endpoint", "vpce-s3"), "is deleting"),
    "without an endpoint a private host does not reach a service": (
        with_routes("rtb-private", LOCAL, TO_DYNAMODB), "private", "s3", 443,
        ("there", "route", "rtb-private"), "no route to Amazon S3"),
    "the answer of a service needs an entry": (
        with_entries(deny(7, "3.5.216.0/22"), deny(8, "16.12.10.0/23"), subnet="subnet-private"),
        "private", "s3", 443, ("back", "network acl", "acl-own#7"), "from 3.5.216.0/22"),
    "a NAT gateway that failed leads nowhere": (
        with_nat(replace(NAT, state="failed")), "private", "internet", 443,
        ("there", "gateway", "nat-1"), "is failed"),
    "a NAT gateway without a public address leads nowhere": (
        with_nat(replace(NAT, public_address=None)), "private", "internet", 443,
        ("there", "gateway", "nat-1"), "private one"),
    "a NAT gateway's own subnet needs a route": (
        with_routes("rtb-public", LOCAL, of=with_nat()), "private", "internet", 443,
        ("there", "route", "rtb-public"), "no route"),
    "a NAT gateway's own subnet needs an entry for what comes in": (
        replace(with_nat(), acls=with_entries(deny(7, "10.0.32.0/20")).acls),
        "private", "internet", 443, ("there", "network acl", "acl-own#7"), "tcp 443"),
    "a NAT gateway's own subnet needs an entry for what goes out": (
        replace(with_nat(), acls=with_entries(deny(
            7, is_egress=True, protocol="tcp", ports=(443, 443))).acls),
        "private", ALLOWED, 443, ("there", "network acl", "acl-own#7"), "outbound"),
    "a NAT gateway's own subnet needs an entry for the answer": (
        replace(with_nat(), acls=with_entries(deny(7, protocol="tcp", ports=EPHEMERAL)).acls),
        "private", "internet", 443, ("back", "network acl", "acl-own#7"), "inbound"),
    "a NAT gateway's own subnet needs an entry for the answer's way on": (
        replace(with_nat(), acls=with_entries(deny(7, "10.0.32.0/20", is_egress=True)).acls),
        "private", "internet", 443, ("back", "network acl", "acl-own#7"), "outbound"),
    "behind a NAT gateway the subnet needs an entry for the answer": (
        replace(with_nat(), acls=with_entries(
            deny(7, protocol="tcp", ports=EPHEMERAL), subnet="subnet-private").acls),
        "private", "internet", 443, ("back", "network acl", "acl-own#7"), "subnet-private"),
    "nobody gets in through a NAT gateway": (
        with_nat(), "internet", "private", 443, ("there", "address", PRIVATE), "no public"),
    "an address of the VPC that nobody has goes nowhere": (
        changed(BASE, "hosts", PUBLIC, groups=("sg-door",)), "public", "10.0.32.99", 22,
        ("there", "security group", "sg-door"), "no outbound rule"),
    "an endpoint that is not there yet opens nothing": (
        changed(BASE, "connect_endpoints", DOOR, state="create-in-progress"), DOOR, "private", 22,
        ("there", "host", ""), "is create-in-progress"),
}  # fmt: skip


@pytest.mark.parametrize("case", STOPPED.values(), ids=STOPPED)
def test_a_packet_is_stopped(
    case: tuple[Network, str, str, int, tuple[str, str, str], str],
) -> None:
    of, source, destination, port, hop, said = case
    verdict = reach(of, source, destination, port)
    assert not verdict.gets_through
    assert last(verdict) == hop
    assert said in verdict.decided_by
    assert [each.ok for each in verdict.hops] == [True] * (len(verdict.hops) - 1) + [False]
    assert verdict.decided_by == f"{verdict.hops[-1].looked_at}: {verdict.hops[-1].found}"
    assert "does not get through" in verdict.sentence


# One fault each, in a network where the packet otherwise gets through.
FAULTS: dict[str, tuple[Network, str]] = {
    "rule": (with_rules("sg-public", HTTPS_OUT), "security group"),
    "entry in": (with_entries(deny(1)), "network acl"),
    "entry out": (with_entries(deny(1, is_egress=True)), "network acl"),
    "route": (with_routes("rtb-public", LOCAL, TO_S3), "route"),
    "gateway": (replace(BASE, internet_gateways=()), "gateway"),
    "address": (changed(BASE, "hosts", PUBLIC, public_address=None), "address"),
    "host": (changed(BASE, "hosts", PUBLIC, state="stopping"), "host"),
}
PARTS = {"security group": "groups", "network acl": "acls", "route": "route_tables",
         "gateway": "internet_gateways", "address": "hosts", "host": "hosts"}  # fmt: skip


@pytest.mark.parametrize(("broken", "kind"), FAULTS.values(), ids=FAULTS)
def test_the_hop_that_decides_is_the_one_whose_change_flips_the_verdict(
    broken: Network, kind: str
) -> None:
    # GIVEN
    assert reach(BASE, ALLOWED, PUBLIC, 22).gets_through
    # WHEN
    verdict = reach(broken, ALLOWED, PUBLIC, 22)
    # THEN
    assert not verdict.gets_through
    assert verdict.hops[-1].kind == kind
    for each in set(PARTS.values()):
        mended = replace(broken, **{each: getattr(BASE, each)})
        assert reach(mended, ALLOWED, PUBLIC, 22).gets_through == (each == PARTS[kind])

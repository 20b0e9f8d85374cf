"""Of whom a packet gets through if not of everybody, by which route, and who is meant by a name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from odyssey_cli.flows.network.addresses import Addresses
from odyssey_cli.flows.network.places import UnknownPlace
from odyssey_cli.flows.network.reach import Clients, reach
from odyssey_cli.flows.network.topology import AclEntry, Host, Network, PrefixList, Route, Rule
from tests.unit.networks import (
    ALLOWED,
    DOOR,
    EVERYBODY_IN,
    FROM_DOOR,
    FROM_PUBLIC,
    HTTPS_OUT,
    LOCAL,
    OUT,
    PUBLIC,
    SSH_IN,
    SSH_OUT,
    STRANGER,
    TO_S3,
    allow,
    deny,
    network,
    with_entries,
    with_routes,
    with_rules,
)

BASE = network()
OPEN = with_rules("sg-public", HTTPS_OUT, EVERYBODY_IN)
NO_PRIVATE_HOST = replace(BASE, hosts=BASE.hosts[:1])


@pytest.mark.parametrize(
    ("of", "only_from"),
    [
        (BASE, (f"{ALLOWED}/32",)),
        (with_rules("sg-public", SSH_IN, replace(SSH_IN, id="sgr-2", peer="198.51.100.0/24")),
         ("198.51.100.0/24", f"{ALLOWED}/32")),
        (replace(OPEN, acls=with_entries(
            allow(1, f"{ALLOWED}/32", is_egress=True), deny(2, is_egress=True)).acls),
         (f"{ALLOWED}/32",)),
        (with_rules("sg-public", replace(SSH_IN, peer="10.0.0.0/8")), ()),
        (replace(BASE, acls=with_entries(deny(1, f"{ALLOWED}/32")).acls), ()),
        (with_routes("rtb-public", LOCAL), ()),
    ],
    ids=["one rule", "two rules", "an entry for the answer", "nobody has a private address",
         "a rule admits whom an entry denies", "without a route nobody has an answer"],
)  # fmt: skip
def test_of_the_internet_it_names_those_who_get_through(
    of: Network, only_from: tuple[str, ...]
) -> None:
    verdict = reach(of, "internet", "public", 22)
    assert not verdict.gets_through
    assert verdict.only_from == only_from
    assert all(cidr in verdict.sentence for cidr in only_from)


LINUX_ONLY = (
    allow(1, is_egress=True, protocol="tcp", ports=(32768, 60999)), deny(2, is_egress=True),
)  # fmt: skip


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (LINUX_ONLY, "only for clients that use ports 32768-60999."),
        ((deny(1, is_egress=True, protocol="tcp", ports=(2000, 2000)),),
         "only for clients that use ports 1024-1999, 2001-65535."),
        ((allow(1, is_egress=True, protocol="tcp", ports=(32768, 60999)),
          allow(2, is_egress=True, protocol="tcp", ports=(61000, 61010)), deny(3, is_egress=True)),
         "only for clients that use ports 32768-61010."),
        ((allow(1, f"{ALLOWED}/32", is_egress=True), *(
            replace(each, number=each.number + 1) for each in LINUX_ONLY)),
         f"only from {ALLOWED}/32 and for clients that use ports 32768-60999."),
        ((allow(1, f"{ALLOWED}/32", is_egress=True, protocol="tcp", ports=(5000, 5999)),
          deny(2, is_egress=True)),
         f"only from {ALLOWED}/32 for clients that use ports 5000-5999."),
        ((deny(1, is_egress=True),), "does not get through."),
        ((deny(1), *LINUX_ONLY), "does not get through."),
    ],
    ids=["Linux", "all but one", "neighbouring entries", "somebody with all", "somebody with some",
         "none", "nobody gets in"],
)  # fmt: skip
def test_of_clients_on_the_internet_it_names_the_ports_that_answers_get_to(
    entries: tuple[AclEntry, ...], said: str
) -> None:
    verdict = reach(replace(OPEN, acls=with_entries(*entries).acls), "internet", "public", 22)
    assert not verdict.gets_through
    assert verdict.sentence.endswith(said)
    assert bool(verdict.only_for) == ("clients that use" in said)


def test_of_one_client_on_the_internet_the_ports_are_named_too() -> None:
    of = with_entries(*LINUX_ONLY)
    assert reach(of, ALLOWED, "public", 22).only_for == (Clients(("32768-60999",)),)
    assert reach(of, "internet", "public", 22).only_for == (
        Clients(("32768-60999",), (f"{ALLOWED}/32",)),
    )


def test_of_our_own_host_the_ports_are_known_and_no_others_are_named() -> None:
    of = with_entries(deny(1, protocol="tcp", ports=(40000, 65535)))
    verdict = reach(of, "public", "internet", 443)
    assert not verdict.gets_through
    assert verdict.only_for == ()
    assert "denies tcp 40000-60999" in verdict.decided_by
    # Nor when it calls another of ours.
    of = with_rules("sg-public", SSH_OUT, of=with_rules("sg-private", FROM_PUBLIC))
    some = with_entries(
        deny(1, is_egress=True, protocol="tcp", ports=(40000, 65535)), subnet="subnet-private"
    )
    verdict = reach(replace(of, acls=some.acls), "public", "private", 22)
    assert (verdict.gets_through, verdict.only_for) == (False, ())
    assert "denies tcp 40000-60999" in verdict.decided_by


def test_whoever_is_named_gets_through_alone_and_nobody_else_does() -> None:
    [cidr] = reach(BASE, "internet", "public", 22).only_from
    assert reach(BASE, cidr.removesuffix("/32"), "public", 22).gets_through
    assert not reach(BASE, STRANGER, "public", 22).gets_through


def test_a_rule_that_admits_only_some_decides_and_says_only() -> None:
    verdict = reach(BASE, "internet", "public", 22)
    decider = verdict.hops[-1]
    assert (decider.kind, decider.id, decider.ok) == ("security group", "sgr-ssh", False)
    assert decider.found.startswith("only rule sgr-ssh")


def test_to_a_part_of_a_service_it_names_the_part() -> None:
    of = with_rules("sg-private", replace(HTTPS_OUT, peer="3.5.216.0/22"))
    verdict = reach(of, "private", "s3", 443)
    assert not verdict.gets_through
    assert verdict.only_to == ("3.5.216.0/22",)


@pytest.mark.parametrize(
    ("routes", "target"),
    [
        # Longest prefix, whatever kind of route.
        ((OUT, TO_S3), "vpce-s3"),
        ((Route("3.5.216.0/24", "igw-1"), Route("3.5.216.0/22", "nat-1")), "igw-1"),
        # Among equals: static, prefix list, propagated.
        ((TO_S3, Route("3.5.216.0/22", "igw-1")), "igw-1"),
        ((Route("3.5.216.0/22", "vgw-1", is_propagated=True), TO_S3), "vpce-s3"),
        ((Route("3.5.216.0/22", "vgw-1", is_propagated=True), Route("3.5.216.0/22", "igw-1")),
         "igw-1"),
        ((Route("3.5.216.0/23", "vgw-1", is_propagated=True), OUT, TO_S3), "vgw-1"),
    ],
)  # fmt: skip
def test_the_route_is_chosen_as_the_guide_says(routes: tuple[Route, ...], target: str) -> None:
    of = with_routes("rtb-public", LOCAL, *routes)
    verdict = reach(of, "public", "3.5.216.9", 443)
    chosen = next(hop for hop in verdict.hops if hop.kind == "route")
    assert f"leads to {target}" in chosen.found


def test_neighbouring_blocks_of_a_prefix_list_are_not_taken_for_a_shorter_prefix() -> None:
    # GIVEN two /24 of a list, which are a /23 together, and a /23 that leads elsewhere
    of = replace(
        with_routes("rtb-public", LOCAL, Route("3.5.0.0/23", "igw-1"), TO_S3),
        prefix_lists=(PrefixList("pl-s3", "com.amazonaws.eu-north-1.s3",
                                 ("3.5.0.0/24", "3.5.1.0/24")),),
    )  # fmt: skip
    # THEN the longer prefix of the list wins
    verdict = reach(of, "public", "s3", 443)
    assert "leads to vpce-s3" in verdict.decided_by


def test_without_a_private_host_the_answer_is_that_of_any_host_there() -> None:
    into = reach(NO_PRIVATE_HOST, "internet", "private", 22)
    out = reach(NO_PRIVATE_HOST, "private", "internet", 443)
    service = reach(NO_PRIVATE_HOST, "private", "s3", 443)
    assert (into.gets_through, out.gets_through, service.gets_through) == (False, False, True)
    for verdict in (into, out, service):
        assert "any host in subnet-private (10.0.32.0/20)" in verdict.sentence
        assert "There is no host in the private subnet" in " ".join(verdict.notes)


def test_an_address_that_nobody_has_is_that_of_any_host_there() -> None:
    verdict = reach(with_rules("sg-public", SSH_OUT), "public", "10.0.32.99", 22)
    assert verdict.hops[-1].kind == "security group"
    opened = with_rules("sg-public", Rule("sgr-any", True, "all", None, "0.0.0.0/0"))
    assert reach(opened, "public", "10.0.32.99", 22).gets_through
    assert "no host at 10.0.32.99" in reach(opened, "public", "10.0.32.99", 22).notes[0]


def test_an_interface_of_no_host_is_found_by_its_address() -> None:
    verdict = reach(BASE, "10.0.32.30", "private", 22)
    assert verdict.gets_through
    assert "eni-door" in verdict.source


def test_a_running_host_is_meant_before_a_stopped_one() -> None:
    stopped = Host("i-00000000000000000", "", "stopped", "", "subnet-public", "10.0.0.9", None, ())
    of = replace(BASE, hosts=(stopped, *BASE.hosts))
    assert PUBLIC in reach(of, ALLOWED, "public", 22).destination


def test_udp_needs_rules_of_its_own() -> None:
    udp = Rule("sgr-dns", True, "udp", (53, 53), "0.0.0.0/0")
    of = with_rules("sg-public", HTTPS_OUT, udp)
    assert reach(of, "public", "internet", 53, "udp").gets_through
    assert not reach(of, "public", "internet", 53, "tcp").gets_through
    assert not reach(of, "public", "internet", 443, "udp").gets_through


def test_the_way_of_a_packet_and_its_answer_is_told_in_order() -> None:
    verdict = reach(BASE, ALLOWED, "public", 22)
    assert [(hop.direction, hop.kind) for hop in verdict.hops] == [
        ("there", "gateway"), ("there", "address"), ("there", "host"), ("there", "network acl"),
        ("there", "security group"), ("back", "security group"), ("back", "network acl"),
        ("back", "route"),
    ]  # fmt: skip
    assert "stateful" in verdict.hops[5].found


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("i-0123456789abcdef0", PUBLIC),
        ("eice-0123456789abcdef0", "There is no Instance Connect Endpoint"),
        ("somebody", "internet, public, private"),
        ("10.0.200.1", "none of its subnets"),
        ("2001:db8::1", "none of"),
        ("300.0.0.1", "none of"),
    ],
)
def test_a_name_that_is_nobodys_is_refused(name: str, said: str) -> None:
    with pytest.raises(UnknownPlace, match=said):
        reach(BASE, name, "public", 22)


def test_a_service_without_a_prefix_list_is_nobody() -> None:
    with pytest.raises(UnknownPlace, match="no prefix list"):
        reach(replace(BASE, prefix_lists=()), "public", "s3", 443)


def test_a_kind_of_subnet_that_is_not_there_is_nobody() -> None:
    with pytest.raises(UnknownPlace, match="no private subnet"):
        reach(replace(BASE, subnets=BASE.subnets[:1]), "private", "internet", 443)


@pytest.mark.parametrize(
    ("source", "destination", "said"),
    [
        ("internet", "s3", "Neither"),
        (ALLOWED, "internet", "Neither"),
        ("public", PUBLIC, "both ends"),
        ("public", "198.51.100.10", "both ends"),
    ],
)
def test_a_question_without_sense_is_refused(source: str, destination: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        reach(BASE, source, destination, 443)


def test_asking_changes_nothing_and_the_door_needs_its_own_rule() -> None:
    without = with_rules("sg-door")
    assert reach(without, DOOR, "private", 22).hops[-1].id == "sg-door"
    assert reach(with_rules("sg-private", FROM_DOOR), DOOR, "private", 22).gets_through
    assert network() == BASE


def test_the_same_addresses_are_the_same_set_however_they_are_written() -> None:
    halves = Addresses.of("10.0.0.128/25", "10.0.0.0/25")
    assert (
        halves
        == Addresses.of("10.0.0.0/24")
        == Addresses.of("10.0.0.0/23", "10.0.0.7") - (Addresses.of("10.0.1.0/24"))
    )
    assert (halves - Addresses.of("10.0.0.64/26")).cidrs == ("10.0.0.0/26", "10.0.0.128/25")

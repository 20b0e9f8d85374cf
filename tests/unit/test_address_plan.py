"""A network's addresses: where each subnet's are, and what is refused with which advice."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from odyssey_constructs.address_plan import AddressPlan, block, plan

WHOLE = "10.0.0.0/16"
# Blocks of WHOLE that the default plan leaves free.
FREE = ("10.0.128.0/20", "10.0.144.0/20", "10.0.160.0/20", "10.0.176.0/20")


def texts(chosen: AddressPlan) -> tuple[list[str], list[str]]:
    """Return the CIDR blocks of the public and the private subnets."""
    return [str(each) for each in chosen.public], [str(each) for each in chosen.private]


def refusal(vpc: str = WHOLE, *, zones: int = 2, **given: Any) -> str:
    """Return with which text a plan is refused."""
    with pytest.raises(ValueError, match=r"[.?]$") as refused:
        plan(vpc, zones=zones, **given)
    return str(refused.value)


def of(kind: str, *blocks: str) -> dict[str, Any]:
    """Return the argument that names the subnets of a kind."""
    return {kind: list(blocks)}


def test_each_subnet_is_a_sixteenth_of_the_network_the_public_ones_first() -> None:
    chosen = plan(WHOLE, zones=2)
    assert str(chosen.vpc) == WHOLE
    assert texts(chosen) == (["10.0.0.0/20", "10.0.16.0/20"], ["10.0.32.0/20", "10.0.48.0/20"])


@pytest.mark.parametrize("vpc", [WHOLE, "192.168.7.0/24", "172.31.0.0/20"])
def test_a_second_zone_moves_nothing(vpc: str) -> None:
    one, two = plan(vpc, zones=1), plan(vpc, zones=2)
    assert (len(one.public), len(one.private)) == (1, 1)
    assert (one.public[0], one.private[0]) == (two.public[0], two.private[0])


@pytest.mark.parametrize(
    ("vpc", "prefix"), [("10.0.0.0/16", 20), ("10.0.0.0/23", 27), ("10.255.255.0/24", 28)]
)
def test_subnets_are_inside_of_the_network_and_share_no_address(vpc: str, prefix: int) -> None:
    chosen = plan(vpc, zones=2)
    subnets = [*chosen.public, *chosen.private]
    assert {subnet.prefixlen for subnet in subnets} == {prefix}
    assert all(subnet.subnet_of(chosen.vpc) for subnet in subnets)
    assert not any(one.overlaps(other) for one, other in combinations(subnets, 2))


def test_a_network_has_at_most_a_16() -> None:
    assert plan("10.0.0.0/16", zones=2)
    assert refusal("10.0.0.0/15") == "10.0.0.0/15 is too wide: a VPC has at most a /16."


@pytest.mark.parametrize("vpc", ["10.0.0.0/28", "10.0.0.0/29"])
def test_a_network_has_room_for_two_subnets(vpc: str) -> None:
    named = ["10.0.0.0/28"]
    assert refusal(vpc, zones=1, public=named, private=named) == (
        f"{vpc} is too small: a public and a private subnet, each at least a /28, need a /27 or "
        "wider."
    )


@pytest.mark.parametrize("vpc", ["10.0.0.0/25", "10.0.0.0/27"])
def test_a_network_that_is_too_small_to_be_cut_can_still_be_named(vpc: str) -> None:
    text = refusal(vpc)
    assert text.startswith(f"{vpc} is too small to be cut into subnets")
    assert "take a /24 or wider, or name both public_cidrs and private_cidrs" in text
    # One of both is not enough: the other would have to be cut.
    assert refusal(vpc, zones=1, public=["10.0.0.0/28"]) == text


def test_both_kinds_named_nothing_is_cut() -> None:
    chosen = plan("10.0.0.0/27", zones=1, public=["10.0.0.16/28"], private=["10.0.0.0/28"])
    assert texts(chosen) == (["10.0.0.16/28"], ["10.0.0.0/28"])


@pytest.mark.parametrize("kind", ["public", "private"])
def test_one_kind_can_be_named_and_the_other_is_cut(kind: str) -> None:
    chosen = texts(plan(WHOLE, zones=2, **of(kind, *FREE[:2])))
    default = texts(plan(WHOLE, zones=2))
    expected = (list(FREE[:2]), default[1]) if kind == "public" else (default[0], list(FREE[:2]))
    assert chosen == expected


@pytest.mark.parametrize("kind", ["public", "private"])
@pytest.mark.parametrize(("zones", "count"), [(1, 2), (2, 1), (2, 3), (1, 4)])
def test_as_many_are_named_as_there_are_zones(kind: str, zones: int, count: int) -> None:
    assert refusal(zones=zones, **of(kind, *FREE[:count])) == (
        f"{kind}_cidrs names {count} CIDR blocks for {zones} zones: name one for each."
    )


@pytest.mark.parametrize(
    "garbage",
    [
        *("", " ", "/", "10.0.0.0/", "/16", "10.0/16", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/a"),
        *("256.0.0.0/16", "10.0.0.0.0/16", "fd00::/16", "10.0.0.0/16 ", "10.0.0.0/16/16", "home"),
        *("10.0.0.0:16", "010.0.0.0/16", "10.0.0.0/16,10.1.0.0/16"),
    ],
)
def test_what_is_no_cidr_block_is_shown_what_one_looks_like(garbage: str) -> None:
    assert refusal(garbage) == f"{garbage!r} is no IPv4 CIDR block such as 10.0.0.0/16."


def test_an_address_without_a_prefix_length_is_told_how_to_write_it() -> None:
    assert refusal("10.0.0.0") == "'10.0.0.0' has no prefix length; one address is 10.0.0.0/32."


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("10.0.0.1/16", "10.0.0.0/16"),
        ("192.168.255.255/24", "192.168.255.0/24"),
        ("10.0.0.17/28", "10.0.0.16/28"),
    ],
)
def test_bits_beyond_the_prefix_are_a_question(text: str, meant: str) -> None:
    assert refusal(text) == f"{text} has bits beyond its prefix; did you mean {meant}?"
    # Of a subnet, too.
    assert f"did you mean {meant}?" in refusal(public=[text, FREE[1]])


@pytest.mark.parametrize(
    "vpc",
    [
        *("11.0.0.0/16", "9.255.0.0/16", "172.15.0.0/16", "172.32.0.0/16", "192.167.0.0/16"),
        *("192.169.0.0/16", "8.8.8.0/24", "100.64.0.0/16", "169.254.0.0/16", "0.0.0.0/16"),
    ],
)
def test_addresses_of_somebody_else_are_refused_and_ours_are_named(vpc: str) -> None:
    text = refusal(vpc)
    assert text.startswith(f"{vpc} is not for private use")
    assert text.endswith("Take a block of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16.")


@pytest.mark.parametrize(
    "vpc", ["10.0.0.0/16", "10.255.0.0/16", "172.16.0.0/16", "172.31.0.0/16", "192.168.0.0/16"]
)
def test_the_ends_of_the_private_ranges_are_inside_of_them(vpc: str) -> None:
    assert str(plan(vpc, zones=2).vpc) == vpc


@pytest.mark.parametrize("vpc", ["172.17.0.0/16", "172.17.0.0/24", "172.17.255.0/24"])
def test_the_block_that_aws_services_use_inside_of_hosts_is_refused(vpc: str) -> None:
    assert refusal(vpc) == f"{vpc} overlaps 172.17.0.0/16, which AWS services use inside of hosts."


@pytest.mark.parametrize("vpc", ["172.16.255.0/24", "172.18.0.0/24"])
def test_its_neighbours_are_not(vpc: str) -> None:
    assert str(plan(vpc, zones=2).vpc) == vpc


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("10.0.128.0/20", "10.0.128.0/20"),
        ("10.0.128.0/20", "10.0.129.0/24"),
        ("10.0.128.0/19", "10.0.144.0/20"),
    ],
    ids=["equal", "inside", "at the end"],
)
def test_subnets_that_share_addresses_are_refused_in_either_order(one: str, other: str) -> None:
    for first, second in ((one, other), (other, one)):
        said = f"{first} and {second} overlap: each subnet has addresses of its own."
        # Of the same kind, and of both kinds.
        assert refusal(public=[first, second]) == said
        assert refusal(private=[first, second]) == said
        assert refusal(zones=1, public=[first], private=[second]) == said


def test_a_named_subnet_may_not_take_what_is_cut_for_the_others() -> None:
    text = refusal(zones=1, public=["10.0.32.0/24"])
    assert text.startswith("10.0.32.0/24 and 10.0.32.0/20 overlap")


def test_subnets_that_only_touch_are_neighbours() -> None:
    assert plan(WHOLE, zones=2, public=FREE[:2], private=FREE[2:])


@pytest.mark.parametrize("outside", ["10.1.0.0/20", "9.255.255.0/24", "10.0.0.0/15", "8.8.8.0/24"])
@pytest.mark.parametrize("kind", ["public", "private"])
def test_a_subnet_outside_of_the_network_is_refused(kind: str, outside: str) -> None:
    text = refusal(zones=1, **of(kind, outside))
    assert text == f"{outside} is not inside of the VPC's {WHOLE}."


@pytest.mark.parametrize("kind", ["public", "private"])
def test_a_subnet_has_at_least_a_28(kind: str) -> None:
    assert plan(WHOLE, zones=1, **of(kind, "10.0.128.0/28"))
    for small in ("10.0.128.0/29", "10.0.128.7/32"):
        assert refusal(zones=1, **of(kind, small)) == (
            f"{small} is too small: a subnet has at least a /28."
        )


def test_a_block_is_read_as_it_is_written() -> None:
    assert str(block("203.0.113.7/32")) == "203.0.113.7/32"

"""Which addresses a network has: its CIDR block, cut into subnets that never move.

Sizes are those of "VPC CIDR blocks" and "Subnet sizing" (Amazon VPC User Guide, 2026-11-21): a
VPC has a /16 to a /28, a subnet a /28 or wider, and AWS keeps five addresses of each subnet.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network
from itertools import chain, combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDEST, NARROWEST = 16, 28
# Two subnets, which is the least there are, in one zone.
NARROWEST_VPC = 27
MAX_ZONES = 2
# A sixteenth of the VPC for each subnet leaves twelve for what a learner adds.
_SHARE = 4
PRIVATE_USE = [IPv4Network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
# AWS's own development environments number containers with it, and then cannot be reached.
_TAKEN = IPv4Network("172.17.0.0/16")


@dataclass(frozen=True)
class AddressPlan:
    """The CIDR blocks of a VPC and its subnets, one of each kind per zone.

    Attributes:
        vpc: the whole.
        public: of the subnets with a route to the internet, in the order of zones.
        private: of those without.
    """

    vpc: IPv4Network
    public: tuple[IPv4Network, ...]
    private: tuple[IPv4Network, ...]


def plan(
    vpc: str, *, zones: int, public: Sequence[str] = (), private: Sequence[str] = ()
) -> AddressPlan:
    """Cut `vpc` into a public and a private subnet for each of `zones`.

    A subnet's block depends on neither the number of zones nor the other subnets, so that a
    second zone moves nothing.

    Args:
        vpc: the CIDR block of the VPC, of addresses for private use.
        zones: 1 or 2.
        public: the CIDR blocks of the public subnets, one per zone; cut from `vpc` by default.
        private: those of the private subnets.

    Raises:
        ValueError: a block is malformed, too small, too wide, outside of the VPC, or overlaps
            another; the text says which and what would be right.
    """
    whole = _vpc(vpc)
    cut = {} if public and private else _cut(whole)
    chosen = AddressPlan(
        vpc=whole,
        public=_given("public", public, zones) or cut["public"][:zones],
        private=_given("private", private, zones) or cut["private"][:zones],
    )
    _fits(chosen)
    return chosen


def block(text: str) -> IPv4Network:
    """Read an IPv4 CIDR block; raises ValueError with what would be right."""
    try:
        found = IPv4Interface(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no IPv4 CIDR block such as 10.0.0.0/16.") from error
    if "/" not in text:
        raise ValueError(f"{text!r} has no prefix length; one address is {found}.")
    if found.ip != found.network.network_address:
        raise ValueError(f"{text} has bits beyond its prefix; did you mean {found.network}?")
    return found.network


def _vpc(text: str) -> IPv4Network:
    whole = block(text)
    if whole.prefixlen < WIDEST:
        raise ValueError(f"{whole} is too wide: a VPC has at most a /{WIDEST}.")
    if whole.prefixlen > NARROWEST_VPC:
        raise ValueError(
            f"{whole} is too small: a public and a private subnet, each at least a "
            f"/{NARROWEST}, need a /{NARROWEST_VPC} or wider."
        )
    if not any(whole.subnet_of(private) for private in PRIVATE_USE):
        ranges = ", ".join(map(str, PRIVATE_USE))
        raise ValueError(
            f"{whole} is not for private use: hosts could not reach its real owner. Take a block "
            f"of {ranges}."
        )
    if whole.overlaps(_TAKEN):
        raise ValueError(f"{whole} overlaps {_TAKEN}, which AWS services use inside of hosts.")
    return whole


def _cut(whole: IPv4Network) -> dict[str, tuple[IPv4Network, ...]]:
    prefix = whole.prefixlen + _SHARE
    if prefix > NARROWEST:
        raise ValueError(
            f"{whole} is too small to be cut into subnets, each a sixteenth and at least a "
            f"/{NARROWEST}: take a /{NARROWEST - _SHARE} or wider, or name both public_cidrs and "
            "private_cidrs."
        )
    subnets = whole.subnets(new_prefix=prefix)
    first = tuple(next(subnets) for _ in range(2 * MAX_ZONES))
    return {"public": first[:MAX_ZONES], "private": first[MAX_ZONES:]}


def _given(kind: str, texts: Sequence[str], zones: int) -> tuple[IPv4Network, ...]:
    if texts and len(texts) != zones:
        raise ValueError(
            f"{kind}_cidrs names {len(texts)} CIDR blocks for {zones} zones: name one for each."
        )
    return tuple(map(block, texts))


def _fits(chosen: AddressPlan) -> None:
    for subnet in chain(chosen.public, chosen.private):
        if subnet.prefixlen > NARROWEST:
            raise ValueError(f"{subnet} is too small: a subnet has at least a /{NARROWEST}.")
        if not subnet.subnet_of(chosen.vpc):
            raise ValueError(f"{subnet} is not inside of the VPC's {chosen.vpc}.")
    for one, other in combinations(chain(chosen.public, chosen.private), 2):
        if one.overlaps(other):
            raise ValueError(f"{one} and {other} overlap: each subnet has addresses of its own.")

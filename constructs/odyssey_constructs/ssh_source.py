"""From where a host may be reached by SSH: a few addresses that somebody named, never everybody."""

from __future__ import annotations

from ipaddress import IPv4Network

from odyssey_constructs.address_plan import PRIVATE_USE, block

# "IANA IPv4 Special-Purpose Address Registry": this network, shared, loopback and link-local
# addresses, multicast and what is reserved.
_NOBODYS = [
    *PRIVATE_USE,
    *map(IPv4Network, ("0.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16")),
    IPv4Network("224.0.0.0/3"),
]
# 256 addresses: an office, not a provider.
WIDEST = 24


def ssh_source(text: str) -> str:
    """Return the CIDR block from which SSH is allowed.

    Raises:
        ValueError: it is malformed, or wider than somebody's own addresses; the text says why.
    """
    if ":" in text:
        raise ValueError(f"{text} is IPv6, and the network has IPv4 only.")
    if text.endswith("/0"):
        raise ValueError(
            f"{text} is the whole internet, and strangers try every port 22 they find. Name your "
            "own address as 203.0.113.7/32 (--my-ip does), or leave SSH off and use Session "
            "Manager."
        )
    source = block(text)
    if source.prefixlen < WIDEST:
        raise ValueError(
            f"{source} is {source.num_addresses:,} addresses, most of them strangers'. Name at "
            f"most a /{WIDEST}, best one address as 203.0.113.7/32."
        )
    if any(source.overlaps(each) for each in _NOBODYS):
        raise ValueError(
            f"{source} is no public address, and nothing from the internet has such a one. Name "
            "the address that you have out there; --my-ip asks for it."
        )
    return str(source)

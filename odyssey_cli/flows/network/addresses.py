"""Sets of IPv4 addresses: what is left of somebody when rule after rule has been asked."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, summarize_address_range
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Addresses:
    """A set of addresses.

    Attributes:
        ranges: first and last number of each run of addresses, in order and apart from each
            other, so that equal sets are equal.
    """

    ranges: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, *texts: str) -> Addresses:
        """Return the addresses of CIDR blocks and single addresses; IPv6 has no part in this."""
        blocks = [IPv4Network(text, strict=False) for text in texts if ":" not in text]
        return cls._joined((int(each[0]), int(each[-1])) for each in blocks)

    @classmethod
    def _joined(cls, ranges: Iterable[tuple[int, int]]) -> Addresses:
        joined: list[tuple[int, int]] = []
        for first, last in sorted(ranges):
            if joined and first <= joined[-1][1] + 1:
                joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
            else:
                joined.append((first, last))
        return cls(tuple(joined))

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __contains__(self, address: str) -> bool:
        return any(first <= int(IPv4Address(address)) <= last for first, last in self.ranges)

    def __or__(self, other: Addresses) -> Addresses:
        return self._joined((*self.ranges, *other.ranges))

    def __and__(self, other: Addresses) -> Addresses:
        return self._joined(
            (max(first, start), min(last, end))
            for first, last in self.ranges
            for start, end in other.ranges
            if first <= end and start <= last
        )

    def __sub__(self, other: Addresses) -> Addresses:
        left = list(self.ranges)
        for start, end in other.ranges:
            left = [piece for each in left for piece in _without(each, start, end)]
        return Addresses(tuple(left))

    @property
    def count(self) -> int:
        """How many addresses there are."""
        return sum(last - first + 1 for first, last in self.ranges)

    @property
    def cidrs(self) -> tuple[str, ...]:
        """The fewest CIDR blocks that have these addresses and no other."""
        return tuple(
            str(block)
            for first, last in self.ranges
            for block in summarize_address_range(IPv4Address(first), IPv4Address(last))
        )


def _without(mine: tuple[int, int], start: int, end: int) -> list[tuple[int, int]]:
    first, last = mine
    pieces = [(first, min(last, start - 1)), (max(first, end + 1), last)]
    return [piece for piece in pieces if piece[0] <= piece[1]]


EVERY = Addresses.of("0.0.0.0/0")
# Nothing on the internet has an address of these: "IANA IPv4 Special-Purpose Address Registry",
# 2026-11-21. Those for documentation are left in: examples are full of them.
NOT_ON_THE_INTERNET = Addresses.of(
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
    "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
)  # fmt: skip

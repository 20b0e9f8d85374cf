"""What a stack is billed for by the hour, or for being as large as it is, used or not."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from bench.prices import HOURS_A_MONTH, PRICES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from bench.template import Template

# What is billed by the hour or by size, by name of its price.
NAMES = ("t4g.micro", "t3.micro", "gp3", "address", "nat")


def hourly(template: Template, *, up: float = HOURS_A_MONTH) -> dict[str, float]:
    """Return the hours and GB of a month, by name of the price.

    A stopped host is not billed; its volume is ("StopInstances", Amazon EC2 API Reference), and its
    public address goes back to Amazon ("Identify and optimize public IPv4 address usage on AWS",
    AWS Networking & Content Delivery Blog). What is at a NAT gateway stays.

    Args:
        template: the stack's.
        up: how many hours of the month its hosts run.

    Raises:
        LookupError: a host or its disk is of a kind whose price nobody looked up.
    """
    counts: defaultdict[str, float] = defaultdict(float)
    for host in template.of_type("AWS::EC2::Instance").values():
        counts[_priced(host["InstanceType"])] += up
        counts["address"] += up * sum(_addresses(host))
        for device in host["BlockDeviceMappings"]:
            volume = device["Ebs"]
            counts[_priced(volume["VolumeType"])] += volume["VolumeSize"]
    elastic, gateways = (
        len(template.of_type(kind)) for kind in ("AWS::EC2::EIP", "AWS::EC2::NatGateway")
    )
    counts["address"] += elastic * HOURS_A_MONTH
    counts["nat"] += gateways * HOURS_A_MONTH
    return {name: count for name, count in counts.items() if count}


def spelled(counts: Mapping[str, float]) -> str:
    """Return what of `counts` is billed so, for people."""
    return ", ".join(
        f"{count:,.0f} {PRICES[name].unit}" for name, count in counts.items() if name in NAMES
    )


def _addresses(host: Mapping[str, Any]) -> Iterator[bool]:
    """Tell of each interface whether it gets a public address; our subnets give none unasked."""
    for interface in host["NetworkInterfaces"]:
        yield interface.get("AssociatePublicIpAddress", False)


def _priced(kind: str) -> str:
    if kind not in NAMES:
        raise LookupError(f"No price is known for {kind}.")
    return kind

"""Rows of Network, which is billed by the hour: a month of it, and of what options add."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.figures import Row
from bench.hourly import spelled
from bench.idle import Idle, idle
from bench.prices import GB, HOURS_A_MONTH, PRICES
from odyssey_constructs.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench.template import Template

# By the name of a stack of bench/network_app.py: how a row calls it, and its settings.
VARIANTS = {
    "NetworkWithNat": ("with a NAT gateway", Config(nat_gateway=True)),
    "NetworkWithPrivateHost": ("with a private host", Config(private_host="endpoint")),
}
# From eight to six on five days a week.
WORKING_HOURS = HOURS_A_MONTH * (10 * 5) / (24 * 7)
UP = {"stopped at night and on weekends": WORKING_HOURS, "stopped all month": 0.0}


def rows(template: Template, variants: Mapping[str, Template]) -> Iterator[Row]:
    """Return what Network costs idle when it is not as by default, and a GB that leaves it.

    Args:
        template: Network's, as by default.
        variants: those of `VARIANTS`, by their stacks' names.
    """
    default = idle(template)
    for stack, (words, _) in VARIANTS.items():
        yield _row(words, idle(variants[stack]), default)
    for words, up in UP.items():
        yield _row(words, idle(template, up=up), default)
    out, through = PRICES["internet"].of(GB), PRICES["nat_bytes"].of(GB)
    yield Row(
        row=f"a GB from {template.name} to the internet",
        figure=out,
        unit="USD",
        measured=f"{out:.2f} USD from a public host",
        other=f"{out + through:.3f} USD through a NAT gateway",
        detail=f"{PRICES['internet'].free / GB:.0f} GB a month are free in an account; the NAT "
        "gateway's part is not, and it takes as much for what comes in",
    )


def _row(words: str, idle: Idle, default: Idle) -> Row:
    usd, without = idle.usd_beyond_free(), idle.usd()
    more = usd - default.usd_beyond_free()
    return Row(
        row=f"a month idle, {default.name} {words}",
        figure=usd,
        unit="USD",
        measured=f"{usd:.2f} USD with the free tier",
        other=f"{without:.2f} USD without it",
        detail=f"in dev, {abs(more):.2f} USD {'more' if more > 0 else 'less'} than by default: "
        f"{spelled(idle.counts)}",
    )

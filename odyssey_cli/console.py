"""Where output goes: answers on stdout, everything about how the work goes on stderr."""

import re

from rich.console import Console

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

# C0 and C1, with which a text could steer the terminal of whoever reads it.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def plain(text: str) -> str:
    """Return `text` with control characters spelt out."""
    return CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def amount(number: int, noun: str) -> str:
    """Return e.g. `1 item` or `2 items`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"

"""Where output goes: answers on stdout, everything about how the work goes on stderr."""

from rich.console import Console

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

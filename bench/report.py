"""Shows rows to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.figures import Row

_MARKS = {True: Text("✓", style="green"), False: Text("✗", style="bold red"), None: Text("")}


def table(rows: Sequence[Row]) -> Table:
    """Return the table of what was measured."""
    made = Table(title="odyssey bench", title_justify="left")
    for heading in ("row", "measured", "other side"):
        made.add_column(heading, overflow="fold")
    for heading in ("figure", "budget"):
        made.add_column(heading, justify="right", no_wrap=True)
    made.add_column("ok")
    for row in rows:
        made.add_row(
            row.row,
            row.measured or Text("not measured", style="red"),
            row.other,
            figure(row.figure, row.unit),
            f"≤ {figure(row.budget, row.unit)}" if row.budget is not None else "",
            _MARKS[row.ok],
        )
    return made


def figure(value: float | None, unit: str) -> str:
    """Return a figure with its unit, as exact as it is worth reading."""
    if value is None:
        return "—"
    text = f"{value:.4f}" if 0 < abs(value) < 0.1 else f"{value:.2f}".removesuffix(".00")  # noqa: PLR2004
    return f"{text} {unit}".rstrip()


def summary(rows: Sequence[Row]) -> str:
    """Return one line that says which budgets were missed, and what could not be measured."""
    unmeasured = [row.row for row in rows if row.figure is None]
    missed = [row.row for row in rows if row.figure is not None and row.ok is False]
    kept = sum(row.ok is True for row in rows)
    parts = [f"{kept} of {kept + len(missed)} budgets kept"]
    if missed:
        parts.append(f"missed: {'; '.join(missed)}")
    if unmeasured:
        parts.append(f"not measured: {'; '.join(unmeasured)}")
    return ". ".join(parts) + "."

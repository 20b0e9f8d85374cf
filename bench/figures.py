"""What a benchmark finds: rows of figures, each beside its budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


# The unit of a ratio.
RATIO = "×"  # noqa: RUF001 - it is meant


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure.

    Attributes:
        row: what was measured.
        figure: the number that is held against the budget; None if it could not be measured.
        unit: of the figure.
        budget: the most that the figure may be; None if the row only informs.
        measured: the measured side, for people.
        other: the side it is measured against, for people.
        detail: how it was measured and what it assumes, in a sentence or two.
    """

    row: str
    figure: float | None
    unit: str
    budget: float | None = None
    measured: str = ""
    other: str = ""
    detail: str = ""

    @property
    def ok(self) -> bool | None:
        """Whether the budget is kept; None if there is none."""
        if self.figure is None:
            return False
        return None if self.budget is None else self.figure <= self.budget

    def as_json(self) -> dict[str, Any]:
        """Return the row as a script reads it."""
        sides = " against ".join(filter(None, (self.measured, self.other)))
        return {
            "row": self.row,
            "figure": self.figure,
            "unit": self.unit,
            "budget": self.budget,
            "ok": self.ok,
            "detail": ". ".join(filter(None, (sides, self.detail))),
        }


def not_measured(name: str, reason: str) -> Row:
    """Return the row of something that could not be measured."""
    return Row(row=name, figure=None, unit="", detail=reason)


def alternate(
    sides: Mapping[str, Callable[[], float]],
    rounds: int,
    say: Callable[[str, int, int], None] = lambda *_: None,
    what: str = "",
) -> dict[str, float]:
    """Measure every side once a round, in turns; return each side's minimum.

    The minimum, because whatever else a machine does can only add to a time.

    Args:
        sides: by name, what returns one measurement.
        rounds: how often.
        say: told what is going on: `what`, how much of it is done, and of how much.
        what: a name for all of it.
    """
    total = rounds * len(sides)
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for turn, (name, measure) in enumerate(sides.items()):
            say(what, number * len(sides) + turn, total)
            taken[name].append(measure())
    return {name: min(values) for name, values in taken.items()}


def ratio(
    name: str,
    *,
    side: float,
    other: float,
    budget: float,
    show: Callable[[float], str],
    detail: str = "",
) -> Row:
    """Return the row of `side` ÷ `other`, both shown."""
    return Row(
        row=name,
        figure=side / other,
        unit=RATIO,
        budget=budget,
        measured=show(side),
        other=show(other),
        detail=detail,
    )


def seconds(value: float) -> str:
    """Return a time for people: milliseconds below a second."""
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms"

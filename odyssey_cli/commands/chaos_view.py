"""What a run of chaos looks like: what went wrong, where events ended, and how that went on."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from odyssey_cli.console import amount, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from proofs.chaos.run import Report

_BARS = "▁▂▃▄▅▆▇█"
_SLICES = 60
# Hops of an event in trouble; the first ones tell how it came there.
_MOST_HOPS, _MOST_VIOLATIONS = 40, 10


def parts(report: Report, *, is_terminal: bool) -> Iterator[RenderableType]:
    """Yield what to print.

    Args:
        report: of the run.
        is_terminal: whether somebody looks, to whom a picture tells more than lines.
    """
    yield _faults(report)
    yield Text()
    if is_terminal:
        yield _picture(report)
        yield Text()
    yield _ended(report)
    yield Text()
    yield _bad(report)
    yield Text()
    yield Text(summary(report), style="green" if report.is_kept else "red")
    if not report.is_kept:
        yield from _violations(report)


def summary(report: Report) -> str:
    """Return the run in two lines."""
    kept = "nothing lost, nothing counted twice, every poison record in its place"
    again = sum(number for (_, what), number in report.delivered.items() if what == "again")
    found = kept if report.is_kept else f"{amount(len(report.violations), 'promise')} not kept"
    return (
        f"{report.flow}: {report.events} events, {len(report.steps)} invocations, "
        f"{sum(report.faults.values())} faults, {again} redeliveries, "
        f"{sum(report.overtaken.values())} overtaken, "
        f"{amount(report.redrives, 'redrive')}, {report.lasted / 3600:.1f} pretended hours in "
        f"{report.seconds:.1f} s, seed {report.seed}\n{found}"
    )


def _faults(report: Report) -> Table:
    """A row per kind of fault, a column per function."""
    functions = sorted({function for function, _ in report.faults})
    totals = Counter[str]()
    for (_, kind), number in report.faults.items():
        totals[kind] += number
    table = Table("injected", *functions, "all", box=None, pad_edge=False)
    # Where there is little room, heads are folded, and kinds stay in a line each.
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.justify, column.overflow = "right", "fold"
    for kind, total in totals.most_common():
        numbers = [report.faults[function, kind] for function in functions]
        table.add_row(kind, *(str(number or "") for number in numbers), str(total))
    return table


def _ended(report: Report) -> Table:
    """Where events ended."""
    table = Table("ended", "events", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    table.add_row("sent", str(report.events))
    table.add_row("  of them poison", str(report.poison))
    table.add_row("  of them deadly to a function", str(report.killers))
    for place, number in report.ended.items():
        table.add_row(place, str(number))
    return table


def _bad(report: Report) -> Table:
    """What could never get through."""
    table = Table("poison of", "why", "events", box=None, pad_edge=False)
    table.columns[2].justify = "right"
    for (where, why), number in report.bad.items():
        table.add_row(plain(where), plain(why), str(number))
    return table


def _picture(report: Report) -> Table:
    """Invocations, retries, faults and what was given up, from the first invocation to the last."""
    steps, count = report.steps, min(_SLICES, len(report.steps))
    edges = [len(steps) * number // count for number in range(count + 1)] if count else [0]
    slices = [steps[first:last] for first, last in pairwise(edges)]
    ends = [each[-1].faults for each in slices]
    table = Table(box=None, pad_edge=False, show_header=False)
    rows = {
        "delivered again": ("yellow", [sum(step.again for step in each) for each in slices]),
        "faults": ("red", [now - before for before, now in zip([0, *ends], ends, strict=False)]),
        "given up": ("magenta", [max(step.waiting for step in each) for each in slices]),
    }
    for name, (colour, numbers) in rows.items():
        table.add_row(name, Text(bars(numbers), style=colour), f"up to {max(numbers, default=0)}")
    return table


def bars(numbers: Sequence[int]) -> str:
    """Return numbers as bars, of which the highest is as high as a line."""
    most = max(numbers, default=0)
    return "".join(
        " " if not number else _BARS[(len(_BARS) - 1) * number // most] for number in numbers
    )


def _violations(report: Report) -> Iterator[Text]:
    for each in report.violations[:_MOST_VIOLATIONS]:
        yield Text(plain(f"  {each.event} {each.what}"))
    if (left := len(report.violations) - _MOST_VIOLATIONS) > 0:
        yield Text(f"  and {left} more")
    name, hops = report.hops
    if name:
        yield Text(f"\nWhat happened to {name}:")
    for hop in hops[:_MOST_HOPS]:
        yield Text(plain(f"  {hop}"))
    if len(hops) > _MOST_HOPS:
        yield Text(f"  and {len(hops) - _MOST_HOPS} more hops")

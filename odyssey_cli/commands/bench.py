"""bench: the project's budgets, measured."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.text import Text

from odyssey_cli.commands.stacks import steps
from odyssey_cli.console import err, out
from odyssey_cli.errors import OdysseyError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(bench)


def bench(
    rows: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ROW]...", help="demo, synth, bundle, import, calls, cost; all by default."
        ),
    ] = None,
    cold: Annotated[
        bool, typer.Option("--cold", help="Also run the demo with an empty HOME (downloads all).")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON array, one object per figure.")
    ] = False,
) -> None:
    """Measure the project against its budgets; a missed one is marked, not an error."""
    # A benchmark's imports would slow every other command.
    from bench import report  # noqa: PLC0415
    from bench.rows import Bench  # noqa: PLC0415

    with steps() as step:
        harness = Bench(step, cold=cold)
        for name in rows or []:
            if name not in harness.rows:
                raise OdysseyError(
                    f"There is no row {name!r}.", f"There are {', '.join(harness.rows)}."
                )
        found = list(harness.measure(list(dict.fromkeys(rows or harness.rows))))
    if as_json:
        typer.echo(json.dumps([row.as_json() for row in found], ensure_ascii=False, indent=2))
    else:
        out.print(report.table(found))
        for row in found:
            out.print(Text(f"{row.row}: {row.detail}", style="dim"))
    err.print(Text(report.summary(found)))
    unmeasured = [row for row in found if row.figure is None]
    if unmeasured:
        raise OdysseyError(
            f"{len(unmeasured)} rows could not be measured: {unmeasured[0].detail}",
            "Mend that and run it again; ./odyssey doctor checks what everything stands on.",
        )

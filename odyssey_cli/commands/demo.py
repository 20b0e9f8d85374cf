"""demo: everything, from deploy to teardown, verified."""

from __future__ import annotations

import io
import json
import os
import re
import time
from pathlib import Path  # noqa: TC003 - Typer reads it
from typing import TYPE_CHECKING, Annotated

import typer
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.table import Table
from rich.text import Text

from odyssey_cli.console import err, out
from odyssey_cli.errors import OdysseyError

if TYPE_CHECKING:
    from odyssey_cli.demo.checks import Checks


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    flows: Annotated[
        list[str] | None, typer.Argument(metavar="[FLOW]...", help="All of them by default.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the cloud and the stacks running.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per flow on stdout.")
    ] = False,
    picture: Annotated[
        Path | None, typer.Option(hidden=True, help="Also save the table as an SVG file.")
    ] = None,
) -> None:
    """Deploy to a local cloud, drive every flow as a client would, verify every outcome."""
    from odyssey_cli.commands.stacks import steps  # noqa: PLC0415
    from odyssey_cli.demo import runner  # noqa: PLC0415

    for name in flows or []:
        if name not in runner.FLOWS:
            raise OdysseyError(
                f"There is no flow {name!r}.", f"There are {', '.join(runner.FLOWS)}."
            )
    begun = time.monotonic()
    with steps() as step:
        results = runner.demo(list(dict.fromkeys(flows or runner.FLOWS)), keep=keep, step=step)
    for checks in results:
        if as_json:
            typer.echo(json.dumps(checks.as_json(), ensure_ascii=False))
        else:
            out.print(_table(checks))
    if picture:
        _save(results, picture)
    err.print(_times(time.monotonic() - begun))
    if keep:
        err.print("The cloud and its stacks are left running; ./odyssey down ends them.")
    failed = [check.name for checks in results for check in checks.checks if not check.ok]
    if failed:
        raise OdysseyError(
            f"{len(failed)} checks failed.", "Run it again with --keep, then see ./odyssey logs."
        )


def _table(checks: Checks) -> Table:
    table = Table("", "check", "what was seen", title=checks.flow, title_justify="left")
    for check in checks.checks:
        mark = Text("✓", style="green") if check.ok else Text("✗", style="bold red")
        table.add_row(mark, check.name, Text(check.detail, style="" if check.ok else "red"))
    return table


def _save(results: list[Checks], file: Path) -> None:
    console = Console(record=True, width=110, file=io.StringIO())
    for checks in results:
        console.print(_table(checks))
    # Without the web font: a picture must not fetch anything.
    plain = re.sub(r"@font-face {{.*?}}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    file.write_text(console.export_svg(title="./odyssey demo", code_format=plain))


def _times(seconds: float) -> str:
    setup = os.environ.get("ODYSSEY_SETUP_SECONDS")
    if setup is None:
        return f"verified in {seconds:.1f} s"
    total = float(setup) + seconds
    return f"verified in {total:.1f} s from a fresh clone: set-up {setup} s, demo {seconds:.1f} s"

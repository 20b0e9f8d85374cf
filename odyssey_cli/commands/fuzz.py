"""fuzz: anything that is sent to an API gets an answer that is described."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from odyssey_cli import figures
from odyssey_cli.commands.stacks import StacksArgument, steps
from odyssey_cli.console import amount, out, plain
from odyssey_cli.errors import OdysseyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from odyssey_cli.fuzz.runner import Tried

# More of them say the same; --json has all.
_SHOWN = 10


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(fuzz)


def fuzz(
    stacks: StacksArgument = None,
    examples: Annotated[
        int, typer.Option("--examples", min=1, help="Random requests for each operation.")
    ] = 50,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Make the same requests again.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Send APIs everything they might be sent, and hold the answers against ./odyssey openapi.

    On the local cloud that is running, which then keeps what was accepted, or on one of its own.
    Exits with 1 unless every operation was tried in both ways and passed.
    """
    from odyssey_cli.fuzz import runner  # noqa: PLC0415 - schemathesis takes a second

    used = secrets.randbelow(2**32) if seed is None else seed
    with steps() as step:
        tried = runner.fuzz(stacks or [], examples=examples, seed=used, step=step)
    found = runner.figures(tried)
    ok = bool(tried) and all(each.ok for each in tried)
    if as_json:
        apis = [
            {"stack": each.stack, "ok": each.ok}
            | {name: report.as_json() for name, report in each.reports.items()}
            for each in tried
        ]
        typer.echo(json.dumps({"ok": ok, "seed": used, "apis": apis, "figures": found}, indent=2))
    else:
        _show(tried)
        out.print(f"The same requests again: --seed {used}")
        figures.show(found)
    if not ok:
        raise _not_proved(tried)


def _not_proved(tried: Sequence[Tried]) -> OdysseyError:
    failed = sum(len(report.failures) for each in tried for report in each.reports.values())
    if failed:
        return OdysseyError(
            f"The APIs failed {amount(failed, 'check')}.",
            "The lines above send the requests again; see ./odyssey logs for the functions.",
        )
    untried = [
        f"{each.stack} {operation} ({name})"
        for each in tried
        for name, report in each.reports.items()
        for operation in report.untried or ([] if report.ok else ["no operation"])
    ]
    return OdysseyError(
        f"Nothing was found, but not everything was tried: {', '.join(untried) or 'no API'}.",
        "See with ./odyssey openapi what is described of them.",
    )


def _show(tried: Sequence[Tried]) -> None:
    table = Table("API", "requests", "cases", "passed", "seconds", "answered")
    for each in tried:
        for name, report in each.reports.items():
            answers = ", ".join(f"{status} ({n})" for status, n in sorted(report.statuses.items()))
            table.add_row(
                each.stack,
                name,
                str(report.cases),
                str(report.passed),
                f"{report.seconds:.1f}",
                answers,
            )
    out.print(table)
    for each in tried:
        for report in each.reports.values():
            for failure in report.failures[:_SHOWN]:
                out.print(Text(f"{each.stack} {failure.operation}: {plain(failure.what)}"))
                out.print(Text(f"  {failure.curl}"), soft_wrap=True)
            if len(report.failures) > _SHOWN:
                out.print(f"… and {len(report.failures) - _SHOWN} more")

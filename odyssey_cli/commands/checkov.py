"""checkov: what checkov thinks of the templates."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from odyssey_cli import figures
from odyssey_cli.commands.stacks import ContextOption, settings_of, steps
from odyssey_cli.console import err, out, plain


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(checkov)


def checkov(
    context: ContextOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Run checkov over the templates of both stages, or of -c stage=...; offline.

    Installs it on first use. Exits with 1 for a finding without a reason in
    .ci/checkov/accepted.toml, and for a reason without a finding in one of its stages.
    """
    from odyssey_cli import checkov as checks  # noqa: PLC0415 - only this command needs it

    with steps() as step:
        report = checks.run(settings_of(context), step)
    if as_json:
        typer.echo(json.dumps(_as_json(report)))
    else:
        _show(report)
        figures.show(_figures(report))
    if not report.ok:
        raise typer.Exit(1)


def _show(report: Any) -> None:  # noqa: ANN401 - see checkov
    from odyssey_cli.checkov import ACCEPTED  # noqa: PLC0415 - see checkov

    if report.open:
        table = Table(title="Open", title_justify="left")
        for heading in ("check", "wants", "stage", "resource"):
            table.add_column(heading, overflow="fold")
        for each in report.open:
            cells = (each.check, each.title, each.stage, each.resource)
            table.add_row(*(Text(plain(cell)) for cell in cells))
        out.print(table)
        err.print(f"Mend them, or say why they stay in {ACCEPTED}.")
    for check, stage, resource in report.unused:
        err.print(
            f"Not found any more in {stage}: {check} of {resource}. Take it out of {ACCEPTED}."
        )
    out.print(
        f"{report.resources} resources: {report.passed} checks passed, {report.accepted} findings "
        f"accepted, {len(report.open)} open, {report.errors} templates unreadable"
    )


def _figures(report: Any) -> dict[str, Any]:  # noqa: ANN401 - see checkov
    """Return the figures of a run; a case is a check of a resource, or a template unread."""
    accounted_for = report.passed + report.accepted
    return figures.figures(
        tried=accounted_for + len(report.open) + report.errors,
        passed=accounted_for,
        seconds=report.seconds,
        resources=report.resources,
        accepted=report.accepted,
        open=len(report.open),
        unreadable=report.errors,
    )


def _as_json(report: Any) -> dict[str, Any]:  # noqa: ANN401 - see checkov
    return {
        "ok": report.ok,
        "open": [vars(each) for each in report.open],
        "unused": [
            {"check": check, "stage": stage, "resource": resource}
            for check, stage, resource in report.unused
        ],
        "figures": _figures(report),
    }

"""audit: what is left after destroy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from odyssey_cli import cdk, figures
from odyssey_cli.commands.stacks import steps
from odyssey_cli.console import amount, err, out, plain
from odyssey_cli.target import TargetOption, YesOption, resolve

if TYPE_CHECKING:
    from odyssey_cli.audit import Report, Row
    from odyssey_cli.policy.templates import Template
    from odyssey_cli.target import Target


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(audit)


def audit(
    target: TargetOption = "local",
    yes: YesOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """List what is left after destroy, why, what it costs, and what removes it; change nothing.

    Exits with 1 when something is left that is not kept on purpose, or when a listing was
    refused.
    """
    from odyssey_cli import audit as audits  # noqa: PLC0415 - see odyssey_cli.target

    to = resolve(target, yes=yes)
    with steps() as step:
        templates = _templates(to)
        step("listing")
        report = audits.audit(to, templates)
    if as_json:
        typer.echo(json.dumps(_as_json(report, audits.figures(report)), ensure_ascii=False))
    else:
        _show(report)
        _conclude(to, report)
    if not report.ok:
        raise typer.Exit(1)


def _templates(to: Target) -> list[Template]:
    """Return the app's templates, from the last synth for this target if there was one.

    They decide only where nothing was listed before the first deployment.
    """
    from odyssey_cli.policy.templates import load  # noqa: PLC0415 - see odyssey_cli.target

    assembly = to.state / "cdk.out"
    if not (assembly / "manifest.json").exists():
        assembly = cdk.synthesize(to)
    return load(assembly)


def _show(report: Report) -> None:
    from odyssey_cli.audit import Verdict  # noqa: PLC0415 - see odyssey_cli.target

    for verdict in Verdict:
        rows = report.of(verdict)
        if not rows:
            continue
        table = Table(title=verdict.capitalize(), title_justify="left")
        for heading in ("what", "name", "why", "idle, it costs"):
            table.add_column(heading, overflow="fold")
        for row in rows:
            table.add_row(*(Text(plain(text)) for text in _cells(row)))
        out.print(table)
        removals = [line for row in rows for line in row.removal]
        if removals:
            out.print("What removes them, in this order:")
            for line in removals:
                out.print(Text(f"  {plain(line)}"), soft_wrap=True)


def _cells(row: Row) -> tuple[str, str, str, str]:
    return row.thing.type, row.thing.name, row.reason or row.why, row.costs


def _conclude(to: Target, report: Report) -> None:
    from odyssey_cli import audit as audits  # noqa: PLC0415 - see odyssey_cli.target

    for line in report.unseen:
        err.print(Text(f"Could not be listed: {plain(line)}"))
    if report.bootstrap:
        err.print(
            f"Not counted: {amount(len(report.bootstrap), 'resource')} of the CDK's bootstrap "
            "(the stack CDKToolkit), which all CDK apps there share."
        )
    if report.rows and to.local is not None:
        err.print('For the credentials of these: eval "$(./odyssey up --env)"', style="dim")
    if report.standing:
        number = "1 stack is" if len(report.standing) == 1 else f"{len(report.standing)} stacks are"
        err.print(f"{number} deployed: {', '.join(report.standing)}; audit after destroy.")
    if any(row.thing.type == "AWS::SQS::Queue" for row in report.of(audits.Verdict.LEFT)):
        # "DeleteQueue", Amazon SQS API Reference, 2026-11-21.
        err.print("A deleted queue may be listed for another minute.", style="dim")
    told = audits.figures(report)
    out.print(
        f"{told['listings']} kinds of resources: {told['left']} left, "
        f"{told['kept']} kept on purpose, {told['going']} going, "
        f"{told['unsure']} perhaps not ours"
    )
    figures.show(told)


def _as_json(report: Report, told: dict[str, Any]) -> dict[str, Any]:
    return {
        "ok": report.ok,
        "deployed": report.standing,
        "bootstrap": report.bootstrap,
        "unseen": report.unseen,
        "found": [
            {
                "type": row.thing.type,
                "name": row.thing.name,
                "verdict": row.verdict,
                "why": row.why,
                "reason": row.reason,
                "costs": row.costs,
                "removal": row.removal,
            }
            for row in report.rows
        ],
        "figures": told,
    }

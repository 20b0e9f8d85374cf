"""iam: who may do what, and the proof that nobody may do more than is needed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from odyssey_cli import figures
from odyssey_cli.commands.stacks import StacksArgument, steps
from odyssey_cli.console import out
from odyssey_cli.errors import OdysseyError

if TYPE_CHECKING:
    from odyssey_cli.iam.proof import Proof
    from odyssey_cli.iam.verdicts import Row


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True, help="Who may do what, and who needs it.")
    group.command()(prove)
    app.add_typer(group, name="iam")


def prove(
    stacks: StacksArgument = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only look what is used; remove nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Drive the flows and show where each permission is used; remove one of each role, see it fail.

    On a local cloud of its own. With --quick it takes about as long as the demo.
    """
    from odyssey_cli.iam import proof as proofs  # noqa: PLC0415 - imports every flow

    proofs.flows_of(stacks or [])
    with steps() as step:
        proof = proofs.prove(stacks or [], remove=not quick, step=step)
    if as_json:
        typer.echo(json.dumps(proof.as_json(), ensure_ascii=False, indent=2))
    else:
        _print(proof)
        out.print(Text(_counts(proof)))
        figures.show(proof.figures)
    if proof.wrong:
        raise OdysseyError(
            "\n".join(proof.wrong),
            "Take away what is unneeded, or let the flow's demo use it; docs/proofs.md says how.",
        )


def _print(proof: Proof) -> None:
    by_stack: dict[str, list[Row]] = {}
    for row in proof.rows:
        by_stack.setdefault(row.grant.stack, []).append(row)
    for stack, rows in by_stack.items():
        table = Table(
            "", "role", "action", "resource", "seen in", title=stack, title_justify="left"
        )
        for row in rows:
            table.add_row(
                _mark(row),
                row.grant.holder,
                row.grant.action,
                Text(row.grant.name, overflow="fold"),
                Text(row.told),
            )
        out.print(table)
    if proof.removals:
        table = Table("", "without", "the check that failed", title="removed", title_justify="left")
        for each in proof.removals:
            mark = Text("✓", style="green") if each.noticed else Text("✗", style="bold red")
            what = f"{each.grant.stack} {each.grant.holder}: {each.grant.action}"
            table.add_row(mark, Text(what), Text(each.failed or "none"))
        out.print(table)


def _mark(row: Row) -> Text:
    from odyssey_cli.iam.verdicts import WRONG, Verdict  # noqa: PLC0415 - as above

    if row.verdict in WRONG:
        return Text("✗", style="bold red")
    return Text("-", style="dim") if row.verdict is Verdict.UNCHECKED else Text("✓", style="green")


def _counts(proof: Proof) -> str:
    found = proof.figures
    said = (
        f"{found['roles']} roles and policies, {found['tried']} permissions: {found['used']} used, "
        f"{found['not_checked_locally']} not checked locally, in {found['recording_seconds']} s"
    )
    if not proof.removals:
        return said
    return (
        f"{said}; {found['removed']} removed, {found['noticed']} noticed, "
        f"in {found['removal_seconds']} s"
    )

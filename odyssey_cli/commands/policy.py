"""edges and rules: what the contracts demand of every template, and whether it is so."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Column, Table
from rich.text import Text

from odyssey_cli import cdk, figures
from odyssey_cli.commands.stacks import ContextOption, StacksArgument, known, nowhere, settings_of
from odyssey_cli.console import amount, err, out

if TYPE_CHECKING:
    from odyssey_cli.policy.edge import Edge
    from odyssey_cli.policy.rules import Run
    from odyssey_cli.policy.templates import Template

_COLUMNS = ("edge", "tries, age", "partial batch", "given up to", "told", "guarded")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(edges)
    app.command()(rules)


def edges(
    stacks: StacksArgument = None,
    context: ContextOption = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print a JSON object: the figures, and the edges of each stack."
        ),
    ] = False,
) -> None:
    """Show every asynchronous edge: what becomes of what cannot be handed over, and who is told."""
    # Only these two commands need the finders.
    from odyssey_cli.policy.edges import edges as find  # noqa: PLC0415

    templates = _templates(stacks, context)
    began = time.perf_counter()
    found = {template.name: find(template) for template in templates}
    seconds = time.perf_counter() - began
    everything = [each for of_stack in found.values() for each in of_stack]
    lacking = sum(bool(each.faults) for each in everything)
    accepted = sum(bool(each.accepted) for each in everything)
    told = figures.figures(
        tried=len(everything),
        passed=len(everything) - lacking,
        seconds=seconds,
        accepted=accepted,
        stacks=len(templates),
    )
    err.print(
        f"{amount(len(everything), 'edge')}: {len(everything) - lacking - accepted} guarded, "
        f"{accepted} accepted as they are, {lacking} not guarded"
    )
    if as_json:
        of_stacks = {name: [each.as_json() for each in edges] for name, edges in found.items()}
        whole = {"ok": not lacking, "figures": told, "stacks": of_stacks}
        typer.echo(json.dumps(whole, ensure_ascii=False, indent=2))
    else:
        for name, of_stack in found.items():
            _show(name, of_stack)
        figures.show(told)
    if lacking:
        raise typer.Exit(1)


def rules(
    stacks: StacksArgument = None,
    context: ContextOption = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print a JSON object: the figures, the rules, the findings."),
    ] = False,
) -> None:
    """Hold every template against the contracts; the exit code is 1 if anything is found."""
    from odyssey_cli.policy.rules import run  # noqa: PLC0415

    ran = run(_templates(stacks, context))
    told = _figures(ran)
    err.print(
        f"{amount(told['rules'], 'rule')}, {amount(ran.stacks, 'stack')}, "
        f"{amount(ran.resources, 'resource')}: {amount(len(ran.findings), 'finding')}"
    )
    if as_json:
        typer.echo(json.dumps(_as_json(ran, told), ensure_ascii=False, indent=2))
    else:
        _show_rules(ran)
        figures.show(told)
    if ran.findings:
        raise typer.Exit(1)


def _templates(stacks: list[str] | None, context: list[str] | None) -> list[Template]:
    from odyssey_cli.policy.templates import load  # noqa: PLC0415

    assembly = cdk.synthesize(nowhere(), context=settings_of(context))
    present = cdk.stacks(assembly)
    wanted = known(stacks, present) or present
    templates = {each.name: each for each in load(assembly)}
    return [templates[name] for name in wanted]


def _show(stack: str, found: list[Edge]) -> None:
    out.print(Text(stack, style="bold"))
    if not found:
        out.print("no asynchronous edge\n")
        return
    # Names are long, terminals narrow: nothing of them is cut off.
    columns = [Column(name, overflow="fold") for name in _COLUMNS]
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False, leading=1)
    for edge in found:
        table.add_row(
            Text.assemble(f"{edge.source} to {edge.target}\n", (edge.kind, "dim")),
            Text(f"{edge.tries}\n{edge.age}"),
            Text(edge.partial),
            Text(edge.given_up),
            Text(edge.told),
            _guarded(edge),
        )
    out.print(table)
    for edge in found:
        name = f"{edge.source} to {edge.target}"
        if edge.accepted:
            out.print(Text(f"{name}: {edge.accepted}\n"))
        for fault in edge.faults:
            out.print(Text(f"{name}: {fault.problem} {fault.remedy}\n", style="red"))


def _guarded(edge: Edge) -> Text:
    if edge.faults:
        return Text("no", style="red")
    return Text("accepted", style="yellow") if edge.accepted else Text("yes", style="green")


def _show_rules(ran: Run) -> None:
    from odyssey_cli.policy.rules import RULES  # noqa: PLC0415

    table = Table("rule", "demands", "findings", box=box.SIMPLE_HEAD, pad_edge=False)
    for rule in RULES:
        number = sum(each.rule == rule.name for each in ran.findings)
        table.add_row(
            rule.name, Text(rule.demands), Text(str(number), style="red" if number else "")
        )
    out.print(table)
    for each in ran.findings:
        where = " ".join(filter(None, (each.stack, each.fault.at)))
        out.print(
            Text(f"{each.rule}: {where}: {each.fault.problem} {each.fault.remedy}", style="red")
        )


def _figures(ran: Run) -> dict[str, Any]:
    """Return the figures of a run; a case is a rule and a stack."""
    counted = ran.figures()
    tried = counted["rules"] * ran.stacks
    return figures.figures(
        tried=tried,
        passed=tried - len({(each.rule, each.stack) for each in ran.findings}),
        seconds=counted.pop("milliseconds") / 1000,
        **counted,
    )


def _as_json(ran: Run, told: dict[str, Any]) -> dict[str, Any]:
    from odyssey_cli.policy.rules import RULES  # noqa: PLC0415

    return {
        "ok": not ran.findings,
        "figures": told,
        "by_rule": [
            {
                "rule": rule.name,
                "demands": rule.demands,
                "findings": [
                    {
                        "stack": each.stack,
                        "resource": each.fault.at or None,
                        "problem": each.fault.problem,
                        "remedy": each.fault.remedy,
                    }
                    for each in ran.findings
                    if each.rule == rule.name
                ],
            }
            for rule in RULES
        ],
    }

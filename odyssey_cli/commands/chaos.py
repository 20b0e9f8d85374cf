"""chaos: many events through a flow whose clouds fail, on this machine and in pretended time."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odyssey_cli import cdk, figures
from odyssey_cli.commands import chaos_view
from odyssey_cli.commands.stacks import nowhere, steps
from odyssey_cli.console import amount, err, out
from odyssey_cli.errors import OdysseyError

if TYPE_CHECKING:
    from proofs.chaos.run import Report
    from proofs.deployed import Deployed

_SEEDS = 2**31


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(chaos)


def chaos(
    flow: Annotated[str, typer.Argument(help="event-aggregator, discovery, pubsub or ingest.")],
    events: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many go in.")] = 1_000,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Decides everything; a new one without it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Send events through a flow that crashes, is throttled and repeats; nothing may be lost."""
    # The handlers' imports would slow every other command.
    from proofs.chaos.run import FLOWS, reduced, run  # noqa: PLC0415

    if flow not in FLOWS:
        raise OdysseyError(f"There is no flow {flow!r}.", f"There are {', '.join(FLOWS)}.")
    chosen = random.randrange(_SEEDS) if seed is None else seed  # noqa: S311 - any will do
    with steps() as step:
        step("synthesizing")
        deployed = _deployed()
        step(f"{amount(events, 'event')}, seed {chosen}")
        report = run(flow, deployed, events=events, seed=chosen)
        shortest = report
        if not report.is_kept:
            step("looking for a shorter history")
            shortest = reduced(report, deployed)
    told, is_shorter = _figures(report), shortest.events < report.events
    if as_json:
        shorter = shortest.as_json() if is_shorter else None
        whole = {**report.as_json(), "shorter": shorter, "figures": told}
        typer.echo(json.dumps(whole, ensure_ascii=False, indent=2))
    else:
        for part in chaos_view.parts(shortest, is_terminal=out.is_terminal):
            out.print(part)
        if is_shorter:
            out.print(
                f"\nThis was a shorter run, {amount(shortest.events, 'event')}: it goes wrong too. "
                f"What was asked for:\n{chaos_view.summary(report)}"
            )
        figures.show(told)
    if not report.is_kept:
        raise OdysseyError(
            f"{amount(len(shortest.violations), 'promise')} not kept. The first: "
            f"{shortest.violations[0].event} {shortest.violations[0].what}.",
            f"Again: ./odyssey chaos {flow} --events {shortest.events} --seed {chosen}",
        )
    err.print(f"Again: ./odyssey chaos {flow} --events {events} --seed {chosen}")


def _figures(report: Report) -> dict[str, Any]:
    """Return the figures of a run; a case is an event that went in."""
    # A promise may be broken to what nobody sent, too.
    wrong = min(report.events, len({each.event for each in report.violations}))
    return figures.figures(
        tried=report.events, passed=report.events - wrong, seconds=report.seconds
    )


def _deployed() -> Deployed:
    from proofs.deployed import Deployed  # noqa: PLC0415 - see chaos

    assembly = cdk.synthesize(nowhere())
    return Deployed(
        {
            name: json.loads((assembly / f"{name}.template.json").read_text(encoding="utf-8"))
            for name in cdk.stacks(assembly)
        }
    )

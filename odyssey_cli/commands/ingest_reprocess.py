"""The command that brings back what Firehose gave up."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, cast

import typer
from rich.text import Text

from odyssey_cli.commands.failures import JsonOption  # noqa: TC001 - Typer reads it
from odyssey_cli.console import amount, err, out, plain
from odyssey_cli.errors import OdysseyError
from odyssey_cli.target import TargetOption, YesOption, resolve

if TYPE_CHECKING:
    from odyssey_cli.flows.ingest.senders import ToStream


def reprocess(
    target: TargetOption = "local", yes: YesOption = False, as_json: JsonOption = False
) -> None:
    """Put records that Firehose gave up into the stream again.

    They are in the error prefix because the transformer failed on their whole batch. What it
    rejected by itself comes back by ./odyssey redrive Ingest. See first to its dead letters: an
    event without an id of its own that is still in a queue is stored twice.
    """
    from odyssey_cli.flows.ingest import reprocess as reprocessing  # noqa: PLC0415 - boto3 is slow
    from odyssey_cli.flows.ingest.generate import FIREHOSE, sender  # noqa: PLC0415

    to = resolve(target, yes=yes)
    report = reprocessing.reprocess(to, cast("ToStream", sender(to, FIREHOSE)))
    if as_json:
        typer.echo(json.dumps(asdict(report)))
    else:
        out.print(f"{amount(report.brought_back, 'record')} put into the stream again.")
    if report.rejects:
        err.print(f"{amount(report.rejects, 'reject')} left to ./odyssey redrive Ingest.")
    if report.archived:
        err.print(f"{amount(report.archived, 'object')} archived: restore them to read them.")
    for place in report.unreadable:
        err.print(Text(f"{plain(place)} is none of Firehose's documents."), soft_wrap=True)
    if report.refused:
        raise OdysseyError(
            f"The stream did not take {amount(report.refused, 'record')}.",
            "They are still in the error prefix; run it again.",
        )

"""The command that brings back what Firehose gave up."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.text import Text

from odyssey_cli.commands.failures import JsonOption  # noqa: TC001 - Typer reads it
from odyssey_cli.console import amount, err, out, plain
from odyssey_cli.errors import OdysseyError
from odyssey_cli.target import TargetOption, YesOption, resolve

if TYPE_CHECKING:
    from odyssey_cli.flows.ingest.senders import ToStream


def reprocess(
    despite_queued: Annotated[
        bool,
        typer.Option(
            "--despite-queued",
            help="Go on though messages are in the events queue or its dead-letter queue. A record "
            "without an id whose event is among them is counted twice.",
        ),
    ] = False,
    target: TargetOption = "local",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Put records that Firehose gave up into the stream again.

    They are in the error prefix because the transformer failed on their whole batch. What it
    rejected by itself comes back by ./odyssey redrive Ingest. A record without an id stays until
    the events queue and its dead-letter queue have been empty for three minutes, and while it is a
    reject, too: its event may be there, under an id that nobody knows.
    """
    from odyssey_cli.flows.ingest import reprocess as reprocessing  # noqa: PLC0415 - boto3 is slow
    from odyssey_cli.flows.ingest.generate import FIREHOSE, sender  # noqa: PLC0415

    to = resolve(target, yes=yes)
    with err.status("reading …") if err.is_terminal else contextlib.nullcontext() as status:
        report = reprocessing.reprocess(
            to,
            cast("ToStream", sender(to, FIREHOSE)),
            despite_queued=despite_queued,
            tell=status.update if status else lambda _: None,
        )
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
    problems, remedies = [], []
    if report.refused:
        problems.append(f"The stream did not take {amount(report.refused, 'record')}.")
        remedies.append("They are still in the error prefix; run it again.")
    if report.waiting:
        problems.append(
            f"{amount(report.waiting, 'record')} without an id left: the event may be queued."
        )
        remedies.append(
            "Run ./odyssey redrive Ingest, and this again when the events queue is empty; if it "
            "never is, see --help for --despite-queued."
        )
    if problems:
        raise OdysseyError(" ".join(problems), " ".join(remedies))

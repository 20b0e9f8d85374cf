"""The event aggregator's commands: trigger, load, summary, verify."""

from __future__ import annotations

import json
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from odyssey_cli.commands.failures import JsonOption, show
from odyssey_cli.console import err, out
from odyssey_cli.errors import OdysseyError
from odyssey_cli.target import TargetOption, YesOption, resolve

if TYPE_CHECKING:
    from odyssey_cli.flows.event_aggregator import EventAggregator, Summary
    from odyssey_cli.flows.http import Answer
    from odyssey_cli.load import Report
    from odyssey_cli.target import Target

group = typer.Typer(help="The event aggregator.", no_args_is_help=True)
_BAR = 12


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="aggregator")


@group.command()
def trigger(
    data: Annotated[
        str, typer.Option(help="The event: a JSON object.")
    ] = '{"message": "Test event data", "value": 1}',
    count: Annotated[int, typer.Option(min=1, help="Send it so many times.")] = 1,
    key: Annotated[
        str | None, typer.Option(help="An Idempotency-Key: sent twice, counts once.")
    ] = None,
    target: TargetOption = "local",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Send an event."""
    aggregator = _client(resolve(target, yes=yes))
    for _ in range(count):
        answer = aggregator.trigger(data.encode(), idempotency_key=key)
        if answer.status != HTTPStatus.ACCEPTED:
            raise OdysseyError(
                _refusal(answer), "Send a JSON object; see docs/event-aggregator.md."
            )
        if as_json:
            typer.echo(json.dumps(answer.body))
        else:
            out.print(f"{answer.body['event_id']}  accepted {answer.body['received_at']}")


@group.command()
def load(
    concurrency: Annotated[int, typer.Option(min=1, max=256)] = 5,
    seconds: Annotated[float, typer.Option(min=0.1, max=3600)] = 20,
    target: TargetOption = "local",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Send events as fast as they are answered, then check that every accepted one counts."""
    from odyssey_cli import load as load_test  # noqa: PLC0415 - see _client
    from odyssey_cli.flows.event_aggregator import sample  # noqa: PLC0415

    aggregator = _client(resolve(target, yes=yes), connections=concurrency)
    run_id = uuid.uuid4().hex[:8]
    before = aggregator.total()
    with Live(console=err, refresh_per_second=4, transient=True) as live:
        report = load_test.run(
            lambda number: aggregator.trigger(sample(number, load=run_id)),
            expected=HTTPStatus.ACCEPTED,
            concurrency=concurrency,
            seconds=seconds,
            progress=lambda so_far: live.update(_running(so_far, seconds)),
        )
        live.update("waiting for the summaries …")
        counted = aggregator.wait_for(before + report.accepted) - before
    result = {
        "sent": report.sent,
        "accepted": report.accepted,
        "failed": report.failed,
        "failures": dict(report.failures),
        "per_second": round(report.rate, 1),
        "p50_ms": round(report.percentile(50) * 1000, 1),
        "p95_ms": round(report.percentile(95) * 1000, 1),
        "p99_ms": round(report.percentile(99) * 1000, 1),
        "counted": counted,
    }
    if as_json:
        typer.echo(json.dumps(result))
    else:
        _print_load(result)
    if report.failed:
        raise OdysseyError(
            f"{report.failed} of {report.sent} requests failed: "
            f"{', '.join(f'{what} ({times} times)' for what, times in report.failures.items())}.",
            "See ./odyssey logs Producer; 429 means that the API's throttle was reached.",
        )
    if counted != report.accepted:
        raise OdysseyError(
            f"{report.accepted} events were accepted but the summaries grew by {counted}.",
            "If nobody else sends events, see ./odyssey logs Aggregator.",
        )


@group.command()
def summary(
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many groups.")] = 20,
    target: TargetOption = "local",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show the groups with the highest counts."""
    answer = _client(resolve(target, yes=yes)).page(limit=str(limit))
    if answer.status != HTTPStatus.OK:
        raise OdysseyError(_refusal(answer), "See ./odyssey logs Reader.")
    if as_json:
        typer.echo(json.dumps(answer.body, ensure_ascii=False))
        return
    if not answer.body["summaries"]:
        out.print("No events have been counted yet; send one with ./odyssey aggregator trigger.")
        return
    out.print(_ranking(answer.body["summaries"]))
    if "cursor" in answer.body:
        err.print("There are more groups; --limit shows up to 100.")


@group.command()
def verify(
    target: TargetOption = "local", yes: YesOption = False, as_json: JsonOption = False
) -> None:
    """Recount all stored events and compare with the summaries."""
    events, different = _client(resolve(target, yes=yes)).differences()
    if as_json:
        typer.echo(json.dumps({"events": events, "different_groups": [d.group for d in different]}))
    elif different:
        table = Table("group", "events", "summary")
        for each in different:
            table.add_row(each.group[:16], _described(each.events), _described(each.summary))
        out.print(table)
    else:
        out.print(f"{events} events, and every summary agrees with them.")
    if different:
        raise OdysseyError(
            f"{len(different)} groups differ.",
            "Events may still be on their way; if it stays so, see ./odyssey logs Aggregator.",
        )


@group.command()
def failures(
    target: TargetOption = "local", yes: YesOption = False, as_json: JsonOption = False
) -> None:
    """Show what could not be counted, and why; `odyssey redrive EventAggregator` brings it back."""
    show(resolve(target, yes=yes), "EventAggregator", as_json=as_json)


def _client(target: Target, *, connections: int = 1) -> EventAggregator:
    # Imported when needed: botocore would double the start-up time of every other command.
    from odyssey_cli.flows.event_aggregator import EventAggregator  # noqa: PLC0415

    return EventAggregator(target, connections=connections)


def _refusal(answer: Answer) -> str:
    body = answer.body
    detail = (body.get("detail") or body.get("title")) if isinstance(body, dict) else body
    return f"The API answered {answer.status}: {detail}"


def _running(report: Report, seconds: float) -> Text:
    return Text(
        f"{min(report.seconds, seconds):5.1f} of {seconds:g} s   {report.sent} sent   "
        f"{report.failed} failed   {report.rate:.0f} per second"
    )


def _print_load(result: dict[str, Any]) -> None:
    table = Table(show_header=False)
    for name, value in result.items():
        if name != "failures":
            table.add_row(name.replace("_", " "), str(value))
    out.print(table)


def _ranking(summaries: list[dict[str, Any]]) -> Table:
    highest = max(each["item_count"] for each in summaries)
    table = Table("count", "", "group", "first seen", "last seen")
    table.columns[0].justify = "right"
    for each in summaries:
        bar = "█" * max(1, round(_BAR * each["item_count"] / highest))
        table.add_row(
            str(each["item_count"]),
            Text(bar, style="cyan", no_wrap=True),
            Text(each["group"], overflow="ellipsis", no_wrap=True),
            *(Text(_clock(each[name]), no_wrap=True) for name in ("first_seen", "last_seen")),
        )
    return table


def _clock(time: str) -> str:
    """Shorten an RFC 3339 time to month, day and second."""
    return time[5:19].replace("T", " ")


def _described(summary: Summary | None) -> str:
    if summary is None:
        return "none"
    return f"{summary.count}, {summary.first_seen} to {summary.last_seen}"

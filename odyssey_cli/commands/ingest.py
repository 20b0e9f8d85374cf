"""The intake's commands: generate, verify, replay, capture, totals, entity, trigger, failures."""

from __future__ import annotations

import contextlib
import json
import random
import signal
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from odyssey_cli.commands import ingest_view
from odyssey_cli.commands.failures import JsonOption
from odyssey_cli.commands.failures import show as show_failures
from odyssey_cli.commands.ingest_capture import capture
from odyssey_cli.commands.ingest_reprocess import reprocess
from odyssey_cli.console import err, out, plain
from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.ingest import CONSUMER, STACK
from odyssey_cli.target import TargetOption, YesOption, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli.flows.http import Answer
    from odyssey_cli.flows.ingest.api import ConsumerApi
    from odyssey_cli.flows.ingest.replay import Replay
    from odyssey_cli.target import Target

group = typer.Typer(help="The intake of events, and its consumer.", no_args_is_help=True)
_INTERRUPTED = 128 + signal.SIGINT
# A seed that is easy to type again.
_SEEDS = 10_000


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="ingest")


@group.command()
def generate(
    via: Annotated[
        Literal["firehose", "sqs"],
        typer.Option(help="Through the delivery stream, or directly into the FIFO queue."),
    ] = "firehose",
    count: Annotated[int, typer.Option(min=1, max=10_000_000, help="How many events.")] = 1_000,
    rate: Annotated[
        float | None,
        typer.Option(min=0.1, help="So many in a second at most; as many as are taken by default."),
    ] = None,
    kind: Annotated[
        Literal["order", "device", "inventory", "security", "mix"],
        typer.Option("--type", help="What the events are about."),
    ] = "mix",
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=2**31,
            help="Decides what they tell, but for ids and times. Any by default.",
        ),
    ] = None,
    target: TargetOption = "local",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make up events and send them. Ctrl-C ends it after the call in hand."""
    from odyssey_cli.flows.ingest import generate as generator  # noqa: PLC0415 - see _api

    to = resolve(target, yes=yes)
    if seed is None:
        seed = random.randrange(_SEEDS)  # noqa: S311 - any will do
    stop = generator.Stop()
    before = signal.signal(signal.SIGINT, lambda *_: stop.request())
    try:
        with _progress("{task.fields[said]}") as progress:
            task = progress.add_task("sending", total=count, said="")
            report = generator.generate(
                to,
                via=via,
                count=count,
                type=kind,
                seed=seed,
                rate=rate,
                stop=stop,
                tell=lambda so_far: progress.update(
                    task, completed=so_far.made, said=ingest_view.running(so_far)
                ),
            )
    finally:
        signal.signal(signal.SIGINT, before)
    if as_json:
        typer.echo(json.dumps(ingest_view.report(report, via=via, kind=kind, seed=seed)))
    else:
        out.print(ingest_view.report_table(report, via=via, kind=kind, seed=seed))
    if not report.is_accounted_for:
        raise ingest_view.unaccounted(report)
    if report.interrupted:
        err.print(f"Ended early: {report.wanted - report.made} events were not made.")
        raise typer.Exit(_INTERRUPTED)


@group.command()
def verify(
    events: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="How many events must be in the store at least."),
    ] = 0,
    wait: Annotated[
        float,
        typer.Option(
            min=0,
            max=86_400,
            metavar="SECONDS",
            help="Look again for so long until it is clean; on AWS, two minutes are usual.",
        ),
    ] = 0,
    target: TargetOption = "local",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Hold lake, error prefix, store and consumer against each other, event by event.

    It reads all of them, whatever they hold, and keeps all ids in memory. What is on its way looks
    missing, and what the stream still buffers is not seen: say with --events what to wait for.
    """
    from odyssey_cli.flows.ingest import verify as verifier  # noqa: PLC0415 - see _api

    to = resolve(target, yes=yes)
    with err.status("reading …") if err.is_terminal else contextlib.nullcontext() as status:
        findings = verifier.verify(
            to,
            events=events,
            wait=wait,
            tell=lambda so_far: status.update(ingest_view.waiting(so_far)) if status else None,
        )
    if as_json:
        typer.echo(json.dumps(ingest_view.findings(findings), ensure_ascii=False))
    else:
        out.print(ingest_view.findings_table(findings))
        for line in ingest_view.problem_lines(findings):
            out.print(line, soft_wrap=True)
    for note in ingest_view.notes(findings):
        err.print(note)
    if not findings.is_clean:
        raise ingest_view.unclean(findings, waited=wait)


@group.command()
def replay(
    since: Annotated[
        str, typer.Option(metavar="TIME", help="What came in the last 30s, 10m, 2h or 7d.")
    ],
    target: TargetOption = "local",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Put archived events on the bus once more, to all of its rules."""
    from odyssey_cli.flows.ingest import replay as replays  # noqa: PLC0415 - see _api

    length = replays.duration(since)
    to = resolve(target, yes=yes)
    err.print(replays.ADVICE)
    seen = replays.start(to, length)
    if not as_json:
        out.print(ingest_view.window(seen))
    try:
        with _progress("{task.fields[said]}") as progress:
            task = progress.add_task("replaying", total=1.0, said=plain(seen.state))

            def tell(now: Replay) -> None:
                progress.update(task, completed=now.share, said=plain(now.state))

            seen = replays.wait(to, seen, tell=tell)
    except KeyboardInterrupt:
        err.print(ingest_view.left_running(seen.name), soft_wrap=True)
        raise typer.Exit(_INTERRUPTED) from None
    if as_json:
        typer.echo(json.dumps(ingest_view.replay(seen)))
    if seen.state != replays.COMPLETED:
        raise OdysseyError(
            f"The replay {seen.name} has ended as {seen.state}"
            f"{f': {seen.reason}' if seen.reason else ''}.",
            "What was replayed until then counts once; mend the cause and start another.",
        )
    if not as_json:
        out.print(ingest_view.replayed(seen))


group.command()(capture)
group.command()(reprocess)


@group.command()
def totals(
    target: TargetOption = "local", yes: YesOption = False, as_json: JsonOption = False
) -> None:
    """Show how many events of each type the consumer has counted."""
    answer = _asked(_api(resolve(target, yes=yes)).totals)
    if answer.status != HTTPStatus.OK:
        raise ingest_view.refusal(answer)
    if as_json:
        typer.echo(json.dumps(answer.body))
    else:
        out.print(ingest_view.totals_table(answer.body["totals"]))


@group.command()
def entity(
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="E.g. order.")],
    id: Annotated[str, typer.Argument(metavar="ID", help="The entity's id.")],
    target: TargetOption = "local",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show the latest state of an entity."""
    _check_text(kind, id)
    api = _api(resolve(target, yes=yes))
    answer = _asked(lambda: api.entity(kind, id))
    if answer.status != HTTPStatus.OK:
        raise ingest_view.refusal(answer)
    if as_json:
        typer.echo(json.dumps(answer.body, ensure_ascii=False))
    else:
        out.print(ingest_view.entity_table(answer.body))


@group.command()
def trigger(
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="E.g. order.")],
    subject: Annotated[str, typer.Argument(help="The id of the entity that it is about.")],
    data: Annotated[str, typer.Option(help="What it tells: a JSON object.")],
    key: Annotated[
        str | None, typer.Option("--id", help="An Idempotency-Key: sent twice, counts once.")
    ] = None,
    target: TargetOption = "local",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Hand an event to the consumer, past the intake: it is in no lake, store or archive."""
    _check_text(kind, subject, data)
    body = {"type": kind, "subject": subject, "data": _object(data)}
    _check_key(key)
    api = _api(resolve(target, yes=yes))
    answer = _asked(lambda: api.trigger(body, key=key), key=key)
    if answer.status != HTTPStatus.ACCEPTED:
        raise ingest_view.refusal(answer)
    if as_json:
        typer.echo(json.dumps(answer.body))
    else:
        out.print(Text(f"{plain(str(answer.body['event_id']))}  accepted"))


@group.command()
def failures(
    target: TargetOption = "local", yes: YesOption = False, as_json: JsonOption = False
) -> None:
    """Show what did not get through, and why; `odyssey redrive` STACK brings it back."""
    to = resolve(target, yes=yes)
    stacks = [STACK, CONSUMER]
    try:
        to.outputs(CONSUMER)
    except OdysseyError:
        stacks.remove(CONSUMER)
    show_failures(to, *stacks, as_json=as_json)


def _api(target: Target) -> ConsumerApi:
    # Imported when needed: botocore would double the start-up time of every other command.
    from odyssey_cli.flows.ingest.api import ConsumerApi  # noqa: PLC0415

    return ConsumerApi(target)


def _asked(ask: Any, *, key: str | None = None) -> Answer:  # noqa: ANN401 - a call without arguments
    """Return the answer; turn the lack of one into two sentences."""
    import urllib3  # noqa: PLC0415 - see _api

    try:
        answer: Answer = ask()
    except urllib3.exceptions.HTTPError as error:
        remedy = (
            f"Send it again with --id {key}: it counts once." if key else "See ./odyssey status."
        )
        raise OdysseyError(f"The API has not answered: {error}.", remedy) from error
    return answer


@contextlib.contextmanager
def _progress(text: str) -> Iterator[Progress]:
    """Show a bar where somebody sees it."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn(text, markup=False))
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        yield progress


def _check_text(*texts: str) -> None:
    """Refuse what a terminal in another encoding makes of an argument."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise OdysseyError(
                f"An argument is not UTF-8: {text!a}.", "Set the terminal, or LANG, to UTF-8."
            ) from None


def _check_key(key: str | None) -> None:
    from shared.identity import is_key  # noqa: PLC0415 - imports the handlers' library

    if key is not None and not is_key(key):
        raise OdysseyError(
            f"--id {key!a} cannot name an event.",
            "Write 1 to 255 visible ASCII characters, or leave it out.",
        )


def _object(text: str) -> dict[str, Any]:
    from shared import strict_json  # noqa: PLC0415 - imports the handlers' library

    try:
        value = strict_json.parse(text.encode())
    except strict_json.InvalidJson as error:
        problem = str(error).replace("The body", "--data", 1)
        raise OdysseyError(problem, """Write e.g. --data '{"status": "paid"}'.""") from None
    if not isinstance(value, dict):
        raise OdysseyError(
            "--data is not a JSON object.", """Write e.g. --data '{"status": "paid"}'."""
        )
    return value

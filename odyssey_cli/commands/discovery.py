"""Discovery's commands: submit, listen, show, failures."""

from __future__ import annotations

import errno
import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import track
from rich.table import Table
from rich.text import Text

from odyssey_cli import dotenv
from odyssey_cli.commands.discovery_view import View
from odyssey_cli.commands.failures import JsonOption
from odyssey_cli.commands.failures import show as show_failures
from odyssey_cli.console import amount, err, out, plain
from odyssey_cli.errors import OdysseyError
from odyssey_cli.target import TargetOption, YesOption, resolve

if TYPE_CHECKING:
    from odyssey_cli.flows.discovery.listen import Totals
    from odyssey_cli.flows.discovery.submit import Submitted

group = typer.Typer(no_args_is_help=True)
_NOT_GIVEN = "The stack's own by default."
_SHOWN_ERRORS = 3


@group.callback()
def settings_from_file() -> None:
    """Discovery: files, and the state of each. Settings may stand in a file .env, too."""
    dotenv.load("DISCOVERY_")


TableOption = Annotated[
    str | None,
    typer.Option("--table", envvar="DISCOVERY_TABLE", help=f"The items' table. {_NOT_GIVEN}"),
]
BucketOption = Annotated[
    str | None,
    typer.Option("--bucket", envvar="DISCOVERY_BUCKET", help=f"The files' bucket. {_NOT_GIVEN}"),
]
ServiceRoleOption = Annotated[
    str | None,
    typer.Option(
        "--role",
        envvar="DISCOVERY_SERVICE_ROLE_ARN",
        help=f"ARN of the role to run in; none for your own credentials. {_NOT_GIVEN}",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="discovery")


@group.command()
def submit(
    name: Annotated[str, typer.Argument(help="Name of the file to write, e.g. laptop.json.")],
    count: Annotated[
        int, typer.Option(min=1, max=100_000, help="So many: laptop-1.json, laptop-2.json, …")
    ] = 1,
    folder: Annotated[Path, typer.Option("--dir", help="Where to write.")] = Path(),
    manufacturer: Annotated[str | None, typer.Option(help="Any by default.")] = None,
    model: Annotated[str | None, typer.Option(help="Any by default.")] = None,
    year: Annotated[int | None, typer.Option(help="Any by default.")] = None,
    concurrency: Annotated[
        int, typer.Option(min=1, max=64, help="How many are stored at once.")
    ] = 4,
    table: TableOption = None,
    bucket: BucketOption = None,
    queue_url: Annotated[
        str | None,
        typer.Option(
            "--queue-url",
            envvar="DISCOVERY_UPLOADED_QUEUE",
            help=f"The queue of uploaded items. {_NOT_GIVEN}",
        ),
    ] = None,
    role: Annotated[
        str | None,
        typer.Option(
            "--role",
            envvar="DISCOVERY_SCRIPT_ROLE_ARN",
            help=f"ARN of the role to run in; none for your own credentials. {_NOT_GIVEN}",
        ),
    ] = None,
    target: TargetOption = "local",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a file, store it and its fields, announce it; run it again to finish what failed."""
    from odyssey_cli.flows.discovery import documents, settings  # noqa: PLC0415 - see below
    from odyssey_cli.flows.discovery.submit import Outcome, Script  # noqa: PLC0415

    names = documents.names(name, count)
    given = settings.Given(table, bucket, queue_url, role)
    place = settings.for_script(resolve(target, yes=yes), given)
    script = Script.at(place, connections=concurrency)
    wanted = documents.Wanted(manufacturer, model, year)
    submissions = [documents.write(folder, each, wanted) for each in names]
    done = []
    for each in track(
        script.submit(submissions, concurrency=concurrency),
        "submitting", total=count, console=err, transient=True,
        disable=count == 1 or not err.is_terminal,
    ):  # fmt: skip
        done.append(each)
        _print_submitted(each, as_json=as_json)
    failed = Counter(each.error for each in done if each.error)
    if failed:
        shown = "; ".join(list(failed)[:_SHOWN_ERRORS])
        more = f"; and {len(failed) - _SHOWN_ERRORS} more" if len(failed) > _SHOWN_ERRORS else ""
        remedy = "Mend that and run the same again: what is stored stays, the rest is finished."
        if any(each.outcome is Outcome.CHANGED for each in done):
            remedy += " A file that has changed needs its old name and content, or is a new one."
        raise OdysseyError(
            f"{failed.total()} of {amount(count, 'file')} not submitted: {shown}{more}", remedy
        )


@group.command()
def listen(
    most: Annotated[
        int | None, typer.Option("--max", min=1, help="Stop after so many items.")
    ] = None,
    idle: Annotated[
        float | None, typer.Option(min=0.1, help="Stop after so many seconds without a message.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Save the files in this folder.")
    ] = None,
    table: TableOption = None,
    bucket: BucketOption = None,
    queue_url: Annotated[
        str | None,
        typer.Option(
            "--queue-url",
            envvar="DISCOVERY_UPDATED_QUEUE",
            help=f"The queue of updated items. {_NOT_GIVEN}",
        ),
    ] = None,
    role: ServiceRoleOption = None,
    target: TargetOption = "local",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Verify updated items as they are announced: same file, changed state. Ctrl-C ends it."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - takes half a second

    from odyssey_cli.flows.discovery import settings  # noqa: PLC0415
    from odyssey_cli.flows.discovery.listen import NotSaved, Service, Stop  # noqa: PLC0415

    given = settings.Given(table, bucket, queue_url, role)
    service = Service.at(settings.for_service(resolve(target, yes=yes), given))
    if folder is not None:
        _make_writable(folder)
    stop = Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.request())

    def warn(problem: str) -> None:
        err.print(Text(f"{plain(problem)} Trying again."))

    err.print("Waiting for updated items; Ctrl-C ends it.")
    try:
        with View(as_json=as_json) as view:
            totals = service.run(
                stop=stop, tell=view.add, warn=warn, out=folder, most=most, idle=idle
            )
    except NotSaved as error:
        raise _not_saved(error) from error
    except ClientError as error:
        raise OdysseyError(
            f"{error}.", "Check --queue-url and --role, or the variables of the same meaning."
        ) from error
    _print_totals(totals)


@group.command()
def show(
    item_id: Annotated[str, typer.Argument(metavar="ID", help="The item's id.")],
    table: TableOption = None,
    bucket: BucketOption = None,
    role: ServiceRoleOption = None,
    target: TargetOption = "local",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show an item, its file, and whether they agree."""
    from odyssey_cli.flows.discovery import settings  # noqa: PLC0415 - botocore takes half a second
    from odyssey_cli.flows.discovery.listen import Service  # noqa: PLC0415

    given = settings.Given(table, bucket, None, role)
    place = settings.for_service(resolve(target, yes=yes), given, receives=False)
    found = Service.at(place).look(item_id)
    if found is None:
        raise OdysseyError(
            f"There is no item {item_id}.", "An id is a UUID; ./odyssey discovery submit prints it."
        )
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    agrees = "yes" if found.pop("agrees") else "no"
    rows = Table(show_header=False)
    for name, value in {**found, "item and file agree": agrees}.items():
        text = json.dumps(value, ensure_ascii=False, indent=2) if name == "content" else str(value)
        spelt = "\n".join(plain(line) for line in text.splitlines())
        rows.add_row(plain(name), Text(spelt, overflow="fold"))
    out.print(rows)


@group.command()
def failures(
    target: TargetOption = "local", yes: YesOption = False, as_json: JsonOption = False
) -> None:
    """Show what could not be updated or verified; `odyssey redrive Discovery` brings it back."""
    from odyssey_cli.flows.discovery import STACK  # noqa: PLC0415

    show_failures(resolve(target, yes=yes), STACK, as_json=as_json)


def _print_submitted(submitted: Submitted, *, as_json: bool) -> None:
    submission = submitted.submission
    fields = {
        "id": submission.document.id,
        "file": str(submission.file),
        "outcome": submitted.outcome,
        "error": submitted.error,
    }
    if as_json:
        typer.echo(json.dumps(fields, ensure_ascii=False))
    elif not submitted.error:
        out.print(Text(f"{fields['id']}  {fields['file']}  {fields['outcome']}"), soft_wrap=True)


def _print_totals(totals: Totals) -> None:
    verified, put_back = amount(len(totals.verified), "item"), amount(totals.failures, "message")
    err.print(f"{verified} verified, {put_back} put back.")
    if totals.undeleted:
        undeleted = amount(totals.undeleted, "message")
        err.print(f"{undeleted} could not be deleted and will come again.")


def _make_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
    except OSError as error:
        raise _not_saved(error) from error


def _not_saved(error: Exception) -> OdysseyError:
    return OdysseyError(f"Files cannot be saved: {error}.", "Choose another folder by --out.")

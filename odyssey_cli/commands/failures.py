"""redrive, and the table of what waits in a stack's failure queues."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from odyssey_cli.console import err, out, plain
from odyssey_cli.errors import OdysseyError
from odyssey_cli.target import TargetOption, YesOption, resolve

if TYPE_CHECKING:
    from odyssey_cli.failures import Failure, Redriven
    from odyssey_cli.target import Target

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(redrive)


def redrive(
    stack: Annotated[str, typer.Argument()],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be brought back.")
    ] = False,
    apart: Annotated[
        bool,
        typer.Option("--apart", help="Hand each dead letter to its function by itself."),
    ] = False,
    target: TargetOption = "local",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Bring back what a stack could not process; delete each message once that has worked.

    Dead letters go into their queue again. One at which its function dies takes others along
    there, each time; --apart calls the function with one at a time instead, and says of which it
    dies. Whatever fails stays where it is.
    """
    from odyssey_cli import failures, firehose_rejects  # noqa: PLC0415 - see odyssey_cli.target

    to = resolve(target, yes=yes)
    if dry_run:
        show(to, stack, as_json=as_json)
        return
    redriven: list[Redriven] = []
    # Rejects last: what comes back from the other queues may be rejected.
    queues = sorted(
        failures.discover(to, stack), key=lambda each: each.kind is failures.Kind.REJECTS
    )
    for queue in queues:
        of_queue = []
        for each in failures.redrive_all(to, queue, apart=apart):
            of_queue.append(each)
            if apart:
                # A function may take 15 minutes to die, and all of what was done may be ended.
                err.print(Text(f"{plain(each.failure.what)}: {_said(each)}"), soft_wrap=True)
        if queue.kind is failures.Kind.REJECTS and of_queue:
            of_queue = failures.rejected_again(to, queue, of_queue)
        redriven += of_queue
    if as_json:
        typer.echo(json.dumps([_row(each.failure) | _outcome(each) for each in redriven]))
    elif redriven:
        out.print(_table([each.failure for each in redriven], redriven))
    else:
        out.print(f"Nothing waits in the failure queues of {stack}.")
    if any(each.detail == firehose_rejects.PUT_BACK for each in redriven):
        err.print(firehose_rejects.LATER)
    left = Counter(each.result for each in redriven if each.result is not failures.Result.DONE)
    if left:
        remedy = "Mend the cause and run it again."
        if failures.Result.GONE in left:
            remedy += " What is gone from the stream must be sent anew."
        problem = ", ".join(f"{number} {result}" for result, number in left.items())
        raise OdysseyError(f"Of {len(redriven)}: {problem}.", remedy)


def show(to: Target, *stacks: str, as_json: bool) -> None:
    """Print what waits in the failure queues of stacks, and leave it there."""
    from odyssey_cli import failures  # noqa: PLC0415 - see odyssey_cli.target

    waiting: dict[str, list[Failure]] = {}
    try:
        for stack in stacks:
            of_stack = waiting.setdefault(stack, [])
            for queue in failures.discover(to, stack):
                of_stack += failures.collect(to, queue)
    finally:
        failures.release(to, [each for of_stack in waiting.values() for each in of_stack])
    if as_json:
        # Whoever asks for one stack knows which.
        rows = [
            ({"stack": stack} if len(stacks) > 1 else {}) | _row(each)
            for stack, of_stack in waiting.items()
            for each in of_stack
        ]
        typer.echo(json.dumps(rows))
        return
    for stack, of_stack in waiting.items():
        if of_stack:
            table = _table(of_stack)
            table.title = stack if len(stacks) > 1 else None
            out.print(table)
    if not any(waiting.values()):
        out.print(f"Nothing waits in the failure queues of {' and '.join(stacks)}.")


def _row(failure: Failure) -> dict[str, Any]:
    return {
        "queue": failure.queue.kind,
        "what": failure.what,
        "cause": failure.cause,
        "since": failure.since,
    }


def _outcome(redriven: Redriven) -> dict[str, str]:
    return {"result": redriven.result, "detail": redriven.detail}


def _said(redriven: Redriven) -> str:
    detail = f": {redriven.detail}" if redriven.detail else ""
    return plain(f"{redriven.result}{detail}")


def _table(waiting: list[Failure], redriven: list[Redriven] | None = None) -> Table:
    table = Table("queue", "what", "cause", "since (UTC)", *(["result"] if redriven else []))
    for number, failure in enumerate(waiting):
        cells = [Text(plain(str(value)), overflow="fold") for value in _row(failure).values()]
        if redriven:
            cells.append(Text(_said(redriven[number]), overflow="fold"))
        table.add_row(*cells)
    return table

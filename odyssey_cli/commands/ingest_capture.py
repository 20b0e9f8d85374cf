"""capture: keeps the events that pass the bus, as test data."""

from __future__ import annotations

import contextlib
import json
import signal
from pathlib import Path  # noqa: TC003 - Typer reads it
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from odyssey_cli.commands.failures import JsonOption  # noqa: TC001 - Typer reads it
from odyssey_cli.console import amount, err, out, plain
from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.ingest import LONGEST_CAPTURE
from odyssey_cli.target import TargetOption, YesOption, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from odyssey_cli.flows.ingest.capture import Captured

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def capture(
    file: Annotated[Path, typer.Option("--out", help="A new file: a line of JSON for each event.")],
    seconds: Annotated[
        float, typer.Option(min=1, max=LONGEST_CAPTURE, help="Listen for so long.")
    ] = 60,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many events.")] = None,
    target: TargetOption = "local",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Keep the events that pass the bus from now on. Ctrl-C ends it.

    For as long as that there is a rule on the bus with a queue behind it. On AWS it can take a
    minute until a new rule is heard.

    A capture that was killed leaves its rule on the bus, with which the stack Ingest cannot be
    deleted. The next capture removes rule and queue once they are an hour old.
    """
    from odyssey_cli.flows.ingest import capture as captures  # noqa: PLC0415 - imports botocore

    bus = captures.Bus.of(resolve(target, yes=yes))
    status = err.status("making a rule …") if err.is_terminal else None
    captured = captures.Captured()
    with _new(file) as opened, _ended_by_signals() as ignore, status or contextlib.nullcontext():
        bus.capture(
            opened,
            seconds=seconds,
            count=count,
            listening=lambda: err.print("Listening to the bus; Ctrl-C ends it."),
            ending=ignore,
            tell=lambda so_far: status.update(_so_far(so_far)) if status else None,
            captured=captured,
        )
    if captured.removed:
        err.print(f"Removed what earlier captures left behind: {', '.join(captured.removed)}.")
    if captured.strange:
        err.print(
            f"{amount(captured.strange, 'message')} had no object as detail, and were left out."
        )
    if as_json:
        typer.echo(json.dumps({"file": str(file), "events": captured.events}))
    else:
        said = f"{amount(captured.events, 'event')} in {plain(str(file))}."
        out.print(Text(said), soft_wrap=True)


def _so_far(captured: Captured) -> str:
    return f"{amount(captured.events, 'event')} …"


@contextlib.contextmanager
def _new(file: Path) -> Iterator[TextIO]:
    """Open a file that is not there yet."""
    try:
        opened = file.open("x", encoding="utf-8")
    except FileExistsError:
        raise OdysseyError(
            f"{file} exists, and is not overwritten.", "Name another file by --out, or delete it."
        ) from None
    except OSError as error:
        raise OdysseyError(
            f"{file} cannot be written: {error.strerror}.", "Name another file by --out."
        ) from error
    with opened:
        yield opened


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[Callable[[], None]]:
    """Let Ctrl-C, SIGTERM or SIGHUP end the block, and yield what makes it deaf to them.

    The first does so, too, so that none disturbs what the block then clears away.
    """
    # Whoever ignores SIGHUP was started by nohup.
    heard = [each for each in _ENDING if signal.getsignal(each) is not signal.SIG_IGN]

    def ignore() -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)

    def interrupt(*_: object) -> None:
        ignore()
        raise KeyboardInterrupt

    before = {each: signal.getsignal(each) for each in heard}
    for each in heard:
        signal.signal(each, interrupt)
    try:
        yield ignore
    except KeyboardInterrupt:
        pass
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)

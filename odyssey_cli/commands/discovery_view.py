"""What `odyssey discovery listen` shows of the messages it processes."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from odyssey_cli.console import out, plain

if TYPE_CHECKING:
    from rich.console import Console

    from odyssey_cli.flows.discovery.listen import Seen

_ROWS = 15


class View:
    """A row for each item: live on a terminal, else a line when it is verified for the first time.

    Of a run as long as one likes it keeps the last rows, and which items were verified.

    Args:
        as_json: print JSON lines instead.
        console: where to.
    """

    def __init__(self, *, as_json: bool, console: Console = out) -> None:
        self._as_json = as_json
        self._console = console
        self._rows: deque[Seen] = deque(maxlen=_ROWS)
        self._verified: set[str] = set()
        is_live = console.is_terminal and not as_json
        self._live = Live(console=console, refresh_per_second=8) if is_live else None

    def __enter__(self) -> View:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def add(self, seen: Seen) -> None:
        """Show what became of a message; of an item that is verified already nothing new."""
        if seen.name in self._verified:
            return
        if seen.verified:
            self._verified.add(seen.name)
        if self._as_json:
            typer.echo(json.dumps(_described(seen), ensure_ascii=False))
        elif self._live:
            for earlier in [each for each in self._rows if each.name == seen.name]:
                self._rows.remove(earlier)
            self._rows.append(seen)
            self._live.update(self._table())
        else:
            self._console.print(Text(_line(seen)), soft_wrap=True)

    def _table(self) -> Table:
        table = Table(
            "item", "file", "state", "same file", caption=f"{len(self._verified)} verified"
        )
        for seen in self._rows:
            table.add_row(*_cells(seen))
        return table


def _cells(seen: Seen) -> list[Text]:
    name = Text(plain(seen.name), overflow="fold")
    if seen.verified is None:
        problem = Text(plain(seen.problem), style="red")
        return [name, Text(""), problem, Text("✗", style="red")]
    verified = seen.verified
    return [
        name,
        Text(plain(verified.key.file_name)),
        Text(f"uploaded → {verified.status}, version {verified.version}"),
        Text(f"✓ {verified.sha256[:12]}…", style="green"),
    ]


def _line(seen: Seen) -> str:
    if seen.verified is None:
        problem = plain(seen.problem)
        return f"{plain(seen.name)}  put back at receive {seen.receives}: {problem}"
    return "  ".join(str(cell) for cell in _cells(seen))


def _described(seen: Seen) -> dict[str, Any]:
    described: dict[str, Any] = {"id": seen.name, "ok": seen.verified is not None}
    if seen.verified is None:
        return described | {"problem": seen.problem, "receives": seen.receives}
    fields = asdict(seen.verified)
    return described | {
        "file": seen.verified.key.file_name,
        **{name: fields[name] for name in ("status", "version", "updated_at", "sha256")},
    }

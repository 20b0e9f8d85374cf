"""What `odyssey discovery listen` shows: each item once, as it is in the end."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from odyssey_cli.commands.discovery_view import View
from odyssey_cli.console import CONTROL, plain
from odyssey_cli.flows.discovery.listen import Seen
from odyssey_cli.flows.discovery.verify import Key, Verified
from tests.discovery import NOON_TEXT, item_id, submission

if TYPE_CHECKING:
    from collections.abc import Iterable

EVIL = "a\x1b[2J\x07\x7f\x9b1mb"
SPELT = "a\\x1b[2J\\x07\\x7f\\x9b1mb"
_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def verified(number: int, file: str = "laptop.json") -> Seen:
    made = submission(number)
    key = Key(item_id(number), file)
    found = Verified(key, made.document, "updated", 2, NOON_TEXT, made.sha256)
    return Seen(item_id(number), found, "", 1)


def failed(number: int, problem: str = "It is wrong.", receives: int = 1) -> Seen:
    return Seen(item_id(number), None, problem, receives)


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the environment have no say in what a terminal can do."""
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)


def live(seen: Iterable[Seen]) -> str:
    """Return the table that is left on a terminal, without its colours."""
    console = Console(force_terminal=True, file=io.StringIO(), width=120, height=50)
    with View(as_json=False, console=console) as view:
        for each in seen:
            view.add(each)
    written: str = console.file.getvalue()  # type: ignore[attr-defined]
    return _SEQUENCE.sub("", written).rpartition("┏")[2]


def printed(seen: Iterable[Seen]) -> list[str]:
    """Return the lines that are written where no terminal is."""
    console = Console(file=io.StringIO(), width=20)
    with View(as_json=False, console=console) as view:
        for each in seen:
            view.add(each)
    written: str = console.file.getvalue()  # type: ignore[attr-defined]
    return written.splitlines()


def test_a_terminal_shows_a_row_for_each_item_and_how_many_are_verified() -> None:
    table = live([verified(1), failed(2), verified(3)])
    [first, second, third] = [line for line in table.splitlines() if "00000000-" in line]
    for part in (
        item_id(1),
        "laptop.json",
        "uploaded → updated, version 2",
        f"✓ {submission(1).sha256[:12]}…",
    ):
        assert part in first
    assert item_id(2) in second
    assert "It is wrong." in second
    assert "✗" in second
    assert item_id(3) in third
    assert "2 verified" in table


def test_a_row_that_failed_is_replaced_by_the_verified_one() -> None:
    table = live([failed(1), failed(1, "It is wrong again.", 2), verified(1)])
    assert table.count(item_id(1)) == 1
    assert "✓" in table
    assert "✗" not in table
    assert "1 verified" in table


def test_what_is_verified_stays_so_whatever_comes_after() -> None:
    table = live([verified(1), verified(1), failed(1)])
    assert table.count(item_id(1)) == 1
    assert "✗" not in table
    assert "1 verified" in table


def test_a_terminal_keeps_the_last_15_rows_and_counts_all() -> None:
    table = live(verified(number) for number in range(1, 41))
    shown = [number for number in range(1, 41) if item_id(number) in table]
    assert shown == list(range(26, 41))
    assert "40 verified" in table


@pytest.mark.parametrize(
    "seen",
    [verified(1, file=EVIL), failed(1, EVIL), Seen(EVIL, None, "wrong", 1)],
    ids=["file", "problem", "name"],
)
def test_no_text_steers_the_terminal(seen: Seen) -> None:
    table, lines = live([seen]), printed([seen])
    assert SPELT in table
    assert not CONTROL.search(re.sub(r"[\r\n]", "", table))
    assert SPELT in " ".join(lines)
    assert not CONTROL.search("".join(lines))


def test_markup_in_a_text_is_shown_as_it_is() -> None:
    assert "[bold]x[/bold]" in live([failed(1, "[bold]x[/bold]")])
    assert "[bold]x[/bold]" in printed([failed(1, "[bold]x[/bold]")])[0]


def test_without_a_terminal_there_is_a_line_when_an_item_is_verified_for_the_first_time() -> None:
    line = f"{item_id(1)}  laptop.json  uploaded → updated, version 2  "
    assert printed([verified(1), verified(1), verified(2), verified(1)]) == [
        f"{line}✓ {submission(1).sha256[:12]}…",
        f"{line.replace(item_id(1), item_id(2))}✓ {submission(2).sha256[:12]}…",
    ]


def test_without_a_terminal_every_failure_is_a_line_until_the_item_is_verified() -> None:
    lines = printed([failed(1), failed(1, receives=2), verified(1), failed(1, receives=3)])
    assert lines[:2] == [
        f"{item_id(1)}  put back at receive 1: It is wrong.",
        f"{item_id(1)}  put back at receive 2: It is wrong.",
    ]
    assert len(lines) == 3


def test_json_is_a_line_for_each_even_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(force_terminal=True, file=io.StringIO(), width=120)
    with View(as_json=True, console=console) as view:
        for each in (failed(1), verified(1), verified(1)):
            view.add(each)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"id": item_id(1), "ok": False, "problem": "It is wrong.", "receives": 1},
        {
            "id": item_id(1),
            "ok": True,
            "file": "laptop.json",
            "status": "updated",
            "version": 2,
            "updated_at": NOON_TEXT,
            "sha256": submission(1).sha256,
        },
    ]
    assert console.file.getvalue() == ""  # type: ignore[attr-defined]


@pytest.mark.parametrize("number", [*range(0x20), *range(0x7F, 0xA0)])
def test_every_control_character_is_spelt_out(number: int) -> None:
    assert plain(f"a{chr(number)}b").isprintable()
    assert len(plain(chr(number))) > 1


@pytest.mark.parametrize("text", ["", " ", "~", "\xa0", "é 😀", "\\x1b"])
def test_other_characters_stay(text: str) -> None:
    assert plain(text) == text

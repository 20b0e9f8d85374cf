"""Settings from a file .env: only our own, and never over what the environment says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from odyssey_cli import cloud, dotenv
from odyssey_cli.commands import aggregator, discovery
from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.discovery import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli.flows.discovery.settings import Given


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, and an environment that is put back."""
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    yield tmp_path
    os.environ.clear()
    os.environ.update(before)


def test_our_settings_are_taken_over(folder: Path) -> None:
    (folder / ".env").write_text(
        'DISCOVERY_TABLE=items\nexport DISCOVERY_BUCKET="files é"\n',
        encoding="utf-8",
    )
    dotenv.load("DISCOVERY_")
    assert os.environ["DISCOVERY_TABLE"] == "items"
    assert os.environ["DISCOVERY_BUCKET"] == "files é"


@pytest.mark.parametrize(
    "name",
    [
        "AWS_PROFILE",
        "AWS_ENDPOINT_URL",
        "AWS_ACCESS_KEY_ID",
        "PATH_OF_MINE",
        "PYTHONPATH",
        "ODYSSEY_TARGET",
        "ODYSSEY_ACCOUNT",
        "discovery_table",
        "X_DISCOVERY_TABLE",
    ],
)
def test_settings_of_others_are_left_alone(folder: Path, name: str) -> None:
    os.environ.pop(name, None)
    (folder / ".env").write_text(f"{name}=from the file\n")
    dotenv.load("DISCOVERY_")
    assert name not in os.environ


@pytest.mark.parametrize("value", ["from outside", ""])
def test_what_is_set_in_the_environment_wins(folder: Path, value: str) -> None:
    os.environ["DISCOVERY_TABLE"] = value
    (folder / ".env").write_text("DISCOVERY_TABLE=from the file\nDISCOVERY_BUCKET=files\n")
    dotenv.load("DISCOVERY_")
    assert os.environ["DISCOVERY_TABLE"] == value
    assert os.environ["DISCOVERY_BUCKET"] == "files"


def test_values_are_not_expanded(folder: Path) -> None:
    os.environ["SECRET"] = "hunter2"
    (folder / ".env").write_text("DISCOVERY_TABLE=${SECRET}$(id)\n")
    dotenv.load("DISCOVERY_")
    assert os.environ["DISCOVERY_TABLE"] == "${SECRET}$(id)"


def test_a_name_without_value_sets_nothing(folder: Path) -> None:
    (folder / ".env").write_text("DISCOVERY_TABLE\n# DISCOVERY_BUCKET=files\n")
    dotenv.load("DISCOVERY_")
    assert not [name for name in os.environ if name.startswith("DISCOVERY_")]


@pytest.mark.parametrize("make", [lambda _: None, lambda file: file.mkdir()], ids=["none", "dir"])
def test_without_such_a_file_nothing_happens(folder: Path, make: object) -> None:
    make(folder / ".env")  # type: ignore[operator]
    before = dict(os.environ)
    dotenv.load("DISCOVERY_")
    assert dict(os.environ) == before


def test_what_another_program_keeps_there_in_another_encoding_is_no_reason_to_stop(
    folder: Path,
) -> None:
    (folder / ".env").write_bytes("NAME=é\nDISCOVERY_TABLE=t\n".encode("latin-1"))
    dotenv.load("DISCOVERY_")
    assert os.environ["DISCOVERY_TABLE"] == "t"


def test_only_names_with_the_prefix_are_taken_over(folder: Path) -> None:
    os.environ.pop("OTHER_TABLE", None)
    (folder / ".env").write_text("DISCOVERY_TABLE=t\nOTHER_TABLE=o\n")
    dotenv.load("OTHER_")
    assert os.environ["OTHER_TABLE"] == "o"
    assert "DISCOVERY_TABLE" not in os.environ


def test_a_file_that_may_not_be_read_is_a_clear_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_file: Path) -> bytes:
        raise PermissionError(13, "Permission denied", ".env")

    (folder / ".env").write_text("DISCOVERY_TABLE=t\n")
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(OdysseyError, match=r"\.env cannot be read: .*Permission denied") as refused:
        dotenv.load("DISCOVERY_")
    assert "Mend it" in refused.value.remedy


def test_a_value_that_no_variable_can_have_is_a_clear_error(folder: Path) -> None:
    (folder / ".env").write_bytes(b"DISCOVERY_TABLE=a\x00b\n")
    with pytest.raises(OdysseyError, match=r"\.env cannot be read"):
        dotenv.load("DISCOVERY_")
    assert "DISCOVERY_TABLE" not in os.environ


@pytest.fixture
def app() -> typer.Typer:
    """The commands of two systems."""
    made = typer.Typer()
    for commands in (discovery, aggregator):
        commands.register(made)
    return made


@pytest.mark.parametrize("command", [["submit", "a.json"], ["listen"], ["show", "x"], ["failures"]])
def test_a_broken_file_is_an_error_of_discoverys_commands(
    folder: Path, app: typer.Typer, command: list[str]
) -> None:
    (folder / ".env").write_bytes(b"DISCOVERY_TABLE=a\x00b\n")
    result = CliRunner().invoke(app, ["discovery", *command])
    assert isinstance(result.exception, OdysseyError)
    assert ".env cannot be read" in result.exception.problem


def test_a_broken_file_does_not_concern_other_commands(
    folder: Path, app: typer.Typer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".env").write_bytes(b"DISCOVERY_TABLE=a\x00b\n")
    monkeypatch.setattr(cloud, "find_any", lambda: None)
    result = CliRunner().invoke(app, ["aggregator", "summary"])
    assert isinstance(result.exception, OdysseyError)
    assert "No local cloud is running" in result.exception.problem


def test_discoverys_commands_find_their_settings_in_the_file(
    folder: Path, app: typer.Typer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".env").write_text("DISCOVERY_TABLE=from the file\n")
    found: list[str | None] = []

    def stop(_target: object, given: Given) -> None:
        found.append(given.table)
        raise OdysseyError("That is far enough.", "")

    monkeypatch.setattr(discovery, "resolve", lambda *_, **__: None)
    monkeypatch.setattr(settings, "for_service", stop)
    CliRunner().invoke(app, ["discovery", "listen"])
    assert found == ["from the file"]

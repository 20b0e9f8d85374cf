"""Settings from a file .env: only our own, and never over what the environment says."""

from __future__ import annotations

import os
import subprocess
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
    monkeypatch.setattr(dotenv, "PROJECT", tmp_path / ".env")
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


ENV = Path(".env")
ACCOUNT = "111122223333"


def test_settings_are_kept_among_those_of_others(folder: Path) -> None:
    # GIVEN a file with comments, an old value twice, Windows line ends, a text over two lines that
    # looks like a setting, and what is not UTF-8
    ENV.write_bytes(
        b"# mine\r\nDISCOVERY_TABLE=t # why\r\n\nODYSSEY_PROFILE=old\nexport NAME='two\n"
        b"ODYSSEY_ACCOUNT=not this'\nODYSSEY_PROFILE=older\n\xe9=\xff\nlast=1"
    )
    ENV.chmod(0o640)

    # WHEN
    dotenv.keep({"ODYSSEY_PROFILE": "new", "ODYSSEY_ACCOUNT": ACCOUNT})

    # THEN
    assert ENV.read_bytes() == (
        b"# mine\r\nDISCOVERY_TABLE=t # why\r\n\nODYSSEY_PROFILE=new\nexport NAME='two\n"
        b"ODYSSEY_ACCOUNT=not this'\n\xe9=\xff\nlast=1\nODYSSEY_ACCOUNT=111122223333\n"
    )
    assert ENV.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in Path().iterdir()] == [".env"]

    # WHEN they are forgotten
    dotenv.keep({"ODYSSEY_PROFILE": None, "ODYSSEY_ACCOUNT": None})

    # THEN everything else is still there
    assert ENV.read_bytes() == (
        b"# mine\r\nDISCOVERY_TABLE=t # why\r\n\nexport NAME='two\n"
        b"ODYSSEY_ACCOUNT=not this'\n\xe9=\xff\nlast=1\n"
    )


def test_a_new_file_is_for_its_owner_only(folder: Path) -> None:
    dotenv.keep({"ODYSSEY_PROFILE": "mine"})
    assert ENV.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "name", ["mine", "my sso", "a#b", 'it\'s "x"', "back\\slash\\", "é=ü", "$HOME"]
)
def test_whatever_a_profile_is_called_it_is_read_as_it_was_kept(folder: Path, name: str) -> None:
    dotenv.keep({"ODYSSEY_PROFILE": name, "ODYSSEY_ACCOUNT": ACCOUNT})
    assert dotenv.values("ODYSSEY_") == {"ODYSSEY_PROFILE": name, "ODYSSEY_ACCOUNT": ACCOUNT}


def test_a_link_stays_a_link(folder: Path) -> None:
    (folder / "settings").write_text("A=1\n")
    ENV.symlink_to(folder / "settings")
    dotenv.keep({"ODYSSEY_PROFILE": "mine"})
    assert ENV.is_symlink()
    assert (folder / "settings").read_text() == "A=1\nODYSSEY_PROFILE=mine\n"


def test_a_file_that_cannot_be_replaced_stays_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a disk that is full when the new file is to take the old one's place
    def refuse(_self: Path, _target: object) -> Path:
        raise OSError(28, "No space left on device")

    ENV.write_text("A=1\n")
    monkeypatch.setattr(Path, "replace", refuse)

    # WHEN
    with pytest.raises(OdysseyError, match=r"\.env cannot be written: .*No space"):
        dotenv.keep({"ODYSSEY_PROFILE": "mine"})

    # THEN
    assert ENV.read_text() == "A=1\n"
    assert [each.name for each in Path().iterdir()] == [".env"]


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, capture_output=True)


def test_a_file_that_git_would_share_is_not_written(folder: Path) -> None:
    # GIVEN a repository that does not ignore it
    git("init", "--quiet")
    with pytest.raises(OdysseyError, match=r"git does not ignore \.env"):
        dotenv.keep({"ODYSSEY_PROFILE": "mine"})
    assert not ENV.exists()

    # GIVEN one that does, but tracks it all the same
    Path(".gitignore").write_text("/.env\n")
    ENV.write_text("A=1\n")
    git("add", "--force", ".env")
    with pytest.raises(OdysseyError, match=r"git tracks \.env") as refused:
        dotenv.keep({"ODYSSEY_PROFILE": "mine"})
    assert "git rm --cached .env" in refused.value.remedy
    assert ENV.read_text() == "A=1\n"

    # WHEN it has done what it was told
    git("rm", "--quiet", "--cached", ".env")

    # THEN it is written, and so it is without a git
    dotenv.keep({"ODYSSEY_PROFILE": "mine"})
    assert ENV.read_text() == "A=1\nODYSSEY_PROFILE=mine\n"


def test_a_file_in_a_repository_that_git_does_not_trust_is_not_written(folder: Path) -> None:
    # GIVEN what git takes for no repository, but somebody else for one
    Path(".git").write_text("gitdir: gone\n")

    # THEN
    with pytest.raises(OdysseyError, match=r"git does not say whether it tracks \.env: fatal:"):
        dotenv.keep({"ODYSSEY_PROFILE": "mine"})
    assert not ENV.exists()


def test_without_a_git_program_the_file_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    dotenv.keep({"ODYSSEY_PROFILE": "mine"})
    assert ENV.read_text() == "ODYSSEY_PROFILE=mine\n"

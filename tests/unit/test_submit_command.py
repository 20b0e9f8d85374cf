"""What `odyssey discovery submit` says of what it did, and of what it could not do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from odyssey_cli.commands import discovery as commands
from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.discovery import settings
from odyssey_cli.flows.discovery.submit import Script
from proofs.fakes.dynamodb import Call, FakeDynamoDB, refusal
from proofs.fakes.s3 import OWNER, FakeS3
from proofs.fakes.sqs import FakeSQS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("folder_without_settings")
CHANGED = "A file that has changed needs its old name and content, or is a new one."


class Command:
    """The command with its script on fakes.

    Attributes:
        failures: the code with which each of the next items is refused; empty for none.
        connections: for how many calls at once clients were made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dynamodb = FakeDynamoDB.with_tables("items")
        self.dynamodb.before = self._refuse
        s3 = FakeS3.with_buckets(self.dynamodb, "files")
        clients: Any = {"dynamodb": self.dynamodb, "s3": s3, "sqs": FakeSQS(self.dynamodb)}
        self.script = Script("items", "files", "queue", OWNER, **clients, tries=lambda: range(3))
        self.failures: list[str] = []
        self.connections: list[int] = []

    def at(self, _place: object, *, connections: int) -> Script:
        self.connections.append(connections)
        return self.script

    def run(self, *options: str) -> Any:
        """Run it with one call at a time, so that failures have one order."""
        arguments = ["submit", "laptop.json", "--dir", str(self.folder)]
        return CliRunner().invoke(commands.group, [*arguments, "--concurrency", "1", *options])

    def _refuse(self, call: Call) -> None:
        if call.operation == "PutItem" and self.failures and (code := self.failures.pop(0)):
            raise refusal(code, call.operation)


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    made = Command(tmp_path / "files")
    made.folder.mkdir()
    monkeypatch.setattr(commands, "resolve", lambda *_, **__: None)
    monkeypatch.setattr(settings, "for_script", lambda *_: None)
    monkeypatch.setattr(Script, "at", made.at)
    return made


def error_of(result: Any) -> OdysseyError:
    assert isinstance(result.exception, OdysseyError)
    return result.exception


def test_each_file_is_a_line_of_json(command: Command) -> None:
    command.failures = ["", "AccessDenied"]
    result = command.run("--count", "2", "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    first, second = sorted(lines, key=lambda line: line["file"])
    assert first["outcome"] == "submitted"
    assert first["error"] == ""
    assert second["outcome"] == "failed"
    assert "AccessDenied" in second["error"]
    assert second["file"] == str(command.folder / "laptop-2.json")


def test_the_clients_make_as_many_calls_at_once_as_files_are_stored(command: Command) -> None:
    assert command.run("--concurrency", "64").exit_code == 0
    assert command.connections == [64]


def test_three_different_errors_are_shown_and_the_others_counted(command: Command) -> None:
    # GIVEN seven files, of which six fail with five different errors
    command.failures = ["One", "Two", "One", "", "Three", "Four", "Five"]
    # WHEN
    error = error_of(command.run("--count", "7"))
    # THEN
    assert error.problem.startswith("6 of 7 files not submitted: ")
    assert [code for code in ("One", "Two", "Three", "Four", "Five")
            if f"{code}, says" in error.problem] == ["One", "Two", "Three"]  # fmt: skip
    assert error.problem.count("One, says") == 1
    assert error.problem.endswith("; and 2 more")
    assert "run the same again" in error.remedy
    assert CHANGED not in error.remedy


def test_as_many_errors_as_are_shown_leave_none_to_count(command: Command) -> None:
    command.failures = ["One", "Two", "Three"]
    error = error_of(command.run("--count", "3"))
    assert error.problem.startswith("3 of 3 files not submitted: ")
    assert "Three, says" in error.problem
    assert "more" not in error.problem


def test_a_file_that_changed_is_an_error_with_a_remedy_of_its_own(command: Command) -> None:
    # GIVEN
    assert command.run().exit_code == 0
    file = command.folder / "laptop.json"
    file.write_bytes(file.read_bytes() + b"\n")
    # WHEN
    result = command.run("--json")
    # THEN
    error = error_of(result)
    assert "1 of 1 file not submitted: " in error.problem
    assert f"{file} was changed after it was submitted" in error.problem
    assert error.remedy.endswith(CHANGED)
    assert json.loads(result.stdout)["outcome"] == "is not what was submitted"


def test_run_again_it_finishes_what_failed(command: Command) -> None:
    command.failures = ["", "AccessDenied"]
    error_of(command.run("--count", "2"))
    result = command.run("--count", "2")
    assert result.exit_code == 0
    assert len(command.dynamodb.tables["items"]) == 2

"""What the service saves and shows, and how its command ends."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from odyssey_cli.commands import discovery as commands
from odyssey_cli.console import CONTROL
from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.discovery import settings
from odyssey_cli.flows.discovery.listen import NotSaved, Service
from proofs.fakes.dynamodb import refusal
from tests.discovery import item, item_id, submission, updated
from tests.unit.listening import FILE, Listening, raises, when

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


NOT_THERE = "The item is not there, or could not be read now."
pytestmark = pytest.mark.usefixtures("folder_without_settings")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Listening:
    return Listening.timed(monkeypatch)


def test_files_are_saved_as_they_were_submitted(here: Listening, tmp_path: Path) -> None:
    here.add(1, 2)
    out = tmp_path / "new" / "folder"
    here.run(out=out)
    files = {str(each.relative_to(out)): each for each in out.rglob("*") if each.is_file()}
    assert {name: file.read_bytes() for name, file in files.items()} == {
        f"{item_id(n)}/{FILE}": submission(n).content for n in (1, 2)
    }


def test_an_item_that_is_not_verified_is_not_saved(here: Listening, tmp_path: Path) -> None:
    here.add(1)
    here.dynamodb.tables["items"][item_id(1)] = item(1)
    here.run(out=tmp_path, idle=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../../evil.json", "/evil.json", "a/../../../evil.json"])
def test_a_key_that_leads_elsewhere_writes_nothing(
    here: Listening, tmp_path: Path, name: str
) -> None:
    # GIVEN an item and an object whose key would lead out of the folder
    here.add(1)
    key = f"{item_id(1)}/{name}"
    here.dynamodb.tables["items"][item_id(1)]["s3_key"] = {"S": key}
    objects = here.s3.buckets["files"]
    objects[key] = objects.pop(submission(1).key)
    # WHEN
    totals = here.run(out=tmp_path / "a" / "b" / "out", idle=1)
    # THEN
    assert totals.failures == 1
    assert "is not its id and the name of a file" in here.problems[item_id(1)]
    assert list(tmp_path.rglob("*")) == []


def test_a_link_that_leads_out_of_the_folder_is_not_followed(
    here: Listening, tmp_path: Path
) -> None:
    # GIVEN a folder of an item that is a link
    here.add(1, 2, 3)
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    elsewhere.mkdir()
    out.mkdir()
    (out / item_id(2)).symlink_to(elsewhere)
    # WHEN
    with pytest.raises(NotSaved, match="leads out of"):
        here.run(out=out)
    # THEN what was saved before is done, the rest is free for others
    assert list(elsewhere.iterdir()) == []
    assert here.visible == [updated(2), updated(3)]
    assert len(here.messages) == 2


def test_a_file_that_is_a_link_is_replaced_and_not_followed(
    here: Listening, tmp_path: Path
) -> None:
    here.add(1)
    secret, out = tmp_path / "secret", tmp_path / "out"
    secret.write_text("secret")
    (out / item_id(1)).mkdir(parents=True)
    (out / item_id(1) / FILE).symlink_to(secret)
    here.run(out=out)
    assert secret.read_text() == "secret"
    assert (out / item_id(1) / FILE).read_bytes() == submission(1).content


def test_what_is_looked_at_shows_item_and_file_and_whether_they_agree(here: Listening) -> None:
    here.add(1, 2)
    here.dynamodb.tables["items"][item_id(2)]["model"] = {"S": "another"}
    found = here.service.look(item_id(1))
    assert found is not None
    assert found["agrees"]
    assert found["version"] == "2"
    assert found["content"] == json.loads(submission(1).content)
    other = here.service.look(item_id(2))
    assert other is not None
    assert not other["agrees"]
    assert other["problem"] == "The item has another model than its file."
    assert here.service.look(item_id(3)) is None


@pytest.fixture
def command(here: Listening, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """`odyssey discovery listen` with the service on fakes."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(commands, "resolve", lambda *_, **__: None)
    monkeypatch.setattr(settings, "for_service", lambda *_, **__: None)
    monkeypatch.setattr(Service, "at", lambda _place: here.service)

    def run(*options: str) -> Any:
        return CliRunner().invoke(commands.group, ["listen", "--idle", "25", *options])

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_the_command_tells_each_item_once(here: Listening, command: Callable[..., Any]) -> None:
    here.add(1, 2)
    here.announce(updated(1), updated(1))
    result = command("--json")
    assert result.exit_code == 0
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines == [
        {
            "id": item_id(number),
            "ok": True,
            "file": FILE,
            "status": "updated",
            "version": 2,
            "updated_at": "2026-11-21T12:00:00.000000Z",
            "sha256": submission(number).sha256,
        }
        for number in (1, 2)
    ]


def test_the_command_tells_every_failure(here: Listening, command: Callable[..., Any]) -> None:
    here.sqs.max_receives = 2
    here.announce(updated(1))
    lines = [json.loads(line) for line in command("--json").stdout.splitlines()]
    problem = {"id": item_id(1), "ok": False, "problem": NOT_THERE}
    assert lines == [problem | {"receives": 1}, problem | {"receives": 2}]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_in_good_order(
    here: Listening, command: Callable[..., Any], number: signal.Signals
) -> None:
    here.add(1, 2, 3)
    here.dynamodb.before = when(
        "GetObject", lambda _call: signal.raise_signal(number), of=item_id(1)
    )
    result = command("--json")
    assert result.exit_code == 0
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == [item_id(1)]
    assert here.visible == [updated(2), updated(3)]


def test_a_file_that_cannot_be_saved_is_a_clear_error(
    here: Listening, command: Callable[..., Any], tmp_path: Path
) -> None:
    here.add(1)
    (tmp_path / "file").write_text("")
    result = command("--out", str(tmp_path / "file"))
    assert isinstance(result.exception, OdysseyError)
    assert "--out" in result.exception.remedy
    assert here.visible == [updated(1)]


def test_a_file_that_cannot_be_saved_later_is_a_clear_error_too(
    here: Listening, command: Callable[..., Any], tmp_path: Path
) -> None:
    here.add(1)
    (tmp_path / item_id(1)).symlink_to(tmp_path.parent)
    result = command("--out", str(tmp_path))
    assert isinstance(result.exception, OdysseyError)
    assert "Files cannot be saved" in result.exception.problem
    assert "leads out of" in result.exception.problem
    assert "--out" in result.exception.remedy
    assert here.visible == [updated(1)]


def test_the_command_says_what_keeps_it_from_its_work_and_goes_on(
    here: Listening, command: Callable[..., Any]
) -> None:
    here.add(1)
    error = refusal("Internal\x1bError", "ReceiveMessage", status=503)
    here.dynamodb.before = when("ReceiveMessage", raises(error), times=1)
    result = command("--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["ok"]
    said = " ".join(result.stderr.split())
    assert "Internal\\x1bError, says the fake. Trying again." in said
    assert "1 item verified, 0 messages put back." in said


def test_a_queue_that_may_not_be_read_is_a_clear_error(
    here: Listening, command: Callable[..., Any]
) -> None:
    refused = refusal("AccessDenied", "ReceiveMessage", status=403)
    here.dynamodb.before = when("ReceiveMessage", raises(refused))
    result = command()
    assert isinstance(result.exception, OdysseyError)
    assert "AccessDenied" in result.exception.problem
    assert "--queue-url" in result.exception.remedy


def test_show_spells_out_the_control_characters_of_an_item(
    here: Listening, command: Callable[..., Any]
) -> None:
    here.add(1)
    here.dynamodb.tables["items"][item_id(1)]["model"] = {"S": "a\x1b[2J\x9b\x7fb"}
    result = CliRunner().invoke(commands.group, ["show", item_id(1)], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "a\\x1b[2J\\x9b\\x7fb" in result.stdout
    assert not CONTROL.search(result.stdout.replace("\n", ""))

"""What `odyssey redrive` says of each failure, and how it ends."""

from __future__ import annotations

import json
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from odyssey_cli.commands import failures as commands
from odyssey_cli.errors import OdysseyError
from odyssey_cli.failures import REJECTS_OUTPUT
from proofs.pubsub_shapes import counted, sns_record
from tests.unit.redriving import ACCOUNT, LOGGER, MULTIPLIER, Cloud

GIVEN_UP, REJECTS = (f"https://sqs/{ACCOUNT}/{name}" for name in ("given-up", "rejects"))
MESSAGE = counted({"hello": 1}, id="event-1")
NOTIFICATION = {"Type": "Notification", "MessageId": "sns-1", "Message": MESSAGE}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A stack with a subscriber whose failures go to a queue, and a queue of rejects."""
    cloud = Cloud(monkeypatch)
    cloud.formation.resources = {
        "AWS::Lambda::Function": [MULTIPLIER, LOGGER],
        "AWS::Lambda::EventInvokeConfig": ["of the multiplier"],
        "AWS::SQS::Queue": [GIVEN_UP, REJECTS],
    }
    cloud.formation.outputs = {REJECTS_OUTPUT: REJECTS}
    cloud.functions.destinations = {MULTIPLIER: f"arn:aws:sqs:us-east-1:{ACCOUNT}:given-up"}
    monkeypatch.setattr(commands, "resolve", lambda *_, **__: cloud.target)
    return cloud


def run(*options: str) -> Any:
    app = typer.Typer()
    commands.register(app)
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["PubSub", *options])


def error_of(result: Any) -> OdysseyError:
    assert isinstance(result.exception, OdysseyError)
    return result.exception


def test_a_dry_run_shows_what_waits_and_leaves_it_there(cloud: Cloud) -> None:
    name = cloud.sqs.put(GIVEN_UP, NOTIFICATION, ErrorCode="403", ErrorMessage="no")
    [row] = json.loads(run("--dry-run", "--json").stdout)
    assert row == {
        "queue": "topic deliveries",
        "what": "message event-1",
        "cause": "SNS could not hand it to Lambda: 403 no",
        "since": "2026-11-21 12:00:00",
    }
    assert "message event-1" in run("--dry-run").stdout
    assert cloud.functions.invoked == []
    assert cloud.sqs.visible(GIVEN_UP) == [name]


def test_everything_that_comes_back_is_shown_and_gone(cloud: Cloud) -> None:
    cloud.sqs.put(GIVEN_UP, NOTIFICATION)
    cloud.sqs.put(REJECTS, sns_record(MESSAGE, id="sns-2"), source=LOGGER, event_id="sns-2")
    rows = json.loads(run("--json").stdout)
    assert [(row["what"], row["result"]) for row in rows] == [
        ("message event-1", "brought back"),
        ("event sns-2", "brought back"),
    ]
    assert [function for function, _ in cloud.functions.invoked] == [MULTIPLIER, LOGGER]
    assert run().stdout == "Nothing waits in the failure queues of PubSub.\n"


def test_what_failed_or_was_rejected_again_is_counted_in_the_error(cloud: Cloud) -> None:
    # GIVEN a message that cannot be read, and one that the logger still rejects
    cloud.sqs.put(GIVEN_UP, "not JSON")
    record = sns_record(MESSAGE, id="sns-2")
    cloud.sqs.put(REJECTS, record, source=LOGGER, event_id="sns-2")
    cloud.functions.on_invoke = lambda records: cloud.sqs.put(
        REJECTS, records[0], source=LOGGER, event_id="sns-2", cause="no \x1b[2J words"
    )
    # WHEN
    result = run()
    # THEN
    error = error_of(result)
    assert error.problem == "Of 2: 1 failed again, 1 rejected again."
    assert error.remedy == "Mend the cause and run it again."
    shown = " ".join(result.stdout.replace("│", " ").split())
    assert "failed again: the message is neither" in shown
    assert "rejected again: no \\x1b[2J words" in shown
    assert len(cloud.sqs.visible(GIVEN_UP)) == len(cloud.sqs.visible(REJECTS)) == 1


def test_what_comes_back_from_another_queue_only_to_be_rejected_is_not_said_to_be_well(
    cloud: Cloud,
) -> None:
    # GIVEN a queue of rejects before the others, and a function that now rejects the message
    cloud.formation.resources["AWS::SQS::Queue"].reverse()
    cloud.sqs.put(GIVEN_UP, NOTIFICATION)
    cloud.functions.on_invoke = lambda _: cloud.sqs.put(
        REJECTS, sns_record(MESSAGE, id="sns-1"), source=MULTIPLIER, event_id="sns-1", cause="no"
    )
    # WHEN
    result = run("--json")
    # THEN
    assert error_of(result).problem == "Of 2: 1 rejected again."
    assert [row["result"] for row in json.loads(result.stdout)] == [
        "brought back",
        "rejected again",
    ]

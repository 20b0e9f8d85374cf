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
EVENTS, LETTERS = (f"https://sqs/{ACCOUNT}/{name}" for name in ("events", "letters"))
ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}"
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


@pytest.fixture
def queue(cloud: Cloud) -> str:
    """Give the stack a queue that a function reads; return its dead-letter queue."""
    policy = {"deadLetterTargetArn": f"{ARN}:letters", "maxReceiveCount": 5}
    cloud.sqs.policies = {EVENTS: json.dumps(policy)}
    cloud.formation.resources["AWS::SQS::Queue"] += [EVENTS, LETTERS]
    cloud.formation.resources["AWS::Lambda::EventSourceMapping"] = ["of events", "of a stream"]
    cloud.functions.sources = {"of events": f"{ARN}:events"}
    return LETTERS


def test_apart_each_dead_letter_comes_to_its_function_alone_and_the_killer_is_told(
    cloud: Cloud, queue: str
) -> None:
    # GIVEN three, at one of which the function dies, and a message of a topic
    names = [cloud.sqs.put(queue, body) for body in ("one", "killer \x1b[2J", "three")]
    cloud.sqs.put(GIVEN_UP, NOTIFICATION)

    def dies(records: list[Any]) -> None:
        cloud.functions.error = "killer" in records[0].get("body", "")
        cloud.functions.payload = {"errorMessage": "\x1b[2J timed out"}

    cloud.functions.on_invoke = dies
    # WHEN
    result = run("--apart", "--json")
    # THEN nobody else came along
    batches = [records for function, records in cloud.functions.invoked if function == "arn:f"]
    assert [[each["messageId"] for each in batch] for batch in batches] == [[n] for n in names]
    # AND it alone waits
    assert cloud.sqs.visible(queue) == [names[1]]
    assert cloud.sqs.queues.get(EVENTS, []) == []
    assert cloud.sqs.visible(GIVEN_UP) == []
    assert error_of(result).problem == "Of 4: 1 failed again."
    rows = {row["what"]: row["result"] for row in json.loads(result.stdout)}
    assert rows == {
        "message event-1": "brought back",
        f"message {names[0]}": "brought back",
        f"message {names[1]}": "failed again",
        f"message {names[2]}": "brought back",
    }
    # AND that was told as it happened
    assert result.stderr.splitlines() == [
        "message event-1: brought back",
        f"message {names[0]}: brought back",
        f"message {names[1]}: failed again: \\x1b[2J timed out",
        f"message {names[2]}: brought back",
    ]


def test_together_dead_letters_go_into_their_queue(
    cloud: Cloud, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    sent: list[str] = []
    monkeypatch.setattr(
        cloud.sqs, "send_message", lambda **each: sent.append(each["QueueUrl"]), raising=False
    )
    cloud.sqs.put(queue, "one")
    # WHEN
    result = run()
    # THEN
    assert result.exit_code == 0
    assert result.stderr == ""
    assert sent == [EVENTS]
    assert cloud.functions.invoked == []


def test_apart_says_of_a_queue_that_no_function_reads_that_it_does_not_apply(
    cloud: Cloud, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    cloud.functions.sources = {}
    sent: list[str] = []
    monkeypatch.setattr(
        cloud.sqs, "send_message", lambda **each: sent.append(each["QueueUrl"]), raising=False
    )
    cloud.sqs.put(queue, "one")
    # WHEN
    [row] = json.loads(run("--apart", "--json").stdout)
    # THEN
    assert row["result"] == "brought back"
    assert row["detail"] == "into its queue: no function of the stack reads that"
    assert sent == [EVENTS]
    assert cloud.sqs.queues[queue] == []
    assert cloud.functions.invoked == []

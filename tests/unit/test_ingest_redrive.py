"""Rejected records go back into their stream; what a bus could not deliver goes into the queue."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from odyssey_cli import failures
from odyssey_cli.__main__ import app
from odyssey_cli.commands import failures as commands
from odyssey_cli.failures import FailureQueue, Kind, Redriven, Result
from odyssey_cli.firehose_rejects import LATER
from odyssey_cli.target import Target
from tests.ingest import TEXT, as_bytes, delivery, envelope, fields, put
from tests.unit.redriving import ACCOUNT, Cloud

STREAM = f"arn:aws:firehose:us-east-1:{ACCOUNT}:deliverystream/Ingest-Stream"
REJECTS = f"https://sqs/{ACCOUNT}/rejects"
SOURCE, LETTERS = f"https://sqs/{ACCOUNT}/events", f"https://sqs/{ACCOUNT}/letters"
REJECTED = FailureQueue(REJECTS, Kind.REJECTS, streams=(STREAM,))
DEAD = FailureQueue(LETTERS, Kind.DEAD_LETTERS, source=SOURCE, max_receives=5)
# "Using dead-letter queues to process undelivered events in EventBridge", 2026-11-21.
WHY = {
    "RULE_ARN": f"arn:aws:events:us-east-1:{ACCOUNT}:rule/bus/Consumer-Rule",
    "TARGET_ARN": f"arn:aws:sqs:us-east-1:{ACCOUNT}:events",
    "ERROR_CODE": "NO_PERMISSIONS",
    "ERROR_MESSAGE": "No.",
    "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
    "RETRY_ATTEMPTS": "3",
}


class FakeFirehose:
    """Remembers what was put."""

    def __init__(self) -> None:
        self.put: list[tuple[str, bytes]] = []

    def put_record(self, *, DeliveryStreamName: str, Record: dict[str, bytes]) -> None:  # noqa: N803
        self.put.append((DeliveryStreamName, Record["Data"]))

    def describe_delivery_stream(self, *, DeliveryStreamName: str) -> dict[str, Any]:  # noqa: N803
        assert DeliveryStreamName == "Ingest-Stream"
        return {"DeliveryStreamDescription": {"DeliveryStreamARN": STREAM}}


@pytest.fixture
def firehose() -> FakeFirehose:
    return FakeFirehose()


@pytest.fixture
def cloud(firehose: FakeFirehose, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    cloud = Cloud(monkeypatch)
    others = Target.client

    def client(target: Target, service: str, **options: Any) -> Any:
        return firehose if service == "firehose" else others(target, service, **options)

    monkeypatch.setattr(Target, "client", client)
    monkeypatch.setattr(
        cloud.sqs, "send_message", lambda **sent: _send(cloud, **sent), raising=False
    )
    return cloud


def _send(cloud: Cloud, *, QueueUrl: str, MessageBody: str, **options: Any) -> None:  # noqa: N803
    cloud.sqs.put(QueueUrl, MessageBody)
    cloud.sqs.queues[QueueUrl][-1] |= {"MessageAttributes": {}} | options


def reject(cloud: Cloud, value: object, *, event_id: str = "derived", **changes: Any) -> None:
    """Put a reject of the transformer into the queue; None takes a field away."""
    stream = delivery([], stream=STREAM)["deliveryStreamArn"]
    body = put(value) | {"deliveryStreamArn": stream} | changes
    body = {name: each for name, each in body.items() if each is not None}
    cloud.sqs.put(REJECTS, body, cause="No.", source="transformer", event_id=event_id)


def redrive(cloud: Cloud, queue: FailureQueue = REJECTED) -> list[Redriven]:
    return list(failures.redrive_all(cloud.target, queue))


def test_a_rejected_record_goes_into_its_stream_and_is_deleted_then(
    cloud: Cloud, firehose: FakeFirehose
) -> None:
    # GIVEN one with an id of its own
    reject(cloud, fields(1))
    # WHEN
    [redriven] = redrive(cloud)
    # THEN it is put as it was
    assert (redriven.result, redriven.detail) == (Result.DONE, "into its delivery stream")
    assert firehose.put == [("Ingest-Stream", as_bytes(fields(1)))]
    assert cloud.sqs.queues[REJECTS] == []


@pytest.mark.parametrize("given", [{}, {"id": None}])
def test_a_record_without_an_id_gets_the_one_that_its_event_had(
    given: dict[str, Any], cloud: Cloud, firehose: FakeFirehose
) -> None:
    # GIVEN an event that may have been queued after all, under an id made of the record's
    value = {name: each for name, each in fields(1).items() if name != "id"} | given
    reject(cloud, value, event_id="derived")
    # WHEN
    redrive(cloud)
    # THEN it would be the same event
    [(_, data)] = firehose.put
    assert json.loads(data) == value | {"id": "derived"}
    assert TEXT.encode() in data


@pytest.mark.parametrize(
    "data", [b"not JSON", b"\xff\x00", b"[1]", b'"text"', b'{"a":1,"a":2}', b""]
)
def test_what_is_no_json_object_goes_back_as_it_was(
    data: bytes, cloud: Cloud, firehose: FakeFirehose
) -> None:
    reject(cloud, data)
    redrive(cloud)
    assert firehose.put == [("Ingest-Stream", data)]


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"data": None}, "the record is too large for the queue; it is in the error prefix"),
        ({"deliveryStreamArn": f"{STREAM}-2"}, "is no delivery stream of the stack"),
        ({"deliveryStreamArn": 7}, "7 is no delivery stream of the stack"),
        ({"data": 7}, "the record's data is not base64"),
        ({"data": "€"}, "the record's data is not base64"),
    ],
)
def test_what_cannot_be_put_back_stays_and_keeps_no_other_from_coming_back(
    changes: dict[str, Any], detail: str, cloud: Cloud, firehose: FakeFirehose
) -> None:
    # GIVEN
    reject(cloud, fields(1), **changes)
    reject(cloud, fields(2))
    # WHEN
    first, second = redrive(cloud)
    # THEN
    assert first.result is Result.FAILED
    assert detail in first.detail
    assert second.result is Result.DONE
    assert [json.loads(data)["id"] for _, data in firehose.put] == ["e2"]
    assert len(cloud.sqs.visible(REJECTS)) == 1


def letter(cloud: Cloud, **why: str) -> dict[str, Any]:
    body = {"detail-type": "order", "detail": envelope(1)}
    cloud.sqs.put(LETTERS, body, **why)
    return body


@pytest.mark.parametrize(
    ("without", "cause"),
    [
        (
            "",
            "the rule Consumer-Rule could not deliver it after 3 retries: NO_PERMISSIONS: No.",
        ),
        (
            "RETRY_ATTEMPTS",
            "the rule Consumer-Rule could not deliver it: NO_PERMISSIONS: No.",
        ),
        (
            "ERROR_MESSAGE",
            "the rule Consumer-Rule could not deliver it after 3 retries: NO_PERMISSIONS",
        ),
    ],
)
def test_what_a_bus_could_not_deliver_says_why(without: str, cause: str, cloud: Cloud) -> None:
    letter(cloud, **{name: text for name, text in WHY.items() if name != without})
    [found] = failures.collect(cloud.target, DEAD)
    assert (found.cause, found.what) == (cause, "event e1")


def test_what_a_bus_could_not_deliver_goes_into_the_queue_as_the_bus_would_put_it(
    cloud: Cloud,
) -> None:
    # GIVEN such an event, with an attribute that is not of the bus
    body = letter(cloud, **WHY, other="mine")
    # WHEN
    [redriven] = redrive(cloud, DEAD)
    # THEN
    assert redriven.result is Result.DONE
    assert cloud.sqs.queues[LETTERS] == []
    [message] = cloud.sqs.queues[SOURCE]
    assert json.loads(message["Body"]) == body
    assert set(message["MessageAttributes"]) == {"other"}


def test_a_message_that_was_given_up_keeps_its_attributes_and_its_cause(cloud: Cloud) -> None:
    cloud.sqs.put(LETTERS, "body", ERROR_CODE="of the sender's own")
    [found] = failures.collect(cloud.target, DEAD)
    assert found.cause == "given up after 5 receives"
    assert found.what.startswith("message ")
    failures.release(cloud.target, [found])
    redrive(cloud, DEAD)
    [message] = cloud.sqs.queues[SOURCE]
    assert set(message["MessageAttributes"]) == {"ERROR_CODE"}


def test_the_command_finds_the_stack_s_stream_and_says_that_it_takes_a_while(
    cloud: Cloud, firehose: FakeFirehose, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    cloud.formation.resources = {
        "AWS::KinesisFirehose::DeliveryStream": ["Ingest-Stream"],
        "AWS::SQS::Queue": [REJECTS],
    }
    cloud.formation.outputs = {failures.REJECTS_OUTPUT: REJECTS}
    monkeypatch.setattr(commands, "resolve", lambda *_, **__: cloud.target)
    reject(cloud, fields(1))
    # WHEN
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["redrive", "Ingest"])
    # THEN
    assert result.exit_code == 0
    assert "brought back: into its delivery stream" in result.stdout
    assert LATER.split(":")[0] in " ".join(result.stderr.split())
    assert len(firehose.put) == 1

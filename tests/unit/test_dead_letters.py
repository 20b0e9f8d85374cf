"""Dead letters are handed to their function one by one: what it dies of takes nothing along."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from odyssey_cli import failures
from odyssey_cli.failures import FailureQueue, Kind, Redriven, Result
from odyssey_cli.target import Target
from tests.unit.redriving import FakeFunctions

if TYPE_CHECKING:
    from collections.abc import Iterator

DEATH = "Runtime.ExitError: signal: killed"
WHY = {"RULE_ARN": "arn:rule", "ERROR_CODE": "NO_PERMISSIONS"}


class Reader(FakeFunctions):
    """Dies of messages whose body begins with `killer`."""

    def invoke(self, *, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803 - boto3's
        [record] = json.loads(Payload)["Records"]
        self.error = record["body"].startswith("killer")
        self.payload = {"errorType": "Runtime.ExitError", "errorMessage": "signal: killed"}
        return super().invoke(FunctionName=FunctionName, Payload=Payload)

    @property
    def handed(self) -> list[str]:
        """The bodies that it was invoked with."""
        return [record["body"] for _, [record] in self.invoked]


@pytest.fixture
def sqs() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("sqs", region_name="eu-north-1")
        # In moto all messages are found at once.
        client.meta.events.register(
            "provide-client-params.sqs.ReceiveMessage",
            lambda params, **_: params | {"WaitTimeSeconds": 0},
        )
        yield client


@pytest.fixture
def function() -> Reader:
    return Reader()


@pytest.fixture
def to(sqs: Any, function: Reader, monkeypatch: pytest.MonkeyPatch) -> Target:
    clients = {"sqs": sqs, "lambda": function}
    monkeypatch.setattr(Target, "client", lambda _, service, **__: clients[service])
    return Target({}, Path(), None)


def made(sqs: Any, *, fifo: bool = False) -> FailureQueue:
    """Make a queue with a dead-letter queue, and return the latter as the stack would have it."""
    suffix, attributes = (".fifo", {"FifoQueue": "true"}) if fifo else ("", {})
    source, dead = (
        sqs.create_queue(QueueName=name + suffix, Attributes=attributes)["QueueUrl"]
        for name in ("source", "dead")
    )
    arn = sqs.get_queue_attributes(QueueUrl=source, AttributeNames=["QueueArn"])["Attributes"]
    mapping = {"EventSourceArn": arn["QueueArn"], "FunctionArn": "arn:reader"}
    return FailureQueue(dead, Kind.DEAD_LETTERS, (mapping,), source=source)


def give_up(sqs: Any, queue: FailureQueue, *bodies: str, group: str = "g") -> None:
    for body in bodies:
        ids = {"MessageGroupId": group, "MessageDeduplicationId": f"{group} {body}"}
        sqs.send_message(
            QueueUrl=queue.url, MessageBody=body, **(ids if queue.url.endswith(".fifo") else {})
        )


def left(sqs: Any, url: str) -> list[str]:
    """Return what anybody may receive of a queue."""
    found: list[str] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [each["Body"] for each in messages]
        for each in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
    return found


def redrive(to: Target, queue: FailureQueue) -> list[Redriven]:
    return list(failures.redrive_all(to, queue, apart=True))


def test_the_killer_stays_alone_and_what_died_with_it_is_processed(
    sqs: Any, to: Target, function: Reader
) -> None:
    # GIVEN more than one receive takes
    queue = made(sqs)
    good = [f"m{n}" for n in range(12)]
    give_up(sqs, queue, *good[:5], "killer", *good[5:])
    # WHEN
    done = redrive(to, queue)
    # THEN each was tried once, and by itself
    assert sorted(function.handed) == sorted([*good, "killer"])
    [killer] = [each for each in done if each.result is not Result.DONE]
    assert killer.failure.message["Body"] == "killer"
    assert (killer.result, killer.detail) == (Result.FAILED, DEATH)
    # AND nothing else is anywhere
    assert left(sqs, queue.url) == ["killer"]
    assert left(sqs, queue.source) == []


def test_of_a_fifo_group_each_waits_for_the_one_before(
    sqs: Any, to: Target, function: Reader
) -> None:
    # GIVEN more of one group than a receive gives, among them some that stay; and another group
    queue = made(sqs, fifo=True)
    bodies = [f"killer {n}" if n in {3, 17} else f"m{n}" for n in range(25)]
    give_up(sqs, queue, *bodies)
    give_up(sqs, queue, "x", "killer x", "y", group="other")
    # WHEN
    done = redrive(to, queue)
    # THEN
    ours = [each for each in function.handed if each[-1] not in "xy"]
    assert ours == bodies
    assert [each for each in function.handed if each[-1] in "xy"] == ["x", "killer x", "y"]
    assert len(done) == 28
    assert sorted(left(sqs, queue.url)) == ["killer 17", "killer 3", "killer x"]
    assert left(sqs, queue.source) == []


def test_behind_ten_of_a_group_that_stay_nothing_can_be_received_and_nothing_is_lost(
    sqs: Any, to: Target, function: Reader
) -> None:
    # GIVEN
    queue = made(sqs, fifo=True)
    killers = [f"killer {n}" for n in range(10)]
    give_up(sqs, queue, *killers, "behind")
    # WHEN
    done = redrive(to, queue)
    # THEN
    assert function.handed == killers
    assert {each.result for each in done} == {Result.FAILED}
    assert left(sqs, queue.url) == [*killers, "behind"]


def test_a_function_gets_a_dead_letter_as_it_would_get_the_message(
    sqs: Any, to: Target, function: Reader
) -> None:
    # GIVEN what a bus could not put into a FIFO queue, with attributes of the sender's own
    queue = made(sqs, fifo=True)
    texts = {
        name: {"DataType": "String", "StringValue": text}
        for name, text in (WHY | {"colour": "Åsa 😀"}).items()
    }
    binary = {"raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}
    sent = sqs.send_message(
        QueueUrl=queue.url,
        MessageBody="body",
        MessageGroupId="g",
        MessageDeduplicationId="d",
        MessageAttributes=texts | binary,
    )
    # WHEN
    redrive(to, queue)
    # THEN
    [(name, [record])] = function.invoked
    assert name == "arn:reader"
    attributes = record.pop("attributes")
    assert attributes["MessageGroupId"] == "g"
    assert attributes["SentTimestamp"].isdigit()
    assert record.pop("receiptHandle")
    lists: dict[str, list[str]] = {"stringListValues": [], "binaryListValues": []}
    assert record == {
        "messageId": sent["MessageId"],
        "body": "body",
        "messageAttributes": {
            "colour": {"dataType": "String", "stringValue": "Åsa 😀", **lists},
            "raw": {
                "dataType": "Binary",
                "binaryValue": base64.b64encode(b"\x00\xff").decode(),
                **lists,
            },
        },
        "md5OfBody": sent["MD5OfMessageBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-north-1:123456789012:source.fifo",
        "awsRegion": "eu-north-1",
    }


def test_a_message_that_the_function_reports_stays(
    sqs: Any, to: Target, function: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    queue = made(sqs)
    give_up(sqs, queue, "one")
    invoke = Reader.invoke

    def reports(self: Reader, **request: str) -> dict[str, Any]:
        answer = invoke(self, **request)
        answer["Payload"].truncate(0)
        answer["Payload"].seek(0)
        answer["Payload"].write(b'{"batchItemFailures": [{"itemIdentifier": "its id"}]}')
        answer["Payload"].seek(0)
        return answer

    monkeypatch.setattr(Reader, "invoke", reports)
    # WHEN
    [redriven] = redrive(to, queue)
    # THEN
    assert (redriven.result, redriven.detail) == (Result.FAILED, "1 of 1 records")
    assert left(sqs, queue.url) == ["one"]


@pytest.mark.parametrize(
    ("more", "detail"),
    [
        ({"FilterCriteria": {"Filters": [{"Pattern": "{}"}]}}, "gets only what passes a filter"),
        (None, "2 functions read its queue"),
    ],
)
def test_where_only_lambda_knows_which_function_gets_it_a_dead_letter_stays(
    more: dict[str, Any] | None, detail: str, sqs: Any, to: Target, function: Reader
) -> None:
    # GIVEN
    queue = made(sqs)
    [mapping] = queue.mappings
    mappings = (mapping, mapping) if more is None else (mapping | more,)
    give_up(sqs, queue, "one")
    # WHEN
    [redriven] = redrive(to, replace(queue, mappings=mappings))
    # THEN
    assert redriven.result is Result.FAILED
    assert detail in redriven.detail
    assert function.handed == []
    assert left(sqs, queue.url) == ["one"]


@pytest.mark.parametrize("filters", [None, {}, {"Filters": []}])
def test_a_filter_that_is_empty_is_none(
    filters: Any, sqs: Any, to: Target, function: Reader
) -> None:
    queue = made(sqs)
    [mapping] = queue.mappings
    give_up(sqs, queue, "one")
    redrive(to, replace(queue, mappings=(mapping | {"FilterCriteria": filters},)))
    assert function.handed == ["one"]


def test_whoever_interrupts_loses_nothing_and_hides_nothing(
    sqs: Any, to: Target, function: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    queue = made(sqs)
    give_up(sqs, queue, "one", "two", "three")
    invoke = Reader.invoke

    def interrupted(self: Reader, **request: str) -> dict[str, Any]:
        if len(self.invoked) == 1:
            raise KeyboardInterrupt
        return invoke(self, **request)

    monkeypatch.setattr(Reader, "invoke", interrupted)
    # WHEN
    with pytest.raises(KeyboardInterrupt):
        redrive(to, queue)
    # THEN what was processed is gone, and all others may be received
    assert sorted(left(sqs, queue.url) + function.handed) == ["one", "three", "two"]
    assert len(function.handed) == 1
    assert left(sqs, queue.source) == []


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_what_would_be_held_for_too_long_is_held_anew(
    fifo: bool, sqs: Any, to: Target, function: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN functions that take so long that each message is the last of those that are held
    monkeypatch.setattr(failures, "_WORK_SECONDS", -1)
    collected: list[int] = []
    collect = failures.collect

    def counted(target: Target, queue: FailureQueue) -> list[failures.Failure]:
        found = collect(target, queue)
        collected.append(len(found))
        return found

    monkeypatch.setattr(failures, "collect", counted)
    queue = made(sqs, fifo=fifo)
    give_up(sqs, queue, "one", "killer", "three")
    # WHEN
    done = redrive(to, queue)
    # THEN each was tried once all the same, and the killer may be received
    assert sorted(function.handed) == ["killer", "one", "three"]
    assert len(done) == 3
    assert collected[0] == 3
    assert len(collected) == 4
    assert left(sqs, queue.url) == ["killer"]

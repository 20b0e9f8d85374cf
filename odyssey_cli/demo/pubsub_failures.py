"""Breaks the word counter and checks that nothing is lost or counted twice."""

from __future__ import annotations

import json
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING

from odyssey_cli import breaking, failures
from odyssey_cli.demo.checks import expect
from odyssey_cli.demo.pubsub_drive import POINTS, Drive
from odyssey_cli.demo.waiting import until, wait_for_failures
from odyssey_cli.flows.pubsub import STACK
from pubsub.counting import MULTIPLIER, marker_id
from pubsub.ways import CURL, EVENT
from shared.identity import stable_id

if TYPE_CHECKING:
    from odyssey_cli.failures import Failure

# Two transactions: the second is made to fail.
_WORDS = 150
# Lambda's first attempt and two more.
_ATTEMPTS = 3
_SUBSCRIBERS = 2
_FOREIGN = "hello"


def break_the_multiplier(drive: Drive) -> str:
    """Say two long messages whose second half the multiplier fails on, one until redriven."""
    assert drive.target.local is not None  # noqa: S101 - the demo runs nowhere else
    for name, times in (("briefly", 1), ("lastingly", _ATTEMPTS)):
        delivery = uuid.uuid4().hex
        message_id = stable_id(CURL, delivery)
        breaking.fail_requests(
            drive.target.local,
            "DynamoDB_20120810.TransactWriteItems",
            containing=marker_id(message_id, MULTIPLIER, 1),
            times=times,
            code="ItemCollectionSizeLimitExceededException",
        )
        text = " ".join(f"{name}{number}" for number in range(_WORDS))
        drive.say(text, delivery=delivery)
        drive.except_for(text)
        drive.broken.append(message_id)

    def points() -> set[int]:
        counts = drive.speaker.counts()
        return {counts[f"lastingly{number}"][0] for number in range(_WORDS)}

    # THEN the first half has its points, and the second half has not
    until(lambda: len(points()) > 1)
    expect(points() == {1, POINTS}, f"the counts are {points()}")
    return f"of {_WORDS} words the first 99 count {POINTS}, the others 1"


def mend_the_multiplier(drive: Drive) -> str:
    """Redrive what the multiplier was given up on, twice; all words have their points."""
    assert drive.target.local is not None  # noqa: S101 - the demo runs nowhere else
    given_up = _deliveries(drive, 1)
    expect(len(given_up) == 1, f"{len(given_up)} messages were given up")
    chunks = {marker_id(each, MULTIPLIER, 1) for each in drive.broken}
    left = breaking.faults_left(drive.target.local, chunks)
    expect(left == 0, f"{left} failures did not happen")
    attempts = given_up[0].body["requestContext"]["approximateInvokeCount"]
    expect(attempts == _ATTEMPTS, f"it was given up after {attempts} attempts")
    _redrive(drive, given_up[0])
    drive.include()
    drive.wait_until_settled()
    return f"one healed by itself, one after {attempts} attempts by redrive; {POINTS} points each"


def unpublished(drive: Drive) -> str:
    """Say something while nothing can be published, then again."""
    delivery, word = uuid.uuid4().hex, "unpublished"
    with breaking.denied(drive.target, STACK, "Counter", "sns:Publish"):
        answer = drive.speaker.say(word, way=EVENT, delivery=delivery)
        expect(answer.status == HTTPStatus.SERVICE_UNAVAILABLE, f"it was answered {answer.status}")
        problem = answer.body["type"]
        expect(problem.endswith(":not-published"), f"the problem is {problem}")
    drive.say(word, way=EVENT, delivery=delivery)
    drive.wait_until_settled()
    return f"answered {answer.status} not-published; sent again it counts {POINTS}"


def out_of_reach(drive: Drive) -> str:
    """Take away the topic's permission to call the logger, and give it back."""
    functions = drive.target.client("lambda")
    name = drive.speaker.outputs["LoggerName"]
    [statement] = json.loads(functions.get_policy(FunctionName=name)["Policy"])["Statement"]
    functions.remove_permission(FunctionName=name, StatementId=statement["Sid"])
    drive.say("unreachable")
    missed = _deliveries(drive, 1, "Notification")
    expect(len(missed) == 1, f"{len(missed)} messages are in the logger's queue")
    functions.add_permission(
        FunctionName=name,
        StatementId=statement["Sid"],
        Action=statement["Action"],
        Principal=statement["Principal"]["Service"],
        SourceArn=drive.speaker.outputs["TopicArn"],
    )
    _redrive(drive, missed[0])
    drive.wait_until_settled()
    lines = [line for line in drive.logged() if line["word"] == "unreachable"]
    expect(len(lines) == 1, f"it was logged {len(lines)} times")
    return "the subscription's dead letter, redriven: logged once"


def foreign(drive: Drive) -> str:
    """Publish what no counter of ours publishes, while the logger may not reject anything."""
    sqs = drive.target.client("sqs")
    url = drive.speaker.outputs["RejectsQueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn = found["Attributes"]["QueueArn"]
    drive.while_broken.enter_context(
        breaking.denied(drive.target, STACK, "Logger", "sqs:SendMessage", on=arn)
    )
    drive.target.client("sns").publish(TopicArn=drive.speaker.outputs["TopicArn"], Message=_FOREIGN)
    rejected = _rejected(drive, 1)
    sources = [each.attribute("source") for each in rejected]
    expect(len(rejected) == 1, f"it was rejected by {sources}")
    failures.release(drive.target, rejected)
    return f"rejected by {sources[0].partition('Function')[0]}: {rejected[0].cause}"


def foreign_at_last(drive: Drive) -> str:
    """Redrive what the logger was given up on, now that it may reject again."""
    given_up = _deliveries(drive, 1, of_logger=True)
    expect(len(given_up) == 1, f"{len(given_up)} events of the logger were given up")
    drive.while_broken.close()
    _redrive(drive, given_up[0])
    rejected = _rejected(drive, _SUBSCRIBERS)
    causes = {each.cause for each in rejected}
    sources = sorted(each.attribute("source") for each in rejected)
    expect(len(sources) == len(set(sources)) == _SUBSCRIBERS, f"it was rejected by {sources}")
    sqs = drive.target.client("sqs")
    for each in rejected:
        sqs.delete_message(QueueUrl=each.queue.url, ReceiptHandle=each.message["ReceiptHandle"])
    return f"given up by the logger and redriven; by both: {', '.join(causes)}"


def _rejected(drive: Drive, number: int) -> list[Failure]:
    return wait_for_failures(
        drive.target, STACK, failures.Kind.REJECTS, lambda found: len(found) >= number
    )


def _redrive(drive: Drive, failure: Failure) -> None:
    redriven = failures.redrive(drive.target, failure)
    expect(redriven.result is failures.Result.DONE, f"{redriven.result} {redriven.detail}")


def _deliveries(
    drive: Drive, number: int, type: str = "", *, of_logger: bool = False
) -> list[Failure]:
    """Return what is given up, of records or of notifications; what is not is left."""
    logger = drive.speaker.outputs["LoggerName"]

    def of_type(found: list[Failure]) -> list[Failure]:
        return [
            each
            for each in found
            if each.body.get("Type", "") == type
            and (type or (logger in each.queue.functions) == of_logger)
        ]

    found = wait_for_failures(
        drive.target,
        STACK,
        failures.Kind.DELIVERIES,
        lambda found: len(of_type(found)) >= number,
    )
    wanted = of_type(found)
    failures.release(drive.target, [each for each in found if each not in wanted])
    return wanted

"""Breaks the intake and the consumer and checks that nothing is lost or counted twice."""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

from odyssey_cli import breaking, failures
from odyssey_cli.demo.checks import expect
from odyssey_cli.demo.waiting import wait_for_failures
from odyssey_cli.flows.ingest import CONSUMER, STACK
from odyssey_cli.flows.ingest.generate import SQS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from odyssey_cli.cloud import Cloud
    from odyssey_cli.demo.ingest_drive import Drive
    from odyssey_cli.failures import Failure, Kind
    from odyssey_cli.flows.ingest.events import Event

_WRITE, _PUT = "DynamoDB_20120810.TransactWriteItems", "AWSEvents.PutEvents"
# How many calls of storer, emitter and responder fail, and how probable it is for each.
_STORER, _EMITTER, _RESPONDER, _CHANCE = 15, 15, 5, 0.2
_ALWAYS = 1_000
_TROUBLED = 10
_NO_EVENT = "no event"


def break_at_random(drive: Drive) -> None:
    """Let calls of the three functions fail until enough have."""
    for function, times in _at_random(drive).items():
        target, containing = function
        breaking.fail_requests(
            _cloud(drive),
            target,
            containing=containing,
            times=times,
            code="InternalServerError",
            chance=_CHANCE,
        )


def failures_so_far(drive: Drive) -> str:
    """Say how many calls have failed, some of each function's; no more of them will."""
    left = {
        (fault["target"], fault["containing"]): fault["times"]
        for fault in breaking.faults(_cloud(drive))
    }
    planned = _at_random(drive)
    for target, containing in planned:
        breaking.disarm(_cloud(drive), target, containing=containing)
    failed = [times - left.get(function, 0) for function, times in planned.items()]
    expect(all(failed), f"calls of storer, emitter and responder that failed: {failed}")
    return f"{sum(failed)} calls failed ({', '.join(map(str, failed))})"


def hold_back_first(drive: Drive, events: Sequence[Event]) -> None:
    """Let the storer fail on one event, which is not sent yet, until its queue gives it up."""
    drive.held_back = events[0].id
    breaking.fail_requests(
        _cloud(drive),
        _WRITE,
        containing=drive.held_back,
        # A client that is slow to get its answer asks again.
        times=_ALWAYS,
        code="InternalServerError",
    )


def redrive_held_back(drive: Drive) -> None:
    """Wait until the event is given up, and bring it back with what was given up beside it."""
    given_up = _wait(drive, STACK, failures.Kind.DEAD_LETTERS, 1)
    ids = {each.body["id"] for each in given_up}
    expect(drive.held_back in ids, f"{len(ids)} other events were given up")
    breaking.disarm(_cloud(drive), _WRITE, containing=drive.held_back)
    _redrive(drive, given_up)


def unusable(drive: Drive) -> str:
    """Put something that is no event before each of the three functions."""
    sqs, dynamodb = drive.target.client("sqs"), drive.target.client("dynamodb")
    item = {"entity": {"S": "order/none"}, "at": {"S": "no time"}}
    sqs.send_message(
        QueueUrl=drive.intake["EventsQueueUrl"],
        MessageBody=_NO_EVENT,
        MessageGroupId="demo",
        MessageDeduplicationId=uuid.uuid4().hex,
    )
    dynamodb.put_item(TableName=drive.intake["EventsTable"], Item=item)
    sqs.send_message(QueueUrl=drive.consumer["EventsQueueUrl"], MessageBody=_NO_EVENT)
    causes = []
    for stack, functions in ((STACK, ("Storer", "Emitter")), (CONSUMER, ("Responder",))):
        sources = tuple(f"{stack}-{function}" for function in functions)
        rejected = _rejected_by(drive, stack, sources)
        expect(len(rejected) == len(sources), f"{len(rejected)} are rejected by {sources}")
        causes += [each.cause for each in rejected]
        for each in rejected:
            receipt = each.message["ReceiptHandle"]
            sqs.delete_message(QueueUrl=each.queue.url, ReceiptHandle=receipt)
    # An item that is no event would be missed at the end.
    dynamodb.delete_item(TableName=drive.intake["EventsTable"], Key=item)
    return "; ".join(causes)


def bus_trouble(drive: Drive) -> str:
    """Send events that can first not be put on the bus, and then not be delivered."""
    sqs = drive.target.client("sqs")
    # GIVEN an emitter that may not put events, WHEN events come
    with breaking.denied(drive.target, STACK, "Emitter", "events:PutEvents"):
        drive.generate(SQS, _TROUBLED, seed=3)
        given_up = wait_for_failures(
            drive.target,
            STACK,
            failures.Kind.POINTERS,
            lambda found: _records(found) >= _TROUBLED,
        )
    # THEN the stream's consumer gives them up; WHEN they are redriven into a bus that may not
    # send to the consumer's queue
    batches = len(given_up)
    with _closed(drive):
        _redrive(drive, given_up)
        undelivered = _wait(drive, CONSUMER, failures.Kind.DEAD_LETTERS, _TROUBLED)
    causes = {each.attribute("ERROR_CODE") for each in undelivered}
    # THEN all are in the rule's dead-letter queue, and redriven they count once
    _redrive(drive, undelivered)
    drive.settled()
    waiting = sum(
        int(
            sqs.get_queue_attributes(
                QueueUrl=queue.url, AttributeNames=["ApproximateNumberOfMessages"]
            )["Attributes"]["ApproximateNumberOfMessages"]
        )
        for stack in (STACK, CONSUMER)
        for queue in failures.discover(drive.target, stack)
        if queue.kind is not failures.Kind.REJECTS
    )
    expect(waiting == 0, f"{waiting} failures are left")
    return f"{_TROUBLED} events in {batches} batches, then undelivered: {', '.join(causes)}"


def deliveries(drive: Drive) -> int:
    """Return how many events the responder has had, repeated ones too."""
    resources = drive.target.client("cloudformation").describe_stack_resources(StackName=CONSUMER)
    [group] = [
        each["PhysicalResourceId"]
        for each in resources["StackResources"]
        if each["LogicalResourceId"].startswith("ResponderLogs")
    ]
    pages = (
        drive.target.client("logs")
        .get_paginator("filter_log_events")
        .paginate(logGroupName=group, filterPattern='"responded"')
    )
    counts = [json.loads(event["message"])["counts"] for page in pages for event in page["events"]]
    return sum(each["EventsCounted"] + each["EventsAlreadyCounted"] for each in counts)


@contextmanager
def _closed(drive: Drive) -> Iterator[None]:
    """Take the bus's permission to send to the consumer's queue away while the block runs."""
    sqs, url = drive.target.client("sqs"), drive.consumer["EventsQueueUrl"]
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"][
        "Policy"
    ]
    document = json.loads(policy)
    document["Statement"] = [each for each in document["Statement"] if each["Effect"] != "Allow"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(document)})
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


def _at_random(drive: Drive) -> dict[tuple[str, str], int]:
    return {
        (_WRITE, drive.intake["EventsTable"]): _STORER,
        (_PUT, drive.intake["BusName"]): _EMITTER,
        (_WRITE, drive.consumer["MarkersTable"]): _RESPONDER,
    }


def _cloud(drive: Drive) -> Cloud:
    assert drive.target.local is not None  # noqa: S101 - the demo runs nowhere else
    return drive.target.local


def _wait(drive: Drive, stack: str, kind: Kind, number: int) -> list[Failure]:
    found = wait_for_failures(drive.target, stack, kind, lambda found: len(found) >= number)
    expect(len(found) >= number, f"{len(found)} {kind} wait in {stack}")
    return found


def _rejected_by(drive: Drive, stack: str, sources: tuple[str, ...]) -> list[Failure]:
    """Return what functions have rejected, who are named by how their names begin."""

    def theirs(found: list[Failure]) -> list[Failure]:
        return [each for each in found if each.attribute("source").startswith(sources)]

    found = wait_for_failures(
        drive.target,
        stack,
        failures.Kind.REJECTS,
        lambda found: len(theirs(found)) >= len(sources),
    )
    wanted = theirs(found)
    failures.release(drive.target, [each for each in found if each not in wanted])
    return wanted


def _redrive(drive: Drive, found: list[Failure]) -> None:
    for each in found:
        redriven = failures.redrive(drive.target, each)
        expect(redriven.result is failures.Result.DONE, f"{redriven.result} {redriven.detail}")


def _records(pointers: list[Failure]) -> int:
    return sum(int(failures.batch_info(each.body)["batchSize"]) for each in pointers)

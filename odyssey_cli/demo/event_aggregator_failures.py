"""Breaks the event aggregator and checks that nothing is lost, counted twice or in the way."""

from __future__ import annotations

import json
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING

from odyssey_cli import breaking, failures, load
from odyssey_cli.demo.checks import expect
from odyssey_cli.demo.waiting import wait_for_failures, waiting
from odyssey_cli.flows.event_aggregator import STACK, EventAggregator, sample

if TYPE_CHECKING:
    from odyssey_cli.target import Target

_GOOD, _IMPOSSIBLE, _FLAKY, _BROKEN = 200, 5, 10, 40
_FAILURES = 3


def bad_records(aggregator: EventAggregator, target: Target) -> str:
    """Send good events among records that never, and some that only at last, can be counted."""
    before = aggregator.total()
    # GIVEN events whose transactions fail three times: all of this group's, wherever they are
    flaky = json.dumps({"flaky": uuid.uuid4().hex}).encode()
    group = aggregator.group_of(flaky)
    assert target.local is not None  # noqa: S101 - the demo runs nowhere else
    breaking.fail_requests(
        target.local,
        "DynamoDB_20120810.TransactWriteItems",
        containing=group,
        times=_FAILURES,
        code="ItemCollectionSizeLimitExceededException",
    )
    # WHEN they come among good ones, and beside items that no producer has written
    report = load.run(
        lambda n: aggregator.trigger(flaky if n % 21 == 0 else sample(n, run="bad records")),
        expected=HTTPStatus.ACCEPTED,
        concurrency=4,
        requests=_GOOD + _FLAKY,
    )
    expect(not report.failed, f"{report.failed} requests failed")
    impossible = _put_impossible(aggregator, target)

    # THEN good and flaky ones count once, and the impossible ones are put aside with the cause
    reached = aggregator.wait_for(before + _GOOD + _FLAKY)
    expect(reached - before == _GOOD + _FLAKY, f"{reached - before} events were counted")
    left = breaking.faults_left(target.local, {group})
    expect(left == 0, f"{left} of {_FAILURES} failures did not happen")
    rejected = wait_for_failures(
        target, STACK, failures.Kind.REJECTS, lambda found: len(found) >= _IMPOSSIBLE
    )
    ids = {each.body["dynamodb"]["NewImage"]["id"]["S"] for each in rejected}
    expect(len(rejected) == _IMPOSSIBLE, f"{len(rejected)} records were rejected")
    expect(ids == impossible, "other records than the impossible ones were rejected")
    causes = {each.cause for each in rejected}
    expect(causes == {"The item has no text 'group'."}, f"the causes are {causes}")
    _remove(aggregator, target, rejected)
    return (
        f"{_GOOD} good and {_FLAKY} that failed {_FAILURES} times count once; "
        f"{_IMPOSSIBLE} impossible ones rejected: {causes.pop()}"
    )


def broken_for_a_while(aggregator: EventAggregator, target: Target) -> str:
    """Take a permission away until batches are given up, give it back, and redrive."""
    before = aggregator.total()
    # GIVEN an aggregator that may not write markers, WHEN events come
    with breaking.denied(target, STACK, "Aggregator", "dynamodb:PutItem"):
        report = load.run(
            lambda n: aggregator.trigger(sample(n, run="broken")),
            expected=HTTPStatus.ACCEPTED,
            concurrency=4,
            requests=_BROKEN,
        )
        expect(report.accepted == _BROKEN, f"only {report.accepted} events were accepted")
        given_up = wait_for_failures(
            target, STACK, failures.Kind.POINTERS, lambda found: _records(found) >= _BROKEN
        )
        failures.release(target, given_up)
        expect(aggregator.total() == before, "events were counted without a marker")

    # THEN all of them are given up, none is lost, and redriving twice counts each once
    expect(_records(given_up) >= _BROKEN, f"only {_records(given_up)} records were given up")
    for expected_messages in (len(given_up), 0):
        due = waiting(target, STACK, failures.Kind.POINTERS)
        expect(len(due) == expected_messages, f"{len(due)} batches were waiting")
        for each in due:
            redriven = failures.redrive(target, each)
            expect(redriven.result is failures.Result.DONE, f"{redriven.result} {redriven.detail}")
        reached = aggregator.total()
        expect(reached == before + _BROKEN, f"{reached - before} events are counted")
    return f"{_BROKEN} events in {len(given_up)} batches given up; redriven twice, counted once"


def _put_impossible(aggregator: EventAggregator, target: Target) -> set[str]:
    dynamodb = target.client("dynamodb")
    ids = {str(uuid.uuid4()) for _ in range(_IMPOSSIBLE)}
    for each in ids:
        dynamodb.put_item(
            TableName=aggregator.outputs["EventsTable"],
            Item={"id": {"S": each}, "received_at": {"S": "2026-11-21T00:00:00.000000Z"}},
        )
    return ids


def _remove(aggregator: EventAggregator, target: Target, rejected: list[failures.Failure]) -> None:
    """Undo what was put into the table and the queue, so that a recount agrees again."""
    for each in rejected:
        target.client("dynamodb").delete_item(
            TableName=aggregator.outputs["EventsTable"],
            Key=each.body["dynamodb"]["Keys"],
        )
        target.client("sqs").delete_message(
            QueueUrl=each.queue.url, ReceiptHandle=each.message["ReceiptHandle"]
        )


def _records(pointers: list[failures.Failure]) -> int:
    return sum(int(failures.batch_info(each.body)["batchSize"]) for each in pointers)

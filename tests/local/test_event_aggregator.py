"""The event aggregator on a local cloud, with IAM enforced: what happens when something breaks.

What it does when nothing breaks is what the demo verifies (test_demo.py).
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from odyssey_cli import failures, load
from odyssey_cli.breaking import denied
from odyssey_cli.flows.event_aggregator import STACK, EventAggregator, Summary, sample

if TYPE_CHECKING:
    from odyssey_cli.target import Target

ACCEPTED = 202


@pytest.fixture
def aggregator(deployed: Target) -> EventAggregator:
    made = EventAggregator(deployed)
    # What an earlier test sent may still be on its way.
    stored, _ = made.differences()
    assert made.wait_for(stored) == stored
    return made


def test_events_sent_while_the_aggregator_is_broken_count_once_when_it_is_mended(
    deployed: Target, aggregator: EventAggregator
) -> None:
    # GIVEN an aggregator that may not write markers
    before = aggregator.total()
    with denied(deployed, STACK, "Aggregator", "dynamodb:PutItem"):
        # WHEN events arrive
        report = load.run(
            lambda n: aggregator.trigger(sample(n, broken=True)),
            expected=ACCEPTED,
            concurrency=4,
            requests=40,
        )
        time.sleep(1)

        # THEN they are accepted and none is counted
        assert (report.accepted, report.failed) == (40, 0)
        assert aggregator.total() == before

    # WHEN it is mended, and what was given up meanwhile is redriven until nothing is left
    def counted() -> int:
        for queue in failures.discover(deployed, STACK):
            for redriven in failures.redrive_all(deployed, queue):
                assert redriven.result is failures.Result.DONE, redriven.detail
        return aggregator.total()

    # THEN each counts once
    assert aggregator.wait_for(before + 40, count=counted) == before + 40
    assert aggregator.differences()[1] == []


def test_a_producer_that_cannot_store_answers_a_problem_and_load_reports_it(
    deployed: Target, aggregator: EventAggregator
) -> None:
    # GIVEN a producer that may not store
    before = aggregator.total()
    with denied(deployed, STACK, "Producer", "dynamodb:PutItem"):
        # WHEN events are sent
        answer = aggregator.trigger(b'{"a":1}')
        report = load.run(
            lambda n: aggregator.trigger(sample(n)), expected=ACCEPTED, concurrency=2, requests=6
        )

    # THEN the sender is told, and nothing counts
    assert (answer.status, answer.content_type) == (502, "application/problem+json")
    assert (report.accepted, dict(report.failures)) == (0, {"status 502": 6})
    assert aggregator.total() == before


def test_verify_sees_a_summary_that_was_tampered_with(
    deployed: Target, aggregator: EventAggregator
) -> None:
    # GIVEN a group that counts one event
    before = aggregator.total()
    aggregator.trigger(b'{"tampered":"with"}')
    aggregator.wait_for(before + 1)
    [summary] = [s for s in aggregator.summaries() if s["group"] == '{"tampered":"with"}']

    def set_count(count: int) -> None:
        deployed.client("dynamodb").update_item(
            TableName=aggregator.outputs["SummariesTable"],
            Key={"id": {"S": summary["id"]}},
            UpdateExpression="SET item_count = :n",
            ExpressionAttributeValues={":n": {"N": str(count)}},
        )

    # WHEN its count is changed
    set_count(2)
    events, differences = aggregator.differences()
    set_count(1)
    [difference] = differences

    # THEN the recount names the group and both counts
    assert events == before + 1
    assert difference.group == summary["id"]
    assert difference.events == Summary(1, summary["first_seen"], summary["last_seen"])
    assert difference.summary == Summary(2, summary["first_seen"], summary["last_seen"])


def test_ten_thousand_bytes_of_text_come_back_byte_for_byte(aggregator: EventAggregator) -> None:
    # GIVEN a text with everything that encodings stumble over
    text = "Åsa café 😀 R&D C# 1+1 50% a;b %41 \u0000 \u2028 " * 100

    # WHEN it is sent twice under one key
    body = json.dumps({"text": text}, ensure_ascii=False).encode()
    first = aggregator.trigger(body, idempotency_key="bytes")
    second = aggregator.trigger(json.dumps({"text": text}).encode(), idempotency_key="bytes")

    # THEN escaped and not escaped are the same event
    assert first.status == ACCEPTED
    assert second.body == first.body

"""The benchmark's figures of Discovery, and of what waits on queues all month."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from bench import discovery, idle
from bench.discovery_load import Counted, Counts, Job, feed
from bench.meter import Meter
from bench.prices import PRICES
from bench.template import Template
from discovery import settings
from shared import clients

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of the updater, in GB.
MEMORY = 0.5


@pytest.fixture
def updater_s_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have this process be like new for the updater, before and after."""
    cached = (settings.updater, clients.dynamodb, clients.sqs)
    for name in ("ITEMS_TABLE", "UPDATED_QUEUE", "REJECTS_QUEUE"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for each in cached:
        each.cache_clear()
    with mock_aws():
        yield
    for each in cached:
        each.cache_clear()


@pytest.mark.usefixtures("updater_s_process")
def test_every_call_of_script_updater_and_listener_is_counted() -> None:
    # WHEN five items in two batches go through the three, then one alone
    full, alone = feed(Job(environment={}, loads=[[3, 2], [1]]), io.StringIO())

    # THEN announcements, receives, reads and deletes are one per batch, the others one per item
    assert full.submit.calls == {"PutItem": 5, "PutObject": 5, "SendMessageBatch": 2}
    assert full.updater.calls == {"UpdateItem": 5, "SendMessageBatch": 2}
    assert full.listener.calls == {
        "ReceiveMessage": 2,
        "BatchGetItem": 2,
        "GetObject": 5,
        "DeleteMessageBatch": 2,
    }
    assert alone.updater.calls == {"UpdateItem": 1, "SendMessageBatch": 1}
    # AND an item below 1 KB is a unit each time it is written or read
    units = [(each.write_units, each.read_units) for each in vars(full).values()]
    assert units == [(5, 0), (5, 0), (0, 5)]
    assert full.submit.object_bytes > 5 * 100
    assert full.updater.invocations == 2
    assert full.listener.empty_receives == 0


def counted(items: int = 10) -> Counted:
    """Counts of so many items in full batches of ten."""
    batches = items // 10
    return Counted(
        submit=Counts(
            items,
            calls={"PutItem": items, "PutObject": items, "SendMessageBatch": batches},
            write_units=items,
            item_bytes=300 * items,
            object_bytes=160 * items,
        ),
        updater=Counts(
            items,
            invocations=batches,
            calls={"UpdateItem": items, "SendMessageBatch": batches},
            write_units=items,
            log_bytes=1_400 * batches,
            metrics=["ItemsUpdated"],
        ),
        listener=Counts(
            items,
            calls={
                "ReceiveMessage": batches,
                "BatchGetItem": batches,
                "GetObject": items,
                "DeleteMessageBatch": batches,
            },
            read_units=items,
        ),
    )


def test_every_request_and_every_unit_of_an_item_is_billed() -> None:
    usage = discovery.usage(counted(), 1_000_000, memory=MEMORY)

    # A send twice, and twice a receive and a delete, Lambda's own among them, for each batch.
    assert usage.units["queue"] == 600_000
    assert usage.units["s3_put"] == usage.units["s3_get"] == 1_000_000
    assert usage.units["write"] == 2_000_000
    assert usage.units["read"] == 1_000_000
    assert usage.units["lambda"] == usage.units["trace"] == 100_000
    assert usage.units["s3_stored"] == 160_000_000
    assert usage.units["stored"] == (300 + 100) * 1_000_000
    # Eleven calls of 10 ms, ten records of 0.2 ms, a hundredth of a cold start; half a GB.
    assert usage.units["compute"] == pytest.approx(100_000 * (0.11 + 0.002 + 0.008) * MEMORY)


def test_requests_cost_what_the_price_table_says() -> None:
    lines = discovery.usage(counted(), 1_000_000, memory=MEMORY).lines()

    assert lines["queue"] == pytest.approx(0.24)
    assert lines["s3_put"] == pytest.approx(5.00)
    assert lines["s3_get"] == pytest.approx(0.40)
    assert lines["s3_stored"] == pytest.approx(0.16 * 0.023)


def test_one_call_more_an_item_costs_more() -> None:
    more = counted()
    more.listener.calls["GetObject"] += 10

    added = (
        discovery.usage(more, 1_000_000, memory=MEMORY).usd()
        - discovery.usage(counted(), 1_000_000, memory=MEMORY).usd()
    )

    assert added == pytest.approx(0.40)


def test_a_call_without_a_price_is_an_error() -> None:
    more = counted()
    more.submit.calls["HeadObject"] = 10

    with pytest.raises(LookupError, match="No price is known for HeadObject"):
        discovery.usage(more, 1_000, memory=MEMORY)


def test_an_item_costs_the_same_whatever_their_number() -> None:
    measured = discovery.Measured(counted(100), counted(10), MEMORY)

    found = {row.row: row.figure for row in discovery.cost_rows(measured)}

    assert found["cost of 100,000 items"] == pytest.approx(100 * found["cost of 1,000 items"])  # type: ignore[operator]


def test_shares_are_of_services_and_add_up() -> None:
    shares = discovery.usage(counted(), 1_000, memory=MEMORY).shares()

    assert next(iter(shares)) == "S3"
    assert set(shares) == {"S3", "DynamoDB", "SQS", "Lambda", "CloudWatch", "X-Ray"}
    assert sum(shares.values()) == pytest.approx(1)


def test_calls_are_held_against_their_budgets_per_thousand_items() -> None:
    found = list(discovery.call_rows(discovery.Measured(counted(), counted(), MEMORY)))

    assert [(row.figure, row.budget, row.ok) for row in found] == [
        (2_100, 2_100, True),
        (1_100, 1_200, True),
        (1_300, 1_350, True),
    ]


def test_one_call_more_an_item_misses_every_budget() -> None:
    more = counted()
    for each in vars(more).values():
        each.calls["HeadObject"] = 10

    found = list(discovery.call_rows(discovery.Measured(more, more, MEMORY)))

    assert [row.ok for row in found] == [False, False, False]


def test_receives_that_return_nothing_are_counted_apart() -> None:
    # GIVEN an empty queue, and one with a message
    with mock_aws():
        meter = Meter()
        session = boto3.Session("test", "test", region_name="us-east-1")
        meter.attach(session.events)
        sqs = session.client("sqs")
        url = sqs.create_queue(QueueName="q")["QueueUrl"]

        # WHEN both are asked
        sqs.receive_message(QueueUrl=url, WaitTimeSeconds=0)
        sqs.send_message(QueueUrl=url, MessageBody="m")
        sqs.receive_message(QueueUrl=url, WaitTimeSeconds=0)

    # THEN one of two returned nothing
    counts = Counts(items=1)
    counts.take(meter.tally)
    assert counts.empty_receives == 1
    assert counts.calls["ReceiveMessage"] == 1


KINDS = {
    "alarm": "AWS::CloudWatch::Alarm",
    "board": "AWS::CloudWatch::Dashboard",
    "queue": "AWS::SQS::Queue",
    "bucket": "AWS::S3::Bucket",
}


def template(name: str = "Stack", mapping: dict | None = None, **types: int) -> Template:  # type: ignore[type-arg]
    resources = {
        f"{kind}{number}": {"Type": KINDS[kind], "Properties": {}}
        for kind, count in types.items()
        for number in range(count)
    }
    if mapping is not None:
        resources["mapping"] = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping}
    return Template(name, resources, {})


def test_an_idle_stack_is_priced_from_its_template_with_and_without_the_free_tier() -> None:
    stack = idle.idle(template(alarm=12, board=1, queue=5, bucket=1))

    assert stack.usd() == pytest.approx(12 * 0.10 + 3)
    assert stack.usd_beyond_free() == pytest.approx(2 * 0.10)


LIMITED = {
    "EventSourceArn": {"Fn::GetAtt": ["queue0", "Arn"]},
    "ScalingConfig": {"MaximumConcurrency": 10},
}


def test_lambda_polls_an_empty_queue_all_month() -> None:
    # Five pollers, three polls of 20 s a minute, 730 hours.
    stack = idle.idle(template(queue=1, mapping=LIMITED))

    assert stack.counts["queue"] == 5 * 3 * 60 * 730
    assert stack.usd() == pytest.approx(0.657 * PRICES["queue"].usd)
    assert stack.usd_beyond_free() == 0


def test_without_a_maximum_concurrency_lambda_polls_with_two() -> None:
    mapping = {"EventSourceArn": LIMITED["EventSourceArn"]}

    assert idle.idle(template(queue=1, mapping=mapping)).counts["queue"] == 2 * 3 * 60 * 730


def test_polls_of_a_stream_are_not_polls_of_a_queue() -> None:
    stream = {"EventSourceArn": {"Fn::GetAtt": ["table", "StreamArn"]}}

    assert idle.idle(template(queue=1, mapping=stream)).counts["queue"] == 0


def test_a_listener_waits_too() -> None:
    stack = idle.idle(template(queue=1, mapping=LIMITED), listeners=1)

    assert stack.counts["queue"] == 6 * 3 * 60 * 730


def test_stacks_in_one_account_share_its_free_tier() -> None:
    # GIVEN two stacks, each within the free tier
    stacks = [template("A", alarm=7, board=1), template("B", alarm=7, board=1)]

    # WHEN both are priced
    found = {row.row: row.figure for row in idle.rows({"dev": stacks})}

    # THEN together they are beyond it
    assert found["a month idle, A in dev"] == found["a month idle, B in dev"] == 0
    assert found["a month idle, all stacks in dev"] == pytest.approx(4 * 0.10)

"""The benchmark's cost of the intake and its consumer, and of queues that are FIFO."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench import cost, idle, ingest_cost
from bench.idle import Idle
from bench.prices import PRICES
from bench.template import Template
from tests.unit.test_bench_ingest import load, measured

MILLION = 1_000_000


def test_every_request_and_every_unit_of_the_intake_is_billed() -> None:
    units = ingest_cost.ingest_usage(load(), measured(), events=MILLION).units

    # A hundred and one sends, and for each batch of ten a receive and a delete.
    assert units["fifo_queue"] == (101 + 2 * 100) * 1_000
    assert units["firehose"] == 5_120 * MILLION
    assert units["bus"] == MILLION
    assert units["archive"] == 450 * MILLION
    assert units["archived"] == pytest.approx(450 * MILLION * 7 / 30)
    assert units["s3_put"] == 1_000
    assert units["s3_stored"] == 40 * MILLION
    assert units["write"] == 2 * MILLION
    assert units["stored"] == (100 + 100) * MILLION
    assert units["lambda"] == units["trace"] == 103 * 1_000
    assert units["logs"] == (500 + cost.PLATFORM_LOG_BYTES) * 103 * 1_000
    # A hundred transactions of 50 ms, 201 calls of 10 ms, three times 0.2 ms a record, and a
    # hundredth of a cold start for each of 103 batches; half a GB.
    seconds = 100 * 0.05 + 201 * 0.01 + 3 * 1_000 * 0.0002 + 103 * 0.008
    assert units["compute"] == pytest.approx(seconds * 1_000 * 0.5)


def test_every_request_and_every_unit_of_the_consumer_is_billed() -> None:
    units = ingest_cost.consumer_usage(load(), measured(), events=MILLION).units

    # A send for each event; for each batch of a hundred ten receives and ten deletes.
    assert units["queue"] == MILLION + 20 * 10 * 1_000
    assert units["write"] == 2_960 * 1_000
    assert units["lambda"] == 10_000
    # Markers for 45 of a month's 30 days, states and totals for one month.
    assert units["stored"] == pytest.approx(((100 + 100) * 1.5 + 2 * 100) * MILLION)


def test_requests_cost_what_the_price_table_says() -> None:
    lines = ingest_cost.both(load(), measured(), events=MILLION).lines()

    assert lines["fifo_queue"] == pytest.approx(0.301 * 0.50)
    assert lines["queue"] == pytest.approx(1.2 * 0.40)
    assert lines["bus"] == pytest.approx(1.00)
    assert lines["firehose"] == pytest.approx(5.12 * 0.029)
    assert lines["write"] == pytest.approx(4.96 * 0.625)


def test_both_stacks_together_cost_what_they_cost_apart() -> None:
    apart = [
        of(load(), measured(), events=MILLION).usd()
        for of in (ingest_cost.ingest_usage, ingest_cost.consumer_usage)
    ]

    assert ingest_cost.both(load(), measured(), events=MILLION).usd() == pytest.approx(sum(apart))


def test_a_call_without_a_price_is_an_error() -> None:
    more = load()
    more.emitter.calls["SendMessageBatch"] = 1

    with pytest.raises(LookupError, match="No price is known for SendMessageBatch"):
        ingest_cost.ingest_usage(more, measured(), events=1)


def test_an_event_costs_the_same_whatever_their_number() -> None:
    [row, *_] = ingest_cost.cost_rows(measured())

    assert row.figure == pytest.approx(1)
    assert row.ok is True


def test_a_load_that_grows_faster_than_its_events_misses_the_budget() -> None:
    large = load(10_000)
    large.storer.writes["events"] *= 2

    [row, *_] = ingest_cost.cost_rows(measured(loads={1_000: load(), 10_000: large}))

    assert row.ok is False


def test_what_is_written_is_told_apart_by_what_it_is_for() -> None:
    rows = {row.row: row for row in ingest_cost.cost_rows(measured())}

    row = rows["write units per ingested event"]
    assert row.figure == pytest.approx(4.96)
    assert row.measured == "2.00 stored, 2.00 markers, 0.96 states and totals"


def test_options_are_priced_by_bytes_and_objects() -> None:
    rows = {row.row: row.figure for row in ingest_cost.cost_rows(measured())}

    # 400 MB of lines, and an object of each of four types a minute for 10,000 seconds.
    objects = 4 * 10_000 / 60
    assert rows["dynamic partitioning, added to a million ingested events"] == pytest.approx(
        0.4 * 0.020 + objects * 0.005e-3 + (objects - 1_000) * 0.005e-3
    )
    # 40 MB in a thousand objects.
    assert rows["replication, added to a million ingested events"] == pytest.approx(
        0.04 * 0.02 + 0.005 + 0.04 * 0.023
    )


def test_batches_that_are_not_full_cost_more() -> None:
    full = load()
    alone = replace(full, storer=replace(full.storer, invocations=1_000))

    assert (
        ingest_cost.ingest_usage(alone, measured(), events=MILLION).units["fifo_queue"]
        == (101 + 2_000) * 1_000
    )


def polled(*, fifo: bool) -> Template:
    queue = {"FifoQueue": True} if fifo else {}
    mapping = {
        "EventSourceArn": {"Fn::GetAtt": ["queue", "Arn"]},
        "ScalingConfig": {"MaximumConcurrency": 10},
    }
    return Template(
        "Stack",
        {
            "queue": {"Type": "AWS::SQS::Queue", "Properties": queue},
            "mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping},
        },
        {},
    )


def test_polls_of_a_fifo_queue_have_their_own_price() -> None:
    stack = idle.idle(polled(fifo=True))

    assert stack.counts["fifo_queue"] == 657_000
    assert stack.counts["queue"] == 0
    assert stack.usd() == pytest.approx(0.657 * PRICES["fifo_queue"].usd)
    assert stack.usd_beyond_free() == 0


def test_both_kinds_of_queues_share_the_free_requests() -> None:
    both = idle.idle(polled(fifo=True)) + idle.idle(polled(fifo=False))
    many = Idle("many", {"queue": 1_200_000, "fifo_queue": 1_000}, {})

    assert both.usd_beyond_free() == pytest.approx(0.314 * PRICES["fifo_queue"].usd)
    assert many.usd_beyond_free() == pytest.approx(0.2 * 0.40 + 0.001 * 0.50)

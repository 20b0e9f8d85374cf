"""What the benchmark counts of the intake and its consumer."""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import json
import logging
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from bench import ingest, ingest_load
from bench.dynamodb import CountingDynamoDB
from bench.ingest_load import Fed, Job, Lake, Load, feed
from bench.load import Counts
from bench.template import Template
from consumer import settings as consumer_settings
from ingest import settings as ingest_settings
from shared import clients

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVIRONMENTS = {
    ingest_load.TRANSFORMER: {"EVENTS_QUEUE": "https://queue", "PARTITIONED": "false"},
    ingest_load.STORER: {"EVENTS_TABLE": "events", "EVENT_TTL_DAYS": "0"},
    ingest_load.EMITTER: {"BUS": "bus"},
    ingest_load.RESPONDER: {
        "MARKERS_TABLE": "markers",
        "TOTALS_TABLE": "totals",
        "ENTITIES_TABLE": "entities",
    },
}
TABLES = ("events", "markers", "totals", "entities")
KIB = 1024


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What functions print, in a process that is like new for them, before and after."""
    cached = [
        each
        for module in (ingest_settings, consumer_settings, clients)
        for each in vars(module).values()
        if hasattr(each, "cache_clear")
    ]
    stream = io.StringIO()
    for name in ENVIRONMENTS:
        # Each keeps the standard output with which it was made.
        handler = importlib.import_module(name).logger.registered_handler
        assert isinstance(handler, logging.StreamHandler)
        monkeypatch.setattr(handler, "stream", stream)
    for name in {name for each in ENVIRONMENTS.values() for name in each} | {"REJECTS_QUEUE"}:
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for each in cached:
        each.cache_clear()
    yield stream
    for each in cached:
        each.cache_clear()


def job(*loads: Load, object_buffer: int = 1024 * KIB) -> Job:
    return Job(
        environments={
            name: each | {"REJECTS_QUEUE": "https://rejects"} for name, each in ENVIRONMENTS.items()
        },
        indexes=dict.fromkeys(TABLES, 0),
        keys={name: ["id"] for name in TABLES} | {"events": ["entity", "at"]},
        batch_sizes={
            ingest_load.STORER: 10,
            ingest_load.EMITTER: 1_000,
            ingest_load.RESPONDER: 100,
        },
        function_buffer=20 * KIB,
        object_buffer=object_buffer,
        loads=loads,
    )


def fed(job: Job, printed: io.StringIO) -> list[Fed]:
    with contextlib.redirect_stdout(printed):
        return feed(job, printed)


def calls(counts: Counts) -> dict[str, int]:
    return dict(counts.calls)


def test_every_call_from_record_to_total_is_counted(printed: io.StringIO) -> None:
    # WHEN 205 events go all the way
    [found] = fed(job(Load(205)), printed)

    # THEN storer and emitter ask once for ten events, the emitter whatever batch they are of
    assert calls(found.storer) == {"TransactWriteItems": 21}
    assert found.storer.invocations == 21
    assert calls(found.emitter) == {"PutEvents": 21}
    assert found.emitter.invocations == 1
    # AND the transformer too, but for a rest in each of its batches
    sends = found.transformer.calls["SendMessageBatch"]
    assert 21 <= sends < 21 + found.transformer.invocations
    assert found.transformer.invocations == -(-found.lake.put // (20 * KIB))
    # AND the responder reads and writes a hundred at once
    assert found.responder.invocations == found.responder.calls["BatchGetItem"] == 3
    # AND an event below 1 KB is two units, as is its marker
    assert found.storer.writes == {"events": 2 * 205}
    assert found.responder.writes["markers"] == 2 * 205
    assert "EventsStored" in found.storer.metrics


def test_events_one_at_a_time_are_alone_in_every_batch_and_object(printed: io.StringIO) -> None:
    [found] = fed(job(Load(4, together=False)), printed)

    each = [getattr(found, name) for name in ingest.FUNCTIONS]
    assert [counts.invocations for counts in each] == [4, 4, 4, 4]
    assert found.lake.objects == 4
    assert calls(found.responder) == {"BatchGetItem": 4, "TransactWriteItems": 4}


def test_a_hundred_different_entities_take_three_transactions(printed: io.StringIO) -> None:
    # WHEN a batch is all of different entities, and another all of one of each type
    different, same = fed(job(Load(100, entities=0), Load(100, entities=1)), printed)

    # THEN a hundred markers, a hundred states and the totals are in three transactions
    assert calls(different.responder) == {"BatchGetItem": 1, "TransactWriteItems": 3}
    assert different.responder.writes["entities"] == 2 * 100
    # AND a hundred markers, four states and four totals in two
    assert calls(same.responder) == {"BatchGetItem": 1, "TransactWriteItems": 2}
    assert same.responder.stored["entities"] < different.responder.stored["entities"] / 10


def test_the_lake_is_measured_as_put_as_lines_and_as_objects(printed: io.StringIO) -> None:
    # WHEN objects hold 10 KiB of lines
    [found] = fed(job(Load(100), object_buffer=10 * KIB), printed)

    lake = found.lake
    assert lake.put < lake.lines < 100 * KIB
    assert lake.objects in (-(-lake.lines // (10 * KIB)), -(-lake.lines // (10 * KIB)) + 1)
    assert lake.zipped < lake.put
    # THEN each record is billed as 5 KB
    assert lake.billed == 100 * 5 * KIB
    # AND the bus counts type, source and entity beside the envelope
    assert found.bus_bytes > lake.lines


def test_events_that_do_not_arrive_are_an_error(
    printed: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a queue that loses what it is sent
    answer = ingest_load.CountingCloud.answer

    def lose(self: ingest_load.CountingCloud, model: Any, params: Any, **more: object) -> Any:
        answered = answer(self, model, params, **more)
        self.sent.clear()
        return answered

    monkeypatch.setattr(ingest_load.CountingCloud, "answer", lose)

    with pytest.raises(AssertionError, match=r"12 events were fed, there are .*'store': 0"):
        fed(job(Load(12)), printed)


def test_a_put_that_replaces_an_item_costs_the_larger_and_stores_the_difference() -> None:
    # GIVEN a table with a key of two attributes, and an item of more than 1 KB
    session = boto3.Session("test", "test", region_name="us-east-1")
    table = CountingDynamoDB({"t": 0}, keys={"t": ["a", "b"]})
    table.attach(session.events)
    client = session.client("dynamodb")
    key = {"a": {"S": "1"}, "b": {"S": "2"}}
    client.put_item(TableName="t", Item={**key, "text": {"S": "x" * 1_500}})

    # WHEN a smaller one takes its place, and another comes beside it
    client.put_item(TableName="t", Item=key)
    client.put_item(TableName="t", Item={**key, "b": {"S": "3"}})

    # THEN the first put and the second are two units, the third is one
    assert table.tally.writes["t"] == 2 + 2 + 1
    assert table.tally.stored["t"] == 2 * 4
    assert len(table.tables["t"]) == 2


def test_a_job_survives_its_way_to_the_process_that_does_it() -> None:
    made = job(Load(5, entities=50), Load(3, together=False))

    assert asdict(Job.read(json.loads(json.dumps(asdict(made))))) == json.loads(
        json.dumps(asdict(made))
    )


def load(events: int = 1_000, *, responder_calls: int = 40) -> Fed:
    """Counts of so many events in full batches."""
    thousands = events // 1_000

    def counts(invocations: int, writes: dict[str, float], **calls: int) -> Counts:
        return Counts(
            invocations * thousands,
            events,
            calls={name: number * thousands for name, number in calls.items()},
            writes={table: units * thousands for table, units in writes.items()},
            stored=dict.fromkeys(writes, 100 * events),
            log_bytes=500 * invocations * thousands,
        )

    return Fed(
        events=events,
        lake=Lake(
            put=260 * events,
            billed=5_120 * events,
            lines=400 * events,
            zipped=40 * events,
            objects=thousands,
        ),
        bus_bytes=450 * events,
        transformer=counts(2, {}, SendMessageBatch=101),
        storer=counts(100, {"events": 2_000}, TransactWriteItems=100),
        emitter=counts(1, {}, PutEvents=100),
        responder=counts(
            10,
            {"markers": 2_000, "entities": 800, "totals": 160},
            BatchGetItem=10,
            TransactWriteItems=responder_calls - 10,
        ),
    )


def measured(**changes: Any) -> ingest.Measured:
    made: dict[str, Any] = {
        "loads": {events: load(events) for events in ingest.LOADS},
        "entities": {ingest.WORST: load(), ingest.ENTITIES: load(responder_calls=30)},
        "trickle": load(),
        "batch_sizes": {"storer": 10, "emitter": 1_000, "responder": 100},
        "memory": dict.fromkeys(ingest.FUNCTIONS, 0.5),
        "markers": "markers",
        "archive_days": 7,
    }
    return ingest.Measured(**made | changes)


def test_calls_and_lake_are_held_against_their_budgets() -> None:
    found = list(ingest.call_rows(measured()))

    assert [(row.figure, row.budget, row.ok) for row in found[:4]] == [
        (101, 110, True),
        (100, 110, True),
        (100, 110, True),
        (40, 110, True),
    ]
    assert found[3].other.startswith("30 at 50 entities of each type")
    assert found[4].figure == pytest.approx(40 / 260)
    assert found[4].ok is True


def test_a_responder_with_too_many_calls_in_the_worst_case_misses_its_budget() -> None:
    worst = {ingest.WORST: load(responder_calls=111), ingest.ENTITIES: load()}

    rows = list(ingest.call_rows(measured(entities=worst)))

    assert [row.ok for row in rows] == [True, True, True, False, True]


def test_buffers_are_those_of_the_delivery_stream() -> None:
    stream = {
        "ExtendedS3DestinationConfiguration": {
            "BufferingHints": {"SizeInMBs": 64},
            "ProcessingConfiguration": {
                "Processors": [
                    {
                        "Parameters": [
                            {"ParameterName": "BufferSizeInMBs", "ParameterValue": "0.5"},
                            {"ParameterName": "NumberOfRetries", "ParameterValue": "3"},
                        ]
                    }
                ]
            },
        }
    }
    kind = "AWS::KinesisFirehose::DeliveryStream"

    template = Template("Stack", {"S": {"Type": kind, "Properties": stream}}, {})

    assert ingest.buffers(template) == (512 * KIB, 64 * 1024 * KIB)


def test_batches_by_bytes_have_one_item_at_least() -> None:
    items = [b"x" * size for size in (3, 3, 9, 1)]

    batches = list(ingest_load.by_bytes(items, 6))

    assert batches == [items[:2], items[2:3], items[3:]]
    assert [*itertools.chain(*ingest_load.by_bytes(items, 0))] == items

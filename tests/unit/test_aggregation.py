"""Counting: each event once, whatever is delivered how often, in whatever order and company."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from event_aggregator.aggregation import MARKER_DAYS, Tables, count
from proofs.fakes.dynamodb import Call, FakeDynamoDB
from shared.times import rfc3339
from tests.unit.aws import Aws, make_table
from tests.unit.counting import (
    NOON,
    counted,
    counts,
    event,
    events,
    summary,
    times,
    transactions,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.fixture
def client() -> FakeDynamoDB:
    return FakeDynamoDB.with_tables("processed", "summaries")


def test_events_are_counted_in_their_groups(client: FakeDynamoDB) -> None:
    result = counted([event("1", "a"), event("2", "b"), event("3", "a")], client)
    assert counts(client) == {"a": 2, "b": 1}
    assert (result.counted, result.already) == (3, 0)


def test_a_summary_has_all_that_readers_need(client: FakeDynamoDB) -> None:
    counted([event("1", "a", second=5)], client)
    assert client.tables["summaries"]["a"] == {
        "id": {"S": "a"},
        "item_count": {"N": "1"},
        "first_seen": {"S": "2026-11-21T12:00:05.000000Z"},
        "last_seen": {"S": "2026-11-21T12:00:05.000000Z"},
        "group_label": {"S": "label of a"},
        "ranking": {"S": "all"},
    }


def test_dynamodb_itself_takes_what_is_written(aws: Aws) -> None:
    # GIVEN real expression rules, reserved words among them
    tables = Tables(make_table(aws.client), make_table(aws.client, ranking="by-count"))
    batch = [event("1", second=3), event("2", second=1), event("3", "other")]
    # WHEN
    for _ in range(2):
        count(batch, tables=tables, now=NOON, client=aws.client, tries=times(3))
    count([event("4", second=9)], tables=tables, now=NOON, client=aws.client, tries=times(3))
    # THEN
    found = {item["id"]["S"]: item for item in aws.items(tables.summaries)}
    assert {key: item["item_count"]["N"] for key, item in found.items()} == {"g": "3", "other": "1"}
    assert found["g"]["first_seen"]["S"] == rfc3339(NOON + timedelta(seconds=1))
    assert found["g"]["last_seen"]["S"] == rfc3339(NOON + timedelta(seconds=9))
    assert len(aws.items(tables.processed)) == 4


@pytest.mark.parametrize("seconds", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
@pytest.mark.parametrize("batches", ["one", "several"])
def test_first_and_last_seen_are_right_in_any_order(
    client: FakeDynamoDB, seconds: Sequence[int], batches: str
) -> None:
    delivered = [event(f"e{second}", second=second) for second in seconds]
    for batch in [delivered] if batches == "one" else [[each] for each in delivered]:
        counted(batch, client)
    assert summary(client) == (3, "1", "3")


def test_an_event_from_within_the_span_leaves_it(client: FakeDynamoDB) -> None:
    counted([event("1", second=0), event("2", second=10)], client)
    counted([event("3", second=5)], client)
    assert summary(client) == (3, "0", "10")


@pytest.mark.parametrize("number", [1, 99, 250])
def test_a_batch_delivered_five_times_counts_once(client: FakeDynamoDB, number: int) -> None:
    # GIVEN
    batch = events(number, groups=7)
    counted(batch, client)
    before = {name: dict(table) for name, table in client.tables.items()}
    # WHEN
    results = [counted(batch, client) for _ in range(4)]
    # THEN
    assert client.tables == before
    assert {(result.counted, result.already) for result in results} == {(0, number)}


def test_an_event_twice_in_a_batch_counts_once(client: FakeDynamoDB) -> None:
    result = counted([event("1"), event("2"), event("1")], client)
    assert summary(client)[0] == 2
    assert result.counted == 2


def test_a_batch_of_old_and_new_events_counts_the_new(client: FakeDynamoDB) -> None:
    batch = events(150, groups=3)
    counted(batch[::3], client)
    result = counted(batch, client)
    assert counts(client) == {"g0": 50, "g1": 50, "g2": 50}
    assert (result.counted, result.already) == (100, 50)


def test_nothing_to_count_is_no_call(client: FakeDynamoDB) -> None:
    counted([], client)
    assert client.calls == []


def test_a_marker_outlives_everything_that_can_bring_its_event_back(client: FakeDynamoDB) -> None:
    counted([event("1")], client)
    expires = int(client.tables["processed"]["1"]["expires_at"]["N"])
    assert expires - NOON.timestamp() == timedelta(days=MARKER_DAYS).total_seconds()
    # A day in the stream, fourteen in the dead-letter queue, seven in an archive.
    assert MARKER_DAYS > 1 + 14 + 7


@pytest.mark.parametrize(
    ("number", "groups", "calls"),
    [(1, 1, 2), (99, 1, 2), (100, 1, 3), (1_000, 1, 12), (1_000, 10, 15), (1_000, 1_000, 30)],
)
def test_calls_stay_within_the_limits_and_the_budget(
    client: FakeDynamoDB, number: int, groups: int, calls: int
) -> None:
    counted(events(number, groups), client)
    assert max(transactions(client)) <= 100
    assert len(client.calls) <= calls
    assert sum(counts(client).values()) == len(client.tables["processed"]) == number


def test_another_writer_who_widens_the_span_meanwhile_loses_nothing(client: FakeDynamoDB) -> None:
    # GIVEN a summary that was read before another writer widened it on both sides
    counted([event("1", second=50)], client)

    def widen(call: Call) -> None:
        if call.operation == "TransactWriteItems":
            client.before = lambda _call: None
            counted([event("2", second=0), event("3", second=100)], client)

    client.before = widen
    # WHEN
    counted([event("4", second=60)], client)
    # THEN
    assert summary(client) == (4, "0", "100")


def test_another_writer_who_makes_the_summary_meanwhile_loses_nothing(client: FakeDynamoDB) -> None:
    def make(call: Call) -> None:
        if call.operation == "TransactWriteItems":
            client.before = lambda _call: None
            counted([event("2", second=100)], client)

    client.before = make
    counted([event("1", second=50)], client)
    assert summary(client) == (2, "50", "100")


def test_another_writer_who_counts_the_same_event_meanwhile_counts_it_once(
    client: FakeDynamoDB,
) -> None:
    def count_it(call: Call) -> None:
        if call.operation == "TransactWriteItems":
            client.before = lambda _call: None
            counted([event("1", second=1)], client)

    client.before = count_it
    result = counted([event("1", second=1), event("2", second=2)], client)
    assert summary(client) == (2, "1", "2")
    assert (result.counted, result.already) == (1, 1)


def test_any_split_any_order_and_any_repetition_count_the_same(seed: int) -> None:
    generator = random.Random(seed)  # noqa: S311
    for _ in range(10):
        # GIVEN
        batch = [
            replace(each, received_at=event("", second=generator.randrange(999)).received_at)
            for each in events(generator.randint(1, 300), generator.randint(1, 40))
        ]
        clean = FakeDynamoDB.with_tables("processed", "summaries")
        counted(batch, clean)
        # WHEN it comes in pieces, each at least once
        client = FakeDynamoDB.with_tables("processed", "summaries")
        delivered = batch + generator.choices(batch, k=50)
        generator.shuffle(delivered)
        while delivered:
            size = generator.randint(1, 120)
            counted(delivered[:size], client)
            delivered = delivered[size:]
        # THEN
        assert client.tables == clean.tables
        assert counts(client) == Counter(each.group for each in batch)

"""Generated events are realistic, follow from the seed, and can be told from every other run's."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consumer.kinds import TYPES
from ingest.records import SOURCE, Record
from odyssey_cli.flows.ingest.events import MIX, SENDER, Event, make
from odyssey_cli.flows.ingest.payloads import ODD
from shared import entity_events

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def made(type: str = MIX, count: int = 400, *, seed: int = 7) -> list[Event]:
    return list(make(type, count, seed=seed, now=lambda: NOW))


def told(events: list[Event]) -> list[Any]:
    return [(event.type, event.subject, event.data) for event in events]


@pytest.mark.parametrize("type", TYPES)
def test_one_type_is_what_was_asked_for_and_a_mix_has_all(type: str) -> None:
    assert {event.type for event in made(type, 50)} == {type}
    assert {event.type for event in made()} == set(TYPES)


def test_all_but_ids_and_times_follow_from_the_seed() -> None:
    first, second, other = made(seed=7), made(seed=7), made(seed=8)
    assert told(first) == told(second) != told(other)
    assert not {event.id for event in first} & {event.id for event in second}


def test_several_events_tell_of_one_entity_and_their_times_increase() -> None:
    # GIVEN a clock that stands still
    events = made()
    # THEN no two events are of one time, and none is earlier than the one before it
    times = [event.time for event in events]
    assert times == sorted(set(times))
    assert times[-1] - NOW < timedelta(seconds=1)
    # AND each entity is told of step by step
    steps: Counter[str] = Counter()
    for event in events:
        steps[event.entity] += 1
        assert event.data["sequence"] == steps[event.entity]
    assert len(steps) < len(events) / 2


def test_orders_and_alerts_come_to_an_end_and_new_ones_take_their_place() -> None:
    orders = made("order", 200)
    by_order: dict[str, list[str]] = {}
    for event in orders:
        by_order.setdefault(event.subject, []).append(event.data["status"])
    whole = ["placed", "paid", "packed", "shipped", "delivered"]
    assert all(statuses == whole[: len(statuses)] for statuses in by_order.values())
    assert sum(statuses == whole for statuses in by_order.values()) >= 30


def test_no_stock_is_ever_below_zero() -> None:
    assert all(event.data["on_hand"] >= 0 for event in made("inventory", 2_000))


@pytest.mark.parametrize("type", TYPES)
def test_the_odd_text_is_among_the_payloads_of_every_type(type: str) -> None:
    assert any(ODD in event.data.values() for event in made(type, 100))


def test_the_stream_takes_every_record_as_the_event_that_it_is() -> None:
    for event in made():
        record = Record("arn:aws:firehose:::deliverystream/s", "r-1", NOW, event.record())
        read = record.event()
        assert (read.envelope.source, read.envelope.id) == (SOURCE, event.id)
        assert (read.entity, read.envelope.time) == (event.entity, event.time)
        assert read.envelope.data == event.data


def test_the_queue_gets_the_whole_envelope_from_a_source_of_its_own() -> None:
    for event in made():
        message = event.message()
        read = entity_events.read(message.body, now=NOW)
        assert (read.envelope.source, read.envelope.id) == (SENDER, event.id)
        assert read.envelope.data == event.data
    groups = {event.message().group for event in made()}
    assert len(groups) == len({event.entity for event in made()})

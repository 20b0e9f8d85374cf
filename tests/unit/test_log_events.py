"""How logged events are found and shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from odyssey_cli.commands.cloud import chosen
from odyssey_cli.commands.log_events import Event, Reader, Source, line, milliseconds_since
from odyssey_cli.errors import OdysseyError

if TYPE_CHECKING:
    from collections.abc import Iterator

AGGREGATOR = Source("EventAggregator-AggregatorFunction3A2B1C0D-0123456789ABC", "group/a")
PRODUCER = Source("EventAggregator-ProducerFunction00FF00FF-ABCDEFGHIJKL", "group/p")


class FakeLogs:
    """CloudWatch Logs, as far as a reader uses it."""

    class exceptions:  # noqa: N801 - boto3's name
        class ResourceNotFoundException(Exception):  # noqa: N818 - AWS's name
            pass

    def __init__(self) -> None:
        self.groups: dict[str, list[dict[str, Any]]] = {}

    def log(self, group: str, time: int, message: str) -> None:
        event = {"logStreamName": "stream", "timestamp": time, "message": message}
        self.groups.setdefault(group, []).append(event)

    def get_paginator(self, _name: str) -> FakeLogs:
        return self

    def paginate(self, *, logGroupName: str, startTime: int) -> Iterator[dict[str, Any]]:  # noqa: N803
        if logGroupName not in self.groups:
            raise self.exceptions.ResourceNotFoundException
        for event in self.groups[logGroupName]:
            if event["timestamp"] >= startTime:
                yield {"events": [event]}


def test_a_reader_gives_each_event_once_and_in_order() -> None:
    # GIVEN events of two functions, two of them alike
    logs = FakeLogs()
    logs.log("group/a", 2_000, "same")
    logs.log("group/a", 2_000, "same")
    logs.log("group/p", 1_000, "first")
    reader = Reader(logs, [AGGREGATOR, PRODUCER, Source("never ran", "group/n")], 0)

    # THEN they come in order, and those that come late or are alike come too
    assert [event.message for event in reader.new()] == ["first", "same", "same"]
    assert reader.new() == []
    logs.log("group/a", 2_000, "same")
    logs.log("group/p", 1_500, "late")
    assert [event.message for event in reader.new()] == ["late", "same"]
    logs.log("group/p", 60_000, "later")
    assert [event.message for event in reader.new()] == ["later"]
    assert reader.new() == []


def test_a_reader_starts_where_it_is_told() -> None:
    logs = FakeLogs()
    logs.log("group/a", 1_000, "old")
    logs.log("group/a", 2_000, "new")

    assert [event.message for event in Reader(logs, [AGGREGATOR], 2_000).new()] == ["new"]


def test_a_label_leaves_out_what_was_generated() -> None:
    assert AGGREGATOR.label == "EventAggregator-AggregatorFunction"
    assert PRODUCER.label == "EventAggregator-ProducerFunction"
    assert Source("/aws/mine", "/aws/mine").label == "/aws/mine"


def test_a_part_of_a_name_finds_the_function() -> None:
    assert chosen("aggregatorf", [AGGREGATOR, PRODUCER]) == [AGGREGATOR]
    assert chosen("eventaggregator", [AGGREGATOR, PRODUCER]) == [AGGREGATOR, PRODUCER]
    assert chosen(None, [AGGREGATOR, PRODUCER]) == [AGGREGATOR, PRODUCER]


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(OdysseyError, match="EventAggregator-ProducerFunction"):
        chosen("nobody", [AGGREGATOR, PRODUCER])


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("plain text\n", "plain text"),
        ("START RequestId: 1 Version: 2", "START RequestId: 1 Version: 2"),
        (json.dumps({"level": "INFO", "message": "Åsa 😀", "count": 3}), "INFO Åsa 😀 count=3"),
        (json.dumps({"level": "INFO", "message": {"a": 1}, "service": "x"}), 'INFO {"a": 1}'),
        (json.dumps({"_aws": {}, "Counted": [1.0]}), "METRICS Counted=[1.0]"),
        (json.dumps([1]), "[1]"),
        (json.dumps({"other": 1}), '{"other": 1}'),
    ],
)
def test_an_event_is_one_readable_line(message: str, shown: str) -> None:
    text = line(Event(1_234, "Function", message)).plain

    assert text.endswith(f":01.234 Function {shown}")


def test_square_brackets_of_a_message_are_no_markup() -> None:
    assert line(Event(0, "Function", "[red]x[/red]")).plain.endswith("[red]x[/red]")


@pytest.mark.parametrize(("text", "expected"), [("30s", 70_000), ("1m", 40_000), ("2h", 0)])
def test_since_is_a_length_of_time(text: str, expected: int) -> None:
    assert milliseconds_since(text, 100.0) == expected


@pytest.mark.parametrize("text", ["", "10", "m", "1 week", "-1m", "1.5h"])
def test_any_other_since_is_refused(text: str) -> None:
    with pytest.raises(OdysseyError, match="10m"):
        milliseconds_since(text, 100.0)

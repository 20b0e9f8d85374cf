"""The transformer, from Firehose's records to the lines for the lake and the messages."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from ingest import settings, transformer
from shared.environment import MissingVariable
from tests.builders import FakeContext
from tests.ingest import (
    NOON,
    QUEUE,
    TEXT,
    Ingest,
    buffer,
    delivery,
    envelope,
    fields,
    lines,
    put,
    results,
)

if TYPE_CHECKING:
    import io
    from collections.abc import Callable

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
NAME = re.compile(r"[A-Za-z0-9]{1,128}")


def names(ingest: Ingest) -> list[tuple[str, str]]:
    """Return group and deduplication id of each message."""
    found = ingest.sqs.queues[QUEUE]
    return [(each["MessageGroupId"], each["MessageDeduplicationId"]) for each in found]


def bodies(ingest: Ingest) -> list[str]:
    return [each["MessageBody"] for each in ingest.sqs.queues.get(QUEUE, [])]


def test_every_record_that_came_in_goes_out_once_in_its_order(ingest: Ingest) -> None:
    # GIVEN records of which some are bad
    values = [b"{" if number % 5 == 0 else fields(number) for number in range(1, 24)]
    # WHEN / THEN `transform` checks the ids
    answers = ingest.transform(buffer(values))
    assert results(answers) == [
        "ProcessingFailed" if number % 5 == 0 else "Ok" for number in range(1, 24)
    ]


def test_no_records_are_no_calls(ingest: Ingest) -> None:
    assert ingest.transform([]) == []
    assert ingest.operations == []


def test_a_line_is_the_very_text_that_was_queued_and_the_event_itself(ingest: Ingest) -> None:
    answers = ingest.transform(buffer([fields(1), fields(2)]))
    assert lines(answers) == bodies(ingest)
    assert [json.loads(line) for line in lines(answers)] == [envelope(1), envelope(2)]
    assert ingest.rejected == []


def test_text_survives_byte_for_byte(ingest: Ingest) -> None:
    value = fields(data={"text": TEXT, TEXT: 1})
    [line] = lines(ingest.transform([put(value)]))
    assert line.encode().count(TEXT.encode()) == 2
    assert bodies(ingest) == [line]


def test_a_line_break_in_a_text_breaks_no_line(ingest: Ingest) -> None:
    value = fields(data={"text": "a\nb\r\n\u2028\ufffe\uffff"})
    [line] = lines(ingest.transform([put(value)]))
    assert json.loads(line)["data"] == value["data"]


def test_a_record_that_comes_again_is_one_message(ingest: Ingest) -> None:
    # GIVEN an event without an id of its own
    first = ingest.transform([put(fields(id=None))])
    # WHEN Firehose hands it over again
    again = ingest.transform([put(fields(id=None))])
    # THEN it is the same line, and the queue knows it
    assert first == again
    assert len(bodies(ingest)) == 1


def test_a_record_that_comes_again_later_has_the_same_names(ingest: Ingest) -> None:
    ingest.transform([put(fields(id=None))])
    ingest.sqs.let_pass(600)
    ingest.transform([put(fields(id=None))])
    first, again = names(ingest)
    assert first == again


def test_an_event_that_its_producer_puts_twice_is_queued_once(ingest: Ingest) -> None:
    answers = ingest.transform([put(fields(1), "r1"), put(fields(1), "r2")])
    assert results(answers) == ["Ok", "Ok"]
    assert len(bodies(ingest)) == 1


def test_two_equal_readings_without_ids_are_two_events(ingest: Ingest) -> None:
    answers = ingest.transform([put(fields(id=None), "r1"), put(fields(id=None), "r2")])
    assert len(set(lines(answers))) == 2
    (group, first), (other, second) = names(ingest)
    assert group == other
    assert first != second


def test_events_of_one_entity_are_one_group_and_those_of_two_are_two(ingest: Ingest) -> None:
    entities = [
        {"type": "order", "subject": "1"},
        {"type": "order", "subject": "2"},
        {"type": "device", "subject": "1"},
    ]
    ingest.transform(buffer(fields(n, **entities[n % 3]) for n in range(9)))
    groups = [group for group, _ in names(ingest)]
    assert groups == groups[:3] * 3
    assert len(set(groups)) == 3


def test_names_are_as_long_as_a_fifo_queue_takes_whatever_is_named(ingest: Ingest) -> None:
    ingest.transform([put(fields(id='"' * 255, subject="s:" * 127, type="t" * 64))])
    [found] = names(ingest)
    assert all(NAME.fullmatch(name) for name in found)


def test_the_lake_has_folders_for_types_only_if_the_stack_says_so(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    [plain] = ingest.transform([put(fields(1))])
    assert plain.keys() == {"recordId", "result", "data"}
    # WHEN
    monkeypatch.setenv("PARTITIONED", "true")
    settings.transformer.cache_clear()
    good, bad = ingest.transform([put(fields(1)), put(b"{", "r2")])
    # THEN
    assert good == plain | {"metadata": {"partitionKeys": {"type": "device"}}}
    assert bad == {"recordId": "r2", "result": "ProcessingFailed"}


@pytest.mark.parametrize("partitioned", ["true", "false"])
def test_the_answer_for_a_full_buffer_of_the_smallest_records_is_one_that_lambda_takes(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch, partitioned: str
) -> None:
    # GIVEN as many records as 0.2 MB hold, with ids as long as Firehose's
    monkeypatch.setenv("PARTITIONED", partitioned)
    settings.transformer.cache_clear()
    value = b'{"type":"a","subject":"a","time":"2026-11-21T12:00:00Z","data":{}}'
    count = 200 * 1024 // len(value)
    batch = [put(value, f"{number:056}") for number in range(count)]
    # WHEN
    answer = transformer.handler(delivery(batch), FakeContext())
    # THEN
    assert set(results(answer["records"])) == {"Ok"}
    assert len(json.dumps(answer).encode()) < 6_000_000 / 2


def test_a_thousand_events_take_a_hundred_calls(ingest: Ingest) -> None:
    ingest.transform(buffer(fields(number) for number in range(1_000)))
    assert ingest.operations == ["SendMessageBatch"] * 100
    assert len(bodies(ingest)) == 1_000


def test_whether_an_event_is_ahead_is_judged_by_when_its_record_arrived(ingest: Ingest) -> None:
    [answer] = ingest.transform([put(fields(1), arrived=NOON - timedelta(hours=23))])
    assert answer["result"] == "ProcessingFailed"
    [answer] = ingest.transform([put(fields(86_400), arrived=NOON - timedelta(hours=23))])
    assert answer["result"] == "Ok"


def test_what_happened_is_metrics(ingest: Ingest, capsys: pytest.CaptureFixture[str]) -> None:
    ingest.transform(buffer([fields(1), b"{", fields(2), b"[", fields(3)]))
    [metrics] = [
        json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line
    ]
    assert (metrics["EventsQueued"], metrics["RecordsRejected"]) == ([3.0], [2.0])


def test_the_log_counts_and_holds_no_payload(
    ingest: Ingest, log_of: Callable[..., io.StringIO]
) -> None:
    log = log_of(transformer.logger)
    ingest.transform(buffer([fields(data={"secret": "hunter2"}), b'{"hunter2"']))
    found = [json.loads(line) for line in log.getvalue().splitlines()]
    assert found[-1]["message"] == "transformed"
    assert (found[-1]["queued"], found[-1]["rejected"]) == (1, 1)
    assert "hunter2" not in log.getvalue()


@pytest.mark.parametrize("name", ["EVENTS_QUEUE", "PARTITIONED", "REJECTS_QUEUE"])
def test_a_variable_that_the_stack_forgot_is_named(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name)
    settings.transformer.cache_clear()
    with pytest.raises(MissingVariable, match=name):
        ingest.transform([])

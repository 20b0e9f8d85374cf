"""The emitter, from a batch of the stream to the bus and the answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from ingest import emitter, settings
from local_cloud.event_delivery import entry_size
from proofs.fakes.dynamodb import Call, refusal
from shared.environment import MissingVariable
from tests.ingest import BUS, TEXT, Ingest, envelope, event, inserted, sent

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterable

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
TRIES = 8


def stream(ingest: Ingest, values: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the insertions of events that the storer stores, in the order given."""
    records = []
    for number, value in enumerate(values, 1):
        assert ingest.store([sent(value)]) == []
        records.append(inserted(ingest.items[-1], number))
    ingest.dynamodb.calls.clear()
    return records


def numbered(ingest: Ingest, count: int) -> list[dict[str, Any]]:
    """Return as many records, of which the first is that of event `e1`."""
    return stream(ingest, (envelope(number) for number in range(1, count + 1)))


def unusable(number: int) -> dict[str, Any]:
    """Return an insertion of something that no storer stored."""
    keys = {"entity": {"S": "order/ghost"}, "at": {"S": f"t#{number}"}}
    return inserted(keys, number)


def details(ingest: Ingest) -> list[dict[str, Any]]:
    return [json.loads(entry["Detail"]) for entry in ingest.emitted]


def ids(ingest: Ingest) -> list[int]:
    return [int(detail["id"][1:]) for detail in details(ingest)]


def chunks(ingest: Ingest) -> list[int]:
    """Return the number of entries of each call."""
    return [
        len(call.arguments["Entries"])
        for call in ingest.dynamodb.calls
        if call.operation == "PutEvents"
    ]


def failing(error: Exception, *, calls: set[int]) -> Callable[[Call], None]:
    def hook(call: Call) -> None:
        if call.operation == "PutEvents" and call.number in calls:
            raise error

    return hook


def causes(caplog: pytest.LogCaptureFixture) -> dict[str, int]:
    [logged] = [each for each in caplog.records if each.message == "failed"]
    found: dict[str, int] = vars(logged)["causes"]
    return found


def counts(capsys: pytest.CaptureFixture[str]) -> dict[str, list[float]]:
    """Return what the function counted, from its metrics."""
    [metrics] = [
        json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line
    ]
    return {name: value for name, value in metrics.items() if name.startswith(("Events", "Items"))}


def test_an_entry_is_the_envelope_as_an_object_with_type_and_entity_for_rules(
    ingest: Ingest,
) -> None:
    assert ingest.emit(stream(ingest, [envelope(1)])) == []
    [entry] = ingest.emitted
    assert json.loads(entry.pop("Detail")) == envelope(1)
    assert entry == {
        "EventBusName": BUS,
        "Source": "/aws-odyssey/ingest",
        "DetailType": "device",
        "Resources": ["device/s1"],
    }


@pytest.mark.parametrize(
    "data",
    [
        {"text": TEXT, TEXT: 1},
        {"text": "\x00\x7f\u2028\ufffe\uffff", "empty": ""},
        {"n": [0, -1, 2**53 - 1, 0.1, 1e-130, 9.9e125, 1e22], "more": [None, True, [], {}]},
    ],
    ids=["the text", "odd characters", "numbers and kinds"],
)
def test_a_detail_is_the_very_text_that_was_queued(ingest: Ingest, data: dict[str, Any]) -> None:
    ingest.emit(stream(ingest, [envelope(1, data=data)]))
    assert [entry["Detail"] for entry in ingest.emitted] == [event(1, data=data).text]


@pytest.mark.parametrize(("count", "expected"), [(0, []), (1, [1]), (10, [10]), (25, [10, 10, 5])])
def test_events_go_in_their_order_in_chunks_of_ten(
    ingest: Ingest, count: int, expected: list[int]
) -> None:
    assert ingest.emit(numbered(ingest, count)) == []
    assert chunks(ingest) == expected
    assert ids(ingest) == list(range(1, count + 1))


def test_a_thousand_events_take_a_hundred_calls(ingest: Ingest) -> None:
    records = [
        inserted({**item, "at": {"S": str(number)}}, number)
        for number, item in enumerate([numbered(ingest, 1)[0]["dynamodb"]["NewImage"]] * 1_000)
    ]
    for start in range(0, 1_000, 100):
        ingest.emit(records[start : start + 100])
    assert len(ingest.dynamodb.calls) == 100
    assert len(ingest.emitted) == 1_000


@pytest.mark.parametrize("character", ["x", "é", '"'])
def test_chunks_of_large_events_keep_below_a_megabyte(ingest: Ingest, character: str) -> None:
    # GIVEN events as large as can be
    count = 199_000 // (len(json.dumps(character, ensure_ascii=False).encode()) - 2)
    large = (envelope(n, type="order", data={"t": character * count}) for n in range(1, 13))
    # WHEN / THEN
    assert ingest.emit(stream(ingest, large)) == []
    assert ids(ingest) == list(range(1, 13))
    for call in ingest.dynamodb.calls:
        assert sum(map(entry_size, call.arguments["Entries"])) <= 1_000_000
    # AND not smaller than they must be: JSON within JSON is at most twice as long
    assert len(chunks(ingest)) <= 6


def test_only_the_entries_that_failed_are_put_again(ingest: Ingest) -> None:
    # GIVEN a bus that fails three of ten, then one of these
    ingest.events.refuse_next = [{1, 4, 9}, {2}]
    # WHEN
    assert ingest.emit(numbered(ingest, 10)) == []
    # THEN
    assert chunks(ingest) == [10, 3, 1]
    assert sorted(ids(ingest)) == list(range(1, 11))
    assert ids(ingest)[-3:] == [2, 5, 10]


def test_what_the_bus_does_not_take_for_long_comes_again_with_all_behind_it_untried(
    ingest: Ingest, caplog: pytest.LogCaptureFixture
) -> None:
    ingest.events.refuse_next = [{3, 5}] + [{0, 1}] * (TRIES - 1)
    # WHEN
    assert ingest.emit(numbered(ingest, 15)) == [4, 6, 11, 12, 13, 14, 15]
    # THEN
    assert chunks(ingest) == [10, *[2] * (TRIES - 1)]
    assert ids(ingest) == [1, 2, 3, 5, 7, 8, 9, 10]
    assert causes(caplog) == {"ThrottlingException": 2, "NotTried": 5}
    assert ingest.rejected == []


def test_two_records_that_say_the_same_are_two(ingest: Ingest) -> None:
    [record] = numbered(ingest, 1)
    again = record | {"dynamodb": {**record["dynamodb"], "SequenceNumber": "100"}}
    ingest.dynamodb.before = failing(refusal("AccessDenied", "PutEvents"), calls={1})
    assert ingest.emit([record, again]) == [1, 2]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (refusal("AccessDeniedException", "PutEvents"), "AccessDeniedException"),
        (ReadTimeoutError(endpoint_url="https://events"), "ReadTimeoutError"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_behind_a_call_that_fails_is_not_tried(
    ingest: Ingest, caplog: pytest.LogCaptureFixture, error: Exception, code: str
) -> None:
    # WHEN the second of four calls fails
    records = numbered(ingest, 35)
    ingest.dynamodb.before = failing(error, calls={2})
    # THEN
    assert ingest.emit(records) == list(range(11, 36))
    assert chunks(ingest) == [10, 10]
    assert ids(ingest) == list(range(1, 11))
    assert causes(caplog) == {code: 10, "NotTried": 15}
    # AND comes through when it comes again
    assert ingest.emit(records[10:]) == []
    assert ids(ingest) == list(range(1, 36))


def test_a_repeated_put_that_fails_reports_only_what_was_not_taken(ingest: Ingest) -> None:
    ingest.events.refuse_next = [{0, 7}]
    records = numbered(ingest, 12)
    ingest.dynamodb.before = failing(refusal("AccessDenied", "PutEvents"), calls={2})
    assert ingest.emit(records) == [1, 8, 11, 12]
    assert ids(ingest) == [2, 3, 4, 5, 6, 7, 9, 10]


def test_an_answer_that_is_lost_puts_events_again(ingest: Ingest) -> None:
    records = numbered(ingest, 3)
    ingest.dynamodb.after = failing(ReadTimeoutError(endpoint_url="https://events"), calls={1})
    assert ingest.emit(records) == [1, 2, 3]
    assert ingest.emit(records) == []
    assert ids(ingest) == [1, 2, 3] * 2


def test_failures_are_named_in_the_order_of_the_stream(ingest: Ingest) -> None:
    # GIVEN sequence numbers that sort differently as texts: 99, 100, 101
    records = [unusable(1), *numbered(ingest, 2)]
    for number, record in enumerate(records, 99):
        record["dynamodb"]["SequenceNumber"] = str(number)

    def refuse(call: Call) -> None:
        raise refusal("AccessDenied", call.operation)

    # WHEN nothing can be emitted or rejected
    ingest.dynamodb.before = refuse
    # THEN
    assert ingest.emit(records) == [1, 2, 3]


WRONG: dict[str, dict[str, Any]] = {
    "no event": {"event": None},
    "an event that is a text": {"event": {"S": json.dumps(envelope(1))}},
    "an event of another version": {"event": {"M": {"specversion": {"S": "0.3"}}}},
    "an empty event": {"event": {"M": {}}},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG.keys())
def test_an_item_that_is_no_event_is_rejected_as_it_came(
    ingest: Ingest, changes: dict[str, Any]
) -> None:
    # WHEN the second of three is none
    records = numbered(ingest, 3)
    image = {**records[1]["dynamodb"]["NewImage"], **changes}
    records[1]["dynamodb"]["NewImage"] = {name: v for name, v in image.items() if v is not None}
    assert ingest.emit(records) == []
    # THEN
    assert ids(ingest) == [1, 3]
    [(record, texts)] = ingest.rejected
    assert record == records[1]
    assert texts.pop("cause").endswith(".")
    keys = records[1]["dynamodb"]["Keys"]
    assert texts == {"source": "emitter", "event_id": f"{keys['entity']['S']} {keys['at']['S']}"}


def test_a_deletion_that_the_mapping_let_through_is_rejected_and_not_emitted(
    ingest: Ingest,
) -> None:
    [record] = numbered(ingest, 1)
    del record["dynamodb"]["NewImage"]
    assert ingest.emit([record | {"eventName": "REMOVE"}]) == []
    assert ingest.emitted == []
    assert len(ingest.rejected) == 1


def test_what_is_rejected_behind_a_failure_is_left_for_the_next_time(ingest: Ingest) -> None:
    # GIVEN impossible records before and behind one that the bus does not take
    records = numbered(ingest, 6)
    records[1], records[4] = unusable(2), unusable(5)
    ingest.events.refuse_next = [{1}] + [{0}] * (TRIES - 1)
    # WHEN
    assert ingest.emit(records) == [3]
    # THEN the stream resumes at the third, so that the fifth comes again anyway
    assert [record for record, _ in ingest.rejected] == [records[1]]
    assert ingest.emit(records[2:]) == []
    assert [record for record, _ in ingest.rejected] == [records[1], records[4]]


def test_when_the_rejects_queue_refuses_that_record_comes_again(
    ingest: Ingest, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(call: Call) -> None:
        if call.operation == "SendMessageBatch":
            raise refusal("AccessDenied", call.operation)

    records = [*numbered(ingest, 2), unusable(3)]
    ingest.dynamodb.before = refuse
    assert ingest.emit(records) == [3]
    assert ids(ingest) == [1, 2]
    assert causes(caplog) == {"AccessDenied": 1}


def test_a_mistake_of_ours_fails_the_invocation(ingest: Ingest) -> None:
    records = numbered(ingest, 1)
    ingest.dynamodb.before = failing(KeyError("a mistake"), calls={1})
    with pytest.raises(KeyError):
        ingest.emit(records)


def test_what_happened_is_metrics(ingest: Ingest, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN
    records = numbered(ingest, 4)
    records[0] = unusable(1)
    ingest.events.refuse_next = [{2}] + [{0}] * (TRIES - 1)
    capsys.readouterr()
    # WHEN
    ingest.emit(records)
    # THEN
    assert counts(capsys) == {
        "EventsEmitted": [2.0],
        "EventsNotEmitted": [1.0],
        "ItemsRejected": [1.0],
    }


def test_the_log_holds_no_payload(ingest: Ingest, log_of: Callable[..., io.StringIO]) -> None:
    log = log_of(emitter.logger)
    ingest.emit(stream(ingest, [envelope(1, data={"password": "hunter2"})]))
    assert '"emitted"' in log.getvalue()
    assert "hunter2" not in log.getvalue()


@pytest.mark.parametrize("name", ["BUS", "REJECTS_QUEUE"])
def test_a_variable_that_the_stack_forgot_is_named(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name)
    settings.emitter.cache_clear()
    with pytest.raises(MissingVariable, match=name):
        ingest.emit([])

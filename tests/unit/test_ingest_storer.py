"""The storer, from a batch of messages to the items and the answer."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ingest import settings, storer
from shared import entity_events, strict_json, times
from shared.environment import MissingVariable
from tests.ingest import NOON, TEXT, Ingest, at, envelope, event, messages, sent

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


def stored_text(item: dict[str, Any]) -> str:
    """Return the envelope of an item as JSON."""
    return entity_events.from_dict(strict_json.from_attribute(item["event"])).text


def ids(ingest: Ingest) -> list[str]:
    return [item["event"]["M"]["id"]["S"] for item in ingest.items]


def batches(values: list[Any], size: int = 10) -> Iterator[list[Any]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


def test_every_message_of_a_batch_is_an_item_in_one_transaction(ingest: Ingest) -> None:
    assert ingest.store(messages(envelope(n) for n in range(1, 11))) == []
    assert sorted(ids(ingest)) == sorted(f"e{n}" for n in range(1, 11))
    assert ingest.operations == ["TransactWriteItems"]
    assert ingest.rejected == []


def test_an_item_is_found_by_its_entity_and_its_place_in_time(ingest: Ingest) -> None:
    ingest.store([sent(envelope(7))])
    [item] = ingest.items
    assert item.keys() == {"entity", "at", "event"}
    assert item["entity"] == {"S": "security/s7"}
    assert item["at"] == {"S": f"{at(-7)}#e7"}


def test_a_batch_without_messages_is_no_call(ingest: Ingest) -> None:
    assert ingest.store([]) == []
    assert ingest.operations == []


@pytest.mark.parametrize(
    "data",
    [
        {"text": TEXT, TEXT: [TEXT]},
        {"text": "\x00\x1f\x7f\x85\u2028\ufffe\uffff \\ufffe", "empty": ""},
        {"n": [0, 1, -1, 2**53 - 1, 1 - 2**53, 0.1, 1.5e-130, -9.9e125, 1e22, 1 / 3]},
        {"more": [None, True, False, [], {}, [[]], {"a": {"b": [{}]}}]},
        {},
    ],
    ids=["the text", "odd characters", "numbers", "kinds", "nothing"],
)
def test_an_item_reads_back_as_the_very_text_that_was_queued(
    ingest: Ingest, data: dict[str, Any]
) -> None:
    text = event(1, data=data).text
    ingest.store([sent(text)])
    [item] = ingest.items
    assert stored_text(item) == text


def test_a_whole_number_written_as_a_fraction_reads_back_as_the_same_number(
    ingest: Ingest,
) -> None:
    ingest.store([sent(envelope(1, data={"n": [1.0, -0.0, 1e2]}))])
    [item] = ingest.items
    assert json.loads(stored_text(item))["data"] == {"n": [1, 0, 100]}


def test_a_thousand_events_of_one_millisecond_are_a_thousand_items_in_a_hundred_calls(
    ingest: Ingest,
) -> None:
    # GIVEN events of one moment and three entities
    records = [
        sent(envelope(n, type="order", subject=f"s{n % 3}", time=at(0)), f"m{n}", group=f"g{n % 3}")
        for n in range(1_000)
    ]
    # WHEN
    for batch in batches(records):
        assert ingest.store(batch) == []
    # THEN
    assert Counter(ids(ingest)) == Counter(f"e{number}" for number in range(1_000))
    assert ingest.operations == ["TransactWriteItems"] * 100


def test_order_per_entity_holds_in_the_store_whatever_came_first(ingest: Ingest, seed: int) -> None:
    # GIVEN events of one entity, some of them of one moment, in any order
    made = [envelope(n, type="order", subject="s", time=at(n // 2)) for n in range(100)]
    records = messages(made)
    random.Random(seed).shuffle(records)  # noqa: S311
    # WHEN
    for batch in batches(records):
        assert ingest.store(batch) == []
    # THEN sorted by their keys they are in the order of their times
    found = sorted(ingest.items, key=lambda item: item["at"]["S"])
    moments = [item["event"]["M"]["time"]["S"] for item in found]
    assert moments == sorted(each["time"] for each in made)


def test_what_is_stored_already_is_done_and_stays_as_it_is(ingest: Ingest) -> None:
    # GIVEN
    ingest.store(messages(envelope(n) for n in (1, 2, 3)))
    before = {key: dict(item) for key, item in ingest.dynamodb.tables["events"].items()}
    # WHEN two of them come again, and a new one
    assert ingest.store(messages([envelope(1), envelope(2), envelope(4)])) == []
    # THEN
    found = ingest.dynamodb.tables["events"]
    assert {key: found[key] for key in before} == before
    assert sorted(ids(ingest)) == ["e1", "e2", "e3", "e4"]
    assert ingest.rejected == []


TAKEN = "Another event of this entity is stored with the same time and id."
OTHERS: dict[str, dict[str, Any]] = {
    "another source": {"source": "/elsewhere"},
    "other data": {"data": {"forged": True}},
    "a number in place of a text": {"data": {"number": 1, "text": 1}},
    "no data": {"data": {}},
}


@pytest.mark.parametrize("changes", OTHERS.values(), ids=OTHERS.keys())
def test_an_event_whose_place_another_has_is_rejected_and_overwrites_nothing(
    ingest: Ingest, changes: dict[str, Any]
) -> None:
    # GIVEN
    ingest.store([sent(envelope(1))])
    before = dict(ingest.dynamodb.tables["events"])
    # WHEN another event of its entity has its time and id, among others of its group
    records = messages([envelope(11), envelope(1, **changes), envelope(21)])
    assert ingest.store(records) == []
    # THEN
    assert sorted(ids(ingest)) == ["e1", "e11", "e21"]
    assert ingest.dynamodb.tables["events"].items() >= before.items()
    assert ingest.rejected == [(records[1], {"cause": TAKEN, "source": "storer", "event_id": "e1"})]


@pytest.mark.parametrize("changes", OTHERS.values(), ids=OTHERS.keys())
def test_of_two_events_for_one_place_in_one_batch_the_first_is_stored(
    ingest: Ingest, changes: dict[str, Any]
) -> None:
    records = messages([envelope(1), envelope(2), envelope(1, **changes)])
    assert ingest.store(records) == []
    assert sorted(ids(ingest)) == ["e1", "e2"]
    assert [json.loads(stored_text(item)) for item in ingest.items] == [envelope(1), envelope(2)]
    assert [(record, texts["cause"]) for record, texts in ingest.rejected] == [(records[2], TAKEN)]


def test_what_only_those_who_passed_it_on_said_does_not_make_it_another_event(
    ingest: Ingest,
) -> None:
    ingest.store([sent(envelope(1))])
    assert ingest.store([sent(envelope(1, correlationid="another"))]) == []
    assert ingest.rejected == []


@pytest.mark.parametrize("number", [1.0, -0.0, 1e22, 1e-130, 2**53 - 1, 0.1])
def test_an_event_that_comes_again_is_the_same_whatever_numbers_it_has(
    ingest: Ingest, number: float
) -> None:
    value = envelope(1, data={"n": [number, None, True, {}, []]})
    for _ in range(2):
        assert ingest.store(messages([value, value])) == []
    assert ids(ingest) == ["e1"]
    assert ingest.rejected == []


def test_an_event_twice_in_one_batch_is_one_item(ingest: Ingest) -> None:
    assert ingest.store(messages([envelope(1), envelope(2), envelope(1)])) == []
    assert sorted(ids(ingest)) == ["e1", "e2"]
    assert ingest.operations == ["TransactWriteItems"]


def test_equal_readings_are_as_many_items_as_events(ingest: Ingest) -> None:
    twins = [envelope(1, id="a"), envelope(1, id="b")]
    assert ingest.store(messages(twins)) == []
    assert sorted(ids(ingest)) == ["a", "b"]


def test_ten_events_of_the_largest_size_are_one_transaction(ingest: Ingest) -> None:
    room = 200_000 - len(event(1, data={"text": ""}).text)
    large = [envelope(n, type="order", data={"text": "x" * room}) for n in range(10)]
    assert ingest.store(messages(large)) == []
    assert ingest.operations == ["TransactWriteItems"]
    assert len(ingest.items) == 10


@pytest.mark.parametrize(("days", "expires"), [("0", None), ("1", 1), ("365", 365)])
def test_events_stay_as_long_as_the_stack_says(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch, days: str, expires: int | None
) -> None:
    monkeypatch.setenv("EVENT_TTL_DAYS", days)
    settings.storer.cache_clear()
    ingest.store([sent(envelope(1))])
    [item] = ingest.items
    if expires is None:
        assert "expires_at" not in item
    else:
        moment = NOON + timedelta(days=expires)
        assert item["expires_at"] == {"N": str(int(moment.timestamp()))}


WRONG = {
    "no JSON": ("{", "not JSON"),
    "a text": ('"text"', "not a JSON object"),
    "an envelope in a text": (json.dumps(json.dumps(envelope(5))), "not a JSON object"),
    "a producer's record": (json.dumps({"id": "e", "type": "order"}), "specversion"),
    "no subject": (json.dumps(envelope(5, subject=None)), "'subject'"),
    "a lone surrogate": ('{"a": "\\ud800"}', "surrogate"),
    "an id with a line break": (json.dumps(envelope(5, id="a\nb")), "'id'"),
    "too large": (json.dumps(envelope(5, data={"t": "x" * 200_000})), "more than 200000"),
    "too far ahead": (json.dumps(envelope(5, time=at(3_601))), "more than an hour ahead"),
}


@pytest.mark.parametrize(("bad", "cause"), WRONG.values(), ids=WRONG.keys())
def test_a_message_that_is_no_event_is_rejected_and_its_group_goes_on(
    ingest: Ingest, bad: str, cause: str
) -> None:
    # WHEN the second of three of one group is bad
    record = sent(bad, "m2", group="g")
    batch = [sent(envelope(1), "m1", group="g"), record, sent(envelope(3), "m3", group="g")]
    assert ingest.store(batch) == []
    # THEN
    [(found, texts)] = ingest.rejected
    assert found == record
    assert cause in texts.pop("cause")
    assert texts == {"source": "storer", "event_id": "m2"}
    assert sorted(ids(ingest)) == ["e1", "e3"]


def test_a_batch_of_nothing_but_rejects_stores_nothing(ingest: Ingest) -> None:
    assert ingest.store([sent("{", "m1", group="g"), sent("[", "m2", group="g")]) == []
    assert ingest.operations == ["SendMessageBatch"]
    assert len(ingest.rejected) == 2


def test_a_message_that_waited_for_long_is_no_event_of_the_future(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(times, "now", lambda: NOON + timedelta(days=14))
    assert ingest.store([sent(envelope(1))]) == []
    assert ids(ingest) == ["e1"]


def test_what_happened_is_metrics(ingest: Ingest, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN
    ingest.store([sent(envelope(1))])
    capsys.readouterr()
    # WHEN
    ingest.store(
        [*messages([envelope(1), envelope(2), envelope(3), envelope(2)]), sent("{", "x", group="g")]
    )
    # THEN
    [metrics] = [
        json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line
    ]
    counted = ("Events", "Messages")
    assert {name: value for name, value in metrics.items() if name.startswith(counted)} == {
        "EventsStored": [2.0],
        "EventsAlreadyStored": [2.0],
        "MessagesFailed": [0.0],
        "MessagesRejected": [1.0],
    }


def test_the_log_holds_no_payload(ingest: Ingest, log_of: Callable[..., io.StringIO]) -> None:
    log = log_of(storer.logger)
    secret = envelope(1, data={"password": "hunter2"})
    ingest.store([sent(secret), sent('{"hunter2"', "x", group="g")])
    assert '"stored"' in log.getvalue()
    assert "hunter2" not in log.getvalue()


@pytest.mark.parametrize("name", ["EVENTS_TABLE", "EVENT_TTL_DAYS", "REJECTS_QUEUE"])
def test_a_variable_that_the_stack_forgot_is_named(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name)
    settings.storer.cache_clear()
    with pytest.raises(MissingVariable, match=name):
        ingest.store([])


def test_events_of_two_sources_with_one_id_and_moment_are_an_item_and_a_reject(
    ingest: Ingest,
) -> None:
    ingest.store(messages([envelope(1), envelope(1, source="/elsewhere")]))
    assert (len(ingest.items), len(ingest.rejected)) == (1, 1)

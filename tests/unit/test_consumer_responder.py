"""The responder, from a batch of messages to totals, states and the answer."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from boto3.dynamodb.types import TypeDeserializer

from consumer import responder, settings
from proofs.fakes.dynamodb import Call, refusal
from shared import times
from shared.environment import MissingVariable
from tests.consumer import Consumer, batch, delivered, received
from tests.ingest import NOON, REJECTS, TEXT, at, envelope

if TYPE_CHECKING:
    import io
    from collections.abc import Callable

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


def order(id: str, subject: str = "o", second: float = 0, **data: Any) -> dict[str, Any]:
    return envelope(1, id=id, type="order", subject=subject, time=at(second), data=data)


def test_events_are_counted_by_type_and_the_latest_of_each_entity_is_kept(
    consumer: Consumer,
) -> None:
    assert consumer.respond(batch(envelope(n) for n in range(1, 41))) == []
    assert consumer.totals == {"order": 10, "device": 10, "inventory": 10, "security": 10}
    # Of events 1 to 40 the first are the latest.
    assert {key: found for key, (found, _) in consumer.states.items()} == {
        f"{envelope(n)['type']}/s{n % 10}": f"e{n}" for n in range(20, 0, -1)
    }
    assert consumer.rejected == []


def test_a_state_says_all_of_its_event_and_text_survives(consumer: Consumer) -> None:
    data: dict[str, Any] = {"text": TEXT, TEXT: [1, 2.5, None, True, {}], "odd": "\x00\ufffe\uffff"}
    consumer.respond(batch([order("e1", "o-1", **data)]))
    [item] = consumer.dynamodb.tables["entities"].values()
    assert {name: TypeDeserializer().deserialize(value) for name, value in item.items()} == {
        "id": "order/o-1",
        "place": f"{at(0)}#e1",
        "event_id": "e1",
        "time": at(0),
        "source": "/aws-odyssey/ingest",
        "state": data,
    }


def test_a_batch_without_messages_is_no_call(consumer: Consumer) -> None:
    assert consumer.respond([]) == []
    assert consumer.operations == []


def test_an_event_counts_once_however_often_it_comes(consumer: Consumer) -> None:
    # GIVEN
    first = batch([order("e1", second=1, n=1), order("e2", second=2, n=2)])
    consumer.respond(first)
    before = json.dumps(consumer.dynamodb.tables)
    # WHEN it comes again: alone, twice in a batch, and as a replay
    replayed = delivered(order("e1", second=1, n=1), **{"replay-name": "since-10m"})
    for again in (first, first[:1], batch([order("e1", second=1, n=1)] * 2), batch([replayed])):
        assert consumer.respond(again) == []
    # THEN nothing has changed
    assert json.dumps(consumer.dynamodb.tables) == before


def test_events_of_two_sources_with_one_id_are_two(consumer: Consumer) -> None:
    there = envelope(1) | {"source": "/aws-odyssey/consumer"}
    assert consumer.respond(batch([envelope(1), there])) == []
    assert consumer.totals == {"device": 2}


def test_an_event_is_known_for_longer_than_it_can_come_back(consumer: Consumer) -> None:
    consumer.respond(batch([order("e1")]))
    [marker] = consumer.dynamodb.tables["markers"].values()
    assert marker["type"] == {"S": "order"}
    assert int(marker["expires_at"]["N"]) == int((NOON + timedelta(days=45)).timestamp())


@pytest.mark.parametrize("number", [2, 3])
def test_an_older_event_counts_and_changes_no_state(consumer: Consumer, number: int) -> None:
    # GIVEN
    consumer.respond(batch([order("e1", second=9, n=1)]))
    # WHEN an older one comes, and one of the same moment whose id sorts before
    older = {2: order("e2", second=8, n=2), 3: order("e0", second=9, n=3)}[number]
    consumer.respond(batch([older]))
    # THEN
    assert consumer.totals == {"order": 2}
    assert consumer.states == {"order/o": ("e1", {"n": 1})}
    [item] = consumer.dynamodb.tables["entities"].values()
    assert item["time"] == {"S": at(9)}


def test_of_one_moment_the_greatest_id_is_the_latest(consumer: Consumer) -> None:
    consumer.respond(batch([order("e10", n=1), order("e9", n=2), order("E99", n=3)]))
    assert consumer.states == {"order/o": ("e9", {"n": 2})}


def test_a_later_event_takes_the_place_of_the_state_whole(consumer: Consumer) -> None:
    consumer.respond(batch([order("e1", second=1, a=1, b=2)]))
    consumer.respond(batch([order("e2", second=2, c=3)]))
    assert consumer.states == {"order/o": ("e2", {"c": 3})}


def test_entities_of_two_types_may_have_one_id(consumer: Consumer) -> None:
    consumer.respond(batch([envelope(n, subject="same") for n in range(1, 5)]))
    assert consumer.states.keys() == {
        "order/same", "device/same", "inventory/same", "security/same"
    }  # fmt: skip


WRONG = {
    "no JSON": ("{", "not JSON"),
    "a text": ('"text"', "not an event of a bus"),
    "an envelope without a bus": (json.dumps(envelope(5)), "not an event of a bus"),
    "a detail that is a text": (
        delivered(envelope(5), detail=json.dumps(envelope(5))),
        "not an event of a bus",
    ),
    "an event of AWS": (
        delivered(envelope(5), detail={"state": "running", "instance-id": "i-1"}),
        "specversion",
    ),
    "a lone surrogate": ('{"detail": {"a": "\\ud800"}}', "surrogate"),
    "another type": (delivered(envelope(5, type="payment")), "type is not one of order"),
    "no subject": (delivered(envelope(5, subject=None)), "'subject'"),
    "too large": (delivered(envelope(5, data={"t": "x" * 200_000})), "more than 200000"),
    "a source of AWS": (delivered(envelope(5, source="aws.s3")), "'source' begins with"),
    "too far ahead": (delivered(envelope(5, time=at(3_601))), "more than an hour ahead"),
}


@pytest.mark.parametrize(("bad", "cause"), WRONG.values(), ids=WRONG.keys())
def test_a_foreign_message_is_rejected_as_it_came_and_counts_nothing(
    consumer: Consumer, bad: str, cause: str
) -> None:
    # WHEN the second of three is foreign
    assert consumer.respond(batch([order("e1"), bad, order("e3")])) == []
    # THEN
    [(record, texts)] = consumer.rejected
    assert record == received(bad, "m2")
    assert cause in texts.pop("cause")
    assert texts == {"source": "responder", "event_id": "m2"}
    assert consumer.totals == {"order": 2}
    assert len(consumer.markers) == 2


def test_an_event_an_hour_ahead_is_counted(consumer: Consumer) -> None:
    assert consumer.respond(batch([order("e1", second=3_600)])) == []
    assert consumer.totals == {"order": 1}


def test_an_event_that_comes_back_after_weeks_is_no_event_of_the_future(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(times, "now", lambda: NOON + timedelta(days=40))
    assert consumer.respond(batch([order("e1", second=3_600)])) == []
    assert consumer.totals == {"order": 1}


def test_an_event_as_deep_as_the_intake_takes_is_counted(consumer: Consumer) -> None:
    # GIVEN data that makes the envelope 30 levels deep; the bus adds one
    deep = json.loads('{"a":' * 28 + "{}" + "}" * 28)
    assert consumer.respond(batch([envelope(1, data=deep)])) == []
    assert consumer.rejected == []
    assert consumer.states == {"device/s1": ("e1", deep)}


def test_an_event_one_level_deeper_is_rejected(consumer: Consumer) -> None:
    deep = json.loads('{"a":' * 29 + "{}" + "}" * 29)
    assert consumer.respond(batch([envelope(1, data=deep)])) == []
    assert consumer.totals == {}
    [(_, texts)] = consumer.rejected
    assert "nested" in texts["cause"]


def test_a_thousand_events_take_at_most_110_calls(consumer: Consumer) -> None:
    # GIVEN events of as many entities
    records = batch(envelope(n, subject=f"s{n}") for n in range(1_000))
    # WHEN they come in batches of a hundred
    for start in range(0, 1_000, 100):
        assert consumer.respond(records[start : start + 100]) == []
    # THEN
    assert len(consumer.operations) <= 110
    assert consumer.totals == dict.fromkeys(("order", "device", "inventory", "security"), 250)
    assert len(consumer.states) == 1_000


def test_events_of_few_entities_take_fewer_calls(consumer: Consumer) -> None:
    consumer.respond(batch(envelope(n) for n in range(90)))
    assert consumer.operations == ["BatchGetItem", *["TransactWriteItems"] * 2]


def test_large_events_are_as_many_transactions_as_dynamodb_wants(consumer: Consumer) -> None:
    # GIVEN more than a transaction can hold
    large = [envelope(n, subject=f"s{n}", data={"t": "x" * 190_000}) for n in range(28)]
    # WHEN / THEN
    assert consumer.respond(batch(large)) == []
    assert sum(consumer.totals.values()) == 28
    assert len(consumer.operations) <= 4 + 1


def test_what_could_not_be_rejected_comes_again_alone(
    consumer: Consumer, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(call: Call) -> None:
        if call.arguments.get("QueueUrl") == REJECTS:
            raise refusal("AccessDenied", call.operation)

    consumer.dynamodb.before = refuse
    assert consumer.respond(batch([order("e1"), "{", order("e3")])) == [2]
    assert consumer.totals == {"order": 2}
    [logged] = [each for each in caplog.records if each.message == "failed"]
    assert vars(logged)["causes"] == {"AccessDenied": 1}


def test_what_happened_is_metrics(consumer: Consumer, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN
    consumer.respond(batch([order("e1")]))
    capsys.readouterr()
    # WHEN
    consumer.respond(batch([order("e1"), order("e2"), "{", "["]))
    # THEN
    [metrics] = [
        json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line
    ]
    counted = ("Events", "Messages")
    assert {name: value for name, value in metrics.items() if name.startswith(counted)} == {
        "EventsCounted": [1.0],
        "EventsAlreadyCounted": [1.0],
        "MessagesFailed": [0.0],
        "MessagesRejected": [2.0],
    }


def test_the_log_holds_no_payload(consumer: Consumer, log_of: Callable[..., io.StringIO]) -> None:
    log = log_of(responder.logger)
    consumer.respond(batch([order("e1", password="hunter2"), '{"hunter2"']))
    assert '"responded"' in log.getvalue()
    assert "hunter2" not in log.getvalue()


@pytest.mark.parametrize(
    "name", ["MARKERS_TABLE", "TOTALS_TABLE", "ENTITIES_TABLE", "REJECTS_QUEUE"]
)
def test_a_variable_that_the_stack_forgot_is_named(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name)
    settings.responder.cache_clear()
    with pytest.raises(MissingVariable, match=name):
        consumer.respond([])

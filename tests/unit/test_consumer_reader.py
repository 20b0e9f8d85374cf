"""GET /, GET /totals and GET /entities/{type}/{id}, from the gateway's event to the answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from consumer import reader, settings
from shared.environment import MissingVariable
from tests.builders import FakeContext, api_request
from tests.consumer import Consumer, batch
from tests.ingest import KINDS, TEXT, at, envelope

if TYPE_CHECKING:
    import io
    from collections.abc import Callable

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
NOWHERE = [
    "/entities/order/missing",
    "/entities/payment/s1",
    "/entities/orders/s1",
    "/entities/ORDER/s1",
    "/entities/order/",
    "/entities/order",
    "/entities",
    "/entities/order/s1/more",
    "/entities/order/é",
    "/entities/order/%2e%2e",
    "/entities/order/a b",
    "/entities/order/" + "s" * 256,
    "/entities/order/" + "s" * 10_000,
    "/total",
    "/totals/order",
]


def test_the_root_says_what_this_is(consumer: Consumer) -> None:
    status, body = consumer.get("/")
    assert status == 200
    assert body["service"] == "consumer"
    assert body["types"] == list(KINDS)
    assert body["routes"] == ["GET /totals", "GET /entities/{type}/{id}", "POST /events"]
    assert consumer.operations == []


def test_totals_are_zero_at_first(consumer: Consumer) -> None:
    assert consumer.get("/totals") == (200, {"totals": dict.fromkeys(KINDS, 0)})


def test_totals_say_how_many_events_of_each_type_there_were(consumer: Consumer) -> None:
    consumer.respond(batch(envelope(n, type=KINDS[n % 3]) for n in range(10)))
    expected = {"order": 4, "device": 3, "inventory": 3, "security": 0}
    assert consumer.get("/totals") == (200, {"totals": expected})


def test_totals_are_read_as_of_now_in_one_call(consumer: Consumer) -> None:
    consumer.get("/totals")
    [call] = consumer.dynamodb.calls
    assert call.operation == "BatchGetItem"
    assert call.arguments["RequestItems"]["totals"]["ConsistentRead"] is True


@pytest.mark.parametrize("kind", KINDS)
def test_an_entity_is_its_latest_state(consumer: Consumer, kind: str) -> None:
    for number, second in [(1, 5), (2, 9), (3, 7)]:
        detail = envelope(number, type=kind, subject="s", time=at(second), data={"n": number})
        consumer.respond(batch([detail]))
    assert consumer.get(f"/entities/{kind}/s") == (
        200,
        {
            "type": kind,
            "id": "s",
            "time": at(9),
            "event_id": "e2",
            "source": "/aws-odyssey/ingest",
            "state": {"n": 2},
        },
    )


@pytest.mark.parametrize(
    "data",
    [
        {"text": TEXT, TEXT: [TEXT]},
        {"n": [0, -1, 2**53 - 1, 0.1, 1e-130, 9.9e125], "more": [None, True, False, [], {}, ""]},
        {"odd": "\x00\x7f\u2028\ufffe\uffff"},
        {},
    ],
    ids=["the text", "every kind", "odd characters", "nothing"],
)
def test_a_state_is_as_it_was_put(consumer: Consumer, data: dict[str, Any]) -> None:
    consumer.respond(batch([envelope(1, type="order", subject="s", data=data)]))
    response = reader.handler(api_request("GET", "/entities/order/s"), FakeContext())
    state = json.loads(response["body"])["state"]
    assert state == data
    assert json.dumps(state) == json.dumps(data)
    assert TEXT not in data or TEXT in response["body"]


@pytest.mark.parametrize("subject", ["0", "a.b_c:d@e-f", "urn:device:7", "s" * 255])
def test_an_id_may_be_whatever_passes_through_a_path(consumer: Consumer, subject: str) -> None:
    consumer.respond(batch([envelope(1, type="order", subject=subject)]))
    status, body = consumer.get(f"/entities/order/{subject}")
    assert (status, body["id"]) == (200, subject)


@pytest.mark.parametrize("path", NOWHERE)
def test_what_is_not_there_is_a_problem(consumer: Consumer, path: str) -> None:
    consumer.respond(batch([envelope(1, type="order", subject="s1")]))
    status, problem = consumer.get(path)
    assert (status, problem["type"]) == (404, "urn:aws-odyssey:problem:unknown-entity")


def test_what_cannot_be_an_entity_is_not_asked_for(consumer: Consumer) -> None:
    for path in NOWHERE[1:]:
        consumer.get(path)
    assert consumer.operations == []


def test_reading_changes_nothing(consumer: Consumer) -> None:
    consumer.respond(batch([envelope(1)]))
    before = json.dumps(consumer.dynamodb.tables)
    for path in ("/", "/totals", "/entities/device/s1", *NOWHERE):
        consumer.get(path)
    assert json.dumps(consumer.dynamodb.tables) == before


def test_a_trouble_of_dynamodbs_is_raised_and_no_answer(consumer: Consumer) -> None:
    # A total that could not be read is not zero.
    consumer.dynamodb.leave_unprocessed = [4] * 8
    with pytest.raises(Exception, match="could not be read"):
        consumer.get("/totals")


def test_the_log_holds_no_state(consumer: Consumer, log_of: Callable[..., io.StringIO]) -> None:
    log = log_of(reader.logger)
    consumer.respond(batch([envelope(1, type="order", subject="s", data={"a": "hunter2"})]))
    consumer.get("/entities/order/s")
    consumer.get("/entities/order/missing")
    assert "unknown-entity" in log.getvalue()
    assert "hunter2" not in log.getvalue()


@pytest.mark.parametrize("name", ["TOTALS_TABLE", "ENTITIES_TABLE"])
def test_a_variable_that_the_stack_forgot_is_named(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name)
    settings.reader.cache_clear()
    with pytest.raises(MissingVariable, match=name):
        consumer.get("/totals")

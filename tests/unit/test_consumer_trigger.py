"""POST /events, from the gateway's event to the message that the responder reads."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from consumer import settings, trigger
from odyssey_cli.fuzz.hostile_json import BAD, NOT_CARRIED, NOT_JSON
from proofs.fakes.dynamodb import Call, refusal
from shared import times
from shared.environment import MissingVariable
from tests.consumer import QUEUE, Consumer, post_events, wanted
from tests.ingest import KINDS, NOON, TEXT, at

if TYPE_CHECKING:
    import io
    from collections.abc import Callable

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
MAX_BODY = 512 * 1024
WRONG: dict[str, dict[str, Any]] = {
    "no type": wanted(type=None),
    "another type": wanted(type="payment"),
    "a type that is a list": wanted(type=["order"]),
    "no subject": wanted(subject=None),
    "a subject with a slash": wanted(subject="a/b"),
    "a subject that is a number": wanted(subject=1),
    "no data": wanted(data=None),
    "data that is a list": wanted(data=[]),
    "data that is JSON in a text": wanted(data="{}"),
    "a day": wanted(time="2026-11-21"),
    "a time too far ahead": wanted(time=at(3_601)),
    "a time that is a number": wanted(time=1_795_000_000),
    "an id of its own": wanted(id="e1"),
    "a source of its own": wanted(source="/aws-odyssey/ingest"),
    "an unknown field": wanted(colour="red"),
    "nothing in it": {},
}
HOSTILE: dict[str, dict[str, Any]] = {
    **{f"body: {name}": post_events(body) for name, body in BAD.items()},
    **{
        f"text: {name}": post_events(body.decode())
        for name, body in (NOT_JSON | NOT_CARRIED).items()
    },
    **{
        f"content type {kind}": post_events(wanted(), content_type=kind)
        for kind in (None, "", "text/plain", "application/x-www-form-urlencoded")
    },
    **{f"scalar {body!r}": post_events(body) for body in (b"null", b"1", b'"a"', b"[]", b"true")},
    "no body": post_events(None),
    "no headers": {**post_events(wanted()), "headers": None, "multiValueHeaders": None},
    "base64 that is none": {**post_events("{}"), "isBase64Encoded": True},
    "megabytes": post_events(b"x" * 6_000_000),
    "an empty key": post_events(wanted(), key=""),
    "a key with a blank": post_events(wanted(), key="a b"),
    "a key too long": post_events(wanted(), key="k" * 256),
    "a key that is not ASCII": post_events(wanted(), key="é"),
    **{name: post_events(body) for name, body in WRONG.items()},
}


def details(consumer: Consumer) -> list[dict[str, Any]]:
    return [json.loads(each["body"])["detail"] for each in consumer.queued]


def is_untouched(consumer: Consumer) -> bool:
    return not consumer.queued and not any(consumer.dynamodb.tables.values())


def test_an_event_is_accepted_and_queued_as_the_bus_would(consumer: Consumer) -> None:
    # WHEN
    body = wanted(data={"text": TEXT})
    status, answer = consumer.post(post_events(body, request_id="request-1"))
    # THEN
    assert status == 202
    assert answer == {"event_id": str(uuid.UUID(answer["event_id"]))}
    [record] = consumer.queued
    assert json.loads(record["body"]) == {
        "detail-type": "order",
        "source": "/aws-odyssey/consumer",
        "resources": ["order/o-1"],
        "detail": {
            "specversion": "1.0",
            "id": answer["event_id"],
            "source": "/aws-odyssey/consumer",
            "type": "order",
            "subject": "o-1",
            "time": at(-60),
            "datacontenttype": "application/json",
            "correlationid": "request-1",
            "data": {"text": TEXT},
        },
    }
    assert TEXT in record["body"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_triggered_counts_and_is_the_latest_state(consumer: Consumer, kind: str) -> None:
    # WHEN
    data = {"text": TEXT, "odd": "\x00\ufffe\uffff", "n": [1, 2.5, None]}
    _, answer = consumer.post(post_events(wanted(type=kind, data=data)))
    assert consumer.respond(consumer.queued) == []
    # THEN
    assert consumer.totals == {kind: 1}
    status, found = consumer.get(f"/entities/{kind}/o-1")
    assert (status, found["event_id"], found["state"]) == (200, answer["event_id"], data)


@pytest.mark.parametrize("character", ["\ufffe", "\uffff", "\x00", "\x1f", "\x7f", "\u2028", "😀"])
def test_every_character_that_json_has_reaches_the_queue(
    consumer: Consumer, character: str
) -> None:
    status, _ = consumer.post(post_events(wanted(data={"text": character, character: 1})))
    assert status == 202
    assert details(consumer)[0]["data"] == {"text": character, character: 1}


def test_an_event_without_time_happens_now(consumer: Consumer) -> None:
    consumer.post(post_events(wanted(time=None)))
    assert details(consumer)[0]["time"] == at(0)


def test_data_may_be_as_deep_as_json_can_be_here(consumer: Consumer) -> None:
    deep = json.loads('{"a":' * 28 + "{}" + "}" * 28)
    assert consumer.post(post_events(wanted(data=deep)))[0] == 202
    assert consumer.respond(consumer.queued) == []
    assert consumer.rejected == []
    assert consumer.totals == {"order": 1}


def test_no_hostile_request_raises_is_answered_5xx_or_leaves_anything(consumer: Consumer) -> None:
    answers = {name: consumer.post(request) for name, request in HOSTILE.items()}
    wrong = {name: answer for name, answer in answers.items() if not 400 <= answer[0] < 500}
    assert wrong == {}
    assert is_untouched(consumer)


@pytest.mark.parametrize(
    ("request_", "status", "type"),
    [
        (post_events(b"{"), 400, "invalid-json"),
        (post_events(b"{}", content_type="text/plain"), 400, "content-type"),
        (post_events(b""), 400, "empty-body"),
        (post_events(b"[]"), 400, "not-an-object"),
        (post_events(wanted(), key="a b"), 400, "idempotency-key"),
        (post_events(wanted(colour=1)), 400, "unknown-field"),
        (post_events(wanted(type="payment")), 400, "unknown-type"),
        (post_events(wanted(subject="a/b")), 400, "not-an-event"),
        (post_events(wanted(data={"t": "x" * 200_000})), 413, "event-too-large"),
        (post_events(b" " * (MAX_BODY + 1)), 413, "body-too-large"),
    ],
)
def test_a_refusal_is_a_problem_with_a_stable_type(
    consumer: Consumer, request_: dict[str, Any], status: int, type: str
) -> None:
    answered, problem = consumer.post(request_)
    assert (answered, problem["type"]) == (status, f"urn:aws-odyssey:problem:{type}")
    assert is_untouched(consumer)


def test_an_event_may_be_written_in_more_bytes_than_it_has(consumer: Consumer) -> None:
    data = {"text": "é" * 80_000}
    body = json.dumps(wanted(data=data)).encode()
    assert 200_000 < len(body) <= MAX_BODY
    assert consumer.post(post_events(body.ljust(MAX_BODY)))[0] == 202
    assert details(consumer)[0]["data"] == data


def test_one_key_sent_twice_is_one_event_that_is_queued_again(consumer: Consumer) -> None:
    # WHEN the same body comes in another spelling, by another session of the caller, later
    first = consumer.post(post_events(wanted(data={"a": 1, "b": 2}), key="k"))
    again = consumer.post(
        post_events(
            json.dumps(wanted(data={"b": 2.0, "a": 1}), indent=1).encode(),
            key="k",
            caller="AROAEXAMPLEROLE:session-2",
        )
    )
    # THEN
    assert first == again
    assert first[0] == 202
    assert [each["id"] for each in details(consumer)] == [first[1]["event_id"]] * 2
    # AND it counts once
    consumer.respond(consumer.queued)
    assert consumer.totals == {"order": 1}


def test_a_key_sent_again_later_changes_no_state_by_its_later_time(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an event of now that was counted, and one that came after it
    consumer.post(post_events(wanted(time=None, data={"n": 1}), key="k"))
    consumer.post(post_events(wanted(time=at(5), data={"n": 2})))
    consumer.respond(consumer.queued)
    # WHEN the first request is repeated
    monkeypatch.setattr(times, "now", lambda: NOON + timedelta(minutes=1))
    assert consumer.post(post_events(wanted(time=None, data={"n": 1}), key="k"))[0] == 202
    consumer.respond(consumer.queued)
    # THEN
    assert consumer.totals == {"order": 2}
    assert consumer.states["order/o-1"][1] == {"n": 2}


def test_one_key_with_another_body_is_refused_and_not_queued(consumer: Consumer) -> None:
    consumer.post(post_events(wanted(data={"a": 1}), key="k"))
    before = json.dumps(consumer.dynamodb.tables)
    status, problem = consumer.post(post_events(wanted(data={"a": 2}), key="k"))
    assert (status, problem["type"]) == (422, "urn:aws-odyssey:problem:idempotency-key-reused")
    assert len(consumer.queued) == 1
    assert json.dumps(consumer.dynamodb.tables) == before


@pytest.mark.parametrize(
    ("caller", "events"),
    [("AROA1:session-2", 1), ("AROA2:session-1", 2), ("AIDA1", 2)],
    ids=["the same role in another session", "another role", "a user"],
)
def test_a_key_belongs_to_its_caller(consumer: Consumer, caller: str, events: int) -> None:
    consumer.post(post_events(wanted(), key="k", caller="AROA1:session-1"))
    consumer.post(post_events(wanted(), key="k", caller=caller))
    assert len({each["id"] for each in details(consumer)}) == events


def test_equal_requests_without_key_are_two_events(consumer: Consumer) -> None:
    assert consumer.post(post_events(wanted())) != consumer.post(post_events(wanted()))
    consumer.respond(consumer.queued)
    assert consumer.totals == {"order": 2}


def test_a_key_is_known_for_as_long_as_its_event_is(consumer: Consumer) -> None:
    consumer.post(post_events(wanted(), key="k"))
    [item] = consumer.dynamodb.tables["requests"].values()
    assert item["expires_at"] == {"N": str(int((NOON + timedelta(days=45)).timestamp()))}


@pytest.mark.parametrize(
    "error",
    [refusal("AccessDenied", "SendMessageBatch"), ReadTimeoutError(endpoint_url=QUEUE)],
    ids=["refused", "no answer"],
)
@pytest.mark.parametrize("side", ["before", "after"])
def test_when_the_queue_does_not_answer_a_retry_with_the_same_key_counts_once(
    consumer: Consumer, side: str, error: Exception
) -> None:
    # GIVEN
    def fail(call: Call) -> None:
        if call.operation == "SendMessageBatch":
            raise error

    setattr(consumer.dynamodb, side, fail)
    # WHEN
    status, problem = consumer.post(post_events(wanted(), key="k"))
    assert (status, problem["type"]) == (503, "urn:aws-odyssey:problem:not-queued")
    # THEN
    setattr(consumer.dynamodb, side, lambda _call: None)
    assert consumer.post(post_events(wanted(), key="k"))[0] == 202
    consumer.respond(consumer.queued)
    assert consumer.totals == {"order": 1}


def test_what_the_queue_refuses_is_sent_again_before_anybody_is_told(consumer: Consumer) -> None:
    consumer.sqs.refuse_next = [1, 1]
    assert consumer.post(post_events(wanted()))[0] == 202
    assert len(consumer.queued) == 1


def test_what_happened_is_metrics(consumer: Consumer, capsys: pytest.CaptureFixture[str]) -> None:
    consumer.post(post_events(wanted(), key="k"))
    consumer.post(post_events(wanted(), key="k"))
    consumer.post(post_events(b"{"))
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    names = [{name for name in each if name.startswith("Events")} for each in found]
    assert names == [{"EventsTriggered"}, {"EventsTriggeredAgain"}, {"EventsRefused"}]


def test_no_log_line_holds_a_body(consumer: Consumer, log_of: Callable[..., io.StringIO]) -> None:
    log = log_of(trigger.logger)
    consumer.post(post_events(wanted(data={"password": "hunter2"})))
    consumer.post(post_events(b'{"hunter2":1,"hunter2":2}', request_id="request-2"))
    [line] = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (line["problem"], line["correlation_id"]) == ("invalid-json", "request-2")
    assert "hunter2" not in log.getvalue()


@pytest.mark.parametrize("name", ["REQUESTS_TABLE", "EVENTS_QUEUE"])
def test_a_variable_that_the_stack_forgot_is_named(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name)
    settings.trigger.cache_clear()
    with pytest.raises(MissingVariable, match=name):
        consumer.post(post_events(wanted()))

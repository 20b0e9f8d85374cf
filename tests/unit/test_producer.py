"""POST /trigger-event, from the gateway's event to the item in the table."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from boto3.dynamodb.types import TypeDeserializer

from event_aggregator import producer, settings
from odyssey_cli.fuzz.hostile_json import BAD, BAD_CONTENT_TYPES, NOT_CARRIED, NOT_JSON
from shared import times
from tests.builders import FakeContext, trigger
from tests.unit.aws import Aws, make_table
from tests.unit.test_requests import object_of
from tests.unit.test_strict_json import GOOD

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator

TEXT = "Åsa café 😀 R&D C# 1+1 50% a;b %41"
KIB_64 = 64 * 1024
HOSTILE: dict[str, dict[str, Any]] = {
    **{f"body: {name}": trigger(body) for name, body in BAD.items()},
    **{f"text: {name}": trigger(body.decode()) for name, body in (NOT_JSON | NOT_CARRIED).items()},
    **{f"content type {kind}": trigger(b"{}", content_type=kind) for kind in BAD_CONTENT_TYPES},
    **{f"scalar {body!r}": trigger(body) for body in (b"null", b"1", b'"a"', b"[]", b"true")},
    "no body": trigger(None),
    "no headers": {**trigger(b"{}"), "headers": None, "multiValueHeaders": None},
    "base64 that is none": {**trigger("{}"), "isBase64Encoded": True},
    "base64 that is not even ASCII": {**trigger("é"), "isBase64Encoded": True},
    "a byte too long": trigger(object_of(KIB_64 + 1)),
    "megabytes": trigger(b"x" * 6_000_000),
    "an empty key": trigger({}, key=""),
    "a key with a blank": trigger({}, key="a b"),
    "a key too long": trigger({}, key="k" * 256),
    "a key that is not ASCII": trigger({}, key="é"),
}
Answer = tuple[int, Any]


@pytest.fixture
def table(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = make_table(aws.client)
    monkeypatch.setenv("EVENTS_TABLE", name)
    monkeypatch.setenv("GROUP_BY", "[]")
    monkeypatch.setenv("EVENT_TTL_DAYS", "0")
    settings.producer.cache_clear()
    yield name
    settings.producer.cache_clear()


@pytest.fixture
def post(table: str) -> Callable[[dict[str, Any]], Answer]:
    def post(request: dict[str, Any]) -> Answer:
        response = producer.handler(request, FakeContext())
        kind = "application/json" if response["statusCode"] == 202 else "application/problem+json"
        assert response["multiValueHeaders"]["Content-Type"] == [kind]
        return response["statusCode"], json.loads(response["body"])

    return post


def test_an_event_is_accepted_and_stored_as_it_was_sent(
    post: Callable[..., Answer], aws: Aws, table: str
) -> None:
    # GIVEN
    body = {"type": TEXT, "n": [1, 1.5, None, True], TEXT: {}}
    # WHEN
    status, receipt = post(trigger(body, request_id="request-1"))
    # THEN
    assert status == 202
    assert set(receipt) == {"event_id", "received_at"}
    [item] = aws.items(table)
    found = {name: TypeDeserializer().deserialize(value) for name, value in item.items()}
    assert found["id"] == receipt["event_id"] == str(uuid.UUID(found["id"]))
    assert found["received_at"] == receipt["received_at"]
    assert found["data"] == body
    assert found["correlation_id"] == "request-1"


@pytest.mark.parametrize("body", [body for body in GOOD.values() if body.strip().startswith(b"{")])
def test_every_good_object_is_accepted(
    post: Callable[..., Answer], aws: Aws, table: str, body: bytes
) -> None:
    assert post(trigger(body))[0] == 202
    assert len(aws.items(table)) == 1


def test_64_kib_are_stored(post: Callable[..., Answer], aws: Aws, table: str) -> None:
    assert post(trigger(object_of(KIB_64)))[0] == 202
    assert len(aws.items(table)) == 1


def test_no_hostile_request_raises_is_answered_5xx_or_stores_anything(
    post: Callable[..., Answer], aws: Aws, table: str
) -> None:
    answers = {name: post(request) for name, request in HOSTILE.items()}
    wrong = {name: answer for name, answer in answers.items() if not 400 <= answer[0] < 500}
    assert wrong == {}
    assert aws.items(table) == []


@pytest.mark.parametrize(
    ("request_", "status", "type"),
    [
        (trigger(b"{", content_type="application/json"), 400, "invalid-json"),
        (trigger(b"{}", content_type="text/plain"), 400, "content-type"),
        (trigger(b""), 400, "empty-body"),
        (trigger(b"[]"), 400, "not-an-object"),
        (trigger({}, key="a b"), 400, "idempotency-key"),
        (trigger(object_of(KIB_64 + 1)), 413, "body-too-large"),
    ],
)
def test_a_refusal_is_a_problem_with_a_stable_type(
    post: Callable[..., Answer], request_: dict[str, Any], status: int, type: str
) -> None:
    answered, problem = post(request_)
    assert (answered, problem["status"]) == (status, status)
    assert problem["type"] == f"urn:aws-odyssey:problem:{type}"
    assert problem["detail"].endswith(".")


def test_one_key_sent_twice_is_one_event_with_one_receipt(
    post: Callable[..., Answer], aws: Aws, table: str
) -> None:
    first = post(trigger({"a": 1, "b": 2}, key="k"))
    again = post(trigger(b'{"b":2.0,"a":1}', key="k"))
    assert first == again
    assert first[0] == 202
    assert len(aws.items(table)) == 1


def test_one_key_with_another_body_is_refused_and_the_first_stays(
    post: Callable[..., Answer], aws: Aws, table: str
) -> None:
    post(trigger({"a": 1}, key="k"))
    before = aws.items(table)
    status, problem = post(trigger({"a": 2}, key="k"))
    assert (status, problem["type"]) == (422, "urn:aws-odyssey:problem:idempotency-key-reused")
    assert aws.items(table) == before


@pytest.mark.parametrize(
    ("caller", "events"),
    [("AROA1:session-2", 1), ("AROA2:session-1", 2), ("AIDA1", 2)],
    ids=["the same role in another session", "another role", "a user"],
)
def test_a_key_belongs_to_its_caller(
    post: Callable[..., Answer], aws: Aws, table: str, caller: str, events: int
) -> None:
    post(trigger({}, key="k", caller="AROA1:session-1"))
    post(trigger({}, key="k", caller=caller))
    assert len(aws.items(table)) == events


def test_a_request_without_caller_is_served(post: Callable[..., Answer]) -> None:
    assert post(trigger({}, key="k", caller=None))[0] == 202


def test_equal_requests_without_key_are_two_events(
    post: Callable[..., Answer], aws: Aws, table: str
) -> None:
    assert post(trigger({}))[1]["event_id"] != post(trigger({}))[1]["event_id"]
    assert len(aws.items(table)) == 2


def test_the_configured_fields_make_the_group(
    post: Callable[..., Answer], aws: Aws, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    monkeypatch.setenv("GROUP_BY", '["type"]')
    # WHEN
    for number in range(3):
        post(trigger({"type": "x", "n": number}))
    status, problem = post(trigger({"n": 1}))
    # THEN
    assert {item["group_label"]["S"] for item in aws.items(table)} == {'{"type":"x"}'}
    assert len(aws.items(table)) == 3
    assert (status, problem["type"]) == (400, "urn:aws-odyssey:problem:missing-field")


def test_an_event_expires_when_the_stack_says_so(
    post: Callable[..., Answer], aws: Aws, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENT_TTL_DAYS", "2")
    post(trigger({}))
    [item] = aws.items(table)
    received = datetime.fromisoformat(item["received_at"]["S"])
    expires = datetime.fromtimestamp(int(item["expires_at"]["N"]), tz=received.tzinfo)
    assert timedelta(0) <= received + timedelta(days=2) - expires < timedelta(seconds=1)


def test_events_of_one_moment_are_as_many_items(
    post: Callable[..., Answer], aws: Aws, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = times.now()
    monkeypatch.setattr(times, "now", lambda: moment)
    for _ in range(100):
        assert post(trigger({}))[0] == 202
    assert len(aws.items(table)) == 100


def test_accepted_repeated_and_refused_events_are_metrics(
    post: Callable[..., Answer], capsys: pytest.CaptureFixture[str]
) -> None:
    post(trigger({}, key="k"))
    post(trigger({}, key="k"))
    post(trigger(b"{"))
    counted = [line for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    names = [
        set(json.loads(line)) & {"EventsAccepted", "EventsRepeated", "EventsRefused"}
        for line in counted
    ]
    assert names == [{"EventsAccepted"}, {"EventsRepeated"}, {"EventsRefused"}]


def test_no_log_line_holds_a_body(
    post: Callable[..., Answer], log_of: Callable[..., io.StringIO]
) -> None:
    log = log_of(producer.logger)
    post(trigger({"secret": "hunter2"}, request_id="request-1"))
    post(trigger(b'{"hunter2":1,"hunter2":2}', request_id="request-2"))
    [line] = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (line["problem"], line["correlation_id"]) == ("invalid-json", "request-2")
    assert "hunter2" not in log.getvalue()

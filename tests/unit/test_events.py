"""What an event is: its group, its identity, and how it is stored once."""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from event_aggregator import events
from event_aggregator.events import Event, Receipt, make_event, store
from proofs.fakes.dynamodb import FakeDynamoDB
from shared import strict_json
from shared.problems import Problem
from shared.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

NOON = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
TEXT = "Åsa café 😀 R&D C# 1+1 50% a;b %41"


def event_of(
    body: bytes | str,
    *,
    group_by: Sequence[str] = (),
    key: str | None = None,
    caller: str = "AROA1",
    at: datetime = NOON,
    request: str = "request-1",
) -> Event:
    return make_event(
        strict_json.parse(body.encode() if isinstance(body, str) else body),
        group_by=group_by,
        idempotency_key=key,
        caller=caller,
        received_at=at,
        correlation_id=request,
    )


def stored(event: Event, client: FakeDynamoDB, ttl_days: int | None = None) -> Receipt:
    return store(event, table="events", ttl_days=ttl_days, client=client)  # type: ignore[arg-type]


@pytest.fixture
def client() -> FakeDynamoDB:
    return FakeDynamoDB.with_tables("events")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a":1,"b":2}', '{"b":2,"a":1}'),
        ('{"a":1}', '{"a":1.0}'),
        ('{"a":{"x":1,"y":[2]}}', '{"a": {"y":[2.0], "x":1e0}}'),
        (f'{{"a":"{TEXT}"}}', '{"a":' + json.dumps(TEXT) + "}"),
    ],
)
def test_the_spelling_of_a_body_does_not_split_its_group(one: str, other: str) -> None:
    assert event_of(one).group == event_of(other).group
    assert event_of(one).group_label == event_of(other).group_label
    assert event_of(one).fingerprint == event_of(other).fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [('{"a":1}', '{"a":"1"}'), ('{"a":[1,2]}', '{"a":[2,1]}'), ('{"a":1}', '{"A":1}')],
)
def test_different_bodies_are_different_groups(one: str, other: str) -> None:
    assert event_of(one).group != event_of(other).group


def test_a_group_is_the_hash_of_its_canonical_json_and_the_label_is_that_json() -> None:
    event = event_of('{"b":1.0,"a":"Å"}')
    assert event.group_label == '{"a":"Å","b":1}'
    assert event.group == hashlib.sha256('{"a":"Å","b":1}'.encode()).hexdigest()


def test_events_are_grouped_by_the_named_fields_alone() -> None:
    # GIVEN
    by_type = {"group_by": ("type", "city")}
    one = event_of('{"type":"x","city":"Åre","n":1}', **by_type)  # type: ignore[arg-type]
    # WHEN
    same = event_of('{"n":2,"city":"Åre","type":"x"}', **by_type)  # type: ignore[arg-type]
    other = event_of('{"n":1,"city":"Umeå","type":"x"}', **by_type)  # type: ignore[arg-type]
    # THEN
    assert one.group == same.group != other.group
    assert one.group_label == '{"city":"Åre","type":"x"}'
    assert one.fingerprint != same.fingerprint


def test_null_is_a_value_to_group_by_but_an_absent_field_is_not() -> None:
    assert event_of('{"a":null}', group_by=["a"]).group_label == '{"a":null}'
    with pytest.raises(Problem, match=r"missing-field.*'b'") as problem:
        event_of('{"a":null}', group_by=["a", "b"])
    assert problem.value.status == 400


@pytest.mark.parametrize("character", ["a", "é", "€", "😀"])
@pytest.mark.parametrize("offset", range(4))
def test_a_long_label_is_cut_at_a_character_to_a_kilobyte(character: str, offset: int) -> None:
    # GIVEN characters of several bytes, at every position against the limit
    text = "x" * offset + character * 2_000
    # WHEN
    label = event_of(f'{{"a":"{text}"}}').group_label
    # THEN
    assert label.endswith("…")
    assert f'{{"a":"{text}'.startswith(label[:-1])
    assert 1024 - 4 < len(label.encode()) <= 1024


@pytest.mark.parametrize(("size", "cut"), [(1024, False), (1025, True)])
def test_a_label_of_exactly_a_kilobyte_is_whole(*, size: int, cut: bool) -> None:
    body = f'{{"a":"{"x" * (size - 8)}"}}'
    assert len(body) == size
    label = event_of(body).group_label
    assert (label != body) == cut
    assert len(label.encode()) <= 1024


@pytest.mark.parametrize("size", [2_048, 2_049, 60_000])
def test_a_group_key_longer_than_dynamodb_takes_is_stored_hashed(
    size: int, client: FakeDynamoDB
) -> None:
    # GIVEN two bodies that differ in the last byte alone
    one, other = (event_of(f'{{"a":"{"x" * size}{last}"}}') for last in "12")
    # WHEN
    stored(one, client)
    # THEN a key of 64 bytes, still one per group
    [item] = client.tables["events"].values()
    assert len(item["group"]["S"]) == 64
    assert one.group != other.group
    assert one.group_label == other.group_label


def test_without_a_key_every_request_is_a_new_event() -> None:
    ids = {event_of("{}").id for _ in range(1_000)}
    assert len(ids) == 1_000
    assert all(uuid.UUID(each) for each in ids)


def test_a_key_gives_the_same_id_to_the_same_caller_only() -> None:
    known = event_of("{}", key="k").id
    assert event_of('{"a":1}', key="k", at=NOON + timedelta(days=9)).id == known
    assert event_of("{}", key="k", caller="AROA2").id != known
    assert event_of("{}", key="K").id != known
    assert str(uuid.UUID(known)) == known


def test_caller_and_key_cannot_be_mistaken_for_another_caller_and_key() -> None:
    assert event_of("{}", caller="a", key="bc").id != event_of("{}", caller="ab", key="c").id


@pytest.mark.parametrize("key", ["!", "~", "k" * 255, "a-b_c.d:e/f", "'\"\\{}"])
def test_visible_ascii_is_a_key(key: str) -> None:
    assert event_of("{}", key=key).id


@pytest.mark.parametrize(
    "key", ["", " ", "a b", "k" * 256, "é", "😀", "a\n", "\x7f", "\x00", "a\t"]
)
def test_anything_else_is_no_key(key: str) -> None:
    with pytest.raises(Problem, match="idempotency-key") as problem:
        event_of("{}", key=key)
    assert problem.value.status == 400


def test_an_event_is_stored_with_all_that_later_hops_need(client: FakeDynamoDB) -> None:
    event = event_of(f'{{"a":"{TEXT}","n":[1,1.5,null,true]}}')
    receipt = stored(event, client)
    assert receipt == Receipt(event.id, "2026-11-21T12:00:00.123456Z", repeated=False)
    assert client.tables["events"] == {
        event.id: {
            "id": {"S": event.id},
            "received_at": {"S": "2026-11-21T12:00:00.123456Z"},
            "data": {
                "M": {
                    "a": {"S": TEXT},
                    "n": {"L": [{"N": "1"}, {"N": "1.5"}, {"NULL": True}, {"BOOL": True}]},
                }
            },
            "group": {"S": event.group},
            "group_label": {"S": event.group_label},
            "fingerprint": {"S": event.fingerprint},
            "correlation_id": {"S": "request-1"},
        }
    }


def test_an_event_expires_after_the_days_configured(client: FakeDynamoDB) -> None:
    stored(event_of("{}"), client, ttl_days=7)
    [item] = client.tables["events"].values()
    assert item["expires_at"] == {"N": str(int((NOON + timedelta(days=7)).timestamp()))}


@pytest.mark.parametrize("ttl_days", [None, 0])
def test_an_event_stays_when_no_days_are_configured(
    ttl_days: int | None, client: FakeDynamoDB
) -> None:
    stored(event_of("{}"), client, ttl_days=ttl_days)
    assert "expires_at" not in next(iter(client.tables["events"].values()))


def test_a_repeated_key_gets_the_first_receipt_and_stores_nothing(client: FakeDynamoDB) -> None:
    # GIVEN
    first = stored(event_of('{"a":1,"b":2}', key="k"), client)
    before = dict(client.tables["events"])
    # WHEN it comes again, later, spelt otherwise
    later = event_of('{"b":2.0,"a":1}', key="k", at=NOON + timedelta(hours=1), request="request-2")
    again = stored(later, client)
    # THEN
    assert again == Receipt(first.event_id, first.received_at, repeated=True)
    assert client.tables["events"] == before


def test_a_lost_answer_that_the_sdk_asks_for_again_is_no_repetition(client: FakeDynamoDB) -> None:
    event = event_of("{}")
    assert stored(event, client) == stored(event, client)
    assert not stored(event, client).repeated


def test_a_key_used_for_another_body_is_refused_and_changes_nothing(client: FakeDynamoDB) -> None:
    # GIVEN
    stored(event_of('{"a":1}', key="k"), client)
    before = dict(client.tables["events"])
    # WHEN
    with pytest.raises(Problem, match="idempotency-key-reused") as problem:
        stored(event_of('{"a":2}', key="k", request="request-2"), client)
    # THEN
    assert problem.value.status == 422
    assert client.tables["events"] == before


def test_ten_thousand_events_of_one_microsecond_are_ten_thousand_items(
    client: FakeDynamoDB,
) -> None:
    data = strict_json.parse(b'{"type":"tick"}')
    for number in range(10_000):
        event = make_event(
            data,
            group_by=(),
            idempotency_key=None,
            caller="AROA1",
            received_at=NOON,
            correlation_id=f"request-{number}",
        )
        stored(event, client)
    assert len(client.tables["events"]) == 10_000


def test_times_sort_as_text() -> None:
    moments = [NOON + timedelta(microseconds=step) for step in (-123456, -1, 0, 1, 10, 876544)]
    texts = [rfc3339(moment) for moment in moments]
    assert texts == sorted(texts)
    assert {len(text) for text in texts} == {27}


def test_any_error_but_the_condition_is_raised(client: FakeDynamoDB) -> None:
    class Broken(Exception):  # noqa: N818
        pass

    def refuse(_call: Any) -> None:
        raise Broken

    client.before = refuse
    with pytest.raises(Broken):
        stored(event_of("{}"), client)


def test_the_body_limit_is_64_kib() -> None:
    assert events.MAX_BODY_BYTES == 65_536

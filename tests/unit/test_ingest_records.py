"""What producers put is an event with everything that later hops need, or refused with a cause."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest

from ingest.records import Record
from odyssey_cli.fuzz.hostile_json import BAD
from shared.rejects import Unprocessable
from tests.ingest import NOON, STREAM, TEXT, as_bytes, at, fields, put

LARGEST = 200_000


def read(value: object, id: str = "r1", *, stream: str = STREAM, **changes: Any) -> dict[str, Any]:
    """Return the envelope that is made of a record."""
    record = Record.of(put(value, id, **changes), stream=stream)
    envelope: dict[str, Any] = json.loads(record.event().text)
    return envelope


def cause(value: object) -> str:
    with pytest.raises(Unprocessable) as refused:
        read(value)
    return str(refused.value)


def of_size(size: int) -> dict[str, Any]:
    """Return a record whose event has so many bytes."""
    empty = len(json.dumps(read(fields(data={"text": ""})), ensure_ascii=False).encode())
    return fields(data={"text": "x" * (size - empty)})


def test_an_event_says_what_the_producer_said_and_who_says_so() -> None:
    assert read(fields(1, id="order-1", correlationid="c-1")) == {
        "specversion": "1.0",
        "id": "order-1",
        "source": "/aws-odyssey/ingest",
        "type": "device",
        "subject": "s1",
        "time": "2026-11-21T11:59:59.000000Z",
        "datacontenttype": "application/json",
        "correlationid": "c-1",
        "data": {"number": 1, "text": TEXT},
    }


def test_what_nothing_else_correlates_is_correlated_by_the_event_id() -> None:
    assert read(fields(id="e1"))["correlationid"] == "e1"
    derived = read(fields(id=None))
    assert derived["correlationid"] == derived["id"]


def test_null_is_the_same_as_absent() -> None:
    value = fields() | {"id": None, "correlationid": None}
    assert read(value) == read(fields(id=None))


def test_an_event_without_id_gets_the_one_of_its_record_whenever_that_comes() -> None:
    # WHEN Firehose hands over a record twice
    first, again = read(fields(id=None)), read(fields(id=None))
    # THEN
    assert first == again
    assert first["id"] == str(uuid.UUID(first["id"]))


def named(value: object) -> tuple[str, str]:
    """Return the id by which a record is known if it is refused, and the derived one."""
    record = Record.of(put(value), stream=STREAM)
    return record.named_id, record.event_id


@pytest.mark.parametrize(
    "value",
    [
        fields(id="order-1"),
        fields(id="order-1", type=None),
        {"id": "order-1"},
        fields(id="i" * 255),
    ],
    ids=["an event", "an event without type", "an id alone", "a long id"],
)
def test_a_record_is_known_by_the_id_that_its_producer_gave(value: dict[str, Any]) -> None:
    assert named(value)[0] == value["id"]


@pytest.mark.parametrize(
    "value",
    [
        fields(id=None),
        *(
            fields(id=given)
            for given in ("", "a b", "é", "a\nb", "i" * 256, 1, True, ["a"], {"a": 1})
        ),
        [fields(id="a")],
        b'"a"',
        b'{"id": "a"',
        b'{"id": "a", "id": "b"}',
        b"\xff",
    ],
)
def test_a_record_whose_producer_gave_no_usable_id_is_known_by_the_derived_one(
    value: object,
) -> None:
    name, derived = named(value)
    assert name == derived


def test_equal_readings_in_two_records_are_two_events() -> None:
    assert read(fields(id=None), "r1")["id"] != read(fields(id=None), "r2")["id"]


def test_records_of_two_streams_are_two_events() -> None:
    other = STREAM.replace("us-east-1", "eu-west-1")
    assert read(fields(id=None))["id"] != read(fields(id=None), stream=other)["id"]


@pytest.mark.parametrize("text", [TEXT, "\x00\x1f\x7f\x85\u2028\ufffe\uffff", "\\ufffe", ""])
def test_data_is_as_it_was_put(text: str) -> None:
    data: dict[str, Any] = {
        "text": text,
        "more": [1, 1.5, -0.25, None, True, {}, [], {"a": [text]}],
    }
    assert read(fields(data=data))["data"] == data


def test_data_may_be_empty_and_have_any_names() -> None:
    assert read(fields(data={}))["data"] == {}
    assert read(fields(data={TEXT: 1}))["data"] == {TEXT: 1}


def test_a_time_of_another_zone_is_written_in_utc() -> None:
    assert read(fields(time="2026-11-21t13:30:00+02:00"))["time"] == at(-1_800)


@pytest.mark.parametrize("hours", [1, -24, -1_000_000])
def test_a_time_may_be_long_ago_or_an_hour_ahead(hours: int) -> None:
    assert read(fields(time=at(3_600 * hours)))["time"] == at(3_600 * hours)


def test_a_record_that_waited_is_judged_by_the_time_it_was_put() -> None:
    with pytest.raises(Unprocessable, match="more than an hour ahead"):
        read(fields(time=at(0)), arrived=NOON - timedelta(hours=2))


def test_an_event_may_have_200_000_bytes() -> None:
    made = read(of_size(LARGEST))
    assert len(json.dumps(made, ensure_ascii=False).encode()) == LARGEST
    assert cause(of_size(LARGEST + 1)) == "The event has 200001 bytes, more than 200000."


def test_the_size_is_that_of_the_event_not_of_how_it_was_written() -> None:
    text = json.dumps(fields(data={"text": "é" * 90_000}), indent=40)
    assert len(text) > 2 * LARGEST
    assert read(text.encode())["data"] == {"text": "é" * 90_000}


def changed(name: str, value: object = None) -> dict[str, Any]:
    """Return a record with another value in a field, or none."""
    return fields(1, **{name: value})


WRONG: dict[str, tuple[object, str]] = {
    "an array": (b"[]", "not a JSON object"),
    "a text": (b'"text"', "not a JSON object"),
    "null": (b"null", "not a JSON object"),
    "JSON in a text": (json.dumps(json.dumps(fields())).encode(), "not a JSON object"),
    "two objects": (as_bytes(fields()) + b"\n" + as_bytes(fields()), "Extra data"),
    "an empty object": ({}, "no text 'type'"),
    **{
        f"a {name} that is {value!r}": (changed(name, value), f"'{name}'")
        for name in ("id", "type", "subject", "time", "correlationid")
        for value in ("", 1, True, 1.5, [], ["a"], {}, {"a": "b"})
    },
    **{f"no {name}": (changed(name), f"'{name}'") for name in ("type", "subject", "time")},
    "no data": (fields(data=None), "data is not a JSON object"),
    "data that is a list": (fields(data=[1]), "data is not a JSON object"),
    "data that is JSON in a text": (fields(data='{"a": 1}'), "data is not a JSON object"),
    "an unknown field": (fields(colour="red"), "unknown field, 'colour'"),
    "an envelope": (fields(specversion="1.0"), "unknown field, 'specversion'"),
    "another source": (fields(source="/elsewhere"), "unknown field, 'source'"),
    "an id with a line break": (fields(id="a\nb"), "'id' has a control character"),
    "an id with a control character": (fields(id="a\x7fb"), "'id' has a control character"),
    "an id with a blank": (fields(id="a b"), "'id' is not 1 to 255 visible ASCII"),
    "an id that is not ASCII": (fields(id="é"), "'id' is not 1 to 255 visible ASCII"),
    "an id of 256 characters": (fields(id="i" * 256), "'id' is not 1 to 255 visible ASCII"),
    "a type in capitals": (fields(type="Order"), "'type' is not made of"),
    "a type with a slash": (fields(type="a/b"), "'type' is not made of"),
    "a type that leaves its folder": (fields(type="../order"), "'type' is not made of"),
    "a type of 65 characters": (fields(type="t" * 65), "'type' is not made of"),
    "a subject with a slash": (fields(subject="a/b"), "'subject' is not made of"),
    "a subject with a blank": (fields(subject="a b"), "'subject' is not made of"),
    "a subject in other letters": (fields(subject="café"), "'subject' is not made of"),
    "a subject that begins with a dot": (fields(subject="..%2f"), "'subject' is not made of"),
    "a subject of 256 characters": (fields(subject="s" * 256), "'subject' is not made of"),
    "a subject with a line break at its end": (fields(subject="s\n"), "'subject' has a control"),
    "a day": (fields(time="2026-11-21"), "not RFC 3339"),
    "seconds since 1970": (fields(time="1795000000"), "not RFC 3339"),
    "a time without zone": (fields(time="2026-11-21T12:00:00"), "not RFC 3339"),
    "a moment more than an hour ahead": (fields(time=at(3_600.000001)), "more than an hour ahead"),
    "a time in the far future": (fields(time="9999-12-31T23:59:59Z"), "more than an hour ahead"),
    "too large": (fields(data={"text": "x" * LARGEST}), "bytes, more than 200000"),
}


@pytest.mark.parametrize(("value", "expected"), WRONG.values(), ids=WRONG.keys())
def test_what_is_no_event_is_refused_with_its_cause(value: object, expected: str) -> None:
    found = cause(value)
    assert expected in found
    assert found.endswith(".")
    assert len(found) < 250


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_what_later_hops_cannot_carry_is_refused_as_record_and_as_data(body: bytes) -> None:
    assert cause(body).endswith(".")
    inside = as_bytes(fields(data={})).replace(b'"data": {}', b'"data": {"x": %s}' % body)
    assert cause(inside).endswith(".")


@pytest.mark.parametrize(
    "subject", ["a", "0", "o-1", "a.b_c:d@e-f", "s" * 255, "urn:device:7", "A1"]
)
def test_a_subject_may_be_what_passes_through_a_path(subject: str) -> None:
    assert read(fields(subject=subject))["subject"] == subject


@pytest.mark.parametrize("id", ["1", "!", "~", "i" * 255, "a#b", '"', "\\"])
def test_an_id_may_be_any_visible_ascii(id: str) -> None:
    assert read(fields(id=id))["id"] == id

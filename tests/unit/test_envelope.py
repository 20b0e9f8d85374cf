"""Envelopes are read as they were written, and nothing else is taken for one."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from shared import envelope, queues
from shared.envelope import Envelope
from shared.rejects import Unprocessable
from tests.discovery import TEXT

EVENT = Envelope(
    id="e1",
    source="/aws-odyssey/tests",
    type="aws-odyssey.tests.happened",
    time=datetime(2026, 11, 21, 12, 30, 15, 123456, tzinfo=UTC),
    data={"text": TEXT, TEXT: [1, 2.5, None, True, {"a": []}]},
    correlation_id="c1",
)


def with_changes(**changes: Any) -> str:
    return json.dumps(EVENT.as_dict() | changes)


def without(name: str) -> str:
    return json.dumps({key: value for key, value in EVENT.as_dict().items() if key != name})


WRONG: dict[str, tuple[str, str]] = {
    "nothing": ("", "not JSON"),
    "no JSON": ("{", "not JSON"),
    "a text": ('"text"', "not a JSON object"),
    "a list": ("[]", "not a JSON object"),
    "null": ("null", "not a JSON object"),
    "JSON in a text": (json.dumps(with_changes()), "not a JSON object"),
    "a name twice": (with_changes()[:-1] + ', "id": "e2"}', "'id' appears twice"),
    "NaN": (with_changes(data={"n": float("nan")}), "NaN"),
    "a number that loses digits": (with_changes(data={"n": 2**53}), "beyond"),
    "a lone surrogate": (with_changes(data={"t": "\ud800"}), "surrogate"),
    "a raw lone surrogate": ('{"a": "\ud800"}', "UTF-8"),
    "nested too deep": (with_changes(data={"a": json.loads("[" * 40 + "]" * 40)}), "nested"),
    "another version": (with_changes(specversion="0.3"), "specversion"),
    "a version that is a number": (with_changes(specversion=1.0), "specversion"),
    "no version": (without("specversion"), "specversion"),
    **{
        f"no {name}": (without(name), f"no text '{name}'")
        for name in ("id", "source", "type", "time", "correlationid")
    },
    **{
        f"an empty {name}": (with_changes(**{name: ""}), f"no text '{name}'")
        for name in ("id", "source", "type", "time", "correlationid")
    },
    **{
        f"a {name} that is no text": (with_changes(**{name: 1}), f"no text '{name}'")
        for name in ("id", "source", "type", "time", "correlationid")
    },
    **{
        f"a {name} that is too long": (
            with_changes(**{name: "a" * 1_025}),
            f"'{name}' is longer than 1024 characters",
        )
        for name in ("id", "source", "type", "time", "correlationid")
    },
    "a line break in the id": (with_changes(id="a\nb"), "'id' has a control character"),
    "an empty subject": (with_changes(subject=""), "no text 'subject'"),
    "a subject that is no text": (with_changes(subject=["s"]), "no text 'subject'"),
    "a subject that is too long": (with_changes(subject="s" * 1_025), "'subject' is longer"),
    "a line break in the subject": (with_changes(subject="a\nb"), "'subject' has a control"),
    "no data": (without("data"), "data is not a JSON object"),
    "data that is a list": (with_changes(data=[]), "data is not a JSON object"),
    "data that is JSON in a text": (with_changes(data='{"a": 1}'), "data is not a JSON object"),
    "data that is null": (with_changes(data=None), "data is not a JSON object"),
    "data of another kind": (with_changes(datacontenttype="text/xml"), "not a JSON object"),
    "data in base64": (with_changes(data_base64="e30="), "'data_base64' is not a name"),
    "a name in capitals": (with_changes(Subject="a"), "'Subject' is not a name"),
    "a name with a sign": (with_changes(**{"a-b": "a"}), "'a-b' is not a name"),
    "a day": (with_changes(time="2026-11-21"), "not RFC 3339"),
    "a time without zone": (with_changes(time="2026-11-21T12:00:00"), "not RFC 3339"),
    "a time with a space": (with_changes(time="2026-11-21 12:00:00Z"), "not RFC 3339"),
    "a time in no calendar": (with_changes(time="2026-02-30T12:00:00Z"), "not RFC 3339"),
    "a time before the first": (with_changes(time="0001-01-01T00:00:00+23:59"), "not RFC 3339"),
    "a time in other digits": (with_changes(time="٢٠٢٦-11-21T12:00:00Z"), "not RFC 3339"),
    "seconds since 1970": (with_changes(time="1795000000"), "not RFC 3339"),
}


def test_an_envelope_survives_a_queue_byte_for_byte() -> None:
    body = queues.json_text(EVENT.as_dict())
    assert envelope.read(body) == EVENT
    assert TEXT.encode() in body.encode()
    assert queues.json_text(envelope.read(body).as_dict()) == body


@pytest.mark.parametrize("name", ["id", "source", "type", "correlationid"])
@pytest.mark.parametrize("character", ["a", "😀"])
def test_a_text_may_be_as_long_as_1024_characters(name: str, character: str) -> None:
    # The source is a URI reference, in which others are spelt out.
    text = (character if name != "source" else "a") * 1_024
    assert envelope.read(with_changes(**{name: text})).as_dict()[name] == text


def test_an_envelope_has_the_names_of_the_standard_and_our_extension() -> None:
    assert EVENT.as_dict() == {
        "specversion": "1.0",
        "id": "e1",
        "source": "/aws-odyssey/tests",
        "type": "aws-odyssey.tests.happened",
        "time": "2026-11-21T12:30:15.123456Z",
        "datacontenttype": "application/json",
        "correlationid": "c1",
        "data": EVENT.data,
    }


def test_the_order_of_the_names_does_not_matter() -> None:
    turned = dict(reversed(EVENT.as_dict().items()))
    assert envelope.read(json.dumps(turned)) == EVENT


def test_data_of_no_stated_kind_is_json() -> None:
    assert envelope.read(without("datacontenttype")) == EVENT


def test_extensions_of_others_are_allowed_and_not_read() -> None:
    assert envelope.read(with_changes(traceparent="00-ab", n=1)) == EVENT


def test_a_subject_is_read_and_written_where_there_is_one() -> None:
    found = envelope.read(with_changes(subject=TEXT))
    assert found == replace(EVENT, subject=TEXT)
    assert found.as_dict() == EVENT.as_dict() | {"subject": TEXT}
    assert "subject" not in EVENT.as_dict()
    assert envelope.read(with_changes(subject=None)) == EVENT


def test_a_time_in_another_zone_is_the_same_moment_in_utc() -> None:
    found = envelope.read(with_changes(time="2026-11-21t14:30:15.123456+02:00"))
    assert found == EVENT
    assert found.time.utcoffset() == timedelta(0)


def test_a_time_of_another_zone_is_written_in_utc() -> None:
    there = EVENT.time.astimezone(timezone(timedelta(hours=-5)))
    assert replace(EVENT, time=there).as_dict() == EVENT.as_dict()


@pytest.mark.parametrize(("body", "cause"), WRONG.values(), ids=WRONG.keys())
def test_what_is_no_envelope_is_refused_with_a_cause(body: str, cause: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        envelope.read(body)
    assert cause in str(refused.value)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize(
    "body",
    [
        with_changes(**{"A" * 100_000: 1}),
        with_changes(time="1" * 100_000),
        "{" + ", ".join([f'"{"a" * 100_000}": 1'] * 2) + "}",
    ],
    ids=["a long name", "a long time", "a long name twice"],
)
def test_a_cause_is_short_enough_to_be_an_attribute(body: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        envelope.read(body)
    assert len(str(refused.value)) < 200


def test_a_time_long_ago_is_written_as_it_is_read() -> None:
    text = "0999-11-21T12:00:00.000000Z"
    assert envelope.read(with_changes(time=text)).as_dict()["time"] == text

"""What an API answers when all is well: JSON, its text as it is."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import pytest

from shared.answers import as_json

TEXT = 'Åsa café 😀 \u2028 "R&D" \\ <b>'


def test_an_answer_is_json() -> None:
    answer = as_json({"a": [1, None, True]})
    assert answer.status_code == 200
    assert answer.headers == {"Content-Type": "application/json"}
    assert answer.body == '{"a": [1, null, true]}'


def test_its_status_and_headers_are_those_given() -> None:
    # GIVEN
    headers = {"idempotency-key": "k"}
    # WHEN
    answer = as_json({}, status=HTTPStatus.ACCEPTED, headers=headers)
    # THEN
    assert answer.status_code == 202
    assert answer.headers == {"idempotency-key": "k", "Content-Type": "application/json"}
    # AND what was given stays what it was
    assert headers == {"idempotency-key": "k"}


def test_one_answer_leaves_nothing_in_the_next() -> None:
    as_json({}).headers["x"] = "y"
    assert "x" not in as_json({}).headers


def test_text_is_no_escapes_of_it() -> None:
    body = as_json({"text": TEXT}).body or ""
    assert json.loads(body) == {"text": TEXT}
    assert all(character in body for character in "Åé😀&<")


@pytest.mark.parametrize("value", [None, [], "a", 1, {"a": {"b": []}}])
def test_any_json_is_an_answer(value: Any) -> None:
    assert json.loads(as_json(value).body or "") == value

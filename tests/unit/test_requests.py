"""What a JSON API checks before it looks at the content."""

from __future__ import annotations

import base64
from http import HTTPStatus
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from shared import requests
from shared.problems import Problem
from tests.builders import api_request, trigger

KIB_64 = 64 * 1024
TEXT = "Åsa café 😀 R&D C# 1+1 50% a;b %41"


def read(request: dict[str, Any]) -> dict[str, Any]:
    return requests.json_object(APIGatewayProxyEvent(request), max_bytes=KIB_64)


def refusal(request: dict[str, Any]) -> Problem:
    with pytest.raises(Problem) as problem:
        read(request)
    return problem.value


def object_of(size: int, character: str = "a") -> bytes:
    """Return a JSON object of exactly `size` bytes."""
    empty = b'{"a":""}'
    return empty[:6] + (character.encode() * size)[: size - len(empty)] + empty[6:]


@pytest.mark.parametrize("body", [f'{{"a":"{TEXT}"}}', f'{{"a":"{TEXT}"}}'.encode()])
def test_a_body_is_the_same_whether_the_gateway_encoded_it_or_not(body: bytes | str) -> None:
    assert read(trigger(body)) == {"a": TEXT}


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=utf-8",
        " application/json ",
    ],
)
def test_json_content_types_are_accepted(content_type: str) -> None:
    assert read(trigger(b"{}", content_type=content_type)) == {}


def test_the_header_is_found_however_it_is_spelt() -> None:
    assert (
        read(api_request("POST", "/x", body=b"{}", headers={"content-TYPE": "application/json"}))
        == {}
    )


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        ";",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "application/problem+json",
        "text/json, application/json",
    ],
)
def test_other_content_types_are_refused(content_type: str | None) -> None:
    problem = refusal(trigger(b"{}", content_type=content_type))
    assert (problem.status, problem.type) == (HTTPStatus.BAD_REQUEST, "content-type")


@pytest.mark.parametrize("body", [None, "", b"", "  \n", b" \t\r\n"])
def test_an_empty_body_is_refused(body: bytes | str | None) -> None:
    problem = refusal(trigger(body))
    assert (problem.status, problem.type) == (HTTPStatus.BAD_REQUEST, "empty-body")


@pytest.mark.parametrize("body", [b"null", b"1", b"true", b'"text"', b"[]", b'[{"a":1}]'])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    problem = refusal(trigger(body))
    assert (problem.status, problem.type) == (HTTPStatus.BAD_REQUEST, "not-an-object")


@pytest.mark.parametrize("body", ["a", "e30", "e30==", "{}", "e3 0=", "é", "😀", "\ud800"])
def test_a_body_that_is_not_the_base64_it_says_is_refused(body: str) -> None:
    problem = refusal({**trigger(body), "isBase64Encoded": True})
    assert (problem.status, problem.type) == (HTTPStatus.BAD_REQUEST, "invalid-base64")


def test_a_lone_surrogate_in_the_event_is_refused() -> None:
    assert refusal(trigger('{"a":"\ud800"}')).type == "invalid-json"


@pytest.mark.parametrize("character", ["a", "é", "😀"])
@pytest.mark.parametrize("encoded", [True, False])
def test_64_kib_are_accepted_and_one_byte_more_is_not(*, character: str, encoded: bool) -> None:
    # GIVEN a body at the limit, filled up with blanks to whole bytes
    filled = object_of(KIB_64 - 8, character).decode(errors="ignore").encode()
    fits = filled + b" " * (KIB_64 - len(filled))
    assert len(fits) == KIB_64
    exceeds = fits + b" "
    # WHEN / THEN
    assert read(trigger(fits if encoded else fits.decode()))["a"].startswith(character)
    problem = refusal(trigger(exceeds if encoded else exceeds.decode()))
    assert (problem.status, problem.type) == (413, "body-too-large")
    assert problem.detail == "The body has more than 65536 bytes."


@pytest.mark.parametrize("limit", [3_000, 3_001, 3_002, 3_003])
def test_a_limit_of_any_size_is_exact_for_what_the_gateway_encoded(limit: int) -> None:
    def size_of(number: int) -> int:
        event = APIGatewayProxyEvent(trigger(b"a" * number))
        return len(requests.body_bytes(event, max_bytes=limit))

    # GIVEN limits that fill up base64, and such that do not
    assert [size_of(number) for number in (limit - 1, limit)] == [limit - 1, limit]
    # WHEN / THEN
    for more in (1, 2, 3, 4):
        with pytest.raises(Problem, match=rf"body-too-large: .* more than {limit} bytes\."):
            size_of(limit + more)


def test_base64_that_must_be_too_long_is_not_decoded() -> None:
    # GIVEN what is no base64, so that decoding it would be a 400
    longest = len(base64.b64encode(b"a" * KIB_64))
    fits, exceeds = ({**trigger("!" * n), "isBase64Encoded": True} for n in (longest, longest + 1))
    # WHEN / THEN
    assert refusal(fits).type == "invalid-base64"
    assert refusal(exceeds).type == "body-too-large"


def test_a_body_too_large_is_not_parsed() -> None:
    # It would be refused as JSON, too: 413 shows that nothing looked into it.
    assert refusal(trigger(b"[" * (KIB_64 + 1))).type == "body-too-large"

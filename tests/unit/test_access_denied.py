"""Which of MiniStack's refusals are turned into the API's own, and what they say."""

from __future__ import annotations

import json

import pytest

from local_cloud.access_denied import Response, is_denial, message

DENIAL: Response = (
    403,
    {"Content-Type": "application/x-amz-json-1.0"},
    json.dumps({"message": "User: x is not authorized"}).encode(),
)


def test_the_evaluators_denial_is_turned_into_the_apis() -> None:
    assert is_denial(DENIAL)
    assert message(DENIAL) == "User: x is not authorized"


@pytest.mark.parametrize(
    "response",
    [
        (403, {"content-type": "application/problem+json"}, b"{}"),
        (401, {"content-type": "application/x-amz-json-1.0"}, b"{}"),
        (403, {}, b""),
    ],
    ids=["shaped already", "not a denial", "no content type"],
)
def test_other_refusals_stay_as_they_are(response: Response) -> None:
    assert not is_denial(response)


@pytest.mark.parametrize("body", [b"", b"not JSON", b"{}"])
def test_a_denial_without_a_sentence_says_forbidden(body: bytes) -> None:
    assert message((403, {}, body)) == "Forbidden"

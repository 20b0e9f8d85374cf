"""Whoever says something with curl learns by which key to send it again, should that be needed."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from proofs.fakes import faults
from proofs.fakes.dynamodb import Call, refusal
from proofs.pubsub_shapes import TEXT, WORDS, Request, curl, mention, say, slash, top, webhook

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.word_counter import WordCounter

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
HEADER = "idempotency-key"


def failing(operation: str, error: Exception | None = None) -> Callable[[Call], None]:
    def hook(call: Call) -> None:
        if call.operation == operation:
            raise error or refusal("ThrottlingException", operation)

    return hook


def nothing(_call: Call) -> None:
    """Let every call succeed."""


def refuse_for_good(call: Call) -> None:
    faults.cancel_next(1, "ValidationError")(call)


# How saying something ends in a 503: on which side of a call, and how.
FAULTS: dict[str, tuple[str, Callable[[Call], None], str]] = {
    "not counted": ("before", failing("TransactWriteItems"), "unavailable"),
    "counted, and the answer was lost": (
        "after",
        failing("TransactWriteItems", ReadTimeoutError(endpoint_url="https://dynamodb")),
        "unavailable",
    ),
    "not countable": (
        "before",
        refuse_for_good,
        "unavailable",
    ),
    "not published": ("before", failing("Publish"), "not-published"),
    "published, and the answer was lost": (
        "after",
        failing("Publish", ReadTimeoutError(endpoint_url="https://sns")),
        "not-published",
    ),
}
FAILURES = pytest.mark.parametrize(("side", "fault", "type"), FAULTS.values(), ids=FAULTS.keys())


def key_of(answer: dict[str, Any]) -> str | None:
    """Return the key that an answer names."""
    names = {name.lower(): value for name, value in answer["headers"].items()}
    return names.get(HEADER)


def test_a_key_that_was_given_is_in_the_answer(words: WordCounter) -> None:
    for _ in range(2):
        answer = words.answer(curl({"text": "a"}, key="greeting-1"))
        assert (answer["statusCode"], key_of(answer)) == (200, "greeting-1")


def test_who_gives_no_key_gets_one_that_nobody_else_has(words: WordCounter) -> None:
    # WHEN
    keys = [key_of(words.answer(curl({"text": "a"}))) for _ in range(3)]
    # THEN
    assert [str(uuid.UUID(key)) for key in keys] == keys
    assert len(set(keys)) == 3
    assert words.counts == {"a": 3}


def test_the_key_of_an_answer_names_its_message(words: WordCounter) -> None:
    first = words.answer(curl({"text": "a"}))
    again = words.answer(curl({"text": "a"}, key=key_of(first)))
    assert json.loads(again["body"])["repeated"] is True
    assert json.loads(again["body"])["message_id"] == json.loads(first["body"])["message_id"]
    assert words.counts == {"a": 1}


def test_the_key_of_an_answer_is_for_the_same_text_only(words: WordCounter) -> None:
    key = key_of(words.answer(curl({"text": "a"})))
    assert words.post(curl({"text": "b"}, key=key))[0] == 422
    assert words.counts == {"a": 1}


@FAILURES
@pytest.mark.parametrize("given", [None, "greeting-1"])
def test_what_failed_is_completed_once_by_the_key_of_the_answer(
    words: WordCounter, given: str | None, side: str, fault: Callable[[Call], None], type: str
) -> None:
    # GIVEN
    setattr(words.dynamodb, side, fault)
    # WHEN
    failed = words.answer(curl({"text": TEXT}, key=given))
    # THEN
    key, problem = key_of(failed), json.loads(failed["body"])
    assert failed["statusCode"] == 503
    assert problem["type"] == f"urn:aws-odyssey:problem:{type}"
    assert "Idempotency-Key of this answer" in " ".join(problem["detail"].split())
    assert failed["headers"]["Retry-After"] == {"unavailable": "5", "not-published": "1"}[type]
    assert key
    assert given in (None, key)
    # WHEN it is sent with that key, three times
    setattr(words.dynamodb, side, nothing)
    for _ in range(3):
        answer = words.answer(curl({"text": TEXT}, key=key))
        assert (answer["statusCode"], key_of(answer)) == (200, key)
    # THEN
    assert words.counts == dict.fromkeys(WORDS, 1)
    assert len(set(words.published_ids)) == 1
    for record in words.published:
        words.multiply(record)
    assert words.counts == dict.fromkeys(WORDS, 11)


def test_without_the_key_what_failed_is_another_message(words: WordCounter) -> None:
    # GIVEN what is counted, but not published
    words.dynamodb.before = failing("Publish")
    assert words.post(curl({"text": "a"}))[0] == 503
    words.dynamodb.before = nothing
    # WHEN / THEN
    assert words.post(curl({"text": "a"}))[0] == 200
    assert words.counts == {"a": 2}


REFUSED: dict[str, Request] = {
    "no word": curl({"text": "&"}, key="mine"),
    "no text": curl({}, key="mine"),
    "no key": curl({"text": "a"}, key="a b"),
    "no token": curl({"text": "a"}, key="mine", token=None),
}


@pytest.mark.parametrize("request_", REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_asks_nobody_to_send_it_again(words: WordCounter, request_: Request) -> None:
    answer = words.answer(request_)
    assert 400 <= answer["statusCode"] < 500
    assert key_of(answer) is None


@pytest.mark.parametrize("made", [slash, mention, webhook])
@pytest.mark.parametrize("operation", ["TransactWriteItems", "Publish"])
def test_slack_is_shown_no_key_least_of_all_somebody_elses(
    words: WordCounter, made: Callable[[str], Request], operation: str
) -> None:
    # GIVEN somebody whose request has just failed in the same process
    words.dynamodb.before = failing(operation)
    assert key_of(words.answer(curl({"text": "a"}, key="mine"))) == "mine"
    # WHEN / THEN
    failed = words.answer(made("a"))
    assert (failed["statusCode"], key_of(failed)) == (503, None)
    words.dynamodb.before = nothing
    answer = words.answer(made("a"))
    assert (answer["statusCode"], key_of(answer)) == (200, None)


def test_nor_is_who_could_not_be_let_in(words: WordCounter) -> None:
    # GIVEN a process that dies over somebody's request
    with faults.Death(words.dynamodb, 2, "before"):
        words.post(curl({"text": "a"}, key="mine"))
    # WHEN the secret cannot be read any more
    words.pass_time(60)
    words.dynamodb.before = failing("GetSecretValue")
    # THEN
    for request in (curl({"text": "a"}), say("slash", "a", "1"), top()):
        failed = words.answer(request)
        assert (failed["statusCode"], key_of(failed)) == (503, None)

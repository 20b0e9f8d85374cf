"""A message that was counted is published, or its caller knows that it was not."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from proofs.fakes.dynamodb import Call, refusal
from proofs.pubsub_shapes import NOON, TEXT, WAYS, WORDS, say
from shared import envelope
from shared.aws_errors import error_code
from tests.word_counter import TOPIC

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.word_counter import WordCounter

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
NOT_PUBLISHED = "urn:aws-odyssey:problem:not-published"
ERRORS = [
    refusal("Throttling", "Publish"),
    refusal("AuthorizationError", "Publish", status=403),
    refusal("KMSAccessDenied", "Publish"),
    refusal("InternalError", "Publish", status=500),
    ReadTimeoutError(endpoint_url="https://sns"),
    ConnectTimeoutError(endpoint_url="https://sns"),
]


def failing(error: Exception) -> Callable[[Call], None]:
    def hook(call: Call) -> None:
        if call.operation == "Publish":
            raise error

    return hook


@pytest.mark.parametrize("way", WAYS)
def test_what_is_published_is_an_event_with_the_words_as_data(words: WordCounter, way: str) -> None:
    # WHEN
    words.post(say(way, f"{TEXT} café", "1", request_id="request-1"))
    # THEN
    [message] = words.sns.topics[TOPIC]
    event = envelope.read(message["Message"])
    assert (event.type, event.source) == ("aws-odyssey.pubsub.counted", "/aws-odyssey/pubsub")
    assert (event.time, event.correlation_id) == (NOON, "request-1")
    assert event.data == {
        "way": way,
        "words": [{"word": word, "occurrences": 1 + (word == "café")} for word in WORDS],
    }
    # AND text goes as text, not as escapes of it
    assert all(json.dumps(word, ensure_ascii=False) in message["Message"] for word in WORDS)


@pytest.mark.parametrize("way", WAYS)
def test_a_subscriber_can_take_only_some_messages(words: WordCounter, way: str) -> None:
    words.post(say(way, "a b a", "1"))
    [message] = words.sns.topics[TOPIC]
    assert message["MessageAttributes"] == {
        "way": {"DataType": "String", "StringValue": way},
        "words": {"DataType": "Number", "StringValue": "2"},
    }


def test_the_longest_message_fits_into_the_topic(words: WordCounter) -> None:
    # GIVEN 500 words of characters that take three and more bytes
    text = " ".join(f"{number:03}\U00010400\U0001f600\u0390\u0390" for number in range(500))
    assert len(text) <= 4_000
    # WHEN / THEN
    assert words.post(say("curl", text, "1"))[0] == 200
    assert len(words.published) == 1


@pytest.mark.parametrize(
    ("way", "error"),
    [*[("curl", error) for error in ERRORS], *[(way, ERRORS[0]) for way in WAYS[:3]]],
    ids=lambda value: value if isinstance(value, str) else error_code(value),
)
def test_who_said_what_was_not_published_is_told_and_the_retry_completes_it_once(
    words: WordCounter, way: str, error: Exception
) -> None:
    # GIVEN a topic that takes nothing
    words.dynamodb.before = failing(error)
    # WHEN
    for _ in range(2):
        answer = words.answer(say(way, TEXT, "1"))
        # THEN
        assert answer["statusCode"] == 503
        assert json.loads(answer["body"])["type"] == NOT_PUBLISHED
        assert answer["headers"]["Retry-After"] == "1"
        assert "X-Slack-No-Retry" not in answer["headers"]
    assert words.counts == dict.fromkeys(WORDS, 1)
    assert words.published == []
    # WHEN the topic is back
    words.dynamodb.before = lambda _call: None
    assert words.post(say(way, TEXT, "1"))[0] == 200
    # THEN
    assert words.counts == dict.fromkeys(WORDS, 1)
    [record] = words.published
    words.multiply(record)
    assert words.counts == dict.fromkeys(WORDS, 11)


def test_the_cause_is_in_the_log_and_the_text_is_not(words: WordCounter) -> None:
    words.dynamodb.before = failing(refusal("KMSAccessDenied", "Publish"))
    words.post(say("curl", "hunter2", "1"))
    [line] = words.lines
    assert (line["message"], line["cause"]) == ("failed", "KMSAccessDenied")
    assert "hunter2" not in words.log.getvalue()


@pytest.mark.parametrize("times", [1, 2])
def test_a_publication_whose_answer_was_lost_is_repeated_and_counts_once(
    words: WordCounter, times: int
) -> None:
    # GIVEN
    words.dynamodb.after = failing(ReadTimeoutError(endpoint_url="https://sns"))
    for _ in range(times):
        assert words.post(say("curl", "a", "1"))[0] == 503
    words.dynamodb.after = lambda _call: None
    # WHEN
    assert words.post(say("curl", "a", "1"))[0] == 200
    # THEN subscribers get the same message more than once
    assert len(words.published) == times + 1
    assert len(set(words.published_ids)) == 1
    for record in words.published:
        words.multiply(record)
    assert words.counts == {"a": 11}


@pytest.mark.parametrize("number", [3, 250])
def test_what_is_published_again_is_the_same_to_the_last_byte(
    words: WordCounter, number: int
) -> None:
    # GIVEN
    text = " ".join(f"w{each}" for each in range(number))
    words.post(say("curl", text, "1", request_id="first"))
    # WHEN it comes again later, before anybody has had it
    words.now += timedelta(hours=1)
    words.post(say("curl", text, "1", request_id="second"))
    # THEN
    first, second = (each["Message"] for each in words.sns.topics[TOPIC])
    assert first == second
    assert json.loads(first)["correlationid"] == "first"


def test_what_fails_at_first_keeps_the_time_and_the_correlation_id_of_its_first_delivery(
    words: WordCounter,
) -> None:
    words.dynamodb.before = failing(ERRORS[0])
    words.post(say("slash", "a", "1", request_id="first"))
    words.dynamodb.before = lambda _call: None
    words.now += timedelta(minutes=4)
    assert words.post(say("slash", "a", "1", request_id="second"))[0] == 200
    [message] = words.sns.topics[TOPIC]
    event = envelope.read(message["Message"])
    assert (event.time, event.correlation_id) == (NOON, "first")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "text", [TEXT, " ".join(f"w{each}" for each in range(250))], ids=["short", "long"]
)
def test_what_the_multiplier_has_had_is_not_published_again(
    words: WordCounter, way: str, text: str
) -> None:
    # GIVEN
    words.post(say(way, text, "1"))
    words.multiply(words.published[0])
    # WHEN
    for _ in range(3):
        assert words.post(say(way, text, "1"))[0] == 200
    # THEN
    assert len(words.published) == 1
    assert set(words.counts.values()) == {11}


def test_nothing_is_published_of_a_message_that_was_refused(words: WordCounter) -> None:
    for text in ("", "a " * 2_001, "b" * 257):
        assert words.post(say("curl", text, "1"))[0] == 400
    assert words.is_untouched()

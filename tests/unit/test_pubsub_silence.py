"""When DynamoDB does not answer: what must be known is a 503, what is only told is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from proofs.fakes.dynamodb import Call, refusal
from proofs.pubsub_shapes import WAYS, curl, say
from shared.aws_errors import error_code
from tests.unit.test_pubsub_counting import UNAVAILABLE, status_of
from tests.word_counter import TOPIC

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.word_counter import WordCounter

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
NOT_PUBLISHED = (503, "urn:aws-odyssey:problem:not-published")
UNREAD = "the counts cannot be read now"
MORE_LATER = "Each is worth 10 more in a moment."
ERRORS = [
    refusal("ThrottlingException", "Any"),
    refusal("AccessDeniedException", "Any"),
    refusal("InternalServerError", "Any", status=500),
    ReadTimeoutError(endpoint_url="https://dynamodb"),
    ConnectTimeoutError(endpoint_url="https://dynamodb"),
]


def failing(error: Exception, operation: str, table: str) -> Callable[[Call], None]:
    """Return a hook for `before` or `after` that lets the calls to a table fail."""

    def fail(call: Call) -> None:
        if call.operation == operation and f"'{table}'" in str(call.arguments):
            raise error

    return fail


SIDES = pytest.mark.parametrize("side", ["before", "after"])


@pytest.mark.parametrize("error", ERRORS, ids=error_code)
@SIDES
def test_a_transaction_that_fails_is_a_503_and_the_retry_counts_once(
    words: WordCounter, error: Exception, side: str
) -> None:
    # GIVEN
    words.warm_up()
    setattr(words.dynamodb, side, failing(error, "TransactWriteItems", "markers"))
    # WHEN
    assert status_of(words) == UNAVAILABLE
    # THEN nobody has been told of what the caller was told is not counted
    assert words.published == []
    setattr(words.dynamodb, side, lambda _call: None)
    assert status_of(words) == (200, "")
    assert words.counts == {"a": 2, "b": 1}
    assert len(words.published) == 1


@pytest.mark.parametrize("error", ERRORS, ids=error_code)
@SIDES
def test_counts_that_cannot_be_read_do_not_keep_a_message_from_being_published(
    words: WordCounter, error: Exception, side: str
) -> None:
    # GIVEN
    words.warm_up()
    setattr(words.dynamodb, side, failing(error, "BatchGetItem", "words"))
    # WHEN
    status, answer = words.post(curl({"text": "a b a"}, key="k"))
    # THEN
    assert status == 200
    assert (answer["repeated"], answer["distinct_words"], answer["words"]) == (False, 2, [])
    assert answer["text"] == f"Counted 3 words: {UNREAD}. {MORE_LATER}"
    [record] = words.published
    # AND it is the whole message, counted once
    words.multiply(record)
    assert words.counts == {"a": 22, "b": 11}
    # AND so is one that comes again
    status, answer = words.post(curl({"text": "a b a"}, key="k"))
    assert (status, answer["repeated"], answer["words"]) == (200, True, [])
    assert UNREAD in answer["text"]
    assert words.counts == {"a": 22, "b": 11}
    assert len(words.published) == 1


@pytest.mark.parametrize("way", WAYS)
def test_nor_is_any_way_in_told_more_than_that_they_cannot_be_read(
    words: WordCounter, way: str
) -> None:
    words.dynamodb.before = failing(ERRORS[0], "BatchGetItem", "words")
    status, answer = words.post(say(way, "a b a", "1"))
    assert status == 200
    if way != "event":
        assert answer["text"] == f"Counted 3 words: {UNREAD}. {MORE_LATER}"
    assert words.counts == {"a": 2, "b": 1}
    assert len(words.published) == 1


@pytest.mark.parametrize("error", ERRORS, ids=error_code)
@SIDES
def test_markers_that_cannot_be_read_are_a_503_and_the_retry_publishes_what_was_left(
    words: WordCounter, error: Exception, side: str
) -> None:
    # GIVEN a message that was counted, but not published
    words.dynamodb.before = failing(ERRORS[0], "Publish", TOPIC)
    assert status_of(words) == NOT_PUBLISHED
    words.dynamodb.before = lambda _call: None
    setattr(words.dynamodb, side, failing(error, "BatchGetItem", "markers"))
    # WHEN
    assert status_of(words) == UNAVAILABLE
    # THEN it is not known whether this is the same text
    assert words.published == []
    setattr(words.dynamodb, side, lambda _call: None)
    assert status_of(words) == (200, "")
    assert words.counts == {"a": 2, "b": 1}
    assert len(words.published) == 1


def test_what_was_left_unread_is_read_again(words: WordCounter) -> None:
    words.dynamodb.leave_unprocessed = [2, 1]
    answer = words.post(curl({"text": "a b c"}))[1]
    assert [each["count"] for each in answer["words"]] == [1, 1, 1]
    assert words.operations["BatchGetItem"] == 3


def test_counts_that_are_never_read_are_left_out_and_the_message_is_published(
    words: WordCounter,
) -> None:
    # GIVEN that DynamoDB gives one of two counts, and never the other
    words.dynamodb.leave_unprocessed = [1] * 8
    # WHEN
    status, answer = words.post(curl({"text": "a b a"}, key="k"))
    # THEN none is shown, rather than one that looks like all
    assert (status, answer["words"]) == (200, [])
    assert answer["text"] == f"Counted 3 words: {UNREAD}. {MORE_LATER}"
    assert words.operations["BatchGetItem"] == 8
    assert words.counts == {"a": 2, "b": 1}
    assert len(words.published) == 1


def test_markers_that_are_never_read_are_a_503_and_the_retry_completes_it(
    words: WordCounter,
) -> None:
    assert status_of(words) == (200, "")
    words.dynamodb.leave_unprocessed = [1] * 8
    assert status_of(words) == UNAVAILABLE
    assert len(words.published) == 1
    assert status_of(words) == (200, "")
    assert words.counts == {"a": 2, "b": 1}
    # Nobody had multiplied it.
    assert len(set(words.published_ids)) == 1

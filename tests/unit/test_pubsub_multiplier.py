"""The multiplier adds ten for every occurrence, once, however often it is told and what fails."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ReadTimeoutError

from proofs.fakes import faults
from proofs.fakes.dynamodb import Call, refusal
from proofs.pubsub_shapes import counted, sns_record
from pubsub import multiplier
from pubsub.failures import NotCountable
from shared.aws_errors import AWS_ERRORS
from shared.transactions import Contended
from tests.unit.test_pubsub_subscribers import ID, known

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.word_counter import WordCounter

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
# A message of three chunks.
MANY = {f"w{number}": number % 3 + 1 for number in range(250)}


def test_each_occurrence_adds_ten(words: WordCounter) -> None:
    known(words, "a", "b")
    words.multiply(sns_record(counted({"a": 2, "b": 1})))
    assert words.counts == {"a": 21, "b": 11}
    # Nobody said it more often.
    assert words.occurrences == {"a": 1, "b": 1}


@pytest.mark.parametrize("message", [{"a": 2, "b": 1}, MANY], ids=["short", "long"])
def test_a_message_that_comes_five_times_adds_ten_once(
    words: WordCounter, message: dict[str, int]
) -> None:
    known(words, *message)
    for number in range(5):
        # SNS gives each publication an id of its own; it is not the message's.
        words.multiply(sns_record(counted(message), id=f"m{number}"))
    assert words.counts == {word: 1 + 10 * occurrences for word, occurrences in message.items()}


def test_two_messages_with_the_same_words_add_twice(words: WordCounter) -> None:
    known(words, "a")
    words.multiply(sns_record(counted({"a": 1}, "1")))
    words.multiply(sns_record(counted({"a": 1}, "2")))
    assert words.counts == {"a": 21}


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_multiplier_that_fails_in_the_middle_is_exact_once_it_is_healed(
    words: WordCounter, number: int, side: str
) -> None:
    # GIVEN a message of three chunks, of which one fails in all attempts
    known(words, *MANY)

    def fail(call: Call) -> None:
        if f"/{number - 1}'" in str(call.arguments):
            raise refusal("AccessDeniedException", call.operation)

    setattr(words.dynamodb, side, fail)
    # WHEN Lambda tries it three times
    for _ in range(3):
        if side == "before":
            with pytest.raises(AWS_ERRORS):
                words.multiply(sns_record(counted(MANY)))
    # AND it is healed, and redriven
    setattr(words.dynamodb, side, lambda _call: None)
    words.multiply(sns_record(counted(MANY)))
    # THEN
    assert words.counts == {word: 1 + 10 * times for word, times in MANY.items()}


@pytest.mark.parametrize("cancelled", [1, 7, 11])
def test_conflicts_that_pass_are_not_noticed(words: WordCounter, cancelled: int) -> None:
    known(words, "a")
    words.dynamodb.before = faults.cancel_next(cancelled)
    words.multiply(sns_record(counted({"a": 1})))
    assert words.counts == {"a": 11}


def test_each_of_a_messages_transactions_is_tried_twelve_times(words: WordCounter) -> None:
    # GIVEN a message of three chunks, of which each meets others eleven times
    known(words, *MANY)
    met: Counter[int] = Counter()

    def conflict(call: Call) -> None:
        chunk = next(each for each in range(3) if f"/{each}'" in str(call.arguments))
        met[chunk] += 1
        if met[chunk] < 12:
            faults.cancel_next(1)(call)

    words.dynamodb.before = conflict
    # WHEN
    words.multiply(sns_record(counted(MANY)))
    # THEN
    assert met == {0: 12, 1: 12, 2: 12}
    assert words.counts == {word: 1 + 10 * times for word, times in MANY.items()}
    # AND no more often
    words.dynamodb.before = faults.cancel_next(100)
    words.dynamodb.calls.clear()
    with pytest.raises(Contended):
        words.multiply(sns_record(counted({"w0": 1}, "2")))
    assert words.operations == {"TransactWriteItems": 12}


def test_the_multipliers_pauses_are_long_enough_for_a_crowd_and_short_enough_for_its_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN the longest that chance may choose
    monkeypatch.setattr(random, "uniform", lambda _low, high: high)
    pauses: list[float] = []
    # WHEN
    assert len(list(multiplier._patient(sleep=pauses.append))) == 12
    # THEN
    assert max(pauses) == 2
    assert 15 < sum(pauses) < 15.2


def silence(call: Call) -> None:
    raise ReadTimeoutError(endpoint_url="https://dynamodb")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.cancel_next(12), Contended),
        (faults.cancel_next(1, "ValidationError"), NotCountable),
        (silence, ReadTimeoutError),
    ],
    ids=["conflicts", "a lasting refusal", "silence"],
)
def test_what_fails_is_raised_for_lambda_to_try_again(
    words: WordCounter, fault: Callable[[Call], None], error: type[Exception]
) -> None:
    known(words, "a")
    words.dynamodb.before = fault
    with pytest.raises(error):
        words.multiply(sns_record(counted({"a": 1})))
    assert words.counts == {"a": 1}
    words.dynamodb.before = lambda _call: None
    words.multiply(sns_record(counted({"a": 1})))
    assert words.counts == {"a": 11}
    assert words.rejected == []


def test_an_answer_that_is_lost_adds_ten_once(words: WordCounter) -> None:
    known(words, "a")
    words.dynamodb.after = silence
    with pytest.raises(ReadTimeoutError):
        words.multiply(sns_record(counted({"a": 1})))
    words.dynamodb.after = lambda _call: None
    words.multiply(sns_record(counted({"a": 1})))
    assert words.counts == {"a": 11}


def test_a_word_that_nobody_said_is_not_made_by_the_multiplier(words: WordCounter) -> None:
    known(words, "a")
    with pytest.raises(NotCountable):
        words.multiply(sns_record(counted({"a": 1, "ghost": 1})))
    assert words.counts == {"a": 1}
    # AND once somebody has said it, the same message counts
    known(words, "ghost")
    words.multiply(sns_record(counted({"a": 1, "ghost": 1})))
    assert words.counts == {"a": 11, "ghost": 11}


def test_the_multipliers_log_names_the_message_and_holds_no_word(words: WordCounter) -> None:
    known(words, "hunter2")
    for _ in range(2):
        words.multiply(sns_record(counted({"hunter2": 1})))
    assert [(line["message"], line["repeated"]) for line in words.lines] == [
        ("multiplied", False),
        ("multiplied", True),
    ]
    assert {line["correlation_id"] for line in words.lines} == {f"request of {ID}"}
    assert {line["message_id"] for line in words.lines} == {ID}
    assert "hunter2" not in words.log.getvalue()

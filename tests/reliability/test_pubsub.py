"""Whatever call counter, multiplier or logger dies in, redelivery counts every word exactly."""

from __future__ import annotations

import io
import random
from typing import TYPE_CHECKING

import pytest

from proofs.fakes.dynamodb import Call, refusal
from proofs.fakes.faults import Crash, Death
from proofs.pubsub_shapes import WAYS, curl, say
from pubsub import word_logger
from pubsub.credentials import MIN_AGE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.word_counter import Record, WordCounter

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
SIDES = pytest.mark.parametrize("side", ["before", "after"])
CODES = pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException"])
# Distinct words of a message, by the transactions that they take.
SIZES = {3: 1, 99: 1, 100: 2, 250: 3}
# A process asks for the secret, counts, reads the counts and publishes.
COUNTER_CALLS = [
    (size, call) for size, chunks in SIZES.items() for call in range(1, 1 + chunks + 3)
]
# A delivery that comes again also reads what became of the first.
RETRY_CALLS = [(size, call) for size, chunks in SIZES.items() for call in range(1, 2 + chunks + 3)]
MULTIPLIER_CALLS = [(size, call) for size, chunks in SIZES.items() for call in range(1, 1 + chunks)]
ATTEMPTS = 3


def said(size: int) -> dict[str, int]:
    """Return so many words, of which some occur more than once."""
    return {f"w{number}": 1 + (number % 7 == 0) for number in range(size)}


def text(size: int) -> str:
    words = [word for word, times in said(size).items() for _ in range(times)]
    random.Random(size).shuffle(words)  # noqa: S311
    return " ".join(words)


def deliver(words: WordCounter, size: int) -> int | None:
    """Deliver the one message; return the status, or None if the process died."""
    try:
        status, _ = words.post(curl({"text": text(size)}, key="k"))
    except Crash:
        words.restart()
        return None
    return status


def times(factor: int, counts: Mapping[str, int]) -> dict[str, int]:
    return {word: factor * number for word, number in counts.items()}


def expect_counted_once(words: WordCounter, size: int) -> None:
    """Check the message's words, and that what was published makes them eleven."""
    assert words.counts == words.occurrences == said(size)
    assert len(set(words.published_ids)) == 1
    assert len({record["Sns"]["Message"] for record in words.published}) == 1
    for record in words.published:
        words.multiply(record)
    assert words.counts == times(11, said(size))
    assert words.occurrences == said(size)
    assert len(words.markers) == 2 * SIZES[size]


@pytest.mark.parametrize("size", SIZES)
def test_a_clean_run_makes_the_calls_that_are_failed_here(words: WordCounter, size: int) -> None:
    # WHEN
    assert deliver(words, size) == 200
    # THEN
    first = ["GetSecretValue", *["TransactWriteItems"] * SIZES[size], "BatchGetItem", "Publish"]
    assert [call.operation for call in words.dynamodb.calls] == first
    # AND again
    words.restart()
    words.dynamodb.calls.clear()
    assert deliver(words, size) == 200
    again = [*first[:2], "BatchGetItem", *first[2:]]
    assert [call.operation for call in words.dynamodb.calls] == again
    # AND in the multiplier
    words.dynamodb.calls.clear()
    words.multiply(words.published[0])
    expected = ["TransactWriteItems"] * SIZES[size]
    assert [call.operation for call in words.dynamodb.calls] == expected
    assert len(words.published) == 2


@SIDES
@pytest.mark.parametrize(("size", "number"), COUNTER_CALLS)
def test_the_counter_dies_in_any_call_and_the_retry_counts_each_word_once(
    words: WordCounter, size: int, number: int, side: str
) -> None:
    # GIVEN a process that dies in that call, so that its caller gets no answer
    with Death(words.dynamodb, number, side) as death:
        words.post(curl({"text": text(size)}, key="k"))
    assert death.came
    words.restart()
    # WHEN
    assert deliver(words, size) == 200
    # THEN
    assert len(words.published) == 1 + ((number, side) == (SIZES[size] + 3, "after"))
    expect_counted_once(words, size)


@SIDES
@pytest.mark.parametrize(("size", "number"), RETRY_CALLS)
def test_the_retry_of_a_message_that_was_counted_dies_in_any_call(
    words: WordCounter, size: int, number: int, side: str
) -> None:
    # GIVEN a message that was counted, and whose answer was lost
    assert deliver(words, size) == 200
    words.restart()
    # WHEN
    with Death(words.dynamodb, number, side) as death:
        words.post(curl({"text": text(size)}, key="k"))
    assert death.came
    words.restart()
    assert deliver(words, size) == 200
    # THEN
    expect_counted_once(words, size)


@SIDES
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("order", ["forwards", "backwards"])
def test_the_counter_dies_in_every_call_of_every_delivery_but_the_last(
    words: WordCounter, size: int, side: str, order: str
) -> None:
    calls = [*range(1, SIZES[size] + 5)] * 2
    for number in calls if order == "forwards" else reversed(calls):
        with Death(words.dynamodb, number, side):
            words.post(curl({"text": text(size)}, key="k"))
        words.restart()
    assert deliver(words, size) == 200
    expect_counted_once(words, size)


@SIDES
@pytest.mark.parametrize(("size", "number"), COUNTER_CALLS)
def test_the_multiplier_has_had_a_message_whose_counter_died(
    words: WordCounter, size: int, number: int, side: str
) -> None:
    # GIVEN a delivery that died, and subscribers that have had what was published by then
    with Death(words.dynamodb, number, side):
        words.post(curl({"text": text(size)}, key="k"))
    words.restart()
    for record in words.published:
        words.multiply(record)
    before = len(words.published)
    # WHEN
    for _ in range(3):
        assert deliver(words, size) == 200
        for record in words.published:
            words.multiply(record)
    # THEN it was published once more only if it was not before
    assert words.counts == times(11, said(size))
    assert len(words.published) == max(before, 1)


def refusing(number: int, code: str) -> Callable[[Call], None]:
    """Return a hook that lets the `number`-th call be refused."""

    def refuse(call: Call) -> None:
        if call.number == number:
            raise refusal(code, call.operation)

    return refuse


def does_without(size: int, number: int, *, again: bool = False) -> bool:
    """Say whether that call reads the counts, which are only for the answer."""
    return number == 1 + SIZES[size] + again + 1


@CODES
@pytest.mark.parametrize(("size", "number"), COUNTER_CALLS)
def test_a_call_that_is_refused_loses_and_doubles_nothing(
    words: WordCounter, size: int, number: int, code: str
) -> None:
    # GIVEN
    words.dynamodb.before = refusing(number, code)
    # WHEN
    answered = deliver(words, size)
    # THEN all but the counts is a 503, and nobody has been told of it
    assert answered == (200 if does_without(size, number) else 503)
    assert len(words.published) == (answered == 200)
    # WHEN it comes again
    words.dynamodb.before = lambda _call: None
    words.pass_time(MIN_AGE_SECONDS)
    assert deliver(words, size) == 200
    # THEN it was published once more only if it had been, and nobody has had it
    assert len(words.published) == 1 + (answered == 200)
    expect_counted_once(words, size)


@CODES
@pytest.mark.parametrize(("size", "number"), RETRY_CALLS)
def test_nor_does_one_that_is_refused_to_the_retry(
    words: WordCounter, size: int, number: int, code: str
) -> None:
    # GIVEN a message that was counted, and could not be published
    words.dynamodb.before = refusing(SIZES[size] + 3, code)
    assert deliver(words, size) == 503
    words.restart()
    words.dynamodb.calls.clear()
    # WHEN
    words.dynamodb.before = refusing(number, code)
    answered = deliver(words, size)
    # THEN markers are not the answer's, but say what is left to do
    assert answered == (200 if does_without(size, number, again=True) else 503)
    assert len(words.published) == (answered == 200)
    # WHEN it comes again
    words.dynamodb.before = lambda _call: None
    words.pass_time(MIN_AGE_SECONDS)
    assert deliver(words, size) == 200
    # THEN
    expect_counted_once(words, size)


@CODES
@pytest.mark.parametrize("size", SIZES)
def test_what_was_published_without_its_counts_is_not_once_the_multiplier_has_had_it(
    words: WordCounter, size: int, code: str
) -> None:
    # GIVEN
    words.dynamodb.before = refusing(SIZES[size] + 2, code)
    assert deliver(words, size) == 200
    words.dynamodb.before = lambda _call: None
    words.multiply(words.published[0])
    # WHEN
    assert deliver(words, size) == 200
    # THEN
    assert len(words.published) == 1
    assert words.counts == times(11, said(size))


def counted(words: WordCounter, size: int) -> Record:
    """Count the message; return it as subscribers get it."""
    assert deliver(words, size) == 200
    return words.published[0]


@SIDES
@pytest.mark.parametrize(("size", "number"), MULTIPLIER_CALLS)
def test_the_multiplier_dies_in_any_call_and_lambdas_next_attempt_is_exact(
    words: WordCounter, size: int, number: int, side: str
) -> None:
    # GIVEN
    record = counted(words, size)
    # WHEN
    with Death(words.dynamodb, number, side) as death:
        words.multiply(record)
    assert death.came
    words.multiply(record)
    # THEN
    assert words.counts == times(11, said(size))
    assert words.occurrences == said(size)


@SIDES
@pytest.mark.parametrize("size", SIZES)
def test_the_multiplier_dies_in_all_attempts_and_the_redrive_is_exact(
    words: WordCounter, size: int, side: str
) -> None:
    # GIVEN
    record = counted(words, size)
    # WHEN it dies in each of its calls, attempt by attempt, redrive by redrive
    for number in [*range(1, SIZES[size] + 1)] * ATTEMPTS:
        with Death(words.dynamodb, number, side):
            words.multiply(record)
    words.multiply(record)
    # THEN
    assert words.counts == times(11, said(size))


@SIDES
@pytest.mark.parametrize(("size", "number"), MULTIPLIER_CALLS)
def test_lambda_repeats_a_message_that_was_multiplied(
    words: WordCounter, size: int, number: int, side: str
) -> None:
    # GIVEN
    record = counted(words, size)
    words.multiply(record)
    # WHEN
    with Death(words.dynamodb, number, side):
        words.multiply(record)
    for _ in range(ATTEMPTS):
        words.multiply(record)
    # THEN
    assert words.counts == times(11, said(size))


class Log(io.StringIO):
    """A log whose writer dies at its `number`-th line, before or after that is written."""

    def __init__(self, number: int, side: str) -> None:
        super().__init__()
        self._left, self._side = number, side

    def write(self, line: str) -> int:
        self._left -= 1
        if self._left == 0 and self._side == "before":
            raise Crash
        written = super().write(line)
        if self._left == 0:
            raise Crash
        return written


def logs_to(words: WordCounter, log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_logger.logger.registered_handler, "stream", log)
    words.log = log


@SIDES
@pytest.mark.parametrize("number", [1, 2, 99, 100])
def test_a_logger_that_dies_at_any_line_has_logged_every_word_in_the_end(
    words: WordCounter, monkeypatch: pytest.MonkeyPatch, number: int, side: str
) -> None:
    # GIVEN
    record = counted(words, 100)
    logs_to(words, Log(number, side), monkeypatch)
    # WHEN
    with pytest.raises(Crash):
        words.log_words(record)
    words.log_words(record)
    # THEN every word is there, and those before its death are twice
    [id_] = set(words.published_ids)
    twice = number - (side == "before")
    assert words.logged == {
        (id_, word): 1 + (place < twice)
        for place, word in enumerate(dict.fromkeys(text(100).split()))
    }


@pytest.mark.parametrize("size", SIZES)
def test_a_logger_that_lives_logs_every_word_of_a_message_once(
    words: WordCounter, size: int
) -> None:
    words.log_words(counted(words, size))
    [id_] = words.published_ids
    assert words.logged == {(id_, word): 1 for word in said(size)}
    occurrences = {line["word"]: line["occurrences"] for line in words.lines if "word" in line}
    assert occurrences == said(size)


@SIDES
@pytest.mark.parametrize("act", ["multiply", "log_words"])
def test_a_message_that_is_none_reaches_the_rejects_queue_whatever_dies(
    words: WordCounter, act: str, side: str
) -> None:
    # GIVEN
    record = counted(words, 3)
    record["Sns"]["Message"] = "{"
    before = words.counts
    # WHEN
    with Death(words.dynamodb, 1, side) as death:
        getattr(words, act)(record)
    assert death.came
    getattr(words, act)(record)
    # THEN it is there; twice if its sender died without knowing that it was
    assert [found for found, _ in words.rejected] == [record] * (1 if side == "before" else 2)
    assert words.counts == before


@SIDES
@pytest.mark.parametrize("way", WAYS)
def test_by_every_way_in_a_crash_at_every_step_counts_each_word_eleven_times(
    words: WordCounter, way: str, side: str
) -> None:
    # GIVEN a message that comes again until its counter lives
    for number in range(1, 8):
        with Death(words.dynamodb, number, side):
            words.post(say(way, text(100), "1"))
        words.restart()
    assert words.post(say(way, text(100), "1"))[0] == 200
    # WHEN its subscribers die, too
    for record in words.published:
        for number in (1, 2):
            with Death(words.dynamodb, number, side):
                words.multiply(record)
        words.multiply(record)
        words.log_words(record)
    # THEN
    assert words.counts == times(11, said(100))
    assert {word for _, word in words.logged} == set(said(100))

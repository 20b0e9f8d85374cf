"""Counting a message: marker and words in one transaction, in as few calls as possible."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from proofs.fakes import faults
from proofs.fakes.dynamodb import Call, FakeDynamoDB, cancellation
from proofs.fakes.sns import FakeSNS
from proofs.pubsub_shapes import NOON, TEXT, WORDS, curl
from pubsub import leaderboard
from pubsub.counting import COUNTER, MULTIPLIER, Count, chunks
from pubsub.deliveries import Delivery
from pubsub.failures import NotCountable
from pubsub.messages import Message
from pubsub.saying import Desk
from pubsub.tables import Tables
from pubsub.words import Word
from shared.transactions import Contended
from tests.unit.aws import make_table
from tests.word_counter import TOPIC

if TYPE_CHECKING:
    from tests.unit.aws import Aws
    from tests.word_counter import WordCounter

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
PASSING = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]
LASTING = ["ValidationError", "ItemCollectionSizeLimitExceeded", "AccessDenied"]
UNAVAILABLE = (503, "urn:aws-odyssey:problem:unavailable")


def distinct(number: int) -> str:
    return " ".join(f"w{each}" for each in range(number))


def status_of(words: WordCounter, text: str = "a b a") -> tuple[int, str]:
    """Return how a message with one and the same id is answered."""
    status, answer = words.post(curl({"text": text}, key="k"))
    return status, str(answer.get("type", ""))


def transactions(words: WordCounter) -> list[list[dict[str, Any]]]:
    return [
        call.arguments["TransactItems"]
        for call in words.dynamodb.calls
        if call.operation == "TransactWriteItems"
    ]


def test_each_occurrence_adds_one(words: WordCounter) -> None:
    words.post(curl({"text": "a b a"}))
    words.post(curl({"text": "A c"}))
    assert words.counts == words.occurrences == {"a": 3, "b": 1, "c": 1}


def test_a_word_has_all_that_readers_need(words: WordCounter) -> None:
    words.post(curl({"text": "a a"}))
    assert words.dynamodb.tables["words"]["a"] == {
        "id": {"S": "a"},
        "word_count": {"N": "2"},
        "occurrences": {"N": "2"},
        "ranking": {"S": "all"},
    }


def test_marker_and_words_are_one_transaction(words: WordCounter) -> None:
    words.post(curl({"text": "a b a"}))
    [actions] = transactions(words)
    assert [next(iter(action)) for action in actions] == ["Put", "Update", "Update"]
    tables = [action["TableName"] for each in actions for action in each.values()]
    assert tables == ["markers", "words", "words"]
    assert actions[0]["Put"]["ConditionExpression"] == "attribute_not_exists(id)"


@pytest.mark.parametrize(
    ("number", "expected"), [(1, 1), (98, 1), (99, 1), (100, 2), (198, 2), (199, 3), (500, 6)]
)
def test_a_message_takes_as_few_transactions_as_fit(
    words: WordCounter, number: int, expected: int
) -> None:
    # WHEN
    words.post(curl({"text": distinct(number)}, key="k"))
    # THEN
    sizes = [len(actions) for actions in transactions(words)]
    assert len(sizes) == len(words.markers) == expected
    assert max(sizes) <= 100
    assert sum(sizes) == number + expected
    assert words.counts == dict.fromkeys(distinct(number).split(), 1)
    # AND again, each of them once
    words.post(curl({"text": distinct(number)}, key="k"))
    assert words.counts == dict.fromkeys(distinct(number).split(), 1)


@pytest.mark.parametrize("number", [1, 99, 100, 500])
def test_chunks_hold_every_word_once_and_are_always_the_same(number: int) -> None:
    said = tuple(Word(f"w{each}", 1) for each in range(number))
    message = Message("1", "curl", said, NOON, "c")
    cut = list(chunks(message))
    assert [each for each, _ in cut] == list(range(len(cut)))
    assert tuple(word for _, part in cut for word in part) == said
    assert list(chunks(message)) == cut


@pytest.mark.parametrize(("number", "calls"), [(10, 4), (99, 4), (100, 6), (500, 14)])
def test_a_message_through_all_three_functions_takes_this_many_calls(
    words: WordCounter, number: int, calls: int
) -> None:
    # GIVEN secrets that are known
    words.warm_up()
    # WHEN
    assert words.post(curl({"text": distinct(number)}))[0] == 200
    [record] = words.published
    words.multiply(record)
    words.log_words(record)
    # THEN
    assert len(words.dynamodb.calls) == calls
    assert words.operations == {
        "TransactWriteItems": calls - 2,
        "BatchGetItem": 1,
        "Publish": 1,
    }
    assert set(words.counts.values()) == {11}


def test_a_marker_outlives_all_that_can_bring_a_message_back(words: WordCounter) -> None:
    words.post(curl({"text": "a"}))
    [marker] = words.markers.values()
    kept = int(marker["expires_at"]["N"]) - NOON.timestamp()
    # SNS tries for 23 days ("Amazon SNS message delivery retries"), Lambda for six hours, a
    # dead-letter queue keeps a message for fourteen days.
    assert kept > timedelta(days=23 + 14, hours=6).total_seconds()


def test_markers_do_not_hold_what_was_said(words: WordCounter) -> None:
    words.post(curl({"text": "hunter2 hunter2"}))
    assert "hunter2" not in str(words.markers)


@pytest.mark.parametrize("reason", PASSING)
@pytest.mark.parametrize("cancelled", [1, 7])
def test_what_passes_by_itself_is_tried_again(
    words: WordCounter, reason: str, cancelled: int
) -> None:
    words.dynamodb.before = faults.cancel_next(cancelled, reason)
    assert status_of(words, distinct(150)) == (200, "")
    assert set(words.counts.values()) == {1}
    assert len(words.published) == 1


@pytest.mark.parametrize("reason", PASSING)
def test_what_does_not_pass_is_said_and_the_retry_counts_it(
    words: WordCounter, reason: str
) -> None:
    words.dynamodb.before = faults.cancel_next(8, reason)
    assert status_of(words) == UNAVAILABLE
    assert words.is_untouched()
    assert status_of(words) == (200, "")
    assert words.counts == {"a": 2, "b": 1}


def test_conflicts_in_the_middle_of_a_message_lose_and_double_nothing(words: WordCounter) -> None:
    # GIVEN the second of three chunks meets others every time
    text = distinct(250)

    def conflict(call: Call) -> None:
        if "/1'" in str(call.arguments):
            faults.cancel_next(1)(call)

    words.dynamodb.before = conflict
    # WHEN it is tried twice
    assert [status_of(words, text) for _ in range(2)] == [UNAVAILABLE] * 2
    assert len(words.counts) == 99
    assert words.published == []
    # THEN the third retry counts the rest
    words.dynamodb.before = lambda _call: None
    assert status_of(words, text) == (200, "")
    assert words.counts == dict.fromkeys(text.split(), 1)
    assert len(words.published) == 1


def test_pauses_between_tries_leave_slacks_three_seconds_to_the_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(random, "uniform", lambda _low, high: high)
    pauses: list[float] = []
    tries: Any = Desk.tries
    assert len(list(tries(sleep=pauses.append))) == 8
    assert 0.5 < sum(pauses) <= 1.5


@pytest.mark.parametrize("reason", LASTING)
@pytest.mark.parametrize("place", [0, 1])
def test_what_dynamodb_refuses_for_good_is_not_tried_again(
    words: WordCounter, reason: str, place: int
) -> None:
    # GIVEN
    def refuse(call: Call) -> None:
        if call.operation == "TransactWriteItems":
            reasons = ["None"] * len(call.arguments["TransactItems"])
            reasons[place] = reason
            raise cancellation(reasons)

    words.dynamodb.before = refuse
    # WHEN / THEN
    assert status_of(words) == UNAVAILABLE
    assert words.operations["TransactWriteItems"] == 1
    assert words.is_untouched()
    assert "NotCountable" in words.log.getvalue()
    words.dynamodb.before = lambda _call: None
    assert status_of(words) == (200, "")
    assert words.counts == {"a": 2, "b": 1}


def count(client: FakeDynamoDB, by: str = COUNTER, tries: int = 3) -> Count:
    return Count(by, Tables("markers", "words"), NOON, client, lambda: range(tries))  # type: ignore[arg-type]


MESSAGE = Message("1", "curl", (Word("a", 2), Word("b", 1)), NOON, "c")


@pytest.mark.parametrize(("tries", "cancelled"), [(1, 0), (3, 2), (9, 8)])
def test_the_given_tries_are_made(tries: int, cancelled: int) -> None:
    client = FakeDynamoDB.with_tables("markers", "words")
    client.before = faults.cancel_next(cancelled)
    assert count(client, tries=tries).add(MESSAGE, 0, MESSAGE.words)
    client.before = faults.cancel_next(100)
    calls = len(client.calls)
    with pytest.raises(Contended):
        count(client, tries=tries).add(MESSAGE, 1, MESSAGE.words)
    assert len(client.calls) == calls + tries


def test_a_chunk_is_added_once_by_each_of_the_two() -> None:
    client = FakeDynamoDB.with_tables("markers", "words")
    added = [
        count(client, by).add(MESSAGE, 0, MESSAGE.words)
        for by in (COUNTER, COUNTER, MULTIPLIER, MULTIPLIER, COUNTER)
    ]
    assert added == [True, False, True, False, False]
    assert client.tables["words"]["a"]["word_count"] == {"N": "22"}
    assert client.tables["words"]["a"]["occurrences"] == {"N": "2"}


def test_a_marker_that_is_there_is_told_from_a_conflict_beside_it() -> None:
    # GIVEN both reasons at once
    client = FakeDynamoDB.with_tables("markers", "words")

    def both(_call: Call) -> None:
        raise cancellation(["ConditionalCheckFailed", "TransactionConflict", "None"])

    client.before = both
    assert count(client).add(MESSAGE, 0, MESSAGE.words) is False


def test_the_multiplier_cannot_make_words() -> None:
    client = FakeDynamoDB.with_tables("markers", "words")
    count(client).add(MESSAGE, 0, MESSAGE.words[:1])
    with pytest.raises(NotCountable):
        count(client, MULTIPLIER).add(MESSAGE, 0, MESSAGE.words)
    # Neither a ghost, nor a part of the effect, nor a marker for it.
    assert set(client.tables["words"]) == {"a"}
    assert client.tables["words"]["a"]["word_count"] == {"N": "2"}
    assert set(client.tables["markers"]) == {"1/counter/0"}


def test_dynamodb_itself_takes_what_is_written_and_read(aws: Aws) -> None:
    # GIVEN real expression rules, reserved words among them
    tables = Tables(
        make_table(aws.client), make_table(aws.client, ranking="by-count", rank="word_count")
    )
    sns: Any = FakeSNS.with_topics(FakeDynamoDB.with_tables(), TOPIC)
    desk = Desk(tables, TOPIC, aws.client, sns, lambda: range(3))
    # WHEN
    receipts = [
        desk.take(Delivery(key, "curl", text), now=NOON, correlation_id="c")
        for key, text in [("1", TEXT), ("1", TEXT), ("2", "café CAFÉ")]
    ]
    message = Message.read(sns.topics[TOPIC][0]["Message"])
    for _ in range(2):
        Count(MULTIPLIER, tables, NOON, aws.client).add(message, 0, message.words)
    # THEN
    assert [receipt.repeated for receipt in receipts if receipt] == [False, True, False]
    found = {item["id"]["S"]: int(item["word_count"]["N"]) for item in aws.items(tables.words)}
    assert found == dict.fromkeys(WORDS, 11) | {"café": 13}
    with pytest.raises(NotCountable):
        Count(MULTIPLIER, tables, NOON, aws.client).add(message, 1, (Word("unknown", 1),))
    # AND the reader's calls
    top = leaderboard.read_top(2, table=tables.words, index="by-count", client=aws.client)
    assert top["words"][0] == {"word": "café", "count": 13, "occurrences": 3}
    assert len(top["words"]) == 2
    one = leaderboard.read_one("R&D", table=tables.words, client=aws.client)
    assert one == {"word": "r&d", "count": 11, "occurrences": 1}

"""Deliveries of one message at the same time, in any order of their calls, count it once."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from proofs.fakes.dynamodb import FakeDynamoDB
from proofs.fakes.faults import Crash
from proofs.fakes.sns import FakeSNS
from proofs.pubsub_shapes import NOON
from pubsub import counting
from pubsub.counting import MULTIPLIER, Count, chunks
from pubsub.deliveries import Delivery
from pubsub.messages import Message
from pubsub.saying import Desk, Receipt
from pubsub.tables import Tables
from shared.problems import Problem
from tests.reliability.interleaving import all_orders, interleave

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proofs.fakes.dynamodb import Call

TABLES = Tables("markers", "words")
TOPIC = "arn:counted"
# Distinct words, and the transactions that they take when there are two words in each.
SIZES = {1: 1, 3: 2, 5: 3}


@pytest.fixture(autouse=True)
def small_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut messages smaller than DynamoDB makes us, so that there are many orders to try."""
    monkeypatch.setattr(counting, "MAX_ACTIONS", 3)


def text(size: int) -> str:
    return " ".join(f"w{number}" for number in range(size))


class Clouds:
    """What concurrent processes share; each process has a desk of its own."""

    def __init__(self) -> None:
        self.dynamodb = FakeDynamoDB.with_tables("markers", "words")
        self.sns = FakeSNS.with_topics(self.dynamodb, TOPIC)
        self.receipts: list[Receipt] = []

    def take(self, said: str, *, id: str = "1") -> None:
        clients: Any = (self.dynamodb, self.sns)
        desk = Desk(TABLES, TOPIC, *clients, tries=lambda: range(20))
        receipt = desk.take(Delivery(id, "curl", said), now=NOON, correlation_id="c")
        assert receipt is not None
        self.receipts.append(receipt)

    def multiply(self) -> None:
        """Multiply what was first published, as the multiplier does."""
        client: Any = self.dynamodb
        message = Message.read(self.published[0])
        count = Count(MULTIPLIER, TABLES, NOON, client, lambda: range(20))
        for chunk, words in chunks(message):
            count.add(message, chunk, words)

    @property
    def published(self) -> list[str]:
        return [each["Message"] for each in self.sns.topics[TOPIC]]

    @property
    def counts(self) -> dict[str, int]:
        table = self.dynamodb.tables["words"]
        return {word: int(item["word_count"]["N"]) for word, item in table.items()}


@pytest.mark.parametrize("size", [1, 3])
def test_two_deliveries_in_every_order_of_their_calls_count_once(size: int) -> None:
    # GIVEN every order of the calls of two deliveries, of which one makes a call more
    calls = SIZES[size] + 2
    for order in all_orders(calls + 1, calls + 1):
        clouds = Clouds()
        # WHEN
        interleave(clouds.dynamodb, [lambda c=clouds: c.take(text(size))] * 2, iter(order))  # type: ignore[misc]
        # THEN
        assert clouds.counts == dict.fromkeys(text(size).split(), 1), order
        assert [each.repeated for each in clouds.receipts].count(False) == 1
        assert 1 <= len(clouds.published) <= 2
        assert len(set(clouds.published)) == 1


@pytest.mark.parametrize("size", SIZES)
def test_many_deliveries_of_which_some_die_count_once(size: int, seed: int) -> None:
    for round_seed in range(seed, seed + 30):
        generator = random.Random(round_seed)  # noqa: S311
        clouds = Clouds()
        # GIVEN five deliveries at once, some of which die somewhere
        clouds.dynamodb.before = clouds.dynamodb.after = dying(generator)
        turns = iter(partial(generator.randrange, 60), None)
        # WHEN
        acts: list[Callable[[], object]] = [lambda c=clouds: c.take(text(size))] * 5  # type: ignore[misc]
        interleave(clouds.dynamodb, acts, turns)
        # AND the caller repeats what got no answer
        clouds.dynamodb.before = clouds.dynamodb.after = lambda _call: None
        clouds.take(text(size))
        # THEN
        assert clouds.counts == dict.fromkeys(text(size).split(), 1), f"round seed {round_seed}"
        assert len(set(clouds.published)) == 1, f"round seed {round_seed}"


@pytest.mark.parametrize("size", [1, 3, 5])
def test_a_retry_beside_the_multiplier_is_exact_and_never_lost(size: int) -> None:
    # GIVEN a message that was counted and published
    chunks_of_it = SIZES[size]
    for order in all_orders(chunks_of_it + 3, chunks_of_it):
        clouds = Clouds()
        clouds.take(text(size))
        # WHEN it comes again while it is multiplied
        acts = [lambda c=clouds: c.take(text(size)), clouds.multiply]  # type: ignore[misc]
        interleave(clouds.dynamodb, acts, iter(order))
        clouds.multiply()
        # THEN
        assert clouds.counts == dict.fromkeys(text(size).split(), 11), order
        assert len(set(clouds.published)) == 1


@pytest.mark.parametrize("size", [1, 3, 5])
def test_a_message_that_is_multiplied_twice_at_once_adds_ten(size: int) -> None:
    for order in all_orders(SIZES[size], SIZES[size]):
        clouds = Clouds()
        clouds.take(text(size))
        interleave(clouds.dynamodb, [clouds.multiply, clouds.multiply], iter(order))
        assert clouds.counts == dict.fromkeys(text(size).split(), 11), order


def test_of_two_texts_with_one_id_one_counts_whole_and_the_other_not_at_all() -> None:
    first, second = text(3), "v0 v1 v2 v3 v4"
    for order in all_orders(5, 5):
        clouds = Clouds()
        refused: list[Problem] = []

        def take(said: str, clouds: Clouds = clouds, refused: list[Problem] = refused) -> None:
            try:
                clouds.take(said)
            except Problem as problem:
                refused.append(problem)

        # WHEN
        acts = [lambda t=take: t(first), lambda t=take: t(second)]  # type: ignore[misc]
        interleave(clouds.dynamodb, acts, iter(order))
        # THEN
        assert [int(each.status) for each in refused] == [422]
        assert clouds.counts in (dict.fromkeys(said.split(), 1) for said in (first, second))
        assert len(clouds.published) == 1


def dying(generator: random.Random) -> Callable[[Call], None]:
    """Return a hook that kills the process in one call of sixteen, on one side of its effect."""

    def hook(_call: Call) -> None:
        if generator.random() < 1 / 32:
            raise Crash

    return hook


def test_processes_take_turns_as_they_are_told() -> None:
    # GIVEN
    client = FakeDynamoDB.with_tables("words")

    def put(name: str) -> None:
        for number in range(3):
            client.put_item(TableName="words", Item={"id": {"S": f"{name}{number}"}})

    # WHEN
    turns: Iterator[int] = iter([0, 1, 1, 0, 0, 1])
    interleave(client, [lambda: put("a"), lambda: put("b")], turns)
    # THEN
    assert list(client.tables["words"]) == ["a0", "b0", "b1", "a1", "a2", "b2"]


def test_an_error_of_a_process_is_not_hidden() -> None:
    client = FakeDynamoDB.with_tables()
    with pytest.raises(KeyError):
        interleave(client, [lambda: client.get_item(TableName="x", Key={})], iter(()))

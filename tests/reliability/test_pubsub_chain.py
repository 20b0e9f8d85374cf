"""From what is said to the counts: whatever dies, repeats or overtakes, every total is exact."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from proofs.fakes import faults
from proofs.fakes.dynamodb import Call, cancellation, refusal
from proofs.pubsub_shapes import TEXT, WAYS, WORDS, one, say
from pubsub.credentials import MIN_AGE_SECONDS
from tests.word_counter import TOPIC

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.word_counter import Record, WordCounter

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
MESSAGES = 300
# Attempts of Lambda at one event, and of a client at one message.
ATTEMPTS, PATIENCE = 3, 100
# Of calls that fail, on either side of their effect.
RATE = 0.1
VOCABULARY = [f"w{number}" for number in range(40)] + WORDS


@dataclass
class Chaos:
    """A topic that repeats and reorders, and clouds that fail some calls.

    Attributes:
        dead: what subscribers failed on in all attempts, by the name of what they do.
    """

    words: WordCounter
    generator: random.Random
    seen: int = 0
    dead: list[tuple[str, Record]] = field(default_factory=list)
    due: list[tuple[str, Record]] = field(default_factory=list)

    def start(self) -> None:
        self.words.dynamodb.before = self._hook("before")
        self.words.dynamodb.after = self._hook("after")

    def stop(self) -> None:
        self.words.dynamodb.before = self.words.dynamodb.after = lambda _call: None

    def say(self, request: Any) -> None:
        """Send a request until it is answered, and now and then once more."""
        for _ in range(PATIENCE):
            try:
                status, _ = self.words.post(request)
            except faults.Crash:
                self.words.restart()
                continue
            if status == 200 and self.generator.random() > 0.1:
                return
            assert status in (200, 503)
            self.words.pass_time(MIN_AGE_SECONDS)
        raise AssertionError("never answered")

    def deliver(self, share: float) -> None:
        """Let subscribers have some of what is due, in any order, some of it twice."""
        for each in self.words.published[self.seen :]:
            self.due += [("multiply", each), ("log_words", each)]
        self.seen = len(self.words.published)
        self.generator.shuffle(self.due)
        number = round(share * len(self.due))
        now, self.due = self.due[:number], self.due[number:]
        for act, record in now:
            if self.generator.random() < 0.1:
                self.due.append((act, record))
            if not self._attempt(act, record):
                self.dead.append((act, record))

    def redrive(self) -> None:
        """Send what subscribers failed on to them again."""
        self.due, self.dead = self.due + self.dead, []

    def _attempt(self, act: str, record: Record) -> bool:
        function = getattr(self.words, act)
        return any(self.words.survives(function, record) for _ in range(ATTEMPTS))

    def _hook(self, side: str) -> Callable[[Call], None]:
        def hook(call: Call) -> None:
            if self.generator.random() >= RATE:
                return
            failures: list[BaseException] = [
                faults.Crash(),
                ReadTimeoutError(endpoint_url="https://aws"),
            ]
            if side == "before":
                failures.append(refusal("ThrottlingException", call.operation))
            if side == "before" and call.operation == "TransactWriteItems":
                reasons = ["None"] * len(call.arguments["TransactItems"])
                reasons[-1] = "TransactionConflict"
                failures += [cancellation(reasons)] * 2
            raise self.generator.choice(failures)

        return hook


def message(generator: random.Random) -> list[str]:
    """Return words to say: mostly few, at times more than fit into a transaction."""
    if generator.random() < 0.02:
        number = generator.choice([98, 99, 100, 130])
        return [*generator.choices(VOCABULARY, k=5), *(f"rare{each}" for each in range(number))]
    return generator.choices(VOCABULARY, k=generator.randint(1, 12))


def test_300_messages_count_eleven_for_every_occurrence(words: WordCounter, seed: int) -> None:
    # GIVEN messages by all ways in, and clouds that fail some of their calls
    generator = random.Random(seed)  # noqa: S311
    chaos = Chaos(words, generator)
    expected: Counter[str] = Counter()
    chaos.start()
    # WHEN they are said and delivered, again and again, in any order
    for number in range(MESSAGES):
        said = message(generator)
        expected.update(said)
        chaos.say(say(WAYS[number % 4], " ".join(said), f"id-{number}"))
        chaos.deliver(generator.random())
    chaos.deliver(1)
    chaos.stop()
    chaos.redrive()
    while chaos.due:
        chaos.deliver(1)
    # THEN
    assert chaos.dead == []
    assert words.occurrences == expected
    assert words.counts == {word: 11 * times for word, times in expected.items()}
    # AND nothing was taken for none of ours, and every message was published
    assert words.rejected == []
    assert len(set(words.published_ids)) == MESSAGES
    # AND the log has every word of every message
    assert len({found for found, _ in words.logged}) == MESSAGES
    by_message: Counter[tuple[str, str]] = Counter()
    for line in words.lines:
        if line["message"] == "word":
            by_message[line["message_id"], line["word"]] = line["occurrences"]
    total: Counter[str] = Counter()
    for (_, word), times in by_message.items():
        total[word] += times
    assert total == expected
    # The failures took place.
    assert "failed" in {line["message"] for line in words.lines}
    assert len(words.published) > MESSAGES


def test_300_messages_that_come_once_are_published_and_logged_once(
    words: WordCounter, seed: int
) -> None:
    generator = random.Random(seed)  # noqa: S311
    said = [message(generator) for _ in range(MESSAGES)]
    for number, each in enumerate(said):
        assert words.post(say(WAYS[number % 4], " ".join(each), f"id-{number}"))[0] == 200
    for record in words.published:
        words.multiply(record)
        words.log_words(record)
    assert len(words.published) == MESSAGES
    assert set(words.logged.values()) == {1}
    assert sum(words.logged.values()) == sum(len(set(each)) for each in said)
    total = Counter(word for each in said for word in each)
    assert words.counts == {word: 11 * times for word, times in total.items()}


@pytest.mark.parametrize("way", WAYS)
def test_by_every_way_in_the_words_are_the_same_in_all_three_functions(
    words: WordCounter, way: str
) -> None:
    # WHEN the same delivery comes three times
    for _ in range(3):
        assert words.post(say(way, TEXT, "1"))[0] == 200
        for record in words.published:
            words.multiply(record)
    words.log_words(words.published[0])
    # THEN
    assert list(words.counts) == list(words.occurrences) == WORDS
    assert set(words.counts.values()) == {11}
    assert [word for _, word in words.logged] == WORDS
    assert words.get(one("R&D"))[1] == {"word": "r&d", "count": 11, "occurrences": 1}
    assert len(words.sns.topics[TOPIC]) == 1

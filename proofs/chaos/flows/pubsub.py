"""The word counter: messages in by four ways, points for every word out."""

from __future__ import annotations

import contextlib
import io
import json
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest import mock

from proofs import pubsub_shapes as shapes
from proofs.chaos.history import Violation
from proofs.chaos.running import Stuck
from proofs.chaos.topics import Subscription
from proofs.chaos.world import POISON_EVERY, REJECTS, Clouds, Poison, World, name_of
from proofs.fakes.secrets import FakeSecretsManager
from pubsub import counter, credentials, multiplier, settings, subscribing, word_logger
from pubsub.tables import tables

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator

TOPIC, SLACK, API = "arn:counted", "arn:slack", "arn:api"
# Messages in a second, of which some are sent again although they were answered.
_PACE, _SENT_AGAIN = 10.0, 0.02
_SCALE = 3.0
# Seconds for which a client tries. While a secret cannot be read, the function looks every five
# seconds (`credentials.MIN_AGE_SECONDS`): the longest outage then lasts for 200.
_IMPATIENT = 600
_VOCABULARY = [f"w{number}" for number in range(60)] + shapes.WORDS
# Every so many messages have more words than fit into a transaction.
_LONG_EVERY = 150
_POINTS = 11
_SUBSCRIBERS = ("logger", "multiplier")


class Lines(io.StringIO):
    """A log of which only lines with words are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[tuple[str, str]] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a line holds a word; others need not be made."""
        return record.getMessage() == word_logger.WORD

    def write(self, text: str) -> int:
        """Keep a line that holds a word: of which message, and which."""
        for line in text.splitlines():
            value = json.loads(line)
            self.found[value["message_id"], value["word"]] += 1
        return len(text)


@dataclass
class PubSub(World):
    """The world of the word counter.

    Attributes:
        said: the words of each message that counts.
        answers: what bad requests were answered.
        taken: names of messages by their ids, as they were published.
    """

    said: dict[str, Counter[str]] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)

    def make_clouds(self) -> Clouds:
        """Return the stack's clouds."""
        self.lines = Lines()
        self.log = self.lines
        clouds = Clouds.with_tables({"markers": {}, "words": {}}, TOPIC)
        self.secrets = FakeSecretsManager(clouds.dynamodb)
        token = shapes.VERIFICATION_TOKEN
        slack = {"signing_secret": shapes.SIGNING_SECRET, "verification_token": token}
        self.secrets.secrets = {
            SLACK: json.dumps(slack),
            API: json.dumps({"token": shapes.API_TOKEN}),
        }
        return clouds

    def functions(self) -> tuple[str, ...]:
        """Return the functions that messages go through."""
        return "pubsub.counter", "pubsub.multiplier", "pubsub.word_logger"

    def variables(self) -> dict[str, str]:
        """Return the stack's variables."""
        return {
            "MARKERS_TABLE": "markers",
            "WORDS_TABLE": "words",
            "TOPIC": TOPIC,
            "SLACK_SECRET": SLACK,
            "API_SECRET": API,
            "REJECTS_QUEUE": REJECTS,
            "RANKING": "by-count",
        }

    def make_sources(self) -> None:
        """Subscribe both functions to the topic."""
        self.faults.scale = _SCALE
        made = {"multiplier": multiplier.handler, "logger": word_logger.handler}
        modules = {"multiplier": "pubsub.multiplier", "logger": "pubsub.word_logger"}
        self.subscriptions = {
            name: Subscription(
                self.machine,
                name,
                handler,
                self.deployed.asynchronous(modules[name]),
                lambda text: name_of(text) or "unknown",
            )
            for name, handler in made.items()
        }

    def restart(self) -> None:
        """Forget what processes know of their environment."""
        for read in (settings.counter, tables, subscribing.rejects_queue, settings.reader):
            read.cache_clear()

    def other_clouds(self) -> dict[str, Any]:
        """Return the secrets."""
        return {"secretsmanager": self.secrets}

    def feed(self) -> None:
        """Plan all messages."""
        at = 0.0
        for number in range(self.number):
            at += self.generator.expovariate(_PACE)
            if number % POISON_EVERY < POISON_EVERY - 1:
                self._plan(f"event-{number}", number, at)
                continue
            name = self.make_bad(number // POISON_EVERY)
            if name in self.killers:
                self._plan(name, number, at)
            elif self.is_of_edge(self.poison[name]):
                self.schedule.after(at, partial(self._bad_request, name))
            else:
                self.schedule.after(at, partial(self._to_topic, name))

    def pump(self) -> None:
        """Carry what was published to both subscribers."""
        published, self.clouds.sns.topics[TOPIC] = self.clouds.sns.topics[TOPIC], []
        for each in published:
            record = shapes.sns_record(each["Message"], id=each["MessageId"])
            name = name_of(each["Message"]) or "unknown"
            if name in self.said:
                self.taken[json.loads(each["Message"])["id"]] = name
            for subscription in self.subscriptions.values():
                subscription.deliver({"Records": [record]})

    def redrive(self) -> int:
        """Hand over what was given up once more, each to the one function that failed."""
        return sum(each.redrive() for each in self.subscriptions.values())

    def dead(self) -> list[str]:
        """Return the events that are given up now."""
        return [name for each in self.subscriptions.values() for name in each.dead()]

    def waiting(self) -> int:
        """Return how much is given up now."""
        return sum(len(each.letters) for each in self.subscriptions.values())

    def is_of_edge(self, poison: Poison) -> bool:
        """Say whether poison is a bad request."""
        return poison.source == "counter"

    def ended(self) -> dict[str, int]:
        """Return where messages ended."""
        words = self.clouds.dynamodb.tables["words"]
        return {
            "refused at the edge": len(self.answers),
            "counted": sum(name in words for name in self.said),
            "multiplied": sum(
                int(words[name]["word_count"]["N"]) == _POINTS
                for name in self.said
                if name in words
            ),
            "logged": len({message for message, _ in self.lines.found}),
            **self.count_ended(),
        }

    def reckon(self) -> Iterator[Violation]:
        """Yield what is not as it must be."""
        words = self.clouds.dynamodb.tables["words"]
        expected: Counter[str] = Counter()
        points: Counter[str] = Counter()
        for name, said in self.said.items():
            is_killed = name in self.killers and self.killers[name].source == "multiplier"
            for word, number in said.items():
                expected[word] += number
                points[word] += number * (1 if is_killed else _POINTS)
        for word in sorted(expected.keys() | words.keys()):
            found = words.get(word, {})
            counted = int(found.get("occurrences", {"N": "0"})["N"])
            scored = int(found.get("word_count", {"N": "0"})["N"])
            if (counted, scored) != (expected[word], points[word]):
                what = f"occurs {expected[word]} times for {points[word]} points"
                said_by = name_of(word) or self._suspect(word)
                yield Violation(said_by, f"{word!r} {what}; counted {counted} for {scored}")
        yield from self._logged()
        for name, poison in self.poison.items():
            if self.is_of_edge(poison) and str(self.answers.get(name)) != poison.cause:
                yield Violation(name, f"was answered {self.answers.get(name)}, not {poison.cause}")

    def _logged(self) -> Iterator[Violation]:
        by_name = {name: message_id for message_id, name in self.taken.items()}
        for name, said in self.said.items():
            is_killed = name in self.killers and self.killers[name].source == "logger"
            message = by_name.get(name)
            if message is None:
                yield Violation(name, "was accepted, and is not published")
                continue
            missing = [word for word in said if (message, word) not in self.lines.found]
            if missing and not is_killed:
                yield Violation(name, f"has {len(missing)} words that are not logged")
        for message, word in sorted(self.lines.found):
            of = self.taken.get(message)
            if of is None or word not in self.said[of]:
                said_by = of or name_of(word) or "unknown"
                yield Violation(said_by, f"{word!r} is logged of {message}, and must not be")

    def _suspect(self, word: str) -> str:
        """Return a message with a word, that with the most trouble."""
        having = [name for name, said in self.said.items() if word in said]
        hops = self.history.hops
        return max(having, key=lambda name: len(hops.get(name, [])), default="unknown")

    def _plan(self, name: str, number: int, at: float) -> None:
        words = [name, *self.generator.choices(_VOCABULARY, k=self.generator.randint(0, 5))]
        if number % _LONG_EVERY == 0:
            words += [f"rare{each}" for each in range(self.generator.choice([98, 99, 130]))]
        self.said[name] = Counter(words)
        way = shapes.WAYS[number % len(shapes.WAYS)]
        self.schedule.after(at, partial(self._say, name, way, " ".join(words)))
        if self.generator.random() < _SENT_AGAIN:
            later = at + self.generator.uniform(0, 900)
            self.schedule.after(later, partial(self._say, name, way, " ".join(words)))

    def _say(self, name: str, way: str, text: str) -> None:
        """Send a message until it is answered, as its client does."""
        for _ in range(_IMPATIENT):
            stamp = str(int(self.schedule.now))
            with mock.patch.object(shapes, "STAMP", stamp):
                request = shapes.say(way, text, name, request_id=f"request of {name}")
            if self._post(name, request) == 200:
                return
            self.schedule.now += 1
        raise Stuck(name, "was never answered")

    @contextlib.contextmanager
    def _environment(self) -> Iterator[None]:
        clock = partial(getattr, self.schedule, "now")
        slack = partial(credentials.SlackSecret, clock=clock)
        api = partial(credentials.ApiSecret, clock=clock)
        with (
            mock.patch.object(settings, "SlackSecret", slack),
            mock.patch.object(settings, "ApiSecret", api),
            super()._environment(),
        ):
            yield

    def _post(self, name: str, request: dict[str, Any]) -> int:
        outcome = self.machine.invoke("counter", counter.handler, request, [name])
        self.pump()
        answer: Any = outcome.response
        is_answered = outcome.error is None and outcome.invoked
        return int(answer["statusCode"]) if is_answered else 0

    # What can never be processed.

    def kinds(self) -> list[Callable[[str], Poison]]:
        """Return bad requests, and what somebody publishes."""
        both = "+".join(_SUBSCRIBERS)
        return [
            lambda name: Poison(name, both, "not JSON"),
            lambda name: Poison(name, "counter", "400"),
            lambda name: Poison(name, both, "The event's type is"),
            lambda name: Poison(name, both, "no 'words'"),
            lambda name: Poison(name, "counter", "401"),
        ]

    def deadly(self) -> tuple[str, ...]:
        """Return the functions that die of killers."""
        return "multiplier", "logger"

    def _bad_request(self, name: str) -> None:
        token = "Bearer wrong" if self.poison[name].cause == "401" else None
        body = {"text": name} if token else {"txt": name}
        kept = {"token": token} if token else {}
        for _ in range(_IMPATIENT):
            request = shapes.curl(body, key=name, request_id=name, **kept)
            status = self._post(name, request)
            if 400 <= status < 500:
                self.answers[name] = status
                return
            self.schedule.now += 1

    def _to_topic(self, name: str) -> None:
        """Somebody publishes what is none of ours."""
        made = json.loads(shapes.counted({name: 1}, name))
        match self.poison[name].cause:
            case "not JSON":
                text = f"{{{name}"
            case "no 'words'":
                text = json.dumps(made | {"data": {"way": "curl", "words": []}})
            case _:
                text = json.dumps(made | {"type": "somebody.elses"})
        self.clouds.sns.publish(TopicArn=TOPIC, Message=text)
        self.pump()

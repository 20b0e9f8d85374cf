"""The word counter's functions, as Lambda runs them, on clouds in memory."""

from __future__ import annotations

import io
import json
import logging
import random
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from proofs.fakes.dynamodb import FakeDynamoDB
from proofs.fakes.faults import Crash
from proofs.fakes.secrets import FakeSecretsManager
from proofs.fakes.sns import FakeSNS
from proofs.fakes.sqs import FakeSQS
from proofs.pubsub_shapes import (
    API_TOKEN,
    NOON,
    SIGNING_SECRET,
    VERIFICATION_TOKEN,
    Request,
    curl,
    sns_record,
)
from pubsub import counter, credentials, multiplier, reader, settings, subscribing, word_logger
from pubsub.tables import tables
from shared import clients, times
from tests.builders import FakeContext

if TYPE_CHECKING:
    from collections.abc import Iterator

TOPIC, REJECTS = "arn:counted", "https://sqs/rejects"
SLACK, API = "arn:slack", "arn:api"
VARIABLES = {
    "MARKERS_TABLE": "markers",
    "WORDS_TABLE": "words",
    "TOPIC": TOPIC,
    "SLACK_SECRET": SLACK,
    "API_SECRET": API,
    "REJECTS_QUEUE": REJECTS,
    "RANKING": "by-count",
}
_READS = (settings.counter, tables, subscribing.rejects_queue, settings.reader)
# Status and body, the latter parsed if it is JSON.
Answer = tuple[int, Any]
Record = dict[str, Any]


class WordCounter:
    """Counter, multiplier, logger and reader, and all that they call.

    Attributes:
        now: the time.
        uptime: seconds by the clock that no setting of the time changes.
        log: what the functions write to their logs.
    """

    def __init__(self) -> None:
        self.start_over()

    def start_over(self) -> None:
        """Begin with everything empty at noon, with new processes and nothing that fails."""
        self.dynamodb = FakeDynamoDB.with_tables("markers", "words")
        self.dynamodb.indexes["by-count"] = "word_count"
        self.sns = FakeSNS.with_topics(self.dynamodb, TOPIC)
        self.sqs = FakeSQS(self.dynamodb)
        self.secrets = FakeSecretsManager(self.dynamodb)
        self.store_secrets()
        self.now, self.uptime = NOON, 1_000.0
        self.log = io.StringIO()
        for function in (counter, multiplier, word_logger, reader):
            vars(function.logger.registered_handler)["stream"] = self.log
        self.restart()

    def restart(self) -> None:
        """Let the next invocation be the first of a new process."""
        for read in _READS:
            read.cache_clear()

    def store_secrets(
        self,
        *,
        signing_secret: str = SIGNING_SECRET,
        verification_token: str | None = VERIFICATION_TOKEN,
        token: str = API_TOKEN,
    ) -> None:
        """Rotate the secrets."""
        slack = {"signing_secret": signing_secret, "verification_token": verification_token}
        self.secrets.secrets[SLACK] = json.dumps(
            {name: value for name, value in slack.items() if value is not None}
        )
        self.secrets.secrets[API] = json.dumps({"token": token})

    def pass_time(self, seconds: float) -> None:
        """Let time pass, but not so that what is signed gets old."""
        self.uptime += seconds

    def warm_up(self) -> None:
        """Let the counter know its secrets, and forget what it called for that."""
        self.post(curl({"text": "!"}))
        assert self.post(curl({"text": "!"}, token="Bearer wrong"))[0] == 401
        settings.counter().slack.has_token("wrong")
        self.dynamodb.calls.clear()

    def answer(self, request: Request) -> dict[str, Any]:
        """Return the function's answer as the gateway gets it."""
        function = reader if request["requestContext"]["http"]["method"] == "GET" else counter
        answer: dict[str, Any] = function.handler(request, FakeContext())
        return answer

    def post(self, request: Request) -> Answer:
        """Send a request; a refusal must be a problem."""
        answer = self.answer(request)
        status, kind = answer["statusCode"], answer["headers"]["Content-Type"]
        if status >= 300:
            assert kind == "application/problem+json"
        body = json.loads(answer["body"]) if "json" in kind else answer["body"]
        if status >= 300:
            assert body["status"] == status
            assert body["detail"].endswith(".")
        return status, body

    get = post

    def multiply(self, record: Record) -> None:
        multiplier.handler({"Records": [record]}, FakeContext(function_name="multiplier"))

    def log_words(self, record: Record) -> None:
        word_logger.handler({"Records": [record]}, FakeContext(function_name="logger"))

    def survives(self, act: Any, *arguments: Any) -> bool:
        """Return whether `act` came to its end; what it raises is an end, too, for Lambda."""
        try:
            act(*arguments)
        except Crash:
            self.restart()
            return False
        except Exception:  # noqa: BLE001 - Lambda takes any
            return False
        return True

    @property
    def published(self) -> list[Record]:
        """The topic's messages, as subscribers get them."""
        return [
            sns_record(each["Message"], id=each["MessageId"]) for each in self.sns.topics[TOPIC]
        ]

    @property
    def published_ids(self) -> list[str]:
        """The ids of the messages in the topic, one for each time."""
        return [json.loads(each["Message"])["id"] for each in self.sns.topics[TOPIC]]

    @property
    def counts(self) -> dict[str, int]:
        return self._numbers("word_count")

    @property
    def occurrences(self) -> dict[str, int]:
        return self._numbers("occurrences")

    @property
    def markers(self) -> dict[str, Any]:
        return self.dynamodb.tables["markers"]

    @property
    def operations(self) -> Counter[str]:
        return Counter(call.operation for call in self.dynamodb.calls)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log's lines."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    @property
    def logged(self) -> Counter[tuple[str, str]]:
        """How often each message's words are in the log, by message and word."""
        return Counter(
            (line["message_id"], line["word"]) for line in self.lines if line["message"] == "word"
        )

    @property
    def rejected(self) -> list[tuple[Record, dict[str, str]]]:
        """What is in the rejects queue: record and attributes."""
        return [
            (
                json.loads(each["MessageBody"]),
                {name: value["StringValue"] for name, value in each["MessageAttributes"].items()},
            )
            for each in self.sqs.queues.get(REJECTS, [])
        ]

    def is_untouched(self) -> bool:
        """Say whether nothing was stored and nothing published."""
        return self.dynamodb.tables == {"markers": {}, "words": {}} and not self.published

    def _numbers(self, name: str) -> dict[str, int]:
        table = self.dynamodb.tables["words"]
        return {word: int(item[name]["N"]) for word, item in table.items()}


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> Iterator[WordCounter]:
    """A fresh system at noon."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    # So that the monkeypatch brings them back.
    for function in (counter, multiplier, word_logger, reader):
        handler = function.logger.registered_handler
        monkeypatch.setattr(handler, "stream", vars(handler)["stream"])
    # pytest would keep every line; `log` has them.
    monkeypatch.setattr(logging.getLogger("tests"), "propagate", False)
    made = WordCounter()
    monkeypatch.setattr(times, "now", lambda: made.now)
    # No jitter, no wait.
    monkeypatch.setattr(random, "uniform", lambda _low, _high: 0)
    for name in ("SlackSecret", "ApiSecret"):
        with_clock = partial(getattr(credentials, name), clock=lambda: made.uptime)
        monkeypatch.setattr(settings, name, with_clock)
    monkeypatch.setattr(clients, "dynamodb", lambda: made.dynamodb)
    monkeypatch.setattr(clients, "sns", lambda: made.sns)
    monkeypatch.setattr(clients, "sqs", lambda: made.sqs)
    monkeypatch.setattr(clients, "secretsmanager", lambda: made.secrets)
    yield made
    made.restart()

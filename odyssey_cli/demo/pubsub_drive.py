"""What the word counter's checks share: the stack under test, and what was said to it."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from odyssey_cli import failures
from odyssey_cli.demo import waiting
from odyssey_cli.demo.checks import expect
from odyssey_cli.flows.pubsub import STACK
from odyssey_cli.flows.pubsub.speaker import Speaker
from pubsub import counting
from pubsub.ways import CURL
from pubsub.words import read_words

if TYPE_CHECKING:
    from odyssey_cli.flows.http import Answer
    from odyssey_cli.target import Target

# Of an occurrence: one from the counter, ten from the multiplier.
POINTS = sum(counting.POINTS.values())
ODD = "awsadvent R&D C# 1+1 50% a;b x=y %41 Åsa café 😀"
CONNECTIONS = 300


class Drive:
    """The flow under test.

    Attributes:
        target: where it is deployed, with the deployer's credentials.
        speaker: in the role that the stack has for it.
        said: every word that must count, and how often.
        expected: lines that the log must have in the end.
        retried: how many requests had to be sent again.
        broken: ids of messages on which the multiplier was made to fail.
        while_broken: ends with the drive, or when the logger is whole again.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.speaker = Speaker(target, connections=CONNECTIONS)
        self.said: Counter[str] = Counter()
        self.expected = 0
        self.retried = 0
        self.broken: list[str] = []
        self.while_broken = ExitStack()
        self._held: set[str] = set()

    def say(self, text: str, *, way: str = CURL, delivery: str | None = None) -> Answer:
        """Say something that is to be counted."""
        answer = self.speaker.say(text, way=way, delivery=delivery)
        expect(answer.status == HTTPStatus.OK, f"{way} was answered {answer.status} {answer.body}")
        self.note(text)
        return answer

    def note(self, text: str) -> None:
        """Note that a text was said."""
        words = read_words(text)
        self.said.update({word.text: word.occurrences for word in words})
        self.expected += len(words)

    def except_for(self, text: str) -> None:
        """Do not wait for the words of a text, until `include` says so."""
        self._held |= {word.text for word in read_words(text)}

    def include(self) -> None:
        """Wait for all words again."""
        self._held.clear()

    def wait_until_settled(self) -> None:
        """Wait until every word that was said has all its points, and is in the log.

        Raises:
            CheckFailed: a minute later there are still some that have not.
        """

        def wrong() -> dict[str, Any]:
            counts = self.speaker.counts()
            return {
                word: (counts.get(word), number)
                for word, number in self.said.items()
                if word not in self._held and counts.get(word) != (POINTS * number, number)
            }

        waiting.until(lambda: not wrong())
        left = wrong()
        expect(not left, f"{len(left)} words have other counts than they must: {str(left)[:200]}")
        held = sum(self.said[word] for word in self._held)
        # A message that is sent again may be logged again, and is no other one's.
        waiting.until(lambda: len(self.occurrences()) >= self.expected - held)

    def occurrences(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Return one line of the logger for each word of each message."""
        return {(line["message_id"], line["word"]): line for line in self.logged()}

    def logged(self) -> list[dict[str, Any]]:
        """Return all lines of the logger."""
        return list(self.speaker.logged())

    def stored(self) -> tuple[set[str], dict[str, tuple[int, int]]]:
        """Return what a request could have changed: markers and counts.

        But for those of the messages that the multiplier is at work on meanwhile.
        """
        dynamodb = self.target.client("dynamodb")
        [table] = [
            name
            for page in dynamodb.get_paginator("list_tables").paginate()
            for name in page["TableNames"]
            if name.startswith(f"{STACK}-Markers")
        ]
        markers = {
            item["id"]["S"]
            for page in dynamodb.get_paginator("scan").paginate(
                TableName=table, ProjectionExpression="id", ConsistentRead=True
            )
            for item in page["Items"]
        }
        counts = self.speaker.counts()
        return (
            {each for each in markers if not each.startswith(tuple(self.broken))},
            {word: each for word, each in counts.items() if word not in self._held},
        )

    def rotate(self, **values: str) -> None:
        """Store another secret of Slack's, and use it from now on."""
        self.target.client("secretsmanager").put_secret_value(
            SecretId=self.speaker.outputs["SlackSecretArn"], SecretString=json.dumps(values)
        )
        self.speaker.secrets = self.speaker.stored_secrets()

    def waiting(self) -> int:
        """Return how many messages are in the stack's failure queues."""
        sqs = self.target.client("sqs")
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        return sum(
            int(number)
            for queue in failures.discover(self.target, STACK)
            for number in sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=names)[
                "Attributes"
            ].values()
        )

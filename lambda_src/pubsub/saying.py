"""What happens to a message that comes in: it is counted, read back, and published."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from pubsub.counting import COUNTER, MULTIPLIER, Count, chunks, marker_id
from pubsub.failures import NotPublished
from pubsub.messages import Message
from pubsub.words import read_words
from shared import queues
from shared.aws_errors import AWS_ERRORS, error_code
from shared.problems import Problem
from shared.reads import MAX_KEYS, batch_get
from shared.transactions import Contended, backoff

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_sns import SNSClient

    from pubsub.deliveries import Delivery
    from pubsub.tables import Tables
    from pubsub.words import Word
    from shared.transactions import Tries

# Slack waits three seconds. These pauses are 0.7 seconds on average, 1.5 at most.
_hurried = partial(backoff, base=0.02, longest=0.3)


@dataclass(frozen=True)
class Receipt:
    """What became of a message.

    Attributes:
        message: as it was counted.
        counts: of its first words, up to `MAX_KEYS`, before the topic's subscribers add theirs;
            none if they could not be read.
        repeated: whether it had been counted before.
    """

    message: Message
    counts: Mapping[str, int]
    repeated: bool


@dataclass(frozen=True)
class _Earlier:
    """The first delivery of a message, and whether it has gone through the topic."""

    fingerprint: str
    time: datetime
    correlation_id: str
    has_arrived: bool


@dataclass(frozen=True)
class Desk:
    """Takes messages; the clients and names it needs for that.

    Attributes:
        tables: the stack's.
        topic: its ARN.
        dynamodb: for the tables.
        sns: for the topic.
        tries: paces repeated calls.
    """

    tables: Tables
    topic: str
    dynamodb: DynamoDBClient
    sns: SNSClient
    tries: Tries = _hurried

    def take(self, delivery: Delivery, *, now: datetime, correlation_id: str) -> Receipt | None:
        """Count a message and publish that it was, however often it is delivered.

        A delivery that comes again continues where an earlier one was left. It is published
        again unless the multiplier, which gets every message, has had it: one call fewer for
        every message than keeping a record, at the price that a retry which overtakes the topic
        is logged twice.

        Returns:
            What became of it; None if there is no word in it.

        Raises:
            Problem: 400 if it is too long, 422 if its id was used for another text.
            NotPublished: the topic did not take it; delivered again it will be.
            NotCountable, Contended, ClientError, BotoCoreError: see `Count.add`.
        """
        words = read_words(delivery.text)
        if not words:
            return None
        message = Message(delivery.id, delivery.way, words, now, correlation_id)
        fingerprint = hashlib.sha256(delivery.text.encode()).hexdigest()
        count = Count(COUNTER, self.tables, now, self.dynamodb, self.tries)
        (first, *others) = chunks(message)
        earlier = None
        if not count.add(message, *first, fingerprint=fingerprint):
            earlier = self._earlier(message)
            if earlier.fingerprint != fingerprint:
                raise Problem(
                    HTTPStatus.UNPROCESSABLE_ENTITY,
                    "idempotency-key-reused",
                    "This message's id was used for another text; use a new one.",
                )
            message = replace(message, time=earlier.time, correlation_id=earlier.correlation_id)
        for chunk, part in others:
            count.add(message, chunk, part, fingerprint=fingerprint)
        # Before the others add theirs; but an answer without counts is better than no publishing.
        try:
            counts = self._counts(words)
        except (*AWS_ERRORS, Contended):
            counts = {}
        if earlier is None or not earlier.has_arrived:
            self._publish(message)
        return Receipt(message, counts, repeated=earlier is not None)

    def _earlier(self, message: Message) -> _Earlier:
        own, other = marker_id(message.id, COUNTER), marker_id(message.id, MULTIPLIER)
        found = {
            item["id"]["S"]: item
            for item in batch_get(
                self.dynamodb,
                [own, other],
                table=self.tables.markers,
                attributes="id, fingerprint, first_time, correlation_id",
                tries=self.tries,
            )
        }
        item = found.get(own)
        if item is None:
            raise Contended(f"{message.id}: its marker expired just now.")
        return _Earlier(
            fingerprint=item["fingerprint"]["S"],
            time=datetime.fromisoformat(item["first_time"]["S"]),
            correlation_id=item["correlation_id"]["S"],
            has_arrived=other in found,
        )

    def _counts(self, words: tuple[Word, ...]) -> dict[str, int]:
        items = batch_get(
            self.dynamodb,
            [word.text for word in words[:MAX_KEYS]],
            table=self.tables.words,
            attributes="id, word_count",
            tries=self.tries,
        )
        return {item["id"]["S"]: int(item["word_count"]["N"]) for item in items}

    def _publish(self, message: Message) -> None:
        try:
            self.sns.publish(
                TopicArn=self.topic,
                Message=queues.json_text(message.envelope().as_dict()),
                # For subscribers that take only some.
                MessageAttributes={
                    "way": {"DataType": "String", "StringValue": message.way},
                    "words": {"DataType": "Number", "StringValue": str(len(message.words))},
                },
            )
        except AWS_ERRORS as error:
            raise NotPublished(error_code(error)) from error

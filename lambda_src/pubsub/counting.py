"""Adding to the counts of words, for each message once.

A message is cut into chunks that fit into a transaction, and each chunk's marker and effect are
one transaction: a chunk that comes again finds its marker and changes nothing, so that a message
can be continued wherever it was left, as often as it takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pubsub.failures import NotCountable
from shared.times import rfc3339
from shared.transactions import (
    CONDITION_FAILED,
    MAX_ACTIONS,
    PASSING,
    Contended,
    backoff,
    transact,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from pubsub.messages import Message
    from pubsub.tables import Tables
    from pubsub.words import Word
    from shared.transactions import Tries

COUNTER, MULTIPLIER = "counter", "multiplier"
# What an occurrence adds.
POINTS = {COUNTER: 1, MULTIPLIER: 10}
# Longer than a message can come back: SNS tries to reach a function for 23 days ("Amazon SNS
# message delivery retries", 2026-11-21), a queue keeps what it gave up for 14.
MARKER_DAYS = 45
# The whole table is one ranking; see the stack's page for what that limits.
RANKING = "all"


def marker_id(message_id: str, by: str, chunk: int = 0) -> str:
    """Return the id of the marker that `by` leaves for a chunk of a message."""
    return f"{message_id}/{by}/{chunk}"


@dataclass(frozen=True)
class Count:
    """Adds a message's words, as one of the two who do.

    Attributes:
        by: `COUNTER` or `MULTIPLIER`.
        tables: the stack's.
        now: from when on a marker is kept for `MARKER_DAYS`.
        client: for the tables.
        tries: paces repeated transactions.
    """

    by: str
    tables: Tables
    now: datetime
    client: DynamoDBClient
    tries: Tries = backoff

    def add(
        self,
        message: Message,
        chunk: int,
        words: tuple[Word, ...],
        *,
        fingerprint: str | None = None,
    ) -> bool:
        """Add one chunk, unless that was done before; return whether it was done now.

        Args:
            message: to which the words belong.
            chunk: the number of the chunk, from 0.
            words: as many as `chunks` gives.
            fingerprint: tells one text from another; kept with the marker if given.

        Raises:
            NotCountable: DynamoDB refuses the words, and would again.
            Contended: other messages with these words were in the way every time.
            ClientError: DynamoDB refuses the request as a whole.
        """
        actions = [self._marker(message, chunk, fingerprint), *map(self._effect, words)]
        for _ in self.tries():
            reasons = transact(self.client, actions)
            if not reasons:
                return True
            if reasons[0] == CONDITION_FAILED:
                return False
            lasting = set(reasons) - PASSING
            if lasting:
                raise NotCountable(f"{message.id}: {', '.join(sorted(lasting))}")
        raise Contended(f"{message.id}: other messages with its words were in the way.")

    def _marker(
        self, message: Message, chunk: int, fingerprint: str | None
    ) -> TransactWriteItemTypeDef:
        expires_at = int((self.now + timedelta(days=MARKER_DAYS)).timestamp())
        return {
            "Put": {
                "TableName": self.tables.markers,
                "Item": {
                    "id": {"S": marker_id(message.id, self.by, chunk)},
                    **({"fingerprint": {"S": fingerprint}} if fingerprint else {}),
                    "first_time": {"S": rfc3339(message.time)},
                    "correlation_id": {"S": message.correlation_id},
                    "expires_at": {"N": str(expires_at)},
                },
                "ConditionExpression": "attribute_not_exists(id)",
            }
        }

    def _effect(self, word: Word) -> TransactWriteItemTypeDef:
        key, points = {"id": {"S": word.text}}, {"N": str(word.occurrences * POINTS[self.by])}
        if self.by == MULTIPLIER:
            # What nobody has said has nothing to multiply.
            return {
                "Update": {
                    "TableName": self.tables.words,
                    "Key": key,
                    "UpdateExpression": "ADD word_count :points",
                    "ConditionExpression": "attribute_exists(id)",
                    "ExpressionAttributeValues": {":points": points},
                }
            }
        return {
            "Update": {
                "TableName": self.tables.words,
                "Key": key,
                "UpdateExpression": "ADD word_count :points, occurrences :n SET ranking = :all",
                "ExpressionAttributeValues": {
                    ":points": points,
                    ":n": {"N": str(word.occurrences)},
                    ":all": {"S": RANKING},
                },
            }
        }


def chunks(message: Message) -> Iterator[tuple[int, tuple[Word, ...]]]:
    """Cut a message's words into numbered transactions, of which the marker takes an action.

    Always the same way, because the markers of a message half counted name its chunks.
    """
    size = MAX_ACTIONS - 1
    for number, start in enumerate(range(0, len(message.words), size)):
        yield number, message.words[start : start + size]

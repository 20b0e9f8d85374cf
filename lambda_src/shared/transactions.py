"""DynamoDB transactions that are tried again when they met another one."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    # Makes a pass over the numbers of tries, waiting in between.
    Tries = Callable[[], Iterable[int]]

# Actions in one transaction ("Quotas in Amazon DynamoDB", 2026-11-21).
MAX_ACTIONS = 100

CONDITION_FAILED = "ConditionalCheckFailed"
# Reasons of a cancellation that pass by themselves, and the one of an action that was not the
# cause ("TransactWriteItems", API Reference, 2026-11-21).
PASSING = frozenset(
    {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "None"}
)


class Contended(RuntimeError):  # noqa: N818 - reads as the statement it is
    """Others were in the way every time it was tried."""


def transact(client: DynamoDBClient, actions: Sequence[TransactWriteItemTypeDef]) -> list[str]:
    """Try one transaction once.

    Returns:
        No reasons if it took effect. Otherwise nothing took effect, and there is a reason per
        action: one of `PASSING`, `CONDITION_FAILED`, or one that stays until somebody mends it.

    Raises:
        ClientError: the request as a whole was refused.
    """
    return [reason["Code"] for reason in cancellation(client, actions)]


def cancellation(
    client: DynamoDBClient, actions: Sequence[TransactWriteItemTypeDef]
) -> Sequence[Mapping[str, Any]]:
    """Try one transaction once; like `transact`, with the items that were in the way.

    An action must have asked for its item with `ReturnValuesOnConditionCheckFailure`.
    """
    try:
        client.transact_write_items(TransactItems=actions)
    except client.exceptions.TransactionCanceledException as error:
        return error.response["CancellationReasons"]
    return []


def backoff(
    tries: int = 8,
    *,
    base: float = 0.05,
    longest: float = 1.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[int]:
    """Count tries from 1, waiting in between: exponential with full jitter, in seconds.

    The defaults wait 2.3 seconds on average in all, which an invocation can afford.
    """
    for attempt in range(1, tries + 1):
        yield attempt
        if attempt < tries:
            sleep(random.uniform(0, min(longest, base * 2**attempt)))  # noqa: S311 - jitter

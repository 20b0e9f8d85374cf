"""DynamoDB transactions that are tried again when they met another one."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

# Actions in one transaction ("Quotas in Amazon DynamoDB", 2026-11-21).
MAX_ACTIONS = 100

CONDITION_FAILED = "ConditionalCheckFailed"
# Reasons of a cancellation that pass by themselves ("TransactWriteItems", API Reference,
# 2026-11-21).
_PASSING = frozenset(
    {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "None"}
)


def transact(client: DynamoDBClient, actions: Sequence[TransactWriteItemTypeDef]) -> list[str]:
    """Try one transaction once.

    Returns:
        No reasons if it took effect. Otherwise nothing took effect, and there is a reason per
        action, `None` for those that were not the cause; all pass by themselves or are
        `ConditionalCheckFailed`, about which the caller can do something.

    Raises:
        ClientError: anything that neither waiting nor another condition would mend.
    """
    try:
        client.transact_write_items(TransactItems=actions)
    except client.exceptions.TransactionCanceledException as error:
        reasons = [reason["Code"] for reason in error.response["CancellationReasons"]]
        if not set(reasons) <= _PASSING | {CONDITION_FAILED}:
            raise
        return reasons
    return []


def backoff(
    tries: int = 8,
    *,
    base: float = 0.05,
    longest: float = 1.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[int]:
    """Count tries from 1, waiting in between: exponential with full jitter, in seconds.

    The defaults wait 1.6 seconds on average in all, which an invocation can afford.
    """
    for attempt in range(1, tries + 1):
        yield attempt
        if attempt < tries:
            sleep(random.uniform(0, min(longest, base * 2**attempt)))  # noqa: S311 - jitter

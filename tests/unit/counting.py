"""Events to count, and what was counted, in the words of the tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from event_aggregator.aggregation import Counted, Tables, count
from shared.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proofs.fakes.dynamodb import FakeDynamoDB
    from shared.exactly_once import Result
    from shared.transactions import Tries

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TABLES = Tables(processed="processed", summaries="summaries")


def event(id: str, group: str = "g", second: int = 0) -> Counted:
    """Return an event of `group`, received `second` seconds after noon."""
    at = rfc3339(NOON + timedelta(seconds=second))
    return Counted(id, group, f"label of {group}", at, sequence_number="1")


def events(number: int, groups: int = 1) -> list[Counted]:
    return [event(f"e{n}", f"g{n % groups}", second=n) for n in range(number)]


def times(tries: int) -> Tries:
    """Return as many tries, with no wait in between."""
    return lambda: range(tries)


def counted(batch: Iterable[Counted], client: FakeDynamoDB, tries: int = 8) -> Result[Counted]:
    return count(
        batch,
        tables=TABLES,
        now=NOON,
        client=client,  # type: ignore[arg-type]
        tries=times(tries),
    )


def summary(client: FakeDynamoDB, group: str = "g") -> tuple[int, str, str]:
    """Return count, first and last time, the latter as seconds after noon."""
    item = client.tables["summaries"][group]
    first, last = (
        str(round((datetime.fromisoformat(item[name]["S"]) - NOON).total_seconds()))
        for name in ("first_seen", "last_seen")
    )
    return int(item["item_count"]["N"]), first, last


def counts(client: FakeDynamoDB) -> dict[str, int]:
    return {key: int(item["item_count"]["N"]) for key, item in client.tables["summaries"].items()}


def transactions(client: FakeDynamoDB) -> list[int]:
    """Return the number of actions of each transaction."""
    return [
        len(c.arguments["TransactItems"])
        for c in client.calls
        if c.operation == "TransactWriteItems"
    ]

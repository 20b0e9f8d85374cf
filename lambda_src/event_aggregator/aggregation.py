"""Counting events into summaries, each exactly once.

The marker of an event and its effect on a summary are one transaction: a redelivered event
finds its marker and changes nothing, whatever crashed in between.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared.transactions import CONDITION_FAILED, MAX_ACTIONS, backoff, transact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import (
        TransactWriteItemTypeDef,
    )

    Tries = Callable[[], Iterable[int]]

# Longer than an event can come back: a day in the stream, 14 in the dead-letter queue, 7 in
# an archive.
MARKER_DAYS = 30
# The whole table is one ranking; see the stack's page for what that limits.
RANKING = "all"
# Keys in one BatchGetItem ("Quotas in Amazon DynamoDB", 2026-11-21).
_MAX_KEYS = 100


class Contended(RuntimeError):  # noqa: N818 - reads as the statement it is
    """A transaction met others every time it was tried; the batch should come again."""


@dataclass(frozen=True)
class Counted:
    """The part of a stored event that counting needs."""

    id: str
    group: str
    group_label: str
    received_at: str

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Counted:
        """Read a stream record.

        Raises:
            KeyError: the record is not that of an event.
        """
        image = record["dynamodb"]["NewImage"]
        return cls(
            **{name: image[name]["S"] for name in ("id", "group", "group_label", "received_at")}
        )


@dataclass(frozen=True)
class Tables:
    """Where markers and summaries are."""

    processed: str
    summaries: str


@dataclass(frozen=True)
class Span:
    """First and last time a group was seen."""

    first: str
    last: str

    def over(self, events: Iterable[Counted]) -> Span:
        """Return the span widened to the times of `events`."""
        times = [event.received_at for event in events]
        return Span(min(self.first, *times), max(self.last, *times))


@dataclass
class Result:
    """How many events took effect now, and how many had before."""

    counted: int = 0
    already: int = 0


def count(
    events: Iterable[Counted],
    *,
    tables: Tables,
    now: datetime,
    client: DynamoDBClient,
    tries: Tries = backoff,
) -> Result:
    """Count `events`, each once for ever, in as few calls as DynamoDB's limits allow.

    Raises:
        Contended: other writers were in the way every time.
        ClientError: DynamoDB refused for another reason. What took effect stays counted.
    """
    unique = list({event.id: event for event in events}.values())
    groups = {event.group for event in unique}
    spans = _read_spans(groups, tables=tables, client=client, tries=tries)
    expires_at = int((now + timedelta(days=MARKER_DAYS)).timestamp())
    result = Result()
    for chunk in _chunks(unique):
        _count_chunk(
            chunk,
            spans=spans,
            tables=tables,
            expires_at=expires_at,
            client=client,
            tries=tries,
            result=result,
        )
    return result


def _count_chunk(
    chunk: list[Counted],
    *,
    spans: dict[str, Span],
    tables: Tables,
    expires_at: int,
    client: DynamoDBClient,
    tries: Tries,
    result: Result,
) -> None:
    for _ in tries():
        groups = _by_group(chunk)
        new_spans = {
            group: spans.get(group, Span(members[0].received_at, members[0].received_at)).over(
                members
            )
            for group, members in groups.items()
        }
        actions = [_marker(event, tables.processed, expires_at) for event in chunk]
        actions += [
            _effect(members, new_spans[group], tables.summaries)
            for group, members in groups.items()
        ]
        reasons = transact(client, actions)
        if not reasons:
            spans.update(new_spans)
            result.counted += len(chunk)
            return
        known = {
            event.id
            for event, reason in zip(chunk, reasons, strict=False)
            if reason == CONDITION_FAILED
        }
        result.already += len(known)
        chunk = [event for event in chunk if event.id not in known]
        if not chunk:
            return
        if CONDITION_FAILED in reasons[-len(groups) :]:
            # Another writer widened a span since it was read.
            spans.update(_read_spans(set(groups), tables=tables, client=client, tries=tries))
    raise Contended(f"{len(chunk)} events could not be counted now.")


def _chunks(events: Sequence[Counted]) -> Iterator[list[Counted]]:
    """Split into transactions: an action per event and one per group among them."""
    chunk: list[Counted] = []
    groups: set[str] = set()
    for members in _by_group(events).values():
        for event in members:
            if len(chunk) + 1 + len(groups | {event.group}) > MAX_ACTIONS:
                yield chunk
                chunk, groups = [], set()
            chunk.append(event)
            groups.add(event.group)
    if chunk:
        yield chunk


def _by_group(events: Iterable[Counted]) -> dict[str, list[Counted]]:
    groups: dict[str, list[Counted]] = defaultdict(list)
    for event in events:
        groups[event.group].append(event)
    return dict(groups)


def _marker(event: Counted, table: str, expires_at: int) -> TransactWriteItemTypeDef:
    return {
        "Put": {
            "TableName": table,
            "Item": {"id": {"S": event.id}, "expires_at": {"N": str(expires_at)}},
            "ConditionExpression": "attribute_not_exists(id)",
        }
    }


def _effect(members: Sequence[Counted], span: Span, table: str) -> TransactWriteItemTypeDef:
    """Add to a summary, and never narrow a span that another writer has widened.

    DynamoDB has no minimum and maximum; a span only ever widens, so the new values are right
    unless the stored ones lie outside of them, which the condition forbids.
    """
    return {
        "Update": {
            "TableName": table,
            "Key": {"id": {"S": members[0].group}},
            "UpdateExpression": "ADD item_count :n SET first_seen = :first, last_seen = :last, "
            "group_label = :label, ranking = :ranking",
            "ConditionExpression": "attribute_not_exists(id) "
            "OR (first_seen >= :first AND last_seen <= :last)",
            "ExpressionAttributeValues": {
                ":n": {"N": str(len(members))},
                ":first": {"S": span.first},
                ":last": {"S": span.last},
                ":label": {"S": members[0].group_label},
                ":ranking": {"S": RANKING},
            },
        }
    }


def _read_spans(
    groups: set[str], *, tables: Tables, client: DynamoDBClient, tries: Tries
) -> dict[str, Span]:
    ordered = sorted(groups)
    spans: dict[str, Span] = {}
    for start in range(0, len(ordered), _MAX_KEYS):
        pending: Mapping[str, Any] = {
            tables.summaries: {
                "Keys": [{"id": {"S": group}} for group in ordered[start : start + _MAX_KEYS]],
                "ConsistentRead": True,
                "ProjectionExpression": "id, first_seen, last_seen",
            }
        }
        for _ in tries():
            answer = client.batch_get_item(RequestItems=pending)
            for item in answer["Responses"].get(tables.summaries, []):
                spans[item["id"]["S"]] = Span(item["first_seen"]["S"], item["last_seen"]["S"])
            pending = answer["UnprocessedKeys"]
            if not pending:
                break
        else:
            raise Contended("Some summaries could not be read now.")
    return spans

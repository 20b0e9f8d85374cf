"""Counting events into summaries, each exactly once.

The marker of an event and its effect on a summary are one transaction: a redelivered event
finds its marker and changes nothing, whatever crashed in between.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.aws_errors import AWS_ERRORS, error_code
from shared.reads import batch_get
from shared.rejects import Unprocessable
from shared.transactions import (
    CONDITION_FAILED,
    MAX_ACTIONS,
    PASSING,
    Contended,
    backoff,
    transact,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from shared.transactions import Tries

# Longer than an event can come back: a day in the stream, 14 in the dead-letter queue, 7 in
# an archive.
MARKER_DAYS = 30
# The whole table is one ranking; see the stack's page for what that limits.
RANKING = "all"
# What the producer writes; anything else was put into the table by somebody else.
_FORMS = {
    "id": re.compile(r"[0-9a-f-]{36}"),
    "group": re.compile(r"[0-9a-f]{64}"),
    "group_label": re.compile(r".+", re.DOTALL),
    "received_at": re.compile(r"[0-9]{4}(-[0-9]{2}){2}T([0-9]{2}:){2}[0-9]{2}\.[0-9]{6}Z"),
}
# Why an event failed that was behind one for which DynamoDB did not answer in time.
NOT_TRIED = "NotTried"


@dataclass(frozen=True)
class Counted:
    """The part of a stored event that counting needs, and its place in the stream."""

    id: str
    group: str
    group_label: str
    received_at: str
    sequence_number: str

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Counted:
        """Read a stream record.

        Raises:
            Unprocessable: the item is not one that the producer stores.
        """
        image = record["dynamodb"].get("NewImage", {})
        texts = {}
        for name, form in _FORMS.items():
            text = image.get(name, {}).get("S")
            if text is None:
                raise Unprocessable(f"The item has no text {name!r}.")
            if not form.fullmatch(text):
                raise Unprocessable(f"The item's {name!r} does not read as one.")
            texts[name] = text
        try:
            datetime.fromisoformat(texts["received_at"])
        except ValueError as error:
            raise Unprocessable(f"The item's 'received_at' is no time: {error}.") from None
        return cls(**texts, sequence_number=record["dynamodb"]["SequenceNumber"])


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
    """What became of the events.

    Attributes:
        counted: how many took effect now.
        already: how many had taken effect before.
        failed: those that must come again, and by which error of DynamoDB's they failed.
    """

    counted: int = 0
    already: int = 0
    failed: dict[Counted, str] = field(default_factory=dict)


def count(
    events: Iterable[Counted],
    *,
    tables: Tables,
    now: datetime,
    client: DynamoDBClient,
    tries: Tries = backoff,
) -> Result:
    """Count `events`, each once for ever, in as few calls as DynamoDB's limits allow.

    An event or group that DynamoDB refuses fails alone, the others of its transaction count.
    Where DynamoDB refuses a request as a whole, its events fail: reported one by one, they come
    again together, while an exception would make Lambda halve the batch again and again.
    """
    unique = list({event.id: event for event in events}.values())
    result = Result()
    counting = _Counting(
        tables=tables,
        expires_at=int((now + timedelta(days=MARKER_DAYS)).timestamp()),
        client=client,
        tries=tries,
    )
    try:
        counting.spans.update(counting.read_spans({event.group for event in unique}))
    except (*AWS_ERRORS, Contended) as error:
        result.failed.update(dict.fromkeys(unique, error_code(error)))
        return result
    is_available = True
    for chunk in _chunks(unique):
        if is_available:
            is_available = counting.count(chunk, result)
        else:
            # Waiting as long for every other chunk would outlast the invocation, and what is not
            # counted now comes again anyway.
            result.failed.update(dict.fromkeys(chunk, NOT_TRIED))
    return result


@dataclass(frozen=True)
class _Counting:
    """Counts chunk after chunk; `spans` are those of the summaries as last seen."""

    tables: Tables
    expires_at: int
    client: DynamoDBClient
    tries: Tries
    spans: dict[str, Span] = field(default_factory=dict)

    def count(self, chunk: list[Counted], result: Result) -> bool:
        """Count a chunk or report it as failed; return whether DynamoDB answered in time."""
        cause, is_available = Contended.__name__, False
        try:
            for _ in self.tries():
                chunk = self._try(chunk, result)
                if not chunk:
                    return True
        except (*AWS_ERRORS, Contended) as error:
            cause, is_available = error_code(error), isinstance(error, ClientError)
        result.failed.update(dict.fromkeys(chunk, cause))
        return is_available

    def _try(self, chunk: list[Counted], result: Result) -> list[Counted]:
        """Try a transaction; return what is left of it to be tried again."""
        groups = _by_group(chunk)
        spans = {group: self._widened(group, members) for group, members in groups.items()}
        markers = [_marker(event, self.tables.processed, self.expires_at) for event in chunk]
        effects = [
            _effect(members, spans[group], self.tables.summaries)
            for group, members in groups.items()
        ]
        reasons = transact(self.client, markers + effects)
        if not reasons:
            self.spans.update(spans)
            result.counted += len(chunk)
            return []
        of_events = dict(zip((event.id for event in chunk), reasons, strict=False))
        of_groups = dict(zip(groups, reasons[len(chunk) :], strict=True))
        if CONDITION_FAILED in of_groups.values():
            # Another writer widened a span since it was read.
            self.spans.update(self.read_spans(set(groups)))
        return _remaining(chunk, of_events, of_groups, result)

    def read_spans(self, groups: set[str]) -> dict[str, Span]:
        """Read the spans of summaries as of now; new groups have none.

        Raises:
            Contended: DynamoDB left some unread every time.
        """
        items = batch_get(
            self.client,
            sorted(groups),
            table=self.tables.summaries,
            attributes="id, first_seen, last_seen",
            tries=self.tries,
        )
        return {
            item["id"]["S"]: Span(item["first_seen"]["S"], item["last_seen"]["S"]) for item in items
        }

    def _widened(self, group: str, members: Sequence[Counted]) -> Span:
        first = members[0].received_at
        return self.spans.get(group, Span(first, first)).over(members)


def _remaining(
    chunk: Sequence[Counted],
    of_events: Mapping[str, str],
    of_groups: Mapping[str, str],
    result: Result,
) -> list[Counted]:
    """Take out of a cancelled chunk what has counted before and what cannot count now."""
    remaining = []
    for event in chunk:
        if of_events[event.id] == CONDITION_FAILED:
            result.already += 1
        elif {of_events[event.id], of_groups[event.group]} <= PASSING | {CONDITION_FAILED}:
            remaining.append(event)
        else:
            reasons = of_events[event.id], of_groups[event.group]
            result.failed[event] = next(each for each in reasons if each not in PASSING)
    return remaining


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

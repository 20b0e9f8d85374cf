"""Counting events into summaries, each exactly once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared.exactly_once import ExactlyOnce, Markers
from shared.reads import batch_get
from shared.rejects import Unprocessable
from shared.transactions import backoff

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from shared.exactly_once import Result
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


def count(
    events: Iterable[Counted],
    *,
    tables: Tables,
    now: datetime,
    client: DynamoDBClient,
    tries: Tries = backoff,
) -> Result[Counted]:
    """Count `events`, each once for ever, in as few calls as DynamoDB's limits allow."""
    markers = Markers(tables.processed, now, MARKER_DAYS)
    return ExactlyOnce(
        marker=lambda event: markers.put(event.id),
        effects=_Summaries(tables.summaries, client, tries),
        client=client,
        tries=tries,
    ).apply(events)


@dataclass(frozen=True)
class _Summaries:
    """What events do to the summaries of their groups; `spans` are those as last seen."""

    table: str
    client: DynamoDBClient
    tries: Tries
    spans: dict[str, Span] = field(default_factory=dict)

    def keys(self, event: Counted) -> tuple[str, ...]:
        return (event.group,)

    def read(self, keys: set[str]) -> None:
        """Read the spans of summaries as of now; new groups have none."""
        items = batch_get(
            self.client,
            sorted(keys),
            table=self.table,
            attributes="id, first_seen, last_seen",
            tries=self.tries,
        )
        for item in items:
            self.spans[item["id"]["S"]] = Span(item["first_seen"]["S"], item["last_seen"]["S"])

    def action(self, key: str, members: Sequence[Counted]) -> TransactWriteItemTypeDef:
        return _effect(members, self._widened(key, members), self.table)

    def took_effect(self, key: str, members: Sequence[Counted]) -> None:
        self.spans[key] = self._widened(key, members)

    def _widened(self, group: str, members: Sequence[Counted]) -> Span:
        first = members[0].received_at
        return self.spans.get(group, Span(first, first)).over(members)


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

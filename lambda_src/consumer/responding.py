"""Keeping totals per type and the latest state of every entity, each event counted once.

Which state is the latest says the event's own time, then its id: not when it came.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from consumer.tables import MARKER_DAYS
from shared import strict_json
from shared.exactly_once import ExactlyOnce, Markers
from shared.reads import batch_get
from shared.times import rfc3339
from shared.transactions import backoff

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from consumer.tables import Tables
    from shared.entity_events import EntityEvent
    from shared.exactly_once import Result
    from shared.transactions import Tries


def respond(
    events: Iterable[EntityEvent],
    *,
    tables: Tables,
    now: datetime,
    client: DynamoDBClient,
    tries: Tries = backoff,
) -> Result[EntityEvent]:
    """Count `events` and keep the latest states, each event once for ever."""
    markers = Markers(tables.markers, now, MARKER_DAYS)
    return ExactlyOnce(
        marker=lambda event: markers.put(event.id, type=event.envelope.type),
        effects=_Latest(tables, client, tries),
        client=client,
        tries=tries,
        # What an event's JSON can be in DynamoDB, see `entity_events`.
        size=lambda event: 2 * len(event.text.encode()),
    ).apply(events)


@dataclass(frozen=True)
class _Latest:
    """What events do to totals and states; `places` are those of the states as last seen."""

    tables: Tables
    client: DynamoDBClient
    tries: Tries
    places: dict[str, str] = field(default_factory=dict)

    def keys(self, event: EntityEvent) -> tuple[str, ...]:
        # No type has a slash in it, every entity's key has.
        return event.envelope.type, event.entity

    def read(self, keys: set[str]) -> None:
        """Read which event each state is of; totals depend on nothing."""
        entities = sorted(key for key in keys if "/" in key)
        for item in batch_get(
            self.client,
            entities,
            table=self.tables.entities,
            attributes="id, place",
            tries=self.tries,
        ):
            self.places[item["id"]["S"]] = item["place"]["S"]

    def action(self, key: str, members: Sequence[EntityEvent]) -> TransactWriteItemTypeDef | None:
        if "/" not in key:
            return _count(key, len(members), self.tables.totals)
        latest = max(members, key=lambda event: event.at)
        if latest.at <= self.places.get(key, ""):
            return None
        return _put(latest, self.tables.entities)

    def took_effect(self, key: str, members: Sequence[EntityEvent]) -> None:
        if "/" in key:
            self.places[key] = max(event.at for event in members)


def _count(type: str, number: int, table: str) -> TransactWriteItemTypeDef:
    return {
        "Update": {
            "TableName": table,
            "Key": {"id": {"S": type}},
            "UpdateExpression": "ADD event_count :n",
            "ExpressionAttributeValues": {":n": {"N": str(number)}},
        }
    }


def _put(event: EntityEvent, table: str) -> TransactWriteItemTypeDef:
    item: dict[str, Any] = {
        "id": event.entity,
        "place": event.at,
        "event_id": event.envelope.id,
        "time": rfc3339(event.envelope.time),
        "source": event.envelope.source,
        "state": event.envelope.data,
    }
    return {
        "Put": {
            "TableName": table,
            "Item": strict_json.to_attribute(item)["M"],
            "ConditionExpression": "attribute_not_exists(id) OR place < :place",
            "ExpressionAttributeValues": {":place": {"S": event.at}},
        }
    }

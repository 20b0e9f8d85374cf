"""What the API tells: totals per type, and the latest state of an entity."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from consumer.kinds import TYPES
from shared.entity_events import entity_key, is_subject
from shared.problems import Problem
from shared.reads import batch_get
from shared.strict_json import from_attribute

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from shared.strict_json import Json

ABOUT: dict[str, Json] = {
    "service": "consumer",
    "what": "Totals per type of event, and the latest state of every entity.",
    "types": list(TYPES),
    "routes": ["GET /totals", "GET /entities/{type}/{id}", "POST /events"],
}


def totals(*, table: str, client: DynamoDBClient) -> dict[str, Any]:
    """Return how many events of each type have been counted, as of now."""
    items = batch_get(client, TYPES, table=table, attributes="id, event_count")
    found = {item["id"]["S"]: int(item["event_count"]["N"]) for item in items}
    return {"totals": {each: found.get(each, 0) for each in TYPES}}


def entity(type: str, id: str, *, table: str, client: DynamoDBClient) -> dict[str, Any]:
    """Return an entity's latest state, as of now.

    Raises:
        Problem: 404 if no event has told of it.
    """
    if type in TYPES and is_subject(id):
        key = {"id": {"S": entity_key(type, id)}}
        answer = client.get_item(TableName=table, Key=key, ConsistentRead=True)
        if "Item" in answer:
            return _entity(type, id, answer["Item"])
    raise unknown()


def unknown() -> Problem:
    """Return the problem of asking for an entity that is not there (404)."""
    return Problem(HTTPStatus.NOT_FOUND, "unknown-entity", "No event has told of this entity yet.")


def _entity(type: str, id: str, item: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": type,
        "id": id,
        "time": item["time"]["S"],
        "event_id": item["event_id"]["S"],
        "source": item["source"]["S"],
        "state": from_attribute(item["state"]),
    }

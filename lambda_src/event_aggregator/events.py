"""What an event is, and how one is stored exactly once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from shared import strict_json
from shared.aws_errors import item_as_it_is
from shared.identity import request_id
from shared.problems import Problem, bad_request
from shared.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from types_boto3_dynamodb import DynamoDBClient

MAX_BODY_BYTES = 64 * 1024
MAX_LABEL_BYTES = 1024


@dataclass(frozen=True)
class Event:
    """One accepted request.

    Attributes:
        id: unique; the same for a repeated idempotency key.
        received_at: when it was first accepted.
        data: the body, a JSON object.
        group: SHA-256 (hex) of the canonical JSON by which equal events are counted together.
        group_label: that canonical JSON, cut to 1 KB, for people.
        fingerprint: SHA-256 (hex) of the canonical body; tells one request from another.
        correlation_id: the request's id, found in every function's log.
    """

    id: str
    received_at: datetime
    data: dict[str, strict_json.Json]
    group: str
    group_label: str
    fingerprint: str
    correlation_id: str


def make_event(
    data: dict[str, strict_json.Json],
    *,
    group_by: Sequence[str],
    idempotency_key: str | None,
    caller: str,
    received_at: datetime,
    correlation_id: str,
) -> Event:
    """Make the event of a request.

    Args:
        data: the body.
        group_by: names of the fields that make the group; all of the body if empty.
        idempotency_key: the client's name for the request, within `caller`'s names.
        caller: who sent it.
        received_at: when.
        correlation_id: the request's id.

    Raises:
        Problem: 400 for an unusable idempotency key or a missing group field.
    """
    missing = [name for name in group_by if name not in data]
    if missing:
        raise bad_request("missing-field", f"The body lacks the field {missing[0]!r}.")
    body = strict_json.canonical(data)
    group = strict_json.canonical({name: data[name] for name in group_by}) if group_by else body
    return Event(
        id=request_id(idempotency_key, scope=caller),
        received_at=received_at,
        data=data,
        group=hashlib.sha256(group).hexdigest(),
        group_label=_label(group),
        fingerprint=hashlib.sha256(body).hexdigest(),
        correlation_id=correlation_id,
    )


@dataclass(frozen=True)
class Receipt:
    """What the sender of an event learns; `repeated` says that it was known already."""

    event_id: str
    received_at: str
    repeated: bool


def store(event: Event, *, table: str, ttl_days: int | None, client: DynamoDBClient) -> Receipt:
    """Store the event unless it is there already.

    Raises:
        Problem: 422 if its idempotency key was used for another body.
    """
    item: dict[str, Any] = {
        "id": event.id,
        "received_at": rfc3339(event.received_at),
        "data": event.data,
        "group": event.group,
        "group_label": event.group_label,
        "fingerprint": event.fingerprint,
        "correlation_id": event.correlation_id,
    }
    if ttl_days:
        item["expires_at"] = int((event.received_at + timedelta(days=ttl_days)).timestamp())
    try:
        client.put_item(
            TableName=table,
            Item=strict_json.to_attribute(item)["M"],
            ConditionExpression="attribute_not_exists(id)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except client.exceptions.ConditionalCheckFailedException as error:
        # Sent before, by the client or by the SDK's own retry of a lost answer.
        first = strict_json.from_attribute({"M": item_as_it_is(error) or {}})
        if first["fingerprint"] != event.fingerprint:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "This Idempotency-Key was used with another body; use a new one.",
            ) from None
        repeated = first["correlation_id"] != event.correlation_id
        return Receipt(event.id, first["received_at"], repeated=repeated)
    return Receipt(event.id, item["received_at"], repeated=False)


def _label(group: bytes) -> str:
    if len(group) <= MAX_LABEL_BYTES:
        return group.decode()
    cut = group[: MAX_LABEL_BYTES - len("…".encode())]
    return cut.decode(errors="ignore") + "…"

"""An event that somebody hands to the service without the bus.

It is recorded before it is queued, so that a request that comes again under the same idempotency
key is the same event: it is queued again, which the responder does not count twice.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from consumer.kinds import TYPES
from consumer.messages import body_of
from consumer.tables import MARKER_DAYS
from shared import envelope, queues, strict_json
from shared.aws_errors import item_as_it_is
from shared.entity_events import EntityEvent, TooLarge
from shared.problems import Problem, bad_request
from shared.rejects import Unprocessable
from shared.times import rfc3339

if TYPE_CHECKING:
    from datetime import datetime

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_sqs import SQSClient

    from shared.strict_json import Json

SOURCE = "/aws-odyssey/consumer"
# More than an event may have, because JSON can be written in more bytes than it needs.
MAX_BODY_BYTES = 512 * 1024
_FIELDS = frozenset({"type", "subject", "time", "data"})


def read(body: dict[str, Json], *, id: str, correlation_id: str, now: datetime) -> EntityEvent:
    """Return the event that a request asks for.

    Args:
        body: of the request: `type`, `subject`, `data`, and `time` unless that is now.
        id: the event's.
        correlation_id: the request's id.
        now: the time.

    Raises:
        Problem: 400 if it asks for none, 413 if for one that is too large.
    """
    if unknown := sorted(body.keys() - _FIELDS):
        raise bad_request("unknown-field", f"The body has an unknown field, {unknown[0][:50]!r}.")
    if body.get("type") not in TYPES:
        raise bad_request("unknown-type", f"The body's 'type' must be one of {', '.join(TYPES)}.")
    given = {name: value for name, value in body.items() if value is not None}
    made = {
        "specversion": "1.0",
        "id": id,
        "source": SOURCE,
        "time": rfc3339(now),
        "correlationid": correlation_id,
    }
    try:
        return EntityEvent.of(envelope.from_dict(made | given), now=now)
    except TooLarge as error:
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "event-too-large", str(error)) from None
    except Unprocessable as error:
        raise bad_request("not-an-event", str(error)) from None


def record(
    body: dict[str, Json], *, id: str, table: str, now: datetime, client: DynamoDBClient
) -> bool:
    """Record a request, and return whether it is there for the first time.

    Raises:
        Problem: 422 if its idempotency key was used for another body.
    """
    fingerprint = hashlib.sha256(strict_json.canonical(body)).hexdigest()
    expires_at = int((now + timedelta(days=MARKER_DAYS)).timestamp())
    try:
        client.put_item(
            TableName=table,
            Item={
                "id": {"S": id},
                "fingerprint": {"S": fingerprint},
                "expires_at": {"N": str(expires_at)},
            },
            ConditionExpression="attribute_not_exists(id)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except client.exceptions.ConditionalCheckFailedException as error:
        first = item_as_it_is(error) or {}
        if first.get("fingerprint", {}).get("S") != fingerprint:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "This Idempotency-Key was used with another body; use a new one.",
            ) from None
        return False
    return True


def queue(event: EntityEvent, *, queue_url: str, client: SQSClient) -> None:
    """Queue an event as the bus does.

    Raises:
        Problem: 503 if the queue does not take it.
    """
    if queues.send([queues.Message(body_of(event))], queue_url=queue_url, client=client):
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "not-queued",
            "The event was not queued; send it again with the same Idempotency-Key.",
        )

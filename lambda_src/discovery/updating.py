"""Moving announced items on, each exactly once, and announcing that at least once.

An item is updated under the condition that it has the announced version. A message that comes
again finds a later version: whoever updated the item may have died before announcing it, so it
is announced again, and not updated.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from discovery.announcements import STATUS_UPDATED, UPDATED, UPLOADED, Announcement
from shared import queues
from shared.aws_errors import AWS_ERRORS, NOT_TRIED, error_code, item_as_it_is
from shared.rejects import Reject, Unprocessable
from shared.times import rfc3339
from shared.transactions import backoff

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_sqs import SQSClient

    from shared.transactions import Tries


@dataclass(frozen=True)
class Resources:
    """Where items are, and where updates are announced."""

    table: str
    updated_queue: str


@dataclass
class Result:
    """What became of the messages.

    Attributes:
        updated: items that were moved on now.
        already: messages whose item had been moved on before; announced again.
        rejects: messages that can never be processed.
        failed: ids of messages that must come again, and the error of each.
        correlation_ids: of all messages that could be read.
    """

    updated: int = 0
    already: int = 0
    rejects: list[Reject] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    correlation_ids: list[str] = field(default_factory=list)


def update(
    records: Iterable[dict[str, Any]],
    *,
    resources: Resources,
    now: datetime,
    dynamodb: DynamoDBClient,
    sqs: SQSClient,
    tries: Tries = backoff,
) -> Result:
    """Process a batch of messages from the queue of uploaded items.

    Args:
        records: the messages as functions get them.
        resources: the stack's.
        now: the time of the updates.
        dynamodb: for the items.
        sqs: for the announcements.
        tries: paces repeated sends of what the queue did not take.
    """
    result = Result()
    due: defaultdict[Announcement, list[str]] = defaultdict(list)
    is_available = True
    for record in records:
        message_id = record["messageId"]
        if not is_available:
            # Waiting as long for every other message would outlast the invocation.
            result.failed[message_id] = NOT_TRIED
            continue
        try:
            uploaded = Announcement.read(record["body"], UPLOADED)
            result.correlation_ids.append(uploaded.correlation_id)
            due[_move_on(uploaded, resources.table, now, dynamodb, result)].append(message_id)
        except Unprocessable as error:
            result.rejects.append(Reject(record, str(error), message_id))
        except AWS_ERRORS as error:
            result.failed[message_id] = error_code(error)
            is_available = isinstance(error, ClientError)
    unsent = queues.send(
        [announcement.message() for announcement in due],
        queue_url=resources.updated_queue,
        client=sqs,
        tries=tries,
    )
    messages = list(due.values())
    for number, error_of_sqs in unsent.items():
        result.failed.update(dict.fromkeys(messages[number], error_of_sqs))
    return result


def _move_on(
    uploaded: Announcement, table: str, now: datetime, client: DynamoDBClient, result: Result
) -> Announcement:
    """Update the item unless that is done; return what is to be announced.

    Raises:
        Unprocessable: there is no such item, or it never had the announced version.
    """
    following = uploaded.version + 1
    try:
        client.update_item(
            TableName=table,
            Key={"id": {"S": uploaded.item_id}},
            UpdateExpression="SET #status = :updated, #version = :following, updated_at = :now",
            ConditionExpression="#version = :announced",
            ExpressionAttributeNames={"#status": "status", "#version": "version"},
            ExpressionAttributeValues={
                ":updated": {"S": STATUS_UPDATED},
                ":announced": {"N": str(uploaded.version)},
                ":following": {"N": str(following)},
                ":now": {"S": rfc3339(now)},
            },
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except client.exceptions.ConditionalCheckFailedException as error:
        announcement = _of_item(uploaded, item_as_it_is(error))
        result.already += 1
        return announcement
    result.updated += 1
    return Announcement(UPDATED, uploaded.item_id, following, now, uploaded.correlation_id)


def _of_item(uploaded: Announcement, item: Mapping[str, Any] | None) -> Announcement:
    """Return the announcement of an item that has not the version that was announced."""
    if not item:
        raise Unprocessable(f"There is no item {uploaded.item_id}.")
    try:
        version = int(item["version"]["N"])
        time = datetime.fromisoformat(item["updated_at"]["S"])
    except (KeyError, ValueError):
        raise Unprocessable(
            f"The item {uploaded.item_id} has no 'version' or no 'updated_at'."
        ) from None
    if version <= uploaded.version:
        raise Unprocessable(
            f"The item {uploaded.item_id} has version {version}, not {uploaded.version}."
        )
    return Announcement(UPDATED, uploaded.item_id, version, time, uploaded.correlation_id)

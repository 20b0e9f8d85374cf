"""Storing events, each once, in one transaction for a batch of messages.

An item's key is the event's entity and its place among the entity's events, so that nothing is
ever overwritten: a put is conditional, and one whose item is there already is done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ingest.items import AT, ENTITY, EVENT
from shared import entity_events, strict_json
from shared.aws_errors import AWS_ERRORS, error_code
from shared.rejects import Reject, Unprocessable
from shared.transactions import CONDITION_FAILED, PASSING, Contended, backoff, cancellation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from shared.entity_events import EntityEvent
    from shared.transactions import Tries


@dataclass(frozen=True, eq=False)
class Message:
    """A message of the FIFO queue, and the event in it."""

    record: dict[str, Any]
    event: EntityEvent

    @property
    def id(self) -> str:
        """The message's id."""
        return str(self.record["messageId"])

    @property
    def group(self) -> str:
        """What the queue keeps in order."""
        return str(self.record["attributes"]["MessageGroupId"])

    @property
    def key(self) -> tuple[str, str]:
        """The key of its item."""
        return self.event.entity, self.event.at


@dataclass
class Batch:
    """The messages of a batch, in their order; `rejects` those that are no events."""

    messages: list[Message] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    @classmethod
    def read(cls, records: Iterable[dict[str, Any]], *, now: datetime) -> Batch:
        """Read the messages as a function gets them."""
        batch = cls()
        for record in records:
            try:
                event = entity_events.read(record["body"], now=now)
            except Unprocessable as error:
                batch.rejects.append(Reject(record, str(error), record["messageId"]))
            else:
                batch.messages.append(Message(record, event))
        return batch


@dataclass
class Result:
    """What became of the messages.

    Attributes:
        stored: how many events were stored now.
        already: how many had been stored before.
        rejects: messages whose place another event has, which can therefore never be stored.
        failed: ids of messages that must come again, and the error of each.
    """

    stored: int = 0
    already: int = 0
    rejects: list[Reject] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def store(
    messages: Iterable[Message],
    *,
    table: str,
    ttl_days: int,
    now: datetime,
    client: DynamoDBClient,
    tries: Tries = backoff,
) -> Result:
    """Store the events of messages.

    A message that cannot be stored now takes all messages behind it in its group along: they come
    again together, in their order.

    Args:
        messages: in their order, as many as fit into a transaction.
        table: of events.
        ttl_days: for how long they are kept; 0 for ever.
        now: the time.
        client: for the table.
        tries: paces repeated transactions.
    """
    expires_at = int((now + timedelta(days=ttl_days)).timestamp()) if ttl_days else None
    result = Result()
    pending = list(messages)
    # Made once: an event can have as many values as bytes.
    puts = {each: _put(each.event, table, expires_at) for each in pending}
    cause = Contended.__name__
    try:
        for _ in tries() if pending else ():
            pending = _try(pending, puts, client, result)
            if not pending:
                break
    except AWS_ERRORS as error:
        cause = error_code(error)
    result.failed |= {each.id: cause for each in pending}
    return result


def _try(
    pending: list[Message],
    puts: Mapping[Message, TransactWriteItemTypeDef],
    client: DynamoDBClient,
    result: Result,
) -> list[Message]:
    """Try a transaction; return what is left of it to be tried again."""
    # What two messages carry is one item, and a transaction takes an item once.
    first: dict[tuple[str, str], Message] = {}
    for each in pending:
        first.setdefault(each.key, each)
    due = {key: puts[each] for key, each in first.items()}
    reasons = cancellation(client, list(due.values()))
    if reasons:
        return _remaining(pending, dict(zip(due, reasons, strict=True)), result)
    result.stored += len(due)
    for each in pending:
        if each is not first[each.key]:
            _settle(each, due[each.key]["Put"]["Item"], result)
    return []


def _remaining(
    pending: Iterable[Message],
    by_item: Mapping[tuple[str, str], Mapping[str, Any]],
    result: Result,
) -> list[Message]:
    """Take out of a cancelled batch what is stored, and groups of which something cannot be."""
    remaining = []
    refused: dict[str, str] = {}
    for each in pending:
        reason = by_item[each.key]
        code = reason["Code"]
        if code == CONDITION_FAILED:
            _settle(each, reason.get("Item", {}), result)
        elif each.group in refused:
            result.failed[each.id] = refused[each.group]
        elif code in PASSING:
            remaining.append(each)
        else:
            refused[each.group] = result.failed[each.id] = code
    return remaining


def _settle(message: Message, item: Mapping[str, Any], result: Result) -> None:
    """Note what became of a message whose place is taken by an item."""
    if _is_of(message, item):
        result.already += 1
    else:
        cause = "Another event of this entity is stored with the same time and id."
        result.rejects.append(Reject(message.record, cause, message.event.envelope.id))


def _is_of(message: Message, item: Mapping[str, Any]) -> bool:
    """Say whether an item is that of a message's event."""
    stored = strict_json.from_attribute(item[EVENT])
    event = message.event.envelope
    return bool(stored["source"] == event.source and stored["data"] == event.data)


def _put(event: EntityEvent, table: str, expires_at: int | None) -> TransactWriteItemTypeDef:
    return {
        "Put": {
            "TableName": table,
            "Item": {
                ENTITY: {"S": event.entity},
                AT: {"S": event.at},
                EVENT: strict_json.to_attribute(event.envelope.as_dict()),
                **({} if expires_at is None else {"expires_at": {"N": str(expires_at)}}),
            },
            "ConditionExpression": f"attribute_not_exists({ENTITY})",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }

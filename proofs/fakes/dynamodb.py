"""An in-memory DynamoDB client, with the calls and the failures that our functions meet.

`before` and `after` are called around every call's effect: raise there, or act as another
writer. tests/unit/test_fake_dynamodb.py runs the same calls here and on moto.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from proofs.fakes.expressions import Item, holds, named, unused, updated
from proofs.fakes.sizes import LARGEST_ITEM, LARGEST_TRANSACTION, item_size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_ACTIONS = 100
MAX_KEYS = 100


def copied(value: Any) -> Any:
    """Return a copy of what calls are made of; faster than `deepcopy`, which knows more."""
    if isinstance(value, dict):
        return {name: copied(each) for name, each in value.items()}
    if isinstance(value, list):
        return [copied(each) for each in value]
    return value


class ConditionalCheckFailedException(ClientError):  # noqa: N818 - AWS's name
    """A put's or update's condition did not hold."""


class TransactionCanceledException(ClientError):  # noqa: N818 - AWS's name
    """A transaction took no effect; `CancellationReasons` say why, one per action."""


class _Exceptions:
    """What a real client offers as `client.exceptions`."""

    ClientError = ClientError
    ConditionalCheckFailedException = ConditionalCheckFailedException
    TransactionCanceledException = TransactionCanceledException


@dataclass(frozen=True)
class Call:
    """One call: its number, from 1, its operation and its arguments."""

    number: int
    operation: str
    arguments: dict[str, Any]


def _nothing(*_call: Call) -> None:
    pass


@dataclass
class FakeDynamoDB:
    """Tables keyed by the string attribute `id`, but for those in `keys`.

    Attributes:
        tables: items by key, by table; a key of two parts has a blank in between.
        calls: what was called, in order.
        before: called before a call takes effect.
        after: called after a call took effect, before its answer.
        started: whoever runs processes calls it before each of them.
        leave_unprocessed: how many keys each of the next BatchGetItem calls leaves unread.
        indexes: the attribute by which each index sorts, by its name.
        keys: the string attributes that are the key of a table.
    """

    tables: dict[str, dict[str, Item]]
    calls: list[Call] = field(default_factory=list)
    before: Callable[[Call], None] = _nothing
    after: Callable[[Call], None] = _nothing
    started: Callable[[], None] = _nothing
    leave_unprocessed: list[int] = field(default_factory=list)
    indexes: dict[str, str] = field(default_factory=dict)
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    exceptions: type[_Exceptions] = _Exceptions

    @classmethod
    def with_tables(cls, *names: str) -> FakeDynamoDB:
        return cls({name: {} for name in names})

    def put_item(
        self,
        *,
        TableName: str,  # noqa: N803 - boto3's names
        Item: Item,  # noqa: N803
        ConditionExpression: str = "",  # noqa: N803
        ReturnValuesOnConditionCheckFailure: str = "NONE",  # noqa: N803
    ) -> dict[str, Any]:
        call = self.begin("PutItem", locals())
        old = self._old(TableName, Item)
        if ConditionExpression and not holds(ConditionExpression, old, {}):
            raise _condition_failed(call, old, ReturnValuesOnConditionCheckFailure)
        if item_size(Item) > LARGEST_ITEM:
            raise refusal("ValidationException", "PutItem")
        self.tables[TableName][self._key(TableName, Item)] = copied(Item)
        self.after(call)
        return {}

    def update_item(
        self,
        *,
        TableName: str,  # noqa: N803
        Key: Item,  # noqa: N803
        UpdateExpression: str,  # noqa: N803
        ConditionExpression: str = "",  # noqa: N803
        ExpressionAttributeNames: dict[str, str] | None = None,  # noqa: N803
        ExpressionAttributeValues: Item | None = None,  # noqa: N803
        ReturnValuesOnConditionCheckFailure: str = "NONE",  # noqa: N803
    ) -> dict[str, Any]:
        call = self.begin("UpdateItem", locals())
        names, values = ExpressionAttributeNames or {}, ExpressionAttributeValues or {}
        if unused(f"{UpdateExpression} {ConditionExpression}", [*names, *values]):
            raise refusal("ValidationException", "UpdateItem")
        old = self._old(TableName, Key)
        condition = named(ConditionExpression, names)
        if condition and not holds(condition, old, values):
            raise _condition_failed(call, old, ReturnValuesOnConditionCheckFailure)
        new = updated(named(UpdateExpression, names), old or Key, values)
        self.tables[TableName][self._key(TableName, Key)] = copied(new)
        self.after(call)
        return {}

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        call = self.begin("TransactWriteItems", locals())
        if not 1 <= len(TransactItems) <= MAX_ACTIONS:
            raise refusal("ValidationException", "TransactWriteItems")
        actions = [next(iter(action.items())) for action in TransactItems]
        targets = [(action["TableName"], self._id(verb, action)) for verb, action in actions]
        sizes = [item_size(action["Item"]) if verb == "Put" else 0 for verb, action in actions]
        if len(set(targets)) < len(targets) or sum(sizes) > LARGEST_TRANSACTION:
            raise refusal("ValidationException", "TransactWriteItems")
        reasons = [
            self._reason(verb, action, size)
            for (verb, action), size in zip(actions, sizes, strict=True)
        ]
        if any(reason["Code"] != "None" for reason in reasons):
            raise cancellation(reasons)
        for verb, action in actions:
            self._apply(verb, action)
        self.after(call)
        return {}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        call = self.begin("BatchGetItem", locals())
        [(table, request)] = RequestItems.items()
        ids = [key["id"]["S"] for key in request["Keys"]]
        if not 1 <= len(ids) <= MAX_KEYS or len(set(ids)) < len(ids):
            raise refusal("ValidationException", "BatchGetItem")
        left = self.leave_unprocessed.pop(0) if self.leave_unprocessed else 0
        read, unread = ids[: len(ids) - left], ids[len(ids) - left :]
        found = [self.tables[table][key] for key in read if key in self.tables[table]]
        projection = request.get("ProjectionExpression")
        if projection is not None:
            names = [name.strip() for name in projection.split(",")]
            found = [{name: item[name] for name in names if name in item} for item in found]
        self.after(call)
        return {
            "Responses": {table: copied(found)},
            "UnprocessedKeys": {table: {**request, "Keys": _keys(unread)}} if unread else {},
        }

    def get_item(
        self,
        *,
        TableName: str,  # noqa: N803
        Key: Item,  # noqa: N803
        ConsistentRead: bool = False,  # noqa: N803
    ) -> dict[str, Any]:
        call = self.begin("GetItem", locals())
        found = copied(self._old(TableName, Key))
        self.after(call)
        return {"Item": found} if found else {}

    def query(
        self,
        *,
        TableName: str,  # noqa: N803
        IndexName: str,  # noqa: N803
        KeyConditionExpression: str,  # noqa: N803
        ExpressionAttributeValues: Item,  # noqa: N803
        ScanIndexForward: bool = True,  # noqa: N803
        Limit: int = 1_000_000,  # noqa: N803
    ) -> dict[str, Any]:
        call = self.begin("Query", locals())
        if IndexName not in self.indexes or Limit < 1:
            raise refusal("ValidationException", "Query")
        rank = self.indexes[IndexName]
        found = [
            item
            for item in self.tables[TableName].values()
            if rank in item and holds(KeyConditionExpression, item, ExpressionAttributeValues)
        ]
        found.sort(key=lambda item: Decimal(item[rank]["N"]), reverse=not ScanIndexForward)
        self.after(call)
        return {"Items": copied(found[:Limit])}

    def begin(self, operation: str, arguments: dict[str, Any]) -> Call:
        """Record a call that is about to take effect."""
        kept = {name: copied(value) for name, value in arguments.items() if name != "self"}
        call = Call(len(self.calls) + 1, operation, kept)
        self.calls.append(call)
        self.before(call)
        return call

    def _old(self, table: str, key: Item) -> Item:
        return self.tables[table].get(self._key(table, key), {})

    def _key(self, table: str, item: Item) -> str:
        return " ".join(item[name]["S"] for name in self.keys.get(table, ("id",)))

    def _id(self, verb: str, action: dict[str, Any]) -> str:
        return self._key(action["TableName"], action[{"Put": "Item", "Update": "Key"}[verb]])

    def _reason(self, verb: str, action: dict[str, Any], size: int) -> dict[str, Any]:
        """Return why an action cannot take effect, with the item in its way if it asked for it."""
        if size > LARGEST_ITEM:
            return {"Code": "ValidationError"}
        old = self._old(action["TableName"], action["Item" if verb == "Put" else "Key"])
        values = action.get("ExpressionAttributeValues", {})
        condition = action.get("ConditionExpression")
        if condition is None or holds(condition, old, values):
            return {"Code": "None"}
        wanted = action.get("ReturnValuesOnConditionCheckFailure")
        kept = {"Item": copied(old)} if wanted == "ALL_OLD" and old else {}
        return {"Code": "ConditionalCheckFailed", **kept}

    def _apply(self, verb: str, action: dict[str, Any]) -> None:
        table = self.tables[action["TableName"]]
        if verb == "Put":
            table[self._id(verb, action)] = copied(action["Item"])
            return
        table[self._id(verb, action)] = copied(
            updated(
                action["UpdateExpression"],
                self._old(action["TableName"], action["Key"]) or action["Key"],
                action["ExpressionAttributeValues"],
            )
        )


def _keys(ids: list[str]) -> list[Item]:
    return [{"id": {"S": key}} for key in ids]


def _condition_failed(call: Call, old: Item, wanted: str) -> ConditionalCheckFailedException:
    response = _error("ConditionalCheckFailedException")
    if wanted == "ALL_OLD" and old:
        response["Item"] = copied(old)
    return ConditionalCheckFailedException(response, call.operation)  # type: ignore[arg-type]


def _error(code: str, status: int = 400) -> dict[str, Any]:
    return {
        "Error": {"Code": code, "Message": f"{code}, says the fake."},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }


def refusal(code: str, operation: str, *, status: int = 400) -> ClientError:
    """Return the error of a call that a service refused, e.g. for throttling."""
    return ClientError(_error(code, status), operation)  # type: ignore[arg-type]


def cancellation(reasons: Sequence[str | dict[str, Any]]) -> TransactionCanceledException:
    """Return the error of a cancelled transaction, with a reason, or its code, per action."""
    response = _error("TransactionCanceledException")
    response["CancellationReasons"] = [
        {"Code": reason} if isinstance(reason, str) else reason for reason in reasons
    ]
    return TransactionCanceledException(response, "TransactWriteItems")  # type: ignore[arg-type]

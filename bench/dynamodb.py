"""A DynamoDB that answers boto3's own client in its process, and counts what it is asked.

It knows what is needed to feed functions with new events, nothing failing: puts and updates
take effect, reads see them, conditions hold. moto copies all its tables in every transaction,
so 100,000 events would take hours; tests/unit/test_bench_load.py runs the same events here and
on moto.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.capacity import Item, index_units, item_size, read_units, write_units

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from botocore.hooks import BaseEventHooks

_CLAUSE = re.compile(r"\b(SET|ADD)\b(.*?)(?=\b(?:SET|ADD|REMOVE|DELETE)\b|$)", re.DOTALL)
_PAIR = re.compile(r"(#?\w+)\s*=?\s*(:\w+)")


class NotAnswered(NotImplementedError):  # noqa: N818 - reads as the statement it is
    """A function made a call that this DynamoDB does not know."""


@dataclass
class Answer:
    """The part of an HTTP answer that botocore looks at."""

    status_code: int = 200


@dataclass
class Tally:
    """What was asked.

    Attributes:
        calls: by operation.
        writes: write request units, by table; those of its indexes by `<table> index`.
        reads: read request units, by table.
        stored: bytes by which the items that were put are larger than those they replace, by
            table.
    """

    calls: Counter[str] = field(default_factory=Counter)
    writes: Counter[str] = field(default_factory=Counter)
    reads: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    stored: Counter[str] = field(default_factory=Counter)


class CountingDynamoDB:
    """Tables keyed by text.

    Args:
        indexes: how many indexes each table has.
        keys: the attributes that are a table's key, if that is not `id` alone.
    """

    def __init__(
        self, indexes: Mapping[str, int], *, keys: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._indexes = indexes
        self._keys = keys or {}
        self.tables: dict[str, dict[str, Item]] = {table: {} for table in indexes}
        self.tally = Tally()

    def attach(self, events: BaseEventHooks) -> None:
        """Answer every call of the clients that come from these events' session."""
        events.register("before-call", self.answer)  # type: ignore[arg-type]

    def answer(
        self,
        model: Any,  # noqa: ANN401 - botocore has no types
        params: dict[str, Any],
        **_: object,
    ) -> tuple[Answer, dict[str, Any]]:
        """Answer a call in botocore's place."""
        self.tally.calls[model.name] += 1
        request = json.loads(params["body"])
        match model.name:
            case "PutItem":
                self._put(request)
                answer: dict[str, Any] = {}
            case "TransactWriteItems":
                for action in request["TransactItems"]:
                    self._act(action)
                answer = {}
            case "BatchGetItem":
                answer = self._batch_get(request["RequestItems"])
            case _:
                raise NotAnswered(f"{model.name} is not known to the benchmark's DynamoDB.")
        return Answer(), answer | {"ResponseMetadata": {"HTTPStatusCode": 200}}

    def _act(self, action: dict[str, Any]) -> None:
        [(verb, request)] = action.items()
        if verb == "Put":
            self._put(request, transaction=True)
        elif verb == "Update":
            self._update(request)
        else:
            raise NotAnswered(f"{verb} in a transaction is not known to the benchmark's DynamoDB.")

    def _put(self, request: dict[str, Any], *, transaction: bool = False) -> None:
        table, item = request["TableName"], request["Item"]
        name = self._name(table, item)
        size, before = item_size(item), item_size(self.tables[table].get(name, {}))
        self.tables[table][name] = item
        # The larger of both counts ("DynamoDB read and write operations", 2026-11-21).
        self.tally.writes[table] += write_units(max(size, before), transaction=transaction)
        self.tally.stored[table] += size - before

    def _update(self, request: dict[str, Any]) -> None:
        table = request["TableName"]
        name = self._name(table, request["Key"])
        before = self.tables[table].get(name)
        item = updated(request, before or request["Key"])
        self.tables[table][name] = item
        size = max(item_size(item), item_size(before or {}))
        self.tally.writes[table] += write_units(size, transaction=True)
        if self._indexes[table]:
            # Every update of an indexed item of ours changes its rank.
            self.tally.writes[f"{table} index"] += self._indexes[table] * index_units(
                size, existed=before is not None
            )

    def _batch_get(self, requests: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, list[Item]] = {}
        for table, request in requests.items():
            found[table] = []
            for key in request["Keys"]:
                item = self.tables[table].get(self._name(table, key))
                self.tally.reads[table] += read_units(
                    item_size(item or {}), consistent=request.get("ConsistentRead", False)
                )
                if item:
                    found[table].append(item)
        return {"Responses": found, "UnprocessedKeys": {}}

    def _name(self, table: str, item: Item) -> str:
        """Return the key of an item."""
        return " ".join(item[each]["S"] for each in self._keys.get(table, ("id",)))


def updated(request: dict[str, Any], item: Item) -> Item:
    """Return `item` after the SET and ADD clauses of an update."""
    names = request.get("ExpressionAttributeNames", {})
    values = request["ExpressionAttributeValues"]
    result = dict(item)
    for clause, body in _CLAUSE.findall(request["UpdateExpression"]):
        for placeholder, value in _PAIR.findall(body):
            name = names.get(placeholder, placeholder)
            if clause == "SET":
                result[name] = values[value]
            else:
                old = int(result.get(name, {"N": "0"})["N"])
                result[name] = {"N": str(old + int(values[value]["N"]))}
    return result

"""Counts what boto3's own clients ask of AWS, and the units of it that AWS bills."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.capacity import item_size, read_units, write_units
from bench.dynamodb import updated

if TYPE_CHECKING:
    from typing import BinaryIO

    from botocore.hooks import BaseEventHooks

    from bench.capacity import Item


@dataclass
class Tally:
    """What was asked.

    Attributes:
        calls: by operation.
        empty_receives: those of ReceiveMessage that returned nothing.
        write_units: of DynamoDB, tables without indexes.
        read_units: of DynamoDB.
        item_bytes: of the items that were put.
        object_bytes: of the objects that were put.
    """

    calls: Counter[str] = field(default_factory=Counter)
    empty_receives: int = 0
    write_units: int = 0
    read_units: float = 0
    item_bytes: int = 0
    object_bytes: int = 0


class Meter:
    """Watches clients at work, from several threads too.

    It remembers the items that are put, so that it knows the sizes of those that are updated and
    read; a condition is taken to hold.
    """

    def __init__(self) -> None:
        self.tally = Tally()
        self._items: dict[str, Item] = {}
        self._lock = threading.Lock()

    def attach(self, events: BaseEventHooks) -> None:
        """Watch all clients that are made from these events' session from now on."""
        events.register("before-call", self._before)
        events.register("after-call.sqs.ReceiveMessage", self._received)

    def _before(self, model: Any, params: dict[str, Any], **_: object) -> None:  # noqa: ANN401 - botocore has no types
        with self._lock:
            self.tally.calls[model.name] += 1
            match model.name:
                case "PutItem":
                    self._put(json.loads(params["body"])["Item"])
                case "UpdateItem":
                    self._update(json.loads(params["body"]))
                case "BatchGetItem":
                    for request in json.loads(params["body"])["RequestItems"].values():
                        self._read(request)
                case "PutObject":
                    self.tally.object_bytes += _length(params["body"])

    def _received(self, parsed: dict[str, Any], **_: object) -> None:
        with self._lock:
            self.tally.empty_receives += not parsed.get("Messages")

    def _put(self, item: Item) -> None:
        self._items[item["id"]["S"]] = item
        size = item_size(item)
        self.tally.write_units += write_units(size)
        self.tally.item_bytes += size

    def _update(self, request: dict[str, Any]) -> None:
        before = self._items.get(request["Key"]["id"]["S"], {})
        item = updated(request, before)
        self._items[request["Key"]["id"]["S"]] = item
        # The larger of both counts ("DynamoDB read and write operations", 2026-11-21).
        self.tally.write_units += write_units(max(item_size(before), item_size(item)))

    def _read(self, request: dict[str, Any]) -> None:
        for key in request["Keys"]:
            self.tally.read_units += read_units(
                item_size(self._items.get(key["id"]["S"], {})),
                consistent=request.get("ConsistentRead", False),
            )


def _length(body: bytes | BinaryIO) -> int:
    if isinstance(body, bytes):
        return len(body)
    position = body.tell()
    length = body.seek(0, os.SEEK_END) - position
    body.seek(position)
    return length

"""What DynamoDB bills: sizes of items, and request units of writes and reads."""

from __future__ import annotations

import base64
from typing import Any

WRITE_STEP, READ_STEP = 1024, 4096
# "Managing complex workflows with DynamoDB transactions": two underlying writes per item.
TRANSACTION = 2

Item = dict[str, dict[str, Any]]


def item_size(item: Item) -> int:
    """Return the size of an item in bytes ("DynamoDB item sizes and formats", 2026-11-21)."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: dict[str, Any]) -> int:  # noqa: PLR0911 - one for each type
    [(kind, content)] = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return (len(content.strip("-").replace(".", "").strip("0")) + 1) // 2 + 1
        case "B":
            return len(base64.b64decode(content))
        case "M":
            # A byte for each member, three for the map.
            return 3 + len(content) + item_size(content)
        case "L":
            return 3 + len(content) + sum(_value_size(each) for each in content)
        case "SS" | "NS" | "BS":
            return sum(_value_size({kind[0]: each}) for each in content)
    return 1


def write_units(size: int, *, transaction: bool = False) -> int:
    """Return the units of writing an item of `size` bytes.

    One per KB begun, twice that in a transaction ("DynamoDB read and write operations",
    2026-11-21).
    """
    units = max(1, -(-size // WRITE_STEP))
    return units * TRANSACTION if transaction else units


def read_units(size: int, *, consistent: bool) -> float:
    """Return the units of reading an item of `size` bytes, 0 if it is absent.

    One per 4 KB begun, half that when eventually consistent ("DynamoDB read and write
    operations", 2026-11-21).
    """
    units = max(1, -(-size // READ_STEP))
    return units if consistent else units / 2


def index_units(size: int, *, existed: bool) -> int:
    """Return the units of an index when an item's rank changes.

    A changed key is a delete and a put, a new item a put only ("Using global secondary indexes:
    write operations", 2026-11-21). That an index is written once, not twice, for a transaction
    is what we take from its being written later; no page says so.

    Args:
        size: of the item in the index, in bytes; ours projects all attributes.
        existed: whether the item was in the index before.
    """
    return write_units(size) * (2 if existed else 1)

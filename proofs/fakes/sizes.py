"""How many bytes DynamoDB counts for an item.

"DynamoDB item sizes and formats", Amazon DynamoDB Developer Guide, 2026-11-21. Of numbers the page
says "approximately"; here they have the most that fits its words.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# "Quotas in Amazon DynamoDB", 2026-11-21.
LARGEST_ITEM = 409_600
LARGEST_TRANSACTION = 4 * 1024 * 1024


def item_size(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Return the bytes of an item in DynamoDB's form: names and values."""
    return sum(len(name.encode()) + value_size(value) for name, value in item.items())


def value_size(value: Mapping[str, Any]) -> int:
    """Return the bytes of a value in DynamoDB's form."""
    [(kind, content)] = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return _number_size(content)
        case "BOOL" | "NULL":
            return 1
        case "L":
            return _container_size(map(value_size, content))
        case "M":
            return _container_size(
                len(name.encode()) + value_size(each) for name, each in content.items()
            )
    raise NotImplementedError(kind)


def _container_size(sizes: Iterable[int]) -> int:
    # Three bytes, and one more for each element.
    return 3 + sum(size + 1 for size in sizes)


def _number_size(text: str) -> int:
    """A byte, one for two digits that may not begin at the first, and one for a minus."""
    number = Decimal(text)
    digits = len("".join(map(str, number.as_tuple().digits)).strip("0"))
    return 1 + (digits + 2) // 2 * (digits > 0) + number.is_signed()

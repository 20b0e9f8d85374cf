"""JSON as later hops can carry it: parsed strictly, in one canonical form, storable.

A value that passes `parse` survives canonical JSON (RFC 8785) and DynamoDB unchanged.
"""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from typing import Any

import rfc8785

# Beyond these, canonical JSON (IEEE 754 doubles) no longer tells neighbours apart: RFC 8785,
# section 3.2.2.3 and RFC 7493 (I-JSON), section 2.2.
MAX_INTEGER = 2**53 - 1
# DynamoDB numbers: "Supported data types and naming rules", 2026-11-21.
_SMALLEST, _LARGEST = 1e-130, 9.9e125
# DynamoDB nests attributes up to 32 levels ("Quotas in Amazon DynamoDB", 2026-11-21); the
# item and the attribute that holds the value take their share.
MAX_DEPTH = 30

# Values as `json` makes them: dict, list, str, int, float, bool, None.
Json = Any


class InvalidJson(ValueError):  # noqa: N818 - reads as the statement it is
    """The text is not JSON that every later hop can carry; the message says why."""


def parse(body: bytes) -> Json:
    """Parse UTF-8 JSON text.

    Raises:
        InvalidJson: not UTF-8, not JSON, a duplicate or empty field name, NaN or Infinity, a
            number that a double or DynamoDB cannot hold, a lone surrogate, or nested too deep.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidJson(f"The body is not UTF-8: byte {error.start} is invalid.") from None
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_int=_integer,
            parse_float=_float,
        )
    except json.JSONDecodeError as error:
        raise InvalidJson(f"The body is not JSON: {error.msg} at character {error.pos}.") from None
    except RecursionError:
        raise InvalidJson(f"The body is nested deeper than {MAX_DEPTH} levels.") from None
    _check(value, MAX_DEPTH)
    return value


def canonical(value: Json) -> bytes:
    """Return the canonical form (RFC 8785) of a value that `parse` returned."""
    return rfc8785.dumps(value)


def storable(value: Json) -> Json:
    """Return `value` with its floats as decimals, which is how boto3 writes numbers."""
    if isinstance(value, float):
        # repr is the shortest text that reads back as the same double; 0 has no sign there.
        return Decimal(repr(value)) if value else Decimal(0)
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {name: storable(item) for name, item in value.items()}
    return value


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise InvalidJson(f"The field {twice[:50]!r} appears twice in one object.")
    if "" in fields:
        raise InvalidJson("A field has an empty name.")
    return fields


def _refuse_constant(name: str) -> Json:
    raise InvalidJson(f"{name} is not a JSON number.")


def _integer(text: str) -> int:
    # The length first: converting a very long text takes quadratic time.
    if len(text) > len(str(-MAX_INTEGER)) or abs(int(text)) > MAX_INTEGER:
        raise InvalidJson(f"The whole number {text[:20]} is beyond ±{MAX_INTEGER}.")
    return int(text)


def _float(text: str) -> float:
    number = float(text)
    # A text that is not zero but reads as zero is too small for a double.
    is_zero = not text.lower().partition("e")[0].strip("-0.")
    if not is_zero and not _SMALLEST <= abs(number) <= _LARGEST:
        raise InvalidJson(f"The number {text[:20]} is not within ±{_SMALLEST} to ±{_LARGEST}.")
    return number


def _check(value: Json, depth: int) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict | list):
        if depth == 0:
            raise InvalidJson(f"The body is nested deeper than {MAX_DEPTH} levels.")
        if isinstance(value, dict):
            for name in value:
                _check_text(name)
            value = value.values()
        for item in value:
            _check(item, depth - 1)


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidJson("A text has a lone surrogate, which UTF-8 cannot carry.") from None

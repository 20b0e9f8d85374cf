"""JSON as later hops can carry it: parsed strictly, in one canonical form, storable.

A value that passes `parse` survives canonical JSON (RFC 8785) and DynamoDB unchanged.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import rfc8785

if TYPE_CHECKING:
    from collections.abc import Mapping

# Beyond these, canonical JSON (IEEE 754 doubles) no longer tells neighbours apart: RFC 8785,
# section 3.2.2.3 and RFC 7493 (I-JSON), section 2.2.
MAX_INTEGER = 2**53 - 1
# DynamoDB numbers: "Supported data types and naming rules", 2026-11-21.
SMALLEST, LARGEST = 1e-130, 9.9e125
# DynamoDB nests attributes up to 32 levels ("Quotas in Amazon DynamoDB", 2026-11-21); the
# item and the attribute that holds the value take their share.
MAX_DEPTH = 30
# Ours: far below the 64 KB of an attribute's name in DynamoDB ("Quotas in Amazon DynamoDB",
# 2026-11-21), and more than names are.
MAX_NAME = 1_024

# Values as `json` makes them: dict, list, str, int, float, bool, None.
Json = Any


class InvalidJson(ValueError):  # noqa: N818 - reads as the statement it is
    """The text is not JSON that every later hop can carry; the message says why."""


def parse(body: bytes, *, depth: int = MAX_DEPTH) -> Json:
    """Parse UTF-8 JSON text.

    Args:
        body: the text.
        depth: how many levels it may have.

    Raises:
        InvalidJson: not UTF-8, not JSON, a duplicate, empty or too long
            field name, NaN or Infinity, a
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
    _check(value, depth)
    return value


def canonical(value: Json) -> bytes:
    """Return the canonical form (RFC 8785) of a value that `parse` returned."""
    return rfc8785.dumps(value)


def to_attribute(value: Json) -> dict[str, Any]:
    """Return `value` as DynamoDB writes it, e.g. `{"N": "1"}`."""
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, dict):
        return {"M": {name: to_attribute(item) for name, item in value.items()}}
    if isinstance(value, list):
        return {"L": [to_attribute(item) for item in value]}
    if value is None or isinstance(value, bool):
        return {"NULL": True} if value is None else {"BOOL": value}
    # repr is the shortest text that reads back as the same double; 0 has no sign there.
    return {"N": repr(value) if value else "0"}


def from_attribute(attribute: Mapping[str, Any]) -> Json:
    """Return the value that DynamoDB writes so; undoes `to_attribute`."""
    [(kind, value)] = attribute.items()
    match kind:
        case "NULL":
            return None
        case "N":
            number = float(value)
            # Whatever is whole comes back as such; DynamoDB does not keep 1 and 1.0 apart.
            is_integer = number.is_integer() and abs(number) <= MAX_INTEGER
            return int(number) if is_integer else number
        case "L":
            return [from_attribute(item) for item in value]
        case "M":
            return {name: from_attribute(item) for name, item in value.items()}
    return value


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise InvalidJson(f"The field {twice[:50]!r} appears twice in one object.")
    if "" in fields:
        raise InvalidJson("A field has an empty name.")
    if any(len(name.encode(errors="surrogatepass")) > MAX_NAME for name in fields):
        raise InvalidJson(f"A field has a name of more than {MAX_NAME} bytes.")
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
    if not is_zero and not SMALLEST <= abs(number) <= LARGEST:
        raise InvalidJson(f"The number {text[:20]} is not within ±{SMALLEST} to ±{LARGEST}.")
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

"""DynamoDB's expressions, as far as the product writes them; anything else is refused."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Item = dict[str, dict[str, Any]]

# Some of DynamoDB's reserved words, which must stand behind a `#name`.
_RESERVED = re.compile(r"(?<![:#\w])(status|year)\b", re.IGNORECASE)
_TOKEN = re.compile(r"\s*(:?\w+|<=|>=|<>|[=<>(),])")
_COMPARISONS = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


class UnknownExpressionError(NotImplementedError):
    """The fake does not know this expression; teach it, and its contract test."""


def named(expression: str, names: Mapping[str, str]) -> str:
    """Return the expression with attributes' own names in place of `#name`."""
    if _RESERVED.search(expression):
        raise UnknownExpressionError(f"A reserved word stands in {expression}")
    return re.sub(r"#\w+", lambda found: names[found[0]], expression)


def unused(expressions: str, placeholders: Iterable[str]) -> list[str]:
    """Return the placeholders that stand in none of the expressions, which DynamoDB refuses."""
    return sorted(set(placeholders) - set(re.findall(r"[:#]\w+", expressions)))


def holds(expression: str, item: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Return whether the condition holds for `item`, which is empty if there is none."""
    return _Condition(expression, item, values).result()


def updated(expression: str, item: Item, values: Mapping[str, Any]) -> Item:
    """Return `item` after an update of the forms `ADD a :b` and `SET a = :b, c = :d`."""
    new = dict(item)
    parts = re.split(r"\b(ADD|SET)\b", expression)
    if parts[0].strip():
        raise UnknownExpressionError(expression)
    for verb, clause in zip(parts[1::2], parts[2::2], strict=True):
        for action in clause.split(","):
            match verb, action.split():
                case "ADD", [name, value]:
                    old = Decimal(new.get(name, {"N": "0"})["N"])
                    new[name] = {"N": str(old + Decimal(values[value]["N"]))}
                case "SET", [name, "=", value]:
                    new[name] = values[value]
                case _:
                    raise UnknownExpressionError(expression)
    return new


class _Condition:
    """A recursive descent over OR, AND, parentheses, functions and comparisons."""

    def __init__(self, expression: str, item: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        self._expression = expression
        self._tokens = _TOKEN.findall(expression)
        if "".join(self._tokens) != re.sub(r"\s", "", expression):
            raise UnknownExpressionError(expression)
        self._item, self._values = item, values

    def result(self) -> bool:
        found = self._any()
        if self._tokens:
            raise UnknownExpressionError(self._expression)
        return found

    def _any(self) -> bool:
        found = self._all()
        while self._accept("OR"):
            found = self._all() or found
        return found

    def _all(self) -> bool:
        found = self._one()
        while self._accept("AND"):
            found = self._one() and found
        return found

    def _one(self) -> bool:
        if self._accept("("):
            found = self._any()
            self._expect(")")
            return found
        first = self._next()
        if first in ("attribute_exists", "attribute_not_exists"):
            self._expect("(")
            exists = self._next() in self._item
            self._expect(")")
            return exists == (first == "attribute_exists")
        compare = _COMPARISONS.get(self._next())
        if compare is None:
            raise UnknownExpressionError(self._expression)
        left, right = self._operand(first), self._operand(self._next())
        # A missing attribute, or one of another type, compares as false.
        return (
            left is not None
            and right is not None
            and left[0] == right[0]
            and compare(left[1], right[1])
        )

    def _operand(self, token: str) -> tuple[str, Any] | None:
        if token.startswith(":"):
            attribute = self._values[token]
        elif token in self._item:
            attribute = self._item[token]
        else:
            return None
        [(kind, value)] = attribute.items()
        return kind, Decimal(value) if kind == "N" else value

    def _next(self) -> str:
        if not self._tokens:
            raise UnknownExpressionError(self._expression)
        return str(self._tokens.pop(0))

    def _accept(self, token: str) -> bool:
        if self._tokens and self._tokens[0] == token:
            self._tokens.pop(0)
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._accept(token):
            raise UnknownExpressionError(self._expression)

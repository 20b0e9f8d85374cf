"""What goes wrong, as hooks for `FakeDynamoDB.before` and `.after`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.dynamodb import cancellation

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.dynamodb import Call


class Crash(BaseException):
    """The process dies. No handler's `except Exception` can catch it."""


def crash_at(number: int) -> Callable[[Call], None]:
    """Die in call `number`."""

    def hook(call: Call) -> None:
        if call.number == number:
            raise Crash(f"{call.operation}, call {number}")

    return hook


def cancel_next(times: int, reason: str = "TransactionConflict") -> Callable[[Call], None]:
    """Cancel the next `times` transactions for `reason`, blamed on the last action."""
    left = times

    def hook(call: Call) -> None:
        nonlocal left
        if call.operation == "TransactWriteItems" and left:
            left -= 1
            actions = len(call.arguments["TransactItems"])
            raise cancellation(["None"] * (actions - 1) + [reason])

    return hook

"""What goes wrong, as hooks for `FakeDynamoDB.before` and `.after`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proofs.fakes.dynamodb import cancellation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from proofs.fakes.dynamodb import Call, FakeDynamoDB


class Crash(BaseException):
    """The process dies. No handler's `except Exception` can catch it."""


def crash_at(number: int) -> Callable[[Call], None]:
    """Die in call `number`."""

    def hook(call: Call) -> None:
        if call.number == number:
            raise Crash(f"{call.operation}, call {number}")

    return hook


class Death:
    """A process that dies in its `number`-th call from now, before or after that took effect.

    Unlike after `crash_at`, nothing that the process still tries has an effect: not what other
    threads do, nor what it does to clean up. `with` ends when it is dead, or has come through.
    """

    def __init__(self, client: FakeDynamoDB, number: int, side: str) -> None:
        self._client, self._side = client, side
        self._number = len(client.calls) + number
        self.came = False

    def __enter__(self) -> Death:
        self._client.before, self._client.after = self._before, self._after
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self._client.before = self._client.after = lambda _call: None
        return kind is Crash

    def _before(self, call: Call) -> None:
        if self.came or (self._side == "before" and call.number >= self._number):
            self._die(call)

    def _after(self, call: Call) -> None:
        if self._side == "after" and call.number >= self._number:
            self._die(call)

    def _die(self, call: Call) -> None:
        self.came = True
        raise Crash(f"{call.operation}, call {call.number}")


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


@dataclass(frozen=True)
class OneAtATime:
    """An executor that works when it is asked for a result, so that calls have one order."""

    workers: int

    def map(self, function: Callable[..., Any], *arguments: Iterable[Any]) -> Iterator[Any]:
        return map(function, *arguments)

    def shutdown(self, *, cancel_futures: bool) -> None:
        assert cancel_futures

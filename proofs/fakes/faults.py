"""What goes wrong, as hooks for `FakeDynamoDB.before` and `.after`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ReadTimeoutError

from proofs.fakes.dynamodb import cancellation, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from proofs.fakes.dynamodb import Call, FakeDynamoDB


# How a call fails, other than by the death of whoever makes it.
REFUSED, NO_ANSWER = "refused", "no answer"


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
    threads do, nor what it does to clean up. That is over when the next process begins, as
    `FakeDynamoDB.started` tells; a process that comes through does not end what may yet come.
    `with` is for a single process: it ends when that is dead, or has come through.

    Attributes:
        came: whether it died.
    """

    def __init__(self, client: FakeDynamoDB, number: int, side: str) -> None:
        self._client, self._side = client, side
        self._number = len(client.calls) + number
        self.came = False

    def begin(self) -> None:
        """Let it come."""
        self._client.before, self._client.after = self._before, self._after
        self._client.started = self._started

    def end(self) -> None:
        """Let nothing die any more."""
        self._client.before = self._client.after = lambda _call: None
        self._client.started = lambda: None

    def __enter__(self) -> Death:
        self.begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        self.end()
        return kind is Crash

    def _started(self) -> None:
        if self.came:
            self.end()

    def _before(self, call: Call) -> None:
        if self.came or (self._side == "before" and call.number >= self._number):
            self._die(call)

    def _after(self, call: Call) -> None:
        if self._side == "after" and call.number >= self._number:
            self._die(call)

    def _die(self, call: Call) -> None:
        self.came = True
        raise Crash(f"{call.operation}, call {call.number}")


class Failure:
    """The `number`-th call from now fails, and the process learns of it.

    Attributes:
        came: whether it failed.
    """

    def __init__(self, client: FakeDynamoDB, number: int, side: str, kind: str) -> None:
        self._client, self._side, self._kind = client, side, kind
        self._number = len(client.calls) + number
        self.came = False

    def begin(self) -> None:
        """Let it come."""
        setattr(self._client, self._side, self._fail)

    def end(self) -> None:
        """Let nothing fail any more."""
        setattr(self._client, self._side, lambda _call: None)

    def _fail(self, call: Call) -> None:
        if call.number != self._number:
            return
        self.came = True
        if self._kind == REFUSED:
            raise refusal("AccessDenied", call.operation)
        raise ReadTimeoutError(endpoint_url="https://aws")


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

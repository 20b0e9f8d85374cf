"""Waiting for what a demo has broken to end up in a failure queue."""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

from odyssey_cli import failures

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_cli.target import Target

_PATIENCE = 120.0
# Set for the thread that drives a flow, by what expects it to fail.
_limit: ContextVar[float] = ContextVar("limit", default=_PATIENCE)


def patience() -> float:
    """Return for how many seconds a demo waits for what is to come: two minutes."""
    return _limit.get()


def limit_patience(seconds: float) -> None:
    """Let the demo that this thread drives wait no longer than that from now on."""
    _limit.set(min(seconds, _PATIENCE))


def until(holds: Callable[[], bool]) -> bool:
    """Wait until something holds, or as long as there is patience; return whether it does."""
    end = time.monotonic() + patience()
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def waiting(target: Target, stack: str, kind: failures.Kind) -> list[failures.Failure]:
    """Return what waits in a stack's failure queues of one kind; it is held."""
    # An empty queue is not received from: that waits a second for messages to come.
    queues = [
        each
        for each in failures.discover(target, stack)
        if each.kind is kind and _holds_any(target, each)
    ]
    return [failure for queue in queues for failure in failures.collect(target, queue)]


def _holds_any(target: Target, queue: failures.FailureQueue) -> bool:
    name = "ApproximateNumberOfMessages"
    answer = target.client("sqs").get_queue_attributes(QueueUrl=queue.url, AttributeNames=[name])
    return int(answer["Attributes"][name]) > 0


def wait_for_failures(
    target: Target,
    stack: str,
    kind: failures.Kind,
    enough: Callable[[list[failures.Failure]], bool],
) -> list[failures.Failure]:
    """Wait until enough waits, or as long as there is patience; what waits then is held."""
    end = time.monotonic() + patience()
    while True:
        found = waiting(target, stack, kind)
        if enough(found) or time.monotonic() > end:
            return found
        failures.release(target, found)
        time.sleep(0.5)

"""Several processes at once, of which each call takes place when it is told to."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

from proofs.fakes.faults import Crash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from proofs.fakes.dynamodb import Call, FakeDynamoDB

PATIENCE = 30


class _Process(threading.Thread):
    """Runs until its next call, or its end, whenever it is let."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._act = act
        self._may_go, self._has_stopped = threading.Semaphore(0), threading.Semaphore(0)
        self.is_done = False
        self.error: BaseException | None = None

    def run(self) -> None:
        self._may_go.acquire()
        try:
            self._act()
        except Crash:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again by `interleave`
            self.error = error
        self.is_done = True
        self._has_stopped.release()

    def pause(self) -> None:
        self._has_stopped.release()
        self._may_go.acquire()

    def go_on(self) -> None:
        self._may_go.release()
        assert self._has_stopped.acquire(timeout=PATIENCE), "it neither calls nor ends"


def interleave(
    client: FakeDynamoDB, acts: Sequence[Callable[[], object]], turns: Iterator[int]
) -> None:
    """Run `acts`, each as a process of its own, call by call.

    Args:
        client: whose calls the processes make; its hook `before` is taken.
        acts: what the processes do; one that crashes ends alone.
        turns: whose call is the next, of those that are still running, modulo their number.
    """
    processes = [_Process(act) for act in acts]
    inner = client.before

    def before(call: Call) -> None:
        process = threading.current_thread()
        assert isinstance(process, _Process)
        process.pause()
        inner(call)

    client.before = before
    for process in processes:
        process.start()
        process.go_on()
    while running := [each for each in processes if not each.is_done]:
        running[next(turns, 0) % len(running)].go_on()
    client.before = inner
    for process in processes:
        if process.error is not None:
            raise process.error


def all_orders(first: int, second: int) -> Iterator[tuple[int, ...]]:
    """Yield every order of so many turns of each of two processes."""
    number = first + second
    for places in itertools.combinations(range(number), first):
        yield tuple(0 if place in places else 1 for place in range(number))

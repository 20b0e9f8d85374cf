"""Crash points: a process dies in each of its calls, before and after that took effect.

Whoever delivered what it worked on does so again, as deployed; then all must be as if nothing had
happened.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from proofs.fakes.faults import Crash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from proofs.fakes.dynamodb import Call, FakeDynamoDB

T = TypeVar("T")


@dataclass(frozen=True)
class Batch:
    """What is representative of a process's work.

    Attributes:
        start_over: begins with fresh clouds and a new process.
        clouds: returns whose hooks all calls share.
        deliver: delivers all of it by the source's rules until it is settled, whatever dies.
        check: asserts that everything is as it must be in the end.
    """

    start_over: Callable[[], object]
    clouds: Callable[[], FakeDynamoDB]
    deliver: Callable[[], object]
    check: Callable[[], None]


@dataclass(frozen=True)
class Point:
    """Where a process dies.

    Attributes:
        number: of the call, from 1.
        side: `before` it takes effect, or `after`.
        is_repeated: whether all was done before, and comes once more.
    """

    number: int
    side: str
    is_repeated: bool

    def __str__(self) -> str:
        """Return it in words."""
        again = " of what was done before" if self.is_repeated else ""
        return f"{self.side} call {self.number}{again}"


def points(batch: Batch) -> Iterator[Point]:
    """Run without a crash, first and again, and yield every point at which it could crash.

    A call that was refused had no effect: to die after it is to die before the next.
    """
    batch.start_over()
    clouds = batch.clouds()
    effective: set[int] = set()
    clouds.after = lambda call: effective.add(call.number)
    batch.deliver()
    batch.check()
    first = len(clouds.calls)
    batch.deliver()
    batch.check()
    again = len(clouds.calls) - first
    for is_repeated, begin, calls in ((False, 0, first), (True, first, again)):
        for number in range(1, calls + 1):
            yield Point(number, "before", is_repeated)
            if begin + number in effective:
                yield Point(number, "after", is_repeated)


def crash(batch: Batch, point: Point) -> None:
    """Die at a point, let everything be delivered again, and check.

    Raises:
        AssertionError: something is not as it must be, or nothing died.
    """
    batch.start_over()
    clouds = batch.clouds()
    if point.is_repeated:
        batch.deliver()
    due = len(clouds.calls) + point.number
    died: list[Call] = []

    def die(call: Call) -> None:
        if call.number == due and not died:
            died.append(call)
            raise Crash(f"{call.operation}, {point}")

    setattr(clouds, point.side, die)
    batch.deliver()
    clouds.before = clouds.after = lambda _call: None
    assert died, f"nothing died {point}"
    batch.check()


def entry_points(folder: Path) -> set[str]:
    """Return the modules below a folder that have a function `handler`, e.g. `pubsub.counter`."""
    found = set()
    for file in folder.glob("*/*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        if any(isinstance(each, ast.FunctionDef) and each.name == "handler" for each in tree.body):
            found.add(f"{file.parent.name}.{file.stem}")
    return found


def again(act: Callable[[], T], times: int = 5) -> T:
    """Do something until it does not die, as whoever gets no answer does.

    Raises:
        AssertionError: it died every time.
    """
    for _ in range(times):
        try:
            return act()
        except Crash:
            continue
    raise AssertionError("it died every time")

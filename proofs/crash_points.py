"""Crash points: a process dies in each of its calls, before and after that took effect.

Whoever delivered what it worked on does so again, as deployed; then all must be as if nothing had
happened.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from proofs.fakes.faults import NO_ANSWER, REFUSED, Crash, Death, Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from proofs.fakes.dynamodb import FakeDynamoDB

T = TypeVar("T")
CRASH = "crash"
KINDS = (CRASH, REFUSED, NO_ANSWER)


@dataclass(frozen=True)
class Batch:
    """What is representative of a process's work.

    Attributes:
        start_over: begins with fresh clouds and a new process.
        clouds: returns whose hooks all calls share.
        deliver: delivers all of it by the source's rules until it is settled, whatever dies; calls
            `started` of the clouds before each process. Without that the first death is for ever.
        check: asserts that everything is as it must be in the end.
    """

    start_over: Callable[[], object]
    clouds: Callable[[], FakeDynamoDB]
    deliver: Callable[[], object]
    check: Callable[[], None]


@dataclass(frozen=True)
class Point:
    """Where a process dies, or what it calls fails.

    Attributes:
        number: of the call, from 1.
        side: `before` it takes effect, or `after`.
        is_repeated: whether all was done before, and comes once more.
        kind: one of KINDS.
    """

    number: int
    side: str
    is_repeated: bool
    kind: str = CRASH

    def __str__(self) -> str:
        """Return it in words."""
        again = " of what was done before" if self.is_repeated else ""
        kind = "" if self.kind == CRASH else f"{self.kind} "
        return f"{kind}{self.side} call {self.number}{again}"


def points(batch: Batch, kinds: Sequence[str] = (CRASH,)) -> Iterator[Point]:
    """Run without a failure, first and again, and yield every point at which something could fail.

    A call that was refused had no effect: to die after it is to die before the next.
    """
    batch.start_over()
    clouds = batch.clouds()
    effective: set[int] = set()
    clouds.after = lambda call: effective.add(call.number)
    for is_repeated in (False, True):
        begin = len(clouds.calls)
        batch.deliver()
        end = len(clouds.calls)
        # Which may call, too.
        batch.check()
        for number in range(begin + 1, end + 1):
            for side in ("before", "after") if number in effective else ("before",):
                for kind in kinds:
                    yield Point(number - begin, side, is_repeated, kind)


def crash(batch: Batch, point: Point) -> None:
    """Die or fail at a point, let everything be delivered again, and check.

    Raises:
        AssertionError: something is not as it must be, or nothing died.
    """
    batch.start_over()
    clouds = batch.clouds()
    if point.is_repeated:
        batch.deliver()
    trouble = (
        Death(clouds, point.number, point.side)
        if point.kind == CRASH
        else Failure(clouds, point.number, point.side, point.kind)
    )
    trouble.begin()
    batch.deliver()
    trouble.end()
    assert trouble.came, f"nothing died or failed {point}"
    batch.check()


def clean_run(batch: Batch) -> dict[str, dict[str, Any]]:
    """Return the tables after a run without a failure."""
    batch.start_over()
    batch.deliver()
    return batch.clouds().tables


def entry_points(folder: Path) -> set[str]:
    """Return the modules below a folder that have a function `handler`, e.g. `pubsub.counter`."""
    found = set()
    for file in folder.glob("*/*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        if any(isinstance(each, ast.FunctionDef) and each.name == "handler" for each in tree.body):
            found.add(f"{file.parent.name}.{file.stem}")
    return found


def again(
    act: Callable[[], T],
    clouds: FakeDynamoDB,
    times: int = 5,
    is_done: Callable[[T], bool] = lambda _answer: True,
    errors: tuple[type[BaseException], ...] = (Crash,),
) -> T:
    """Do something, each time as a new process, until it ends without `errors` and is done.

    So does whoever gets no answer, or one that asks to come again.

    Raises:
        AssertionError: it died, or was not done, every time.
    """
    for _ in range(times):
        clouds.started()
        try:
            answer = act()
        except errors:
            continue
        if is_done(answer):
            return answer
    raise AssertionError("it died, or was not done, every time")

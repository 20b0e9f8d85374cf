"""Time that is pretended, and functions that run in it."""

from __future__ import annotations

import contextlib
import heapq
import io
import itertools
import json
from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

from local_cloud.delivery import FAILED, THROTTLED, Outcome
from proofs.chaos import faults
from proofs.chaos.history import History, Step
from proofs.fakes.faults import Crash
from proofs.shapes import FakeContext

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from proofs.chaos.faults import Faults

# Noon of 2026-11-21, as in the tests.
BEGINNING = 1_795_262_400.0


class Stuck(AssertionError):  # noqa: N818 - reads as the statement it is
    """Something goes on for ever, or as good as that.

    Attributes:
        event: which.
        what: it never does.
    """

    def __init__(self, event: str, what: str) -> None:
        super().__init__(f"{event}: {what}")
        self.event, self.what = event, what


@dataclass
class Schedule:
    """What is due when, by a clock that only this moves on.

    Attributes:
        now: the present, in seconds since 1970.
        limit: how many things may happen before this gives up.
    """

    now: float = BEGINNING
    limit: int = 3_000_000
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def elapsed(self) -> float:
        """Seconds from the beginning."""
        return self.now - BEGINNING

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Let something happen in so many seconds."""
        heapq.heappush(self._due, (self.now + seconds, next(self._numbers), act))

    def run(self) -> None:
        """Let everything happen that is due, and what that leads to."""
        while self._due:
            when, number, act = heapq.heappop(self._due)
            if number > self.limit:
                raise Stuck("all", f"has not come to rest after {self.limit} steps")
            # Whoever acts may have let time pass.
            self.now = max(self.now, when)
            act()


class Sink(io.StringIO):
    """Takes what is printed, and forgets it."""

    def write(self, text: str) -> int:
        """Forget a text."""
        return len(text)


@dataclass
class Machine:
    """Runs functions as Lambda does, and lets some runs fail.

    Attributes:
        generator: what decides.
        faults: what goes wrong in calls.
        schedule: the time.
        history: what is remembered.
        timeouts: seconds of each function.
        restart: lets the next invocation be the first of a new process.
        killers: events at which whatever function of theirs dies, by function.
        waiting: returns how many messages and records are given up now.
        handed: how often each function was handed each event.
    """

    generator: random.Random
    faults: Faults
    schedule: Schedule
    history: History
    timeouts: Mapping[str, float]
    restart: Callable[[], None]
    killers: dict[str, set[str]] = field(default_factory=dict)
    waiting: Callable[[], int] = lambda: 0
    handed: Counter[tuple[str, str]] = field(default_factory=Counter)

    def invoke(
        self,
        function: str,
        handler: Callable[..., Any],
        event: Mapping[str, Any],
        events: Sequence[str],
        *,
        numbers: Sequence[int] = (),
        may_throttle: bool = True,
    ) -> Outcome:
        """Run a function.

        Args:
            function: its name.
            handler: it.
            event: what it is invoked with.
            events: ids of the events in that.
            numbers: which messages or records these are, by the order in which the source got them.
            may_throttle: whether Lambda may refuse to run it.
        """
        if may_throttle and self.faults.strikes(
            faults.NOT_INVOKED, faults.NOT_INVOKED_RATE, function
        ):
            return THROTTLED
        self.history.hand_over(function, numbers)
        outcome = self._outcome(function, handler, event, events)
        self._remember(function, events)
        return outcome

    def run(self, where: str, act: Callable[[], Any]) -> tuple[Any, str | None]:
        """Run something of ours; return what it returns, and how it ended if not well.

        A process that dies is gone with all it knew, one that raises is not.
        """
        self.faults.where = where
        try:
            with contextlib.redirect_stdout(Sink()):
                return act(), None
        except Crash as death:
            self.restart()
            if isinstance(death, faults.Timeout):
                self.schedule.now += self.timeouts.get(where, 0)
                return None, "ran out of time"
            return None, "died"
        except Exception as error:  # noqa: BLE001 - Lambda takes any
            return None, f"raised {type(error).__name__}: {error}"
        finally:
            self.faults.where, self.faults.killer = None, False

    def _outcome(
        self,
        function: str,
        handler: Callable[..., Any],
        event: Mapping[str, Any],
        events: Sequence[str],
    ) -> Outcome:
        deadly = self.killers.get(function, set())
        self.faults.killer = bool(deadly) and any(each in deadly for each in events)
        is_deadly = self.faults.killer
        context = FakeContext(function_name=function)
        answer, trouble = self.run(function, lambda: handler(event, context))
        if trouble is None and is_deadly:
            self.faults.note(faults.POISON, function)
            trouble = "died"
            self.restart()
        if trouble is not None:
            self.history.note(events, self.schedule.elapsed, function, trouble)
            return FAILED
        if self.faults.strikes(faults.REPEATED, faults.REPEATED_RATE, function):
            self.history.note(events, self.schedule.elapsed, function, "done, and nobody knows")
            return FAILED
        # A real answer crosses the wire as JSON.
        return Outcome(json.loads(json.dumps(answer)))

    def _remember(self, function: str, events: Sequence[str]) -> None:
        before = sum((function, each) in self.handed for each in events)
        self.handed.update((function, each) for each in events)
        self.history.delivered[function, "first"] += len(events) - before
        self.history.delivered[function, "again"] += before
        total = sum(self.faults.counts.values())
        self.history.steps.append(Step(before > 0, total, self.waiting()))


@contextlib.contextmanager
def runtime(
    schedule: Schedule,
    clouds: Mapping[str, Any],
    variables: Mapping[str, str],
    log: io.TextIOBase,
) -> Iterator[None]:
    """Give functions their environment: variables, clouds in memory, the pretended time, no waits.

    Args:
        schedule: the time.
        clouds: what each function of `shared.clients` returns.
        variables: of all functions.
        log: where they write their logs.
    """
    import logging  # noqa: PLC0415
    import os  # noqa: PLC0415
    import warnings  # noqa: PLC0415
    from datetime import UTC, datetime  # noqa: PLC0415

    from shared import clients, times, transactions  # noqa: PLC0415

    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore", UserWarning)
        stack.enter_context(mock.patch.dict("os.environ", variables))
        for name, client in clouds.items():
            stack.enter_context(mock.patch.object(clients, name, lambda client=client: client))
        now = lambda: datetime.fromtimestamp(schedule.now, UTC)  # noqa: E731
        stack.enter_context(mock.patch.object(times, "now", now))
        logger = logging.getLogger(os.environ["POWERTOOLS_SERVICE_NAME"])
        stack.enter_context(mock.patch.object(logger, "propagate", False))
        if isinstance(log, Sink):
            # Lines that nobody reads need not be made.
            stack.enter_context(mock.patch.object(logger, "level", logging.CRITICAL))
            logger.manager._clear_cache()  # type: ignore[attr-defined]
            stack.callback(logger.manager._clear_cache)  # type: ignore[attr-defined]
        for handler in logger.handlers:
            stack.enter_context(mock.patch.object(handler, "stream", log))
            if wanted := getattr(log, "filter", None):
                handler.addFilter(wanted)
                stack.callback(handler.removeFilter, wanted)
        # No jitter, no wait.
        still = SimpleNamespace(uniform=lambda _low, _high: 0)
        stack.enter_context(mock.patch.object(transactions, "random", still))
        defaults = transactions.backoff.__kwdefaults__
        stack.enter_context(mock.patch.dict(defaults, sleep=lambda _seconds: None))
        yield

"""How many execution environments a function gets: a few, of which not all start at a time.

MiniStack starts a process for every request that finds no idle one, without a bound: thirty
requests at once to a cold function made two cores busy for seven seconds with interpreters that
start, and three hundred to a slow one are three hundred processes. Here a request waits until an
environment is free or one more may start: as many start at a time as there are cores, and a
function has at most `MOST`, so that a hundred requests wait for each other rather than for a
hundred starts. AWS scales per function too, by 1,000 every ten seconds.
https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html
read 2026-11-21.

A function that a function waits for never waits itself, for that one may have the last
environment. Whoever is first in line goes on after `PATIENCE` all the same, so that a chain that
leads through an API cannot stand still.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

from local_cloud import async_invocations
from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Callable

_LAMBDA = "ministack.services.lambda_svc"
_RUNTIME = "ministack.core.lambda_runtime"
_ACQUIRE = Hook(
    _LAMBDA,
    "acquire_worker",
    ("func_name", "config", "code_zip", "qualifier", "max_concurrency"),
)
_DEPTH = Hook(_LAMBDA, "_invoke_depth")
_KEY = Hook(_RUNTIME, "_worker_key", ("func_name", "config", "qualifier"))
_WORKERS = Hook(_RUNTIME, "_workers")
_LOCK = Hook(_RUNTIME, "_lock")
HOOKS = (_ACQUIRE, _DEPTH, _KEY, _WORKERS, _LOCK)

# A start costs as much time of a core as a dozen invocations.
MOST = 4
PATIENCE = 10.0
_LOOK_EVERY = 0.005

Acquired = tuple[Any, str]

# Who is first in a function's line looks; the others wait behind.
_lines: dict[str, threading.Lock] = {}


def allowed(existing: int, starting: int, cores: int) -> int:
    """Return how many environments a function may have now.

    Args:
        existing: How many it has.
        starting: How many start now, of all functions.
        cores: The machine's.
    """
    return existing + 1 if existing < MOST and (starting < cores or not existing) else existing


def install() -> None:
    """Put the line in front of MiniStack's pool."""
    _ACQUIRE.replace(_in_line)


def _in_line(acquire: Callable[..., Acquired]) -> Callable[..., Acquired]:
    cores = os.cpu_count() or 1

    def acquired(
        func_name: str,
        config: dict[str, Any],
        code_zip: bytes,
        qualifier: str = "$LATEST",
        max_concurrency: int | None = None,
    ) -> Acquired:
        given = (func_name, config, code_zip, qualifier)
        is_waited_for = find(_DEPTH).get() > 1 and not async_invocations.nobody_waits()
        if max_concurrency is not None or is_waited_for:
            return acquire(*given, max_concurrency)
        key = find(_KEY)(func_name, config, qualifier)
        with _lines.setdefault(key, threading.Lock()):
            until = time.monotonic() + PATIENCE
            while time.monotonic() < until:
                existing, starting = _counts(key)
                got = acquire(*given, allowed(existing, starting, cores))
                if got[0] is not None:
                    return got
                time.sleep(_LOOK_EVERY)
            return acquire(*given, None)

    return acquired


def _counts(key: str) -> tuple[int, int]:
    """Return how many environments a function has, and how many of all functions' start."""
    with find(_LOCK):
        workers = find(_WORKERS)
        found = [worker for entries in workers.values() for worker in entries]
        starting = [worker for worker in found if worker.in_use and worker._start_time is None]
        return len(workers.get(key, ())), len(starting)

"""Sends requests from several threads for a while, and says how that went."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import urllib3

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from odyssey_cli.flows.http import Answer


@dataclass
class Report:
    """What was sent and what came back.

    Attributes:
        accepted: requests that were answered with the expected status.
        failures: what came back instead, and how often.
        latencies: seconds of each answered request, in no order.
        seconds: from the first request to the last answer.
    """

    accepted: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def failed(self) -> int:
        """Requests without the expected answer."""
        return self.failures.total()

    @property
    def sent(self) -> int:
        """All requests."""
        return self.accepted + self.failed

    @property
    def rate(self) -> float:
        """Accepted requests per second."""
        return self.accepted / self.seconds if self.seconds else 0.0

    def percentile(self, percent: int) -> float:
        """Return the latency, in seconds, that `percent` of the answers did not exceed."""
        return nearest_rank(self.latencies, percent)


def nearest_rank(values: Sequence[float], percent: int) -> float:
    """Return the smallest value that at least `percent` of `values` do not exceed; 0 for none."""
    if not values:
        return 0.0
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def run(
    send: Callable[[int], Answer],
    *,
    expected: int,
    concurrency: int,
    requests: int | None = None,
    seconds: float | None = None,
    progress: Callable[[Report], None] | None = None,
) -> Report:
    """Call `send` with 0, 1, 2, … from `concurrency` threads until enough were sent.

    Args:
        send: sends one request.
        expected: the status that counts as accepted.
        concurrency: how many are under way at once.
        requests: stop after so many; None for no such limit.
        seconds: stop starting new ones after so long; None for no such limit.
        progress: called every quarter of a second with what is known so far.

    Ctrl-C stops early: the report then covers what was sent until then.
    """
    report = Report()
    numbers = count()
    lock = threading.Lock()
    stop = threading.Event()
    started = time.perf_counter()

    def work() -> None:
        while not stop.is_set():
            with lock:
                number = next(numbers)
            if requests is not None and number >= requests:
                return
            if seconds is not None and time.perf_counter() - started >= seconds:
                return
            begun = time.perf_counter()
            try:
                answer = send(number)
                failure = None if answer.status == expected else f"status {answer.status}"
            except urllib3.exceptions.HTTPError as error:
                failure = type(error).__name__
            taken = time.perf_counter() - begun
            with lock:
                report.latencies.append(taken)
                if failure is None:
                    report.accepted += 1
                else:
                    report.failures[failure] += 1

    with ThreadPoolExecutor(concurrency) as pool:
        workers = [pool.submit(work) for _ in range(concurrency)]
        try:
            while not all(worker.done() for worker in workers):
                time.sleep(0.25 if progress else 0.02)
                report.seconds = time.perf_counter() - started
                if progress:
                    progress(report)
        except KeyboardInterrupt:
            stop.set()
    for worker in workers:
        worker.result()  # a defect in `send` must not pass for a quiet run
    report.seconds = time.perf_counter() - started
    return report

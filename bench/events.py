"""Rows `calls` and `cost`: what events ask of AWS, and what that costs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from bench import cost, load
from bench.figures import RATIO, Row
from bench.load import Counts, Job
from bench.prices import DATE, REGION
from bench.processes import project_environment, run
from odyssey_cli import paths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.template import Template

GROUPS = 10
LOADS = (1_000, 10_000, 100_000)
# Events that come one at a time: a batch for each.
TRICKLE = 100
CALLS_BUDGET, LINEARITY_BUDGET = 15, 1.1


@dataclass(frozen=True)
class Measured:
    """Counts of all loads.

    Attributes:
        producer: of the requests that were fed to it.
        loads: the aggregator's, by number of events.
        trickle: the aggregator's, each event in a batch of its own.
        batch_size: of the event source mapping.
        access_log_bytes: of one request.
        memory: of producer and aggregator, in GB.
    """

    producer: Counts
    loads: dict[int, Counts]
    trickle: Counts
    batch_size: int
    access_log_bytes: int
    memory: tuple[float, float]

    def usage(self, events: int) -> cost.Usage:
        """Return what a load is billed."""
        return self._usage(self.loads[events])

    def usage_of_trickle(self) -> cost.Usage:
        """Return what events that come one at a time are billed."""
        return self._usage(self.trickle)

    def _usage(self, counts: Counts) -> cost.Usage:
        return cost.usage(
            self.producer,
            counts,
            access_log_bytes=self.access_log_bytes,
            memory=self.memory,
        )


def batches(events: int, size: int) -> list[int]:
    """Return the sizes of the full batches of `events`, and of the rest."""
    full, rest = divmod(events, size)
    return [size] * full + ([rest] if rest else [])


def measure(template: Template) -> Measured:
    """Feed all loads, in a process of its own (some seconds)."""
    size = template.batch_size(load.AGGREGATOR)
    job = Job(
        environment=template.environment(load.PRODUCER) | template.environment(load.AGGREGATOR),
        indexes=template.indexes(),
        batches=[*(batches(events, size) for events in LOADS), [1] * TRICKLE],
        groups=GROUPS,
    )
    _, output = run(
        [sys.executable, "-P", "-m", "bench.load"],
        cwd=paths.ROOT, environment=project_environment(), stdin=json.dumps(asdict(job)),
    )  # fmt: skip
    producer, loads = json.loads(output)
    counts = [Counts(**each) for each in loads]
    return Measured(
        producer=Counts(**producer),
        loads=dict(zip(LOADS, counts, strict=False)),
        trickle=counts[-1],
        batch_size=size,
        access_log_bytes=template.access_log_bytes(),
        memory=(template.memory(load.PRODUCER), template.memory(load.AGGREGATOR)),
    )


def call_rows(measured: Measured) -> Iterator[Row]:
    """Return how many AWS calls the functions make."""
    counts = measured.loads[LOADS[0]]
    yield Row(
        row="AWS calls per 1,000 events, aggregator",
        figure=sum(counts.calls.values()) * 1_000 / counts.events,
        unit="calls",
        budget=CALLS_BUDGET,
        measured=_list(counts.calls),
        detail=f"{GROUPS} groups, full batches of {measured.batch_size:,}, as the event source "
        "mapping says; counted in boto3's own client",
    )
    producer = measured.producer
    yield Row(
        row="AWS calls per event, producer",
        figure=sum(producer.calls.values()) / producer.events,
        unit="calls",
        measured=_list(producer.calls),
        other=f"{producer.events:,} requests",
    )


def cost_rows(measured: Measured) -> Iterator[Row]:
    """Return what events cost, and how that grows."""
    smallest, largest = LOADS[0], LOADS[-1]
    each = {events: measured.usage(events).usd() / events for events in LOADS}
    yield Row(
        row=f"cost per event, {largest:,} ÷ {smallest:,}",
        figure=each[largest] / each[smallest],
        unit=RATIO,
        budget=LINEARITY_BUDGET,
        measured=_million(each[largest]),
        other=_million(each[smallest]),
        detail=f"USD for a million at either load, full batches, prices of {DATE} in {REGION}. "
        f"Assumed: {cost.ASSUMPTIONS}",
    )
    for events in LOADS:
        usage = measured.usage(events)
        yield Row(
            row=f"cost of {events:,} events",
            figure=usage.usd(),
            unit="USD",
            measured=f"{usage.usd():.4f} USD",
            other=f"{_million(each[events])} a million",
            detail=_shares(usage),
        )
    trickle = measured.usage_of_trickle().usd() / TRICKLE
    yield Row(
        row="cost of a million events, one at a time",
        figure=trickle * 1e6,
        unit="USD",
        measured=_million(trickle),
        other=f"{_million(each[largest])} in full batches",
        detail="the worst case, a batch for each: events so far apart that the batching "
        "window holds one",
    )
    yield from _exactly_once(measured)
    metrics = sorted({*measured.producer.metrics, *measured.loads[largest].metrics})
    yield Row(
        row="custom metrics, an hour with events",
        figure=cost.metrics_usd_an_hour(len(metrics)),
        unit="USD",
        measured=f"{len(metrics)} metrics",
        detail=f"{', '.join(metrics)}; not in the cost of events, because it does not depend on "
        "their number; the first ten metrics of an account are free",
    )


def _exactly_once(measured: Measured) -> Iterator[Row]:
    for name, counts in (
        ("full batches", measured.loads[LOADS[-1]]),
        ("one at a time", measured.trickle),
    ):
        compared = cost.exactly_once(
            counts, groups=min(GROUPS, counts.events // counts.invocations)
        )
        yield Row(
            row=f"write units per event, {name}",
            figure=compared.ours,
            unit="WRU",
            measured=f"{compared.ours:.2f}, {compared.markers:.2f} of it markers",
            other=f"{compared.per_batch:.2f} plain, per group of a batch; "
            f"{compared.per_event:.2f} per event",
            detail=f"what exactly once costs: {compared.usd_per_million():.2f} USD more a million "
            "events than one ADD per group of a batch, which counts a redelivered batch twice",
        )


def _million(usd: float) -> str:
    return f"{usd * 1e6:.2f} USD"


def _list(counts: dict[str, int] | dict[str, float]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def _shares(usage: cost.Usage) -> str:
    lines = sorted(usage.lines().items(), key=lambda line: -line[1])
    total = usage.usd()
    return ", ".join(f"{name} {usd / total:.0%}" for name, usd in lines if usd)

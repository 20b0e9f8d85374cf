"""Rows `calls` and `cost` of Discovery: what an item asks of AWS, and what that costs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from bench import cost, discovery_load
from bench.discovery_load import Counted, Job
from bench.events import LOADS, batches
from bench.figures import Row
from bench.prices import DATE, REGION
from bench.processes import project_environment, run
from odyssey_cli import paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench.discovery_load import Counts
    from bench.template import Template

# What is counted is the same for every batch; moto takes a second for each.
ITEMS, TRICKLE = 100, 10
BUDGETS = {"submit": 2_100, "updater": 1_200, "listener": 1_350}
# An event source mapping receives a batch and deletes it, in a call each; how many calls Lambda
# makes is written nowhere.
MAPPING_CALLS = 2

# "Running batch operations with PartiQL for DynamoDB", 2026-11-21, for the last of it.
_CONDITIONS = (
    "which BatchWriteItem cannot be; a transaction takes several at twice the write units and "
    "fails as a whole, PartiQL's BatchExecuteStatement takes 25, each failing for itself"
)
_BATCHED = {
    "submit": "announcements go ten to a SendMessageBatch. One by one: PutObject, of which S3 has "
    f"no batch, and PutItem, conditional so that nothing is overwritten, {_CONDITIONS}",
    "updater": "announcements go ten to a SendMessageBatch. One by one: UpdateItem, conditional on "
    f"the announced version, {_CONDITIONS}. Lambda's own receives and deletes are not in it, but "
    "in the cost",
    "listener": "ten messages are received, read from the table and deleted in a call each. One "
    "by one: GetObject, of which S3 has no batch. Receives that return nothing are not in it: "
    "{empty} here; on AWS one every 20 s of waiting",
}

# What is billed per request, by operation, and what DynamoDB bills in units instead.
_PRICES = {
    "SendMessageBatch": "queue",
    "ReceiveMessage": "queue",
    "DeleteMessageBatch": "queue",
    "ChangeMessageVisibilityBatch": "queue",
    "PutObject": "s3_put",
    "GetObject": "s3_get",
}
_IN_UNITS = {"PutItem", "UpdateItem", "BatchGetItem"}


@dataclass(frozen=True)
class Measured:
    """The counts of items that come in full batches and of items that come one at a time.

    Attributes:
        full: of full batches.
        trickle: of one at a time.
        memory: of the updater, in GB.
    """

    full: Counted
    trickle: Counted
    memory: float


def measure(template: Template) -> Measured:
    """Send both loads, in a process of its own (some seconds)."""
    job = Job(
        environment=template.environment(discovery_load.UPDATER),
        loads=[batches(ITEMS, template.batch_size(discovery_load.UPDATER)), [1] * TRICKLE],
    )
    _, output = run(
        [sys.executable, "-P", "-m", "bench.discovery_load"],
        cwd=paths.ROOT, environment=project_environment(), stdin=json.dumps(asdict(job)),
    )  # fmt: skip
    full, trickle = (Counted.read(each) for each in json.loads(output))
    return Measured(full, trickle, template.memory(discovery_load.UPDATER))


def call_rows(measured: Measured) -> Iterator[Row]:
    """Return how many AWS calls script, updater and listener make."""
    for name, budget in BUDGETS.items():
        full: Counts = getattr(measured.full, name)
        trickle: Counts = getattr(measured.trickle, name)
        calls = {each: count * 1_000 / full.items for each, count in full.calls.items()}
        how = _BATCHED[name].format(empty=full.empty_receives)
        yield Row(
            row=f"AWS calls per 1,000 items, {name}",
            figure=sum(calls.values()),
            unit="calls",
            budget=budget,
            measured=", ".join(f"{count:,.0f} {each}" for each, count in calls.items()),
            other=f"{sum(trickle.calls.values()) * 1_000 / trickle.items:,.0f} one at a time",
            detail=f"{full.items} items in full batches of ten, counted in boto3's own client; "
            f"{how}",
        )


def usage(counted: Counted, items: int, *, memory: float) -> cost.Usage:
    """Return the billed units of so many items, stored for a month.

    Args:
        counted: of any number of items.
        items: to be billed.
        memory: of the updater, in GB.

    Raises:
        LookupError: a call was made that has no price here.
    """
    updater = counted.updater
    parts = (counted.submit, updater, counted.listener)
    requests = dict.fromkeys(_PRICES.values(), 0)
    for counts in parts:
        for name, count in counts.calls.items():
            if name in _PRICES:
                requests[_PRICES[name]] += count
            elif name not in _IN_UNITS:
                raise LookupError(f"No price is known for {name}.")
    requests["queue"] += MAPPING_CALLS * updater.invocations
    seconds = (
        sum(updater.calls.values()) * cost.CALL_SECONDS
        + updater.items * cost.RECORD_SECONDS
        + updater.invocations * cost.COLD_SHARE * cost.COLD_SECONDS
    )
    units = requests | {
        "lambda": updater.invocations,
        "compute": seconds * memory,
        "write": sum(each.write_units for each in parts),
        "read": sum(each.read_units for each in parts),
        "stored": counted.submit.item_bytes + counted.submit.items * cost.ITEM_OVERHEAD,
        "s3_stored": counted.submit.object_bytes,
        "logs": updater.log_bytes + updater.invocations * cost.PLATFORM_LOG_BYTES,
        "trace": updater.invocations,
    }
    scale = items / updater.items
    return cost.Usage({name: count * scale for name, count in units.items()})


def cost_rows(measured: Measured) -> Iterator[Row]:
    """Return what items cost, in full batches and one at a time."""
    for items in LOADS:
        of_load = usage(measured.full, items, memory=measured.memory)
        yield Row(
            row=f"cost of {items:,} items",
            figure=of_load.usd(),
            unit="USD",
            measured=f"{of_load.usd():.4f} USD",
            other=f"{of_load.usd() * 1e6 / items:.2f} USD a million",
            detail=f"full batches of ten, stored for a month: {_percent(of_load.shares())}; "
            f"prices of {DATE} in {REGION}, calls, units and bytes as counted for "
            f"{measured.full.submit.items} items, each as much as any other. Assumed: as for "
            "events",
        )
    trickle = usage(measured.trickle, 1_000_000, memory=measured.memory)
    full = usage(measured.full, 1_000_000, memory=measured.memory)
    yield Row(
        row="cost of a million items, one at a time",
        figure=trickle.usd(),
        unit="USD",
        measured=f"{trickle.usd():.2f} USD",
        other=f"{full.usd():.2f} USD in full batches",
        detail=f"the worst case, every message alone in its batch: {_percent(trickle.shares())}",
    )
    metrics = measured.full.updater.metrics
    yield Row(
        row="custom metrics, an hour with items",
        figure=cost.metrics_usd_an_hour(len(metrics)),
        unit="USD",
        measured=f"{len(metrics)} metrics",
        detail=f"{', '.join(metrics)}; not in the cost of items, because it does not depend on "
        "their number; the first ten metrics of an account are free",
    )


def _percent(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{service} {share:.0%}" for service, share in shares.items())

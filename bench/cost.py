"""What events cost, from counted calls and the price table.

Counted: AWS calls, DynamoDB request units, bytes of logs. Assumed, and said wherever a figure
is shown: how long functions run on AWS, how many requests X-Ray samples, and what Lambda itself
writes into the log.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.prices import HOURS_A_MONTH, PRICES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.load import Counts

# Durations are assumptions: what is measured on this machine is not AWS's. DynamoDB promises
# "consistent single-digit millisecond performance" (Amazon DynamoDB, What is Amazon DynamoDB?);
# a transaction of a hundred actions takes several times as long.
CALL_SECONDS = 0.010
TRANSACTION_SECONDS = 0.050
# Own work at 512 MiB, which is 0.29 vCPU ("Configure Lambda function memory": 1,769 MB are one).
REQUEST_SECONDS = 0.005
RECORD_SECONDS = 0.0002
# "INITs (cold starts) typically occur in under 1% of invocations" ("AWS Lambda standardizes
# billing for INIT Phase", AWS Compute Blog, 2025); their length is our guess.
COLD_SHARE, COLD_SECONDS = 0.01, 0.8
# X-Ray's default rule: one request each second and five of a hundred others ("Configuring
# sampling rules"). At the dev stage's throttle, 100 requests a second.
REQUESTS_A_SECOND = 100
SAMPLED = (1 + 0.05 * (REQUESTS_A_SECOND - 1)) / REQUESTS_A_SECOND
# platform.start and platform.report in JSON; their lengths are our guess.
PLATFORM_LOG_BYTES = 600
# DynamoDB adds this to every stored item ("DynamoDB item sizes and formats").
ITEM_OVERHEAD = 100

ASSUMPTIONS = (
    f"{CALL_SECONDS * 1000:.0f} ms an AWS call, {TRANSACTION_SECONDS * 1000:.0f} ms a transaction, "
    f"{REQUEST_SECONDS * 1000:.0f} ms a request and {RECORD_SECONDS * 1000:.1f} ms a record of "
    f"own work, a cold start of {COLD_SECONDS} s in {COLD_SHARE:.0%} of the invocations; "
    f"{SAMPLED:.1%} of the requests and every batch traced; {PLATFORM_LOG_BYTES} bytes of Lambda's "
    "own log lines an invocation"
)


@dataclass(frozen=True)
class Usage:
    """Billed units, by name of the price."""

    units: Mapping[str, float]

    def lines(self) -> dict[str, float]:
        """Return what each kind of unit costs, in USD, the free tiers not deducted."""
        return {name: PRICES[name].of(units) for name, units in self.units.items()}

    def usd(self) -> float:
        """Return what all units cost."""
        return sum(self.lines().values())

    def shares(self) -> dict[str, float]:
        """Return each service's share of what all units cost, the largest first."""
        found: Counter[str] = Counter()
        for name, usd in self.lines().items():
            found[PRICES[name].service] += usd  # type: ignore[assignment]
        return {service: usd / self.usd() for service, usd in found.most_common()}


def usage(
    producer: Counts, aggregator: Counts, *, access_log_bytes: int, memory: tuple[float, float]
) -> Usage:
    """Return the billed units of a load.

    Each request invokes the producer for itself, so its counts are scaled to the load; the
    aggregator's are the load's own.

    Args:
        producer: the producer's counts, of any number of events.
        aggregator: the aggregator's counts of the load.
        access_log_bytes: of one request.
        memory: of producer and aggregator, in GB.
    """
    events = aggregator.events
    scale = events / producer.events
    calls = sum(producer.calls.values()) * scale
    transactions = aggregator.calls.get("TransactWriteItems", 0)
    others = sum(aggregator.calls.values()) - transactions
    invocations = events + aggregator.invocations
    cold = COLD_SHARE * COLD_SECONDS
    producing = calls * CALL_SECONDS + events * (REQUEST_SECONDS + cold)
    aggregating = (
        transactions * TRANSACTION_SECONDS
        + others * CALL_SECONDS
        + events * RECORD_SECONDS
        + aggregator.invocations * cold
    )
    written = sum(producer.stored.values()) * scale + sum(aggregator.stored.values())
    items = 2 * events  # the event and its marker
    return Usage(
        {
            "api": events,
            "lambda": invocations,
            "compute": producing * memory[0] + aggregating * memory[1],
            "write": sum(producer.writes.values()) * scale + sum(aggregator.writes.values()),
            "read": sum(producer.reads.values()) * scale + sum(aggregator.reads.values()),
            "stored": written + items * ITEM_OVERHEAD,
            "logs": producer.log_bytes * scale
            + aggregator.log_bytes
            + events * access_log_bytes
            + invocations * PLATFORM_LOG_BYTES,
            "trace": events * SAMPLED + aggregator.invocations,
            "stream": aggregator.invocations,
        }
    )


@dataclass(frozen=True)
class ExactlyOnce:
    """Write units per event of counting once for ever, against counting plainly.

    Attributes:
        ours: markers and summaries in transactions, the index included.
        markers: the markers' part of it.
        per_event: one ADD for each event, and its index entry moved.
        per_batch: one ADD for each group of a batch, and its index entry moved.
    """

    ours: float
    markers: float
    per_event: float
    per_batch: float

    def usd_per_million(self) -> float:
        """Return what a million events cost more than counted plainly, in USD."""
        return PRICES["write"].of((self.ours - self.per_batch) * 1e6)


def exactly_once(aggregator: Counts, *, groups: int) -> ExactlyOnce:
    """Compare the write units of a load with what plain counting would take."""
    # An update and its index entry's delete and put, all below 1 KB.
    add = 3
    markers = sum(
        units
        for table, units in aggregator.writes.items()
        if table in aggregator.stored and not table.endswith(" index")
    )
    return ExactlyOnce(
        ours=sum(aggregator.writes.values()) / aggregator.events,
        markers=markers / aggregator.events,
        per_event=add,
        per_batch=add * groups * aggregator.invocations / aggregator.events,
    )


def metrics_usd_an_hour(metrics: int) -> float:
    """Return what custom metrics cost in an hour in which they are sent."""
    return PRICES["metric"].of(metrics) / HOURS_A_MONTH

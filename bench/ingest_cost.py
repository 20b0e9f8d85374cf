"""Rows `cost` of the intake and its consumer, from what was counted and the price table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import cost
from bench.events import LINEARITY_BUDGET
from bench.figures import RATIO, Row
from bench.ingest import FUNCTIONS
from bench.prices import DATE, PRICES, REGION
from consumer.tables import MARKER_DAYS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench.ingest import Measured
    from bench.ingest_load import Fed
    from bench.load import Counts

MILLION = 1_000_000
DAYS_A_MONTH = 30
# An event source mapping receives and deletes up to ten messages in a call each; how many calls
# Lambda makes is written nowhere.
MAPPING_CALLS, MESSAGES_A_CALL = 2, 10
# With dynamic partitioning: a buffer for each of the four types, written after 60 seconds, because
# a hundred events a second do not fill 64 MiB.
TYPES, BUFFER_SECONDS = 4, 60

# What is billed per call, by operation; what is billed in other units instead.
_PRICES = {"transformer": {"SendMessageBatch": "fifo_queue"}}
_IN_UNITS = {"TransactWriteItems", "BatchGetItem", "PutEvents"}


def ingest_usage(fed: Fed, measured: Measured, *, events: int) -> cost.Usage:
    """Return what the intake is billed for so many events, kept for a month.

    Raises:
        LookupError: a call was made that has no price here.
    """
    functions = {name: getattr(fed, name) for name in ("transformer", "storer", "emitter")}
    units = _functions(functions, measured)
    units["fifo_queue"] += MAPPING_CALLS * fed.storer.invocations
    units |= {
        "firehose": fed.lake.billed,
        "s3_put": fed.lake.objects,
        "s3_stored": fed.lake.zipped,
        "stored": sum(fed.storer.stored.values()) + fed.events * cost.ITEM_OVERHEAD,
        "stream": fed.emitter.invocations,
        "bus": fed.events,
        "archive": fed.bus_bytes,
        "archived": fed.bus_bytes * measured.archive_days / DAYS_A_MONTH,
    }
    return _scaled(units, events / fed.events)


def consumer_usage(fed: Fed, measured: Measured, *, events: int) -> cost.Usage:
    """Return what the consumer is billed for so many events, their markers kept till they expire.

    Raises:
        LookupError: a call was made that has no price here.
    """
    responder = fed.responder
    units = _functions({"responder": responder}, measured)
    batch = responder.events / responder.invocations
    calls = MAPPING_CALLS * -(-batch // MESSAGES_A_CALL) * responder.invocations
    markers = responder.stored[measured.markers] + fed.events * cost.ITEM_OVERHEAD
    states = sum(responder.stored.values()) - responder.stored[measured.markers]
    units |= {
        # The bus sends each event for itself.
        "queue": fed.events + calls,
        "stored": markers * MARKER_DAYS / DAYS_A_MONTH + states,
    }
    return _scaled(units, events / fed.events)


def _functions(functions: Mapping[str, Counts], measured: Measured) -> dict[str, float]:
    """Return what all functions of a stack are billed alike."""
    units: dict[str, float] = dict.fromkeys(("compute", "lambda", "trace", "logs"), 0)
    units |= {"write": 0, "read": 0}
    for name, counts in functions.items():
        for operation, count in counts.calls.items():
            price = _PRICES.get(name, {}).get(operation)
            if price:
                units[price] = units.get(price, 0) + count
            elif operation not in _IN_UNITS:
                raise LookupError(f"No price is known for {operation}.")
        units["compute"] += _seconds(counts) * measured.memory[name]
        units["lambda"] += counts.invocations
        units["trace"] += counts.invocations
        units["logs"] += counts.log_bytes + counts.invocations * cost.PLATFORM_LOG_BYTES
        units["write"] += sum(counts.writes.values())
        units["read"] += sum(counts.reads.values())
    return units


def _seconds(counts: Counts) -> float:
    transactions = counts.calls.get("TransactWriteItems", 0)
    others = sum(counts.calls.values()) - transactions
    return (
        transactions * cost.TRANSACTION_SECONDS
        + others * cost.CALL_SECONDS
        + counts.events * cost.RECORD_SECONDS
        + counts.invocations * cost.COLD_SHARE * cost.COLD_SECONDS
    )


def _scaled(units: Mapping[str, float], scale: float) -> cost.Usage:
    return cost.Usage({name: count * scale for name, count in units.items()})


def both(fed: Fed, measured: Measured, *, events: int) -> cost.Usage:
    """Return what both stacks are billed for so many events."""
    ingest = ingest_usage(fed, measured, events=events).units
    consumer = consumer_usage(fed, measured, events=events).units
    return cost.Usage(
        {name: ingest.get(name, 0) + consumer.get(name, 0) for name in {**ingest, **consumer}}
    )


def cost_rows(measured: Measured) -> Iterator[Row]:
    """Return what events cost that go through both stacks, and how that grows."""
    smallest, largest = min(measured.loads), max(measured.loads)
    each = {
        events: both(fed, measured, events=MILLION).usd() for events, fed in measured.loads.items()
    }
    yield Row(
        row=f"cost per ingested event, {largest:,} ÷ {smallest:,}",
        figure=each[largest] / each[smallest],
        unit=RATIO,
        budget=LINEARITY_BUDGET,
        measured=f"{each[largest]:.2f} USD",
        other=f"{each[smallest]:.2f} USD",
        detail=f"USD for a million at either load, both stacks, full batches, prices of {DATE} in "
        f"{REGION}; each load is counted. Assumed: as for events",
    )
    fed = measured.loads[largest]
    yield from _million(fed, measured)
    alone = both(measured.trickle, measured, events=MILLION)
    yield Row(
        row="cost of a million ingested events, one at a time",
        figure=alone.usd(),
        unit="USD",
        measured=f"{alone.usd():.2f} USD",
        other=f"{each[largest]:.2f} USD in full batches",
        detail=f"the worst case, each alone in every batch and object: {_percent(alone)}",
    )
    yield _writes(fed, measured)
    yield from _options(fed)
    metrics = sorted({name for each in FUNCTIONS for name in getattr(fed, each).metrics})
    yield Row(
        row="custom metrics, an hour with ingested events",
        figure=cost.metrics_usd_an_hour(len(metrics)),
        unit="USD",
        measured=f"{len(metrics)} metrics",
        detail=f"{', '.join(metrics)}; not in the cost of events, because it does not depend on "
        "their number; the first ten metrics of an account are free",
    )


def _million(fed: Fed, measured: Measured) -> Iterator[Row]:
    for name, usage, how in (
        (
            "Ingest",
            ingest_usage(fed, measured, events=MILLION),
            f"kept for a month in lake and table, for {measured.archive_days} days in the archive; "
            f"{cost.REQUESTS_A_SECOND} a second fill an object in less than a minute",
        ),
        (
            "Consumer",
            consumer_usage(fed, measured, events=MILLION),
            f"markers kept for {MARKER_DAYS} days; the API is not in it, which nobody has to ask",
        ),
    ):
        lines = sorted(usage.lines().items(), key=lambda line: -line[1])
        yield Row(
            row=f"cost of a million ingested events, {name}",
            figure=usage.usd(),
            unit="USD",
            measured=f"{usage.usd():.2f} USD",
            other=_percent(usage),
            detail=f"{', '.join(f'{PRICES[line].unit}: {usd:.3f}' for line, usd in lines if usd)}; "
            f"full batches as counted for {fed.events:,} events; {how}",
        )


def _writes(fed: Fed, measured: Measured) -> Row:
    parts = {"stored": sum(fed.storer.writes.values()), "markers": 0.0, "states and totals": 0.0}
    for table, units in fed.responder.writes.items():
        parts["markers" if table == measured.markers else "states and totals"] += units
    each = {name: units / fed.events for name, units in parts.items()}
    return Row(
        row="write units per ingested event",
        figure=sum(each.values()),
        unit="WRU",
        measured=", ".join(f"{units:.2f} {name}" for name, units in each.items()),
        other=f"{each['stored'] / 2:.2f} if stored without a transaction",
        detail="all in transactions, which bill every item twice: the event, which needs no marker "
        "because its key is its own; the consumer's marker of it; a state for each entity and a "
        "total for each type of a transaction",
    )


def _options(fed: Fed) -> Iterator[Row]:
    scale = MILLION / fed.events
    objects = TYPES * MILLION / cost.REQUESTS_A_SECOND / BUFFER_SECONDS
    partitions = {
        "bytes": PRICES["partition"].of(fed.lake.lines * scale),
        "objects": PRICES["partition_object"].of(objects),
        "their PUTs": PRICES["s3_put"].of(objects - fed.lake.objects * scale),
    }
    copies = {
        "transfer": PRICES["transfer"].of(fed.lake.zipped * scale),
        "PUTs": PRICES["s3_put"].of(fed.lake.objects * scale),
        "a month's storage": PRICES["s3_stored"].of(fed.lake.zipped * scale),
    }
    for name, parts, how in (
        (
            "dynamic partitioning",
            partitions,
            f"{TYPES} types, an object of each every {BUFFER_SECONDS} s at "
            f"{cost.REQUESTS_A_SECOND} events a second; that bytes are counted before they are "
            "compressed is what we take from the price list",
        ),
        (
            "replication",
            copies,
            "to another region, priced as this one; without the requests to KMS, of which there "
            "are two for an object",
        ),
    ):
        yield Row(
            row=f"{name}, added to a million ingested events",
            figure=sum(parts.values()),
            unit="USD",
            measured=", ".join(f"{usd:.4f} {part}" for part, usd in parts.items()),
            detail=f"an option, off by default: {how}",
        )


def _percent(usage: cost.Usage) -> str:
    return ", ".join(f"{service} {share:.0%}" for service, share in usage.shares().items())

"""Rows `calls` and `cost` of the word counter: what a message asks of AWS, and what that costs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from bench import cost, pubsub_load
from bench.figures import Row
from bench.prices import DATE, REGION
from bench.processes import project_environment, run
from bench.pubsub_load import Job, Said
from odyssey_cli import paths
from pubsub.counting import MARKER_DAYS
from pubsub.credentials import MAX_AGE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench.load import Counts
    from bench.template import Template

# Different words in a message, and the most AWS calls it may take.
BUDGETS = {10: 4, 100: 6}
# What is counted is the same for every message.
MESSAGES = 50
FUNCTIONS = {
    "counter": pubsub_load.COUNTER,
    "multiplier": pubsub_load.MULTIPLIER,
    "logger": pubsub_load.LOGGER,
}
DAYS_A_MONTH = 30
# SNS asks KMS twice per publishing role and key, and keeps a key for five minutes ("Amazon SNS key
# management: estimating AWS KMS costs").
KEY_SECONDS, KEY_REQUESTS = 300, 2

# What is billed per call, by operation; what DynamoDB bills in units instead.
_PRICES = {"Publish": "publish", "GetSecretValue": "secret_read"}
_IN_UNITS = {"TransactWriteItems", "BatchGetItem"}


@dataclass(frozen=True)
class Measured:
    """The counts of loads whose messages have different numbers of words.

    Attributes:
        said: what each load asked of AWS.
        access_log_bytes: of one request.
        memory: of each function, in GB, by its name in `FUNCTIONS`.
    """

    said: list[Said]
    access_log_bytes: int
    memory: Mapping[str, float]


@dataclass(frozen=True)
class Pace:
    """How fast messages come, on which a part of the price depends.

    Attributes:
        is_busy: whether `cost.REQUESTS_A_SECOND` come all the time; otherwise each is alone, and
            finds nothing that was kept for it.
    """

    is_busy: bool

    @property
    def traced(self) -> float:
        """The part of the invocations that X-Ray samples."""
        return cost.SAMPLED if self.is_busy else 1

    @property
    def cold(self) -> float:
        """The part of the invocations that starts cold."""
        return cost.COLD_SHARE if self.is_busy else 1

    @property
    def key_requests(self) -> float:
        """The requests to KMS for a message."""
        together = cost.REQUESTS_A_SECOND * KEY_SECONDS if self.is_busy else 1
        return KEY_REQUESTS / together

    def secret_reads(self, seconds: float) -> float:
        """Return the reads of a secret for a message on which the counter works so long.

        A process that is always busy asks once in the time for which it remembers.
        """
        return seconds / MAX_AGE_SECONDS if self.is_busy else 1


BUSY, ALONE = Pace(is_busy=True), Pace(is_busy=False)


def measure(template: Template) -> Measured:
    """Say all loads, in a process of its own (some seconds)."""
    job = Job(
        environment={
            name: value
            for module in FUNCTIONS.values()
            for name, value in template.environment(module).items()
        },
        indexes=template.indexes(),
        words=list(BUDGETS),
        messages=MESSAGES,
    )
    _, output = run(
        [sys.executable, "-P", "-m", "bench.pubsub_load"],
        cwd=paths.ROOT, environment=project_environment(), stdin=json.dumps(asdict(job)),
    )  # fmt: skip
    return Measured(
        said=[Said.read(each) for each in json.loads(output)],
        access_log_bytes=template.access_log_bytes(),
        memory={name: template.memory(module) for name, module in FUNCTIONS.items()},
    )


def call_rows(measured: Measured) -> Iterator[Row]:
    """Return how many AWS calls a message takes until all three functions have done their part."""
    for said in measured.said:
        calls = {
            name: {operation: count / counts.events for operation, count in counts.calls.items()}
            for name, counts in _functions(said)
        }
        yield Row(
            row=f"AWS calls per message of {said.words} words",
            figure=sum(sum(each.values()) for each in calls.values()),
            unit="calls",
            budget=BUDGETS.get(said.words),
            measured="; ".join(f"{name}: {_list(each)}" for name, each in calls.items()),
            detail=f"{said.counter.events} slash commands, all words different and known, counted "
            "in boto3's own client. What SNS, Lambda and CloudWatch do by themselves is not in "
            f"it, nor is {said.secret_reads} GetSecretValue in {MAX_AGE_SECONDS} seconds by each "
            "running process of the counter",
        )


def usage(said: Said, measured: Measured, *, messages: int, pace: Pace = BUSY) -> cost.Usage:
    """Return the billed units of so many messages, their markers kept until they expire.

    Args:
        said: the counts of any number of messages.
        measured: for what does not depend on the words.
        messages: to be billed.
        pace: at which they come.

    Raises:
        LookupError: a call was made that has no price here.
    """
    units: dict[str, float] = dict.fromkeys([*_PRICES.values(), "write", "read", "compute"], 0)
    markers = stored = log_bytes = 0.0
    for name, counts in _functions(said):
        each = 1 / counts.events
        for operation, count in counts.calls.items():
            if operation in _PRICES:
                units[_PRICES[operation]] += count * each
            elif operation not in _IN_UNITS:
                raise LookupError(f"No price is known for {operation}.")
        units["write"] += sum(counts.writes.values()) * each
        units["read"] += sum(counts.reads.values()) * each
        worked = seconds(counts, words=said.words)
        units["compute"] += (worked + pace.cold * cost.COLD_SECONDS) * measured.memory[name]
        # A transaction has one marker.
        markers += counts.calls.get("TransactWriteItems", 0) * each
        stored += sum(counts.stored.values()) * each
        log_bytes += counts.log_bytes * each
    units["secret_read"] += pace.secret_reads(seconds(said.counter, words=said.words))
    return cost.Usage(
        {
            name: count * messages
            for name, count in {
                **units,
                "http_api": 1,
                "lambda": len(FUNCTIONS),
                "deliver": len(FUNCTIONS) - 1,
                "stored": (stored + markers * cost.ITEM_OVERHEAD) * MARKER_DAYS / DAYS_A_MONTH,
                "logs": log_bytes
                + measured.access_log_bytes
                + len(FUNCTIONS) * cost.PLATFORM_LOG_BYTES,
                "trace": len(FUNCTIONS) * pace.traced,
                "kms": pace.key_requests,
            }.items()
        }
    )


def seconds(counts: Counts, *, words: int) -> float:
    """Return how long a function works on a message of so many words, without cold starts."""
    transactions = counts.calls.get("TransactWriteItems", 0)
    others = sum(counts.calls.values()) - transactions
    calls = transactions * cost.TRANSACTION_SECONDS + others * cost.CALL_SECONDS
    return calls / counts.events + cost.REQUEST_SECONDS + words * cost.RECORD_SECONDS


def cost_rows(measured: Measured) -> Iterator[Row]:
    """Return what a million messages cost, and what most of that is spent on."""
    million = 1_000_000
    for said in measured.said:
        busy = usage(said, measured, messages=million)
        alone = usage(said, measured, messages=million, pace=ALONE)
        yield Row(
            row=f"cost of a million messages of {said.words} words",
            figure=busy.usd(),
            unit="USD",
            measured=f"{busy.usd():.2f} USD, {_percent(busy.shares())}",
            other=f"{alone.usd():.2f} USD one at a time",
            detail=f"{cost.REQUESTS_A_SECOND} a second, prices of {DATE} in {REGION}; each message "
            "costs as much as any other, whatever their number, as long as no transaction gets "
            "into another's way. One at a time is the worst case: "
            "each starts all three functions cold and is traced by all three, has the secret read "
            "and SNS ask KMS for a key. Assumed: as for events, a word for a record, each function "
            "traced for itself",
        )
        yield _writes(said)
    metrics = sorted(
        {name for said in measured.said for _, each in _functions(said) for name in each.metrics}
    )
    yield Row(
        row="custom metrics, an hour with messages",
        figure=cost.metrics_usd_an_hour(len(metrics)),
        unit="USD",
        measured=f"{len(metrics)} metrics",
        detail=f"{', '.join(metrics)}; not in the cost of messages, because it does not depend on "
        "their number; the first ten metrics of an account are free",
    )


def _writes(said: Said) -> Row:
    parts = {"markers": 0.0, "words": 0.0, "their ranking": 0.0}
    for _, counts in _functions(said):
        for table, units in counts.writes.items():
            if table.endswith(" index"):
                part = "their ranking"
            else:
                part = "markers" if table in counts.stored else "words"
            parts[part] += units / counts.events
    total = sum(parts.values())
    return Row(
        row=f"write units per message of {said.words} words",
        figure=total,
        unit="WRU",
        measured=_list(parts),
        other=f"{total / said.words:.1f} a word",
        detail="each word is written twice, by the counter and by the multiplier, in transactions "
        "that bill two units each; each time its entry in the ranking is deleted and put again",
    )


def _functions(said: Said) -> list[tuple[str, Counts]]:
    return [(name, getattr(said, name)) for name in FUNCTIONS]


def _list(counts: Mapping[str, float]) -> str:
    return ", ".join(f"{count:g} {name}" for name, count in counts.items()) or "none"


def _percent(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{service} {share:.0%}" for service, share in shares.items() if share)

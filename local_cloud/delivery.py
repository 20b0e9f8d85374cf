"""How Lambda delivers a stream to a function: settings and what an invoke did, to what follows.

Pure: no clock, no thread, no MiniStack. The local cloud's adapters and the tests of handlers
drive the same rules, for DynamoDB Streams and Kinesis alike. Queues: queue_delivery.py.
The rules are those of these pages of the AWS Lambda Developer Guide, read 2026-11-21:

- "Using Lambda to process records from Amazon DynamoDB Streams" (order, one batch per shard)
  https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
- "Lambda parameters for Amazon DynamoDB event source mappings"
  https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html
- "How Lambda processes records from stream and queue-based event sources" (batching)
  https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
- "Configuring partial batch response with DynamoDB and Lambda"
  https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
- "Retain discarded records for a DynamoDB event source in Lambda"
  https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html

What those pages leave open, and how it is decided here:

- Retries are counted for a batch that is sent again as it was. A smaller batch, by a split or
  because a checkpoint moved, starts to count anew.
- A batch that reports its first record as failed is not split: "bisected at the returned
  sequence number", all of it remains, and it is sent again as it was. Halves are for invokes
  that failed, and for answers that cannot be read.
- The pause before a retry is not documented: one second, doubled up to a minute.
- AWS may describe neighbouring batches it gives up in one record; here each has its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

FOREVER = -1
RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
TOO_OLD = "RecordAgeExceeded"
# "the payload limit for synchronous invocation (6 MB)", API reference, BatchSize.
PAYLOAD_LIMIT = 6 * 1024 * 1024


@dataclass(frozen=True)
class Outcome:
    """What came of sending a batch to the function.

    Attributes:
        response: What the function returned, decoded from JSON.
        error: What kind of function error it was, e.g. "Unhandled"; None when it returned.
        invoked: False when the function could not be invoked at all (throttled).
    """

    response: object = None
    error: str | None = None
    invoked: bool = True


FAILED = Outcome(error="Unhandled")
THROTTLED = Outcome(invoked=False)


def reported_failures(response: object, sent: Collection[str]) -> frozenset[str] | None:
    """Read a partial batch response: the failed identifiers, or None if all of it failed.

    Args:
        response: What the function returned.
        sent: The identifiers of the records that it was sent.
    """
    if response is None:
        return frozenset()
    if not isinstance(response, dict):
        return None
    items = response.get("batchItemFailures")
    if items is None:
        return frozenset()
    if not isinstance(items, list):
        return None
    known = set(sent)
    failed = set()
    for item in items:
        name = item.get("itemIdentifier") if isinstance(item, dict) else None
        if not isinstance(name, str) or name not in known:
            return None
        failed.add(name)
    return frozenset(failed)


@dataclass(frozen=True)
class StreamSettings:
    """What an event source mapping says of a stream; times in seconds.

    Attributes:
        batch_size: Records per invoke at most.
        window: How long records are gathered for a batch.
        retries: How often a failed batch is sent again, or FOREVER.
        max_age: How old a record may be when it is sent, or FOREVER.
        bisect: Split a failed batch in two.
        report_failures: Read the function's response as a partial batch response.
        first_pause: The pause before the first retry; it doubles with each one.
        longest_pause: Where it stops doubling.
    """

    batch_size: int = 100
    window: float = 0
    retries: int = FOREVER
    max_age: float = FOREVER
    bisect: bool = False
    report_failures: bool = False
    first_pause: float = 1
    longest_pause: float = 60

    @classmethod
    def of(cls, mapping: Mapping[str, Any]) -> StreamSettings:
        """Read a mapping in the shape of the Lambda API."""
        return cls(
            batch_size=int(mapping.get("BatchSize") or 100),
            window=float(mapping.get("MaximumBatchingWindowInSeconds") or 0),
            retries=_or_forever(mapping.get("MaximumRetryAttempts")),
            max_age=_or_forever(mapping.get("MaximumRecordAgeInSeconds")),
            bisect=is_true(mapping.get("BisectBatchOnFunctionError")),
            report_failures=reports_failures(mapping),
        )

    def sped_up(self, scale: float) -> StreamSettings:
        """Return the settings for a clock that runs `scale` times faster than the real one."""
        return replace(
            self,
            window=self.window / scale,
            max_age=self.max_age if self.max_age == FOREVER else self.max_age / scale,
            first_pause=self.first_pause / scale,
            longest_pause=self.longest_pause / scale,
        )


def is_true(value: object) -> bool:
    """Say whether a setting is on; templates may have it as text."""
    return str(value).lower() == "true"


def reports_failures(mapping: Mapping[str, Any]) -> bool:
    """Say whether a mapping reads partial batch responses."""
    return "ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or ())


def _or_forever(value: object) -> int:
    return FOREVER if value is None else int(str(value))


@dataclass(frozen=True)
class Record:
    """A record of a shard.

    Attributes:
        sequence: Its sequence number.
        arrived: When it reached the stream, in seconds since 1970.
        payload: It, as the function gets it.
        size: Bytes that it takes in the payload.
    """

    sequence: str
    arrived: float
    payload: Mapping[str, Any]
    size: int = 0


@dataclass(frozen=True)
class Batch:
    """Records to send together, in order.

    Attributes:
        records: At least one.
        invocations: How often the function got exactly these.
        last: What came of the last time.
    """

    records: tuple[Record, ...]
    invocations: int = 0
    last: Outcome | None = None

    def event(self) -> dict[str, Any]:
        """Return what the function is invoked with."""
        return {"Records": [record.payload for record in self.records]}

    def split(self, at: int) -> tuple[Batch, Batch]:
        """Return two batches that nobody has tried yet."""
        return Batch(self.records[:at]), Batch(self.records[at:])


@dataclass(frozen=True)
class Advance:
    """These records count as processed."""

    records: tuple[Record, ...]


@dataclass(frozen=True)
class Discard:
    """This batch is given up: it goes to the on-failure destination, and the shard goes on."""

    batch: Batch
    condition: str


@dataclass(frozen=True)
class Send:
    """This batch is next, after so many seconds."""

    batch: Batch
    after: float = 0


Step = Advance | Discard | Send


def next_steps(settings: StreamSettings, batch: Batch, outcome: Outcome) -> list[Step]:
    """Return what follows when `outcome` came of sending `batch`, in the shard's order."""
    if not outcome.invoked:
        # "retries until the records expire or exceed the maximum age"; the quota is for errors.
        return [Send(batch, _pause(settings, batch.invocations + 1))]
    tried = replace(batch, invocations=batch.invocations + 1, last=outcome)
    failed_at = _first_failure(settings, batch, outcome)
    if failed_at is None:
        return [Advance(batch.records)]
    if failed_at:
        done, rest = tried.split(failed_at)
        return [Advance(done.records), Send(rest, _pause(settings, 1))]
    if settings.bisect and len(batch.records) > 1 and not _is_report(settings, batch, outcome):
        # The first half is the bigger one of an odd number; AWS does not say which is.
        first, second = tried.split((len(batch.records) + 1) // 2)
        return [Send(first, _pause(settings, 1)), Send(second)]
    if settings.retries != FOREVER and tried.invocations > settings.retries:
        return [Discard(tried, RETRIES_EXHAUSTED)]
    return [Send(tried, _pause(settings, tried.invocations))]


def _first_failure(settings: StreamSettings, batch: Batch, outcome: Outcome) -> int | None:
    """Return the index of the record to go on from, None when all are processed."""
    if outcome.error is not None:
        return 0
    if not settings.report_failures:
        return None
    sequences = [record.sequence for record in batch.records]
    failed = reported_failures(outcome.response, sequences)
    if failed is None:
        return 0
    # The lowest sequence number is the checkpoint, whatever the order of the report.
    return min((sequences.index(name) for name in failed), default=None)


def _is_report(settings: StreamSettings, batch: Batch, outcome: Outcome) -> bool:
    """Say whether the function itself named the records that failed."""
    if outcome.error is not None or not settings.report_failures:
        return False
    return reported_failures(outcome.response, [r.sequence for r in batch.records]) is not None


def _pause(settings: StreamSettings, invocations: int) -> float:
    doubled: float = settings.first_pause * 2 ** min(invocations - 1, 30)
    return min(doubled, settings.longest_pause)


def without_the_old(settings: StreamSettings, batch: Batch, now: float) -> list[Step]:
    """Return the steps before an invoke: records beyond the maximum age are given up."""
    if settings.max_age == FOREVER:
        return [Send(batch)]
    young = [n for n, r in enumerate(batch.records) if now - r.arrived <= settings.max_age]
    first = young[0] if young else len(batch.records)
    if first == 0:
        return [Send(batch)]
    old = Discard(replace(batch, records=batch.records[:first]), TOO_OLD)
    return [old, Send(replace(batch, records=batch.records[first:]))] if young else [old]


def batch_now(settings: StreamSettings, waiting: Sequence[Record], since: float, now: float) -> int:
    """Return how many of the waiting records are sent now; 0 means go on gathering.

    Args:
        settings: The mapping's.
        waiting: What was read and passes the filter.
        since: When the window began.
        now: The present.
    """
    count = fitting((record.size for record in waiting), settings.batch_size)
    is_full = count == settings.batch_size or count < len(waiting)
    return count if is_full or now - since >= settings.window else 0


def fitting(sizes: Iterable[int], at_most: int) -> int:
    """Return how many records of these sizes one invoke can carry."""
    total = len('{"Records": []}')
    count = 0
    for size in sizes:
        total += size + len(", ")
        if count == at_most or (count and total > PAYLOAD_LIMIT):
            break
        count += 1
    return count


@dataclass
class Shard:
    """How far a mapping has come with a shard: one batch at a time, in order.

    Attributes:
        waiting: Records that were read and passed the filter, not yet in a batch.
        since: When the window of those began.
        pending: Batches cut already, the next one first.
        not_before: When the next one may be sent.
    """

    waiting: list[Record] = field(default_factory=list)
    since: float = 0
    pending: list[Batch] = field(default_factory=list)
    not_before: float = 0

    def add(self, records: Iterable[Record], now: float) -> None:
        """Take in what was read; a window begins with the first record after an invoke."""
        if not self.waiting:
            self.since = now
        self.waiting.extend(records)

    @property
    def wants(self) -> bool:
        """Whether more is to be read: not while a failed batch holds the shard."""
        return not self.pending

    def next(self, settings: StreamSettings, now: float) -> tuple[Batch | None, list[Discard]]:
        """Return the batch to send now, if there is one, and what is given up for its age."""
        if not self.pending and (count := batch_now(settings, self.waiting, self.since, now)):
            self.pending = [Batch(tuple(self.waiting[:count]))]
            del self.waiting[:count]
            self.not_before = now
        discards: list[Discard] = []
        while self.pending and now >= self.not_before:
            steps = without_the_old(settings, self.pending[0], now)
            discards += [step for step in steps if isinstance(step, Discard)]
            if sends := [step.batch for step in steps if isinstance(step, Send)]:
                self.pending[0] = sends[0]
                return sends[0], discards
            del self.pending[0]
        return None, discards

    def settle(
        self, settings: StreamSettings, batch: Batch, outcome: Outcome, now: float
    ) -> list[Advance | Discard]:
        """Record what came of the batch that `next` gave; return what left the shard by it."""
        del self.pending[0]
        steps = next_steps(settings, batch, outcome)
        sends = [step for step in steps if isinstance(step, Send)]
        self.pending[:0] = [send.batch for send in sends]
        self.not_before = now + (sends[0].after if sends else 0)
        self.since = now
        return [step for step in steps if not isinstance(step, Send)]

    def wait(self, settings: StreamSettings, now: float) -> float | None:
        """Return the seconds until `next` may have a batch; None when it needs more records."""
        if self.pending:
            return max(0.0, self.not_before - now)
        return max(0.0, self.since + settings.window - now) if self.waiting else None

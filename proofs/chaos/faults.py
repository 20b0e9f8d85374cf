"""What goes wrong in the calls that functions make, drawn from one seeded generator."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ReadTimeoutError

from proofs.fakes.dynamodb import cancellation, refusal
from proofs.fakes.faults import Crash

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

    from proofs.fakes.dynamodb import Call, FakeDynamoDB
    from proofs.fakes.events import FakeEvents
    from proofs.fakes.sqs import FakeSQS

CRASH, TIMEOUT, THROTTLED, NO_ANSWER = "crash", "time-out", "throttled call", "answer lost"
CONFLICT, OUTAGE = "transaction conflict", "outage"
# Of the entries of a batch: some, or all.
PARTIAL, REFUSED = "partial", "refused"
NOT_INVOKED, REPEATED, DUPLICATE = "throttled invoke", "success lost", "duplicate"
POISON, NOT_REACHED = "killed by its input", "not reached"
SILENCE, KEPT = "no answers", "brought back and kept"
# Of calls. The intake's transformer makes a hundred of them for a batch, and dies in every third;
# flows whose functions make few calls have a multiple of these rates.
RATES = {
    CRASH: 0.0015,
    TIMEOUT: 0.0005,
    THROTTLED: 0.010,
    NO_ANSWER: 0.005,
    CONFLICT: 0.040,
    PARTIAL: 0.030,
    OUTAGE: 0.0005,
}
# Of invocations, and of what is delivered.
NOT_INVOKED_RATE, REPEATED_RATE, DUPLICATE_RATE = 0.02, 0.02, 0.01
# What has not gone wrong yet in a function is this likely, and that entries of a batch are refused,
# or that whoever redrives dies, is certain: otherwise a run of a few hundred events would not see
# it where calls are few.
FIRST_TIME, FIRST_REFUSAL = 0.5, 1.0
# Calls that fail in a row while a service is out: enough for some records to be given up.
LONGEST_OUTAGE = 40
# Calls in a row of which a queue takes all and answers none: more than the tries of whoever sends,
# of whom the intake's transformer has the most (`patient` in ingest/transforming.py).
SILENT_CALLS, SILENCE_RATE = 16, 0.002
# "TransactWriteItems", Amazon DynamoDB API Reference, 2026-11-21.
_REASONS = ("TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded")
_TRANSACTION = "TransactWriteItems"
_BATCHES = frozenset({"SendMessageBatch", "PutEvents", "BatchGetItem", "DeleteMessageBatch"})
_PUT_RECORDS = "PutRecordBatch"


def of_redrive(name: str) -> str:
    """Return what whoever brings back what a function gave up is called."""
    return f"redrive of {name}"


def kinds_of(operation: str) -> frozenset[str]:
    """Return what can go wrong in calls of an operation."""
    kinds = {CRASH, TIMEOUT, THROTTLED, NO_ANSWER, OUTAGE}
    if operation == _TRANSACTION:
        kinds.add(CONFLICT)
    if operation in _BATCHES or operation == _PUT_RECORDS:
        kinds |= {f"{PARTIAL} {operation}", f"{REFUSED} {operation}"}
    return frozenset(kinds)


class Timeout(Crash):
    """Lambda ends a process whose time is over."""


@dataclass
class Faults:
    """Hooks for the clouds in memory.

    Attributes:
        generator: what decides.
        scale: of all rates; 0 lets nothing fail.
        more: times the rates of some functions.
        where: the function that is running, None when nothing of ours is.
        counts: what went wrong, by function and kind.
        calls: what functions called: the operations of each, and how often.
        killer: lets the running process die in its next call, before that has an effect.
        outages: how many calls are still to be refused, by function, operation and queue: a role
            may not make them for a while.
        shorter: how many calls an outage has at most for functions that make few of them.
        silent: queues that fall silent to a function now and then: they take what it sends, and it
            does not learn so for longer than it tries.
    """

    generator: random.Random
    scale: float = 1.0
    more: Mapping[str, float] = field(default_factory=dict)
    where: str | None = None
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    killer: bool = False
    outages: dict[tuple[str, str, str], int] = field(default_factory=dict)
    shorter: Mapping[str, int] = field(default_factory=dict)
    silent: Mapping[str, str] = field(default_factory=dict)
    _unanswered: Counter[str] = field(default_factory=Counter)
    sqs: FakeSQS | None = None
    events: FakeEvents | None = None
    firehose: Any = None
    dynamodb: FakeDynamoDB | None = None

    def note(self, kind: str, where: str | None = None) -> None:
        """Count something that went wrong."""
        self.counts[where or self.where or "", kind] += 1

    def strikes(self, kind: str, rate: float, where: str) -> bool:
        """Draw whether something of this rate happens now, and count it."""
        is_struck = self.generator.random() < self._chance(kind, rate * self.scale, where)
        if is_struck:
            self.note(kind, where)
        return is_struck

    def keeps(self, name: str) -> bool:
        """Say whether what was brought back to a function stays where it was given up.

        Whoever does so has died between its call and its delete.
        """
        return self.strikes(KEPT, DUPLICATE_RATE, of_redrive(name))

    def before(self, call: Call) -> None:
        """Let a call fail before it takes effect, or in part; hook of `FakeDynamoDB`."""
        if self.where is None:
            return
        self.calls[self.where, call.operation] += 1
        if self.killer:
            self.note(POISON)
            raise Crash
        if self._is_out(call):
            self.note(OUTAGE)
            raise refusal("AccessDeniedException", call.operation)
        kind = self._drawn(self._rates(call))
        if kind is None:
            return
        if kind.startswith((PARTIAL, REFUSED)):
            self._refuse_entries(call)
            return
        self.note(kind)
        raise self._failure(kind, call)

    def _failure(self, kind: str, call: Call) -> BaseException:
        if kind == CONFLICT:
            reasons = ["None"] * len(call.arguments["TransactItems"])
            for _ in range(self.generator.randint(1, 3)):
                reasons[self.generator.randrange(len(reasons))] = self.generator.choice(_REASONS)
            return cancellation(reasons)
        if kind == OUTAGE:
            longest = self.shorter.get(self.where or "", LONGEST_OUTAGE)
            self.outages[self._refused(call)] = self.generator.randint(min(5, longest), longest)
            return refusal("AccessDeniedException", call.operation)
        if kind == THROTTLED:
            return refusal("ThrottlingException", call.operation)
        return _failure(kind)

    def after(self, call: Call) -> None:
        """Let a process not learn that its call took effect; hook of `FakeDynamoDB`."""
        if self.where is None:
            return
        if self._is_silent(call, self.where):
            raise _failure(NO_ANSWER)
        kind = self._drawn({each: RATES[each] for each in (CRASH, TIMEOUT, NO_ANSWER)})
        if kind is not None:
            self.note(kind)
            raise _failure(kind)

    def _refused(self, call: Call) -> tuple[str, str, str]:
        return self.where or "", call.operation, str(call.arguments.get("QueueUrl", ""))

    def _is_silent(self, call: Call, where: str) -> bool:
        queue = call.arguments.get("QueueUrl")
        if queue is None or queue != self.silent.get(where):
            return False
        if not self._unanswered[where] and self.strikes(SILENCE, SILENCE_RATE, where):
            self._unanswered[where] = SILENT_CALLS
        if not self._unanswered[where] or not self.scale:
            return False
        self._unanswered[where] -= 1
        return True

    def _is_out(self, call: Call) -> bool:
        of = self._refused(call)
        left = self.outages.get(of, 0)
        if not left or not self.scale:
            return False
        self.outages[of] = left - 1
        return True

    @staticmethod
    def _rates(call: Call) -> dict[str, float]:
        kinds = kinds_of(call.operation)
        # Of one entry there is no part.
        of_entries = f"{PARTIAL if len(_entries(call)) > 1 else REFUSED} {call.operation}"
        rates = {of_entries: RATES[PARTIAL]} if of_entries in kinds else {}
        # What few calls can meet comes first, while all of it is likely.
        every = (CONFLICT, CRASH, TIMEOUT, THROTTLED, NO_ANSWER, OUTAGE)
        return rates | {each: RATES[each] for each in every if each in kinds}

    def _drawn(self, rates: Mapping[str, float]) -> str | None:
        where = self.where or ""
        left = self.generator.random()
        scale = self.scale * self.more.get(where, 1.0)
        for kind, rate in rates.items():
            left -= self._chance(kind, rate * scale, where)
            if left < 0:
                return kind
        return None

    def _chance(self, kind: str, rate: float, where: str) -> float:
        if not self.scale or self.counts[where, kind]:
            return rate
        is_rare = kind.startswith((PARTIAL, REFUSED)) or kind == KEPT
        return FIRST_REFUSAL if is_rare else max(rate, FIRST_TIME)

    def _refuse_entries(self, call: Call) -> None:
        count = len(_entries(call))
        number = self.generator.randint(1, count)
        partial = f"{PARTIAL} {call.operation}"
        if count > 1 and not self.counts[self.where or "", partial]:
            number = min(number, count - 1)
        self.note(partial if number < count else f"{REFUSED} {call.operation}")
        if call.operation == "BatchGetItem" and self.dynamodb is not None:
            self.dynamodb.leave_unprocessed = [number]
        elif call.operation == "SendMessageBatch" and self.sqs is not None:
            self.sqs.refuse_next = [number]
        elif call.operation == "DeleteMessageBatch" and self.sqs is not None:
            self.sqs.refuse_deletions = [number]
        elif call.operation == "PutEvents" and self.events is not None:
            self.events.refuse_next = [set(self.generator.sample(range(count), number))]
        elif call.operation == _PUT_RECORDS and self.firehose is not None:
            self.firehose.refuse_next = [set(self.generator.sample(range(count), number))]


def _entries(call: Call) -> Sequence[Any]:
    """Return the entries of a batch; nothing of other calls."""
    if call.operation == "BatchGetItem":
        [request] = call.arguments["RequestItems"].values()
        return list(request["Keys"])
    return call.arguments.get("Entries") or call.arguments.get("Records") or ()


def _failure(kind: str) -> BaseException:
    if kind == CRASH:
        return Crash()
    if kind == TIMEOUT:
        return Timeout()
    return ReadTimeoutError(endpoint_url="https://aws")

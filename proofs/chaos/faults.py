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
    from collections.abc import Mapping

    from proofs.fakes.dynamodb import Call, FakeDynamoDB
    from proofs.fakes.events import FakeEvents
    from proofs.fakes.sqs import FakeSQS

CRASH, TIMEOUT, THROTTLED, NO_ANSWER = "crash", "time-out", "throttled call", "answer lost"
CONFLICT, PARTIAL, OUTAGE = "transaction conflict", "partial failure", "outage"
NOT_INVOKED, REPEATED, DUPLICATE = "throttled invoke", "success lost", "duplicate"
POISON = "killed by its input"
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
# Calls that fail in a row while a service is out: enough for some records to be given up.
LONGEST_OUTAGE = 40
# "TransactWriteItems", Amazon DynamoDB API Reference, 2026-11-21.
_REASONS = ("TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded")
_TRANSACTION = "TransactWriteItems"
_BATCHES = frozenset({"SendMessageBatch", "PutEvents", "BatchGetItem", "DeleteMessageBatch"})
_PUT_RECORDS = "PutRecordBatch"


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
        killer: lets the running process die in its next call, before that has an effect.
        outages: how many calls of each operation are still to fail.
    """

    generator: random.Random
    scale: float = 1.0
    more: Mapping[str, float] = field(default_factory=dict)
    where: str | None = None
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    killer: bool = False
    outages: dict[str, int] = field(default_factory=dict)
    sqs: FakeSQS | None = None
    events: FakeEvents | None = None
    firehose: Any = None
    dynamodb: FakeDynamoDB | None = None

    def note(self, kind: str, where: str | None = None) -> None:
        """Count something that went wrong."""
        self.counts[where or self.where or "", kind] += 1

    def strikes(self, rate: float) -> bool:
        """Draw whether something of this rate happens now."""
        return self.generator.random() < rate * self.scale

    def before(self, call: Call) -> None:
        """Let a call fail before it takes effect, or in part; hook of `FakeDynamoDB`."""
        if self.where is None:
            return
        if self.killer:
            self.note(POISON)
            raise Crash
        if self._is_out(call):
            self.note(OUTAGE)
            raise refusal("AccessDeniedException", call.operation)
        kind = self._drawn(self._rates(call.operation))
        if kind is None:
            return
        self.note(kind)
        if kind == PARTIAL:
            self._fail_in_part(call)
        elif kind == CONFLICT:
            reasons = ["None"] * len(call.arguments["TransactItems"])
            for _ in range(self.generator.randint(1, 3)):
                reasons[self.generator.randrange(len(reasons))] = self.generator.choice(_REASONS)
            raise cancellation(reasons)
        elif kind == OUTAGE:
            self.outages[call.operation] = self.generator.randint(5, LONGEST_OUTAGE)
            raise refusal("AccessDeniedException", call.operation)
        elif kind == THROTTLED:
            raise refusal("ThrottlingException", call.operation)
        else:
            raise _failure(kind)

    def after(self, _call: Call) -> None:
        """Let a process not learn that its call took effect; hook of `FakeDynamoDB`."""
        if self.where is None:
            return
        kind = self._drawn({each: RATES[each] for each in (CRASH, TIMEOUT, NO_ANSWER)})
        if kind is not None:
            self.note(kind)
            raise _failure(kind)

    def _is_out(self, call: Call) -> bool:
        left = self.outages.get(call.operation, 0)
        if not left or not self.scale:
            return False
        self.outages[call.operation] = left - 1
        return True

    @staticmethod
    def _rates(operation: str) -> dict[str, float]:
        kinds = [CRASH, TIMEOUT, THROTTLED, NO_ANSWER, OUTAGE]
        if operation == _TRANSACTION:
            kinds.append(CONFLICT)
        if operation in _BATCHES or operation == _PUT_RECORDS:
            kinds.append(PARTIAL)
        return {each: RATES[each] for each in kinds}

    def _drawn(self, rates: Mapping[str, float]) -> str | None:
        chance = self.generator.random()
        scale = self.scale * self.more.get(self.where or "", 1.0)
        for kind, rate in rates.items():
            chance -= rate * scale
            if chance < 0:
                return kind
        return None

    def _fail_in_part(self, call: Call) -> None:
        if call.operation == "BatchGetItem" and self.dynamodb is not None:
            [request] = call.arguments["RequestItems"].values()
            self.dynamodb.leave_unprocessed = [self.generator.randint(1, len(request["Keys"]))]
            return
        entries = call.arguments.get("Entries") or call.arguments.get("Records") or [None]
        number = self.generator.randint(1, len(entries))
        if call.operation == "SendMessageBatch" and self.sqs is not None:
            self.sqs.refuse_next = [number]
        elif call.operation == "DeleteMessageBatch" and self.sqs is not None:
            self.sqs.refuse_deletions = [number]
        elif call.operation == "PutEvents" and self.events is not None:
            self.events.refuse_next = [set(self.generator.sample(range(len(entries)), number))]
        elif call.operation == _PUT_RECORDS and self.firehose is not None:
            places = self.generator.sample(range(len(entries)), number)
            self.firehose.refuse_next = [set(places)]


def _failure(kind: str) -> BaseException:
    if kind == CRASH:
        return Crash()
    if kind == TIMEOUT:
        return Timeout()
    return ReadTimeoutError(endpoint_url="https://aws")

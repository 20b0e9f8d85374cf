"""Where the event of a given-up record may still be, if the function died when it had queued it."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from odyssey_cli import failures, firehose_rejects
from odyssey_cli.flows.ingest import holdings
from shared import strict_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from odyssey_cli.failures import Failure
    from odyssey_cli.flows.ingest.given_up import GivenUp
    from odyssey_cli.target import Target

# A queue is empty when all three of its numbers are 0 "for several minutes" ("Confirming that a
# queue is empty", Amazon SQS Developer Guide); they settle a minute after the last message was sent
# or later ("GetQueueAttributes", Amazon SQS API Reference; both 2026-11-21). What was put into the
# stream just before is in the queue by then, too: one of its buffers, of a minute, is before that.
_WATCH_SECONDS, _LOOK_SECONDS = 180.0, 15.0


@dataclass
class Underway:
    """What is on its way to the store. It is looked for once, when somebody first asks.

    Whatever is queued is stored by the time at which the queues were seen to be empty: only what is
    read of the store after that tells.

    Attributes:
        target: where the stack is deployed.
        outputs: the stack's.
        despite_queued: whether the events queue and its dead-letter queue do not matter.
        tell: takes what the user should know meanwhile.
    """

    target: Target
    outputs: Mapping[str, str]
    despite_queued: bool
    tell: Callable[[str], None]

    def may_have(self, given_up: GivenUp) -> bool:
        """Say whether the event of a record may be stored later, under an id of its first try."""
        # Rejects first: one that is brought back while the queues are watched was seen here.
        rejected = self._rejected
        return (
            rejected is None
            or _hash(given_up.record) in rejected
            or not (self.despite_queued or self._is_quiet)
        )

    @cached_property
    def _rejected(self) -> frozenset[bytes] | None:
        """Hashes of the records that `odyssey redrive` puts into the stream, each with an id.

        None if there are rejects that somebody else has in hand. The function may have rejected
        some of a batch and then failed on all of it: these are in the error prefix and in the
        rejects queue.
        """
        queue = failures.FailureQueue(self.outputs[failures.REJECTS_OUTPUT], failures.Kind.REJECTS)
        waiting = failures.collect(self.target, queue)
        try:
            if holdings.in_queue(self.target, queue.url) > len(waiting):
                return None
        finally:
            failures.release(self.target, waiting)
        return frozenset(_hash(found) for each in waiting if (found := _record(each)) is not None)

    @cached_property
    def _is_quiet(self) -> bool:
        """Whether the events queue and its dead-letter queue are empty, for minutes."""
        seconds = self.target.seconds(_WATCH_SECONDS)
        until = time.monotonic() + seconds
        queue = self.outputs["EventsQueueUrl"]
        both = [queue, self._dead_letters(queue)]
        is_told = False
        while not any(holdings.in_queue(self.target, each) for each in both):
            left = until - time.monotonic()
            if left <= 0:
                return True
            if not is_told:
                self.tell(f"watching the events queue for {seconds:.0f} seconds …")
                is_told = True
            time.sleep(min(left, self.target.seconds(_LOOK_SECONDS)))
        return False

    def _dead_letters(self, queue: str) -> str:
        """Return the address of a queue's dead-letter queue."""
        sqs = self.target.client("sqs")
        name = "RedrivePolicy"
        answer = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])
        arn = json.loads(answer["Attributes"][name])["deadLetterTargetArn"]
        *_, account, of_letters = arn.split(":")
        found = sqs.get_queue_url(QueueName=of_letters, QueueOwnerAWSAccountId=account)
        return str(found["QueueUrl"])


def _record(reject: Failure) -> bytes | None:
    """Return the record that a reject of the transformer's carries; None of all that has none."""
    body = reject.body
    if not firehose_rejects.is_record(body):
        return None
    try:
        return base64.b64decode(body["data"], validate=True)
    except (KeyError, ValueError, TypeError):
        # `odyssey redrive` cannot bring it back either.
        return None


def _hash(record: bytes) -> bytes:
    """Return a hash of a record but for its id: one that comes back gets that, and fails again."""
    try:
        fields = strict_json.parse(record)
    except strict_json.InvalidJson:
        fields = None
    if isinstance(fields, dict):
        record = strict_json.canonical({**fields, "id": None})
    return hashlib.sha256(record).digest()

"""How Lambda delivers a queue to a function: settings and what an invoke did, to what follows.

Pure, like delivery.py. The rules are those of these pages, read 2026-11-21:

- "Using Lambda with Amazon SQS" (batching, FIFO groups, visibility)
  https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
- "Lambda parameters for Amazon SQS event source mappings"
  https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
- "Handling errors for an SQS event source in Lambda" (partial batch response, throttling)
  https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
- "Using dead-letter queues in Amazon SQS"
  https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
- "FIFO queue delivery logic in Amazon SQS"
  https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html

Lambda itself keeps no order within a batch: of a FIFO group whose first message failed it deletes
the later ones that the function did not report. "Your function should stop processing messages
after the first failure and return all failed and unprocessed messages"; the queue then holds
the group back until the first of them is visible again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from local_cloud.delivery import Outcome, fitting, reported_failures, reports_failures

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Without a window, and on FIFO queues always, a batch is one ReceiveMessage.
SMALL_BATCH = 10


@dataclass(frozen=True)
class QueueSettings:
    """What a queue and its event source mapping say; times in seconds.

    Attributes:
        batch_size: Messages per invoke at most.
        window: How long messages are gathered for a batch.
        report_failures: Read the function's response as a partial batch response.
        fifo: Whether the queue keeps the order of its groups.
        visibility: How long a received message stays hidden.
        max_receives: Receives after which it goes to the dead-letter queue; None for no such queue.
    """

    batch_size: int = 10
    window: float = 0
    report_failures: bool = False
    fifo: bool = False
    visibility: float = 30
    max_receives: int | None = None

    @classmethod
    def of(cls, mapping: Mapping[str, Any], *, fifo: bool, visibility: float) -> QueueSettings:
        """Read a mapping in the shape of the Lambda API."""
        window = 0.0 if fifo else float(mapping.get("MaximumBatchingWindowInSeconds") or 0)
        size = int(mapping.get("BatchSize") or SMALL_BATCH)
        return cls(
            batch_size=size if window else min(size, SMALL_BATCH),
            window=window,
            report_failures=reports_failures(mapping),
            fifo=fifo,
            visibility=visibility,
        )

    def sped_up(self, scale: float) -> QueueSettings:
        """Return the settings for a clock that runs `scale` times faster than the real one."""
        return replace(self, window=self.window / scale, visibility=self.visibility / scale)


@dataclass(frozen=True)
class Settled:
    """What follows for a batch of messages, by their ids.

    Attributes:
        delete: Processed: they leave the queue.
        keep: Not processed: they come back when their visibility timeout ends.
        again: Nothing was tried: the same batch is sent again while it is still hidden.
    """

    delete: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    again: bool = False


def settle(settings: QueueSettings, ids: Sequence[str], outcome: Outcome) -> Settled:
    """Return what follows when `outcome` came of sending the messages with these ids."""
    if not outcome.invoked:
        return Settled(keep=tuple(ids), again=True)
    if outcome.error is not None:
        return Settled(keep=tuple(ids))
    if not settings.report_failures:
        return Settled(delete=tuple(ids))
    failed = reported_failures(outcome.response, ids)
    if failed is None:
        return Settled(keep=tuple(ids))
    return Settled(
        delete=tuple(name for name in ids if name not in failed),
        keep=tuple(name for name in ids if name in failed),
    )


def batch_now(settings: QueueSettings, sizes: Sequence[int], since: float, now: float) -> int:
    """Return how many of the gathered messages are sent now; 0 means go on gathering.

    Args:
        settings: The mapping's.
        sizes: Bytes that each gathered message takes in the payload.
        since: When the window began.
        now: The present.
    """
    count = fitting(sizes, settings.batch_size)
    is_full = count == settings.batch_size or count < len(sizes)
    return count if is_full or now - since >= settings.window else 0


@dataclass
class Message:
    """A message in a queue.

    Attributes:
        id: Its message id.
        payload: It, as the function gets it.
        group: Its FIFO group.
        receives: How often it was received.
        visible_at: When it can be received (again).
    """

    id: str
    payload: Mapping[str, Any]
    group: str | None = None
    receives: int = 0
    visible_at: float = 0


@dataclass
class Queue:
    """A queue in memory, as SQS keeps it.

    Attributes:
        settings: Visibility, receives and whether it is FIFO.
        messages: What is in it, in the order it was sent.
        dead: What went to its dead-letter queue, unchanged.
    """

    settings: QueueSettings
    messages: list[Message] = field(default_factory=list)
    dead: list[Message] = field(default_factory=list)

    def receive(self, at_most: int, now: float) -> list[Message]:
        """Hide and return messages; of a FIFO group none while an earlier one is in flight.

        A message that has had all its receives and becomes visible goes to the dead-letter queue.
        """
        limit = self.settings.max_receives
        if limit is not None:
            spent = [m for m in self.messages if m.receives >= limit and m.visible_at <= now]
            self.dead += spent
            self.messages = [m for m in self.messages if m not in spent]
        held = {m.group for m in self.messages if m.receives and m.visible_at > now}
        found: list[Message] = []
        for message in self.messages:
            if len(found) == at_most:
                break
            if message.visible_at > now or (self.settings.fifo and message.group in held):
                continue
            message.receives += 1
            message.visible_at = now + self.settings.visibility
            found.append(message)
        return found

    def delete(self, ids: Iterable[str]) -> None:
        """Remove what was processed."""
        gone = set(ids)
        self.messages = [m for m in self.messages if m.id not in gone]

"""Rejects among the records of a stream, whose records from the first failure on come again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared import rejects
from shared.rejects import Settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from types_boto3_sqs import SQSClient

    from shared.rejects import Reject


def send(
    unusable: Iterable[Reject],
    *,
    failed: Sequence[str],
    source: str,
    queue_url: str,
    client: Callable[[], SQSClient],
) -> Settled:
    """Reject what comes before the first failure: rejected behind it, it would be so twice.

    Args:
        unusable: records of a stream that can never be processed.
        failed: sequence numbers of the others that must come again.
        source: the function that refuses them.
        queue_url: the rejects queue.
        client: makes the one for SQS, if there is anything to send.
    """
    first = min(map(int, failed), default=None)
    due = [each for each in unusable if first is None or int(_sequence_number(each)) < first]
    unsent: dict[int, str] = {}
    if due:
        unsent = rejects.send(due, source=source, queue_url=queue_url, client=client())
    again = [*failed, *(_sequence_number(due[number]) for number in unsent)]
    return Settled(sorted(again, key=int), len(due) - len(unsent), [*unsent.values()])


def _sequence_number(reject: Reject) -> str:
    number: str = reject.record["dynamodb"]["SequenceNumber"]
    return number

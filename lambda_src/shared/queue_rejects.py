"""Rejects among the messages of a queue, of which each comes again by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared import rejects
from shared.rejects import Settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from types_boto3_sqs import SQSClient

    from shared.rejects import Reject


def send(
    unusable: Sequence[Reject],
    *,
    failed: Iterable[str],
    source: str,
    queue_url: str,
    client: Callable[[], SQSClient],
) -> Settled:
    """Reject messages; what the rejects queue does not take comes again.

    Args:
        unusable: messages that can never be processed.
        failed: ids of the others that must come again.
        source: the function that refuses them.
        queue_url: the rejects queue.
        client: makes the one for SQS, if there is anything to send.
    """
    unsent: dict[int, str] = {}
    if unusable:
        unsent = rejects.send(unusable, source=source, queue_url=queue_url, client=client())
    again = [unusable[number].record["messageId"] for number in unsent]
    return Settled([*failed, *again], len(unusable) - len(unsent), [*unsent.values()])

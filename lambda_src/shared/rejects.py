"""Rejects: records that a handler can never process, kept with the cause, out of the way.

A reject does not stop its batch. Its message is the original record, so that it can be brought
back unchanged once the cause is mended.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared import queues
from shared.transactions import backoff

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_sqs import SQSClient

    from shared.transactions import Tries


class Unprocessable(ValueError):  # noqa: N818 - reads as the statement it is
    """A record can never be processed; the text is the cause that people will read."""


@dataclass(frozen=True)
class Reject:
    """A record, as its event source delivered it, and why it is refused."""

    record: dict[str, Any]
    cause: str
    event_id: str


@dataclass(frozen=True)
class Settled:
    """What became of a batch of an event source.

    Attributes:
        failed: ids of the records that must come again, as the source names them.
        rejected: how many records were rejected.
        causes: for each record that could not be rejected, the error.
    """

    failed: list[str]
    rejected: int
    causes: list[str]


def answer(settled: Settled) -> dict[str, Any]:
    """Return the partial batch response."""
    return {"batchItemFailures": [{"itemIdentifier": each} for each in settled.failed]}


def send(
    rejects: Sequence[Reject],
    *,
    source: str,
    queue_url: str,
    client: SQSClient,
    tries: Tries = backoff,
    patient: bool = False,
) -> dict[int, str]:
    """Send rejects to the stack's rejects queue.

    Args:
        rejects: what to send.
        source: the function that refuses them.
        queue_url: the queue.
        client: for SQS.
        tries: paces repeated sends of what was not taken.
        patient: whether whole calls are repeated, too; see `queues.send`.

    Returns:
        The positions in `rejects` of those that it did not take, and the error of each.
    """
    messages = [_message(reject, source) for reject in rejects]
    return queues.send(messages, queue_url=queue_url, client=client, tries=tries, patient=patient)


def _message(reject: Reject, source: str) -> queues.Message:
    attributes = {"cause": reject.cause, "source": source, "event_id": reject.event_id}
    return queues.Message(
        body=queues.json_text(reject.record),
        # Escaped, because SQS refuses most control characters.
        attributes={name: json.dumps(text)[1:-1] for name, text in attributes.items()},
    )

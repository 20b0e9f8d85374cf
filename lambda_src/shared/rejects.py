"""Rejects: records that a handler can never process, kept with the cause, out of the way.

A reject does not stop its batch. Its message is the original record, so that it can be brought
back unchanged once the cause is mended.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.transactions import backoff

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

    from shared.transactions import Tries

# "Amazon SQS message quotas", 2026-11-21: entries of a batch, and bytes of all of them together;
# some are left for the attributes.
_MAX_ENTRIES = 10
_MAX_BYTES = 1_000_000


class Unprocessable(ValueError):  # noqa: N818 - reads as the statement it is
    """A record can never be processed; the text is the cause that people will read."""


@dataclass(frozen=True)
class Reject:
    """A record, as its event source delivered it, and why it is refused."""

    record: dict[str, Any]
    cause: str
    event_id: str


def send(
    rejects: Sequence[Reject],
    *,
    source: str,
    queue_url: str,
    client: SQSClient,
    tries: Tries = backoff,
) -> list[Reject]:
    """Send rejects to the stack's rejects queue; return those that it did not take.

    Args:
        rejects: what to send.
        source: the function that refuses them.
        queue_url: the queue.
        client: for SQS.
        tries: paces repeated sends of what was not taken.
    """
    unsent: list[Reject] = []
    for batch in _batches(rejects):
        pending = batch
        for _ in tries():
            entries = [_entry(n, reject, source) for n, reject in enumerate(pending)]
            answer = client.send_message_batch(QueueUrl=queue_url, Entries=entries)
            pending = [pending[int(failed["Id"])] for failed in answer.get("Failed", [])]
            if not pending:
                break
        unsent += pending
    return unsent


def _batches(rejects: Sequence[Reject]) -> Iterator[list[Reject]]:
    batch: list[Reject] = []
    size = 0
    for reject in rejects:
        length = len(_body(reject).encode())
        if batch and (len(batch) == _MAX_ENTRIES or size + length > _MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(reject)
        size += length
    if batch:
        yield batch


def _entry(number: int, reject: Reject, source: str) -> SendMessageBatchRequestEntryTypeDef:
    attributes = {"cause": reject.cause, "source": source, "event_id": reject.event_id}
    return {
        "Id": str(number),
        "MessageBody": _body(reject),
        "MessageAttributes": {
            # Escaped, because SQS refuses most control characters.
            name: {"DataType": "String", "StringValue": json.dumps(value)[1:-1]}
            for name, value in attributes.items()
        },
    }


def _body(reject: Reject) -> str:
    text = json.dumps(reject.record, ensure_ascii=False)
    # SQS takes all that JSON leaves unescaped but these two ("SendMessage", API Reference,
    # 2026-11-21).
    return text.replace("\ufffe", r"\ufffe").replace("\uffff", r"\uffff")

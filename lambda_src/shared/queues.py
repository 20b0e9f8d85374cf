"""Messages to an SQS queue, in as few calls as its limits allow."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.aws_errors import AWS_ERRORS, error_code
from shared.transactions import backoff

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

    from shared.strict_json import Json
    from shared.transactions import Tries

# "Amazon SQS message quotas", 2026-11-21: entries of a batch, and bytes of all of them together;
# some are left for the attributes.
MAX_ENTRIES = 10
_MAX_BYTES = 1_000_000


@dataclass(frozen=True)
class Message:
    """A message to be sent; `attributes` are texts."""

    body: str
    attributes: Mapping[str, str] = field(default_factory=dict)


def send(
    messages: Sequence[Message],
    *,
    queue_url: str,
    client: SQSClient,
    tries: Tries = backoff,
) -> dict[int, str]:
    """Send messages; what the queue does not take is sent again, the others are not.

    Args:
        messages: what to send.
        queue_url: the queue.
        client: for SQS.
        tries: paces repeated sends.

    Returns:
        The positions in `messages` of those that were never taken, and the error of each. A call
        without an answer counts as not taken, although its messages may be in the queue.
    """
    unsent: dict[int, str] = {}
    for batch in _batches(messages):
        unsent |= _send(batch, queue_url, client, tries)
    return unsent


def json_text(value: Json) -> str:
    """Return `value` as JSON that a message can hold."""
    text = json.dumps(value, ensure_ascii=False)
    # SQS takes all that JSON leaves unescaped but these two ("SendMessage", API Reference,
    # 2026-11-21).
    return text.replace("\ufffe", r"\ufffe").replace("\uffff", r"\uffff")


def _send(
    batch: Mapping[int, Message], queue_url: str, client: SQSClient, tries: Tries
) -> dict[int, str]:
    pending = dict.fromkeys(batch, "")
    for _ in tries():
        try:
            answer = client.send_message_batch(
                QueueUrl=queue_url, Entries=[_entry(number, batch[number]) for number in pending]
            )
        except AWS_ERRORS as error:
            # The client has tried it several times already.
            return dict.fromkeys(pending, error_code(error))
        pending = {int(failed["Id"]): failed["Code"] for failed in answer.get("Failed", [])}
        if not pending:
            break
    return pending


def _batches(messages: Sequence[Message]) -> Iterator[dict[int, Message]]:
    batch: dict[int, Message] = {}
    size = 0
    for number, message in enumerate(messages):
        length = len(message.body.encode())
        if batch and (len(batch) == MAX_ENTRIES or size + length > _MAX_BYTES):
            yield batch
            batch, size = {}, 0
        batch[number] = message
        size += length
    if batch:
        yield batch


def _entry(number: int, message: Message) -> SendMessageBatchRequestEntryTypeDef:
    return {
        "Id": str(number),
        "MessageBody": message.body,
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": text}
            for name, text in message.attributes.items()
        },
    }

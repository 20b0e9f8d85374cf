"""Messages to an SQS queue, in as few calls as its limits allow."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.aws_errors import AWS_ERRORS, NOT_TRIED, error_code, passes
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
# Refusals of what is in a call: the next one may be taken ("SendMessageBatch", Amazon SQS API
# Reference, 2026-11-21).
_OF_CONTENT = {"AWS.SimpleQueueService.BatchRequestTooLong", "InvalidMessageContents"}


@dataclass(frozen=True)
class Message:
    """A message to be sent.

    Attributes:
        body: the text.
        attributes: texts.
        group: for a FIFO queue, what it keeps in order; "" for others.
        deduplication: for a FIFO queue, what it takes once in five minutes within a group.
    """

    body: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    deduplication: str = ""


def send(
    messages: Sequence[Message],
    *,
    queue_url: str,
    client: SQSClient,
    tries: Tries = backoff,
    patient: bool = False,
) -> dict[int, str]:
    """Send messages; what the queue does not take is sent again, the others are not.

    Args:
        messages: what to send.
        queue_url: the queue.
        client: for SQS.
        tries: paces repeated sends.
        patient: whether a call that fails as a whole, and may succeed later, is made again, too;
            the client has then made it several times already.

    Returns:
        The positions in `messages` of those that were never taken, and the error of each. A call
        without an answer counts as not taken, although its messages may be in the queue. What is
        behind messages that were not taken at last, but for their content, is not tried: waiting
        as long for each could take longer than the caller has.
    """
    unsent: dict[int, str] = {}
    is_available = True
    for batch in _batches(messages):
        if is_available:
            failed, is_available = _send(batch, queue_url, client, tries, patient)
            unsent |= failed
        else:
            unsent |= dict.fromkeys(batch, NOT_TRIED)
    return unsent


def json_text(value: Json) -> str:
    """Return `value` as JSON that a message can hold."""
    text = json.dumps(value, ensure_ascii=False)
    # SQS takes all that JSON leaves unescaped but these two ("SendMessage", API Reference,
    # 2026-11-21).
    return text.replace("\ufffe", r"\ufffe").replace("\uffff", r"\uffff")


def _send(
    batch: Mapping[int, Message], queue_url: str, client: SQSClient, tries: Tries, patient: bool
) -> tuple[dict[int, str], bool]:
    """Send a batch; return what was not taken, and whether the queue may take others."""
    pending = dict.fromkeys(batch, "")
    refused: dict[int, str] = {}
    for _ in tries():
        try:
            answer = client.send_message_batch(
                QueueUrl=queue_url, Entries=[_entry(number, batch[number]) for number in pending]
            )
        except AWS_ERRORS as error:
            code = error_code(error)
            pending = dict.fromkeys(pending, code)
            if patient and passes(error):
                continue
            return refused | pending, code in _OF_CONTENT
        failed = answer.get("Failed", [])
        refused |= {int(each["Id"]): each["Code"] for each in failed if each["SenderFault"]}
        pending = {int(each["Id"]): each["Code"] for each in failed if not each["SenderFault"]}
        if not pending:
            return refused, True
    return refused | pending, False


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
    entry: SendMessageBatchRequestEntryTypeDef = {
        "Id": str(number),
        "MessageBody": message.body,
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": text}
            for name, text in message.attributes.items()
        },
    }
    if message.group:
        entry["MessageGroupId"] = message.group
        entry["MessageDeduplicationId"] = message.deduplication
    return entry

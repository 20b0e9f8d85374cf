"""A queue's own messages that were given up: as Lambda hands them to the function behind the queue.

Sent back, a message is received with others; one at which the function dies takes them along each
time, because nobody is left to say which of them it was. Handed to the function by itself, it
spoils nothing, and the function's end is its own.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from odyssey_cli import bus_letters
from odyssey_cli.invocations import NotDeliverable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TOGETHER = "into its queue: no function of the stack reads that"
# Where an ARN has its region.
_REGION = 3


def delivery(
    message: Mapping[str, Any], mappings: Sequence[Mapping[str, Any]]
) -> tuple[str, dict[str, Any]]:
    """Return the function that a dead letter is for, and the record that it gets of it.

    The record's receipt handle is that of the dead letter: a function that hides a message for
    longer would be refused. Its number of receives is that of the dead letter, too.

    Args:
        message: as SQS gave it, with all attributes.
        mappings: those that read the message's queue, at least one.

    Raises:
        NotDeliverable: only Lambda can say which function gets it, or whether one does.
    """
    if len(mappings) > 1:
        raise NotDeliverable(f"{len(mappings)} functions read its queue, and one of them gets it")
    [mapping] = mappings
    if (mapping.get("FilterCriteria") or {}).get("Filters"):
        raise NotDeliverable("its function gets only what passes a filter, which Lambda applies")
    return mapping["FunctionArn"], _record(message, mapping["EventSourceArn"])


def _record(message: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Shape: the examples on "Using Lambda with Amazon SQS", 2026-11-21."""
    attributes = bus_letters.without(message.get("MessageAttributes", {}))
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {name: _attribute(value) for name, value in attributes.items()},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": source,
        "awsRegion": source.split(":")[_REGION],
    }


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    found = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "StringValue" in value:
        return found | {"stringValue": value["StringValue"]}
    return found | {"binaryValue": base64.b64encode(value["BinaryValue"]).decode()}

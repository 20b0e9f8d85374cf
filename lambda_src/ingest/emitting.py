"""Putting stored events on the bus, at least once.

EventBridge keeps no order, and an event may come twice: whoever consumes them knows an event by its
source and id, and what is latest by its time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ingest.items import EVENT
from shared import entity_events, strict_json
from shared.aws_errors import AWS_ERRORS, NOT_TRIED, error_code
from shared.rejects import Unprocessable
from shared.transactions import backoff

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from types_boto3_events import EventBridgeClient
    from types_boto3_events.type_defs import PutEventsRequestEntryTypeDef

    from shared.entity_events import EntityEvent
    from shared.transactions import Tries

# Entries of a request, and bytes of all of them together ("PutEvents", Amazon EventBridge API
# Reference, 2026-11-21: 1 MB, of which some is left).
MAX_ENTRIES = 10
_MAX_BYTES = 1_000_000


# What stays refused until somebody changes the event ("PutEventsResultEntry", Amazon EventBridge
# API Reference, 2026-11-21).
_OF_CONTENT = {
    "InvalidArgument",
    "MalformedDetail",
    "NotAuthorizedForDetailTypeException",
    "NotAuthorizedForSourceException",
}


@dataclass(frozen=True, eq=False)
class Stored:
    """An event of the stream, the record it came in, and its place there."""

    event: EntityEvent
    record: dict[str, Any]
    sequence_number: str

    @classmethod
    def read(cls, record: dict[str, Any]) -> Stored:
        """Read a stream record.

        Raises:
            Unprocessable: the item is not one that the storer stores.
        """
        image = record["dynamodb"].get("NewImage", {})
        if "M" not in image.get(EVENT, {}):
            raise Unprocessable(f"The item has no map {EVENT!r}.")
        envelope = strict_json.from_attribute(image[EVENT])
        event = entity_events.from_dict(envelope)
        return cls(event, record, record["dynamodb"]["SequenceNumber"])


@dataclass
class Result:
    """What was not put on the bus.

    Attributes:
        failed: what must come again, and why.
        refused: what the bus can never take, and why.
    """

    failed: dict[Stored, str] = field(default_factory=dict)
    refused: dict[Stored, str] = field(default_factory=dict)


def emit(
    stored: Sequence[Stored], *, bus: str, client: EventBridgeClient, tries: Tries = backoff
) -> Result:
    """Put events on a bus; what it does not take is put again, the others are not.

    Args:
        stored: the events.
        bus: its name or ARN.
        client: for EventBridge.
        tries: paces repeated puts.

    Returns:
        What it did not take. What is behind a failure is not tried: it comes again anyway, and
        waiting as long for each would outlast the invocation.
    """
    result = Result()
    for chunk in _chunks(stored, bus):
        if result.failed:
            result.failed |= {each: NOT_TRIED for each, _ in chunk}
        else:
            _put(chunk, client, tries, result)
    return result


# An event, and the entry of PutEvents that it makes.
_Entry = tuple[Stored, "PutEventsRequestEntryTypeDef"]


def _put(chunk: list[_Entry], client: EventBridgeClient, tries: Tries, result: Result) -> None:
    """Put a chunk, and note what was not taken."""
    errors: dict[Stored, str] = {}
    for _ in tries():
        try:
            answer = client.put_events(Entries=[entry for _, entry in chunk])
        except AWS_ERRORS as error:
            # The client has tried it several times already.
            errors = {each: error_code(error) for each, _ in chunk}
            break
        results = answer["Entries"] if answer["FailedEntryCount"] else [{}] * len(chunk)
        errors = {
            each: said["ErrorCode"]
            for (each, _), said in zip(chunk, results, strict=True)
            if "ErrorCode" in said
        }
        result.refused |= {each: code for each, code in errors.items() if code in _OF_CONTENT}
        errors = {each: code for each, code in errors.items() if code not in _OF_CONTENT}
        chunk = [(each, entry) for each, entry in chunk if each in errors]
        if not chunk:
            return
    result.failed |= errors


def _chunks(stored: Sequence[Stored], bus: str) -> Iterator[list[_Entry]]:
    chunk: list[_Entry] = []
    size = 0
    for each in stored:
        entry = _entry(each.event, bus)
        length = len(json.dumps(entry, ensure_ascii=False).encode())
        if chunk and (len(chunk) == MAX_ENTRIES or size + length > _MAX_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append((each, entry))
        size += length
    if chunk:
        yield chunk


def _entry(event: EntityEvent, bus: str) -> PutEventsRequestEntryTypeDef:
    """Return an entry; its time is that of the put, by which archives are replayed."""
    return {
        "EventBusName": bus,
        "Source": event.envelope.source,
        "DetailType": event.envelope.type,
        "Resources": [event.entity],
        "Detail": event.text,
    }

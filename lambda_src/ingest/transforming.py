"""Records in, the same events out twice: as lines for the lake and as messages for the queue.

A record is fine only if the queue took its event. What fails is in the stream's error prefix, as it
was put, and in the rejects queue with its cause. So whatever is in the lake was queued, and
whatever was queued is in the lake or in the error prefix.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from ingest.records import Record
from shared import queues
from shared.rejects import Reject, Unprocessable
from shared.transactions import backoff

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

    from shared.entity_events import EntityEvent
    from shared.transactions import Tries

OK, FAILED = "Ok", "ProcessingFailed"
# Nobody waits, and what the queue does not take at last has to be brought back by hand. These
# pauses are 7.5 seconds on average, 15 at most.
patient = partial(backoff, 12, longest=2.0)
# The rejects queue takes 1 MiB ("Amazon SQS message quotas", 2026-11-21), a record can have 1,000
# KiB and a third more as base64.
_MAX_REJECTED = 700_000


@dataclass
class Result:
    """What became of the records.

    Attributes:
        records: the answer to Firehose: every record id that came in, once.
        queued: how many the queue took.
        rejects: the others, and why.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    queued: int = 0
    rejects: list[Reject] = field(default_factory=list)


def transform(
    event: dict[str, Any],
    *,
    queue_url: str,
    partitioned: bool,
    client: SQSClient,
    tries: Tries = patient,
) -> Result:
    """Queue the events of a batch of records, and say which records are fine.

    Args:
        event: what Firehose invokes a function with.
        queue_url: the FIFO queue.
        partitioned: whether the lake has a folder for each type of event.
        client: for SQS.
        tries: paces repeated sends of what the queue did not take.
    """
    result = Result()
    events: dict[int, EntityEvent] = {}
    causes: dict[int, str] = {}
    for number, record in enumerate(event["records"]):
        try:
            events[number] = Record.of(record, stream=event["deliveryStreamArn"]).event()
        except Unprocessable as error:
            causes[number] = str(error)
    numbers = list(events)
    unsent = queues.send(
        [message(each) for each in events.values()],
        queue_url=queue_url,
        client=client,
        tries=tries,
        patient=True,
    )
    for position, error_of_sqs in unsent.items():
        causes[numbers[position]] = f"The queue did not take the event: {error_of_sqs}."
    for number, record in enumerate(event["records"]):
        if number in causes:
            result.records.append({"recordId": record["recordId"], "result": FAILED})
            result.rejects.append(_reject(record, event["deliveryStreamArn"], causes[number]))
        else:
            result.records.append(_fine(record, events[number], partitioned=partitioned))
            result.queued += 1
    return result


def message(event: EntityEvent) -> queues.Message:
    """Return an event as a message of the FIFO queue, which keeps the order of each entity's.

    Ids of groups and of deduplication have 128 characters at most ("SendMessage", Amazon SQS API
    Reference, 2026-11-21).
    """
    return queues.Message(body=event.text, group=_hash(event.entity), deduplication=_hash(event.id))


def _fine(record: dict[str, Any], event: EntityEvent, *, partitioned: bool) -> dict[str, Any]:
    line = base64.b64encode(f"{event.text}\n".encode()).decode()
    keys = {"metadata": {"partitionKeys": {"type": event.envelope.type}}} if partitioned else {}
    return {"recordId": record["recordId"], "result": OK, "data": line, **keys}


def _reject(record: dict[str, Any], stream: str, cause: str) -> Reject:
    event_id = Record.of(record, stream=stream).named_id
    kept = {**record, "deliveryStreamArn": stream}
    if len(record["data"]) > _MAX_REJECTED:
        # All of it is in the error prefix.
        del kept["data"]
    return Reject(kept, cause, event_id)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

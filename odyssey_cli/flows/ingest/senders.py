"""The two ways in: PutRecordBatch to the delivery stream, SendMessageBatch to the FIFO queue.

Whatever is not taken is sent again, and nothing else is. An event whose call got no answer may
have been taken: sent again it has the same id, and counts once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from botocore import exceptions

from shared import queues
from shared.aws_errors import AWS_ERRORS, NOT_TRIED, error_code, passes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from types_boto3_firehose import FirehoseClient
    from types_boto3_firehose.type_defs import RecordTypeDef
    from types_boto3_sqs import SQSClient

    from odyssey_cli.flows.ingest.events import Event
    from shared.transactions import Tries

# "PutRecordBatch", Amazon Data Firehose API Reference, 2026-11-21: records of a request, and bytes
# of all of them together.
MAX_RECORDS = 500
_MAX_BYTES = 4 * 1024 * 1024
_NO_ANSWER = (exceptions.ConnectionClosedError, exceptions.HTTPClientError)
# Where no request was sent.
_NO_REQUEST = (
    exceptions.ConnectTimeoutError,
    exceptions.EndpointConnectionError,
    exceptions.ProxyConnectionError,
    exceptions.SSLError,
)


@dataclass(frozen=True)
class Sent:
    """What became of events that were sent together.

    Attributes:
        refused: positions of those that were not taken, and the error of each.
        unknown: positions of those that may have been taken, and why nobody knows.
        retried: how many had to be sent again, each time counted.
    """

    refused: Mapping[int, str] = field(default_factory=dict)
    unknown: Mapping[int, str] = field(default_factory=dict)
    retried: int = 0


class Sender(Protocol):
    """A way in."""

    @property
    def most(self) -> int:
        """How many events one call takes."""

    def send(self, events: Sequence[Event]) -> Sent:
        """Send so many events at most, and return what became of them."""


@dataclass(frozen=True)
class ToStream:
    """Puts records into the delivery stream.

    Attributes:
        stream: its name.
        client: for Firehose; it must not try a call again by itself.
        tries: paces repeated puts.
    """

    stream: str
    client: FirehoseClient
    tries: Tries
    most: int = MAX_RECORDS

    def send(self, events: Sequence[Event]) -> Sent:
        """Put the records of events, in as few calls as they need."""
        return self.put([event.record() for event in events])

    def put(self, records: Sequence[bytes]) -> Sent:
        """Put records, in as few calls as they need, and return what became of them."""
        refused: dict[int, str] = {}
        unknown: dict[int, str] = {}
        retried = 0
        for batch in _batches(records):
            sent = self._put(batch)
            refused |= sent.refused
            unknown |= sent.unknown
            retried += sent.retried
        return Sent(refused, unknown, retried)

    def _put(self, batch: Mapping[int, bytes]) -> Sent:
        pending = dict.fromkeys(batch, "")
        unanswered: dict[int, str] = {}
        retried = 0
        for number, _ in enumerate(self.tries()):
            retried += len(pending) if number else 0
            try:
                pending = self._try(batch, pending)
            except AWS_ERRORS as error:
                pending = dict.fromkeys(pending, error_code(error))
                if is_without_answer(error):
                    unanswered |= pending
                elif not passes(error):
                    break
            if not pending:
                break
        # Refused now, but taken perhaps by a call before that.
        unknown = {each: code for each, code in unanswered.items() if each in pending}
        refused = {each: code for each, code in pending.items() if each not in unknown}
        return Sent(refused, unknown, retried)

    def _try(self, batch: Mapping[int, bytes], pending: Mapping[int, str]) -> dict[int, str]:
        """Put what is pending; return what was not taken."""
        records: list[RecordTypeDef] = [{"Data": batch[each]} for each in pending]
        answer = self.client.put_record_batch(DeliveryStreamName=self.stream, Records=records)
        if not answer["FailedPutCount"]:
            return {}
        results = zip(pending, answer["RequestResponses"], strict=True)
        return {each: result["ErrorCode"] for each, result in results if result.get("ErrorCode")}


@dataclass(frozen=True)
class ToQueue:
    """Sends messages to the FIFO queue.

    Attributes:
        queue_url: the queue.
        client: for SQS.
        tries: paces repeated sends.
    """

    queue_url: str
    client: SQSClient
    tries: Tries
    most: int = queues.MAX_ENTRIES

    def send(self, events: Sequence[Event]) -> Sent:
        """Send the messages of events, in their order."""
        counted = _Counted(self.client)
        unsent = queues.send(
            [event.message() for event in events],
            queue_url=self.queue_url,
            client=counted,  # type: ignore[arg-type]  # of which the one method is used
            tries=self.tries,
        )
        unknown = {each: code for each, code in unsent.items() if _was_without_answer(code)}
        refused = {each: code for each, code in unsent.items() if each not in unknown}
        tried = len(events) - list(unsent.values()).count(NOT_TRIED)
        return Sent(refused, unknown, counted.entries - tried)


@dataclass
class _Counted:
    """Counts the messages of all calls."""

    client: SQSClient
    entries: int = 0

    def send_message_batch(self, **request: Any) -> Any:  # noqa: ANN401 - boto3's own types
        self.entries += len(request["Entries"])
        return self.client.send_message_batch(**request)


def is_without_answer(error: Exception) -> bool:
    """Say whether a call may have been carried out although it failed."""
    return isinstance(error, _NO_ANSWER) and not isinstance(error, _NO_REQUEST)


def _was_without_answer(code: str) -> bool:
    """Say the same of the kind of an error."""
    kind = getattr(exceptions, code, None)
    if not isinstance(kind, type):
        return False
    return issubclass(kind, _NO_ANSWER) and not issubclass(kind, _NO_REQUEST)


def _batches(records: Sequence[bytes]) -> Iterator[dict[int, bytes]]:
    batch: dict[int, bytes] = {}
    size = 0
    for number, record in enumerate(records):
        if batch and (len(batch) == MAX_RECORDS or size + len(record) > _MAX_BYTES):
            yield batch
            batch, size = {}, 0
        batch[number] = record
        size += len(record)
    if batch:
        yield batch

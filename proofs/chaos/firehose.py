"""A delivery stream in front of its function: buffers, tries, lake and error prefix."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local_cloud import firehose_delivery
from local_cloud.firehose_delivery import Buffer, Failure, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from local_cloud.firehose_settings import Processor
    from proofs.chaos.running import Machine

STREAM = "arn:aws:firehose:us-east-1:123456789012:deliverystream/Intake"
# Firehose does not say how long it waits before it tries a function again; a FIFO queue knows what
# it took for 300 seconds, so that both sides of that have to be tried.
_PAUSES = (10, 400)


@dataclass
class FirehoseSource:
    """A delivery stream.

    Attributes:
        machine: runs the function.
        name: of the function.
        handler: the function.
        processor: how it is invoked.
        event_of: returns the event that bytes are about.
        accepted: how often the stream took each event.
        lake: the lines of the lake.
        errors: documents of the error prefix, each with its event.
        again: called after each invocation.
    """

    machine: Machine
    name: str
    handler: Callable[..., Any]
    processor: Processor
    event_of: Callable[[bytes], str]
    accepted: dict[str, int] = field(default_factory=dict)
    lake: list[str] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)
    again: Callable[[], None] = lambda: None
    _buffer: Buffer[Record] = field(default_factory=Buffer)
    _is_due: bool = False

    def put(self, id: str, data: bytes) -> None:
        """Take a record."""
        event = self.event_of(data)
        self.accepted[event] = self.accepted.get(event, 0) + 1
        now = self.machine.schedule.now
        self._buffer.add(Record(id, data, now), len(data), now)
        self._flush_later()

    def _flush_later(self) -> None:
        due = self._buffer.due(self.processor.hint)
        if due is not None and not self._is_due:
            self._is_due = True
            self.machine.schedule.after(max(0.0, due - self.machine.schedule.now), self._flush)

    def _flush(self) -> None:
        self._is_due = False
        batch = self._buffer.take(self.processor.hint, self.machine.schedule.now)
        if batch:
            self._transform(batch)
        self._flush_later()

    def _transform(self, batch: Sequence[Record]) -> None:
        events = [self.event_of(each.data) for each in batch]

        def invoke(records: Sequence[Record]) -> Failure | dict[str, Any]:
            event = firehose_delivery.event(STREAM, "invocation", records)
            outcome = self.machine.invoke(self.name, self.handler, event, events)
            self.again()
            if not outcome.invoked:
                return {"throttle": True}
            return {"error": True} if outcome.error else {"body": outcome.response}

        def wait(_seconds: float) -> None:
            self.machine.schedule.now += self.machine.generator.choice(_PAUSES)

        settled, attempts = firehose_delivery.transform(batch, self.processor, invoke, wait)
        for record, result, event in zip(batch, settled, events, strict=True):
            if isinstance(result, Failure):
                document = firehose_delivery.error_document(
                    record,
                    result,
                    attempts=attempts,
                    ended=self.machine.schedule.now,
                    function=self.name,
                )
                self.errors.append((event, document))
                what = f"to the error prefix: {result.code}"
            elif result.record is not None:
                self.lake += result.record.data.decode().splitlines()
                what = "to the lake"
            else:
                what = "dropped"
            self.machine.history.note([event], self.machine.schedule.elapsed, self.name, what)

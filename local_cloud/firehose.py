"""Firehose to S3 by the rules of firehose_delivery.py: buffered, transformed, kept until written.

MiniStack invokes the function and writes an object for each record, and passes on what the
function failed with. Here one thread watches the buffers of all streams, and each batch goes its
way on a thread of its own: to the function, and then to S3, so that nobody waits for somebody
else's function. Intervals end on this cloud's clock; there are two where there is a function, as
on AWS.

Firehose acts with the stream's role: without lambda:InvokeFunction its batches fail, without
s3:PutObject they are tried again for 24 hours, and without logs:PutLogEvents the stream's log
stays empty (firehose_objects.py).

- "Troubleshoot errors in Amazon Data Firehose" (24 hours)
  https://docs.aws.amazon.com/firehose/latest/dev/troubleshooting.html
- "DeleteDeliveryStream" (deletes a stream "and its data": what is still buffered is lost here)
  https://docs.aws.amazon.com/firehose/latest/APIReference/API_DeleteDeliveryStream.html
read 2026-11-21.
"""

from __future__ import annotations

import gzip
import logging
import threading
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from local_cloud import clock, mappings
from local_cloud import firehose_delivery as rules
from local_cloud import firehose_names as names
from local_cloud import firehose_objects as objects
from local_cloud.firehose_delivery import Buffer, Failure, Record, Transformed
from local_cloud.firehose_settings import Settings
from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_FIREHOSE = "ministack.services.firehose"
_LAMBDA = "ministack.services.lambda_svc"
_STREAMS = Hook(_FIREHOSE, "_streams")
_EXTRACT = Hook(_FIREHOSE, "_metadata_extraction_keys", ("cfg", "data"))
_EXTRACTION_ERROR = Hook(_FIREHOSE, "_DeliveryError")
_FUNCTION = Hook(_LAMBDA, "_get_func_record_for_ref", ("function_ref",))
_WITH_CONFIG = Hook(_LAMBDA, "_execution_record_for_config", ("func", "config"))
_EXECUTE = Hook(_LAMBDA, "_execute_function", ("func", "event"))
HOOKS = (
    _STREAMS,
    _EXTRACT,
    _EXTRACTION_ERROR,
    _FUNCTION,
    _WITH_CONFIG,
    _EXECUTE,
    *objects.HOOKS,
)

logger = logging.getLogger("odyssey.firehose")

T = TypeVar("T")

_NEVER = float("inf")
_LOOK_EVERY = 1.0  # whether the streams are still there and what they say
_RETENTION = 24 * 3600
_PAUSE = 30  # before S3 is tried again, which AWS does not document

# The partition keys of a record: (namespace, key, value).
Keys = tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class _Refused:
    """The line of a record that failed, and when the record arrived."""

    data: bytes
    arrived: float


@dataclass
class _Line:
    """What one stream is at.

    Attributes:
        stored: MiniStack's own record of the stream, which changes under us.
        waiting: Records before the function.
        leaving: Records before S3, by partition.
        failed: Lines for the error prefix.
    """

    stored: dict[str, Any]
    waiting: Buffer[Record] = field(default_factory=Buffer)
    leaving: dict[Keys, Buffer[Record]] = field(default_factory=lambda: defaultdict(Buffer))
    failed: Buffer[_Refused] = field(default_factory=Buffer)

    @property
    def arn(self) -> str:
        return str(self.stored["arn"])

    @property
    def region(self) -> str:
        return self.arn.split(":")[3]

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]

    @property
    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = self.stored["destinations"][0]["config"]
        return config

    @property
    def exists(self) -> bool:
        name = self.stored["name"]
        return find(_STREAMS).get_scoped(self.account, self.region, name) is self.stored

    def settings(self) -> Settings:
        """Return its settings on this cloud's clock."""
        return Settings.of(self.config).sped_up(clock.scale())

    def buffers(self) -> list[Buffer[Any]]:
        return [self.waiting, *self.leaving.values(), self.failed]


_Work = tuple[_Line, "Callable[..., None]", Any]

_NOTHING: Sequence[_Work] = ()
_lines: dict[int, _Line] = {}
_bell = threading.Condition()


def install() -> None:
    """Start watching the buffers; firehose_streams.py fills them."""
    threading.Thread(target=_watch, daemon=True, name="odyssey-firehose").start()


def accept(stream: dict[str, Any], data: Iterable[bytes]) -> None:
    """Take records for a stream and return at once.

    Args:
        stream: MiniStack's record of the stream.
        data: What was put.
    """
    arrived = time.time()
    with _bell:
        line = _lines.setdefault(id(stream), _Line(stream))
        for each in data:
            record = Record(f"49{uuid.uuid4().int:039}000000", each, arrived)
            line.waiting.add(record, len(each), time.monotonic())
        _bell.notify()


def _watch() -> None:
    while True:
        with _bell:
            works = [
                work for line in list(_lines.values()) for work in _safely(_due, line, _NOTHING)
            ]
            if not works:
                due = min([_safely(_next, line, _NEVER) for line in _lines.values()], default=0.0)
                _bell.wait(max(0.0, min(due - time.monotonic(), _LOOK_EVERY)) if due else None)
        for line, work, batch in works:
            with mappings.scope_of(line.account, line.region):
                mappings.in_background(work, line, batch)


def _safely(look: Callable[[_Line], T], line: _Line, otherwise: T) -> T:
    """Look at one stream so that a configuration nobody understands holds up no other stream."""
    try:
        return look(line)
    except Exception:
        logger.exception("%s is left alone.", line.arn)
        return otherwise


def _next(line: _Line) -> float:
    settings = line.settings()
    processed = settings.processor.hint if settings.processor else settings.hint
    hints = [processed, *[settings.hint] * (len(line.leaving) + 1)]
    found = [
        due
        for buffer, hint in zip(line.buffers(), hints, strict=True)
        if (due := buffer.due(hint)) is not None
    ]
    return min(found, default=_NEVER)


def _due(line: _Line) -> Sequence[_Work]:
    """Take from a stream's buffers what goes on now."""
    if not line.exists:
        del _lines[id(line.stored)]
        if lost := sum(len(buffer.things) for buffer in line.buffers()):
            logger.warning("%s was deleted with %d records in its buffers.", line.arn, lost)
        return []
    settings, now = line.settings(), time.monotonic()
    works: list[_Work] = []
    if settings.processor is None:
        if line.waiting.things:
            works.append((line, _pass_on, [record for _, record in line.waiting.things]))
            line.waiting.things.clear()
    else:
        while batch := line.waiting.take(settings.processor.hint, now):
            works.append((line, _process, batch))
    for keys, buffer in list(line.leaving.items()):
        while leaving := buffer.take(settings.hint, now):
            works.append((line, _deliver, (keys, leaving)))
        if not buffer.things:
            del line.leaving[keys]
    while failed := line.failed.take(settings.hint, now):
        works.append((line, _deliver_failed, failed))
    return works


# To the function


def _process(line: _Line, records: list[Record]) -> None:
    settings = line.settings()
    if settings.processor is None:
        _pass_on(line, records)
        return
    processor = settings.processor
    role = processor.role or settings.role
    results, attempts = rules.transform(
        records, processor, lambda batch: _invoke(line, processor.function, role, batch), time.sleep
    )
    _sort(line, settings, list(zip(records, results, strict=True)), attempts)


def _pass_on(line: _Line, records: list[Record]) -> None:
    _sort(line, line.settings(), [(record, Transformed(record)) for record in records], 1)


def _invoke(
    line: _Line, arn: str, role: str, records: Sequence[Record]
) -> Failure | dict[str, Any]:
    if problem := objects.refusal(role, "lambda:InvokeFunction", arn):
        logger.warning("%s: %s", line.arn, problem)
        return rules.ACCESS_DENIED
    stored, config, _ = find(_FUNCTION)(arn)
    if stored is None or config is None:
        logger.warning("%s: there is no function %s.", line.arn, arn)
        return rules.NOT_FOUND
    function = find(_WITH_CONFIG)(stored, {**config, "FunctionArn": arn})
    try:
        result: dict[str, Any] = find(_EXECUTE)(
            function, rules.event(line.arn, str(uuid.uuid4()), records)
        )
    except Exception:
        logger.exception("%s: %s could not be invoked.", line.arn, arn)
        return rules.INTERNAL
    if result.get("error"):
        logger.warning(
            "%s: %s failed: %s\n%s", line.arn, arn, result.get("body"), result.get("log", "")
        )
    return result


def _sort(
    line: _Line,
    settings: Settings,
    settled: list[tuple[Record, Transformed | Failure]],
    attempts: int,
) -> None:
    """Put what became of records into the buffers for S3."""
    function = settings.processor.function if settings.processor else None
    now, failures = time.time(), set[tuple[Failure, str | None]]()
    passed: list[tuple[Keys, Record]] = []
    refused: list[_Refused] = []
    for record, result in settled:
        outcome: Failure | Keys = (
            result if isinstance(result, Failure) else _keys(line, settings, result)
        )
        if not isinstance(outcome, Failure):
            if isinstance(result, Transformed) and result.record:
                passed.append((outcome, result.record))
            continue
        to_blame = function if isinstance(result, Failure) else None
        failures.add((outcome, to_blame))
        text = rules.error_document(
            record, outcome, attempts=attempts, ended=now, function=to_blame
        )
        refused.append(_Refused(f"{text}\n".encode(), record.arrived))
    with _bell:
        for keys, made in passed:
            line.leaving[keys].add(made, len(made.data), time.monotonic())
        for each in refused:
            line.failed.add(each, len(each.data), time.monotonic())
        _bell.notify()
        if id(line.stored) not in _lines:
            logger.warning("%s was deleted with %d records in work.", line.arn, len(settled))
    for failure, to_blame in failures:
        _say(line, settings, failure, to_blame)


def _keys(line: _Line, settings: Settings, result: Transformed) -> Failure | Keys:
    """Return the partition of a record, or why it has none."""
    if not settings.partitioned or result.record is None:
        return ()
    try:
        queried = find(_EXTRACT)(line.config, result.record.data) or {}
        keys: Keys = (
            *((names.KEYS[0], key, str(value)) for key, value in sorted(queried.items())),
            *((names.KEYS[1], key, value) for key, value in result.keys),
        )
        at = datetime.fromtimestamp(result.record.arrived, UTC)
        names.data_prefix(settings.prefix, at, lambda: "", _by_namespace(keys))
    except (find(_EXTRACTION_ERROR), names.UnknownKeyError) as error:
        return Failure(rules.NO_KEYS, str(error))
    return keys


def _by_namespace(keys: Keys) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for namespace, key, value in keys:
        found.setdefault(namespace, {})[key] = value
    return found


# To S3


def _deliver(line: _Line, leaving: tuple[Keys, list[Record]]) -> None:
    settings = line.settings()
    keys, records = leaving
    at = datetime.fromtimestamp(min(record.arrived for record in records), UTC)
    partition = _by_namespace(keys) if settings.partitioned else None
    try:
        prefix = names.data_prefix(settings.prefix, at, _random, partition)
    except names.UnknownKeyError as error:  # of a prefix that was changed meanwhile
        failure = Failure(rules.NO_KEYS, str(error))
        _sort(line, settings, [(record, failure) for record in records], 1)
        return
    body = b"".join(record.data for record in records)
    headers = {"content-encoding": "gzip"} if settings.gzip else {}
    body = gzip.compress(body, mtime=0) if settings.gzip else body
    _write(line, prefix + _suffix(line, at, settings.extension), body, headers)


def _deliver_failed(line: _Line, failed: list[_Refused]) -> None:
    settings = line.settings()
    at = datetime.fromtimestamp(min(each.arrived for each in failed), UTC)
    prefix = names.error_prefix(
        settings.prefix, settings.error_prefix, at, _random, rules.PROCESSING_FAILED
    )
    _write(line, prefix + _suffix(line, at, ""), b"".join(each.data for each in failed), {})


def _suffix(line: _Line, at: datetime, extension: str) -> str:
    return names.suffix(
        line.stored["name"], line.stored["version"], at, str(uuid.uuid4()), extension
    )


def _random() -> str:
    return str(uuid.uuid4())[:11]


def _write(line: _Line, key: str, body: bytes, headers: dict[str, str]) -> None:
    """Write an object, and try again as long as Firehose keeps records."""
    until = time.monotonic() + _RETENTION / clock.scale()
    while True:
        settings = line.settings()
        failure = objects.put(settings, key, body, headers)
        if failure is None:
            return
        if time.monotonic() >= until or not line.exists:
            logger.warning("%s: %s was lost. %s", line.arn, key, failure.message)
            return
        _say(line, settings, failure, None)
        time.sleep(_PAUSE / clock.scale())


def _say(line: _Line, settings: Settings, failure: Failure, function: str | None) -> None:
    logger.warning("%s: %s", line.arn, failure.message)
    message = rules.log_message(
        failure,
        stream=line.arn,
        bucket=settings.bucket,
        version=line.stored["version"],
        function=function,
    )
    objects.log(line.config, line.arn, message)

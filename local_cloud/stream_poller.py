"""DynamoDB Streams to functions, by the rules of delivery.py instead of MiniStack's.

Each mapping has a worker of its own while there is something to do, so that a slow function
stalls nobody else. A mapping whose table or stream is gone is left alone.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local_cloud import clock, event_loop, mappings
from local_cloud.delivery import Discard, Record, Shard, StreamSettings
from local_cloud.failure_record import failure_record
from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from local_cloud.mappings import Mapping

_LAMBDA = "ministack.services.lambda_svc"
_DYNAMODB = "ministack.services.dynamodb"
_POLL = Hook(_LAMBDA, "_poll_dynamodb_streams", ())
_POSITIONS = Hook(_LAMBDA, "_dynamodb_stream_positions")
_POSITIONS_LOCK = Hook(_LAMBDA, "_dynamodb_stream_positions_lock")
_TABLES = Hook(_DYNAMODB, "_tables")
_START = Hook(_DYNAMODB, "stream_start_position", ("table_name", "account_id", "region"))
_END = Hook(_DYNAMODB, "stream_end_position", ("table_name", "account_id", "region"))
_SINCE = Hook(
    _DYNAMODB,
    "stream_records_since",
    ("table_name", "position", "limit", "account_id", "region"),
)
_SHARD_ID = Hook("ministack.services.dynamodb_streams", "_DEFAULT_SHARD_ID")
_QUEUE = Hook("ministack.services.sqs", "_queue_by_arn", ("arn",))
_SEND = Hook("ministack.services.sqs", "_act_send_message", ("data", "qurl"))
_WAKE = Hook("ministack.core.concurrency", "esm_wake")
HOOKS = (
    _POLL,
    _POSITIONS,
    _POSITIONS_LOCK,
    _TABLES,
    _START,
    _END,
    _SINCE,
    _SHARD_ID,
    _QUEUE,
    _SEND,
    _WAKE,
)

READ = ("dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords")
_LOOK_EVERY = 0.01
_REST = 0.5  # before something that was refused is tried again


@dataclass
class _Reader:
    """How far one mapping has come.

    Attributes:
        shard: What was read and is not settled.
        busy: Whether a worker is at it.
        rests_until: When it may have a worker again, by the monotonic clock.
    """

    shard: Shard = field(default_factory=Shard)
    busy: bool = False
    rests_until: float = 0


_readers: dict[str, _Reader] = {}


def install() -> None:
    """Put this poller in the place of MiniStack's."""
    _POLL.replace(lambda _: poll)


def poll() -> bool:
    """Give every mapping that has something to do a worker; say whether one got one."""
    found = mappings.all_of("dynamodb")
    for gone in _readers.keys() - {mapping.id for mapping in found}:
        del _readers[gone]
    dispatched = False
    for mapping in found:
        reader = _readers.setdefault(mapping.id, _Reader())
        if reader.busy or not mapping.is_on or time.monotonic() < reader.rests_until:
            continue
        with mapping.scope():
            if _table(mapping) and (_unread(mapping) or reader.shard.pending):
                reader.busy = dispatched = True
                mappings.in_background(_work, mapping, reader)
    return dispatched


def _table(mapping: Mapping) -> str | None:
    """Return the name of the table, None when the mapping's stream is not its stream any more."""
    name = mapping.source.partition(":table/")[2].partition("/stream/")[0]
    table = find(_TABLES).get(name)
    return name if table and table.get("LatestStreamArn") == mapping.source else None


def _unread(mapping: Mapping) -> bool:
    name = _table(mapping)
    return bool(name) and _position(mapping, str(name)) < find(_END)(name)


def _position(mapping: Mapping, name: str) -> int:
    with find(_POSITIONS_LOCK):
        positions, horizon = find(_POSITIONS), find(_START)(name)
        if mapping.id not in positions:
            latest = mapping.stored.get("StartingPosition") != "TRIM_HORIZON"
            positions[mapping.id] = find(_END)(name) if latest else horizon
        return max(int(positions[mapping.id]), int(horizon))


def _work(mapping: Mapping, reader: _Reader) -> None:
    reader.rests_until = time.monotonic() + _REST
    try:
        while mapping.is_on and _table(mapping) and _step(mapping, reader):
            pass
        if not reader.shard.pending and not _unread(mapping):
            reader.rests_until = 0
        else:
            clock.wake_in(_REST)
    finally:
        reader.busy = False
        # What came in meanwhile found the reader busy.
        find(_WAKE).set()


def _step(mapping: Mapping, reader: _Reader) -> bool:
    """Read, and wait or invoke; say whether there is more to do."""
    shard = reader.shard
    settings = StreamSettings.of(mapping.stored).sped_up(clock.scale())
    if shard.wants and _unread(mapping):
        if problem := mapping.refusal(READ, mapping.source):
            mapping.tell(f"PROBLEM: {problem}")
            return False
        _read(mapping, shard, settings)
    now = time.time()
    batch, discards = shard.next(settings, now)
    for discard in discards:
        _give_up(mapping, discard)
    if batch is None:
        seconds = shard.wait(settings, now)
        if seconds is not None:
            time.sleep(min(seconds, _LOOK_EVERY))
        return seconds is not None or _unread(mapping)
    outcome = mappings.invoke(mapping, batch.event())
    if mapping.exists:
        for step in shard.settle(settings, batch, outcome, time.time()):
            if isinstance(step, Discard):
                _give_up(mapping, step)
    return True


def _read(mapping: Mapping, shard: Shard, settings: StreamSettings) -> None:
    name = str(_table(mapping))
    position = _position(mapping, name)
    room = settings.batch_size - len(shard.waiting)
    read = find(_SINCE)(name, position, max(room, 0))
    shard.add((as_record(record) for record in mapping.wanted(read)), time.time())
    with find(_POSITIONS_LOCK):
        find(_POSITIONS)[mapping.id] = position + len(read)


def as_record(stored: dict[str, Any]) -> Record:
    """Read a record of MiniStack's streams.

    Its creation time has whole seconds, as on AWS, which a clock that runs faster would make
    much of; MiniStack's sequence numbers begin with the milliseconds.
    """
    change = stored["dynamodb"]
    arrived = float(change["ApproximateCreationDateTime"])
    milliseconds = int(change["SequenceNumber"][:20]) / 1000
    if 0 <= milliseconds - arrived <= 1:
        arrived = milliseconds
    return Record(change["SequenceNumber"], arrived, stored, len(json.dumps(stored)))


def _give_up(mapping: Mapping, discard: Discard) -> None:
    configured = mapping.stored.get("DestinationConfig") or {}
    destination = (configured.get("OnFailure") or {}).get("Destination")
    function = mapping.function()
    if not destination or function is None:
        mappings.logger.warning("%s: a batch was given up, with nobody to tell.", mapping.id)
        return
    if problem := mapping.refusal(("sqs:SendMessage",), destination):
        mappings.logger.warning("%s: a batch was given up and lost. %s", mapping.id, problem)
        return
    document = failure_record(
        discard,
        function_arn=mapping.stored["FunctionArn"],
        version=str(function[1].get("Version", "$LATEST")),
        stream_arn=mapping.source,
        shard_id=find(_SHARD_ID),
        request_id=str(uuid.uuid4()),
        now=time.time(),
    )
    event_loop.run(lambda: _send(mapping, destination, json.dumps(document)))


def _send(mapping: Mapping, destination: str, body: str) -> None:
    queue = find(_QUEUE)(destination)
    if queue is None:
        mappings.logger.warning("%s: there is no queue %s.", mapping.id, destination)
        return
    find(_SEND)({"QueueUrl": queue["url"], "MessageBody": body}, queue["url"])

"""Reads the stream records that a pointer names, as Lambda would hand them to a function."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from odyssey_cli.errors import OdysseyError

if TYPE_CHECKING:
    from odyssey_cli.target import Target

# What a read says when the stream, the shard or its beginning is no more.
_GONE = ("TrimmedDataAccessException", "ResourceNotFoundException", "ExpiredIteratorException")
# Pages may be empty before and between records ("GetRecords", API Reference, 2026-11-21), so
# only time can tell that nothing more will come of an open shard.
_PATIENCE = 30.0
# A shard takes five reads a second ("GetRecords").
_PAUSE = 0.25


@dataclass(frozen=True)
class Read:
    """What the stream still has of a pointer's records.

    Attributes:
        records: as Lambda would hand them to the function, filtered.
        complete: whether that is all of them.
    """

    records: list[dict[str, Any]]
    complete: bool


def read_records(target: Target, info: dict[str, Any], mapping: dict[str, Any]) -> Read:
    """Read the records of a pointer's range.

    Args:
        target: where the stream is.
        info: `DDBStreamBatchInfo` of the pointer.
        mapping: the event source mapping, for its filter.
    """
    found = _read(target, info)
    patterns = [
        json.loads(each["Pattern"])
        for each in (mapping.get("FilterCriteria") or {}).get("Filters", [])
    ]
    delivered = [_as_delivered(record, info["streamArn"]) for record in found]
    records = [
        each for each in delivered if not patterns or any(matches(p, each) for p in patterns)
    ]
    # Before the filter: whether a pointer counts what was filtered out is not documented.
    numbers = [record["dynamodb"]["SequenceNumber"] for record in delivered]
    reached = numbers[-1:] == [info["endSequenceNumber"]]
    return Read(records, complete=reached and len(numbers) >= int(info["batchSize"]))


def _read(target: Target, info: dict[str, Any]) -> list[dict[str, Any]]:
    streams = target.client("dynamodbstreams")
    first, last = int(info["startSequenceNumber"]), int(info["endSequenceNumber"])
    iterator = _iterator(streams, info)
    found: list[dict[str, Any]] = []
    until = time.monotonic() + _PATIENCE
    while iterator and time.monotonic() < until:
        answer = streams.get_records(ShardIterator=iterator)
        for record in answer["Records"]:
            number = int(record["dynamodb"]["SequenceNumber"])
            if first <= number <= last:
                found.append(record)
            if number >= last:
                return found
        iterator = answer.get("NextShardIterator")
        if not answer["Records"]:
            time.sleep(_PAUSE)
    return found


def _iterator(streams: Any, info: dict[str, Any]) -> str | None:  # noqa: ANN401 - a client
    """Return an iterator at the range's start, or at what is left of it, or None."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - see odyssey_cli.target

    at = {"StreamArn": info["streamArn"], "ShardId": info["shardId"]}
    for where in (
        {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": info["startSequenceNumber"]},
        {"ShardIteratorType": "TRIM_HORIZON"},
    ):
        try:
            return str(streams.get_shard_iterator(**at, **where)["ShardIterator"])
        except ClientError as error:
            if error.response["Error"]["Code"] not in _GONE:
                raise
    return None


def matches(pattern: dict[str, Any], record: dict[str, Any]) -> bool:
    """Say whether a record passes a filter pattern made of values to be equal to.

    Raises:
        OdysseyError: the pattern has a comparison that this does not know.
    """
    for name, wanted in pattern.items():
        value = record.get(name)
        if isinstance(wanted, dict):
            if not isinstance(value, dict) or not matches(wanted, value):
                return False
            continue
        if any(isinstance(each, dict | list) for each in wanted):
            raise OdysseyError(
                f"The filter {json.dumps(pattern)} has a comparison that redrive does not know.",
                "Invoke the function with the records yourself.",
            )
        if value not in wanted:
            return False
    return True


def _as_delivered(record: dict[str, Any], stream_arn: str) -> dict[str, Any]:
    delivered: dict[str, Any] = json.loads(json.dumps(record, default=_plain))
    return delivered | {"eventSourceARN": stream_arn}


def _plain(value: object) -> object:
    """Spell out what boto3 has parsed: times as seconds since 1970, bytes as base64."""
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is in no stream record.")

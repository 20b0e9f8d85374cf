"""Reads the stream records that a pointer names, as Lambda would hand them to a function."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from odyssey_cli.errors import OdysseyError

if TYPE_CHECKING:
    from odyssey_cli.target import Target

# What a read says when the stream, the shard or the record is no more.
_GONE = ("TrimmedDataAccessException", "ResourceNotFoundException", "ExpiredIteratorException")

# An open shard may answer with nothing for a while; it never says that nothing is left.
_EMPTY_ANSWERS = 5


class RecordsGone(Exception):  # noqa: N818 - reads as the statement it is
    """The stream no longer has the records; the text says since when that is so."""


def read_records(
    target: Target, info: dict[str, Any], mapping: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return the records of a pointer's range that pass the mapping's filter.

    Args:
        target: where the stream is.
        info: `DDBStreamBatchInfo` of the pointer.
        mapping: the event source mapping, for its filter.

    Raises:
        RecordsGone: the stream has forgotten them.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - see odyssey_cli.target

    try:
        found = _read(target, info)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _GONE:
            raise
        found = []
    if not found or int(found[0]["dynamodb"]["SequenceNumber"]) > int(info["startSequenceNumber"]):
        raise RecordsGone(
            f"arrived {info['approximateArrivalOfFirstRecord']}; a stream keeps a day"
        )
    patterns = [
        json.loads(each["Pattern"])
        for each in (mapping.get("FilterCriteria") or {}).get("Filters", [])
    ]
    records = [_as_delivered(record, info["streamArn"]) for record in found]
    return [each for each in records if not patterns or any(matches(p, each) for p in patterns)]


def _read(target: Target, info: dict[str, Any]) -> list[dict[str, Any]]:
    streams = target.client("dynamodbstreams")
    iterator = streams.get_shard_iterator(
        StreamArn=info["streamArn"],
        ShardId=info["shardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        SequenceNumber=info["startSequenceNumber"],
    )["ShardIterator"]
    last = int(info["endSequenceNumber"])
    found: list[dict[str, Any]] = []
    empty = 0
    while iterator and empty < _EMPTY_ANSWERS:
        answer = streams.get_records(ShardIterator=iterator)
        for record in answer["Records"]:
            if int(record["dynamodb"]["SequenceNumber"]) > last:
                return found
            found.append(record)
        if found and int(found[-1]["dynamodb"]["SequenceNumber"]) == last:
            return found
        empty += not answer["Records"]
        iterator = answer.get("NextShardIterator")
    return found


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

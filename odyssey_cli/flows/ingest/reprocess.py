"""Brings records back that Firehose gave up because the function failed as a whole.

They are in the error prefix as they were put, and in no queue, unless the function died when it
had queued them. What the function itself has found wanting is in the rejects queue, too, and comes
back from there (`odyssey redrive`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ingest.items import AT, ENTITY, EVENT
from ingest.records import SOURCE
from odyssey_cli.flows.ingest import STACK, holdings
from odyssey_cli.flows.ingest.given_up import GivenUp
from shared import strict_json
from shared.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli.flows.ingest.senders import ToStream
    from odyssey_cli.target import Target

# What Firehose calls a record that the function answered for.
_OF_FUNCTION = "Lambda.ProcessingFailedStatus"


@dataclass
class Report:
    """What became of the records in the error prefix.

    Attributes:
        brought_back: how many were put into the stream again.
        refused: how many the stream did not take, or perhaps did not; they stay.
        rejects: how many are for `odyssey redrive`; they stay.
        archived: how many objects cannot be read without being restored; they stay.
        unreadable: where something is that is none of Firehose's documents; it stays.
    """

    brought_back: int = 0
    refused: int = 0
    rejects: int = 0
    archived: int = 0
    unreadable: list[str] = field(default_factory=list)


def reprocess(target: Target, stream: ToStream) -> Report:
    """Put given-up records into the stream again, and take them out of the error prefix.

    An object is written anew, or deleted, once its records are in the stream; the bucket keeps the
    earlier version for 30 days. Whoever dies in between finds them there again: put twice, events
    with an id of their own count once, and others, too, if they are stored by then (see
    `_Stored.named`).

    Args:
        target: where the stack is deployed.
        stream: the way into its stream.
    """
    outputs = target.outputs(STACK)
    s3, bucket = target.client("s3"), outputs["LakeBucket"]
    stored = _Stored(target.client("dynamodb"), outputs["EventsTable"])
    report = Report()
    for listed in list(holdings.objects(target, bucket, outputs["ErrorsPrefix"])):
        if holdings.is_archived(listed):
            report.archived += 1
            continue
        due, kept = _sorted_out(_lines(target, bucket, listed["Key"], report), report)
        if not due:
            continue
        sent = stream.put([stored.named(given_up) for given_up, _ in due])
        left = {*sent.refused, *sent.unknown}
        kept += [line for number, (_, line) in enumerate(due) if number in left]
        report.brought_back += len(due) - len(left)
        report.refused += len(left)
        place = {"Bucket": bucket, "Key": listed["Key"], "ExpectedBucketOwner": target.account}
        if kept:
            s3.put_object(Body=b"".join(line.rstrip(b"\n") + b"\n" for line in kept), **place)
        else:
            s3.delete_object(**place)
    return report


def _lines(target: Target, bucket: str, key: str, report: Report) -> list[tuple[str, bytes]]:
    """Return an object's lines, each with its place; none of one that is torn, which stays."""
    torn: list[str] = []
    lines = list(holdings.lines(target, bucket, key, torn))
    report.unreadable += torn
    return [] if torn else lines


def _sorted_out(
    lines: list[tuple[str, bytes]], report: Report
) -> tuple[list[tuple[GivenUp, bytes]], list[bytes]]:
    """Return what is due, each with its line, and the lines of what stays."""
    due: list[tuple[GivenUp, bytes]] = []
    kept: list[bytes] = []
    for place, line in lines:
        try:
            given_up = GivenUp.of(line)
        except ValueError:
            report.unreadable.append(place)
            kept.append(line)
            continue
        if given_up.code == _OF_FUNCTION:
            report.rejects += 1
            kept.append(line)
        else:
            due.append((given_up, line))
    return due, kept


@dataclass(frozen=True)
class _Stored:
    """The events that are stored.

    Attributes:
        client: for DynamoDB.
        table: the store.
    """

    client: Any
    table: str
    _used: set[tuple[str, str]] = field(default_factory=set)

    def named(self, given_up: GivenUp) -> bytes:
        """Return a record with the id that its event is stored with, or as it was put.

        The function may have died when it had queued the event. Without an id from its producer,
        the record would make another one now. A stored event stands for one record only, so that
        two equal readings stay two.

        What remains: an event that is still in a queue at this moment, or in a dead-letter queue,
        is not found, and is then stored twice. And a record that was never queued is taken for one
        with the same entity, time and data that came through by itself.
        """
        event = given_up.event
        if event is None or given_up.id is not None:
            return given_up.record
        data = strict_json.canonical(event.envelope.data)
        for item in self._at(event.entity, rfc3339(event.envelope.time)):
            key, stored = (event.entity, item[AT]["S"]), strict_json.from_attribute(item[EVENT])
            if (
                key not in self._used
                and stored["source"] == SOURCE
                and strict_json.canonical(stored["data"]) == data
            ):
                self._used.add(key)
                return given_up.named(stored["id"])
        return given_up.record

    def _at(self, entity: str, time: str) -> Iterator[dict[str, Any]]:
        """Yield the events of an entity at a time."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            ConsistentRead=True,
            KeyConditionExpression="#entity = :entity AND begins_with(#at, :time)",
            ExpressionAttributeNames={"#entity": ENTITY, "#at": AT},
            ExpressionAttributeValues={":entity": {"S": entity}, ":time": {"S": f"{time}#"}},
        )
        for page in pages:
            yield from page["Items"]

"""Brings records back that Firehose gave up because the function failed as a whole.

They are in the error prefix as they were put, and in no queue, unless the function died when it
had queued them. What the function itself has found wanting is in the rejects queue, too, and comes
back from there (`odyssey redrive`).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ingest.items import AT, ENTITY, EVENT
from ingest.records import SOURCE
from odyssey_cli.flows.ingest import STACK, holdings
from odyssey_cli.flows.ingest.given_up import GivenUp
from odyssey_cli.flows.ingest.underway import Underway
from shared import strict_json
from shared.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from odyssey_cli.flows.ingest.senders import ToStream
    from odyssey_cli.target import Target
    from shared.entity_events import EntityEvent

# What Firehose calls a record that the function answered for.
_OF_FUNCTION = "Lambda.ProcessingFailedStatus"
# How the ids begin that events get here, so that none of them is taken for another record's. Such
# an id is as long as the one that the transformer would make, and no event gets too large by it.
_OURS, _LENGTH = "given-up-", 36


@dataclass
class Report:
    """What became of the records in the error prefix.

    Attributes:
        brought_back: how many were put into the stream again.
        refused: how many the stream did not take, or perhaps did not; they stay.
        rejects: how many are for `odyssey redrive`; they stay.
        archived: how many objects cannot be read without being restored; they stay.
        unreadable: where something is that is none of Firehose's documents; it stays.
        waiting: how many have no id and may still be stored under one that nobody knows; they stay.
    """

    brought_back: int = 0
    refused: int = 0
    rejects: int = 0
    archived: int = 0
    unreadable: list[str] = field(default_factory=list)
    waiting: int = 0


def reprocess(
    target: Target,
    stream: ToStream,
    *,
    despite_queued: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Report:
    """Put given-up records into the stream again, and take them out of the error prefix.

    An object is written anew, or deleted, once its records are in the stream; the bucket keeps the
    earlier version for 30 days. Whoever dies in between finds them there again, and what the stream
    has perhaps taken stays there, too. Put twice an event counts once: a record whose producer gave
    it no id is put with one, and the next time with the same (see `_Due.of`).

    A record without an id stays, unless an earlier run has decided on one, while its event may be
    in a queue (see `Underway`). It stays even if an equal event is stored: equal readings are told
    apart by their number and their place, so that they go together or not at all.

    Args:
        target: where the stack is deployed.
        stream: the way into its stream.
        despite_queued: go on though something is in the events queue or in its dead-letter queue.
            A record whose event is among that is counted twice.
        tell: takes what the user should know meanwhile.
    """
    outputs = target.outputs(STACK)
    underway = Underway(target, outputs, despite_queued, tell)
    s3, bucket = target.client("s3"), outputs["LakeBucket"]
    stored = _Stored(target.client("dynamodb"), outputs["EventsTable"])
    report = Report()
    for listed in list(holdings.objects(target, bucket, outputs["ErrorsPrefix"])):
        if holdings.is_archived(listed):
            report.archived += 1
            continue
        due, kept = _sorted_out(
            listed["Key"], _lines(target, bucket, listed["Key"], report), report
        )
        waiting = {each for each in due if each.needs_id and underway.may_have(each.given_up)}
        report.waiting += len(waiting)
        kept += [each.line for each in due if each in waiting]
        due = [each for each in due if each not in waiting]
        if not due:
            continue
        put = [stored.named(each) for each in due]
        sent = stream.put([record for record, _ in put])
        left = {*sent.refused, *sent.unknown}
        kept += [due[number].kept(put[number][1]) for number in sorted(left)]
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


@dataclass(frozen=True)
class _Due:
    """A record that is to be put into the stream.

    Attributes:
        line: Firehose's document.
        given_up: what it tells.
        own_id: what its event is called if nobody has called it anything.
    """

    line: bytes
    given_up: GivenUp
    own_id: str

    @classmethod
    def of(cls, key: str, line: bytes, given_up: GivenUp, number: int) -> _Due:
        """Return what a line is about.

        The id is the same as long as the object is: two equal lines are two records, and which of
        them was put before nobody can tell.

        Args:
            key: the object's.
            line: the line.
            given_up: what it tells.
            number: how many equal lines are before it in the object.
        """
        name = hashlib.sha256(f"{key}\n{number}\n".encode() + line.rstrip(b"\n"))
        own_id = f"{_OURS}{name.hexdigest()}"[:_LENGTH]
        return cls(line, given_up, own_id)

    @property
    def needs_id(self) -> bool:
        """Whether it has an event and nobody has called that anything."""
        given_up = self.given_up
        is_named = given_up.id is not None or given_up.decided is not None
        return not is_named and given_up.event is not None

    def kept(self, event_id: str | None) -> bytes:
        """Return the line as it stays if it was put with an id: equal lines are no more then."""
        return self.line if event_id is None else GivenUp.with_decided(self.line, event_id)


def _sorted_out(
    key: str, lines: list[tuple[str, bytes]], report: Report
) -> tuple[list[_Due], list[bytes]]:
    """Return what is due of an object, and the lines of what stays."""
    due: list[_Due] = []
    kept: list[bytes] = []
    equal: Counter[bytes] = Counter()
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
            bare = line.rstrip(b"\n")
            due.append(_Due.of(key, line, given_up, equal[bare]))
            equal[bare] += 1
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

    def named(self, due: _Due) -> tuple[bytes, str | None]:
        """Return a record with an id of its event, and the id; as it was put if it needs none.

        The function may have died when it had queued the event. Without an id from its producer,
        the record would make another one now: it gets the one that the event is stored with. A
        stored event stands for one record only, so that two equal readings stay two. If none is
        stored, it gets one of its own. What was decided once stays so.

        What remains: the store has forgotten an event after the stack's `ingest_event_ttl_days`,
        and one that is brought back later than that is stored twice. And a record that was never
        queued is taken for one with the same entity, time and data that came through by itself.
        """
        given_up = due.given_up
        event = given_up.event
        if event is None or given_up.id is not None:
            return given_up.record, None
        event_id = given_up.decided or self._found(event) or due.own_id
        return given_up.named(event_id), event_id

    def _found(self, event: EntityEvent) -> str | None:
        """Return the id with which an event is stored, None if it is not."""
        own = event.envelope
        data = strict_json.canonical(own.data)
        # What began the story is the event itself, unless its producer says otherwise.
        given = own.correlation_id if own.correlation_id != own.id else None
        for item in self._at(event.entity, rfc3339(own.time)):
            key, stored = (event.entity, item[AT]["S"]), strict_json.from_attribute(item[EVENT])
            if (
                key not in self._used
                and stored["source"] == SOURCE
                and not stored["id"].startswith(_OURS)
                and strict_json.canonical(stored["data"]) == data
                and stored["correlationid"] == (given or stored["id"])
            ):
                self._used.add(key)
                return str(stored["id"])
        return None

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

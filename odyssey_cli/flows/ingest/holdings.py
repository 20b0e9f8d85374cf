"""What is where: in the lake, its error prefix, the store, and the consumer's tables.

Everything is read, page by page; kept of it is little more than the ids. An event is called by its
source and id, with a space between them, as the consumer's markers are.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from consumer.tables import MARKER_DAYS
from ingest.records import SOURCE
from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.ingest import CONSUMER, STACK
from odyssey_cli.flows.ingest.given_up import GivenUp
from shared import envelope
from shared.aws_errors import error_code
from shared.entity_events import EntityEvent, entity_key
from shared.rejects import Unprocessable
from shared.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from odyssey_cli.target import Target

_GZIP = b"\x1f\x8b"
# Storage classes whose objects must be restored before they can be read ("Understanding S3 Glacier
# storage classes for long-term data storage", Amazon S3 User Guide, 2026-11-21).
_ARCHIVED = ("GLACIER", "DEEP_ARCHIVE")
_OF_EVENT = ("id", "source", "type", "subject", "time")


@dataclass
class Lake:
    """The lake.

    Attributes:
        objects: how many there are.
        size: how many bytes they have together, compressed.
        archived: how many of them cannot be read any more without being restored.
        since: an event before this time may be in one of those, or may have been in one that is
            deleted; "" if all are there.
        lines: how often each event is in them.
        unreadable: where something is that is no line with an event.
    """

    objects: int = 0
    size: int = 0
    archived: int = 0
    since: str = ""
    lines: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)

    def add(self, place: str, line: bytes) -> None:
        """Take a line into account."""
        try:
            self.lines[EntityEvent.of(envelope.read(line.decode())).id] += 1
        except (Unprocessable, UnicodeDecodeError):
            self.unreadable.append(place)


@dataclass
class Errors:
    """The error prefix.

    Attributes:
        records: how many raw records are in it, as far as it can be read.
        archived: how many of its objects cannot be read any more without being restored.
        codes: the error of each.
        events: those that the records name.
        unnamed: entity and time of those to which their producer gave no id.
        unreadable: where something is that is not one of Firehose's documents.
    """

    records: int = 0
    archived: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    events: set[str] = field(default_factory=set)
    unnamed: set[str] = field(default_factory=set)
    unreadable: list[str] = field(default_factory=list)

    def add(self, place: str, line: bytes) -> None:
        """Take a document into account."""
        try:
            given_up = GivenUp.of(line)
        except ValueError:
            self.unreadable.append(place)
            return
        self.records += 1
        self.codes[given_up.code] += 1
        if given_up.id is not None:
            self.events.add(f"{SOURCE} {given_up.id}")
        elif (event := given_up.event) is not None:
            self.unnamed.add(f"{event.entity} {rfc3339(event.envelope.time)}")


@dataclass(frozen=True)
class Stored:
    """An event of the store: its entity, its type, and its time."""

    entity: str
    type: str
    time: str


@dataclass
class Store:
    """The store.

    Attributes:
        items: how many there are.
        events: one of each.
        ttl_days: after how many days it forgets an event; 0 for never.
        keys: of those that are under several keys, entity and time of all.
        latest: the last place of each entity.
        misplaced: keys of items that are not where their event belongs.
    """

    items: int = 0
    ttl_days: int = 0
    events: dict[str, Stored] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)
    latest: dict[str, str] = field(default_factory=dict)
    misplaced: list[str] = field(default_factory=list)

    def add(self, item: Mapping[str, Any]) -> None:
        """Take an item into account."""
        self.items += 1
        entity, at = item["entity"]["S"], item["at"]["S"]
        fields = item.get("event", {}).get("M", {})
        of = {each: fields.get(each, {}).get("S", "") for each in _OF_EVENT}
        if (entity, at) != (entity_key(of["type"], of["subject"]), f"{of['time']}#{of['id']}"):
            self.misplaced.append(f"{entity} {at}")
        name = f"{of['source']} {of['id']}"
        if name in self.events:
            earlier = self.events[name]
            keys = self.keys.setdefault(name, [f"{earlier.entity} {earlier.time}"])
            keys.append(f"{entity} {of['time']}")
        self.events[name] = Stored(entity, of["type"], of["time"])
        self.latest[entity] = max(self.latest.get(entity, ""), at)


@dataclass
class State:
    """An entity's latest state: of which event it is."""

    place: str
    source: str


@dataclass
class Consumer:
    """The consumer's tables.

    Attributes:
        markers: the type of each event that was counted.
        totals: how many events of each type were counted.
        states: of the entities.
        forgets: whether it is older than its markers get, so that some may be gone.
    """

    markers: dict[str, str] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    forgets: bool = False


@dataclass
class Holdings:
    """All of it.

    Attributes:
        lake: the lake.
        errors: its error prefix.
        store: the store.
        consumer: the consumer's tables; None if it is not deployed.
        queued: about how many messages are in the queues before store and consumer.
    """

    lake: Lake
    errors: Errors
    store: Store
    consumer: Consumer | None = None
    queued: int = 0


def read(target: Target) -> Holdings:
    """Read all that is there now.

    Raises:
        OdysseyError: the intake is not deployed.
    """
    outputs = target.outputs(STACK)
    queued = in_queue(target, outputs["EventsQueueUrl"])
    # What is on its way looks less like a loss if it is sought upstream after it was found.
    found = consumer(target)
    if found is not None:
        queued += in_queue(target, target.outputs(CONSUMER)["EventsQueueUrl"])
    return Holdings(
        lake(target, outputs), errors(target, outputs), store(target, outputs), found, queued
    )


def lake(target: Target, outputs: Mapping[str, str]) -> Lake:
    """Read the lake; `outputs` are the intake's."""
    found = Lake(since=_expired_before(target, outputs["LakeBucket"]))
    for listed in objects(target, outputs["LakeBucket"], outputs["EventsPrefix"]):
        found.objects += 1
        found.size += listed["Size"]
        if is_archived(listed):
            found.archived += 1
            found.since = max(found.since, rfc3339(listed["LastModified"]))
            continue
        for place, line in lines(target, outputs["LakeBucket"], listed["Key"], found.unreadable):
            found.add(place, line)
    return found


def errors(target: Target, outputs: Mapping[str, str]) -> Errors:
    """Read the error prefix; `outputs` are the intake's."""
    found = Errors()
    for listed in objects(target, outputs["LakeBucket"], outputs["ErrorsPrefix"]):
        if is_archived(listed):
            found.archived += 1
            continue
        for place, line in lines(target, outputs["LakeBucket"], listed["Key"], found.unreadable):
            found.add(place, line)
    return found


def store(target: Target, outputs: Mapping[str, str]) -> Store:
    """Read the store; `outputs` are the intake's."""
    found = Store(ttl_days=int(outputs.get("EventTtlDays", "0")))
    names = ("entity", "at", *(f"event.{name}" for name in _OF_EVENT))
    for item in _scan(target, outputs["EventsTable"], *names):
        found.add(item)
    return found


def consumer(target: Target) -> Consumer | None:
    """Read the consumer's tables; None if it is not deployed."""
    try:
        outputs = target.outputs(CONSUMER)
    except OdysseyError:
        return None
    described = target.client("cloudformation").describe_stacks(StackName=CONSUMER)["Stacks"][0]
    age = datetime.now(UTC) - described["CreationTime"]
    return Consumer(
        markers={
            item["id"]["S"]: item["type"]["S"]
            for item in _scan(target, outputs["MarkersTable"], "id", "type")
        },
        totals={
            item["id"]["S"]: int(item["event_count"]["N"])
            for item in _scan(target, outputs["TotalsTable"], "id", "event_count")
        },
        states={
            item["id"]["S"]: State(item["place"]["S"], item["source"]["S"])
            for item in _scan(target, outputs["EntitiesTable"], "id", "place", "source")
        },
        forgets=age > timedelta(days=MARKER_DAYS),
    )


def in_queue(target: Target, queue_url: str) -> int:
    """Return about how many messages a queue has, those that are worked on included."""
    kinds = ("", "NotVisible", "Delayed")
    names = [f"ApproximateNumberOfMessages{kind}" for kind in kinds]
    answer = target.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)
    return sum(int(answer["Attributes"][name]) for name in names)


def _scan(target: Target, table: str, *attributes: str) -> Iterator[dict[str, Any]]:
    """Yield all items, with these attributes of them, of which a path may have two parts."""
    parts = {part for each in attributes for part in each.split(".")}
    paths = [".".join(f"#{part}" for part in each.split(".")) for each in attributes]
    pages = target.client("dynamodb").get_paginator("scan")
    for page in pages.paginate(
        TableName=table,
        ConsistentRead=True,
        ProjectionExpression=", ".join(paths),
        ExpressionAttributeNames={f"#{part}": part for part in parts},
    ):
        yield from page["Items"]


def objects(target: Target, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    """Yield what is listed of a bucket's objects below a prefix."""
    pages = target.client("s3").get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=bucket, Prefix=prefix, ExpectedBucketOwner=target.account):
        yield from page.get("Contents", [])


def is_archived(listed: Mapping[str, Any]) -> bool:
    """Say whether a listed object must be restored before it can be read."""
    return listed.get("StorageClass") in _ARCHIVED


def _expired_before(target: Target, bucket: str) -> str:
    """Return the time before which the bucket's lifecycle has deleted objects, "" for none."""
    s3 = target.client("s3")
    try:
        rules = s3.get_bucket_lifecycle_configuration(
            Bucket=bucket, ExpectedBucketOwner=target.account
        )["Rules"]
    except s3.exceptions.ClientError as error:
        if error_code(error) != "NoSuchLifecycleConfiguration":
            raise
        return ""
    days = [
        each["Expiration"]["Days"]
        for each in rules
        if each["Status"] == "Enabled" and "Days" in each.get("Expiration", {})
    ]
    return rfc3339(datetime.now(UTC) - timedelta(days=min(days))) if days else ""


def lines(
    target: Target, bucket: str, key: str, unreadable: list[str]
) -> Iterator[tuple[str, bytes]]:
    """Yield an object's lines, each with its place; an object that is torn is `unreadable`."""
    body = target.client("s3").get_object(
        Bucket=bucket, Key=key, ExpectedBucketOwner=target.account
    )["Body"]
    content = io.BytesIO(body.read())
    is_compressed = content.getvalue().startswith(_GZIP)
    found: Iterable[bytes] = gzip.GzipFile(fileobj=content) if is_compressed else content
    try:
        for number, line in enumerate(found, start=1):
            if line.strip():
                yield f"{key}:{number}", line
    except (OSError, EOFError, zlib.error) as error:
        unreadable.append(f"{key}: {error}")

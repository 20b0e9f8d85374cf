"""The deployed intake and its consumer, and what has become of events there."""

from __future__ import annotations

import base64
import json
import uuid
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ingest.records import SOURCE
from odyssey_cli import failures
from odyssey_cli.demo.ingest_drive import Drive
from odyssey_cli.flows.ingest import CONSUMER, STACK
from odyssey_cli.flows.ingest.events import SENDER, Event
from odyssey_cli.flows.ingest.generate import FIREHOSE, SQS, sender
from odyssey_cli.flows.ingest.reprocess import Report, reprocess
from odyssey_cli.flows.ingest.verify import verify
from shared import times
from shared.reads import batch_get
from tests.local.sources import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from odyssey_cli.failures import Kind
    from odyssey_cli.flows.ingest.senders import ToStream
    from odyssey_cli.flows.ingest.verify import Problem

# Others may use the machine.
PATIENCE = 40.0
# Half a second here.
_SOON = 10


class Where(NamedTuple):
    """How often an event is somewhere: lines of the lake, items of the store, markers."""

    lake: int = 0
    store: int = 0
    counted: int = 0


NOWHERE, ONLY_STORED, BY_STREAM, BY_QUEUE = Where(), Where(0, 1, 0), Where(1, 1, 1), Where(0, 1, 1)


def event(number: int = 0, *, subject: str = "", **data: Any) -> Event:
    """Return an event of an entity of its own, or of `subject`."""
    made = data or {"number": number}
    return Event(
        str(uuid.uuid4()), "order", subject or f"s-{uuid.uuid4().hex[:10]}", times.now(), made
    )


def events_of_one(count: int) -> list[Event]:
    """Return events of one entity, in their order."""
    subject = f"s-{uuid.uuid4().hex[:10]}"
    return [event(number, subject=subject) for number in range(count)]


class Intake(Drive):
    """The stacks under test."""

    @property
    def sqs(self) -> Any:
        return self.target.client("sqs")

    # Sending

    def put(self, *records: bytes | Event) -> None:
        """Put records into the delivery stream."""
        data = [each.record() if isinstance(each, Event) else each for each in records]
        answer = self.target.client("firehose").put_record_batch(
            DeliveryStreamName=self.intake["DeliveryStreamName"],
            Records=[{"Data": each} for each in data],
        )
        assert answer["FailedPutCount"] == 0

    def send(self, *events: Event) -> None:
        """Send events directly to the queue, in their order."""
        by = sender(self.target, SQS)
        for first in range(0, len(events), by.most):
            sent = by.send(events[first : first + by.most])
            assert not sent.refused
            assert not sent.unknown

    # Looking

    def where(self, *events: Event) -> list[Where]:
        """Say where events are."""
        lines = Counter(line["id"] for line in self.lines())
        items = Counter(
            item["event"]["M"]["id"]["S"]
            for entity in {each.entity for each in events}
            for item in self.stored(entity)
        )
        markers = {f"{source} {each.id}": each.id for source in (SOURCE, SENDER) for each in events}
        counted = Counter(
            markers[found["id"]["S"]]
            for found in batch_get(
                self.target.client("dynamodb"),
                list(markers),
                table=self.consumer["MarkersTable"],
                attributes="id",
            )
        )
        return [Where(lines[each.id], items[each.id], counted[each.id]) for each in events]

    def all_are(self, expected: Where, *events: Event) -> bool:
        """Say whether all events come to be where they should, and to be so often there."""
        wanted = [expected] * len(events)
        return eventually(lambda: self.where(*events), wanted, PATIENCE) == wanted

    def given_up(self) -> dict[str, list[dict[str, Any]]]:
        """Return the documents of each object in the error prefix."""
        s3, bucket = self.target.client("s3"), self.intake["LakeBucket"]
        found = s3.list_objects_v2(Bucket=bucket, Prefix=self.intake["ErrorsPrefix"])
        bodies = {
            each["Key"]: s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
            for each in found.get("Contents", [])
        }
        return {key: list(map(json.loads, body.splitlines())) for key, body in bodies.items()}

    def codes(self, text: str) -> list[str]:
        """Return the errors of the records in the error prefix that have this in them."""
        return [
            document["errorCode"]
            for documents in self.given_up().values()
            for document in documents
            if text.encode() in base64.b64decode(document["rawData"])
        ]

    def causes(self, stack: str = STACK) -> list[str]:
        """Return the causes of a stack's rejects, of which there are ten at most."""
        outputs = self.intake if stack == STACK else self.consumer
        found = self.sqs.receive_message(
            QueueUrl=outputs["RejectsQueueUrl"],
            MaxNumberOfMessages=10,
            VisibilityTimeout=0,
            MessageAttributeNames=["All"],
        )
        return [
            each["MessageAttributes"]["cause"]["StringValue"] for each in found.get("Messages", [])
        ]

    def problems(self) -> dict[Problem, list[str]]:
        """Return what `verify` finds to be wrong."""
        return verify(self.target).problems

    def is_clean(self) -> bool:
        """Say whether everything has come to rest, and nothing is missing or double."""
        return verify(self.target, wait=PATIENCE, pause=0.3).is_settled

    def said(self, stack: str, group: str, since: int = 0) -> list[dict[str, Any]]:
        """Return the lines of a log group, from a moment in milliseconds on."""
        name = self.physical_id(stack, "AWS::Logs::LogGroup", group)
        pages = self.target.client("logs").get_paginator("filter_log_events")
        return [
            json.loads(each["message"])
            for page in pages.paginate(logGroupName=name, startTime=since)
            for each in page["events"]
            if each["message"].startswith("{")
        ]

    def physical_id(self, stack: str, type: str, prefix: str) -> str:
        """Return the name of the one resource of a type whose logical id begins so."""
        resources = self.target.client("cloudformation").describe_stack_resources(StackName=stack)
        [found] = [
            each["PhysicalResourceId"]
            for each in resources["StackResources"]
            if each["LogicalResourceId"].startswith(prefix) and each["ResourceType"] == type
        ]
        return str(found)

    def arn(self, url: str) -> str:
        """Return the ARN of a queue."""
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])

    # Mending

    def reprocess(self) -> Report:
        """Bring back what Firehose gave up."""
        return reprocess(self.target, cast("ToStream", sender(self.target, FIREHOSE)))

    def redrive(self, stack: str, kind: Kind) -> list[failures.Redriven]:
        """Bring back what waits in a stack's failure queues of a kind."""
        return [
            redriven
            for queue in failures.discover(self.target, stack)
            if queue.kind is kind
            for redriven in failures.redrive_all(self.target, queue)
        ]

    def forget_rejects(self) -> None:
        for stack in (self.intake, self.consumer):
            self.sqs.purge_queue(QueueUrl=stack["RejectsQueueUrl"])

    # Waiting less

    @contextmanager
    def impatient(self) -> Iterator[Self]:
        """Shorten buffers of the stream and visibility timeouts while the block runs."""
        before = self._buffers()
        hint = before["BufferingHints"] | {"IntervalInSeconds": _SOON}
        processing = json.loads(json.dumps(before["ProcessingConfiguration"]))
        for parameter in processing["Processors"][0]["Parameters"]:
            if parameter["ParameterName"] == "BufferIntervalInSeconds":
                parameter["ParameterValue"] = str(_SOON)
        with self.soon_visible(STACK), self.soon_visible(CONSUMER):
            self._buffer({"BufferingHints": hint, "ProcessingConfiguration": processing})
            try:
                yield self
            finally:
                self._buffer(before)

    @contextmanager
    def soon_visible(self, stack: str) -> Iterator[None]:
        """Let a stack's queue hide messages for half a second only while the block runs."""
        outputs = self.intake if stack == STACK else self.consumer
        queue, name = {"QueueUrl": outputs["EventsQueueUrl"]}, "VisibilityTimeout"
        before = self.sqs.get_queue_attributes(**queue, AttributeNames=[name])["Attributes"]
        self.sqs.set_queue_attributes(**queue, Attributes={name: str(_SOON)})
        try:
            yield
        finally:
            self.sqs.set_queue_attributes(**queue, Attributes=before)

    def _described(self) -> dict[str, Any]:
        made: dict[str, Any] = self.target.client("firehose").describe_delivery_stream(
            DeliveryStreamName=self.intake["DeliveryStreamName"]
        )["DeliveryStreamDescription"]
        return made

    def _buffers(self) -> dict[str, Any]:
        [destination] = self._described()["Destinations"]
        found = destination["ExtendedS3DestinationDescription"]
        return {each: found[each] for each in ("BufferingHints", "ProcessingConfiguration")}

    def _buffer(self, update: dict[str, Any]) -> None:
        now = self._described()
        self.target.client("firehose").update_destination(
            DeliveryStreamName=now["DeliveryStreamName"],
            CurrentDeliveryStreamVersionId=now["VersionId"],
            DestinationId=now["Destinations"][0]["DestinationId"],
            ExtendedS3DestinationUpdate=update,
        )

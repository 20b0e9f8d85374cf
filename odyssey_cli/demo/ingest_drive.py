"""What the intake's checks share: the stacks under test, and what was sent to them."""

from __future__ import annotations

import base64
import gzip
import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from odyssey_cli.demo import people
from odyssey_cli.demo.checks import expect
from odyssey_cli.demo.ingest_records import bad_records
from odyssey_cli.demo.waiting import patience, until
from odyssey_cli.flows.http import SignedClient
from odyssey_cli.flows.ingest import CONSUMER, STACK
from odyssey_cli.flows.ingest.api import ConsumerApi
from odyssey_cli.flows.ingest.events import make
from odyssey_cli.flows.ingest.generate import FIREHOSE, send, sender
from odyssey_cli.flows.ingest.verify import Findings, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from odyssey_cli.flows.ingest.events import Event
    from odyssey_cli.flows.ingest.generate import Via
    from odyssey_cli.target import Target

LAKE, STORE, COUNTED = (
    "events in the lake",
    "events in the store",
    "events counted by the consumer",
)


class Drive:
    """The flow under test.

    Attributes:
        target: where it is deployed, with the deployer's credentials.
        intake: outputs of the intake's stack.
        consumer: outputs of the consumer's stack.
        api: the consumer's, as whoever has the stack's client policy sees it.
        streamed: the events that went into the delivery stream.
        queued: the events that went directly into the queue.
        triggered: how many events were handed to the consumer by hand.
        bad: the records that are no events, and what the cause of each begins with.
        held_back: id of an event that the storer was made to fail on.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.intake, self.consumer = target.outputs(STACK), target.outputs(CONSUMER)
        self.api = ConsumerApi(target)
        self.streamed: list[Event] = []
        self.queued: list[Event] = []
        self.triggered = 0
        self.bad = bad_records()
        self.held_back = ""

    @contextmanager
    def as_client(self) -> Iterator[None]:
        """Use the consumer's API with nothing but the stack's client policy for the block."""
        policy = self.consumer["ClientPolicyArn"]
        with people.client(self.target, "demo-consumer-client", policy) as client:
            self.api.client = SignedClient(self.consumer["ApiUrl"], client.session)
            yield

    @property
    def sent(self) -> list[Event]:
        """All events that were sent, in the order in which they were made."""
        return sorted([*self.streamed, *self.queued], key=lambda event: event.time)

    def generate(
        self,
        via: Via,
        count: int,
        *,
        seed: int,
        before: Callable[[Sequence[Event]], None] = lambda _: None,
    ) -> str:
        """Send events, all of which must be taken; say how fast that went.

        Args:
            via: `firehose` or `sqs`.
            count: how many.
            seed: what decides what they tell.
            before: called with all of them before the first is sent.
        """
        into = self.streamed if via == FIREHOSE else self.queued
        events = list(make("mix", count, seed=seed))
        before(events)
        report = send(events, by=sender(self.target, via), wanted=count, taken=into.extend)
        expect(report.is_accounted_for, f"of {count} events {report.accepted} were taken")
        return f"{report.accepted} by {via} ({report.rate:.0f} a second)"

    def settled(self) -> Findings:
        """Wait until all that was sent is everywhere, and return what `verify` finds."""
        counts = {
            LAKE: len(self.streamed),
            STORE: len(self.sent),
            COUNTED: len(self.sent) + self.triggered,
        }
        end = time.monotonic() + patience()
        # Reading everything takes the machine's time from what is to be waited for.
        until(lambda: self._counts() == (counts[STORE], counts[COUNTED]))
        while True:
            findings = verify(self.target)
            differing = {
                name: findings.counts[name]
                for name, expected in counts.items()
                if findings.counts[name] != expected
            }
            if (findings.is_settled and not differing) or time.monotonic() > end:
                break
            time.sleep(0.5)
        problems = {str(kind): names[:3] for kind, names in findings.problems.items()}
        expect(findings.is_clean, f"not clean: {problems}")
        expect(not differing, f"expected {counts}, found {differing}")
        return findings

    def _counts(self) -> tuple[int, int]:
        """Return how many events are stored, and how many are counted."""
        tables = self.intake["EventsTable"], self.consumer["MarkersTable"]
        scan = self.target.client("dynamodb").get_paginator("scan")
        stored, counted = (
            sum(page["Count"] for page in scan.paginate(TableName=table, Select="COUNT"))
            for table in tables
        )
        return stored, counted

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield the envelopes in the lake."""
        for body in self._objects("EventsPrefix"):
            yield from map(json.loads, gzip.decompress(body).splitlines())

    def raw_failures(self) -> list[bytes]:
        """Return the records in the error prefix, as they were put."""
        documents = [
            json.loads(line) for body in self._objects("ErrorsPrefix") for line in body.splitlines()
        ]
        return [base64.b64decode(document["rawData"]) for document in documents]

    def _objects(self, prefix: str) -> Iterator[bytes]:
        s3 = self.target.client("s3")
        bucket = self.intake["LakeBucket"]
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=self.intake[prefix]
        )
        for page in pages:
            for each in page.get("Contents", []):
                yield s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()

    def stored(self, entity: str) -> list[dict[str, Any]]:
        """Return the items of an entity, in the store's order."""
        answer = self.target.client("dynamodb").query(
            TableName=self.intake["EventsTable"],
            KeyConditionExpression="entity = :entity",
            ExpressionAttributeValues={":entity": {"S": entity}},
            ConsistentRead=True,
        )
        items: list[dict[str, Any]] = answer["Items"]
        return items

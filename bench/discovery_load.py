"""Sends items through Discovery's script, updater and listener and counts what they ask of AWS.

Runs as a process of its own (`python -m bench.discovery_load`), because the updater reads its
environment once and boto3's default session is changed: a job comes as JSON on standard input,
the counts leave as JSON on standard output. moto answers; nothing is sent anywhere.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from bench.load import REGION, Context, metric_names
from bench.meter import Meter, Tally
from odyssey_cli.flows.discovery import documents
from odyssey_cli.flows.discovery.listen import Seen, Service, Stop
from odyssey_cli.flows.discovery.submit import Outcome, Script

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from types_boto3_sqs import SQSClient

UPDATER = "discovery.updater"
TABLE, BUCKET = "items", "files"


@dataclass(frozen=True)
class Job:
    """What to send.

    Attributes:
        environment: the updater's variables; the names of its resources are replaced by moto's.
        loads: the batches of each load: the number of items in each, ten at most.
    """

    environment: Mapping[str, str]
    loads: list[list[int]]


@dataclass
class Counts:
    """What one of the three asked of AWS.

    Attributes:
        items: that it was given.
        invocations: of the updater; 0 for the programs.
        calls: AWS calls by operation, but for receives that returned nothing.
        empty_receives: receives that returned nothing.
        write_units: of DynamoDB.
        read_units: of DynamoDB.
        item_bytes: of new items.
        object_bytes: of new objects.
        log_bytes: what the updater printed: logs and metrics in the embedded format.
        metrics: names of the business metrics among them.
    """

    items: int
    invocations: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    empty_receives: int = 0
    write_units: float = 0
    read_units: float = 0
    item_bytes: int = 0
    object_bytes: int = 0
    log_bytes: int = 0
    metrics: list[str] = field(default_factory=list)

    def take(self, tally: Tally) -> None:
        """Take over what was counted."""
        self.calls = {name: count for name, count in tally.calls.items() if count}
        self.empty_receives = tally.empty_receives
        if self.empty_receives:
            self.calls["ReceiveMessage"] -= self.empty_receives
        self.write_units, self.read_units = tally.write_units, tally.read_units
        self.item_bytes, self.object_bytes = tally.item_bytes, tally.object_bytes


@dataclass(frozen=True)
class Counted:
    """The counts of a load."""

    submit: Counts
    updater: Counts
    listener: Counts

    @classmethod
    def read(cls, value: dict[str, Any]) -> Counted:
        """Return what `asdict` made a dictionary of."""
        return cls(**{name: Counts(**counts) for name, counts in value.items()})


@dataclass(frozen=True)
class Cloud:
    """moto's table, bucket and queues, and a client that is not watched."""

    meter: Meter
    session: boto3.Session
    uploaded: str
    updated: str
    sqs: SQSClient


def feed(job: Job, printed: io.StringIO) -> list[Counted]:
    """Send all loads; return the counts of each.

    Args:
        job: what to send.
        printed: standard output; the updater's logger keeps the one it was imported with.

    Raises:
        AssertionError: an item was not submitted, updated or verified.
    """
    cloud = _cloud(job.environment)
    module = importlib.import_module(UPDATER)
    return [_send(batches, cloud, module, printed) for batches in job.loads]


def _cloud(environment: Mapping[str, str]) -> Cloud:
    """Make the resources, and have the updater find them."""
    credentials: Any = {
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
        "region_name": REGION,
    }
    unwatched = boto3.Session(**credentials)
    unwatched.client("dynamodb").create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    unwatched.client("s3").create_bucket(Bucket=BUCKET)
    sqs = unwatched.client("sqs")
    urls = {
        name: sqs.create_queue(QueueName=name)["QueueUrl"]
        for name in ("uploaded", "updated", "rejects")
    }
    os.environ.update(environment)
    os.environ.update(
        ITEMS_TABLE=TABLE, UPDATED_QUEUE=urls["updated"], REJECTS_QUEUE=urls["rejects"]
    )
    boto3.setup_default_session(**credentials)
    session = boto3.DEFAULT_SESSION
    assert session is not None  # noqa: S101 - for the type
    meter = Meter()
    meter.attach(session.events)
    session.events.register("before-call.s3.PutObject", _name_checksum)
    return Cloud(meter, session, urls["uploaded"], urls["updated"], sqs)


def _name_checksum(params: dict[str, Any], **_: object) -> None:
    """Add the header without which moto overlooks a checksum; S3 does not need it."""
    params["headers"].setdefault("x-amz-sdk-checksum-algorithm", "SHA256")


def _send(
    batches: list[int],
    cloud: Cloud,
    module: Any,  # noqa: ANN401 - a handler's module
    printed: io.StringIO,
) -> Counted:
    submit, listener = Counts(sum(batches)), Counts(sum(batches))
    updater = Counts(sum(batches), invocations=len(batches))
    with _counted(submit, cloud.meter):
        _submit(batches, cloud)
    printed.seek(0)
    printed.truncate()
    with _counted(updater, cloud.meter):
        for size in batches:
            answer = module.handler(_taken(size, cloud), Context(UPDATER))
            if answer["batchItemFailures"]:
                raise AssertionError(f"The updater returned messages: {answer}")
    text = printed.getvalue()
    updater.log_bytes, updater.metrics = len(text.encode()), sorted(metric_names(text))
    with _counted(listener, cloud.meter):
        _listen(batches, cloud)
    return Counted(submit, updater, listener)


@contextlib.contextmanager
def _counted(counts: Counts, meter: Meter) -> Iterator[None]:
    meter.tally = Tally()
    yield
    counts.take(meter.tally)


# Of moto's buckets.
ACCOUNT = "123456789012"


def _submit(batches: Iterable[int], cloud: Cloud) -> None:
    client = cloud.session.client
    script = Script(
        TABLE, BUCKET, cloud.uploaded, ACCOUNT, client("dynamodb"), client("s3"), client("sqs")
    )
    with tempfile.TemporaryDirectory() as folder:
        numbers = itertools.count(1)
        for size in batches:
            written = [
                documents.write(Path(folder), f"laptop-{next(numbers)}.json", documents.Wanted())
                for _ in range(size)
            ]
            for done in script.submit(written):
                if done.outcome is not Outcome.SUBMITTED:
                    raise AssertionError(f"An item was not submitted: {done.error}")


def _taken(size: int, cloud: Cloud) -> dict[str, Any]:
    """Take messages as an event source mapping does; return the event it would invoke with.

    Shape: "Using Lambda with Amazon SQS".
    """
    messages = cloud.sqs.receive_message(QueueUrl=cloud.uploaded, MaxNumberOfMessages=size)[
        "Messages"
    ]
    if len(messages) != size:
        raise AssertionError(f"{size} messages were asked for, {len(messages)} came.")
    for message in messages:
        cloud.sqs.delete_message(QueueUrl=cloud.uploaded, ReceiptHandle=message["ReceiptHandle"])
    return {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:uploaded",
                "awsRegion": REGION,
            }
            for message in messages
        ]
    }


def _listen(batches: Iterable[int], cloud: Cloud) -> None:
    """Verify the items, each batch in a run of its own that ends with it."""
    client = cloud.session.client
    service = Service(
        TABLE, BUCKET, cloud.updated, ACCOUNT, client("dynamodb"), client("s3"), client("sqs"),
        pace=lambda seconds: seconds,
    )  # fmt: skip

    def tell(seen: Seen) -> None:
        if seen.verified is None:
            raise AssertionError(f"{seen.name} was not verified: {seen.problem}")

    for size in batches:
        totals = service.run(stop=Stop(), tell=tell, most=size, idle=1)
        if len(totals.verified) != size or totals.undeleted:
            raise AssertionError(f"Of {size} items {len(totals.verified)} were verified.")


def main() -> int:
    """Read a job, send it, write the counts."""
    from moto import mock_aws  # noqa: PLC0415 - slow, and only this process needs it

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), mock_aws():
        counts = feed(Job(**json.load(sys.stdin)), printed)
    json.dump([asdict(each) for each in counts], sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Feeds the event aggregator's functions with events and counts what they ask of AWS.

Runs as a process of its own (`python -m bench.load`), because the functions read their
environment once and boto3's default session is changed: a job comes as JSON on standard input,
the counts leave as JSON on standard output. Nothing is sent anywhere.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import io
import itertools
import json
import os
import sys
import uuid
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from bench.dynamodb import CountingDynamoDB, Tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PRODUCER, AGGREGATOR = "event_aggregator.producer", "event_aggregator.aggregator"
REGION = "us-east-1"


@dataclass(frozen=True)
class Job:
    """What to feed.

    Attributes:
        environment: the variables of both functions together.
        indexes: how many indexes each table has.
        batches: the batches of each load: the number of events in each.
        groups: groups of equal events that the events are spread over.
        events: requests to feed to the producer, whose items the aggregator's batches repeat.
    """

    environment: Mapping[str, str]
    indexes: Mapping[str, int]
    batches: list[list[int]]
    groups: int
    events: int = 1_000


@dataclass
class Counts:
    """What one function asked of AWS.

    Attributes:
        invocations: of the function.
        events: that it was given.
        calls: AWS calls, by operation.
        writes: write request units, by table (`<table> index` for an index).
        reads: read request units, by table.
        stored: bytes of new items, by table.
        log_bytes: what it printed: logs and metrics in the embedded format.
        metrics: names of the business metrics among them.
    """

    invocations: int
    events: int
    calls: dict[str, int] = field(default_factory=dict)
    writes: dict[str, float] = field(default_factory=dict)
    reads: dict[str, float] = field(default_factory=dict)
    stored: dict[str, int] = field(default_factory=dict)
    log_bytes: int = 0
    metrics: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Context:
    """The Lambda context, as far as Powertools reads it."""

    function_name: str = "function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:function"
    aws_request_id: str = "52fdfc07-2182-454f-963f-5f0f9a621d72"


def feed(job: Job, printed: io.StringIO) -> tuple[Counts, list[Counts]]:
    """Feed one job; return the producer's counts, and the aggregator's for each load.

    Args:
        job: what to feed.
        printed: standard output; the functions' loggers keep the one they were imported with.

    Raises:
        AssertionError: the summaries do not add up to the events of a load.
    """
    os.environ.update(job.environment)
    table = CountingDynamoDB(job.indexes)
    session(table)

    producer = Counts(invocations=job.events, events=job.events)
    module = importlib.import_module(PRODUCER)
    with counted(producer, table, printed):
        for number in range(job.events):
            answer = module.handler(_request(number, number % job.groups), Context())
            if answer["statusCode"] != 202:  # noqa: PLR2004 - Accepted
                raise AssertionError(f"The producer refused an event: {answer['body']}")
    items = list(itertools.chain.from_iterable(each.values() for each in table.tables.values()))

    module = importlib.import_module(AGGREGATOR)
    loads = [_aggregate(module, batches, items, job, printed) for batches in job.batches]
    return producer, loads


def _aggregate(
    module: Any,  # noqa: ANN401 - a handler's module
    batches: list[int],
    items: list[Any],
    job: Job,
    printed: io.StringIO,
) -> Counts:
    table = CountingDynamoDB(job.indexes)
    session(table)
    counts = Counts(invocations=len(batches), events=sum(batches))
    new = _new_events(items)
    with counted(counts, table, printed):
        for size in batches:
            answer = module.handler(_batch(itertools.islice(new, size)), Context())
            if answer and answer.get("batchItemFailures"):
                raise AssertionError(f"The aggregator returned records: {answer}")
    total = sum(
        int(item["item_count"]["N"])
        for items_of_table in table.tables.values()
        for item in items_of_table.values()
        if "item_count" in item
    )
    if total != counts.events:
        raise AssertionError(f"{counts.events} events were fed, {total} were counted.")
    return counts


@contextlib.contextmanager
def counted(counts: Counts, table: CountingDynamoDB, printed: io.StringIO) -> Iterator[None]:
    """Fill `counts` with what is asked of `table` and printed within."""
    table.tally = Tally()
    printed.seek(0)
    printed.truncate()
    yield
    for name, values in vars(table.tally).items():
        setattr(counts, name, dict(values))
    text = printed.getvalue()
    counts.log_bytes = len(text.encode())
    counts.metrics = sorted(metric_names(text))


def session(table: CountingDynamoDB) -> None:
    """Have every client that is made from now on answered by `table`."""
    import boto3  # noqa: PLC0415 - after the environment is set

    boto3.setup_default_session(
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - signs nothing that leaves
        region_name=REGION,
    )
    table.attach(boto3.DEFAULT_SESSION.events)  # type: ignore[union-attr]
    for maker in vars(importlib.import_module("shared.clients")).values():
        if hasattr(maker, "cache_clear"):
            maker.cache_clear()


def metric_names(text: str) -> set[str]:
    """Return the names of the metrics that a function printed in the embedded metric format."""
    names: set[str] = set()
    for line in text.splitlines():
        if line.startswith('{"_aws"'):
            for each in json.loads(line)["_aws"]["CloudWatchMetrics"]:
                names |= {metric["Name"] for metric in each["Metrics"]}
    return names


def _request(number: int, group: int) -> dict[str, Any]:
    """Return a proxy event of the REST API, as far as it is read.

    Shape: "Input format of a Lambda function for proxy integration", Amazon API Gateway.
    """
    body = base64.b64encode(json.dumps({"city": "Åsa", "wind": group}).encode()).decode()
    headers = {"Content-Type": "application/json"}
    return {
        "resource": "/trigger-event",
        "path": "/trigger-event",
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "identity": {"caller": "AROAEXAMPLEROLE:session"},
            "requestId": str(uuid.UUID(int=number)),
            "resourcePath": "/trigger-event",
            "stage": "v1",
        },
        "body": body,
        "isBase64Encoded": True,
    }


def _new_events(items: list[Any]) -> Iterator[dict[str, Any]]:
    """Return stored events without end: the given ones again and again, with new ids."""
    for item in itertools.cycle(items):
        yield {**item, "id": {"S": str(uuid.uuid4())}}


def _batch(items: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """Return a batch of the stream ("Using AWS Lambda with Amazon DynamoDB")."""
    return {
        "Records": [
            {
                "eventID": f"{number:032x}",
                "eventName": "INSERT",
                "eventSource": "aws:dynamodb",
                "dynamodb": {
                    "Keys": {"id": item["id"]},
                    "NewImage": item,
                    "SequenceNumber": f"{number:021d}",
                    "StreamViewType": "NEW_IMAGE",
                },
                "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/1",
            }
            for number, item in enumerate(items, 1)
        ]
    }


def main() -> int:
    """Read a job, feed it, write the counts."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        producer, loads = feed(Job(**json.load(sys.stdin)), printed)
    json.dump([asdict(producer), [asdict(each) for each in loads]], sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())

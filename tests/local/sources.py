"""Tables, queues and functions on them, for tests of how the local cloud delivers."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from tests.local.functions import allow, function

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_cli.target import Target

# Says what it was sent; `names` are the items' ids or the messages' bodies.
_SOURCE = """
import json, time
def handler(event, context):
    records = event["Records"]
    names = [r["body"] if "body" in r else r["dynamodb"]["Keys"]["id"]["S"] for r in records]
    print("SENT " + json.dumps(names))
    def report(*bad):
        key = lambda r: r.get("messageId") or r["dynamodb"]["SequenceNumber"]
        found = [key(r) for r, name in zip(records, names) if name in bad]
        return {{"batchItemFailures": [{{"itemIdentifier": name}} for name in found]}}
    {body}
"""
T = TypeVar("T")
REPORTING = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}


def eventually(read: Callable[[], T], expected: T, seconds: float = 10) -> T:
    """Return `expected` as soon as `read` gives it, else what it gave last."""
    until = time.monotonic() + seconds
    while (found := read()) != expected and time.monotonic() < until:
        time.sleep(0.05)
    return found


@dataclass
class Bench:
    """Makes things on a cloud and looks at them."""

    target: Target

    def table(self) -> tuple[str, str]:
        """Make a table with a stream; return its name and the stream's ARN."""
        made = self.target.client("dynamodb").create_table(
            TableName=f"table-{uuid.uuid4().hex[:8]}",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )["TableDescription"]
        return made["TableName"], made["LatestStreamArn"]

    def put(self, table: str, *ids: str) -> None:
        for name in ids:
            self.target.client("dynamodb").put_item(TableName=table, Item={"id": {"S": name}})

    def queue(self, **attributes: str) -> tuple[str, str]:
        """Make a queue; return its URL and ARN."""
        suffix = ".fifo" if "FifoQueue" in attributes else ""
        sqs = self.target.client("sqs")
        name = f"queue-{uuid.uuid4().hex[:8]}{suffix}"
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]  # type: ignore[arg-type]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        return url, arn["QueueArn"]

    def queue_with_dead_letters(self, receives: int, **attributes: str) -> tuple[str, str, str]:
        """Make a queue with a dead-letter queue; return its URL and ARN, and the other's URL."""
        fifo = {"FifoQueue": "true"} if "FifoQueue" in attributes else {}
        dead, dead_arn = self.queue(**fifo)
        policy = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": receives})
        return *self.queue(RedrivePolicy=policy, **attributes), dead

    def send(self, url: str, *bodies: str, **more: Any) -> None:
        for body in bodies:
            self.target.client("sqs").send_message(QueueUrl=url, MessageBody=body, **more)

    def bodies(self, url: str) -> list[str]:
        """Return what a queue holds, unless somebody has it just now."""
        found = self.target.client("sqs").receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return [message["Body"] for message in found.get("Messages", [])]

    def count(self, url: str) -> int:
        """Return how many messages a queue holds, hidden ones too."""
        found = self.target.client("sqs").get_queue_attributes(
            QueueUrl=url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )
        return sum(map(int, found["Attributes"].values()))

    def function(self, body: str, *statements: dict[str, Any]) -> str:
        """Make a function that says what it was sent; return its ARN."""
        rights = statements or (allow("dynamodb:*"), allow("sqs:*"))
        indented = body.replace("\n", "\n    ")
        return function(self.target, _SOURCE.format(body=indented), *rights)

    def map(self, source: str, function: str, **more: Any) -> str:
        """Map a source to a function; return the mapping's UUID."""
        start = {} if ":sqs:" in source else {"StartingPosition": "TRIM_HORIZON"}
        made = self.target.client("lambda").create_event_source_mapping(
            EventSourceArn=source, FunctionName=function, **start, **more
        )
        return str(made["UUID"])

    def sent(self, function: str) -> list[list[str]]:
        """Return the batches that a function was sent, in order."""
        logs = self.target.client("logs")
        group = f"/aws/lambda/{function.rsplit(':', 1)[-1]}"
        try:
            events = logs.filter_log_events(logGroupName=group)["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        said = [event["message"].partition("SENT ") for event in events]
        return [json.loads(names) for _, mark, names in said if mark]

    def last_result(self, mapping: str) -> str:
        made = self.target.client("lambda").get_event_source_mapping(UUID=mapping)
        return str(made["LastProcessingResult"])

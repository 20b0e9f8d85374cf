"""A bus with rules and targets, as CDK deploys them, for tests of what becomes of events."""

from __future__ import annotations

import json
import urllib.request
import uuid
from typing import TYPE_CHECKING, Any

from tests.local.sources import Bench, eventually
from tests.local.templates import Stack
from tests.local.topics import arn, document, role

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_cli.cloud import Cloud
    from odyssey_cli.target import Target

DETAIL = (
    '{ "who": "Åsa café 😀 R&D C# 1+1 50% a;b %41",  "n": 9007199254740993, '
    '"x": 1.10, "e": "\\u00e9" }'
)
TLS_ONLY = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "sqs:*",
    "Resource": "*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
Resources = dict[str, Any]


def may(action: str, on: Any, service: str, *sources: Any) -> dict[str, Any]:
    """Return the statement that lets a service in for these sources."""
    return {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": action,
        "Resource": on,
        "Condition": {"ArnEquals": {"aws:SourceArn": list(sources)}},
    }


def queue(
    name: str, *rules: str, service: str = "events", source: Any = None, **properties: Any
) -> Resources:
    """Return a queue that these rules or this source, and nobody without TLS, may send to."""
    sources = [arn(rule) for rule in rules] + ([source] if source else [])
    allowed = [may("sqs:SendMessage", arn(name), service, *sources)] if sources else []
    statements = [TLS_ONLY, *allowed]
    return {
        name: {"Type": "AWS::SQS::Queue", "Properties": properties},
        f"{name}Policy": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {"Queues": [{"Ref": name}], "PolicyDocument": document(*statements)},
        },
    }


def rule(name: str, *targets: str, pattern: Any = None, **target: Any) -> Resources:
    """Return a rule for events of its own name's type."""
    described = [
        {
            "Id": to,
            "Arn": {"Ref": to} if to in ("Topic", "Mute") else arn(to),
            "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 600},
            "DeadLetterConfig": {"Arn": arn("Letters")},
            **target,
        }
        for to in targets
    ]
    return {
        name: {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "EventBusName": {"Ref": "Bus"},
                "EventPattern": pattern or {"detail-type": [name]},
                "Targets": described,
            },
        }
    }


def topic(name: str, rule: str, queue: str) -> Resources:
    """Return a topic that a rule may publish to, with a queue that gets it."""
    return {
        name: {"Type": "AWS::SNS::Topic", "Properties": {}},
        f"{name}Policy": {
            "Type": "AWS::SNS::TopicPolicy",
            "Properties": {
                "Topics": [{"Ref": name}],
                "PolicyDocument": document(may("sns:Publish", {"Ref": name}, "events", arn(rule))),
            },
        },
        f"{name}Subscription": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {
                "Protocol": "sqs",
                "TopicArn": {"Ref": name},
                "Endpoint": arn(queue),
                "RawMessageDelivery": True,
            },
        },
    }


FUNCTION = """
import json, os
def handler(event, context):
    print("SENT " + json.dumps(event))
    if "BROKEN" in os.environ:
        raise ValueError("no")
"""


class Deployed:
    """A deployed bus with its rules, and what became of events."""

    def __init__(self, target: Target) -> None:
        self.bench = Bench(target)
        self.stack = Stack(target)
        self.events = target.client("events")
        self.source = f"test-{uuid.uuid4().hex[:8]}"
        self.resources: Resources = {
            "Bus": {
                "Type": "AWS::Events::EventBus",
                "Properties": {
                    "Name": f"bus-{uuid.uuid4().hex[:8]}",
                    "Tags": [{"Key": "stack", "Value": "events"}],
                },
            },
            "Archive": {
                "Type": "AWS::Events::Archive",
                "Properties": {
                    "SourceArn": arn("Bus"),
                    "RetentionDays": 7,
                    "EventPattern": {"source": [{"anything-but": "nobody"}]},
                },
            },
            "NoSecrets": {
                "Type": "AWS::Events::EventBusPolicy",
                "Properties": {
                    "EventBusName": {"Ref": "Bus"},
                    "StatementId": "NoSecrets",
                    "Statement": {
                        "Effect": "Deny",
                        "Principal": {"AWS": arn("Role")},
                        "Action": "events:PutEvents",
                        "Resource": arn("Bus"),
                    },
                },
            },
            **queue("Orders", "Order", "Both", "Second", "Pair"),
            **queue("Closed"),
            **queue("Letters", "Order", "Shut", "Gone", "Call", "Lost", "Tell", "Hush"),
            **queue("Ordered", "Fifo", FifoQueue=True, ContentBasedDeduplication=True),
            **queue("Slow", "Pair"),
            **queue("Heard", service="sns", source={"Ref": "Topic"}),
            **rule("Order", "Orders"),
            **rule("Pair", "Orders", "Slow", RetryPolicy={"MaximumRetryAttempts": 10}),
            **rule("Tell", "Topic"),
            **topic("Topic", "Tell", "Heard"),
            **topic("Mute", "Tell", "Heard"),
            **rule("Hush", "Mute"),
            "Other": {
                "Type": "AWS::Events::EventBus",
                "Properties": {"Name": f"other-{uuid.uuid4().hex[:8]}"},
            },
            "OtherArchive": {
                "Type": "AWS::Events::Archive",
                "Properties": {"SourceArn": arn("Other")},
            },
            **rule("Pass", "Other", RoleArn=arn("Role")),
            **rule("Both", "Orders", "Closed"),
            **rule("Second", "Orders"),
            **rule("Shut", "Closed"),
            **rule("Fifo", "Ordered", SqsParameters={"MessageGroupId": "all"}),
            **rule("Call", "Caller"),
            "Role": role(),
            "Caller": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Runtime": "python3.13",
                    "Handler": "index.handler",
                    "Code": {"ZipFile": FUNCTION},
                    "Role": arn("Role"),
                },
            },
            "CallerAllows": {
                "Type": "AWS::Lambda::Permission",
                "Properties": {
                    "Action": "lambda:InvokeFunction",
                    "FunctionName": arn("Caller"),
                    "Principal": "events.amazonaws.com",
                    "SourceArn": arn("Call"),
                },
            },
        }
        self.resources["Gone"] = rule("Gone")["Gone"]
        self.resources["Gone"]["Properties"]["Targets"] = [
            {
                "Id": "Gone",
                "Arn": {"Fn::Sub": "arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:no-such-queue"},
                "DeadLetterConfig": {"Arn": arn("Letters")},
            }
        ]
        self.resources["Lost"] = rule("Lost", "Closed")["Lost"]
        del self.resources["Lost"]["Properties"]["Targets"][0]["DeadLetterConfig"]

    def put(self, type: str, detail: str = DETAIL, **more: Any) -> str:
        """Put an event; return its id."""
        entry = {
            "EventBusName": self.stack.physical_id("Bus"),
            "Source": self.source,
            "DetailType": type,
            "Detail": detail,
            **more,
        }
        answer = self.events.put_events(Entries=[entry])
        assert answer["FailedEntryCount"] == 0, answer
        return answer["Entries"][0]["EventId"]

    def got(self, queue: str, event_id: str) -> list[dict[str, Any]]:
        """Return the messages of a queue that are of an event."""
        found = self.stack.target.client("sqs").receive_message(
            QueueUrl=self.stack.physical_id(queue),
            MaxNumberOfMessages=10,
            VisibilityTimeout=0,
            MessageAttributeNames=["All"],
            AttributeNames=["All"],
        )
        return [each for each in found.get("Messages", []) if event_id in each["Body"]]

    def rule_arn(self, name: str) -> str:
        return self.events.describe_rule(
            Name=self.stack.physical_id(name), EventBusName=self.stack.physical_id("Bus")
        )["Arn"]

    def empty(self, *queues: str) -> None:
        for name in queues:
            sqs, url = self.stack.target.client("sqs"), self.stack.physical_id(name)
            while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
                "Messages"
            ):
                for each in found:
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])


def reaches(read: Callable[[], list[Any]], count: int, seconds: float = 10) -> list[Any]:
    """Return what `read` gives once it has that many."""
    eventually(lambda: len(read()), count, seconds)
    return read()


def throttled(running: Cloud, marker: str, times: int) -> None:
    fault = {
        "target": "AmazonSQS.SendMessage",
        "containing": marker,
        "times": times,
        "code": "RequestThrottled",
    }
    request = urllib.request.Request(  # noqa: S310
        f"{running.endpoint}/_odyssey/fault",
        json.dumps(fault).encode(),
        {"x-odyssey": "yes"},
        method="PUT",
    )
    urllib.request.urlopen(request).close()  # noqa: S310

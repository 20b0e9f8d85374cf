"""A topic with its subscribers, as CDK deploys them, for tests of asynchronous deliveries."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.local.sources import Bench
from tests.local.templates import Stack

if TYPE_CHECKING:
    from odyssey_cli.target import Target

SUBSCRIBER = """
import json, os, time
def handler(event, context):
    [record] = event["Records"]
    wish = json.loads(record["Sns"]["Message"])
    print("SENT " + json.dumps([wish["name"], context.aws_request_id, record]))
    time.sleep(wish.get("seconds", 0))
    if "BROKEN" in os.environ:
        raise ValueError("Åsa 😀")
"""
Resources = dict[str, Any]


def arn(name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [name, "Arn"]}


def role(*statements: dict[str, Any]) -> dict[str, Any]:
    policies = [{"PolicyName": "own", "PolicyDocument": document(*statements)}]
    lambda_may = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": document(lambda_may),
            **({"Policies": policies} if statements else {}),
        },
    }


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def subscriber(
    name: str, *, role: str = "Role", only: object = None, retries: int = 2, broken: bool = False
) -> Resources:
    """Return a function that gets the topic's messages, with all that CDK puts around it."""
    return {
        name: {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Code": {"ZipFile": SUBSCRIBER},
                "Role": arn(role),
                "Timeout": 30,
                "Environment": {"Variables": {"BROKEN": "yes"} if broken else {}},
            },
        },
        f"{name}Allows": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": arn(name),
                "Principal": "sns.amazonaws.com",
                "SourceArn": {"Ref": "Topic"},
            },
        },
        f"{name}Subscribes": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {
                "Protocol": "lambda",
                "TopicArn": {"Ref": "Topic"},
                "Endpoint": arn(name),
                "FilterPolicy": only or {"to": [name]},
                "RedrivePolicy": {"deadLetterTargetArn": arn("Letters")},
            },
        },
        f"{name}Attempts": {
            "Type": "AWS::Lambda::EventInvokeConfig",
            "Properties": {
                "FunctionName": {"Ref": name},
                "Qualifier": "$LATEST",
                "MaximumRetryAttempts": retries,
                "MaximumEventAgeInSeconds": 21600,
                "DestinationConfig": {"OnFailure": {"Destination": arn("Letters")}},
            },
        },
    }


def common() -> Resources:
    """Return a topic that takes TLS only, and the queue for what goes wrong."""
    tls_only = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sns:Publish",
        "Resource": {"Ref": "Topic"},
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    from_topic = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn("Letters"),
        "Condition": {"ArnEquals": {"aws:SourceArn": {"Ref": "Topic"}}},
    }
    return {
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"KmsMasterKeyId": "alias/aws/sns"}},
        "TopicPolicy": {
            "Type": "AWS::SNS::TopicPolicy",
            "Properties": {"Topics": [{"Ref": "Topic"}], "PolicyDocument": document(tls_only)},
        },
        "Letters": {"Type": "AWS::SQS::Queue", "Properties": {}},
        "LettersPolicy": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {"Queues": [{"Ref": "Letters"}], "PolicyDocument": document(from_topic)},
        },
        "Role": role({"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn("Letters")}),
    }


class Topic:
    """A deployed topic, its subscribers and what became of messages."""

    def __init__(self, target: Target) -> None:
        self.bench = Bench(target)
        self.stack = Stack(target)
        self.resources = {
            **common(),
            "Bare": role({"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"}),
            **subscriber("Fine"),
            **subscriber("Slow", only={"to": [{"prefix": "Fine"}, "Slow"]}),
            **subscriber("Mended", broken=True),
            **subscriber("Broken", broken=True, retries=1),
            **subscriber("Poor", broken=True, retries=0, role="Bare"),
            **subscriber("Closed"),
        }

    def publish(self, name: str, to: str, **more: object) -> None:
        self.stack.target.client("sns").publish(
            TopicArn=self.stack.physical_id("Topic"),
            Subject="Åsa",
            Message=json.dumps({"name": name, **more}),
            MessageAttributes={"to": {"DataType": "String", "StringValue": to}},
        )

    def sent(self, function: str, name: str) -> list[Any]:
        """Return the attempts at a message: its name, a request id and the record."""
        found: list[Any] = self.bench.sent(self.stack.physical_id(function))
        return [attempt for attempt in found if attempt[0] == name]

    def letters(self, name: str) -> list[dict[str, Any]]:
        """Return what the queue has that mentions a message."""
        found = self.stack.target.client("sqs").receive_message(
            QueueUrl=self.stack.physical_id("Letters"),
            MaxNumberOfMessages=10,
            VisibilityTimeout=0,
            MessageAttributeNames=["All"],
        )
        letters = found.get("Messages", [])
        return [letter for letter in letters if f'"{name}"' in letter["Body"].replace("\\", "")]

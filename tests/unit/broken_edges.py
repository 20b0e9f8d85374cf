"""Ways to take a guard away from an edge: the edge's kind then, a place, and a value put there."""

from __future__ import annotations

from typing import Any

from tests.unit.broken_templates import STATEMENTS, P, allow
from tests.unit.small_templates import arn, ref

DESTINATION = ("Clicks", P, "ExtendedS3DestinationConfiguration")
TARGET = ("Paid", P, "Targets", 0)
SOURCE = ("ArnEquals", "aws:SourceArn")
ELSEWHERE = "arn:aws:sqs:eu-north-1:999999999999:parcels"
# The queue's name, in another account.
NAMED_ELSEWHERE = {
    "Fn::Join": [":", ["arn:aws:sqs:eu-north-1:999999999999", arn("Parcels", "QueueName")]]
}
DENY_ALL = {"redrivePermission": "denyAll"}
BY_ANOTHER = {"redrivePermission": "byQueue", "sourceQueueArns": [arn("Parcels")]}


def refuse(action: str, condition: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a statement that refuses everybody something, everywhere."""
    more = {"Condition": condition} if condition else {}
    return allow(action, Effect="Deny", Principal="*", **more)


REFUSED_TO_ROLE = allow("sqs:SendMessage", arn("Unbilled"), Effect="Deny")

BROKEN_EDGES: list[tuple[str, tuple[str | int, ...], Any]] = [
    ("stream to function", ("Billing", P, "MaximumRetryAttempts"), -1),
    ("stream to function", ("Billing", P, "MaximumRecordAgeInSeconds"), -1),
    ("stream to function", ("Billing", P, "MaximumRecordAgeInSeconds"), 86400),
    ("stream to function", ("Billing", P, "BisectBatchOnFunctionError"), False),
    ("stream to function", ("Billing", P, "FunctionResponseTypes"), []),
    ("stream to function", ("Billing", P, "EventSourceArn"), "arn:aws:kafka:x"),
    ("stream to function", ("Billing", P, "DestinationConfig"), {}),
    ("stream to function", ("Unbilled", P, "FifoQueue"), True),
    ("stream to function", ("UnbilledWaiting", P, "AlarmActions"), []),
    ("stream to function", ("BillerPolicy", P, "Roles"), []),
    ("queue to function", ("Packing", P, "FunctionResponseTypes"), []),
    ("queue to function", ("Packing", P, "ScalingConfig"), {}),
    ("queue to function", ("Packing", P, "MaximumBatchingWindowInSeconds"), 2),
    ("queue to function", ("Packer", P, "Timeout"), 11),
    ("queue to function", ("Parcels", P, "VisibilityTimeout"), 60),
    ("queue to function", ("Parcels", P, "RedrivePolicy", "maxReceiveCount"), 4),
    ("queue to function", ("Parcels", P, "RedrivePolicy", "maxReceiveCount"), None),
    ("queue to function", ("Parcels", P, "RedrivePolicy", "deadLetterTargetArn"), "arn:x"),
    ("queue to function", ("Parcels", P, "FifoQueue"), True),
    ("queue to function", ("ParcelsDead", P, "MessageRetentionPeriod"), 345600),
    ("queue to function", ("ParcelsDeadWaiting", P, "Threshold"), 10),
    ("queue to program", ("Letters", P, "RedrivePolicy"), {"maxReceiveCount": 5}),
    ("queue to program", ("Letters", P, "VisibilityTimeout"), None),
    ("topic to function", ("ReaderNews", P, "RedrivePolicy"), {}),
    ("topic to function", ("ReaderAttempts", P, "MaximumRetryAttempts"), None),
    ("topic to function", ("ReaderAttempts", P, "MaximumEventAgeInSeconds"), None),
    ("topic to function", ("ReaderAttempts", P, "DestinationConfig"), {}),
    ("topic to function", ("ReaderAttempts", P, "Qualifier"), "1"),
    ("topic to function", ("ReaderAttempts", P, "FunctionName"), ref("Packer")),
    ("topic to function", ("UnreadPolicy", P, "PolicyDocument"), {}),
    ("topic to function", ("ReaderPermission", P, "SourceArn"), "arn:aws:sns:x"),
    ("rule to queue", (*TARGET, "DeadLetterConfig"), {}),
    ("rule to queue", (*TARGET, "RetryPolicy"), {"MaximumEventAgeInSeconds": 60}),
    ("rule to queue", (*TARGET, "RetryPolicy"), {"MaximumRetryAttempts": 3}),
    ("rule to queue", ("ParcelsDeadPolicy", P, "PolicyDocument", "Statement", 1), {}),
    ("rule to queue", ("ParcelsPolicy", P, "PolicyDocument", "Statement", 1), {}),
    ("delivery stream to bucket", (*DESTINATION, "ErrorOutputPrefix"), "good/"),
    ("delivery stream to bucket", (*DESTINATION, "BucketARN"), "arn:aws:s3:::elsewhere"),
    ("delivery stream to bucket", ("Clicks", P, "RedshiftDestinationConfiguration"), {}),
    ("delivery stream to bucket", (*DESTINATION, "CloudWatchLoggingOptions"), {}),
    ("delivery stream to bucket", ("ClicksBehind", P, "Threshold"), 86400),
    ("delivery stream to function", ("ClicksFailed", P, "Threshold"), 0.5),
    ("custom resource", ("LakeEmptied", P, "ServiceTimeout"), None),
    # What is off hands nothing over.
    ("stream to function", ("Billing", P, "Enabled"), False),
    ("queue to function", ("Packing", P, "Enabled"), "false"),
    ("rule to queue", ("Paid", P, "State"), "DISABLED"),
    # What is elsewhere, in another account or under a name that is no ARN.
    ("rule to target", (*TARGET, "Arn"), ELSEWHERE),
    ("rule to target", (*TARGET, "Arn"), NAMED_ELSEWHERE),
    ("rule to queue", (*TARGET, "DeadLetterConfig", "Arn"), NAMED_ELSEWHERE),
    ("topic to target", ("ReaderNews", P, "Endpoint"), ELSEWHERE),
    ("topic to target", ("ReaderNews", P, "Endpoint"), "https://example.com/news"),
    # What nobody lets in after all.
    ("rule to queue", ("ParcelsPolicy", *STATEMENTS, "+"), refuse("sqs:SendMessage")),
    ("rule to queue", ("ParcelsPolicy", *STATEMENTS, "+"), refuse("SQS:Send*")),
    ("rule to queue", ("ParcelsPolicy", *STATEMENTS, "+"), refuse("*", {"Bool": {"a": "b"}})),
    ("rule to queue", ("ParcelsPolicy", *STATEMENTS, 1, "Condition", *SOURCE), arn("Packer")),
    ("rule to queue", ("ParcelsPolicy", *STATEMENTS, 1, "Condition", *SOURCE), ref("Paid")),
    ("rule to queue", ("ParcelsPolicy", *STATEMENTS, 1, "Condition", "Bool"), {"a": "true"}),
    ("rule to queue", ("ParcelsPolicy", *STATEMENTS, 1, "Resource"), ref("Parcels")),
    ("stream to function", ("UnbilledPolicy", *STATEMENTS, "+"), refuse("sqs:SendMessage")),
    ("stream to function", ("BillerPolicy", *STATEMENTS, "+"), REFUSED_TO_ROLE),
    ("stream to function", ("BillerPolicy", *STATEMENTS, 0, "Condition"), {"Bool": {"a": "b"}}),
    ("queue to function", ("ParcelsDead", P, "RedriveAllowPolicy"), DENY_ALL),
    ("queue to program", ("LettersDead", P, "RedriveAllowPolicy"), BY_ANOTHER),
]

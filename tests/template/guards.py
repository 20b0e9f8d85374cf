"""What guards the edges of a template, and keeps its data: to be taken away, piece by piece.

Each entry says that a rule looks at a property, wherever it stands. `*` is any place in a list, `+`
one behind its last.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from odyssey_cli.policy.tagging import property_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli.policy.templates import Template

_FIREHOSE = "ExtendedS3DestinationConfiguration"
_STATEMENT = ("Action", "Condition", "Effect", "Principal", "Resource")
KEPT = (["DeletionPolicy"], ["UpdateReplacePolicy"])

# By type, the properties of which none may be missing anywhere.
GUARDS: dict[str, list[str]] = {
    "AWS::ApiGateway::Stage": ["AccessLogSetting/DestinationArn"],
    "AWS::ApiGatewayV2::Stage": ["AccessLogSettings/DestinationArn"],
    "AWS::CloudWatch::Alarm": [
        *("AlarmActions", "AlarmActions/*", "AlarmDescription", "ComparisonOperator"),
        *("Dimensions/*", "Dimensions/*/Name", "Dimensions/*/Value", "MetricName", "Namespace"),
        *("EvaluationPeriods", "Period", "Statistic", "Threshold", "TreatMissingData"),
    ],
    "AWS::EC2::FlowLog": ["LogGroupName"],
    "AWS::EC2::Instance": ["BlockDeviceMappings/*/Ebs/Encrypted"],
    "AWS::Events::Archive": ["RetentionDays"],
    "AWS::Events::Rule": [
        *("Targets/*/DeadLetterConfig", "Targets/*/DeadLetterConfig/Arn", "Targets/*/RetryPolicy"),
        "Targets/*/RetryPolicy/MaximumEventAgeInSeconds",
        "Targets/*/RetryPolicy/MaximumRetryAttempts",
    ],
    "AWS::KMS::Key": [
        "EnableKeyRotation",
        "KeyPolicy/Statement/*/Condition/ArnLike/kms:EncryptionContext:aws:logs:arn",
        "KeyPolicy/Statement/*/Condition/StringEquals/aws:SourceAccount",
    ],
    "AWS::KinesisFirehose::DeliveryStream": [
        "DeliveryStreamEncryptionConfigurationInput",
        f"{_FIREHOSE}/CloudWatchLoggingOptions",
        f"{_FIREHOSE}/CloudWatchLoggingOptions/Enabled",
        f"{_FIREHOSE}/CloudWatchLoggingOptions/LogGroupName",
        f"{_FIREHOSE}/CloudWatchLoggingOptions/LogStreamName",
        f"{_FIREHOSE}/EncryptionConfiguration",
        f"{_FIREHOSE}/ErrorOutputPrefix",
        f"{_FIREHOSE}/ProcessingConfiguration/Processors/*/Parameters",
    ],
    "AWS::Lambda::EventInvokeConfig": [
        *("DestinationConfig", "DestinationConfig/OnFailure", "FunctionName", "Qualifier"),
        *("MaximumEventAgeInSeconds", "MaximumRetryAttempts"),
    ],
    "AWS::Lambda::EventSourceMapping": [
        *("BisectBatchOnFunctionError", "DestinationConfig", "DestinationConfig/OnFailure"),
        *("FunctionResponseTypes", "FunctionResponseTypes/*", "MaximumRecordAgeInSeconds"),
        *("MaximumRetryAttempts", "ScalingConfig", "ScalingConfig/MaximumConcurrency"),
    ],
    "AWS::Lambda::Function": ["LoggingConfig", "LoggingConfig/LogGroup", "Role"],
    "AWS::Lambda::Permission": ["Action", "Principal", "SourceArn"],
    "AWS::Logs::LogGroup": ["KmsKeyId", "RetentionInDays"],
    "AWS::S3::Bucket": [
        *("BucketEncryption", "PublicAccessBlockConfiguration", "VersioningConfiguration"),
        "PublicAccessBlockConfiguration/RestrictPublicBuckets",
    ],
    "AWS::S3::BucketPolicy": [
        *("Bucket", "PolicyDocument/Statement/*"),
        *(f"PolicyDocument/Statement/*/{name}" for name in _STATEMENT),
    ],
    "AWS::SNS::Subscription": ["RedrivePolicy", "RedrivePolicy/deadLetterTargetArn"],
    "AWS::SNS::Topic": ["KmsMasterKeyId"],
    "AWS::SNS::TopicPolicy": [
        *("Topics/*", "PolicyDocument/Statement/*"),
        *(f"PolicyDocument/Statement/*/{name}" for name in _STATEMENT),
    ],
    "AWS::SQS::Queue": [
        *("FifoQueue", "KmsMasterKeyId", "RedrivePolicy", "RedrivePolicy/deadLetterTargetArn"),
        *("RedrivePolicy/maxReceiveCount", "SqsManagedSseEnabled", "VisibilityTimeout"),
    ],
    "AWS::SQS::QueuePolicy": [
        *("Queues/*", "PolicyDocument/Statement/*"),
        *(f"PolicyDocument/Statement/*/{name}" for name in _STATEMENT),
    ],
    "AWS::SecretsManager::Secret": ["KmsKeyId"],
    "Custom::ClosedDefaultGroup": ["ServiceTimeout"],
    "Custom::EmptyBucket": ["Bucket", "ServiceTimeout"],
}
# The same, of prod alone: dev has other values, which are those of what says nothing.
GUARDS_OF_PROD: dict[str, list[str]] = {
    "AWS::DynamoDB::Table": [
        *("DeletionProtectionEnabled", "PointInTimeRecoverySpecification", "SSESpecification"),
        "PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled",
        *("SSESpecification/KMSMasterKeyId", "SSESpecification/SSEEnabled"),
    ],
    "AWS::EC2::Instance": ["BlockDeviceMappings/*/Ebs/KmsKeyId", "DisableApiTermination"],
    "AWS::KinesisFirehose::DeliveryStream": ["DeliveryStreamEncryptionConfigurationInput/KeyARN"],
}
# What must go with a dev stack and outlive a prod stack.
HOLDS_DATA = {
    *("AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::Logs::LogGroup", "AWS::Logs::LogStream"),
    *("AWS::S3::Bucket", "AWS::SecretsManager::Secret", "AWS::SQS::Queue"),
}
_FOREIGN = {"AWS": "arn:aws:iam::123456789012:root"}
_LET_IN: list[tuple[str, Any]] = [
    ("PolicyDocument/Statement/*/Principal", _FOREIGN),
    ("PolicyDocument/Statement/*/Condition/ArnEquals/aws:SourceArn", "*"),
    ("PolicyDocument/Statement/*/Condition/StringEquals/aws:SourceAccount", "*"),
]
# By type, what is worse than it is: a property, and a value that it must not have.
WORSE: dict[str, list[tuple[str, Any]]] = {
    "AWS::CloudWatch::Alarm": [
        ("ActionsEnabled", False),
        ("AlarmActions", ["arn:aws:sns:eu-north-1:123456789012:elsewhere"]),
        ("ComparisonOperator", "GreaterThanUpperThreshold"),
        *(("DatapointsToAlarm", 0), ("DatapointsToAlarm", 9)),
        *(("EvaluationPeriods", 0), ("EvaluationPeriods", 4), ("EvaluationPeriods", 288)),
        *(("Period", 30), ("Period", 960), ("Period", 3600), ("Period", 86400)),
        ("Statistic", "Minimum"),
        *(("ExtendedStatistic", "p10"), ("Unit", "Bytes")),
        ("Dimensions/+", {"Name": "Stage", "Value": "dev"}),
        ("Dimensions/*/Value/Fn::GetAtt/1", "Arn"),
        *(("TreatMissingData", each) for each in ("breaching", "ignore", "missing")),
    ],
    "AWS::Events::Archive": [("RetentionDays", 0), ("RetentionDays", 30)],
    "AWS::Budgets::Budget": [("Budget/BudgetName", "mine")],
    "AWS::DynamoDB::Table": [
        ("TableName", "mine"),
        # Whichever of them it is, the other is wrong.
        *(("DeletionProtectionEnabled", each) for each in (True, False)),
    ],
    "AWS::Events::Rule": [
        ("State", "DISABLED"),
        ("Targets/*/Arn", "arn:aws:sqs:eu-north-1:123456789012:elsewhere"),
        ("Targets/*/DeadLetterConfig/Arn", "arn:aws:sqs:elsewhere"),
    ],
    "AWS::KMS::Key": [
        ("KeyPolicy/Statement/*/Principal", _FOREIGN),
        ("KeyPolicy/Statement/*/Condition/ArnLike/kms:EncryptionContext:aws:logs:arn", "*"),
        ("KeyPolicy/Statement/*/Condition/StringEquals/aws:SourceAccount", "123456789012"),
    ],
    "AWS::IAM::Role": [("AssumeRolePolicyDocument/Statement/*/Principal", _FOREIGN)],
    "AWS::IAM::Policy": [
        ("PolicyDocument/Statement/*/Action", "*"),
        ("PolicyDocument/Statement/*/Action", "s3:GetObjec?"),
        ("PolicyDocument/Statement/*/Resource", "arn:aws:s3:::lak?"),
    ],
    "AWS::Lambda::EventInvokeConfig": [("Qualifier", "1")],
    "AWS::Lambda::EventSourceMapping": [
        ("BisectBatchOnFunctionError", False),
        ("FunctionResponseTypes", []),
        ("MaximumRecordAgeInSeconds", -1),
        ("MaximumRecordAgeInSeconds", 86400),
        ("MaximumRetryAttempts", -1),
        ("Enabled", False),
        ("DestinationConfig/OnFailure/Destination", "arn:aws:sqs:elsewhere"),
    ],
    "AWS::Lambda::Function": [("Role", "arn:aws:iam::123456789012:role/of-all")],
    "AWS::Logs::LogGroup": [("RetentionInDays", 3653)],
    "AWS::SQS::Queue": [
        ("RedrivePolicy/maxReceiveCount", None),
        ("VisibilityTimeout", None),
        ("MessageRetentionPeriod", 60),
        ("QueueName", "mine"),
    ],
    "AWS::SNS::Topic": [("TopicName", "mine")],
    "AWS::S3::Bucket": [("BucketName", "mine")],
    "AWS::SNS::Subscription": [("Endpoint/Fn::GetAtt", ["Elsewhere", "Arn"])],
    "AWS::SNS::TopicPolicy": _LET_IN,
    "AWS::SQS::QueuePolicy": _LET_IN,
}
# A queue that is consumed may keep messages for a shorter time than its dead-letter queue.
_MAY = {("AWS::SQS::Queue", "MessageRetentionPeriod")}

# What a template need not say.
_OFF = {"ActionsEnabled", "DatapointsToAlarm", "Enabled", "ExtendedStatistic", "State", "Unit"}
# Who waits for the function is told when it may not invoke it.
_WAITS = "apigateway.amazonaws.com"


@dataclass(frozen=True)
class Mutant:
    """A template with one thing changed.

    Attributes:
        what: where, and to what, for a person.
        sort: what it has in common with those that the same rule is likely to notice.
        template: the template.
    """

    what: str
    sort: str
    template: Template


def mutants(template: Template) -> Iterator[Mutant]:
    """Yield the template with each guard or tag gone or worse, and each alarm and policy gone."""
    for logical_id, resource in template.resources.items():
        kind = resource["Type"]
        permits = (
            kind == "AWS::Lambda::Permission" and resource["Properties"]["Principal"] != _WAITS
        )
        if permits or kind in ("AWS::CloudWatch::Alarm", "AWS::SQS::QueuePolicy"):
            yield Mutant(f"{logical_id} gone", kind, _without(template, logical_id, []))
        if property_of(kind) in resource.get("Properties", {}):
            untagged = _without(template, logical_id, ["Properties", property_of(kind)])
            yield Mutant(f"{kind} {logical_id} without tags", "tags", untagged)
        if kind in HOLDS_DATA:
            for path in KEPT:
                what = f"{logical_id}/{path[0]}"
                yield Mutant(what, path[0], _without(template, logical_id, path))
        of_prod = GUARDS_OF_PROD.get(kind, []) if template.is_prod else []
        for pattern in [*GUARDS.get(kind, []), *of_prod]:
            for steps in _places(resource.get("Properties", {}), pattern.split("/")):
                what = f"{kind} {logical_id}/{'/'.join(map(str, steps))}"
                place = ["Properties", *steps]
                yield Mutant(what, f"{kind} {pattern}", _without(template, logical_id, place))
        for pattern, value in WORSE.get(kind, []):
            if (kind, pattern) in _MAY and "RedrivePolicy" in resource["Properties"]:
                continue
            for steps in _worsened(resource["Properties"], pattern.split("/")):
                what = f"{kind} {logical_id}/{'/'.join(map(str, steps))} = {value}"
                place = ["Properties", *steps]
                if resource["Properties"].get(pattern) == value:
                    continue
                changed = _having(template, logical_id, place, value)
                yield Mutant(what, f"{kind} {pattern}", changed)


def _places(value: Any, pattern: list[str]) -> Iterator[list[Any]]:
    """Yield the paths in `value` that a pattern fits."""
    first, *rest = pattern
    if isinstance(value, list):
        every: list[Any] = [*range(len(value))]
        steps = (
            every
            if first == "*"
            else ["+"]
            if first == "+"
            else [i for i in every if str(i) == first]
        )
    else:
        steps = [first] if isinstance(value, dict) and first in value else []
    for step in steps:
        if rest:
            yield from ([step, *below] for below in _places(value[step], rest))
        else:
            yield [step]


def _worsened(properties: Any, pattern: list[str]) -> list[list[Any]]:
    """Return where a value is changed; a name, or what is off by default, is not there yet."""
    found = list(_places(properties, pattern))
    absent = pattern[-1].endswith("Name") or pattern[0] in _OFF
    return found or ([pattern] if absent else [])


def _without(template: Template, logical_id: str, path: list[Any]) -> Template:
    return _changed(template, logical_id, path, lambda parent, step: parent.pop(step))


def _having(template: Template, logical_id: str, path: list[Any], value: Any) -> Template:
    def put(parent: Any, step: Any) -> None:
        if step == "+":
            parent.append(value)
        else:
            parent[step] = value

    return _changed(template, logical_id, path, put)


def _changed(template: Template, logical_id: str, path: list[Any], change: Any) -> Template:
    resources = dict(template.resources)
    if path:
        resources[logical_id] = parent = copy.deepcopy(resources[logical_id])
        for step in path[:-1]:
            parent = parent[step]
        change(parent, path[-1])
    else:
        del resources[logical_id]
    return replace(template, body=template.body | {"Resources": resources})

"""Ways to break each rule, one property of the small template at a time.

Those of the rules on alarms are in tests/unit/broken_alarms.py, of who is let in in
tests/unit/broken_access.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.unit.small_templates import arn, having, ref, shop, without

if TYPE_CHECKING:
    from odyssey_cli.policy.templates import Template

EVERYBODY = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
P = "Properties"
STATEMENTS = (P, "PolicyDocument", "Statement")


@dataclass(frozen=True)
class Broken:
    """A way to break a rule: what is taken away, or put, where."""

    rule: str
    why: str
    path: tuple[str | int, ...]
    put: Any = None
    stage: str = "dev"
    at: str | None = None

    def __str__(self) -> str:
        return f"{self.rule}: {self.why}"

    def template(self) -> Template:
        logical_id, *path = self.path
        if self.put is None:
            return without(shop(self.stage), str(logical_id), *path)
        return having(shop(self.stage), self.put, str(logical_id), *path)


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def allow(action: str | list[str], on: object = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": on, **more}


def policy(statement: dict[str, Any]) -> dict[str, Any]:
    document = {"Statement": [statement]}
    return resource("AWS::IAM::Policy", Roles=[ref("BillerRole")], PolicyDocument=document)


BROKEN = [
    Broken("edges-guarded", "no redrive policy", ("Parcels", P, "RedrivePolicy")),
    Broken("edges-known", "a pipe", ("Pipe",), resource("AWS::Pipes::Pipe")),
    Broken(
        "edges-known",
        "a table's stream to Kinesis",
        ("Orders", P, "KinesisStreamSpecification"),
        {"StreamArn": "x"},
    ),
    Broken(
        "edges-known",
        "a destination of what succeeds",
        ("ReaderAttempts", P, "DestinationConfig", "OnSuccess"),
        {"Destination": "x"},
        at="ReaderAttempts",
    ),
    Broken(
        "edges-known",
        "a bucket's events on the default bus",
        ("Lake", P, "NotificationConfiguration"),
        {"EventBridgeConfiguration": {}},
    ),
    Broken("encrypted", "a queue in plain text", ("Unread", P, "SqsManagedSseEnabled"), False),
    Broken("encrypted", "a topic in plain text", ("News", P, "KmsMasterKeyId")),
    Broken("encrypted", "a bucket that says nothing", ("Lake", P, "BucketEncryption")),
    *(
        Broken("encrypted", f"{at} with AWS's key", (at, P, *path), stage="prod")
        for at, *path in [
            ("Unread", "KmsMasterKeyId"),
            ("News", "KmsMasterKeyId"),
            ("Orders", "SSESpecification", "KMSMasterKeyId"),
            ("DeskLogs", "KmsKeyId"),
            ("Clicks", "DeliveryStreamEncryptionConfigurationInput", "KeyARN"),
            ("Clicks", "ExtendedS3DestinationConfiguration", "EncryptionConfiguration"),
        ]
    ),
    Broken(
        "encrypted",
        "a volume in plain text",
        ("Host",),
        resource("AWS::EC2::Instance", BlockDeviceMappings=[{"Ebs": {"VolumeSize": 8}}]),
    ),
    Broken("encrypted", "a volume as the image says", ("H",), resource("AWS::EC2::Instance")),
    Broken(
        "encrypted",
        "one volume of two in plain text",
        ("Host",),
        resource(
            "AWS::EC2::Instance", BlockDeviceMappings=[{"Ebs": {"Encrypted": True}}, {"Ebs": {}}]
        ),
    ),
    Broken(
        "encrypted",
        "one volume of two with AWS's key",
        ("Host",),
        resource(
            "AWS::EC2::Instance",
            BlockDeviceMappings=[
                {"Ebs": {"Encrypted": True, "KmsKeyId": arn("Key")}},
                {"Ebs": {"Encrypted": True, "KmsKeyId": "alias/aws/ebs"}},
            ],
        ),
        "prod",
    ),
    Broken("encrypted", "a volume by itself", ("V",), resource("AWS::EC2::Volume", Size=8)),
    Broken(
        "encrypted",
        "a volume by itself with AWS's key",
        ("V",),
        resource("AWS::EC2::Volume", Encrypted=True),
        "prod",
    ),
    Broken(
        "encrypted",
        "a launch template's volume",
        ("L",),
        resource(
            "AWS::EC2::LaunchTemplate",
            LaunchTemplateData={"BlockDeviceMappings": [{"Ebs": {"VolumeSize": 8}}]},
        ),
    ),
    *(
        Broken(
            "encrypted",
            f"an {kind} with another's key",
            ("E",),
            resource(f"AWS::Events::{kind}", KmsKeyIdentifier="alias/elsewhere"),
            "prod",
        )
        for kind in ("Archive", "EventBus")
    ),
    Broken(
        "encrypted",
        "a secret with AWS's key",
        ("Secret",),
        resource("AWS::SecretsManager::Secret"),
        stage="prod",
    ),
    Broken("encrypted", "a stream in plain text", ("S",), resource("AWS::Kinesis::Stream")),
    Broken(
        "encrypted",
        "a call of KMS per object",
        (
            *("Lake", P, "BucketEncryption", "ServerSideEncryptionConfiguration", 0),
            "BucketKeyEnabled",
        ),
        stage="prod",
    ),
    Broken("keys-rotate", "for ever", ("Key", P, "EnableKeyRotation"), stage="prod"),
    Broken("keys-rotate", "in dev", ("Key",), resource("AWS::KMS::Key", EnableKeyRotation=True)),
    *(
        Broken("tls-only", f"{at} without a policy", (f"{at}Policy",), at=at)
        for at in ("Unread", "News", "Lake")
    ),
    Broken(
        "tls-only",
        "a bucket, but not its objects",
        ("LakePolicy", *STATEMENTS, 0, "Resource", 1),
        at="Lake",
    ),
    Broken(
        "tls-only",
        "with TLS denied",
        ("UnreadPolicy", *STATEMENTS, 0, "Condition", "Bool", "aws:SecureTransport"),
        "true",
        at="Unread",
    ),
    Broken(
        "buckets-closed",
        "open by policy",
        ("Lake", P, "PublicAccessBlockConfiguration", "BlockPublicPolicy"),
        False,
    ),
    Broken("buckets-closed", "overwritten", ("Lake", P, "VersioningConfiguration")),
    Broken("log-groups-owned", "a function's implicit group", ("Biller", P, "LoggingConfig")),
    Broken("log-groups-owned", "kept for ever", ("DeskLogs", P, "RetentionInDays")),
    Broken("log-groups-owned", "prod's year in dev", ("DeskLogs", P, "RetentionInDays"), 365),
    Broken("log-groups-owned", "an API without any", ("DeskStage", P, "AccessLogSettings")),
    Broken(
        "log-groups-owned",
        "two functions' group",
        ("Biller", P, "LoggingConfig", "LogGroup"),
        ref("ReaderLogs"),
    ),
    Broken("log-groups-owned", "a flow log's elsewhere", ("F",), resource("AWS::EC2::FlowLog")),
    Broken(
        "log-groups-owned",
        "an API's execution log",
        ("Stage",),
        resource(
            "AWS::ApiGateway::Stage",
            AccessLogSetting={"DestinationArn": arn("DeskLogs")},
            MethodSettings=[{"LoggingLevel": "INFO"}],
        ),
    ),
    Broken("removal-right", "kept in dev", ("Orders", "DeletionPolicy"), "Retain"),
    Broken("removal-right", "said nothing in dev", ("Orders", "DeletionPolicy")),
    Broken("removal-right", "a role kept in dev", ("BillerRole", "DeletionPolicy"), "Retain"),
    Broken("removal-right", "lost in prod", ("Orders", "DeletionPolicy"), "Delete", "prod"),
    Broken("removal-right", "lost when replaced", ("Lake", "UpdateReplacePolicy"), stage="prod"),
    Broken("removal-right", "a full bucket in dev", ("LakeEmptied",), at="Lake"),
    Broken(
        "removal-right",
        "emptied in prod",
        ("LakeEmptied",),
        resource("Custom::EmptyBucket", Bucket=ref("Lake")),
        stage="prod",
        at="Lake",
    ),
    Broken(
        "deletion-protected",
        "a prod table that can go",
        ("Orders", P, "DeletionProtectionEnabled"),
        stage="prod",
    ),
    Broken(
        "deletion-protected",
        "a dev table that cannot",
        ("Orders", P, "DeletionProtectionEnabled"),
        True,
    ),
    Broken(
        "deletion-protected",
        "no recovery",
        ("Orders", P, "PointInTimeRecoverySpecification"),
        stage="prod",
    ),
    Broken("deletion-protected", "a host", ("Host",), resource("AWS::EC2::Instance"), stage="prod"),
    Broken("no-wildcard", "all actions", ("W",), policy(allow("dynamodb:*", arn("Orders")))),
    Broken("no-wildcard", "all tables", ("W",), policy(allow("dynamodb:PutItem"))),
    Broken("no-wildcard", "an action but for a letter", ("W",), policy(allow("s3:GetObjec?"))),
    Broken(
        "no-wildcard",
        "a table but for a letter",
        ("W",),
        policy(allow("dynamodb:PutItem", "arn:aws:dynamodb:::table/Order?")),
    ),
    Broken(
        "no-wildcard",
        "a letter before what has its name later",
        ("W",),
        policy(allow("s3:GetObject", "arn:aws:s3:::lak?/*")),
    ),
    Broken(
        "no-wildcard",
        "one of two that needs it",
        ("W",),
        policy(allow(["xray:PutTraceSegments", "dynamodb:PutItem"])),
    ),
    Broken(
        "no-wildcard",
        "the middle of an ARN",
        ("W",),
        policy(allow("s3:GetObject", "arn:aws:s3:::*/x")),
    ),
    Broken(
        "no-wildcard",
        "what only API Gateway may",
        ("W",),
        policy(allow("logs:PutLogEvents")),
    ),
    Broken(
        "no-wildcard",
        "a method that has no parameter there",
        ("W",),
        policy(allow("execute-api:Invoke", "arn:aws:execute-api:::<Desk>/v1/GET/*")),
    ),
    Broken(
        "no-wildcard",
        "everything but",
        ("W",),
        policy({"Effect": "Allow", "NotAction": "iam:PassRole", "Resource": arn("Orders")}),
    ),
    Broken(
        "no-policy-of-aws",
        "on a role",
        ("BillerRole", P, "ManagedPolicyArns"),
        ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"],
    ),
    Broken(
        "no-policy-of-aws",
        "as a boundary",
        ("X",),
        resource("AWS::IAM::InstanceProfile", Boundary="arn:aws:iam::aws:policy/ReadOnlyAccess"),
    ),
    Broken("role-of-its-own", "another's", ("Biller", P, "Role"), arn("ReaderRole")),
    Broken("role-of-its-own", "elsewhere", ("Biller", P, "Role"), "arn:aws:iam::1:role/x"),
    Broken("nobody-else", "everybody", ("UnreadPolicy", *STATEMENTS, "+"), EVERYBODY),
    Broken(
        "nobody-else",
        "a service for anybody",
        ("UnreadPolicy", *STATEMENTS, 1, "Condition"),
    ),
    Broken(
        "nobody-else",
        "another account's role",
        (*("Printer", P, "AssumeRolePolicyDocument", "Statement", 0, "Principal"), "AWS"),
        "arn:aws:iam::210987654321:root",
    ),
    Broken("nobody-else", "any topic", ("ReaderPermission", P, "SourceArn")),
    Broken("tagged", "a queue without", ("Unread", P, "Tags")),
    Broken("tagged", "a queue without one of them", ("Unread", P, "Tags", 0)),
    Broken("tagged", "another stage's", ("Unread", P, "Tags", 2, "Value"), "prod"),
    Broken("tagged", "another stack's", ("Unread", P, "Tags", 1, "Value"), "Ingest"),
    Broken("tagged", "one more", ("Unread", P, "Tags", "+"), {"Key": "team", "Value": "a"}),
    Broken("tagged", "an API's, by name", ("Desk", P, "Tags"), {"project": "aws-odyssey"}),
    Broken("tagged", "a budget's, elsewhere", ("B",), resource("AWS::Budgets::Budget")),
    Broken("tagged", "a type that nobody knows", ("N",), resource("AWS::New::Thing")),
    Broken("tagged", "a type that takes some after all", ("ReaderNews", P, "Tags"), []),
    Broken("tagged", "a dev bucket that may not be emptied", ("Lake", P, "Tags", 3)),
    Broken(
        "tagged",
        "a prod bucket that may be emptied",
        ("Lake", P, "Tags", "+"),
        {"Key": "odyssey:empty-on-delete", "Value": "true"},
        "prod",
    ),
    Broken("no-access-key", "one", ("K",), resource("AWS::IAM::AccessKey")),
    Broken(
        "no-export",
        "another stack's export",
        ("Biller", P, "Environment"),
        {"Variables": {"TOPIC": {"Fn::ImportValue": "topic"}}},
    ),
    Broken("no-physical-name", "a queue's", ("Unread", P, "QueueName"), "unread"),
    Broken(
        "no-physical-name",
        "a budget's, within",
        ("B",),
        resource("AWS::Budgets::Budget", Budget={"BudgetName": "all"}),
    ),
    Broken(
        "no-physical-name",
        "a group's",
        ("G",),
        resource("AWS::EC2::SecurityGroup", GroupName="hosts"),
    ),
    Broken(
        "no-physical-name",
        "a bus's that is not the stack's",
        ("Bus",),
        resource("AWS::Events::EventBus", Name="events"),
    ),
]

"""The one table of actions that the local cloud does not check, each with AWS's page about it.

An action belongs here when AWS needs it and no decision about it is ever made on the local cloud:
a service does it in a role's name, there or in a way that only AWS has. All pages: 2026-11-21.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from odyssey_cli.iam.grants import matches

if TYPE_CHECKING:
    from collections.abc import Collection

READ_ON = "2026-11-21"
_LAMBDA, _FIREHOSE = "lambda.amazonaws.com", "firehose.amazonaws.com"
_S3, _API = "s3.amazonaws.com", "apigateway.amazonaws.com"
_EC2, _FLOW_LOGS = "ec2.amazonaws.com", "vpc-flow-logs.amazonaws.com"
# The principal may be anybody: functions, clients, delivery roles.
ANYBODY = ""


@dataclass(frozen=True)
class Unchecked:
    """Actions that AWS needs and the local cloud decides nothing about.

    Attributes:
        service: who assumes the roles that need them; `ANYBODY` for any role or policy.
        actions: the actions.
        why: who does this, and why nothing is decided about it here.
        page: title of AWS's page that asks for them.
        on: which resources, as a pattern of their ARNs.
    """

    service: str
    actions: tuple[str, ...]
    why: str
    page: str
    on: str = "*"

    def covers(self, services: Collection[str], action: str, resource: str) -> bool:
        """Say whether what a role that these services assume may do is meant."""
        if self.service not in (ANYBODY, *services) or action not in self.actions:
            return False
        return matches(self.on, resource)


TABLE = (
    Unchecked(
        _LAMBDA,
        ("xray:PutTelemetryRecords", "xray:PutTraceSegments"),
        "Lambda sends a function's traces; the local cloud makes none.",
        "Visualize Lambda function invocations using AWS X-Ray (Lambda Developer Guide)",
    ),
    Unchecked(
        _LAMBDA,
        ("logs:CreateLogStream", "logs:PutLogEvents"),
        "Lambda writes what a function prints; the local cloud writes it unasked.",
        "Sending Lambda function logs to CloudWatch Logs (Lambda Developer Guide)",
    ),
    Unchecked(
        _LAMBDA,
        ("dynamodb:ListStreams",),
        "Lambda polls a stream; the local cloud checks the three calls that read from it.",
        "IAM policy to allow an AWS Lambda function to access DynamoDB stream records "
        "(DynamoDB Developer Guide)",
    ),
    Unchecked(
        _FIREHOSE,
        (
            "s3:AbortMultipartUpload",
            "s3:GetBucketLocation",
            "s3:GetObject",
            "s3:ListBucket",
            "s3:ListBucketMultipartUploads",
        ),
        "Firehose uploads large objects in parts; the local cloud puts each object at once.",
        "Grant Firehose access to an Amazon S3 destination (Data Firehose Developer Guide)",
    ),
    Unchecked(
        _FIREHOSE,
        ("lambda:GetFunctionConfiguration",),
        "Firehose looks at the function's time limit; the local cloud knows it.",
        "Grant Firehose access to an Amazon S3 destination (Data Firehose Developer Guide)",
    ),
    Unchecked(
        _FIREHOSE,
        ("lambda:InvokeFunction",),
        "Firehose names a function with its version; the local cloud checks it without one.",
        "Grant Firehose access to an Amazon S3 destination (Data Firehose Developer Guide)",
        on="arn:*:lambda:*:function:*:$LATEST",
    ),
    Unchecked(
        _FLOW_LOGS,
        ("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"),
        "The flow log writes records of traffic; the local cloud has no traffic.",
        "IAM role for publishing flow logs to CloudWatch Logs (VPC User Guide)",
    ),
    Unchecked(
        _EC2,
        (
            "ssm:UpdateInstanceInformation",
            "ssmmessages:CreateControlChannel",
            "ssmmessages:CreateDataChannel",
            "ssmmessages:OpenControlChannel",
            "ssmmessages:OpenDataChannel",
        ),
        "The agent on a host calls; a local host runs nothing.",
        "Add Session Manager permissions to an existing IAM role (Systems Manager User Guide)",
    ),
    Unchecked(
        _API,
        (
            "logs:CreateLogGroup",
            "logs:CreateLogStream",
            "logs:DescribeLogGroups",
            "logs:DescribeLogStreams",
            "logs:FilterLogEvents",
            "logs:GetLogEvents",
            "logs:PutLogEvents",
        ),
        "API Gateway writes its logs in the name of the account's role; the local cloud has none.",
        "Set up CloudWatch logging for REST APIs in API Gateway (API Gateway Developer Guide)",
    ),
    Unchecked(
        _S3,
        (
            "s3:GetObjectVersionAcl",
            "s3:GetObjectVersionForReplication",
            "s3:GetObjectVersionTagging",
            "s3:GetReplicationConfiguration",
            "s3:ListBucket",
            "s3:ReplicateObject",
            "s3:ReplicateTags",
        ),
        "S3 copies objects; the local cloud keeps replication rules and does not follow them.",
        "Setting up permissions for live replication (S3 User Guide)",
    ),
    Unchecked(
        _S3,
        ("kms:Encrypt",),
        "S3 encrypts copies; the local cloud makes none.",
        "Replicating encrypted objects (S3 User Guide)",
    ),
    Unchecked(
        ANYBODY,
        ("kms:Decrypt", "kms:GenerateDataKey"),
        "A service uses the key in the caller's name; the local cloud encrypts nothing.",
        "Permissions for AWS services in key policies (KMS Developer Guide)",
    ),
    Unchecked(
        ANYBODY,
        ("kms:DescribeKey",),
        "DynamoDB looks at the key in the caller's name; the local cloud encrypts nothing.",
        "Using IAM policies and key policies for DynamoDB encryption at rest "
        "(DynamoDB Developer Guide)",
    ),
)


def entry(services: Collection[str], action: str, resource: str) -> Unchecked | None:
    """Return the table's entry for what a role may do, None if there is none."""
    return next((each for each in TABLE if each.covers(services, action, resource)), None)

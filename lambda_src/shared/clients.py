"""AWS clients, made once per execution environment and only when first used."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_ec2 import EC2Client
    from types_boto3_events import EventBridgeClient
    from types_boto3_s3 import S3Client
    from types_boto3_secretsmanager import SecretsManagerClient
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient


# Short, so that several tries of a call fit into an invocation.
_CONFIG = Config(
    connect_timeout=1,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 3},
)


@cache
def dynamodb() -> DynamoDBClient:
    """Return the DynamoDB client."""
    return boto3.client("dynamodb", config=_CONFIG)


@cache
def sqs() -> SQSClient:
    """Return the SQS client."""
    return boto3.client("sqs", config=_CONFIG)


@cache
def sns() -> SNSClient:
    """Return the SNS client."""
    return boto3.client("sns", config=_CONFIG)


@cache
def secretsmanager() -> SecretsManagerClient:
    """Return the Secrets Manager client."""
    return boto3.client("secretsmanager", config=_CONFIG)


@cache
def events() -> EventBridgeClient:
    """Return the EventBridge client."""
    return boto3.client("events", config=_CONFIG)


@cache
def ec2() -> EC2Client:
    """Return the EC2 client."""
    return boto3.client("ec2", config=_CONFIG)


@cache
def s3() -> S3Client:
    """Return the S3 client; it waits as long as a batch deletion of 1,000 objects may take."""
    return boto3.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 5}))

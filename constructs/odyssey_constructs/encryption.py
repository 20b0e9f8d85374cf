"""Encryption at rest: keys of AWS's in dev, one customer-managed key per stack in prod."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

if TYPE_CHECKING:
    from constructs import Construct
    from odyssey_constructs.config import Config

_ID = "EncryptionKey"


def encryption_key(scope: Construct, *, config: Config) -> kms.Key | None:
    """Return the stack's customer-managed key, made on first use; None in dev.

    A customer-managed key costs 1 USD a month (AWS Key Management Service pricing,
    2026-11-21), which is why dev stacks use the keys that AWS owns.
    """
    if not config.is_prod:
        return None
    stack = Stack.of(scope)
    existing = stack.node.try_find_child(_ID)
    if existing is not None:
        return cast("kms.Key", existing)
    key = kms.Key(stack, _ID, enable_key_rotation=True)
    # CloudWatch Logs encrypts with the key itself, for log groups of this account only
    # ("Encrypt log data in CloudWatch Logs using AWS KMS", 2026-11-21).
    key.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
            actions=[
                "kms:Encrypt",
                "kms:Decrypt",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
                "kms:GenerateDataKey",
                "kms:GenerateDataKeyWithoutPlaintext",
                "kms:DescribeKey",
            ],
            resources=["*"],
            conditions={
                "ArnLike": {
                    "kms:EncryptionContext:aws:logs:arn": stack.format_arn(
                        service="logs",
                        resource="log-group",
                        resource_name="*",
                        arn_format=ArnFormat.COLON_RESOURCE_NAME,
                    )
                }
            },
        )
    )
    return key

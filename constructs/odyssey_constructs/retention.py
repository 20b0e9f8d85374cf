"""What outlives a stack: nothing in dev, data and logs in prod."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs

from odyssey_constructs.encryption import encryption_key

if TYPE_CHECKING:
    from constructs import Construct
    from odyssey_constructs.config import Config


def removal_policy(config: Config) -> RemovalPolicy:
    """Return the removal policy of everything that holds data."""
    return RemovalPolicy.RETAIN if config.is_prod else RemovalPolicy.DESTROY


def log_group(scope: Construct, id: str, *, config: Config) -> logs.LogGroup:
    """Make a log group: a week of logs in dev, a year in prod, gone with a dev stack."""
    return logs.LogGroup(
        scope,
        id,
        retention=logs.RetentionDays.ONE_YEAR if config.is_prod else logs.RetentionDays.ONE_WEEK,
        removal_policy=removal_policy(config),
        encryption_key=encryption_key(scope, config=config),
    )

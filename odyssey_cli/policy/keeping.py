"""Rules on what is kept: logs, data, and stacks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from odyssey_cli.policy.edges_of_firehose import STREAM
from odyssey_cli.policy.edges_of_services import BUCKET
from odyssey_cli.policy.ends import FUNCTION
from odyssey_cli.policy.rule import Fault
from odyssey_cli.templates import referenced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli.policy.templates import Json, Template

LOG_GROUP = "AWS::Logs::LogGroup"
# Days: a week of logs in dev, a year in prod.
_RETENTION = {"dev": 7, "prod": 365}
# What holds data, logs or the means to read them.
_STATEFUL = {
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::Kinesis::Stream",
    "AWS::Logs::LogGroup",
    "AWS::Logs::LogStream",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
    "AWS::SQS::Queue",
}
# An archive holds events for a week, too, and goes with its bus all the same: a bus with an
# archive's rule cannot be deleted, and the store holds the events for ever (Ingest's page).
_POLICIES = ("DeletionPolicy", "UpdateReplacePolicy")


def _writers(template: Template) -> Iterator[tuple[str, Json]]:
    """Yield everything that writes logs, and where it says that it does."""
    for at, each in template.of(FUNCTION).items():
        yield at, each.get("LoggingConfig", {}).get("LogGroup")
    for at, each in template.of("AWS::ApiGateway::Stage").items():
        yield at, each.get("AccessLogSetting", {}).get("DestinationArn")
    for at, each in template.of("AWS::ApiGatewayV2::Stage").items():
        yield at, each.get("AccessLogSettings", {}).get("DestinationArn")
    for at, each in template.of("AWS::EC2::FlowLog").items():
        yield at, each.get("LogGroupName")
    for at, each in template.of(STREAM).items():
        destination = each.get("ExtendedS3DestinationConfiguration", {})
        yield at, destination.get("CloudWatchLoggingOptions", {}).get("LogGroupName")
    for at, each in template.of("AWS::StepFunctions::StateMachine").items():
        yield at, each.get("LoggingConfiguration", {}).get("Destinations")


def log_groups_owned(template: Template) -> Iterator[Fault]:
    """Whatever writes logs has a log group of its own in the template, which forgets in time."""
    groups = {at: template.resource(said, LOG_GROUP) for at, said in _writers(template)}
    shared = Counter(groups.values())
    for at, group in groups.items():
        if group is None:
            yield Fault(
                at,
                "Its logs go to a log group that AWS makes by itself, keeps for ever and leaves "
                "behind.",
                "Name a log group of this template.",
            )
        elif shared[group] > 1:
            yield Fault(
                at,
                "It shares its log group, and so who may write to it.",
                "Give it a log group of its own.",
            )
    for at, each in template.of(LOG_GROUP).items():
        expected = _RETENTION["prod" if template.is_prod else "dev"]
        if each.get("RetentionInDays") != expected:
            yield Fault(
                at, "It keeps logs for another time than its stage.", f"Keep them {expected} days."
            )
    for at, stage in template.of("AWS::ApiGateway::Stage").items():
        if any(
            each.get("LoggingLevel", "OFF") != "OFF" for each in stage.get("MethodSettings", [])
        ):
            # "Set up CloudWatch logging for REST APIs in API Gateway", 2026-11-21.
            yield Fault(
                at,
                "Execution logs go to a log group that API Gateway makes and leaves behind.",
                "Turn them off; the access log has a group of its own.",
            )


def removal_right(template: Template) -> Iterator[Fault]:
    """What holds data goes with a dev stack and outlives a prod stack."""
    for at, resource in template.resources.items():
        said = {name: resource.get(name) for name in _POLICIES}
        holds_data = resource["Type"] in _STATEFUL
        for name, policy in said.items():
            if template.is_prod and holds_data and policy != "Retain":
                yield Fault(at, f"A prod stack takes it along: {name}.", f"Let {name} be Retain.")
            elif not template.is_prod and (
                policy not in ("Delete", None) or (holds_data and policy is None)
            ):
                yield Fault(
                    at, f"A dev stack may leave it behind: {name}.", f"Let {name} be Delete."
                )
    emptied = {
        bucket
        for each in template.of("Custom::EmptyBucket").values()
        for bucket in referenced(each.get("Bucket"))
    }
    for bucket in template.of(BUCKET):
        if template.is_prod and bucket in emptied:
            yield Fault(bucket, "A prod stack empties it.", "Make no Custom::EmptyBucket of it.")
        if not template.is_prod and bucket not in emptied:
            yield Fault(
                bucket,
                "A dev stack cannot delete it while it holds anything.",
                "Make a Custom::EmptyBucket of it.",
            )


def deletion_protected(template: Template) -> Iterator[Fault]:
    """Nothing in prod goes by a slip, and nothing in dev is kept from going."""
    expected = template.is_prod
    why = "can be lost by a slip" if expected else "cannot go with its stack"
    wanted = str(expected).lower()
    if template.protected is not expected:
        yield Fault("", f"The stack {why}.", f"Let terminationProtection be {wanted}.")
    for at, table in template.of("AWS::DynamoDB::Table").items():
        if table.get("DeletionProtectionEnabled", False) is not expected:
            yield Fault(at, f"The table {why}.", f"Let DeletionProtectionEnabled be {wanted}.")
        recovery = table.get("PointInTimeRecoverySpecification", {})
        if recovery.get("PointInTimeRecoveryEnabled", False) is not expected:
            # A deleted table that had it leaves a backup for 35 days ("Point-in-time backups for
            # DynamoDB", 2026-11-21).
            yield Fault(
                at,
                "The table cannot be restored."
                if expected
                else "The table leaves a backup behind when it goes.",
                f"Let PointInTimeRecoveryEnabled be {wanted}.",
            )
    for at, host in template.of("AWS::EC2::Instance").items():
        if host.get("DisableApiTermination", False) is not expected:
            yield Fault(at, f"The host {why}.", f"Let DisableApiTermination be {wanted}.")

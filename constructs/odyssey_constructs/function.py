"""A Lambda function with everything around it that every function of ours has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from constructs import Construct
from odyssey_constructs.alarms import FIVE_MINUTES, alarm
from odyssey_constructs.bundling import code
from odyssey_constructs.findings import acknowledge
from odyssey_constructs.retention import log_group

if TYPE_CHECKING:
    from collections.abc import Mapping

    from odyssey_constructs.config import Config

METRICS_NAMESPACE = "AwsOdyssey"


class PythonFunction(Construct):
    """A Python 3.13 function with its own role, log group and, by default, throttle alarm.

    The role may write to the log group and send traces, nothing else: tables and queues
    grant what their users call, through `allow`.

    Args:
        scope: the parent.
        id: the name within the parent.
        handler: `<package>.<module>` below `lambda_src`; the module has a function `handler`.
        config: the app's settings.
        environment: variables beside those that Powertools reads.
        timeout: 10 seconds; an API's caller is gone after 29.
        memory_size: in MiB; 512 by default, because CPU grows with it and the start of a
            function (import of boto3 and Powertools) is CPU-bound.
        alarmed: whether somebody is told when the function is throttled.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        handler: str,
        config: Config,
        environment: Mapping[str, str] | None = None,
        timeout: Duration | None = None,
        memory_size: int = 512,
        alarmed: bool = True,
    ) -> None:
        super().__init__(scope, id)
        package, _, module = handler.partition(".")
        if not module:
            raise ValueError(f"handler={handler!r} is not of the form <package>.<module>.")

        self.timeout = timeout or Duration.seconds(10)
        logs = log_group(self, "Logs", config=config)
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"Execution role of {handler}",
        )
        self.function = lambda_.Function(
            self,
            "Function",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=(
                lambda_.Architecture.ARM_64
                if config.architecture == "arm64"
                else lambda_.Architecture.X86_64
            ),
            code=code(package, architecture=config.architecture),
            handler=f"{handler}.handler",
            role=self.role,
            log_group=logs,
            logging_format=lambda_.LoggingFormat.JSON,
            timeout=self.timeout,
            memory_size=memory_size,
            tracing=lambda_.Tracing.ACTIVE,
            environment={
                "POWERTOOLS_SERVICE_NAME": Stack.of(self).stack_name,
                "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
                **(environment or {}),
            },
        )
        logs.grant_write(self.role)
        self._acknowledge()
        if alarmed:
            alarm(
                self,
                "Throttled",
                metric=self.function.metric_throttles(period=FIVE_MINUTES),
                threshold=1,
                description=f"{handler} was throttled: its account or function concurrency is used "
                "up.",
            )

    def allow(self, *actions: str, on: str) -> None:
        """Let the function call `actions` on the one resource whose ARN is `on`."""
        self.role.add_to_principal_policy(
            iam.PolicyStatement(actions=list(actions), resources=[on])
        )

    def _acknowledge(self) -> None:
        acknowledge(
            self.role,
            "AwsSolutions-IAM5[Resource::*]",
            "xray:PutTraceSegments and xray:PutTelemetryRecords have no resource-level "
            "permissions (Service Authorization Reference, AWS X-Ray, 2026-11-21).",
        )
        for rule in ("AwsSolutions-L1", "Serverless-LambdaLatestVersion"):
            acknowledge(
                self.function,
                rule,
                "Handlers and their pinned dependencies are tested for Python 3.13, which Lambda "
                "supports until June 2029 (AWS Lambda runtimes, 2026-11-21).",
            )
        acknowledge(
            self.function,
            "Serverless-LambdaDLQ",
            "A function's own dead-letter queue takes asynchronous invocations only. An API or an "
            "event source calls synchronously: failures are the caller's or go to the consumer's "
            "dead-letter queue. A topic's subscriber has an on-failure destination, which tells "
            "more. CloudFormation fails the stack instead.",
        )


def answer_within(function: PythonFunction) -> Duration:
    """Return how long CloudFormation waits for a custom resource's function to answer.

    By default it would wait an hour for one that has died. A minute more than the function has is
    for its start.
    """
    return Duration.seconds(function.timeout.to_seconds() + 60)

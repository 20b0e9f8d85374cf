"""What the whole app shares and every other stack needs first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam

from odyssey_constructs.alarms import AlarmTopic
from odyssey_constructs.findings import acknowledge
from odyssey_constructs.stack import OdysseyStack

if TYPE_CHECKING:
    from constructs import Construct
    from odyssey_constructs.config import Config


class Operations(OdysseyStack):
    """The alarm topic, and the role with which API Gateway writes access logs.

    The role is a setting of the whole account and region: the last to set it wins. Turn
    `api_log_role` off where another application owns it.
    """

    def __init__(self, scope: Construct, id: str, *, config: Config) -> None:
        super().__init__(scope, id, config=config, description="What all AWS Odyssey stacks share")
        alarms = AlarmTopic(self, "Alarms", config=config)
        self.outputs(
            AlarmTopicArn=alarms.topic.topic_arn,
        )

        if config.api_log_role:
            role = iam.Role(
                self,
                "ApiLogRole",
                assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"),
                description="API Gateway writes the access logs of this account's APIs",
                # Inline, so that API Gateway, which tries the role, finds it complete.
                inline_policies={"WriteLogs": iam.PolicyDocument(statements=[_write_logs()])},
            )
            acknowledge(
                role,
                "AwsSolutions-IAM5[Resource::*]",
                "One role serves every API of the account, whatever its log group; API Gateway "
                "refuses a narrower one.",
            )
            apigateway.CfnAccount(self, "ApiAccount", cloud_watch_role_arn=role.role_arn)


def _write_logs() -> iam.PolicyStatement:
    """What API Gateway asks of the role ("Set up CloudWatch logging for REST APIs", 2026-11-21)."""
    return iam.PolicyStatement(
        actions=[
            "logs:CreateLogGroup",
            "logs:CreateLogStream",
            "logs:DescribeLogGroups",
            "logs:DescribeLogStreams",
            "logs:FilterLogEvents",
            "logs:GetLogEvents",
            "logs:PutLogEvents",
        ],
        resources=["*"],
    )

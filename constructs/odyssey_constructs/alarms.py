"""Alarms, and the one topic on which the whole app tells somebody about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_ssm as ssm

from constructs import Construct
from odyssey_constructs.encryption import encryption_key
from odyssey_constructs.findings import acknowledge

if TYPE_CHECKING:
    from odyssey_constructs.config import Config

# The period of every alarm's metric.
FIVE_MINUTES = Duration.minutes(5)

# How a stack finds the topic without an export, which would tie the stacks' life cycles. The
# parameter store keeps names that begin with aws for itself.
TOPIC_PARAMETER = "/odyssey/alarm-topic-arn"


class AlarmTopic(Construct):
    """The app's alarm topic, announced in the parameter store, with its e-mail subscription.

    In prod it is encrypted with the stack's own key: the SNS key that AWS manages does not let
    CloudWatch publish ("Encrypting Amazon SNS topics", 2026-11-21). In dev it is unencrypted;
    an alarm's text holds no data of the flows.
    """

    def __init__(self, scope: Construct, id: str, *, config: Config) -> None:
        super().__init__(scope, id)
        key = encryption_key(self, config=config)
        self.topic = sns.Topic(self, "Topic", enforce_ssl=True, master_key=key)
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        if key is not None:
            key.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                    actions=["kms:Decrypt", "kms:GenerateDataKey"],
                    resources=["*"],
                    conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
                )
            )
        ssm.StringParameter(
            self,
            "Arn",
            parameter_name=TOPIC_PARAMETER,
            string_value=self.topic.topic_arn,
            description="The alarm topic of all AWS Odyssey stacks",
        )
        if config.alarm_email:
            subscription = self.topic.add_subscription(
                subscriptions.EmailSubscription(config.alarm_email)
            )
            acknowledge(
                subscription,
                "Serverless-SNSRedrivePolicy",
                "Nobody is left to tell of an alarm's e-mail that could not be sent: a queue for "
                "it would need an alarm of its own. The alarm's state stays on the dashboard.",
            )


def alarm(
    scope: Construct,
    id: str,
    *,
    metric: cloudwatch.Metric,
    threshold: float,
    description: str,
    evaluation_periods: int = 1,
    below: bool = False,
) -> cloudwatch.Alarm:
    """Make an alarm that tells the app's topic when `metric` reaches `threshold`.

    With `below` it tells when the metric falls below it.

    Missing data is good: these metrics exist only while something happens. `description` is
    what a person reads first; it says what is wrong and what that means.
    """
    made = cloudwatch.Alarm(
        scope,
        id,
        metric=metric,
        threshold=threshold,
        evaluation_periods=evaluation_periods,
        comparison_operator=(
            cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
            if below
            else cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
        ),
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        alarm_description=description,
    )
    made.add_alarm_action(actions.SnsAction(_topic(Stack.of(scope))))
    return made


def server_error_alarm(api: Construct, metric: cloudwatch.Metric) -> cloudwatch.Alarm:
    """Make the alarm of an API: `metric` counts its answers with a 5xx."""
    return alarm(
        api,
        "ServerErrors",
        metric=metric,
        threshold=1,
        description="The API answered with a 5xx: a request it accepted was not served.",
    )


def _topic(stack: Stack) -> sns.ITopic:
    existing = stack.node.try_find_child("AlarmTopic")
    if existing is not None:
        return cast("sns.ITopic", existing)
    arn = ssm.StringParameter.value_for_string_parameter(stack, TOPIC_PARAMETER)
    return sns.Topic.from_topic_arn(stack, "AlarmTopic", arn)

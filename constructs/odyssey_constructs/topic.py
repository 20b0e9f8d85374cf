"""A topic whose subscribers are functions; what they cannot process ends in a queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions

from constructs import Construct
from odyssey_constructs.encryption import encryption_key
from odyssey_constructs.queue import FailureQueue, RejectsQueue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from odyssey_constructs.config import Config
    from odyssey_constructs.function import PythonFunction


class Topic(Construct):
    """An encrypted topic that takes messages over TLS only.

    In dev it is encrypted with the key that AWS manages for SNS, which everybody in the account
    who may publish may use; in prod with the stack's own.

    Args:
        scope: the parent.
        id: the name within the parent.
        rejects: where its subscribers put messages that they can never process; they are told
            its address as `REJECTS_QUEUE`.
        config: the app's settings.
    """

    def __init__(self, scope: Construct, id: str, *, rejects: RejectsQueue, config: Config) -> None:
        super().__init__(scope, id)
        self._config = config
        self._rejects = rejects
        self._key = encryption_key(self, config=config)
        self.topic = sns.Topic(
            self,
            "Topic",
            enforce_ssl=True,
            master_key=self._key or kms.Alias.from_alias_name(self, "Key", "alias/aws/sns"),
        )

        if self._key is not None:
            # What SNS gives up it encrypts itself ("Amazon SNS dead-letter queues (DLQs)",
            # 2026-11-21).
            self._key.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[iam.ServicePrincipal("sns.amazonaws.com")],
                    actions=["kms:Decrypt", "kms:GenerateDataKey"],
                    resources=["*"],
                    conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
                )
            )

    def allow_publish(self, who: PythonFunction) -> None:
        """Let `who` publish messages."""
        who.allow("sns:Publish", on=self.topic.topic_arn)
        if self._key is not None:
            # "Managing Amazon SNS encryption keys and costs", 2026-11-21.
            who.allow("kms:Decrypt", "kms:GenerateDataKey", on=self._key.key_arn)

    def subscribe(
        self,
        function: PythonFunction,
        *,
        missing: str,
        only: Mapping[str, sns.SubscriptionFilter] | None = None,
        retry_attempts: int = 2,
        max_event_age: Duration | None = None,
    ) -> FailureQueue:
        """Let `function` have the messages, and return the queue of those it fails on.

        SNS hands a message to Lambda, which calls the function. Either can fail, and both end
        in the same queue: SNS when it cannot reach the function, Lambda when the function has
        failed in all attempts.

        Args:
            function: the subscriber.
            missing: what is not done for the messages in the queue, for whoever gets the alarm.
            only: the message attributes that a message must have to be delivered; all messages
                are, by default.
            retry_attempts: further attempts after a failure, a minute and two minutes later; 2,
                the most that Lambda makes ("Asynchronous invocation", 2026-11-21).
            max_event_age: after which Lambda gives up what it could not even start; six hours
                by default, the longest.
        """
        meaning = f"{missing} Mend the cause, then run odyssey redrive {Stack.of(self).stack_name}."
        failures = FailureQueue(function, "Failures", meaning=meaning, config=self._config)
        failures.allow_send(function)
        self._rejects.take_from(function)
        self.topic.add_subscription(
            subscriptions.LambdaSubscription(
                function.function,
                dead_letter_queue=failures.queue,
                filter_policy=dict(only) if only else None,
            )
        )
        lambda_.CfnEventInvokeConfig(
            function,
            "Attempts",
            function_name=function.function.function_name,
            qualifier="$LATEST",
            maximum_retry_attempts=retry_attempts,
            maximum_event_age_in_seconds=(max_event_age or Duration.hours(6)).to_seconds(),
            # CDK's own destination also grants calls that Lambda never makes.
            destination_config={"onFailure": {"destination": failures.queue.queue_arn}},
        ).node.add_dependency(function.role)
        return failures

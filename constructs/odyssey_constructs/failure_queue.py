"""A queue for what could not be processed, about which somebody is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs

from constructs import Construct
from odyssey_constructs.alarms import FIVE_MINUTES, alarm
from odyssey_constructs.encryption import encryption_key
from odyssey_constructs.findings import acknowledge
from odyssey_constructs.retention import removal_policy

if TYPE_CHECKING:
    from odyssey_constructs.config import Config
    from odyssey_constructs.function import PythonFunction


class FailureQueue(Construct):
    """Keeps messages for 14 days, takes them over TLS only, and alarms when it holds any.

    In prod it outlives its stack, like all that holds data.

    Args:
        scope: the parent.
        id: the name within the parent.
        meaning: what a message in it means, for whoever gets the alarm.
        config: the app's settings.
    """

    def __init__(self, scope: Construct, id: str, *, meaning: str, config: Config) -> None:
        super().__init__(scope, id)
        self._key = encryption_key(self, config=config)
        self.queue = sqs.Queue(
            self,
            "Queue",
            # The longest SQS keeps a message ("Amazon SQS message quotas", 2026-11-21).
            retention_period=Duration.days(14),
            encryption=sqs.QueueEncryption.KMS if self._key else sqs.QueueEncryption.SQS_MANAGED,
            encryption_master_key=self._key,
            enforce_ssl=True,
            removal_policy=removal_policy(config),
        )
        for rule in ("AwsSolutions-SQS3", "Serverless-SQSRedrivePolicy"):
            acknowledge(self.queue, rule, "This queue is the end of the line; it is not consumed.")
        alarm(
            self,
            "Waiting",
            metric=self.queue.metric_approximate_number_of_messages_visible(
                period=FIVE_MINUTES, statistic="Maximum"
            ),
            threshold=1,
            description=meaning,
        )

    def allow_send(self, function: PythonFunction) -> None:
        """Let `function` (or Lambda on its behalf) send messages."""
        function.allow("sqs:SendMessage", on=self.queue.queue_arn)
        if self._key is not None:
            # "Encryption at rest in Amazon SQS: configure KMS permissions", 2026-11-21.
            function.allow("kms:Decrypt", "kms:GenerateDataKey", on=self._key.key_arn)

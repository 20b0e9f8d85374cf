"""Queues: encrypted, over TLS only, with an end for what cannot be processed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from constructs import Construct
from odyssey_constructs.alarms import FIVE_MINUTES, alarm
from odyssey_constructs.encryption import encryption_key
from odyssey_constructs.findings import acknowledge
from odyssey_constructs.retention import removal_policy

if TYPE_CHECKING:
    from odyssey_constructs.client import Client
    from odyssey_constructs.config import Config
    from odyssey_constructs.function import PythonFunction


class _Queue(Construct):
    """What all queues have; in prod they outlive their stack, like all that holds data.

    A FIFO queue keeps the messages of each group in order and tells duplicates within a group, so
    that groups do not slow each other down ("High throughput for FIFO queues in Amazon SQS",
    2026-11-21).
    """

    queue: sqs.Queue

    def __init__(self, scope: Construct, id: str, *, config: Config, fifo: bool) -> None:
        super().__init__(scope, id)
        self._config = config
        self._fifo = fifo
        self._key = encryption_key(self, config=config)

    def _make(
        self,
        *,
        retention: Duration,
        visibility_timeout: Duration | None = None,
        dead_letter_queue: sqs.DeadLetterQueue | None = None,
    ) -> sqs.Queue:
        return sqs.Queue(
            self,
            "Queue",
            fifo=True if self._fifo else None,
            deduplication_scope=sqs.DeduplicationScope.MESSAGE_GROUP if self._fifo else None,
            fifo_throughput_limit=(
                sqs.FifoThroughputLimit.PER_MESSAGE_GROUP_ID if self._fifo else None
            ),
            retention_period=retention,
            visibility_timeout=visibility_timeout,
            dead_letter_queue=dead_letter_queue,
            encryption=sqs.QueueEncryption.KMS if self._key else sqs.QueueEncryption.SQS_MANAGED,
            encryption_master_key=self._key,
            enforce_ssl=True,
            removal_policy=removal_policy(self._config),
        )

    def allow_service(self, principal: str, *, of: str) -> None:
        """Let a service of AWS send messages on behalf of the one resource whose ARN is `of`."""
        self.queue.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(principal)],
                actions=["sqs:SendMessage"],
                resources=[self.queue.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": of}},
            )
        )
        if self._key is not None:
            # "Encryption at rest in Amazon SQS: configure KMS permissions for AWS services",
            # 2026-11-21. The key cannot name what refers to a queue that it encrypts.
            self._key.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[iam.ServicePrincipal(principal)],
                    actions=["kms:Decrypt", "kms:GenerateDataKey"],
                    resources=["*"],
                    conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
                )
            )

    def allow_send(self, who: PythonFunction | Client) -> None:
        """Let `who` (or Lambda on a function's behalf) send messages."""
        who.allow("sqs:SendMessage", on=self.queue.queue_arn)
        if self._key is not None:
            # "Encryption at rest in Amazon SQS: configure KMS permissions", 2026-11-21.
            who.allow("kms:Decrypt", "kms:GenerateDataKey", on=self._key.key_arn)

    def _allow_read(self, who: PythonFunction | Client, *actions: str) -> None:
        who.allow("sqs:ReceiveMessage", "sqs:DeleteMessage", *actions, on=self.queue.queue_arn)
        if self._key is not None:
            who.allow("kms:Decrypt", on=self._key.key_arn)


class FailureQueue(_Queue):
    """Keeps what could not be processed for 14 days, and alarms when it holds any.

    Args:
        scope: the parent.
        id: the name within the parent.
        meaning: what a message in it means, for whoever gets the alarm.
        config: the app's settings.
        is_redrive_target: whether a queue moves its messages here, rather than a function.
        fifo: whether that is a FIFO queue.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        meaning: str,
        config: Config,
        is_redrive_target: bool = False,
        fifo: bool = False,
    ) -> None:
        super().__init__(scope, id, config=config, fifo=fifo)
        # The longest SQS keeps a message ("Amazon SQS message quotas", 2026-11-21).
        self.queue = self._make(retention=Duration.days(14))
        rules = ["Serverless-SQSRedrivePolicy"]
        if not is_redrive_target:
            # The other pack sees for itself that a queue redrives to this one.
            rules.append("AwsSolutions-SQS3")
        for rule in rules:
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


class RejectsQueue(FailureQueue):
    """Keeps what functions can never process, with the cause.

    Args:
        scope: the parent.
        id: the name within the parent.
        what: what is in it, e.g. `Messages that the updater can never process`.
        group: the group of commands that shows it.
        config: the app's settings.
    """

    def __init__(self, scope: Construct, id: str, *, what: str, group: str, config: Config) -> None:
        super().__init__(
            scope,
            id,
            meaning=f"{what}. odyssey {group} failures shows their causes; odyssey redrive brings "
            "them back.",
            config=config,
        )

    def take_from(self, *functions: PythonFunction) -> None:
        """Let functions put here what they can never process, and tell them where this is."""
        for function in functions:
            self.allow_send(function)
            function.function.add_environment("REJECTS_QUEUE", self.queue.queue_url)


class WorkQueue(_Queue):
    """A queue whose messages are processed, with its dead-letter queue and an alarm on its age.

    It keeps messages for four days: a message takes its age along into the dead-letter queue,
    where at least ten of the fourteen days are then left ("Using dead-letter queues in Amazon
    SQS", 2026-11-21).

    Args:
        scope: the parent.
        id: the name within the parent.
        meaning: what a dead letter means, for whoever gets the alarm.
        config: the app's settings.
        visibility_timeout: how long a received message is hidden; for a function's queue six
            times the function's timeout.
        max_receives: after how many receives a message is given up; 5 by default, the least
            that AWS advises for functions ("Using Lambda with Amazon SQS", 2026-11-21).
        fifo: whether messages of a group are processed one after the other, in their order.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        meaning: str,
        config: Config,
        visibility_timeout: Duration,
        max_receives: int = 5,
        fifo: bool = False,
    ) -> None:
        super().__init__(scope, id, config=config, fifo=fifo)
        self.dead_letters = FailureQueue(
            self, "DeadLetters", meaning=meaning, config=config, is_redrive_target=True, fifo=fifo
        )
        self.queue = self._make(
            retention=Duration.days(4),
            visibility_timeout=visibility_timeout,
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self.dead_letters.queue, max_receive_count=max_receives
            ),
        )
        self.visibility_timeout = visibility_timeout
        alarm(
            self,
            "Behind",
            metric=self.queue.metric_approximate_age_of_oldest_message(
                period=FIVE_MINUTES, statistic="Maximum"
            ),
            threshold=Duration.hours(1).to_seconds(),
            description=f"The oldest message of {id} waits for an hour: its consumer is down or "
            "too slow. After four days messages are lost.",
        )

    def allow_receive(self, who: Client) -> None:
        """Let `who` receive messages, hold them longer or shorter, and delete them."""
        self._allow_read(who, "sqs:ChangeMessageVisibility")

    def consume(
        self,
        function: PythonFunction,
        *,
        batch_size: int = 10,
        max_batching_window: Duration | None = None,
        max_concurrency: int = 10,
    ) -> lambda_.EventSourceMapping:
        """Let `function` consume the messages; what it reports as failed comes again.

        Args:
            function: the consumer.
            batch_size: messages per invocation at most; 10 on a FIFO queue.
            max_batching_window: how long to gather messages for a batch; a batch of more than 10
                needs one, and a FIFO queue has none ("Using Lambda with Amazon SQS", 2026-11-21).
            max_concurrency: batches processed at once at most, so that a flood of messages
                cannot use up the account's concurrency.

        Raises:
            ValueError: a message could come again while the function still works on it.
        """
        timeout = function.timeout.to_seconds()
        window = max_batching_window.to_seconds() if max_batching_window else 0
        if self.visibility_timeout.to_seconds() < 6 * timeout + window:
            raise ValueError(
                f"{self.node.path} hides messages for {self.visibility_timeout.to_seconds()} s, "
                f"which is less than 6 times the {timeout} s of {function.node.path} and the "
                f'{window} s of the batching window ("Using Lambda with Amazon SQS", 2026-11-21).'
            )
        # "AWSLambdaSQSQueueExecutionRole", AWS Managed Policy Reference, 2026-11-21.
        self._allow_read(function, "sqs:GetQueueAttributes")
        mapping = lambda_.EventSourceMapping(
            self,
            "Mapping",
            target=function.function,
            event_source_arn=self.queue.queue_arn,
            batch_size=batch_size,
            max_batching_window=max_batching_window,
            max_concurrency=max_concurrency,
            report_batch_item_failures=True,
        )
        # Without this the mapping can be made before the role may read the queue.
        mapping.node.add_dependency(function.role)
        acknowledge(
            mapping,
            "Serverless-LambdaEventSourceMappingDestination",
            "Only streams have on-failure destinations; a queue's failures go to its dead-letter "
            "queue.",
        )
        return mapping

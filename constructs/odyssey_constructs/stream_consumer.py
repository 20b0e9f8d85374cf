"""A function that consumes the inserts of a table's stream, with its failure path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jsii
from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from constructs import Construct
from odyssey_constructs.alarms import FIVE_MINUTES, alarm
from odyssey_constructs.queue import FailureQueue

if TYPE_CHECKING:
    from odyssey_constructs.config import Config
    from odyssey_constructs.function import PythonFunction
    from odyssey_constructs.table import Table


@jsii.implements(lambda_.IEventSourceDlq)
class _Queue:
    """A queue as on-failure destination; CDK's own also grants calls that Lambda never makes."""

    def __init__(self, queue: sqs.Queue) -> None:
        self._queue = queue

    def bind(
        self, _target: lambda_.IEventSourceMapping, _function: lambda_.IFunction
    ) -> lambda_.DlqDestinationConfig:
        return lambda_.DlqDestinationConfig(destination=self._queue.queue_arn)


class StreamConsumer(Construct):
    """An event source mapping from a table's stream to a function.

    Only inserts are delivered: an update or an expired item is no new event. A batch that
    keeps failing is halved to isolate the record at fault, tried a bounded number of times
    and then given up to the dead-letter queue, so that it never blocks its shard.

    Args:
        scope: the parent.
        id: the name within the parent.
        table: the table; it must have a stream.
        function: the consumer.
        config: the app's settings.
        batch_size: records per invocation at most.
        retry_attempts: further tries of a failing batch before it is given up.
        max_record_age: age at which a record is given up untried; 12 hours by default, which
            leaves as long to redrive it before the stream forgets it.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        table: Table,
        function: PythonFunction,
        config: Config,
        batch_size: int = 1_000,
        retry_attempts: int = 5,
        max_record_age: Duration | None = None,
    ) -> None:
        super().__init__(scope, id)
        stream_arn = table.table.table_stream_arn
        if stream_arn is None:
            raise ValueError(f"{table.node.path} has no stream; make it with stream=True.")

        self.dead_letters = FailureQueue(
            self,
            "DeadLetters",
            meaning="Batches of the stream were given up. Mend the cause, then run odyssey "
            "redrive within a day: after that the stream has forgotten the records.",
            config=config,
        )
        self.dead_letters.allow_send(function)
        # "IAM policy to allow an AWS Lambda function to access DynamoDB stream records",
        # 2026-11-21.
        function.allow(
            "dynamodb:DescribeStream",
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
            "dynamodb:ListStreams",
            on=stream_arn,
        )
        self.mapping = lambda_.EventSourceMapping(
            self,
            "Mapping",
            target=function.function,
            event_source_arn=stream_arn,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=batch_size,
            max_batching_window=Duration.seconds(1),
            bisect_batch_on_error=True,
            report_batch_item_failures=True,
            retry_attempts=retry_attempts,
            max_record_age=max_record_age or Duration.hours(12),
            on_failure=_Queue(self.dead_letters.queue),
            filters=[
                lambda_.FilterCriteria.filter({"eventName": lambda_.FilterRule.is_equal("INSERT")})
            ],
        )
        # Without this the mapping can be made before the role may read the stream.
        self.mapping.node.add_dependency(function.role)

        alarm(
            self,
            "Behind",
            metric=function.function.metric(
                "IteratorAge", period=FIVE_MINUTES, statistic="Maximum"
            ),
            # An hour behind leaves 23 before the stream drops records ("DynamoDB Streams:
            # data retention limit", 24 hours, 2026-11-21).
            threshold=Duration.hours(1).to_milliseconds(),
            description="The consumer is an hour behind its stream, which forgets after a day.",
        )

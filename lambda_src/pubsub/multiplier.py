"""The topic's first subscriber: adds ten for every occurrence of a word."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from pubsub import subscribing
from pubsub.counting import MULTIPLIER, Count, chunks
from pubsub.tables import tables
from shared import clients, times
from shared.transactions import backoff

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from pubsub.messages import Message

# Nobody waits for it, and messages with a word in common come at the same moment. These pauses
# are 7.5 seconds on average, 15 at most.
_patient = partial(backoff, 12, longest=2.0)

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Lambda's entry point: what it raises, Lambda tries again."""
    rejected = subscribing.process(event, _multiply, source=context.function_name)
    metrics.add_metric("MessagesRejected", MetricUnit.Count, rejected)


def _multiply(message: Message) -> None:
    count = Count(MULTIPLIER, tables(), times.now(), clients.dynamodb(), _patient)
    added = [count.add(message, chunk, words) for chunk, words in chunks(message)]
    name = "MessagesMultiplied" if any(added) else "MessagesAlreadyMultiplied"
    metrics.add_metric(name, MetricUnit.Count, 1)
    logger.info(
        "multiplied",
        correlation_id=message.correlation_id,
        message_id=message.id,
        repeated=not any(added),
    )

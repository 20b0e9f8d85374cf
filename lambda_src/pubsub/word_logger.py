"""The topic's second subscriber: writes a line to its log for every word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from pubsub import subscribing

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from pubsub.messages import Message

# The message of a line that holds a word.
WORD = "word"

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Lambda's entry point: what it raises, Lambda tries again."""
    rejected = subscribing.process(event, _log, source=context.function_name)
    metrics.add_metric("MessagesRejected", MetricUnit.Count, rejected)


def _log(message: Message) -> None:
    """Write the lines; an event that comes again writes them again, with the same message id."""
    for word in message.words:
        logger.info(
            WORD,
            word=word.text,
            occurrences=word.occurrences,
            message_id=message.id,
            way=message.way,
            correlation_id=message.correlation_id,
        )
    metrics.add_metric("WordsLogged", MetricUnit.Count, len(message.words))

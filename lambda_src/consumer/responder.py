"""The queue's consumer: counts events, and keeps the latest state of each entity."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from consumer import settings
from consumer.messages import read
from consumer.responding import respond
from shared import clients, queue_rejects, rejects, times

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from shared.entity_events import EntityEvent

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry point: answers which messages must come again, by id."""
    stack = settings.responder()
    now = times.now()
    messages: dict[EntityEvent, str] = {}
    unusable = []
    for record in event["Records"]:
        try:
            messages[read(record["body"], now=now)] = record["messageId"]
        except rejects.Unprocessable as error:
            unusable.append(rejects.Reject(record, str(error), record["messageId"]))
    result = respond(messages, tables=stack.tables, now=now, client=clients.dynamodb())
    settled = queue_rejects.send(
        unusable,
        failed=[messages[each] for each in result.failed],
        source=context.function_name,
        queue_url=stack.rejects_queue,
        client=clients.sqs,
    )
    counts = {
        "EventsCounted": result.counted,
        "EventsAlreadyCounted": result.already,
        "MessagesFailed": len(settled.failed),
        "MessagesRejected": settled.rejected,
    }
    for name, value in counts.items():
        metrics.add_metric(name, MetricUnit.Count, value)
    if settled.failed:
        logger.error("failed", causes=Counter([*result.failed.values(), *settled.causes]))
    logger.info("responded", counts=counts)
    return rejects.answer(settled)

"""The stream's consumer: counts a batch of new events into their summaries."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from event_aggregator import settings
from event_aggregator.aggregation import Counted, count
from shared import clients, rejects, stream_rejects, times

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry point: answers which records must come again, by sequence number."""
    events, unusable = [], []
    for record in event["Records"]:
        try:
            events.append(Counted.from_record(record))
        except rejects.Unprocessable as error:
            key = record["dynamodb"]["Keys"]["id"]["S"]
            unusable.append(rejects.Reject(record, str(error), key))

    result = count(
        events, tables=settings.aggregator().tables, now=times.now(), client=clients.dynamodb()
    )
    settled = stream_rejects.send(
        unusable,
        failed=[each.sequence_number for each in result.failed],
        source=context.function_name,
        queue_url=settings.aggregator().rejects_queue,
        client=clients.sqs,
    )

    counts = {
        "EventsCounted": result.counted,
        "EventsAlreadyCounted": result.already,
        "EventsFailed": len(settled.failed),
        "EventsRejected": settled.rejected,
    }
    for name, value in counts.items():
        metrics.add_metric(name, MetricUnit.Count, value)
    if settled.failed:
        logger.error("failed", causes=Counter([*result.failed.values(), *settled.causes]))
    logger.info("counted", counts=counts)
    return rejects.answer(settled)

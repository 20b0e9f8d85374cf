"""The FIFO queue's consumer: stores events."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from ingest import settings
from ingest.storing import Batch, store
from shared import clients, queue_rejects, rejects, times

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry point: answers which messages must come again, by id."""
    stack = settings.storer()
    now = times.now()
    batch = Batch.read(event["Records"], now=now)
    result = store(
        batch.messages,
        table=stack.table,
        ttl_days=stack.ttl_days,
        now=now,
        client=clients.dynamodb(),
    )
    # What cannot be rejected comes again; the events behind it in its group need not.
    settled = queue_rejects.send(
        [*batch.rejects, *result.rejects],
        failed=result.failed,
        source=context.function_name,
        queue_url=stack.rejects_queue,
        client=clients.sqs,
    )
    counts = {
        "EventsStored": result.stored,
        "EventsAlreadyStored": result.already,
        "MessagesFailed": len(settled.failed),
        "MessagesRejected": settled.rejected,
    }
    for name, value in counts.items():
        metrics.add_metric(name, MetricUnit.Count, value)
    if settled.failed:
        logger.error("failed", causes=Counter([*result.failed.values(), *settled.causes]))
    logger.info("stored", counts=counts)
    return rejects.answer(settled)

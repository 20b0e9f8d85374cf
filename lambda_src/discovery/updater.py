"""The consumer of uploaded items: moves them on and announces that they are updated."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from discovery import settings
from discovery.updating import update
from shared import clients, queue_rejects, rejects, times

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry point: answers which messages must come again, by id."""
    stack = settings.updater()
    result = update(
        event["Records"],
        resources=stack.resources,
        now=times.now(),
        dynamodb=clients.dynamodb(),
        sqs=clients.sqs(),
    )
    settled = queue_rejects.send(
        result.rejects,
        failed=result.failed,
        source=context.function_name,
        queue_url=stack.rejects_queue,
        client=clients.sqs,
    )
    counts = {
        "ItemsUpdated": result.updated,
        "ItemsAlreadyUpdated": result.already,
        "MessagesFailed": len(settled.failed),
        "MessagesRejected": settled.rejected,
    }
    for name, value in counts.items():
        metrics.add_metric(name, MetricUnit.Count, value)
    if settled.failed:
        logger.error("failed", causes=Counter([*result.failed.values(), *settled.causes]))
    logger.info("processed", counts=counts, correlation_ids=result.correlation_ids)
    return rejects.answer(settled)

"""The stream's consumer: puts stored events on the bus."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from ingest import settings
from ingest.emitting import Stored, emit
from ingest.items import AT, ENTITY
from shared import clients, rejects, stream_rejects

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry point: answers which records must come again, by sequence number."""
    stack = settings.emitter()
    stored, unusable = [], []
    for record in event["Records"]:
        try:
            stored.append(Stored.read(record))
        except rejects.Unprocessable as error:
            unusable.append(_reject(record, str(error)))

    result = emit(stored, bus=stack.bus, client=clients.events())
    unusable += [
        _reject(each.record, f"The bus does not take the event: {code}.")
        for each, code in result.refused.items()
    ]
    settled = stream_rejects.send(
        unusable,
        failed=[each.sequence_number for each in result.failed],
        source=context.function_name,
        queue_url=stack.rejects_queue,
        client=clients.sqs,
    )
    counts = {
        "EventsEmitted": len(stored) - len(result.failed) - len(result.refused),
        "EventsNotEmitted": len(result.failed),
        "ItemsRejected": settled.rejected,
    }
    for name, value in counts.items():
        metrics.add_metric(name, MetricUnit.Count, value)
    if settled.failed:
        logger.error("failed", causes=Counter([*result.failed.values(), *settled.causes]))
    logger.info("emitted", counts=counts)
    return rejects.answer(settled)


def _reject(record: dict[str, Any], cause: str) -> rejects.Reject:
    keys = record["dynamodb"]["Keys"]
    return rejects.Reject(record, cause, f"{keys[ENTITY]['S']} {keys[AT]['S']}")

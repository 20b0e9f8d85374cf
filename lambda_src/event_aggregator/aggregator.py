"""The stream's consumer: counts a batch of new events into their summaries."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from event_aggregator.aggregation import Counted, Tables, count
from shared import clients, times
from shared.environment import required

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()


@cache
def tables() -> Tables:
    """Read the environment once."""
    return Tables(processed=required("PROCESSED_TABLE"), summaries=required("SUMMARIES_TABLE"))


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: LambdaContext) -> None:
    """Lambda's entry point. Whatever it raises brings the whole batch again."""
    events = [Counted.from_record(record) for record in event["Records"]]
    result = count(events, tables=tables(), now=times.now(), client=clients.dynamodb())
    metrics.add_metric("EventsCounted", MetricUnit.Count, result.counted)
    metrics.add_metric("EventsAlreadyCounted", MetricUnit.Count, result.already)
    logger.info("counted", counted=result.counted, already=result.already)

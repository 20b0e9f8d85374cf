"""The stream's consumer: counts a batch of new events into their summaries."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from event_aggregator import settings
from event_aggregator.aggregation import Counted, count
from shared import clients, rejects, times

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
    failed = [each.sequence_number for each in result.failed]
    # Everything from the first failure on comes again; rejected then, it would be sent twice.
    first = min(map(int, failed), default=None)
    due = [each for each in unusable if first is None or int(_sequence_number(each)) < first]
    unsent = _reject(due, source=context.function_name)
    failed += [_sequence_number(due[number]) for number in unsent]

    counts = {
        "EventsCounted": result.counted,
        "EventsAlreadyCounted": result.already,
        "EventsFailed": len(failed),
        "EventsRejected": len(due) - len(unsent),
    }
    for name, value in counts.items():
        metrics.add_metric(name, MetricUnit.Count, value)
    if failed:
        logger.error("failed", causes=Counter([*result.failed.values(), *unsent.values()]))
    logger.info("counted", counts=counts)
    return {"batchItemFailures": [{"itemIdentifier": number} for number in sorted(failed, key=int)]}


def _reject(due: list[rejects.Reject], *, source: str) -> dict[int, str]:
    if not due:
        return {}  # without making a client
    return rejects.send(
        due,
        source=source,
        queue_url=settings.aggregator().rejects_queue,
        client=clients.sqs(),
    )


def _sequence_number(reject: rejects.Reject) -> str:
    number: str = reject.record["dynamodb"]["SequenceNumber"]
    return number

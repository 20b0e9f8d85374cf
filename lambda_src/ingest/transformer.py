"""The delivery stream's function: queues events, and answers which records are fine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from ingest import settings
from ingest.transforming import patient, transform
from shared import clients, rejects

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()


class NotRejected(RuntimeError):  # noqa: N818 - reads as the statement it is
    """The rejects queue did not take a record; the text is the error's code."""


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry point: answers with every record, transformed or failed.

    Raises:
        NotRejected: nobody would be told of a failed record. Firehose then puts all records of
            the batch into the error prefix, and the alarm on this function's errors tells.
    """
    stack = settings.transformer()
    result = transform(
        event, queue_url=stack.queue, partitioned=stack.partitioned, client=clients.sqs()
    )
    for each in result.rejects:
        logger.error("rejected", record_id=each.record["recordId"], cause=each.cause)
    unsent = rejects.send(
        result.rejects,
        source=context.function_name,
        queue_url=stack.rejects_queue,
        client=clients.sqs(),
        tries=patient,
        patient=True,
    )
    if unsent:
        raise NotRejected(", ".join(sorted(set(unsent.values()))))
    metrics.add_metric("EventsQueued", MetricUnit.Count, result.queued)
    metrics.add_metric("RecordsRejected", MetricUnit.Count, len(result.rejects))
    logger.info(
        "transformed",
        queued=result.queued,
        rejected=len(result.rejects),
    )
    return {"records": result.records}

"""POST /slack and POST /words: counts a message's words and publishes that it did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit

from pubsub import answers, deliveries, refusals, settings, slack
from pubsub.saying import Desk
from shared import clients, times

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from pubsub.saying import Receipt

logger = Logger()
metrics = Metrics()
app = APIGatewayHttpResolver()
refusals.answer(app, logger, metrics)


@app.post("/slack")
def from_slack() -> Response[str]:
    """Take what Slack sends."""
    said = slack.read(app.current_event, secret=settings.counter().slack, now=times.now())
    if isinstance(said, slack.Unsaid):
        logger.info("ignored", reason=said.reason)
        metrics.add_metric("MessagesIgnored", MetricUnit.Count, 1)
        return answers.plain(said.answer)
    return answers.for_slack(said.way, _take(said))


@app.post("/words")
def from_curl() -> Response[str]:
    """Take `{"text": …}` from whoever has the token."""
    settings.counter().api.require(app.current_event.headers)
    said = deliveries.of_curl(app.current_event)
    # For the answer of a failure, after which this must be sent again.
    app.append_context(idempotency_key=said.idempotency_key)  # type: ignore[no-untyped-call]
    return answers.for_curl(_take(said), said.idempotency_key)


def _take(said: deliveries.Delivery) -> Receipt | None:
    stack = settings.counter()
    desk = Desk(stack.tables, stack.topic, clients.dynamodb(), clients.sns())
    request_id = app.current_event.request_context.request_id
    receipt = desk.take(said, now=times.now(), correlation_id=request_id)
    if receipt is None:
        name = "MessagesIgnored"
    else:
        name = "MessagesRepeated" if receipt.repeated else "MessagesCounted"
    metrics.add_metric(name, MetricUnit.Count, 1)
    logger.info("taken", message_id=said.id, way=said.way, outcome=name)
    return receipt


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry point."""
    return app.resolve(event, context)

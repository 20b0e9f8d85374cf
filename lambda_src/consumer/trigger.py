"""POST /events: hands an event to the service without the bus."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit

from consumer import settings, triggering
from shared import clients, requests, times
from shared.answers import as_json
from shared.identity import request_id
from shared.problems import Problem

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()
app = APIGatewayRestResolver()


@app.post("/events")
def trigger() -> Response[str]:
    """Accept an event: 202 with its id, the same for a repeated idempotency key."""
    request = app.current_event
    context = request.request_context
    # A role's id without its session name: a retry may come from another session.
    caller = (context.identity.caller or "").partition(":")[0]
    event_id = request_id(request.headers.get("idempotency-key"), scope=caller)
    now = times.now()
    body = requests.json_object(request, max_bytes=triggering.MAX_BODY_BYTES)
    event = triggering.read(body, id=event_id, correlation_id=context.request_id, now=now)
    is_new = triggering.record(
        body, id=event_id, table=settings.trigger().requests, now=now, client=clients.dynamodb()
    )
    triggering.queue(event, queue_url=settings.trigger().queue, client=clients.sqs())
    name = "EventsTriggered" if is_new else "EventsTriggeredAgain"
    metrics.add_metric(name, MetricUnit.Count, 1)
    return as_json({"event_id": event_id}, status=HTTPStatus.ACCEPTED)


@app.exception_handler(Problem)  # type: ignore[untyped-decorator]  # Powertools has no type here
def refuse(problem: Problem) -> Response[str]:
    """Answer a refusal; its reason is logged, the body is not."""
    logger.info("refused", problem=problem.type)
    metrics.add_metric("EventsRefused", MetricUnit.Count, 1)
    return problem.response()


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry point."""
    return app.resolve(event, context)

"""POST /trigger-event: validates an event and stores it once."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit

from event_aggregator import events, settings
from shared import clients, requests, times
from shared.answers import as_json
from shared.problems import Problem

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
metrics = Metrics()
app = APIGatewayRestResolver()


@app.post("/trigger-event")
def trigger_event() -> Response[str]:
    """Accept an event: 202 with its id, the same for a repeated idempotency key."""
    request = app.current_event
    identity = request.request_context.identity
    event = events.make_event(
        requests.json_object(request, max_bytes=events.MAX_BODY_BYTES),
        group_by=settings.producer().group_by,
        idempotency_key=request.headers.get("idempotency-key"),
        # A role's id without its session name: a retry may come from another session.
        caller=(identity.caller or "").partition(":")[0],
        received_at=times.now(),
        correlation_id=request.request_context.request_id,
    )
    receipt = events.store(
        event,
        table=settings.producer().table,
        ttl_days=settings.producer().ttl_days,
        client=clients.dynamodb(),
    )
    metrics.add_metric(
        "EventsRepeated" if receipt.repeated else "EventsAccepted", MetricUnit.Count, 1
    )
    return as_json(
        {"event_id": receipt.event_id, "received_at": receipt.received_at},
        status=HTTPStatus.ACCEPTED,
    )


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

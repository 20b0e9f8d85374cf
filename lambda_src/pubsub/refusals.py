"""How the API's functions say no: every answer is a problem, whatever went wrong."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aws_lambda_powertools.metrics import MetricUnit

from pubsub.credentials import MIN_AGE_SECONDS, UnusableSecret
from pubsub.deliveries import IDEMPOTENCY_KEY
from pubsub.failures import NotCountable, NotPublished
from shared.aws_errors import AWS_ERRORS, error_code
from shared.problems import Problem
from shared.transactions import Contended

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics
    from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

_FAILURES = (*AWS_ERRORS, Contended, NotCountable, NotPublished, UnusableSecret)
# Slack tries again whatever is not 2xx, three times; most refusals stay what they are ("Using the
# Events API", docs.slack.dev, 2026-11-21). A secret that was rotated is known seconds later.
_NO_RETRY = {"X-Slack-No-Retry": "1"}
_MAY_PASS = {HTTPStatus.UNAUTHORIZED}


def answer(app: APIGatewayHttpResolver, logger: Logger, metrics: Metrics | None = None) -> None:
    """Let `app` answer refusals and failures; both are logged, bodies are not."""

    def count(name: str) -> None:
        if metrics is not None:
            metrics.add_metric(name, MetricUnit.Count, 1)

    def refuse(problem: Problem) -> Response[str]:
        logger.info("refused", problem=problem.type)
        count("RequestsRefused")
        if problem.status not in _MAY_PASS:
            problem.headers.update(_NO_RETRY)
        return problem.response()

    def fail(error: Exception) -> Response[str]:
        cause = str(error) if isinstance(error, NotPublished) else error_code(error)
        logger.exception("failed", cause=cause)
        count("RequestsFailed")
        problem = _failure(error)
        if key := app.context.get("idempotency_key"):
            problem.headers[IDEMPOTENCY_KEY] = key
        return problem.response()

    def unknown(_error: Exception) -> Response[str]:
        return refuse(Problem(HTTPStatus.NOT_FOUND, "unknown-path", "There is nothing here."))

    app.not_found(unknown)
    app.exception_handler(Problem)(refuse)
    app.exception_handler(list(_FAILURES))(fail)


def _failure(error: Exception) -> Problem:
    if isinstance(error, NotPublished):
        return Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "not-published",
            "The message is counted, but its subscribers have not got it. Send it again, with the "
            "Idempotency-Key of this answer if it has one: it is not counted twice.",
            headers={"Retry-After": "1"},
        )
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "unavailable",
        "This cannot be served now. Send it again, a message with the Idempotency-Key of this "
        "answer if it has one: it is not counted twice.",
        headers={"Retry-After": str(MIN_AGE_SECONDS)},
    )

"""GET /get-summary and GET /get-summary/{id}."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.logging import correlation_paths

from event_aggregator import settings, summaries
from shared import clients
from shared.answers import as_json
from shared.problems import Problem

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
app = APIGatewayRestResolver()


@app.get("/get-summary")
def get_summaries() -> Response[str]:
    """Answer a page of summaries, highest count first."""
    query = app.current_event.query_string_parameters
    return as_json(
        summaries.read_page(
            query.get("limit"),
            query.get("cursor"),
            table=settings.reader().table,
            index=settings.reader().ranking,
            client=clients.dynamodb(),
        )
    )


@app.get("/get-summary/<id>")
def get_summary(id: str) -> Response[str]:
    """Answer one summary."""
    return as_json(summaries.read_one(id, table=settings.reader().table, client=clients.dynamodb()))


@app.not_found
def unknown_path(_error: Exception) -> Response[str]:
    """Answer for an id that no route takes, such as one with a slash in it."""
    return summaries.unknown().response()


@app.exception_handler(Problem)  # type: ignore[untyped-decorator]  # Powertools has no type here
def refuse(problem: Problem) -> Response[str]:
    """Answer a refusal."""
    logger.info("refused", problem=problem.type)
    return problem.response()


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry point."""
    return app.resolve(event, context)

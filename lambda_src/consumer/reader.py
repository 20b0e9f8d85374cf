"""GET /, GET /totals and GET /entities/{type}/{id}."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.logging import correlation_paths

from consumer import reading, settings
from shared import clients
from shared.answers import as_json
from shared.problems import Problem

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
app = APIGatewayRestResolver()


@app.get("/")
def about() -> Response[str]:
    """Answer what this is."""
    return as_json(reading.ABOUT)


@app.get("/totals")
def totals() -> Response[str]:
    """Answer how many events of each type were counted."""
    return as_json(reading.totals(table=settings.reader().totals, client=clients.dynamodb()))


@app.get("/entities/<type>/<id>")
def entity(type: str, id: str) -> Response[str]:
    """Answer an entity's latest state."""
    table = settings.reader().entities
    return as_json(reading.entity(type, id, table=table, client=clients.dynamodb()))


@app.not_found
def unknown_path(_error: Exception) -> Response[str]:
    """Answer for a path that no route takes, such as an id with a slash in it."""
    return reading.unknown().response()


@app.exception_handler(Problem)  # type: ignore[untyped-decorator]  # Powertools has no type here
def refuse(problem: Problem) -> Response[str]:
    """Answer a refusal."""
    logger.info("refused", problem=problem.type)
    return problem.response()


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry point."""
    return app.resolve(event, context)

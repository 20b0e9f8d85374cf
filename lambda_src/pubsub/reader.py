"""GET /words and GET /words/{word}."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.logging import correlation_paths

from pubsub import leaderboard, refusals, settings
from shared import clients
from shared.answers import as_json
from shared.requests import page_size

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
app = APIGatewayHttpResolver()
refusals.answer(app, logger)


@app.get("/words")
def get_words() -> Response[str]:
    """Answer the leaderboard, highest count first."""
    stack = settings.reader()
    stack.api.require(app.current_event.headers)
    size = page_size((app.current_event.query_string_parameters or {}).get("limit"))
    return as_json(
        leaderboard.read_top(
            size, table=stack.table, index=stack.ranking, client=clients.dynamodb()
        )
    )


# The resolver's own pattern for a parameter does not know all that a word may be made of.
@app.get("/words/(?s:.+)")
def get_word() -> Response[str]:
    """Answer one word's counts."""
    stack = settings.reader()
    stack.api.require(app.current_event.headers)
    name = app.current_event.path_parameters["word"]
    return as_json(leaderboard.read_one(name, table=stack.table, client=clients.dynamodb()))


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry point."""
    return app.resolve(event, context)

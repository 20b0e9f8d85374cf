"""A custom resource that empties its bucket before CloudFormation deletes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from custom_resources.answering import answer
from custom_resources.emptying import empty
from shared import clients

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_RESERVE_SECONDS = 120

logger = Logger()


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Lambda's entry point: answers CloudFormation, which waits for it."""
    bucket = event["ResourceProperties"]["Bucket"]
    failure = None
    if event["RequestType"] == "Delete":
        try:
            deleted = empty(bucket, clients.s3(), lambda: _has_time(context))
            logger.info("emptied", bucket=bucket, versions=deleted)
        except Exception as error:
            logger.exception("failed", bucket=bucket)
            failure = f"{bucket} could not be emptied: {error}"
    answer(event, physical_id=bucket, failure=failure)


def _has_time(context: LambdaContext) -> bool:
    """Say whether there is time for another thousand, and for the answer."""
    return context.get_remaining_time_in_millis() > _RESERVE_SECONDS * 1_000

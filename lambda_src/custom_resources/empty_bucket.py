"""A custom resource that empties its bucket when it is deleted: CloudFormation deletes empty ones.

Requests and answers: "Custom resource request and response reference", AWS CloudFormation User
Guide, 2026-11-21.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import urllib3
from aws_lambda_powertools import Logger

from custom_resources.emptying import empty
from shared import clients

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

# Answers over 4,096 bytes are not taken; a character may become twelve.
_MAX_REASON = 250
_RESERVE_SECONDS = 120

logger = Logger()


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Lambda's entry point: answers CloudFormation, which waits for it."""
    bucket = event["ResourceProperties"]["Bucket"]
    status, reason = "SUCCESS", ""
    if event["RequestType"] == "Delete":
        try:
            deleted = empty(bucket, clients.s3(), lambda: _has_time(context))
            logger.info("emptied", bucket=bucket, versions=deleted)
        except Exception as error:
            logger.exception("failed", bucket=bucket)
            status, reason = "FAILED", f"{bucket} could not be emptied: {error}"[:_MAX_REASON]
    answer = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    answer |= {"Status": status, "Reason": reason, "PhysicalResourceId": bucket}
    # The address is signed for an empty content type.
    sent = urllib3.PoolManager().request(
        "PUT", event["ResponseURL"], body=json.dumps(answer), headers={"content-type": ""}
    )
    if sent.status >= 300:  # noqa: PLR2004 - what HTTP calls success ends there
        raise RuntimeError(f"CloudFormation did not take the answer: {sent.status}.")


def _has_time(context: LambdaContext) -> bool:
    """Say whether there is time for another thousand, and for the answer."""
    return context.get_remaining_time_in_millis() > _RESERVE_SECONDS * 1_000

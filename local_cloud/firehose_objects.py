"""What Firehose does in the name of a stream's role: objects in S3, lines in a log.

Everything goes through MiniStack's own S3 and CloudWatch Logs, so that versions, encryption and
notifications of the bucket apply. Each call needs its permission. Not evaluated: KMS keys.

- "Controlling access with Amazon Data Firehose"
  https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html
- "Monitor Amazon Data Firehose using CloudWatch Logs"
  https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-logs.html
read 2026-11-21.
"""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from local_cloud import event_loop, permissions
from local_cloud import firehose_delivery as rules
from local_cloud.firehose_settings import is_on
from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from local_cloud.firehose_delivery import Failure
    from local_cloud.firehose_settings import Settings

_S3 = Hook("ministack.services.s3", "handle_request")
_PUT_LOG = Hook("ministack.services.cloudwatch_logs", "_put_log_events", ("data",))
HOOKS = (_S3, _PUT_LOG)

logger = logging.getLogger("odyssey.firehose")

_SESSION = "AWSFirehoseToS3"
_NOT_FOUND, _REFUSED = 404, 400


def refusal(role: str, action: str, resource: str) -> str | None:
    """Say that a stream's role may not do something, None if it may."""
    session = {"Role": role, "FunctionName": _SESSION}
    return permissions.refusal(session, (action,), resource, through="delivery stream")


def put(settings: Settings, key: str, body: bytes, headers: dict[str, str]) -> Failure | None:
    """Write an object; return why it could not be written, None if it was.

    Args:
        settings: The stream's.
        key: The object's.
        body: Its bytes.
        headers: More headers of the request.
    """
    resource = f"arn:aws:s3:::{settings.bucket}/{key}"
    if refusal(settings.role, "s3:PutObject", resource):
        return rules.S3_DENIED
    given = {
        "content-type": "application/octet-stream",
        "content-length": str(len(body)),
        "host": "s3.localhost",
        **headers,
    }
    if settings.key:
        given["x-amz-server-side-encryption"] = "aws:kms"
        given["x-amz-server-side-encryption-aws-kms-key-id"] = settings.key
    answered: Future[tuple[int, dict[str, str], bytes]] = Future()

    async def request() -> None:
        try:
            path = f"/{settings.bucket}/{key}"
            answered.set_result(await find(_S3)("PUT", path, given, body, {}, internal=True))
        except Exception as error:  # noqa: BLE001 -- whatever is wrong over there
            answered.set_exception(error)

    task = event_loop.run(lambda: asyncio.get_running_loop().create_task(request()))
    try:
        status, _, answer = answered.result()
    except Exception:
        logger.exception("%s could not be written.", resource)
        return rules.INTERNAL
    del task  # which the loop itself would not have kept
    if status == _NOT_FOUND:
        return rules.NO_BUCKET
    if status >= _REFUSED:
        logger.warning("%s was refused: %r", resource, answer)
        return rules.INTERNAL
    return None


def log(config: dict[str, Any], stream: str, message: str) -> None:
    """Write to a stream's log, if it has one and its role may.

    Args:
        config: The stream's destination.
        stream: The stream's ARN.
        message: What to write.
    """
    options = config.get("CloudWatchLoggingOptions") or {}
    group, name = options.get("LogGroupName"), options.get("LogStreamName")
    if not is_on(options) or not group or not name:
        return
    _, _, _, region, account, _ = stream.split(":")
    resource = f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:{name}"
    if problem := refusal(str(config["RoleARN"]), "logs:PutLogEvents", resource):
        logger.warning("%s: %s", stream, problem)
        return
    event = {"timestamp": int(time.time() * 1000), "message": message}
    data = {"logGroupName": group, "logStreamName": name, "logEvents": [event]}
    status, _, answer = event_loop.run(lambda: find(_PUT_LOG)(data))
    if status >= _REFUSED:
        logger.warning("%s has no log: %r", stream, answer)

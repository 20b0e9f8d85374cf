"""SNS to functions: an asynchronous invoke, or the subscription's dead-letter queue.

MiniStack runs the function itself, once, and drops whatever fails. On AWS the delivery ends when
Lambda has taken the event; what the function does with it is Lambda's affair
(async_invocations.py). A function that is gone, or whose policy does not let the topic invoke it,
is a client-side error and not retried; server-side errors are, on this cloud's clock. The queue
gets a dead letter only if its policy lets the topic send. Rules and pages: async_delivery.py.
"""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

from local_cloud import async_invocations, clock, mappings, permissions
from local_cloud.async_delivery import dead_letter_queue, delivery_pause, notification_event
from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Callable

_SNS = "ministack.services.sns"
_LAMBDA = "ministack.services.lambda_svc"
_DELIVER = Hook(
    _SNS,
    "_deliver_to_lambda",
    (
        "endpoint",
        "envelope",
        "topic_arn",
        "sub_arn",
        "msg_id",
        "raw_message",
        "message_attributes",
    ),
)
_SUBSCRIPTION = Hook(_SNS, "_find_subscription", ("topic_arn", "sub_arn"))
_RECORD = Hook(_LAMBDA, "_get_func_record_for_ref", ("function_ref",))
_WITH_CONFIG = Hook(_LAMBDA, "_execution_record_for_config", ("func", "config"))
_QUEUE_ALLOWS = Hook(
    "ministack.services.sqs",
    "queue_policy_allows",
    ("queue_arn", "service", "source_arn", "source_account"),
)
HOOKS = (_DELIVER, _SUBSCRIPTION, _RECORD, _WITH_CONFIG, _QUEUE_ALLOWS)

logger = logging.getLogger("odyssey.sns")

PRINCIPAL = "sns.amazonaws.com"


class ClientSideError(Exception):
    """SNS cannot reach the endpoint, and trying again would not help."""


def install() -> None:
    """Put this delivery in the place of MiniStack's, which calls it on a thread of its own."""
    _DELIVER.replace(lambda _: deliver)


def deliver(
    endpoint: str,
    envelope: str,
    topic_arn: str,
    sub_arn: str,
    msg_id: str,
    raw_message: str,
    message_attributes: dict[str, dict[str, Any]],
) -> None:
    """Hand a notification to Lambda, or give it up to the subscription's dead-letter queue."""
    del msg_id, raw_message
    mappings.over_tls()
    event = notification_event(json.loads(envelope), sub_arn, message_attributes)
    problem = until_taken(lambda: _hand_over(endpoint, topic_arn, event))
    if problem is None:
        return
    subscription = find(_SUBSCRIPTION)(topic_arn, sub_arn) or {}
    queue = dead_letter_queue((subscription.get("attributes") or {}).get("RedrivePolicy"))
    if queue is None:
        logger.warning("%s: a notification was lost. %s", sub_arn, problem)
    elif not find(_QUEUE_ALLOWS)(queue, PRINCIPAL, topic_arn, topic_arn.split(":")[4]):
        logger.warning(
            "%s: a notification was lost. %s Nor may it use %s.", sub_arn, problem, queue
        )
    elif not async_invocations.send_to_queue(queue, envelope, {}):
        logger.warning("%s: a notification was lost. %s %s takes none.", sub_arn, problem, queue)
    else:
        logger.warning("%s: a notification went to %s. %s", sub_arn, queue, problem)


def until_taken(
    hand_over: Callable[[], None], sleep: Callable[[float], None] = time.sleep
) -> str | None:
    """Call `hand_over` until it succeeds or trying is no use; say then what was wrong.

    Args:
        hand_over: Raises ClientSideError, or anything else for a server-side error.
        sleep: How to wait.
    """
    retry = 0
    while True:
        try:
            hand_over()
        except ClientSideError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 -- whatever is wrong over there
            retry += 1
            pause = delivery_pause(retry)
            if pause is None:
                return f"Lambda did not take it: {error}"
            sleep(pause / clock.scale())
        else:
            return None


def _hand_over(endpoint: str, topic_arn: str, event: dict[str, Any]) -> None:
    _, _, _, region, account, *_ = endpoint.split(":")
    with mappings.scope_of(account, region):
        stored, config, _ = find(_RECORD)(endpoint)
        if stored is None or config is None:
            raise ClientSideError(f"There is no function {endpoint}.")
        if not permissions.service_may_invoke(endpoint, PRINCIPAL, topic_arn):
            raise ClientSideError(f"{topic_arn} may not invoke {endpoint}.")
        invoked = find(_WITH_CONFIG)(stored, {**config, "FunctionArn": endpoint})
        async_invocations.invoke(invoked, event)

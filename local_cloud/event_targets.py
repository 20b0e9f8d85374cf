"""A rule's targets: what may pass is tried again, the rest goes to the dead-letter queue.

MiniStack tries a target once and drops what fails. Here each event for each queue, function and
topic has a thread of its own: what may pass is tried again by the target's policy, on this cloud's
clock, and what is given up goes to the target's dead-letter queue, or is lost, and logged. The
target needs a policy that lets `events.amazonaws.com` in for the rule, and so does the dead-letter
queue. A function is done with once Lambda has taken the event (async_invocations.py). Other
targets (buses, state machines, API destinations) and those of EventBridge Scheduler are
MiniStack's still: one try. Events under way end with the cloud. Rules: event_delivery.py.

- "Using resource-based policies for Amazon EventBridge"
  https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
- "SqsParameters" (a FIFO queue wants a group, and deduplication by content)
  https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_SqsParameters.html
read 2026-11-21. Not evaluated: the use of a KMS key for an encrypted queue or topic, and a
target's role.
"""

from __future__ import annotations

import json
import logging
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from local_cloud import (
    async_invocations,
    clock,
    event_archives,
    event_loop,
    faults,
    mappings,
    permissions,
)
from local_cloud.event_delivery import (
    TOO_OLD,
    Failure,
    GivenUp,
    RetryPolicy,
    after,
    dead_letter_attributes,
    envelope,
    failure_of,
)
from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Callable

    Event = dict[str, Any]

_EVENTS = "ministack.services.eventbridge"
_IAM = "ministack.core.iam_evaluator"
_LAMBDA = "ministack.services.lambda_svc"
_SQS = "ministack.services.sqs"
_SNS = "ministack.services.sns"
_RESPONSES = "ministack.core.responses"
_INVOKE = Hook(_EVENTS, "_invoke_target", ("target", "event", "rule", "view"))
_VIEW = Hook(_EVENTS, "_pattern_event_view", ("event",))
_TRANSFORM = Hook(_EVENTS, "_apply_input_transformer", ("transformer", "rule", "view"))
_ACCOUNT = Hook(_RESPONSES, "get_account_id", ())
_REGION = Hook(_RESPONSES, "get_region", ())
_CONTEXT = Hook(_IAM, "EvalContext")
_OF_RESOURCE = Hook(
    _IAM, "evaluate_resource_policy", ("doc", "ctx", "service", "named_only", "direct_only")
)
_RESOURCE_POLICY = Hook(_IAM, "_resource_policy", ("service", "resource_arn"))
_RECORD = Hook(_LAMBDA, "_get_func_record_for_ref", ("function_ref",))
_WITH_CONFIG = Hook(_LAMBDA, "_execution_record_for_config", ("func", "config"))
_QUEUE = Hook(_SQS, "_queue_by_arn", ("arn",))
_SEND = Hook(_SQS, "_act_send_message", ("data", "qurl"))
_SQS_ERROR = Hook(_SQS, "_Err")
_PUBLISH = Hook(_SNS, "publish_internal")
_SNS_ERROR = Hook(_SNS, "SnsPublishError")
HOOKS = (
    _INVOKE,
    _VIEW,
    _TRANSFORM,
    _ACCOUNT,
    _REGION,
    _CONTEXT,
    _OF_RESOURCE,
    _RESOURCE_POLICY,
    _RECORD,
    _WITH_CONFIG,
    _QUEUE,
    _SEND,
    _SQS_ERROR,
    _PUBLISH,
    _SNS_ERROR,
)

logger = logging.getLogger("odyssey.events")

PRINCIPAL = "events.amazonaws.com"
_SERVED = (["sqs"], ["lambda"], ["sns"])
_ACTIONS = {"sqs": "sqs:SendMessage", "sns": "sns:Publish"}


class View(Protocol):
    """MiniStack's view of an event, as patterns see it."""

    def envelope(self) -> Event:
        """Return the event without its detail."""

    def event_with_detail(self) -> Event:
        """Return the event with its detail, decoded."""


def install() -> None:
    """Put this delivery in the place of MiniStack's."""
    _INVOKE.replace(_in_background)


@dataclass(frozen=True)
class _Delivery:
    """An event on its way to a target.

    Attributes:
        event: The event's envelope, which a dead letter has.
        payload: What the target gets: the envelope, or what its input makes of it.
    """

    rule: str
    target: dict[str, Any]
    event: str
    payload: str

    @property
    def arn(self) -> str:
        return str(self.target["Arn"])


def _in_background(invoke: Callable[..., None]) -> Callable[..., None]:
    def invoked(
        target: dict[str, Any], event: Event, rule: dict[str, Any], view: View | None = None
    ) -> None:
        source, arn = (str(of.get("Arn", "")) for of in (rule or {}, target))
        if not event_archives.is_for(event, source):
            return
        served = source.split(":")[2:3] == ["events"] and arn.split(":")[2:3] in _SERVED
        if not served:
            invoke(target, event, rule, view)
            return
        view = view or find(_VIEW)(event)
        whole = envelope(view.envelope(), detail_of(event, view))
        delivery = _Delivery(
            rule["Arn"], dict(target), whole, input_of(target, event, rule, view) or whole
        )
        mappings.in_background(_deliver, delivery)

    return invoked


def detail_of(event: Event, view: View) -> str:
    """Return the detail's JSON: as it was put, if it was JSON."""
    given, decoded = event.get("Detail", "{}"), view.event_with_detail()["detail"]
    as_put = isinstance(given, str) and decoded is not given
    return str(given) if as_put else json.dumps(decoded, ensure_ascii=False)


def input_of(target: dict[str, Any], event: Event, rule: dict[str, Any], view: View) -> str | None:
    """Return what the target gets in the event's place, None if the event itself."""
    if transformer := target.get("InputTransformer"):
        return str(find(_TRANSFORM)(transformer, rule, view))
    if target.get("Input"):
        return str(target["Input"])
    path = target.get("InputPath")
    if path == "$.detail":
        return detail_of(event, view)
    found = view.event_with_detail()
    for part in str(path or "").strip("$.").split("."):
        if not part:
            continue
        if not isinstance(found, dict) or part not in found:
            return None
        found = found[part]
    return json.dumps(found, ensure_ascii=False) if path and path != "$" else None


def _deliver(delivery: _Delivery) -> None:
    """Send an event until the target takes it or it is given up."""
    policy = RetryPolicy.of(delivery.target).sped_up(clock.scale())
    given_up = until_taken(lambda: _attempt(delivery), policy)
    if given_up is not None:
        _give_up(delivery, given_up)


def until_taken(
    attempt: Callable[[], Failure | None],
    policy: RetryPolicy,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> GivenUp | None:
    """Call `attempt` until it succeeds or the policy says that it is given up.

    Args:
        attempt: Returns why the target did not take the event, None when it did.
        policy: The target's, on this cloud's clock.
        now: The time in seconds.
        sleep: How to wait.
    """
    began, retries = now(), 0
    while (failure := attempt()) is not None:
        step = after(policy, failure, retries, now() - began, random.random())  # noqa: S311 -- jitter
        if isinstance(step, GivenUp):
            return step
        sleep(step.after)
        if now() - began >= policy.max_age:
            return GivenUp(failure, retries, TOO_OLD)
        retries += 1
    return None


def _attempt(delivery: _Delivery) -> Failure | None:
    kind, region, account = (delivery.arn.split(":")[part] for part in (2, 3, 4))
    try:
        if (account, region) != (find(_ACCOUNT)(), find(_REGION)()):
            return Failure("NO_RESOURCE", f"{delivery.arn} is of another account or region.")
        if kind == "lambda":
            return _to_function(delivery)
        return _to_queue(delivery) if kind == "sqs" else _to_topic(delivery)
    except Exception as error:
        logger.exception("%s did not take an event.", delivery.arn)
        return Failure("INTERNAL_ERROR", str(error), passes=True)


def _refusal(arn: str, rule: str) -> Failure | None:
    """Say why a queue or topic takes nothing from a rule, None if it does."""
    kind = arn.split(":")[2]
    own = find(_RESOURCE_POLICY)(kind, arn)
    if own is None:
        return Failure("NO_RESOURCE", f"{arn} does not exist.")
    context = find(_CONTEXT)(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action=_ACTIONS[kind],
        resource_arn=arn,
        region=arn.split(":")[3],
        secure_transport=True,
        service_context={"aws:sourcearn": rule, "aws:sourceaccount": rule.split(":")[4]},
    )
    if find(_OF_RESOURCE)(own[0], context, service=PRINCIPAL).decision == "Allow":
        return None
    return Failure("NO_PERMISSIONS", f"{rule} may not {_ACTIONS[kind]} on {arn}.")


def _to_queue(delivery: _Delivery) -> Failure | None:
    if refusal := _refusal(delivery.arn, delivery.rule):
        return refusal
    group = (delivery.target.get("SqsParameters") or {}).get("MessageGroupId")

    def send() -> Failure | None:
        queue = find(_QUEUE)(delivery.arn)
        data = {"QueueUrl": queue["url"], "MessageBody": delivery.payload}
        if fault := faults.struck("AmazonSQS.SendMessage", json.dumps(data, ensure_ascii=False)):
            return failure_of(fault, "A fault was armed for this request.")
        try:
            find(_SEND)(data | ({"MessageGroupId": group} if group else {}), queue["url"])
        except find(_SQS_ERROR) as error:
            return failure_of(error.code, error.message)
        return None

    return event_loop.run(send)


def _to_topic(delivery: _Delivery) -> Failure | None:
    if refusal := _refusal(delivery.arn, delivery.rule):
        return refusal
    try:
        event_loop.run(lambda: find(_PUBLISH)(delivery.arn, delivery.payload))
    except find(_SNS_ERROR) as error:
        return failure_of(getattr(error, "code", "InvalidParameter"), str(error))
    return None


def _to_function(delivery: _Delivery) -> Failure | None:
    stored, config, _ = find(_RECORD)(delivery.arn)
    if stored is None or config is None:
        return Failure("NO_RESOURCE", f"{delivery.arn} does not exist.")
    if not permissions.service_may_invoke(delivery.arn, PRINCIPAL, delivery.rule):
        return Failure("NO_PERMISSIONS", f"{delivery.rule} may not invoke {delivery.arn}.")
    try:
        event = json.loads(delivery.payload)
    except ValueError as error:
        return Failure("INVALID_JSON", str(error))
    invoked = find(_WITH_CONFIG)(stored, {**config, "FunctionArn": delivery.arn})
    async_invocations.invoke(invoked, event)
    return None


def _give_up(delivery: _Delivery, given_up: GivenUp) -> None:
    """Send an event to the target's dead-letter queue, or say that it is lost."""
    why = f"{delivery.arn}: {given_up.failure.message}"
    queue = (delivery.target.get("DeadLetterConfig") or {}).get("Arn")
    attributes = dead_letter_attributes(given_up, delivery.rule, delivery.arn)
    if queue is None:
        logger.warning("%s: an event was lost. %s", delivery.rule, why)
    elif refusal := _refusal(queue, delivery.rule):
        logger.warning("%s: an event was lost. %s %s", delivery.rule, why, refusal.message)
    elif not async_invocations.send_to_queue(queue, delivery.event, attributes):
        logger.warning("%s: an event was lost. %s %s takes none.", delivery.rule, why, queue)
    else:
        logger.warning("%s: an event went to %s. %s", delivery.rule, queue, why)

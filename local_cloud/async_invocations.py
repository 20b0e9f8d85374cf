"""Asynchronous invocations, by the rules of async_delivery.py instead of MiniStack's.

Each event has a thread of its own, so that no function waits for another one's retries. It is
sent to what the function is at that moment, as on AWS, where a mended function gets the events
that failed before. Every `Event` invoke comes through here: a client's own, S3's and SNS's
(sns_delivery.py). Events under way end with the cloud.

A destination or dead-letter queue gets something only while the function's role may send to it,
else the event is lost, as on AWS, and logged. Queues and topics are served; functions, event buses
and buckets as destinations are not, and are logged too.

`$LATEST` and no qualifier mean the same configuration on AWS; MiniStack kept two.
https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
read 2026-11-21.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_cloud import clock, event_loop, mappings, permissions
from local_cloud.async_delivery import (
    SUCCESS,
    Again,
    Answer,
    AsyncSettings,
    Done,
    Event,
    after,
    before,
    dead_letter_attributes,
    described_error,
    record,
)
from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Callable

_LAMBDA = "ministack.services.lambda_svc"
_SQS = "ministack.services.sqs"
_INVOKE = Hook(_LAMBDA, "invoke_async_with_retry", ("func", "event"))
_EXECUTE = Hook(_LAMBDA, "_execute_function", ("func", "event"))
_DISPATCH = Hook(
    _LAMBDA, "_execute_function_dispatch", ("func", "config", "event", "request_id", "started")
)
_RECORD = Hook(_LAMBDA, "_get_func_record_for_ref", ("function_ref",))
_BASE_RECORD = Hook(_LAMBDA, "_get_base_func_record_for_ref", ("function_ref",))
_WITH_CONFIG = Hook(_LAMBDA, "_execution_record_for_config", ("func", "config"))
_RESERVED = Hook(_LAMBDA, "_reserved_concurrency", ("func", "config"))
_OF_FUNCTION = Hook(_LAMBDA, "_event_invoke_config", ("func", "qualifier"))
_GET = Hook(_LAMBDA, "_get_event_invoke_config", ("func_name", "qualifier"))
_PUT = Hook(_LAMBDA, "_put_event_invoke_config", ("func_name", "qualifier", "data"))
_DELETE = Hook(_LAMBDA, "_delete_event_invoke_config", ("func_name", "qualifier"))
_QUEUE = Hook(_SQS, "_queue_by_arn", ("arn",))
_SEND = Hook(_SQS, "_act_send_message", ("data", "qurl"))
_PUBLISH = Hook("ministack.services.sns", "publish_internal")
HOOKS = (
    _INVOKE,
    _EXECUTE,
    _DISPATCH,
    _RECORD,
    _BASE_RECORD,
    _WITH_CONFIG,
    _RESERVED,
    _OF_FUNCTION,
    _GET,
    _PUT,
    _DELETE,
    _QUEUE,
    _SEND,
    _PUBLISH,
)

logger = logging.getLogger("odyssey.async")

_LATEST = "$LATEST"
_MAY = {"sqs": "sqs:SendMessage", "sns": "sns:Publish"}

# The request that the attempt under way belongs to.
_request: ContextVar[str | None] = ContextVar("request", default=None)


@dataclass(frozen=True)
class _Target:
    """A function as it is now.

    Attributes:
        arn: Its ARN as it was invoked, with the qualifier if there was one.
        stored: MiniStack's record of what runs.
        base: MiniStack's record of the function itself, which has its settings.
    """

    arn: str
    stored: dict[str, Any]
    base: dict[str, Any]

    @property
    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = self.stored["config"]
        return config

    @property
    def own_arn(self) -> str:
        """Its ARN with a qualifier, as records have it."""
        return self.arn if self._qualifier else f"{self.arn}:{_LATEST}"

    @property
    def _qualifier(self) -> str | None:
        return self.arn.split(":")[7] if self.arn.count(":") == 7 else None  # noqa: PLR2004 -- parts of an ARN

    def invoke_config(self) -> dict[str, Any]:
        """Return its EventInvokeConfig, empty when it has none."""
        return find(_OF_FUNCTION)(self.base, self._qualifier) or {}

    def settings(self) -> AsyncSettings:
        """Return its settings on this cloud's clock."""
        reserved = find(_RESERVED)(self.base, self.config)
        return AsyncSettings.of(self.invoke_config(), reserved).sped_up(clock.scale())


def install() -> None:
    """Put these asynchronous invocations in the place of MiniStack's."""
    _INVOKE.replace(lambda _: invoke)
    _DISPATCH.replace(_with_request)
    _OF_FUNCTION.replace(_one_of_both)
    _GET.replace(_unqualified)
    _PUT.replace(_named_latest)
    _DELETE.replace(_unqualified)


def invoke(func: dict[str, Any], event: object) -> None:
    """Take an event for a function and return at once.

    Args:
        func: MiniStack's record of the function, whose ARN says how it was invoked.
        event: What the function is sent.
    """
    arn = str((func.get("config") or func)["FunctionArn"])
    mappings.in_background(_deliver, arn, event, str(uuid.uuid4()))


def nobody_waits() -> bool:
    """Say whether what runs here is an asynchronous invocation."""
    return _request.get() is not None


def _deliver(arn: str, payload: object, request_id: str) -> None:
    """Send an event until it is done, then tell whom the function's settings name."""
    _, _, _, region, account, *_ = arn.split(":")
    began = time.monotonic()
    event = Event()
    token = _request.set(request_id)
    with mappings.scope_of(account, region):
        while True:
            target = _target(arn)
            if target is None:
                logger.warning("%s is gone; an event for it was dropped.", arn)
                break
            step: Again | Done | None = before(target.settings(), event, time.monotonic() - began)
            if step is None:
                answer = _attempt(target, payload, request_id)
                step = after(target.settings(), event, answer, time.monotonic() - began)
            if isinstance(step, Done):
                _tell(_target(arn) or target, step, payload, request_id)
                break
            event = step.event
            time.sleep(step.after)
    _request.reset(token)


def _target(arn: str) -> _Target | None:
    stored, config, _ = find(_RECORD)(arn)
    base = find(_BASE_RECORD)(arn)[0]
    if stored is None or config is None or base is None:
        return None
    return _Target(arn, find(_WITH_CONFIG)(stored, {**config, "FunctionArn": arn}), base)


def _attempt(target: _Target, payload: object, request_id: str) -> Answer:
    try:
        result = find(_EXECUTE)(target.stored, payload)
    except Exception:
        # A system error, which Lambda tries again like a throttle.
        logger.exception("%s could not be invoked.", target.arn)
        return Answer(invoked=False)
    if result.get("throttle"):
        return Answer(invoked=False)
    if not result.get("error"):
        return Answer(result.get("body"))
    log = str(result.get("log", ""))
    body = result.get("body")
    logger.warning("%s failed with an event: %s\n%s", target.arn, body, log)
    error = result.get("function_error") or "Unhandled"
    return Answer(described_error(body, log, request_id), error)


def _tell(target: _Target, done: Done, payload: object, request_id: str) -> None:
    destinations = target.invoke_config().get("DestinationConfig") or {}
    side = "OnSuccess" if done.condition == SUCCESS else "OnFailure"
    destination = (destinations.get(side) or {}).get("Destination")
    letters = (target.config.get("DeadLetterConfig") or {}).get("TargetArn")
    if destination:
        document = record(
            done,
            payload,
            function_arn=target.own_arn,
            version=str(target.config.get("Version", _LATEST)),
            request_id=request_id,
            now=time.time(),
        )
        _send(target, destination, json.dumps(document, ensure_ascii=False), {})
    if done.condition == SUCCESS:
        return
    if letters:
        body = json.dumps(payload, ensure_ascii=False)
        _send(target, letters, body, dead_letter_attributes(done, request_id))
    if not destination and not letters:
        logger.warning("%s: an event was given up, with nobody to tell.", target.arn)


def _send(target: _Target, to: str, body: str, attributes: dict[str, dict[str, str]]) -> None:
    """Send a document in the name of the function's role, or say that it is lost."""
    service = to.split(":")[2]
    action = _MAY.get(service)
    if action is None:
        logger.warning("%s: the local cloud sends no records to %s.", target.arn, to)
        return
    if problem := permissions.refusal(target.config, (action,), to, through="destination"):
        logger.warning("%s: a record of an event was lost. %s", target.arn, problem)
    elif service == "sns":
        event_loop.run(lambda: find(_PUBLISH)(to, body, message_attributes=attributes))
    elif not send_to_queue(to, body, attributes):
        logger.warning("%s: a record of an event was lost. %s takes none.", target.arn, to)


def send_to_queue(arn: str, body: str, attributes: dict[str, dict[str, str]]) -> bool:
    """Send a message to a standard queue, from any thread; say whether it took it."""

    def send() -> bool:
        queue = find(_QUEUE)(arn)
        if queue is None or queue["is_fifo"]:
            return False
        data = {"QueueUrl": queue["url"], "MessageBody": body, "MessageAttributes": attributes}
        try:
            find(_SEND)(data, queue["url"])
        except Exception:
            logger.exception("%s refused a message.", arn)
            return False
        return True

    return event_loop.run(send)


def _with_request(dispatch: Callable[..., Any]) -> Callable[..., Any]:
    """Give every attempt at an event the same request id."""

    def dispatched(
        func: dict[str, Any],
        config: dict[str, Any],
        event: object,
        request_id: str,
        started: float,
    ) -> Any:  # noqa: ANN401 -- MiniStack's
        return dispatch(func, config, event, _request.get() or request_id, started)

    return dispatched


def _one_of_both(look: Callable[..., Any]) -> Callable[..., Any]:
    return lambda func, qualifier: look(func, None if qualifier == _LATEST else qualifier)


def _unqualified(act: Callable[..., Any]) -> Callable[..., Any]:
    return lambda name, qualifier=None: act(name, None if qualifier == _LATEST else qualifier)


def _named_latest(put: Callable[..., Any]) -> Callable[..., Any]:
    def named(name: str, qualifier: str | None, data: dict[str, Any]) -> Any:  # noqa: ANN401 -- MiniStack's
        status, headers, body = put(name, None if qualifier == _LATEST else qualifier, data)
        made = json.loads(body)
        if status >= 400 or qualifier not in (None, "", _LATEST):  # noqa: PLR2004 -- HTTP
            return status, headers, body
        stored = find(_OF_FUNCTION)(find(_BASE_RECORD)(name)[0], None)
        stored["FunctionArn"] = made["FunctionArn"] = f"{made['FunctionArn']}:{_LATEST}"
        return status, headers, json.dumps(made).encode()

    return named

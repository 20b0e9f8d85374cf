"""Reads the messages of a topic that did not get through to a function.

They come in two shapes, because two services deliver them:

- Lambda has taken the message and the function has failed: Lambda's record of an asynchronous
  invocation ("Capturing records of Lambda asynchronous invocations", 2026-11-21);
- SNS could not hand the message to Lambda: its notification, as a queue gets it ("Amazon SNS
  dead-letter queues" and "Parsing Amazon SNS message formats", 2026-11-21).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from odyssey_cli.invocations import NotDeliverable, error_text

if TYPE_CHECKING:
    from collections.abc import Callable

_SOURCE = "aws:sns"
# Where an ARN of a function has its name.
_NAME = 6
# Lambda spells two of SNS's names its own way ("Process Amazon SNS notifications with Lambda").
_SPELT_BY_LAMBDA = {"SigningCertURL": "SigningCertUrl", "UnsubscribeURL": "UnsubscribeUrl"}


@dataclass(frozen=True)
class Delivery:
    """A message that did not get through.

    Attributes:
        function: name of the function that failed; "" where it was not reached.
        records: what the function is to be handed.
        cause: why it did not get through.
    """

    function: str
    records: list[dict[str, Any]]
    cause: str

    @property
    def what(self) -> str:
        """The message's id: its CloudEvents id if it has one, else SNS's."""
        sns = self.records[0]["Sns"]
        return f"message {_event_id(sns['Message']) or sns['MessageId']}"


def is_record(body: Any) -> bool:  # noqa: ANN401 - any JSON
    """Say whether `body` is a record that a function gets of a topic."""
    return isinstance(body, dict) and body.get("EventSource") == _SOURCE


def read(body: Any, attribute: Callable[[str], str]) -> Delivery:  # noqa: ANN401 - any JSON
    """Return the delivery that a message is of.

    Args:
        body: the message's body, parsed.
        attribute: returns a text attribute of the message, "" without it.

    Raises:
        NotDeliverable: it is of none.
    """
    if isinstance(body, dict) and "requestPayload" in body:
        return _of_lambda(body)
    if isinstance(body, dict) and body.get("Type") == "Notification":
        return Delivery("", [_record(body)], _cause(attribute))
    raise NotDeliverable(
        "the message is neither Lambda's record of an invocation nor a notification of SNS"
    )


def _of_lambda(body: dict[str, Any]) -> Delivery:
    payload, context = body["requestPayload"], body.get("requestContext")
    records = payload.get("Records") if isinstance(payload, dict) else None
    if not isinstance(records, list) or not records or not all(map(is_record, records)):
        raise NotDeliverable("what the function was invoked with is no message of a topic")
    for record in records:
        _check(record.get("Sns"))
    arn = str(context.get("functionArn", "")) if isinstance(context, dict) else ""
    if not isinstance(context, dict) or arn.count(":") < _NAME:
        raise NotDeliverable("Lambda's record does not say which function has failed")
    # Without an answer of the function, e.g. when it was throttled for too long, there is none.
    error = error_text(body.get("responsePayload"))
    cause = str(context.get("condition", "unknown"))
    return Delivery(arn.split(":")[_NAME], records, f"{cause}: {error}" if error else cause)


def _record(notification: dict[str, Any]) -> dict[str, Any]:
    """Return the record that Lambda makes of a notification for a function."""
    _check(notification)
    sns = {_SPELT_BY_LAMBDA.get(name, name): value for name, value in notification.items()}
    # Nothing else in it names the subscription.
    query = parse_qs(urlsplit(str(notification.get("UnsubscribeURL", ""))).query)
    [subscription] = query.get("SubscriptionArn", [""])[:1]
    return {
        "EventSource": _SOURCE,
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription,
        "Sns": {"Subject": None, "MessageAttributes": {}, **sns},
    }


def _check(notification: Any) -> None:  # noqa: ANN401 - any JSON
    for name in ("MessageId", "Message"):
        if not isinstance(notification, dict) or not isinstance(notification.get(name), str):
            raise NotDeliverable(f"the notification has no text {name!r}")


def _cause(attribute: Callable[[str], str]) -> str:
    said = " ".join(filter(None, (attribute("ErrorCode"), attribute("ErrorMessage"))))
    request = f" (request {attribute('RequestID')})" if attribute("RequestID") else ""
    return f"SNS could not hand it to Lambda{f': {said}' if said else ''}{request}"


def _event_id(message: str) -> str:
    try:
        event = json.loads(message)
    except (ValueError, RecursionError):
        return ""
    found = event.get("id") if isinstance(event, dict) else None
    return found if isinstance(found, str) else ""

"""How Lambda and SNS deliver without a caller who waits: what an attempt did, to what follows.

Pure, like delivery.py. The rules are those of these pages, read 2026-11-21:

- "How Lambda handles errors and retries with asynchronous invocation" (one minute, two minutes;
  throttles: from one second, doubled, up to five minutes, for up to six hours)
  https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
- "Configuring error handling settings for Lambda asynchronous invocations"
  https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html
- "Capturing records of Lambda asynchronous invocations" (the record of a destination, the
  attributes of a dead letter, reserved concurrency zero)
  https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
- "Introducing AWS Lambda Destinations" (a dead-letter queue beside a destination gets its own)
  https://aws.amazon.com/blogs/compute/introducing-aws-lambda-destinations/
- "Process Amazon SNS notifications with Lambda" (the event)
  https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
- "Amazon SNS message delivery retries" (the phases for AWS managed endpoints)
  https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
- "Amazon SNS dead-letter queues" (client-side errors are not retried)
  https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html

What those pages leave open, and how it is decided here:

- An event that would grow too old during a pause is given up when it is, not before.
- A record of an event that the function never answered has no `responseContext` and no
  `responsePayload`, as records of streams have none. Its dead letter has the error code 429.
- With reserved concurrency zero the condition is "RetriesExhausted", after no invoke.
- SNS's dead letter is the notification as a queue would get it, without message attributes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SUCCESS = "Success"
RETRIES_EXHAUSTED = "RetriesExhausted"
TOO_OLD = "EventAgeExceeded"
_ERROR_MESSAGE_BYTES = 1024
_HTTP_OK, _HTTP_TOO_MANY = 200, 429


@dataclass(frozen=True)
class AsyncSettings:
    """What a function says of its asynchronous invocations; times in seconds.

    Attributes:
        retries: How often an event is sent again after a function error.
        max_age: How long Lambda keeps an event.
        reserved: The function's reserved concurrency, None when it has none.
        pauses: The pauses before the retries.
        first_pause: The pause after the first throttle; it doubles with each one.
        longest_pause: Where it stops doubling.
    """

    retries: int = 2
    max_age: float = 21_600
    reserved: int | None = None
    pauses: tuple[float, float] = (60, 120)
    first_pause: float = 1
    longest_pause: float = 300

    @classmethod
    def of(cls, config: Mapping[str, Any] | None, reserved: int | None = None) -> AsyncSettings:
        """Read an EventInvokeConfig in the shape of the Lambda API, None for the defaults."""
        given = config or {}
        retries, max_age = given.get("MaximumRetryAttempts"), given.get("MaximumEventAgeInSeconds")
        return cls(
            retries=cls.retries if retries is None else int(retries),
            max_age=cls.max_age if max_age is None else float(max_age),
            reserved=reserved,
        )

    def sped_up(self, scale: float) -> AsyncSettings:
        """Return the settings for a clock that runs `scale` times faster than the real one."""
        return replace(
            self,
            max_age=self.max_age / scale,
            pauses=(self.pauses[0] / scale, self.pauses[1] / scale),
            first_pause=self.first_pause / scale,
            longest_pause=self.longest_pause / scale,
        )


@dataclass(frozen=True)
class Answer:
    """What came of sending an event to the function.

    Attributes:
        payload: What the function returned, or the description of its error.
        error: What kind of function error it was, e.g. "Unhandled"; None when it returned.
        invoked: False when the function could not be invoked at all (throttled).
    """

    payload: object = None
    error: str | None = None
    invoked: bool = True


@dataclass(frozen=True)
class Event:
    """An event in a function's queue of asynchronous invocations.

    Attributes:
        invocations: How often the function got it.
        throttles: How often in a row it could not be invoked.
        last: What the function answered last.
    """

    invocations: int = 0
    throttles: int = 0
    last: Answer | None = None


@dataclass(frozen=True)
class Again:
    """The event is sent (again) after so many seconds."""

    event: Event
    after: float


@dataclass(frozen=True)
class Done:
    """The event leaves the queue: the function succeeded, or it is given up."""

    event: Event
    condition: str


def before(settings: AsyncSettings, event: Event, age: float) -> Done | None:
    """Say whether an event of this age is given up instead of being sent."""
    if settings.reserved == 0:
        return Done(event, RETRIES_EXHAUSTED)
    # At the very age a pause was cut short for, it counts as exceeded.
    return Done(event, TOO_OLD) if age and age >= settings.max_age else None


def after(settings: AsyncSettings, event: Event, answer: Answer, age: float) -> Again | Done:
    """Return what follows when `answer` came of sending the event, which is so old by now."""
    if not answer.invoked:
        pause = min(settings.first_pause * 2 ** min(event.throttles, 30), settings.longest_pause)
        return _again(settings, replace(event, throttles=event.throttles + 1), pause, age)
    tried = Event(event.invocations + 1, last=answer)
    if answer.error is None:
        return Done(tried, SUCCESS)
    if tried.invocations > settings.retries:
        return Done(tried, RETRIES_EXHAUSTED)
    return _again(settings, tried, settings.pauses[min(tried.invocations, 2) - 1], age)


def _again(settings: AsyncSettings, event: Event, pause: float, age: float) -> Again:
    return Again(event, max(0.0, min(pause, settings.max_age - age)))


def record(
    done: Done, payload: object, *, function_arn: str, version: str, request_id: str, now: float
) -> dict[str, Any]:
    """Return the document that a destination gets.

    Args:
        done: The event and why it left the queue.
        payload: What the function was sent.
        function_arn: The function's ARN, with its qualifier.
        version: The version that was invoked.
        request_id: The id of the request, the same in all attempts.
        now: The present, in seconds since 1970.
    """
    moment = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
    document: dict[str, Any] = {
        "version": "1.0",
        "timestamp": moment.replace("+00:00", "Z"),
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": done.condition,
            "approximateInvokeCount": done.event.invocations,
        },
        "requestPayload": payload,
    }
    if (last := done.event.last) is not None:
        context = {"statusCode": _HTTP_OK, "executedVersion": version}
        document["responseContext"] = context | (
            {"functionError": last.error} if last.error else {}
        )
        document["responsePayload"] = last.payload
    return document


def dead_letter_attributes(done: Done, request_id: str) -> dict[str, dict[str, str]]:
    """Return the message attributes of the event in a function's dead-letter queue."""
    last = done.event.last
    described = last.payload if last else "Rate Exceeded."
    message = described.get("errorMessage", "") if isinstance(described, dict) else described
    text = str(message).encode()[:_ERROR_MESSAGE_BYTES].decode(errors="ignore")
    attributes = {
        "RequestID": {"DataType": "String", "StringValue": request_id},
        "ErrorCode": {
            "DataType": "Number",
            "StringValue": str(_HTTP_OK if last else _HTTP_TOO_MANY),
        },
        "ErrorMessage": {"DataType": "String", "StringValue": text},
    }
    # SQS takes no empty attribute.
    return {name: value for name, value in attributes.items() if value["StringValue"]}


def described_error(body: object, log: str, request_id: str) -> object:
    """Return a Python function's error as the Lambda runtime describes it.

    MiniStack knows the message and logs the traceback, whose last line has the type.
    https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html, read 2026-11-21.
    """
    if not isinstance(body, dict) or body.get("errorType") != "Runtime.HandlerError":
        return body
    lines = log.rstrip().splitlines()
    starts = [n for n, line in enumerate(lines) if line.startswith("Traceback (most recent")]
    if not starts:
        return body
    trace = lines[starts[-1] + 1 :]
    ends = [n for n, line in enumerate(trace) if line and not line.startswith(" ")]
    if not ends:
        return body
    return {
        "errorMessage": body.get("errorMessage", ""),
        "errorType": trace[ends[0]].partition(":")[0].rpartition(".")[2],
        "requestId": request_id,
        "stackTrace": [line + "\n" for line in trace[: ends[0]]],
    }


# SNS, one layer before


def notification_event(
    notification: Mapping[str, Any], subscription: str, attributes: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what a function gets of a notification.

    Args:
        notification: The notification as a queue would get it.
        subscription: ARN of the subscription.
        attributes: The message attributes as they were published.
    """
    renamed = {"SigningCertURL": "SigningCertUrl", "UnsubscribeURL": "UnsubscribeUrl"}
    sns = {renamed.get(name, name): value for name, value in notification.items()}
    sns.setdefault("Subject", None)
    sns["MessageAttributes"] = {
        name: {
            "Type": value.get("DataType", "String"),
            "Value": value.get("StringValue", value.get("BinaryValue", "")),
        }
        for name, value in attributes.items()
    }
    return {
        "Records": [
            {
                "EventVersion": "1.0",
                "EventSubscriptionArn": subscription,
                "EventSource": "aws:sns",
                "Sns": sns,
            }
        ]
    }


def dead_letter_queue(redrive_policy: str | None) -> str | None:
    """Return the ARN of a subscription's dead-letter queue, None when it has none."""
    try:
        policy = json.loads(redrive_policy or "{}")
    except ValueError:
        return None
    target = policy.get("deadLetterTargetArn") if isinstance(policy, dict) else None
    return str(target) if target else None


DELIVERY_RETRIES = 100_015


def delivery_pause(retry: int) -> float | None:
    """Return the seconds before SNS's retry of a server-side error, None after the last one.

    Three at once, two a second apart, ten from one second to twenty, and then every twenty.

    Args:
        retry: 1 for the first retry.
    """
    if retry <= 3:  # noqa: PLR2004 -- the phases of the page
        return 0.0
    if retry <= 5:  # noqa: PLR2004
        return 1.0
    if retry <= 15:  # noqa: PLR2004
        return float(20 ** ((retry - 6) / 9))
    return 20.0 if retry <= DELIVERY_RETRIES else None

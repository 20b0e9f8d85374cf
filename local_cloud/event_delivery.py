"""How EventBridge takes, delivers, gives up, keeps and replays events. Pure, like delivery.py.

The rules are those of these pages, read 2026-11-21:

- "PutEvents" (10 entries, 1 MB together, whole numbers of 64 bits, 1000 levels)
  https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
- "PutEventsRequestEntry", "PutEventsResultEntry" (what an entry needs, and its error codes)
  https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
  https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html
- "Sending events with PutEvents in Amazon EventBridge" (how an entry's size is counted)
  https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
- "How EventBridge retries delivering events" (24 hours, 185 times, back-off and jitter)
  https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
- "RetryPolicy" https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RetryPolicy.html
- "Using dead-letter queues to process undelivered events in EventBridge" (what is not retried,
  the attributes and some error codes)
  https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
- "CreateArchive" (RetentionDays, replayed events are not archived)
  https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateArchive.html
- "StartReplay" https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_StartReplay.html

What those pages leave open, and how it is decided here:

- 1 MB are 1,048,576 bytes, and so much is still taken.
- The pauses: from one second, doubled, up to ten minutes, each cut at random by up to half. So
  185 retries take about 23 hours.
- An event that would grow too old during a pause is given up when it is, without another try.
- Which error codes pass. All attributes of a dead letter are strings, and what was not retried has
  no EXHAUSTED_RETRY_CONDITION.
- An entry with a whole number beyond 64 bits, or nested too deep to be read here, is malformed.
- Both ends belong to the window of a replay.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MOST_ENTRIES = 10
MOST_BYTES = 1_048_576
_TIME_BYTES = 14
_LONGEST_TYPE = 128
_INTEGERS = range(-(2**63), 2**63)
_DAY = 86_400

ATTEMPTS_EXHAUSTED = "MaximumRetryAttempts"
TOO_OLD = "MaximumEventAgeInSeconds"

Event = dict[str, Any]


# PutEvents


def entry_size(entry: Mapping[str, Any]) -> int:
    """Return the bytes that an entry counts."""
    texts = [entry.get("Source"), entry.get("DetailType"), entry.get("Detail")]
    texts += entry.get("Resources") or []
    counted = sum(len(str(text).encode(errors="surrogatepass")) for text in texts if text)
    return counted + (_TIME_BYTES if entry.get("Time") is not None else 0)


def request_refusal(entries: Sequence[Mapping[str, Any]]) -> str | None:
    """Say why a whole request is refused, None if it is not."""
    if not 1 <= len(entries) <= MOST_ENTRIES:
        bound = f"less than or equal to {MOST_ENTRIES}" if entries else "greater than or equal to 1"
        return (
            f"1 validation error detected: Value '{len(entries)}' at 'entries' failed to satisfy "
            f"constraint: Member must have length {bound}"
        )
    if sum(map(entry_size, entries)) > MOST_BYTES:
        return "Total size of the entries in the request is over the limit."
    return None


def entry_refusal(entry: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the error code and message of an entry that is not taken, None if it is."""
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name) or not isinstance(entry[name], str):
            return (
                "InvalidArgument",
                f"Parameter {name} is not valid. Reason: {name} is a required argument.",
            )
    if len(entry["DetailType"]) > _LONGEST_TYPE:
        return (
            "InvalidArgument",
            "Parameter DetailType is not valid. Reason: It has more than 128 characters.",
        )
    return None if _is_object(entry["Detail"]) else ("MalformedDetail", "Detail is malformed.")


def _is_object(text: str) -> bool:
    try:
        text.encode()
        value = json.loads(text, parse_constant=_no_constant, parse_int=_integer)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _integer(digits: str) -> int:
    number = int(digits)
    if number not in _INTEGERS:
        raise ValueError(f"{digits} has more than 64 bits")
    return number


def envelope(fields: Mapping[str, Any], detail: str) -> str:
    """Return the event as a target gets it; the detail stays as it was put, byte for byte.

    Args:
        fields: The event without its detail.
        detail: The detail's JSON.
    """
    order = ["version", "id", "detail-type", "source", "account", "time", "region", "resources"]
    ordered = {name: fields[name] for name in order if name in fields}
    head = json.dumps({**ordered, **fields}, ensure_ascii=False, separators=(",", ":"))
    return f'{head[:-1]},"detail":{detail}}}'


# A rule's targets


@dataclass(frozen=True)
class RetryPolicy:
    """What a target says of retries; times in seconds.

    Attributes:
        retries: How often an event is sent again.
        max_age: For how long.
        first_pause: The longest pause before the first retry; it doubles with each one.
        longest_pause: Where it stops doubling.
    """

    retries: int = 185
    max_age: float = _DAY
    first_pause: float = 1
    longest_pause: float = 600

    @classmethod
    def of(cls, target: Mapping[str, Any]) -> RetryPolicy:
        """Read a target in the shape of the EventBridge API."""
        given = target.get("RetryPolicy") or {}
        retries, max_age = given.get(ATTEMPTS_EXHAUSTED), given.get(TOO_OLD)
        return cls(
            retries=cls.retries if retries is None else int(retries),
            max_age=cls.max_age if max_age is None else float(max_age),
        )

    def sped_up(self, scale: float) -> RetryPolicy:
        """Return the policy for a clock that runs `scale` times faster than the real one."""
        return replace(
            self,
            max_age=self.max_age / scale,
            first_pause=self.first_pause / scale,
            longest_pause=self.longest_pause / scale,
        )


@dataclass(frozen=True)
class Failure:
    """Why a target did not take an event.

    Attributes:
        code: As the dead letter has it.
        message: What was wrong.
        passes: Whether another try may succeed.
    """

    code: str
    message: str
    passes: bool = False


@dataclass(frozen=True)
class Again:
    """The event is sent again after so many seconds."""

    after: float


@dataclass(frozen=True)
class GivenUp:
    """The event goes to the dead-letter queue, or is lost.

    Attributes:
        retries: How often it was sent again.
        condition: What of the policy was exhausted, None when nothing was.
    """

    failure: Failure
    retries: int
    condition: str | None = None


_PASSING = {
    "THROTTLING": ("Throttl", "TooManyRequests", "LimitExceeded", "OverLimit"),
    "INTERNAL_ERROR": ("Internal", "ServiceUnavailable", "ServiceException"),
    "TIMEOUT": ("Timeout", "TimedOut"),
}
_LASTING = {
    "NO_RESOURCE": ("NonExistentQueue", "QueueDoesNotExist", "NotFound", "QueueDeletedRecently"),
    "NO_PERMISSIONS": ("AccessDenied", "AuthorizationError", "NotAuthorized"),
    "INVALID_PARAMETER": ("Invalid", "MissingParameter"),
}


def failure_of(code: str, message: str) -> Failure:
    """Return what an AWS service's error means for a delivery."""
    for known, passes in ((_PASSING, True), (_LASTING, False)):
        for name, parts in known.items():
            if any(part in code for part in parts):
                return Failure(name, message, passes=passes)
    return Failure("SDK_CLIENT_ERROR", message)


def after(
    policy: RetryPolicy, failure: Failure, retries: int, age: float, cut: float
) -> Again | GivenUp:
    """Return what follows a failure.

    Args:
        policy: The target's.
        failure: What came of sending the event.
        retries: How often it was sent again so far.
        age: How long ago it was sent first.
        cut: A random number from 0 to 1.
    """
    if not failure.passes:
        return GivenUp(failure, retries)
    if retries >= policy.retries:
        return GivenUp(failure, retries, ATTEMPTS_EXHAUSTED)
    if age >= policy.max_age:
        return GivenUp(failure, retries, TOO_OLD)
    pause = min(policy.first_pause * 2 ** min(retries, 30), policy.longest_pause) * (1 - cut / 2)
    return Again(min(pause, policy.max_age - age))


def dead_letter_attributes(
    given_up: GivenUp, rule_arn: str, target_arn: str
) -> dict[str, dict[str, str]]:
    """Return the message attributes of an event in a target's dead-letter queue."""
    texts = {
        "RULE_ARN": rule_arn,
        "TARGET_ARN": target_arn,
        "ERROR_CODE": given_up.failure.code,
        "ERROR_MESSAGE": given_up.failure.message,
        "EXHAUSTED_RETRY_CONDITION": given_up.condition,
        "RETRY_ATTEMPTS": str(given_up.retries),
    }
    # SQS takes no empty attribute.
    return {
        name: {"DataType": "String", "StringValue": text} for name, text in texts.items() if text
    }


# Archives


def retained(events: Iterable[Event], days: float, now: float) -> list[Event]:
    """Return the events that an archive still has; 0 days are for ever."""
    return [event for event in events if not days or event["ArchivedAt"] > now - days * _DAY]


def replay_refusal(start: float, end: float) -> str | None:
    """Say why there is no replay of a window, None if there is."""
    if start < end:
        return None
    return (
        "Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime."
    )


def replays_to(destination: Mapping[str, Any], rule_arn: str) -> bool:
    """Say whether a replay with this destination is for a rule."""
    only = destination.get("FilterArns") or []
    return not only or rule_arn in only

"""Asynchronous invocations, and SNS before them: when an event is sent, and what is told of it."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from local_cloud import clock
from local_cloud.async_delivery import (
    DELIVERY_RETRIES,
    RETRIES_EXHAUSTED,
    SUCCESS,
    TOO_OLD,
    Again,
    Answer,
    AsyncSettings,
    Done,
    Event,
    after,
    before,
    dead_letter_attributes,
    dead_letter_queue,
    delivery_pause,
    notification_event,
    record,
)
from local_cloud.sns_delivery import ClientSideError, until_taken
from tests.conformance.pages import (
    ASYNC_ERRORS,
    ASYNC_RECORDS,
    ASYNC_SETTINGS,
    SNS_DEAD_LETTERS,
    SNS_RETRIES,
    Page,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

FINE = Answer({"done": True})
FAILED = Answer({"errorMessage": "no", "errorType": "ValueError"}, "Unhandled")
THROTTLED = Answer(invoked=False)
DEFAULTS = AsyncSettings()


@dataclass(frozen=True)
class Case:
    """What a function answers, one after the other, and what it is therefore sent.

    Attributes:
        sent: When the event was sent, in seconds.
        ends: Why it left the queue.
        count: How often the function got it.
        at: When it left the queue, if that matters.
        takes: How long the function works.
    """

    says: str
    page: Page
    answers: list[Answer]
    sent: list[float]
    ends: str
    count: int
    settings: AsyncSettings = DEFAULTS
    takes: float = 0
    at: float | None = None


CASES = [
    Case("an event is delivered once", ASYNC_ERRORS, [FINE], [0], SUCCESS, 1),
    Case(
        "after an error Lambda waits one minute, then two, and gives up",
        ASYNC_ERRORS, [FAILED] * 3, [0, 60, 180], RETRIES_EXHAUSTED, 3,
    ),
    Case(
        "a retry that succeeds ends it",
        ASYNC_ERRORS, [FAILED, FAILED, FINE], [0, 60, 180], SUCCESS, 3,
    ),
    Case(
        "the pause begins when the attempt has ended",
        ASYNC_ERRORS, [FAILED, FINE], [0, 90], SUCCESS, 2, takes=30,
    ),
    Case(
        "the number of retries is the function's",
        ASYNC_SETTINGS, [FAILED, FAILED], [0, 60], RETRIES_EXHAUSTED, 2,
        replace(DEFAULTS, retries=1),
    ),
    Case(
        "there may be none",
        ASYNC_SETTINGS, [FAILED], [0], RETRIES_EXHAUSTED, 1, replace(DEFAULTS, retries=0), at=0,
    ),
    Case(
        "an event is not kept beyond its maximum age",
        ASYNC_SETTINGS, [FAILED, FAILED], [0, 60], TOO_OLD, 2,
        replace(DEFAULTS, max_age=100), at=100,
    ),
    Case(
        "throttles are tried again after a second, then less and less often",
        ASYNC_ERRORS, [THROTTLED] * 4 + [FINE], [0, 1, 3, 7, 15], SUCCESS, 1,
    ),
    Case(
        "and are no retries",
        ASYNC_ERRORS, [THROTTLED, FAILED, THROTTLED, FAILED, FINE], [0, 1, 61, 62, 182],
        SUCCESS, 3,
    ),
    Case(
        "the pause after a throttle is five minutes at most",
        ASYNC_ERRORS, [THROTTLED] * 11 + [FINE],
        [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 811, 1111], SUCCESS, 1,
    ),
    Case(
        "a throttled event ages out",
        ASYNC_SETTINGS, [THROTTLED] * 3, [0, 1, 3], TOO_OLD, 0,
        replace(DEFAULTS, max_age=5), at=5,
    ),
    Case(
        "without any concurrency an event is given up, without a try",
        ASYNC_RECORDS, [], [], RETRIES_EXHAUSTED, 0, replace(DEFAULTS, reserved=0), at=0,
    ),
]  # fmt: skip


def run(settings: AsyncSettings, answers: Iterable[Answer], takes: float) -> Any:
    """Send an event until it is done; return when it was sent, how it ended, and when."""
    now, event, sent, left = 0.0, Event(), [], list(answers)
    while True:
        if done := before(settings, event, now):
            return sent, done, now
        sent.append(now)
        now += takes
        step = after(settings, event, left.pop(0), now)
        if isinstance(step, Done):
            return sent, step, now
        event, now = step.event, now + step.after


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_an_event_is_sent_as_documented(case: Case) -> None:
    sent, done, at = run(case.settings, case.answers, case.takes)

    assert sent == case.sent
    assert (done.condition, done.event.invocations) == (case.ends, case.count)
    assert case.at is None or at == case.at


def test_six_hours_and_two_retries_are_the_defaults_and_a_faster_clock_shortens_only_times() -> (
    None
):
    # ASYNC_SETTINGS
    assert AsyncSettings.of(None) == AsyncSettings(retries=2, max_age=6 * 3600)
    assert AsyncSettings.of(
        {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": "60"}, reserved=0
    ) == AsyncSettings(retries=0, max_age=60, reserved=0)
    faster = AsyncSettings(reserved=3).sped_up(20)
    assert (faster.pauses, faster.max_age) == ((3, 6), 1080)
    assert (faster.first_pause, faster.longest_pause) == (0.05, 15)
    assert (faster.retries, faster.reserved) == (2, 3)
    assert after(faster, Event(), FAILED, 1) == Again(Event(1, last=FAILED), 3)


# ASYNC_RECORDS has this example, with longer names.
EXAMPLE = {
    "version": "1.0",
    "timestamp": "2019-11-14T18:16:05.568Z",
    "requestContext": {
        "requestId": "e4b46cbf",
        "functionArn": "arn:aws:lambda:us-east-2:123456789012:function:my-function:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    },
    "requestPayload": {"ORDER_IDS": ["9e07af03", "637de236", "a81ddca6"]},
    "responseContext": {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    },
    "responsePayload": {
        "errorMessage": "RequestId: e4b46cbf Process exited before completing request"
    },
}


def document(done: Done) -> dict[str, Any]:
    return record(
        done,
        EXAMPLE["requestPayload"],
        function_arn="arn:aws:lambda:us-east-2:123456789012:function:my-function:$LATEST",
        version="$LATEST",
        request_id="e4b46cbf",
        now=1_573_755_365.568,
    )


def test_an_event_that_failed_three_times_is_recorded_as_in_the_example() -> None:
    last = Answer(EXAMPLE["responsePayload"], "Unhandled")

    assert document(Done(Event(3, last=last), RETRIES_EXHAUSTED)) == EXAMPLE


def test_a_success_has_no_function_error_and_what_never_ran_has_no_response() -> None:
    success = document(Done(Event(1, last=FINE), SUCCESS))
    assert success["requestContext"]["condition"] == "Success"
    assert success["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    assert success["responsePayload"] == {"done": True}

    old = document(Done(Event(throttles=9), TOO_OLD))
    assert old["requestContext"]["condition"] == "EventAgeExceeded"
    assert old["requestContext"]["approximateInvokeCount"] == 0
    assert not {"responseContext", "responsePayload"} & old.keys()


def test_a_dead_letter_says_in_three_attributes_what_was_wrong() -> None:
    # ASYNC_RECORDS, "Adding a dead-letter queue": the first kilobyte of the message
    long = Answer({"errorMessage": "é" * 600, "errorType": "E"}, "Unhandled")

    attributes = dead_letter_attributes(Done(Event(3, last=long), RETRIES_EXHAUSTED), "e4b46cbf")

    assert attributes == {
        "RequestID": {"DataType": "String", "StringValue": "e4b46cbf"},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": "é" * 512},
    }
    throttled = dead_letter_attributes(Done(Event(throttles=2), TOO_OLD), "e4b46cbf")
    assert throttled["ErrorCode"]["StringValue"] == "429"


def test_a_notification_reaches_a_function_in_the_shape_of_the_example() -> None:
    # "Process Amazon SNS notifications with Lambda", with-sns.html
    notification = {
        "Type": "Notification",
        "MessageId": "95df01b4",
        "TopicArn": "arn:aws:sns:us-east-1:123456789012:sns-lambda",
        "Message": "Hello from SNS!",
        "Timestamp": "2019-01-02T12:45:07.000Z",
        "SignatureVersion": "1",
        "Signature": "tcc6faL2",
        "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService.pem",
        "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
    }
    attributes = {
        "Test": {"DataType": "String", "StringValue": "TestString"},
        "TestBinary": {"DataType": "Binary", "BinaryValue": "TestBinary"},
    }

    event = notification_event(notification, "arn:aws:sns:us-east-1:1:sns-lambda:21be", attributes)

    [made] = event["Records"]
    sns = made.pop("Sns")
    assert made == {
        "EventVersion": "1.0",
        "EventSubscriptionArn": "arn:aws:sns:us-east-1:1:sns-lambda:21be",
        "EventSource": "aws:sns",
    }
    assert sns.keys() == {
        "Type", "MessageId", "TopicArn", "Message", "Timestamp", "SignatureVersion", "Signature",
        "SigningCertUrl", "UnsubscribeUrl", "Subject", "MessageAttributes",
    }  # fmt: skip
    assert sns["Subject"] is None
    assert sns["MessageAttributes"] == {
        "Test": {"Type": "String", "Value": "TestString"},
        "TestBinary": {"Type": "Binary", "Value": "TestBinary"},
    }


def test_sns_retries_what_lambda_cannot_take_for_23_days() -> None:
    # SNS_RETRIES
    pauses = [delivery_pause(n) for n in range(1, DELIVERY_RETRIES + 2)]

    assert pauses[:5] == [0, 0, 0, 1, 1]
    assert pauses[5] == 1
    assert pauses[14] == pytest.approx(20)
    rising = [pause or 0 for pause in pauses[5:15]]
    factors = [later / earlier for earlier, later in itertools.pairwise(rising)]
    assert factors == pytest.approx([factors[0]] * 9)
    assert set(pauses[15:-1]) == {20}
    assert pauses[-1] is None
    assert sum(pause or 0 for pause in pauses) // 86_400 == 23


@dataclass(frozen=True)
class DeliveryCase:
    says: str
    page: Page
    errors: list[Exception]
    waits: list[float]
    problem: str | None = None


DELIVERIES = [
    DeliveryCase("what Lambda takes is delivered", SNS_RETRIES, [], []),
    DeliveryCase(
        "a server-side error is tried again", SNS_RETRIES, [OSError()] * 5, [0, 0, 0, 1, 1]
    ),
    DeliveryCase(
        "a client-side error is not", SNS_DEAD_LETTERS, [ClientSideError("gone")], [], "gone"
    ),
    DeliveryCase(
        "nor is one that comes later",
        SNS_DEAD_LETTERS, [OSError(), ClientSideError("gone")], [0], "gone",
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", DELIVERIES, ids=lambda case: case.says)
def test_a_notification_is_handed_over_as_documented(
    case: DeliveryCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "_scale", 1.0)
    left, waits = list(case.errors), list[float]()

    def hand_over() -> None:
        if left:
            raise left.pop(0)

    assert until_taken(hand_over, waits.append) == case.problem
    assert waits == case.waits
    assert left == []


@pytest.mark.parametrize(
    ("policy", "queue"),
    [
        (
            json.dumps({"deadLetterTargetArn": "arn:aws:sqs:us-east-2:1:q"}),
            "arn:aws:sqs:us-east-2:1:q",
        ),
        ("{}", None),
        ("", None),
        (None, None),
        ("[]", None),
        ("no JSON", None),
    ],
)
def test_a_redrive_policy_names_the_queue(policy: str | None, queue: str | None) -> None:
    assert dead_letter_queue(policy) == queue

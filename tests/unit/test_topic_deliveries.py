"""Messages that did not get through from a topic come back to the one function that lacks them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from odyssey_cli import failures, topic_deliveries
from odyssey_cli.failures import Failure, FailureQueue, Kind, Redriven, Result
from proofs.pubsub_shapes import counted, sns_record
from tests.unit.redriving import ACCOUNT, LOGGER, MULTIPLIER, Cloud, attributes

GIVEN_UP, REJECTS = "https://sqs/1/failures", "https://sqs/1/rejects"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:counted"
SUBSCRIPTION = f"{TOPIC}:c9135db0"
MESSAGE = counted({"r&d": 1, "😀": 2}, id="event-1")
DELIVERIES = FailureQueue(GIVEN_UP, Kind.DELIVERIES, functions=(MULTIPLIER,))
REJECTED = FailureQueue(REJECTS, Kind.REJECTS, functions=(MULTIPLIER, LOGGER))


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    return Cloud(monkeypatch)


def invocation(function: str = MULTIPLIER, **changes: Any) -> dict[str, Any]:
    """Return Lambda's record of an invocation that failed; None takes a field away."""
    record = {
        "version": "1.0",
        "timestamp": "2026-11-21T12:00:00.000Z",
        "requestContext": {
            "requestId": "e4b46cbf",
            "functionArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{function}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"Records": [sns_record(MESSAGE)]},
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
        "responsePayload": {"errorMessage": "no such table", "errorType": "ClientError"},
    } | changes
    return {name: value for name, value in record.items() if value is not None}


def notification(**changes: Any) -> dict[str, Any]:
    """Return a notification as a queue gets it of SNS; None takes a field away."""
    fields = {
        "Type": "Notification",
        "MessageId": "sns-1",
        "TopicArn": TOPIC,
        "Message": MESSAGE,
        "Timestamp": "2026-11-21T12:00:00.000Z",
        "SignatureVersion": "1",
        "Signature": "EXAMPLE",
        "SigningCertURL": "https://sns.us-east-1.amazonaws.com/certificate.pem",
        "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe"
        f"&SubscriptionArn={SUBSCRIPTION}",
    } | changes
    return {name: value for name, value in fields.items() if value is not None}


def failure(body: object, queue: FailureQueue = DELIVERIES, **texts: str) -> Failure:
    text = body if isinstance(body, str) else json.dumps(body)
    message = {"MessageId": "sqs-1", "Body": text, "MessageAttributes": attributes(**texts)}
    return Failure(queue, message)


def redrive(cloud: Cloud, queue: FailureQueue = DELIVERIES) -> list[Redriven]:
    return list(failures.redrive_all(cloud.target, queue))


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ({"errorMessage": "m", "errorType": "T"}, "RetriesExhausted: T: m"),
        ({"errorMessage": "", "errorType": "T"}, "RetriesExhausted: T"),
        ({"other": 1}, 'RetriesExhausted: {"other": 1}'),
        ("out of memory", "RetriesExhausted: out of memory"),
        (None, "RetriesExhausted"),
    ],
)
def test_the_cause_is_lambdas_condition_and_what_the_function_failed_with(
    answer: object, cause: str
) -> None:
    assert failure(invocation(responsePayload=answer)).cause == cause


@pytest.mark.parametrize(
    ("texts", "cause"),
    [
        ({}, "SNS could not hand it to Lambda"),
        ({"ErrorCode": "403", "ErrorMessage": "no"}, "SNS could not hand it to Lambda: 403 no"),
        (
            {"ErrorMessage": "no", "RequestID": "r"},
            "SNS could not hand it to Lambda: no (request r)",
        ),
    ],
)
def test_the_cause_of_a_message_that_lambda_never_had_is_what_sns_says(
    texts: dict[str, str], cause: str
) -> None:
    assert failure(notification(), **texts).cause == cause


@pytest.mark.parametrize(
    ("message", "what"),
    [
        (MESSAGE, "message event-1"),
        ("not JSON", "message sns-1"),
        ("[" * 100_000, "message sns-1"),
        ("[1]", "message sns-1"),
        ('{"id": 7}', "message sns-1"),
    ],
)
@pytest.mark.parametrize("by", ["Lambda", "SNS"])
def test_a_message_is_named_by_its_event_or_else_by_sns(by: str, message: str, what: str) -> None:
    record = sns_record(message, id="sns-1")
    body = {
        "Lambda": invocation(requestPayload={"Records": [record]}),
        "SNS": notification(Message=message),
    }
    assert failure(body[by]).what == what


def test_what_a_function_failed_on_is_handed_to_it_again_and_then_deleted(cloud: Cloud) -> None:
    # GIVEN
    cloud.sqs.put(GIVEN_UP, invocation())
    # WHEN
    [redriven] = redrive(cloud)
    # THEN it got exactly what it had got before
    assert redriven.result is Result.DONE
    assert cloud.functions.invoked == [(MULTIPLIER, [sns_record(MESSAGE)])]
    assert cloud.sqs.queues[GIVEN_UP] == []


def test_what_sns_could_not_deliver_reaches_the_function_as_lambda_would_hand_it_over(
    cloud: Cloud,
) -> None:
    # GIVEN a notification with everything in it
    way = {"way": {"Type": "String", "Value": "curl"}}
    cloud.sqs.put(GIVEN_UP, notification(Subject="s", MessageAttributes=way))
    # WHEN
    [redriven] = redrive(cloud)
    # THEN
    assert redriven.result is Result.DONE
    assert cloud.sqs.queues[GIVEN_UP] == []
    [(function, [record])] = cloud.functions.invoked
    assert function == MULTIPLIER
    assert record == {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": SUBSCRIPTION,
        "Sns": {
            "Type": "Notification",
            "MessageId": "sns-1",
            "TopicArn": TOPIC,
            "Subject": "s",
            "Message": MESSAGE,
            "Timestamp": "2026-11-21T12:00:00.000Z",
            "SignatureVersion": "1",
            "Signature": "EXAMPLE",
            "SigningCertUrl": "https://sns.us-east-1.amazonaws.com/certificate.pem",
            "UnsubscribeUrl": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe"
            f"&SubscriptionArn={SUBSCRIPTION}",
            "MessageAttributes": way,
        },
    }


def test_what_a_notification_leaves_out_is_there_for_the_function() -> None:
    record = failure(notification(UnsubscribeURL=None)).delivery.records[0]
    assert record["EventSubscriptionArn"] == ""
    assert record["Sns"]["Subject"] is None
    assert record["Sns"]["MessageAttributes"] == {}
    # As in a message that did get through.
    assert record.keys() == sns_record("m").keys()
    assert record["Sns"].keys() == sns_record("m")["Sns"].keys() - {"UnsubscribeUrl"}


@pytest.mark.parametrize("body", [invocation(), notification()], ids=["Lambda", "SNS"])
@pytest.mark.parametrize(
    ("said", "detail"),
    [
        ({"errorMessage": "still broken", "errorType": "E"}, "E: still broken"),
        ({"errorMessage": "", "errorType": "E"}, "E"),
        ({}, "{}"),
        (None, ""),
    ],
)
def test_what_fails_again_stays_in_the_queue(
    said: object, detail: str, body: dict[str, Any], cloud: Cloud
) -> None:
    # GIVEN a function that is still broken
    name = cloud.sqs.put(GIVEN_UP, body)
    cloud.functions.payload, cloud.functions.error = said, True
    # WHEN
    [redriven] = redrive(cloud)
    # THEN it says so, and the message can be received again at once
    assert (redriven.result, redriven.detail) == (Result.FAILED, detail)
    assert cloud.sqs.visible(GIVEN_UP) == [name]


def test_whatever_a_function_returns_it_has_not_failed(cloud: Cloud) -> None:
    cloud.sqs.put(GIVEN_UP, invocation())
    cloud.functions.payload = "done"
    assert [each.result for each in redrive(cloud)] == [Result.DONE]


NO_PAYLOAD = "what the function was invoked with is no message of a topic"
NO_FUNCTION = "Lambda's record does not say which function has failed"
NEITHER = "the message is neither Lambda's record of an invocation nor a notification of SNS"
UNREADABLE: list[tuple[object, str]] = [
    ("not JSON", NEITHER),
    ("[" * 100_000, NEITHER),
    ([], NEITHER),
    ({}, NEITHER),
    ({"Type": "SubscriptionConfirmation"}, NEITHER),
    (notification(Message=None), "the notification has no text 'Message'"),
    (notification(Message={"a": 1}), "the notification has no text 'Message'"),
    (notification(MessageId=None), "the notification has no text 'MessageId'"),
    (invocation(requestPayload=7), NO_PAYLOAD),
    (invocation(requestPayload={}), NO_PAYLOAD),
    (invocation(requestPayload={"Records": []}), NO_PAYLOAD),
    (invocation(requestPayload={"Records": {"a": 1}}), NO_PAYLOAD),
    (invocation(requestPayload={"Records": [{"eventSource": "aws:s3"}]}), NO_PAYLOAD),
    (
        invocation(requestPayload={"Records": [{"EventSource": "aws:sns"}]}),
        "the notification has no text 'MessageId'",
    ),
    (invocation(requestContext=None), NO_FUNCTION),
    (invocation(requestContext=7), NO_FUNCTION),
    (invocation(requestContext={"functionArn": "f"}), NO_FUNCTION),
]


@pytest.mark.parametrize(("body", "detail"), UNREADABLE)
def test_a_message_that_cannot_be_read_is_shown_and_keeps_no_other_from_coming_back(
    body: object, detail: str, cloud: Cloud
) -> None:
    # GIVEN such a message before a good one
    name = cloud.sqs.put(GIVEN_UP, body)
    cloud.sqs.put(GIVEN_UP, invocation())
    [shown, _] = failures.collect(cloud.target, DELIVERIES)
    assert (shown.cause, shown.what) == ("unknown: the message cannot be read", f"message {name}")
    failures.release(cloud.target, [shown, _])
    # WHEN
    redriven = redrive(cloud)
    # THEN
    assert [each.result for each in redriven] == [Result.FAILED, Result.DONE]
    assert redriven[0].detail == detail
    assert len(cloud.functions.invoked) == 1
    assert cloud.sqs.visible(GIVEN_UP) == [name]


def test_a_function_that_the_queue_is_not_for_is_never_invoked(cloud: Cloud) -> None:
    name = cloud.sqs.put(GIVEN_UP, invocation("somebody-elses"))
    [redriven] = redrive(cloud)
    assert redriven.result is Result.FAILED
    assert "'somebody-elses' is none of those" in redriven.detail
    assert cloud.functions.invoked == []
    assert cloud.sqs.visible(GIVEN_UP) == [name]


def test_functions_may_share_a_queue_as_long_as_a_message_says_for_which_it_is(
    cloud: Cloud,
) -> None:
    # GIVEN one queue for two functions
    shared = FailureQueue(GIVEN_UP, Kind.DELIVERIES, functions=(MULTIPLIER, LOGGER))
    cloud.sqs.put(GIVEN_UP, invocation(LOGGER))
    cloud.sqs.put(GIVEN_UP, notification())
    # WHEN
    named, nameless = redrive(cloud, shared)
    # THEN
    assert named.result is Result.DONE
    assert [function for function, _ in cloud.functions.invoked] == [LOGGER]
    assert nameless.result is Result.FAILED
    assert nameless.detail == "it does not say which of 2 functions it is for"


@pytest.mark.parametrize("source", [MULTIPLIER, LOGGER])
def test_a_rejected_message_goes_back_to_the_function_that_rejected_it(
    source: str, cloud: Cloud
) -> None:
    # GIVEN
    record = sns_record(MESSAGE, id="sns-1")
    cloud.sqs.put(REJECTS, record, source=source, event_id="sns-1", cause="c")
    # WHEN
    [redriven] = redrive(cloud, REJECTED)
    # THEN
    assert (redriven.result, redriven.failure.what) == (Result.DONE, "event sns-1")
    assert cloud.functions.invoked == [(source, [record])]
    assert cloud.sqs.queues[REJECTS] == []


@pytest.mark.parametrize("texts", [{}, {"source": "somebody-elses"}])
def test_a_rejected_message_of_no_function_of_the_stack_stays(
    texts: dict[str, str], cloud: Cloud
) -> None:
    name = cloud.sqs.put(REJECTS, sns_record(MESSAGE), **texts)
    [redriven] = redrive(cloud, REJECTED)
    assert redriven.result is Result.FAILED
    assert "none of those that the queue is for" in redriven.detail
    assert cloud.functions.invoked == []
    assert cloud.sqs.visible(REJECTS) == [name]


def test_a_rejected_message_on_which_the_function_fails_stays(cloud: Cloud) -> None:
    name = cloud.sqs.put(REJECTS, sns_record(MESSAGE), source=MULTIPLIER)
    cloud.functions.payload, cloud.functions.error = {"errorMessage": "broken"}, True
    [redriven] = redrive(cloud, REJECTED)
    assert (redriven.result, redriven.detail) == (Result.FAILED, "broken")
    assert cloud.sqs.visible(REJECTS) == [name]


def test_of_two_rejects_of_one_message_only_that_which_is_rejected_again_is_said_to_be(
    cloud: Cloud,
) -> None:
    # GIVEN a message that both subscribers have rejected, of which the logger still does
    for source in (MULTIPLIER, LOGGER):
        cloud.sqs.put(REJECTS, sns_record(MESSAGE, id="sns-1"), source=source, event_id="sns-1")

    def reject(records: list[dict[str, Any]]) -> None:
        if cloud.functions.invoked[-1][0] == LOGGER:
            cloud.sqs.put(REJECTS, records[0], source=LOGGER, event_id="sns-1", cause="still")

    cloud.functions.on_invoke = reject
    # WHEN
    redriven = failures.rejected_again(cloud.target, REJECTED, redrive(cloud, REJECTED))
    # THEN
    assert [(each.result, each.detail) for each in redriven] == [
        (Result.DONE, ""),
        (Result.REJECTED, "still"),
    ]
    assert len(cloud.sqs.visible(REJECTS)) == 1


def test_a_stream_record_rejected_again_by_the_functions_successor_is_said_to_be(
    cloud: Cloud,
) -> None:
    # GIVEN a function that got another name with a deployment since
    mapping = {"EventSourceArn": "arn:stream", "FunctionArn": "arn:new"}
    queue = FailureQueue(REJECTS, Kind.REJECTS, (mapping,), ("new",))
    record = {"eventSourceARN": "arn:stream"}
    cloud.sqs.put(REJECTS, record, source="old", event_id="e-1")
    cloud.functions.on_invoke = lambda records: cloud.sqs.put(
        REJECTS, records[0], source="new", event_id="e-1", cause="still"
    )
    # WHEN
    redriven = failures.rejected_again(cloud.target, queue, redrive(cloud, queue))
    # THEN
    assert [each.result for each in redriven] == [Result.REJECTED]


def test_an_unreadable_pointer_can_be_shown() -> None:
    shown = failure("not JSON", FailureQueue(GIVEN_UP, Kind.POINTERS))
    assert (shown.cause, shown.what) == ("unknown: the message cannot be read", "message sqs-1")


@pytest.mark.parametrize("body", ["text", None, [], {}, {"EventSource": "aws:s3"}])
def test_no_other_body_is_taken_for_a_topics_record(body: object) -> None:
    assert not topic_deliveries.is_record(body)
    assert topic_deliveries.is_record(sns_record("m"))

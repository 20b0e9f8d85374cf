"""What becomes of what a topic or a client sends to a function: attempts, records, dead letters.

The rules themselves are in tests/conformance; here is that real deliveries obey them, with IAM
enforced and times divided by the clock scale. Subscriptions are in test_subscriptions.py.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.local.functions import allow, function
from tests.local.sources import Bench, eventually
from tests.local.topics import (
    Topic,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from odyssey_cli.target import Target


@pytest.fixture(scope="module")
def topic(target: Target) -> Iterator[Topic]:
    topic = Topic(target)
    assert topic.stack.create(**topic.resources) == "CREATE_COMPLETE", topic.stack.reasons()
    yield topic
    assert topic.stack.delete() is None


def reaches(read: Callable[[], list[Any]], count: int, seconds: float = 10) -> list[Any]:
    """Return what `read` gives once it has that many."""
    eventually(lambda: len(read()), count, seconds)
    return read()


def test_a_message_is_delivered_once_in_the_shape_of_aws(topic: Topic) -> None:
    # WHEN
    topic.publish("once 😀", to="Fine")

    # THEN
    [[_, _, record]] = reaches(lambda: topic.sent("Fine", "once 😀"), 1)
    assert record["EventSource"] == "aws:sns"
    assert record["EventSubscriptionArn"] == topic.stack.physical_id("FineSubscribes")
    notification = record["Sns"]
    assert notification["TopicArn"] == topic.stack.physical_id("Topic")
    assert notification["Subject"] == "Åsa"
    assert notification["MessageAttributes"] == {"to": {"Type": "String", "Value": "Fine"}}
    assert {"SigningCertUrl", "UnsubscribeUrl", "MessageId", "Timestamp"} <= notification.keys()

    # AND nobody else got it, nor did it again
    time.sleep(0.5)
    assert len(topic.sent("Fine", "once 😀")) == 1
    assert topic.sent("Closed", "once 😀") == []
    assert topic.letters("once 😀") == []


def test_a_function_that_is_mended_in_time_gets_the_message_again(
    topic: Topic, scale: float
) -> None:
    # GIVEN a function that has failed twice
    topic.publish("again", to="Mended")
    began = time.monotonic()
    reaches(lambda: topic.sent("Mended", "again"), 2)
    assert time.monotonic() - began > 60 / scale

    # WHEN it is mended
    topic.stack.target.client("lambda").update_function_configuration(
        FunctionName=topic.stack.physical_id("Mended"), Environment={"Variables": {}}
    )

    # THEN the third attempt, two minutes later, is the last; all were for one request
    attempts = reaches(lambda: topic.sent("Mended", "again"), 3, 15)
    assert time.monotonic() - began > 180 / scale
    assert len({request for _, request, _ in attempts}) == 1
    assert topic.letters("again") == []


def test_a_message_whose_retries_are_exhausted_is_recorded_as_documented(topic: Topic) -> None:
    # WHEN a function with one retry always fails
    topic.publish("never", to="Broken")

    # THEN the queue has the record
    [letter] = reaches(lambda: topic.letters("never"), 1)
    attempts = topic.sent("Broken", "never")
    assert len(attempts) == 2
    record = json.loads(letter["Body"])
    _, request, sent = attempts[0]
    function = topic.stack.physical_id("Broken")
    assert record["version"] == "1.0"
    assert record["requestContext"] == {
        "requestId": request,
        "functionArn": f"arn:aws:lambda:us-east-1:000000000000:function:{function}:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 2,
    }
    assert record["requestPayload"] == {"Records": [sent]}
    assert record["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    answer = record["responsePayload"]
    assert (answer["errorType"], answer["errorMessage"]) == ("ValueError", "Åsa 😀")
    assert "MessageAttributes" not in letter


def test_without_the_right_to_send_the_record_is_lost_and_that_is_logged(
    topic: Topic, cloud_state: Path
) -> None:
    topic.publish("lost", to="Poor")

    reaches(lambda: topic.sent("Poor", "lost"), 1)
    name = topic.stack.physical_id("Poor")

    def said() -> bool:
        log = (cloud_state / "cloud.log").read_text()
        return any(
            name in line and "was lost" in line and "sqs:SendMessage" in line
            for line in log.splitlines()
        )

    assert eventually(said, True)
    assert topic.letters("lost") == []


def test_a_topic_that_may_not_invoke_gives_the_notification_up_at_once(topic: Topic) -> None:
    # GIVEN a subscription whose permission was removed
    without = {k: v for k, v in topic.resources.items() if k != "ClosedAllows"}
    assert topic.stack.update(**without) == "UPDATE_COMPLETE", topic.stack.reasons()

    # WHEN
    topic.publish("closed", to="Closed")

    # THEN the dead letter is the notification
    [letter] = reaches(lambda: topic.letters("closed"), 1)
    notification = json.loads(letter["Body"])
    assert notification["Type"] == "Notification"
    assert json.loads(notification["Message"])["name"] == "closed"
    assert notification["MessageAttributes"] == {"to": {"Type": "String", "Value": "Closed"}}
    assert {"TopicArn", "MessageId", "Timestamp", "Signature"} <= notification.keys()
    assert topic.sent("Closed", "closed") == []


def test_a_slow_subscriber_holds_nobody_up(topic: Topic) -> None:
    # GIVEN warm functions
    topic.publish("warm", to="Fine")
    reaches(lambda: topic.sent("Fine", "warm") + topic.sent("Slow", "warm"), 2)

    # WHEN one of two subscribers is slow with a message for both
    began = time.monotonic()
    topic.publish("slow", to="Slow", seconds=4)
    topic.publish("fast", to="Fine")

    # THEN the next message reaches both meanwhile
    reaches(lambda: topic.sent("Fine", "fast") + topic.sent("Slow", "fast"), 2)
    assert time.monotonic() - began < 3.5
    assert topic.sent("Slow", "slow") == []  # its log is written when it ends


def test_an_event_that_a_client_sends_ends_in_the_dead_letter_queue_of_its_function(
    bench: Bench,
) -> None:
    # GIVEN a function with a dead-letter queue of its own that fails, and no retries
    url, queue = bench.queue()
    name = function(bench.target, "def handler(e, c): raise KeyError('x' * 2000)", allow("sqs:*"))
    functions = bench.target.client("lambda")
    functions.update_function_configuration(
        FunctionName=name, DeadLetterConfig={"TargetArn": queue}
    )
    functions.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)

    # WHEN
    answer = functions.invoke(FunctionName=name, InvocationType="Event", Payload='{"café": 1}')

    # THEN the letter is the event, and says in attributes what was wrong
    assert answer["StatusCode"] == 202

    def letters() -> list[Any]:
        return bench.target.client("sqs").receive_message(
            QueueUrl=url, MessageAttributeNames=["All"], VisibilityTimeout=0
        ).get("Messages", [])  # fmt: skip

    [letter] = reaches(letters, 1)
    assert json.loads(letter["Body"]) == {"café": 1}
    attributes = letter["MessageAttributes"]
    assert attributes["ErrorCode"] == {"StringValue": "200", "DataType": "Number"}
    assert len(attributes["ErrorMessage"]["StringValue"]) == 1024
    assert attributes["RequestID"]["StringValue"]


def test_an_event_that_is_throttled_until_it_is_too_old_is_recorded(
    bench: Bench, scale: float
) -> None:
    # GIVEN a function that runs once at a time and is busy for longer than it keeps events
    url, queue = bench.queue()
    source = "import time\ndef handler(e, c): time.sleep(e)"
    name = function(bench.target, source, allow("sqs:SendMessage", queue))
    functions = bench.target.client("lambda")
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    functions.put_function_event_invoke_config(
        FunctionName=name,
        MaximumEventAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )
    functions.invoke(FunctionName=name, InvocationType="Event", Payload=str(60 / scale + 2))
    time.sleep(0.2)

    # WHEN
    functions.invoke(FunctionName=name, InvocationType="Event", Payload="0")

    # THEN
    [body] = reaches(lambda: bench.bodies(url), 1)
    record = json.loads(body)
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert record["requestPayload"] == 0

    # AND without any concurrency an event is given up at once
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    functions.invoke(FunctionName=name, InvocationType="Event", Payload='"none"')
    reaches(lambda: [b for b in bench.bodies(url) if json.loads(b)["requestPayload"] == "none"], 1)

"""What becomes of events put on a bus: deliveries, retries, dead letters.

The rules themselves are in tests/conformance; here is that a deployed bus obeys them, with IAM
enforced and times divided by the clock scale. Archives and policies: test_event_archives.py.
"""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.local.buses import DETAIL, Deployed, reaches, throttled
from tests.local.sources import eventually
from tests.local.templates import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from odyssey_cli.cloud import Cloud
    from odyssey_cli.target import Target


@pytest.fixture(scope="module")
def bus(target: Target) -> Iterator[Deployed]:
    bus = Deployed(target)
    assert bus.stack.create(**bus.resources) == "CREATE_COMPLETE", bus.stack.reasons()
    yield bus
    assert bus.stack.delete() is None


@pytest.fixture(autouse=True)
def nothing_left(bus: Deployed) -> None:
    bus.empty("Orders", "Letters")


def said(state: Path, *words: str) -> bool:
    lines = (state / "cloud.log").read_text().splitlines()
    return any(all(word in line for word in words) for line in lines)


def attributes(letter: dict[str, Any]) -> dict[str, str]:
    found = letter["MessageAttributes"]
    assert {value["DataType"] for value in found.values()} == {"String"}
    return {name: value["StringValue"] for name, value in found.items()}


def test_an_event_reaches_a_queue_once_and_its_detail_byte_for_byte(bus: Deployed) -> None:
    # WHEN
    happened = datetime(2026, 11, 21, 9, 30, 5, tzinfo=UTC)
    event_id = bus.put("Order", Time=happened, Resources=["urn:order:1"])

    # THEN
    [message] = reaches(lambda: bus.got("Orders", event_id), 1)
    event = json.loads(message["Body"])
    assert message["Body"].endswith(f'"detail":{DETAIL}}}')
    assert event.pop("detail") == json.loads(DETAIL)
    assert event == {
        "version": "0",
        "id": event_id,
        "detail-type": "Order",
        "source": bus.source,
        "account": "000000000000",
        "time": "2026-11-21T09:30:05Z",
        "region": "us-east-1",
        "resources": ["urn:order:1"],
    }

    # AND not again, nor anywhere else
    time.sleep(0.5)
    assert len(bus.got("Orders", event_id)) == 1
    assert bus.got("Letters", event_id) == []


def test_a_failure_that_passes_is_tried_again(bus: Deployed, running: Cloud) -> None:
    # GIVEN a queue that is throttled twice
    marker = uuid.uuid4().hex
    throttled(running, marker, times=2)

    # WHEN
    event_id = bus.put("Order", json.dumps({"marker": marker}))

    # THEN it gets the event all the same, once
    reaches(lambda: bus.got("Orders", event_id), 1)
    time.sleep(0.5)
    assert len(bus.got("Orders", event_id)) == 1
    assert bus.got("Letters", event_id) == []


def test_a_target_that_fails_holds_no_other_up(bus: Deployed, running: Cloud) -> None:
    # GIVEN a queue that is throttled for a while
    throttled(running, bus.stack.physical_id("Slow").rpartition("/")[2], times=6)

    # WHEN a rule has another target too
    event_id = bus.put("Pair")

    # THEN that has the event long before
    reaches(lambda: bus.got("Orders", event_id), 1, seconds=1)
    assert bus.got("Slow", event_id) == []
    reaches(lambda: bus.got("Slow", event_id), 1)
    assert len(bus.got("Orders", event_id)) == 1


def test_a_topic_gets_events_while_its_policy_lets_the_rule_publish(bus: Deployed) -> None:
    # WHEN
    told, hushed = bus.put("Tell"), bus.put("Hush")

    # THEN
    [message] = reaches(lambda: bus.got("Heard", told), 1)
    assert message["Body"].endswith(f'"detail":{DETAIL}}}')
    [letter] = reaches(lambda: bus.got("Letters", hushed), 1)
    assert attributes(letter)["ERROR_CODE"] == "NO_PERMISSIONS"
    assert bus.got("Heard", hushed) == []


def test_a_failure_that_lasts_exhausts_the_retries(bus: Deployed, running: Cloud) -> None:
    # GIVEN a queue that is throttled for longer than the three retries
    marker = uuid.uuid4().hex
    throttled(running, marker, times=4)

    # WHEN
    event_id = bus.put("Order", json.dumps({"marker": marker}))

    # THEN
    [letter] = reaches(lambda: bus.got("Letters", event_id), 1)
    said = attributes(letter)
    assert said.pop("ERROR_MESSAGE")
    assert said == {
        "RULE_ARN": bus.rule_arn("Order"),
        "TARGET_ARN": bus.stack.physical_id("Orders")
        .rpartition("/")[2]
        .join(("arn:aws:sqs:us-east-1:000000000000:", "")),
        "ERROR_CODE": "THROTTLING",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "RETRY_ATTEMPTS": "3",
    }
    assert bus.got("Orders", event_id) == []


@pytest.mark.parametrize(("type", "code"), [("Shut", "NO_PERMISSIONS"), ("Gone", "NO_RESOURCE")])
def test_what_cannot_pass_goes_to_the_dead_letter_queue_at_once(
    bus: Deployed, type: str, code: str
) -> None:
    # WHEN
    event_id = bus.put(type)

    # THEN the letter is the event
    [letter] = reaches(lambda: bus.got("Letters", event_id), 1)
    assert letter["Body"].endswith(f'"detail":{DETAIL}}}')
    said = attributes(letter)
    assert said["RULE_ARN"] == bus.rule_arn(type)
    assert (said["ERROR_CODE"], said["RETRY_ATTEMPTS"]) == (code, "0")
    assert "EXHAUSTED_RETRY_CONDITION" not in said
    assert bus.got("Closed", event_id) == []


def test_without_a_dead_letter_queue_it_is_lost_and_that_is_logged(
    bus: Deployed, cloud_state: Path
) -> None:
    # WHEN a target refuses, and one more whose dead-letter queue refuses too
    bus.put("Lost")
    event_id = bus.put("Both")

    # THEN
    lost, both = bus.rule_arn("Lost"), bus.rule_arn("Both")
    assert eventually(lambda: said(cloud_state, lost, "was lost", "may not sqs:SendMessage"), True)
    assert eventually(lambda: said(cloud_state, both, "was lost", "Letters"), True)

    # AND the other target has it
    reaches(lambda: bus.got("Orders", event_id), 1)
    assert bus.got("Letters", event_id) == []


def test_a_fifo_queue_gets_events_in_the_targets_group(bus: Deployed) -> None:
    event_id = bus.put("Fifo")

    [message] = reaches(lambda: bus.got("Ordered", event_id), 1)
    assert message["Attributes"]["MessageGroupId"] == "all"


def test_a_function_is_invoked_with_the_event_while_its_policy_allows(bus: Deployed) -> None:
    # WHEN
    event_id = bus.put("Call")

    # THEN
    name = bus.stack.physical_id("Caller")

    def sent() -> list[Any]:
        events: list[Any] = bus.bench.sent(name)
        return [event for event in events if event["id"] == event_id]

    [event] = reaches(sent, 1)
    assert event["detail"] == json.loads(DETAIL)

    # AND when the permission is gone, the letter says so
    client = bus.stack.target.client("lambda")
    [statement] = json.loads(client.get_policy(FunctionName=name)["Policy"])["Statement"]
    client.remove_permission(FunctionName=name, StatementId=statement["Sid"])
    refused = bus.put("Call")
    [letter] = reaches(lambda: bus.got("Letters", refused), 1)
    assert attributes(letter)["ERROR_CODE"] == "NO_PERMISSIONS"


def test_put_events_says_of_each_entry_whether_it_was_taken(bus: Deployed) -> None:
    # GIVEN good and bad entries
    good = {
        "EventBusName": bus.stack.physical_id("Bus"),
        "Source": bus.source,
        "DetailType": "Order",
        "Detail": "{}",
    }
    bad: list[dict[str, Any]] = [
        {"Detail": "[1]"},
        {"Detail": "{"},
        {"Detail": '{"n": NaN}'},
        {"Source": "aws.s3"},
    ]

    # WHEN
    answer = bus.events.put_events(Entries=[good, *[good | change for change in bad]])  # type: ignore[list-item]

    # THEN
    assert answer["FailedEntryCount"] == 4
    codes = [entry.get("ErrorCode") for entry in answer["Entries"]]
    assert codes == [None, *["MalformedDetail"] * 3, "NotAuthorizedForSourceException"]
    reaches(lambda: bus.got("Orders", answer["Entries"][0]["EventId"]), 1)

    # AND what is too much is refused as a whole
    large = good | {"Detail": json.dumps({"x": "é" * 270_000}, ensure_ascii=False)}
    for entries in ([good] * 11, [large, large]):
        with pytest.raises(ClientError, match="ValidationException"):
            bus.events.put_events(Entries=entries)  # type: ignore[arg-type]


PATTERNS = [
    ({"source": [{"prefix": "ord"}]}, True),
    ({"source": [{"anything-but": ["orders"]}]}, False),
    ({"source": [{"anything-but": {"prefix": "inv"}}]}, True),
    ({"detail": {"n": [{"numeric": [">", 0, "<=", 5]}]}}, True),
    ({"detail": {"n": [{"numeric": [">", 5]}]}}, False),
    ({"detail": {"gone": [{"exists": False}], "n": [{"exists": True}]}}, True),
    ({"detail": {"data": {"city": ["Åre"]}}}, True),
    ({"detail": {"data": {"city": ["Are"]}}}, False),
    ({"detail": {"$or": [{"n": [7]}, {"data": {"city": [{"suffix": "re"}]}}]}}, True),
    ({"$or": [{"source": ["x"]}, {"detail-type": ["y"]}]}, False),
    ({"replay-name": [{"exists": False}]}, True),
]


@pytest.mark.parametrize(("pattern", "matches"), PATTERNS)
def test_a_pattern_matches_as_documented(
    target: Target, pattern: dict[str, Any], matches: bool
) -> None:
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
    event = {
        "id": "1",
        "account": "000000000000",
        "source": "orders",
        "time": "2026-11-21T09:30:05Z",
        "region": "us-east-1",
        "resources": [],
        "detail-type": "Order",
        "detail": {"n": 5, "data": {"city": "Åre"}},
    }

    answer = target.client("events").test_event_pattern(
        EventPattern=json.dumps(pattern), Event=json.dumps(event)
    )

    assert answer["Result"] is matches


def test_a_stack_with_a_pattern_that_aws_refuses_fails(target: Target) -> None:
    stack = Stack(target)
    bad = {"Type": "AWS::Events::Rule", "Properties": {"EventPattern": {"source": "orders"}}}

    assert stack.create(Rule=bad) == "CREATE_FAILED"
    assert "Event pattern is not valid" in stack.reasons()
    stack.delete()

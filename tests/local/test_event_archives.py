"""What a bus keeps and whom it refuses: archives, replays, policies, and changes of its template.

The rules themselves are in tests/conformance; deliveries are in test_event_bus.py.
"""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.local.buses import DETAIL, Deployed, reaches
from tests.local.functions import allow, function, invoke
from tests.local.sources import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli.target import Target


@pytest.fixture(scope="module")
def bus(target: Target) -> Iterator[Deployed]:
    bus = Deployed(target)
    assert bus.stack.create(**bus.resources) == "CREATE_COMPLETE", bus.stack.reasons()
    yield bus
    archive = bus.stack.physical_id("Archive")
    assert bus.stack.delete() is None
    with pytest.raises(bus.events.exceptions.ResourceNotFoundException):
        bus.events.describe_archive(ArchiveName=archive)


@pytest.fixture(autouse=True)
def nothing_left(bus: Deployed) -> None:
    bus.empty("Orders", "Letters")


def test_a_replay_delivers_the_window_to_the_chosen_rules_and_is_not_archived(
    bus: Deployed,
) -> None:
    # GIVEN events of two rules, and one before the window
    base = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=30)
    early = bus.put("Order", Time=base - timedelta(minutes=1))
    order, second = bus.put("Order", Time=base), bus.put("Second", Time=base)
    reaches(lambda: [m for each in (early, order, second) for m in bus.got("Orders", each)], 3)
    archive = bus.events.describe_archive(ArchiveName=bus.stack.physical_id("Archive"))
    assert archive["EventCount"] >= 3
    assert archive["SizeBytes"] > 3 * len(DETAIL)
    bus.empty("Orders")

    # WHEN
    name = f"replay-{uuid.uuid4().hex[:8]}"
    bus_arn = archive["EventSourceArn"]
    window = {"EventStartTime": base, "EventEndTime": base + timedelta(minutes=5)}
    bus.events.start_replay(
        ReplayName=name,
        EventSourceArn=archive["ArchiveArn"],
        Destination={"Arn": bus_arn, "FilterArns": [bus.rule_arn("Order")]},
        **window,
    )

    # THEN the event comes again as it was, but for the replay's name
    [message] = reaches(lambda: bus.got("Orders", order), 1)
    event = json.loads(message["Body"])
    assert event["replay-name"] == name
    assert datetime.fromisoformat(event["time"]) == base
    assert message["Body"].endswith(f'"detail":{DETAIL}}}')

    # AND nothing else does
    described = bus.events.describe_replay(ReplayName=name)
    assert described["State"] == "COMPLETED"
    assert described["EventLastReplayedTime"] == base
    time.sleep(0.5)
    assert bus.got("Orders", early) + bus.got("Orders", second) == []
    again = bus.events.describe_archive(ArchiveName=archive["ArchiveName"])
    assert again["EventCount"] == archive["EventCount"]

    # AND a window must not end before it starts
    with pytest.raises(ClientError, match="EventStartTime must be before EventEndTime"):
        bus.events.start_replay(
            ReplayName=f"{name}-2",
            EventSourceArn=archive["ArchiveArn"],
            Destination={"Arn": bus_arn},
            EventStartTime=base,
            EventEndTime=base,
        )


def test_a_replayed_event_that_goes_on_to_another_bus_is_not_archived_there(bus: Deployed) -> None:
    # GIVEN an event that a rule passed on to a bus with an archive
    def archive(name: str) -> dict[str, Any]:
        return dict(bus.events.describe_archive(ArchiveName=bus.stack.physical_id(name)))

    bus.put("Pass")
    assert eventually(lambda: archive("OtherArchive")["EventCount"], 1) == 1

    # WHEN it is replayed
    name, now = f"replay-{uuid.uuid4().hex[:8]}", datetime.now(UTC)
    bus.events.start_replay(
        ReplayName=name,
        EventSourceArn=archive("Archive")["ArchiveArn"],
        Destination={
            "Arn": archive("Archive")["EventSourceArn"],
            "FilterArns": [bus.rule_arn("Pass")],
        },
        EventStartTime=now - timedelta(minutes=1),
        EventEndTime=now + timedelta(minutes=1),
    )

    # THEN
    eventually(lambda: bus.events.describe_replay(ReplayName=name)["State"], "COMPLETED")
    assert "EventLastReplayedTime" in bus.events.describe_replay(ReplayName=name)
    assert archive("OtherArchive")["EventCount"] == 1


def test_a_bus_policy_refuses_whom_it_names(bus: Deployed) -> None:
    # GIVEN a function that may put events, says its role, and a bus
    source = (
        "import boto3\n"
        "def handler(bus, context):\n"
        "    entry = dict(EventBusName=bus, Source='f', DetailType='None', Detail='{}')\n"
        "    try:\n"
        "        return boto3.client('events').put_events(Entries=[entry])['FailedEntryCount']\n"
        "    except Exception as error:\n"
        "        return str(error)\n"
    )
    target, name = bus.stack.target, bus.stack.physical_id("Bus")
    made = function(target, source, allow("events:PutEvents"))
    assert invoke(target, made, name) == 0

    archive = bus.events.describe_archive(ArchiveName=bus.stack.physical_id("Archive"))
    assert archive["RetentionDays"] == 7
    bus.put("None")

    # WHEN the policy changes to deny its role
    runs_as = target.client("lambda").get_function_configuration(FunctionName=made)["Role"]
    changed = json.loads(json.dumps(bus.resources))
    changed["NoSecrets"]["Properties"]["Statement"]["Principal"] = {"AWS": runs_as}
    changed["Second"]["Properties"]["Targets"][0]["RetryPolicy"]["MaximumRetryAttempts"] = 7
    changed["Bus"]["Properties"]["Tags"][0]["Value"] = "changed"
    changed["Archive"]["Properties"] |= {"RetentionDays": 3, "Description": "less"}
    assert bus.stack.update(**changed) == "UPDATE_COMPLETE", bus.stack.reasons()

    # THEN
    assert "AccessDenied" in invoke(target, made, name)
    described = bus.events.describe_event_bus(Name=name)
    [statement] = json.loads(described["Policy"])["Statement"]
    assert (statement["Sid"], statement["Principal"]) == ("NoSecrets", {"AWS": runs_as})

    # AND the rule has its new policy
    [changed_target] = bus.events.list_targets_by_rule(
        Rule=bus.stack.physical_id("Second"), EventBusName=name
    )["Targets"]
    assert changed_target["RetryPolicy"]["MaximumRetryAttempts"] == 7

    # AND the archive kept its events through its own change
    archive = bus.events.describe_archive(ArchiveName=bus.stack.physical_id("Archive"))
    assert (archive["RetentionDays"], archive["Description"]) == (3, "less")
    assert archive["EventCount"] > 0
    tags = bus.events.list_tags_for_resource(ResourceARN=described["Arn"])["Tags"]
    assert {"Key": "stack", "Value": "changed"} in tags

    # AND when it leaves the template, it no longer refuses
    del changed["NoSecrets"]
    assert bus.stack.update(**changed) == "UPDATE_COMPLETE", bus.stack.reasons()
    assert invoke(target, made, name) == 0

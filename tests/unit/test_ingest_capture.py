"""A capture keeps what passes the bus, and leaves nothing of its own behind."""

from __future__ import annotations

import contextlib
import io
import json
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from odyssey_cli.flows.ingest import LONGEST_CAPTURE
from odyssey_cli.flows.ingest import capture as captures
from odyssey_cli.flows.ingest.capture import Bus, Captured
from tests.ingest import TEXT, envelope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ACCOUNT = "123456789012"
OURS = "odyssey-capture-1700000000-0123456789ab"


class World:
    """A bus in moto, whose rules somebody else's hands carry out."""

    def __init__(self) -> None:
        self.events = boto3.client("events", region_name="us-east-1")
        self.sqs = boto3.client("sqs", region_name="us-east-1")
        self.events.create_event_bus(Name="bus")
        self.bus = Bus("bus", ACCOUNT, self.events, self.sqs)

    def rules(self) -> list[str]:
        return [rule["Name"] for rule in self.events.list_rules(EventBusName="bus")["Rules"]]

    def queues(self) -> list[str]:
        return self.sqs.list_queues().get("QueueUrls", [])

    def deliver(self, *bodies: object) -> None:
        [url] = self.queues()
        for body in bodies:
            text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
            self.sqs.send_message(QueueUrl=url, MessageBody=text)

    def capture(self, listening: Callable[[], None], **options: Any) -> tuple[str, Captured]:
        file = io.StringIO()
        captured = self.bus.capture(file, **({"seconds": 0.05} | options), listening=listening)
        return file.getvalue(), captured


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    # moto would sleep for as long as a poll may take.
    monkeypatch.setattr(captures, "_POLL", 0)
    with mock_aws():
        yield World()


def delivered(number: int, **changes: Any) -> dict[str, Any]:
    return {"detail-type": "order", "detail": envelope(number, **changes)}


def test_each_event_is_a_line_with_its_envelope_as_it_was(world: World) -> None:
    # WHEN
    text, captured = world.capture(lambda: world.deliver(delivered(1), delivered(2)))
    # THEN
    assert [json.loads(line) for line in text.splitlines()] == [envelope(1), envelope(2)]
    assert TEXT in text
    assert captured.events == 2


def test_the_queue_takes_from_this_rule_alone_which_takes_all_of_the_bus(world: World) -> None:
    # WHEN
    seen: dict[str, Any] = {}

    def look() -> None:
        [url], [name] = world.queues(), world.rules()
        attributes = world.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        seen["policy"] = json.loads(attributes["Attributes"]["Policy"])["Statement"]
        seen["queue"] = attributes["Attributes"]["QueueArn"]
        seen["retention"] = attributes["Attributes"]["MessageRetentionPeriod"]
        seen["rule"] = world.events.describe_rule(Name=name, EventBusName="bus")
        seen["targets"] = world.events.list_targets_by_rule(Rule=name, EventBusName="bus")[
            "Targets"
        ]
        seen["tags"] = world.sqs.list_queue_tags(QueueUrl=url)["Tags"]

    world.capture(look)
    # THEN
    allow, deny = seen["policy"]
    assert allow["Effect"] == "Allow"
    assert allow["Principal"] == {"Service": "events.amazonaws.com"}
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": seen["rule"]["Arn"]}}
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", {"AWS": "*"}, "sqs:*")
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert allow["Resource"] == deny["Resource"] == seen["queue"]
    assert seen["retention"] == "3600"
    assert json.loads(seen["rule"]["EventPattern"]) == {"account": [ACCOUNT]}
    assert [each["Arn"] for each in seen["targets"]] == [seen["queue"]]
    assert seen["tags"] == {"project": "aws-odyssey", "purpose": "capture"}


def test_it_ends_after_so_many_events(world: World) -> None:
    text, captured = world.capture(
        lambda: world.deliver(*map(delivered, range(1, 8))), seconds=60, count=3
    )
    assert captured.events == len(text.splitlines()) == 3


def test_an_event_that_comes_twice_is_kept_once(world: World) -> None:
    other = delivered(1, source="/somebody/else")
    text, captured = world.capture(lambda: world.deliver(delivered(1), delivered(1), other))
    assert (captured.events, captured.again) == (2, 1)
    assert len(text.splitlines()) == 2


def test_what_has_no_object_as_detail_is_counted_and_left_out(world: World) -> None:
    text, captured = world.capture(lambda: world.deliver("not JSON", [], {}, {"detail": "text"}))
    assert text == ""
    assert (captured.events, captured.strange) == (0, 4)


def test_rule_and_queue_are_removed_in_the_end(world: World) -> None:
    world.capture(lambda: None)
    assert world.rules() == []
    assert world.queues() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_rule_and_queue_are_removed_whatever_ends_it(
    error: type[BaseException], world: World
) -> None:
    def interrupt() -> None:
        assert world.rules()
        raise error

    with pytest.raises(error):
        world.capture(interrupt)
    assert world.rules() == []
    assert world.queues() == []


def test_before_they_are_removed_whoever_asked_is_told_whatever_ends_it(world: World) -> None:
    there: list[list[str]] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    for listening in (lambda: None, interrupt):
        with contextlib.suppress(KeyboardInterrupt):
            world.capture(listening, ending=lambda: there.append(world.rules()))
    assert [len(rules) for rules in there] == [1, 1]


@pytest.mark.parametrize("fails", ["remove_targets", "delete_rule", "get_queue_url"])
def test_if_something_cannot_be_removed_the_rest_is_and_the_error_is_raised(
    fails: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    client = world.sqs if fails == "get_queue_url" else world.events
    tried: list[str] = []

    def refuse(**_: Any) -> None:
        tried.append(fails)
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": fails}}, fails)

    monkeypatch.setattr(client, fails, refuse)
    # WHEN
    with pytest.raises(ClientError, match=rf"AccessDenied.*: {fails}"):
        world.capture(lambda: None)
    # THEN
    assert tried == [fails]
    rules, queues = world.rules(), world.queues()
    if fails == "get_queue_url":
        assert (len(rules), len(queues)) == (0, 1)
    else:
        # A rule goes only after its targets.
        assert (len(rules), len(queues)) == (1, 0)


def test_of_several_errors_the_first_is_raised(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(code: str, **_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": ""}}, "operation")

    monkeypatch.setattr(world.events, "remove_targets", partial(refuse, "First"))
    monkeypatch.setattr(world.events, "delete_rule", partial(refuse, "Second"))
    with pytest.raises(ClientError, match="First"):
        world.bus._remove(OURS)


def test_messages_are_deleted_only_when_their_lines_are_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    steps: list[str] = []
    delete = world.sqs.delete_message_batch

    def deleted(**request: Any) -> Any:
        steps.append("deleted")
        return delete(**request)

    class File(io.StringIO):
        def write(self, text: str) -> int:
            steps.append("written")
            return super().write(text)

        def flush(self) -> None:
            steps.append("flushed")

    monkeypatch.setattr(world.sqs, "delete_message_batch", deleted)
    # WHEN
    world.bus.capture(File(), seconds=60, count=1, listening=lambda: world.deliver(delivered(1)))
    # THEN
    assert steps == ["written", "flushed", "deleted"]


def test_what_cannot_be_written_is_not_deleted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError("No space left")

    monkeypatch.setattr(world.sqs, "delete_message_batch", None)
    with pytest.raises(OSError, match="No space left"):
        world.bus.capture(Full(), seconds=60, listening=lambda: world.deliver(delivered(1)))
    assert world.queues() == []


def test_what_could_only_be_made_in_part_is_removed(world: World) -> None:
    # GIVEN a bus that takes no rule
    world.events.delete_event_bus(Name="bus")
    # WHEN
    with pytest.raises(world.events.exceptions.ResourceNotFoundException):
        world.bus._make(OURS)
    assert world.queues()
    world.bus._remove(OURS)
    # THEN
    assert world.queues() == []


def test_what_a_killed_capture_left_behind_is_removed_by_the_next_one(world: World) -> None:
    # GIVEN a rule and a queue of a capture that was killed long ago
    world.bus._make(OURS)
    # WHEN
    _, captured = world.capture(lambda: None)
    # THEN
    assert captured.removed == [OURS]
    assert world.rules() == []
    assert world.queues() == []


def test_what_is_in_use_or_somebody_else_s_is_left_alone(world: World) -> None:
    # GIVEN a capture of a minute ago, and queues and rules of others
    now = f"odyssey-capture-{int(time.time()) - 60}-0123456789ab"
    others = ["odyssey-capture-of-mine", "odyssey-capture-1700000000-x", f"{OURS}-2"]
    for name in (now, *others):
        world.bus._make(name)
    # WHEN
    removed = world.bus.remove_left_behind()
    # THEN
    assert removed == []
    assert set(world.rules()) == {now, *others}
    assert len(world.queues()) == 4


def test_no_capture_may_take_so_long_that_it_seems_to_be_left_behind() -> None:
    assert LONGEST_CAPTURE < captures._LEFT_BEHIND

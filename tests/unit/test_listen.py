"""The service verifies every item, deletes only what it has verified, and ends when told."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from odyssey_cli.flows.discovery.listen import Seen, Stop
from proofs.fakes.dynamodb import Call, refusal
from tests.discovery import item, item_id, submission, updated, uploaded
from tests.unit.listening import FILE, Listening, ids, is_hold, raises, when

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Listening:
    return Listening.timed(monkeypatch)


def test_every_item_is_verified_told_and_its_message_deleted(here: Listening) -> None:
    here.add(*range(1, 26))
    totals = here.run()
    assert totals.verified == ids(*range(1, 26))
    assert (totals.failures, totals.undeleted) == (0, 0)
    assert [seen.name for seen in here.told] == [item_id(n) for n in range(1, 26)]
    assert here.messages == []


def test_ten_messages_take_one_call_each_to_receive_read_and_delete(here: Listening) -> None:
    here.add(*range(1, 11))
    here.run(most=10)
    assert [call.operation for call in here.dynamodb.calls] == [
        "ReceiveMessage",
        "BatchGetItem",
        *["GetObject"] * 10,
        "DeleteMessageBatch",
    ]
    [read] = here.calls("BatchGetItem")
    assert read.arguments["RequestItems"]["items"]["ConsistentRead"]
    [received] = here.calls("ReceiveMessage")
    assert received.arguments["WaitTimeSeconds"] == 20


def test_keys_that_were_not_read_are_read_again(here: Listening) -> None:
    here.add(*range(1, 6))
    here.dynamodb.leave_unprocessed = [3, 1]
    totals = here.run()
    assert totals.verified == ids(*range(1, 6))
    assert totals.failures == 0
    assert [len(call.arguments["RequestItems"]["items"]["Keys"])
            for call in here.calls("BatchGetItem")] == [5, 3, 1]  # fmt: skip


def test_a_message_is_deleted_only_after_its_item_was_verified_and_saved(
    here: Listening, tmp_path: Path
) -> None:
    # GIVEN
    here.add(1, 2, 3)
    found: list[list[bool]] = []

    def look(_call: Call) -> None:
        found.append([(tmp_path / item_id(n) / FILE).exists() for n in (1, 2, 3)])

    here.dynamodb.before = when("DeleteMessageBatch", look)
    # WHEN
    here.run(out=tmp_path)
    # THEN
    assert found == [[True, True, True]]


def test_what_cannot_be_verified_is_put_back_with_its_problem_and_blocks_nothing(
    here: Listening,
) -> None:
    # GIVEN six messages, each of them wrong in another way, among good ones
    here.add(1, 2, 3, 4, 5, 6)
    here.announce("{", uploaded(1), updated(77))
    del here.s3.buckets["files"][submission(2).key]
    here.s3.store("files", submission(3).key, b"another content")
    here.dynamodb.tables["items"][item_id(4)] = item(4)
    # WHEN
    totals = here.run(idle=1)
    # THEN the good ones are done, the others are in the queue and nobody's
    assert totals.verified == ids(1, 5, 6)
    assert totals.failures == 6
    assert len(here.messages) == 6
    assert here.visible == []
    problems = list(here.problems.values())
    texts = [
        "NoSuchKey", "not the one submitted", "not moved on", "not JSON", "type is", "not there"
    ]  # fmt: skip
    assert all(any(text in problem for problem in problems) for text in texts)
    assert {item_id(2), item_id(3), item_id(4), item_id(77)} < here.problems.keys()


def test_a_message_that_keeps_failing_is_hidden_twice_as_long_each_time_up_to_a_limit(
    here: Listening,
) -> None:
    # GIVEN a message that fails for ever
    here.announce(updated(1))

    def enough(seen: Seen) -> None:
        if seen.receives == 10:
            here.stop.request()

    # WHEN
    here.run(idle=None, then=enough)
    # THEN
    first, *pauses = [
        call.arguments["Entries"][0]["VisibilityTimeout"]
        for call in here.calls("ChangeMessageVisibilityBatch")
    ]
    assert 1 < first <= 10
    assert pauses == [min(900, first * 2**times) for times in range(1, 10)]
    assert [seen.receives for seen in here.told] == list(range(1, 11))


def test_a_message_that_keeps_failing_ends_in_the_dead_letter_queue(here: Listening) -> None:
    here.sqs.max_receives = 5
    here.add(1)
    here.announce(updated(2))
    assert here.run(idle=200).failures == 5
    assert [message["MessageBody"] for message in here.sqs.dead] == [updated(2)]
    assert here.messages == []


def test_what_was_wrong_and_is_mended_is_verified_when_it_comes_again(here: Listening) -> None:
    here.announce(updated(1))
    assert here.run(idle=1).failures == 1
    here.store(1)
    assert here.run().verified == ids(1)
    assert here.messages == []


@pytest.mark.parametrize(
    "error",
    [refusal("AccessDenied", "Read"), ReadTimeoutError(endpoint_url="https://aws")],
    ids=["refused", "no answer"],
)
@pytest.mark.parametrize(("operation", "failed"), [("BatchGetItem", 3), ("GetObject", 1)])
def test_while_items_or_objects_cannot_be_read_messages_are_put_back(
    here: Listening, operation: str, failed: int, error: Exception
) -> None:
    here.add(1, 2, 3)
    here.dynamodb.before = when(operation, raises(error), times=1)
    totals = here.run(idle=1)
    assert totals.failures == failed
    assert set(here.problems.values()) == {str(error)}
    # AND they are verified once that is over
    assert totals.verified | here.run().verified == ids(1, 2, 3)
    assert here.messages == []


def test_messages_of_one_item_count_as_one_and_are_all_deleted(here: Listening) -> None:
    here.add(1, 2)
    here.announce(updated(1), updated(1), updated(2))
    assert here.run().verified == ids(1, 2)
    assert here.messages == []


def test_it_stops_after_so_many_items_and_takes_no_more_messages_than_that(
    here: Listening,
) -> None:
    here.add(*range(1, 31))
    totals = here.run(most=13, idle=None)
    assert totals.verified == ids(*range(1, 14))
    asked = [call.arguments["MaxNumberOfMessages"] for call in here.calls("ReceiveMessage")]
    assert asked == [10, 3]
    assert here.visible == [updated(n) for n in range(14, 31)]


def test_it_stops_when_nothing_came_for_so_long(here: Listening) -> None:
    here.add(1)
    here.run(idle=50)
    waits = [call.arguments["WaitTimeSeconds"] for call in here.calls("ReceiveMessage")]
    assert waits == [20, 20, 20, 10]
    assert here.sqs.now == 50


def test_a_message_makes_it_wait_anew(here: Listening) -> None:
    # GIVEN a message that becomes visible after 30 seconds
    here.add(1)
    here.messages[0]["visible"] = 30
    # WHEN / THEN
    assert here.run(idle=40).verified == ids(1)
    assert here.sqs.now == 70


def test_told_to_stop_before_it_begins_it_receives_nothing(here: Listening) -> None:
    here.add(1)
    here.stop.request()
    assert here.run().verified == set()
    assert here.dynamodb.calls == []


def test_told_to_stop_while_it_waits_it_ends_at_once(here: Listening) -> None:
    here.dynamodb.before = when("ReceiveMessage", lambda _call: here.stop.request())
    assert here.run(idle=None).verified == set()
    assert here.sqs.now == 0
    assert len(here.dynamodb.calls) == 1


def test_told_to_stop_while_it_works_it_finishes_the_message_in_hand_and_releases_the_rest(
    here: Listening,
) -> None:
    # GIVEN ten messages, and somebody who stops it while it reads the second object
    here.add(*range(1, 11))
    here.dynamodb.before = when("GetObject", lambda _call: here.stop.request(), of=item_id(2))
    # WHEN
    totals = here.run(idle=None)
    # THEN
    assert totals.verified == ids(1, 2)
    assert totals.failures == 0
    assert here.visible == [updated(n) for n in range(3, 11)]
    assert len(here.messages) == 8
    # AND whoever comes next does the rest
    here.stop = Stop()
    assert here.run().verified == ids(*range(3, 11))


def test_told_to_stop_at_the_moment_the_wait_ends_it_ends_in_good_order(here: Listening) -> None:
    # GIVEN a signal that arrives right before the flag is taken back
    class Late(Stop):
        is_armed = False

        def __setattr__(self, name: str, value: bool) -> None:
            if self.is_armed and name == "waiting" and not value:
                object.__setattr__(self, "is_armed", False)
                self.request()
            super().__setattr__(name, value)

    here.add(1)
    here.stop = Late()
    object.__setattr__(here.stop, "is_armed", True)
    # WHEN / THEN
    here.run(idle=None)


def test_a_deletion_that_failed_is_tried_again(here: Listening) -> None:
    here.add(1, 2, 3)
    here.sqs.refuse_deletions = [2, 1]
    assert here.run(most=3).undeleted == 0
    assert here.messages == []
    sizes = [len(call.arguments["Entries"]) for call in here.calls("DeleteMessageBatch")]
    assert sizes == [3, 2, 1]


def test_a_message_that_cannot_be_deleted_is_counted_and_comes_again(here: Listening) -> None:
    here.add(1, 2)
    here.sqs.refuse_deletions = [1, 1, 1]
    totals = here.run(most=2)
    assert totals.undeleted == 1
    assert here.visible == [updated(1)]
    assert here.run().verified == ids(1)


def test_when_deleting_is_refused_it_ends_with_the_error_and_the_messages_are_free(
    here: Listening,
) -> None:
    here.add(1, 2)
    here.dynamodb.before = when("DeleteMessageBatch", raises(refusal("AccessDenied", "Delete")))
    with pytest.raises(ClientError, match="AccessDenied"):
        here.run()
    assert here.visible == [updated(1), updated(2)]


def test_slow_work_keeps_its_messages_hidden_from_others(here: Listening) -> None:
    # GIVEN an object that takes until the messages were hidden again, twice
    here.add(1, 2)
    here.paced(lambda seconds: seconds / 4_000)
    held = [threading.Event(), threading.Event()]

    def slow(_call: Call) -> None:
        for event in held:
            here.sqs.now += 50
            assert event.wait(5)

    def count(call: Call) -> None:
        if call.arguments["Entries"][0]["VisibilityTimeout"] == 60:
            next((event for event in held if not event.is_set()), held[0]).set()

    here.dynamodb.before = when("GetObject", slow, of=item_id(1))
    here.dynamodb.after = when("ChangeMessageVisibilityBatch", count)
    # WHEN / THEN the messages, once hidden for 60 seconds, are ours after 100
    assert here.run(most=2).verified == ids(1, 2)
    assert here.sqs.now == 100
    assert here.messages == []
    names = {call.arguments["QueueUrl"] for call in here.calls("ChangeMessageVisibilityBatch")}
    assert len(names) == 1


def test_when_messages_cannot_be_held_it_ends_with_the_error(here: Listening) -> None:
    # GIVEN an object that takes until the messages were to be hidden again, which is refused
    here.add(1)
    here.paced(lambda seconds: seconds / 4_000)
    refused = threading.Event()

    def act(call: Call) -> None:
        if call.operation == "GetObject":
            assert refused.wait(5)
        elif is_hold(call):
            refused.set()
            raise refusal("AccessDenied", call.operation, status=403)

    here.dynamodb.before = act
    # WHEN / THEN
    with pytest.raises(ClientError, match="AccessDenied"):
        here.run()
    assert here.warned == []
    # What was verified is deleted all the same.
    assert here.messages == []

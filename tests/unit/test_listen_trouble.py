"""What passes by itself is waited for and ends nothing; everything else ends the service."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from odyssey_cli.flows.discovery.documents import MAX_BYTES
from odyssey_cli.flows.discovery.listen import Interrupted, Stop
from proofs.fakes.dynamodb import Call, refusal
from tests.discovery import item_id, submission, updated
from tests.unit.listening import Listening, ids, is_hold, raises, when

if TYPE_CHECKING:
    from collections.abc import Callable

UNAVAILABLE = refusal("ServiceUnavailable", "Call", status=503)
PASSING = [
    UNAVAILABLE,
    refusal("RequestThrottled", "Call", status=403),
    EndpointConnectionError(endpoint_url="https://aws"),
    ConnectionClosedError(endpoint_url="https://aws"),
    ReadTimeoutError(endpoint_url="https://aws"),
]
STAYING = [
    refusal("AccessDenied", "Call", status=403),
    refusal("QueueDoesNotExist", "Call"),
    refusal("ExpiredToken", "Call", status=403),
]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Listening:
    return Listening.timed(monkeypatch)


def fails(
    operation: str, numbers: range | set[int], error: Exception = UNAVAILABLE
) -> Callable[[Call], None]:
    """Fail some calls of an operation, counted from 1."""
    made = 0

    def hook(call: Call) -> None:
        nonlocal made
        made += call.operation == operation
        if call.operation == operation and made in numbers:
            raise error

    return hook


@pytest.mark.parametrize("error", PASSING, ids=str)
def test_what_passes_is_told_and_waited_for_longer_each_time(
    here: Listening, error: Exception
) -> None:
    # GIVEN a queue that cannot be reached three times
    here.add(1)
    here.dynamodb.before = fails("ReceiveMessage", range(1, 4), error)
    # WHEN
    totals = here.run(most=1, idle=None)
    # THEN
    assert totals.verified == ids(1)
    assert here.messages == []
    assert here.pauses == [5, 10, 20]
    assert here.warned == [str(error)] * 3


def test_the_pauses_have_a_limit_and_the_service_goes_on_for_ever(here: Listening) -> None:
    here.add(1)
    here.dynamodb.before = fails("ReceiveMessage", range(1, 21))
    assert here.run(most=1, idle=None).verified == ids(1)
    assert here.pauses == [5, 10, 20, 40, 80, 160, 320, 640, *[900] * 12]


def test_the_pauses_are_the_targets(here: Listening) -> None:
    here.paced(lambda seconds: seconds / 20)
    here.add(1)
    here.dynamodb.before = fails("ReceiveMessage", range(1, 4))
    here.run(most=1, idle=None)
    assert here.pauses == [0.25, 0.5, 1]


def test_after_a_success_the_pauses_begin_anew(here: Listening) -> None:
    here.add(1)
    here.dynamodb.before = fails("ReceiveMessage", {1, 2, 4, 5})
    here.run(idle=30)
    assert here.pauses == [5, 10, 5, 10]


@pytest.mark.parametrize("error", STAYING, ids=str)
@pytest.mark.parametrize("operation", ["ReceiveMessage", "DeleteMessageBatch"])
def test_what_does_not_pass_ends_it_at_once(
    here: Listening, operation: str, error: Exception
) -> None:
    here.add(1)
    here.dynamodb.before = when(operation, raises(error))
    with pytest.raises(ClientError) as ended:
        here.run(idle=None)
    assert ended.value is error
    assert len(here.calls(operation)) == 1
    assert (here.warned, here.pauses) == ([], [])
    assert here.visible == [updated(1)]


def test_a_deletion_that_fails_for_now_is_made_when_the_message_comes_again(
    here: Listening,
) -> None:
    # GIVEN
    here.add(1, 2)
    here.dynamodb.before = fails("DeleteMessageBatch", {1, 2})
    # WHEN
    totals = here.run()
    # THEN
    assert totals.verified == ids(1, 2)
    assert totals.failures == 0
    assert here.messages == []
    assert here.pauses == [5, 10]
    assert here.warned == [str(UNAVAILABLE)] * 2


def test_a_message_that_cannot_be_put_back_for_now_ends_nothing(here: Listening) -> None:
    here.add(1)
    here.announce(updated(2))
    here.dynamodb.before = fails("ChangeMessageVisibilityBatch", {1})
    assert here.run(idle=30).verified == ids(1)
    assert here.warned == [str(UNAVAILABLE)]
    assert [message["MessageBody"] for message in here.messages] == [updated(2)]


def test_with_nothing_but_trouble_until_the_idle_time_is_over_the_error_is_raised(
    here: Listening,
) -> None:
    here.add(1)
    here.dynamodb.before = when("ReceiveMessage", raises(UNAVAILABLE))
    with pytest.raises(ClientError, match="ServiceUnavailable"):
        here.run(idle=25)
    # The last pause ends with the idle time.
    assert here.pauses == [5, 10, 10]
    assert here.visible == [updated(1)]


def test_after_trouble_it_looks_once_more_before_the_idle_time_ends_it(here: Listening) -> None:
    # GIVEN a pause in which the idle time goes by
    here.add(1)
    here.dynamodb.before = fails("ReceiveMessage", {1})
    # WHEN / THEN
    assert here.run(idle=4).verified == ids(1)
    asked = [call.arguments["WaitTimeSeconds"] for call in here.calls("ReceiveMessage")]
    assert asked == [4, 0, 4]


def test_after_trouble_that_is_over_an_idle_queue_ends_it_in_good_order(here: Listening) -> None:
    here.dynamodb.before = fails("ReceiveMessage", {1})
    assert here.run(idle=4).verified == set()
    assert len(here.calls("ReceiveMessage")) == 2


def test_told_to_stop_in_a_pause_it_ends_at_once(here: Listening) -> None:
    # GIVEN somebody who stops it in the second pause, and what comes after that
    reached = []

    def ask() -> None:
        if len(here.pauses) == 2:
            here.stop.request()
            reached.append("the end of the pause")

    here.in_pause = ask
    here.dynamodb.before = when("ReceiveMessage", raises(UNAVAILABLE))
    # WHEN / THEN
    here.run(idle=None)
    assert reached == []
    assert len(here.calls("ReceiveMessage")) == 2


def slow(here: Listening, until: threading.Event) -> None:
    """Let the first object take until something has happened."""
    here.add(1)
    here.paced(lambda seconds: seconds / 4_000)

    def wait(_call: Call) -> None:
        assert until.wait(5)

    here.dynamodb.after = when("GetObject", wait, times=1)


def test_holding_goes_on_after_an_attempt_that_failed(here: Listening) -> None:
    # GIVEN an object that takes until messages were hidden again, at the third attempt
    holds: list[Call] = []
    is_held = threading.Event()

    def hold(call: Call) -> None:
        if is_hold(call):
            holds.append(call)
            if len(holds) <= 2:
                raise refusal("AccessDenied", call.operation, status=403)

    slow(here, is_held)
    wait = here.dynamodb.after

    def held(call: Call) -> None:
        if is_hold(call):
            is_held.set()
        wait(call)

    here.dynamodb.before, here.dynamodb.after = hold, held
    # WHEN / THEN
    assert here.run(most=1).verified == ids(1)
    assert len(holds) >= 3
    assert here.messages == []
    assert here.warned == []


def test_holding_that_failed_for_now_until_the_end_is_told_and_ends_nothing(
    here: Listening,
) -> None:
    # GIVEN an object in whose time no attempt succeeds
    has_failed = threading.Event()

    def hold(call: Call) -> None:
        if is_hold(call):
            has_failed.set()
            raise UNAVAILABLE

    slow(here, has_failed)
    here.dynamodb.before = hold
    # WHEN / THEN
    assert here.run(idle=1).verified == ids(1)
    assert here.messages == []
    assert here.warned == [str(UNAVAILABLE)]


def test_asked_twice_while_it_works_it_is_interrupted_and_its_messages_are_free(
    here: Listening,
) -> None:
    # GIVEN somebody who asks for the end, and again before it comes
    here.add(1, 2, 3)

    def twice(_call: Call) -> None:
        here.stop.request()
        here.stop.request()

    here.dynamodb.before = when("GetObject", twice, of=item_id(2))
    # WHEN / THEN
    with pytest.raises(KeyboardInterrupt):
        here.run(idle=None)
    assert here.visible == [updated(2), updated(3)]
    assert len(here.messages) == 2


def test_asked_again_while_it_waits_it_ends_as_the_first_time() -> None:
    stop = Stop(waiting=True)
    for _ in range(2):
        with pytest.raises(Interrupted):
            stop.request()


def test_a_message_that_comes_twice_at_once_is_deleted_or_put_back(
    here: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a queue that delivers each message twice in one answer
    here.add(1)
    here.announce(updated(2))
    receive = here.sqs.receive_message

    def twice(**arguments: Any) -> dict[str, Any]:
        answer = receive(**arguments)
        return {name: messages * 2 for name, messages in answer.items()}

    monkeypatch.setattr(here.sqs, "receive_message", twice)
    # WHEN
    totals = here.run(idle=1)
    # THEN
    assert totals.verified == ids(1)
    assert [message["MessageBody"] for message in here.messages] == [updated(2)]
    assert here.visible == []


def test_an_object_that_no_document_can_be_is_not_read(
    here: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    class Endless:
        def read(self) -> bytes:
            raise AssertionError("It was read.")

    here.add(1)
    answer = {"Body": Endless(), "ContentLength": MAX_BYTES + 1}
    monkeypatch.setattr(here.s3, "get_object", lambda **_: answer)
    # WHEN
    totals = here.run(idle=1)
    # THEN
    assert totals.failures == 1
    assert here.problems == {item_id(1): f"The file has {MAX_BYTES + 1} bytes; no document has."}
    found = here.service.look(item_id(1))
    assert found is not None
    assert not found["agrees"]


def test_an_object_as_large_as_a_document_may_be_is_read(here: Listening) -> None:
    here.add(1)
    here.s3.store("files", submission(1).key, b"x" * MAX_BYTES)
    here.run(idle=1)
    assert "not the one submitted" in here.problems[item_id(1)]


def test_an_object_in_a_bucket_of_another_account_is_not_read(here: Listening) -> None:
    here.add(1)
    here.service = replace(here.service, account="999999999999")
    assert here.run(idle=1).failures == 1
    assert "AccessDenied" in here.problems[item_id(1)]
    assert len(here.messages) == 1
    # AND looking at the item says so
    found = here.service.look(item_id(1))
    assert found is not None
    assert "AccessDenied" in found["problem"]

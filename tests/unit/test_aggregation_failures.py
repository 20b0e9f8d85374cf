"""Counting when DynamoDB refuses, conflicts or does not answer: what fails comes again, alone."""

from __future__ import annotations

import pytest
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from proofs.fakes import faults
from proofs.fakes.dynamodb import Call, FakeDynamoDB, cancellation, refusal
from tests.unit.counting import (
    counted,
    counts,
    event,
    events,
    summary,
    transactions,
)

PASSING = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]


@pytest.fixture
def client() -> FakeDynamoDB:
    return FakeDynamoDB.with_tables("processed", "summaries")


@pytest.mark.parametrize("reason", PASSING)
@pytest.mark.parametrize("cancelled", [1, 7])
def test_what_passes_by_itself_is_tried_again(
    client: FakeDynamoDB, reason: str, cancelled: int
) -> None:
    client.before = faults.cancel_next(cancelled, reason)
    counted(events(150), client)
    assert counts(client) == {"g0": 150}


@pytest.mark.parametrize("reason", PASSING)
def test_what_does_not_pass_fails_and_the_redelivery_counts_it(
    client: FakeDynamoDB, reason: str
) -> None:
    # GIVEN
    batch = events(90, groups=2)
    client.before = faults.cancel_next(8, reason)
    # WHEN
    result = counted(batch, client)
    # THEN nothing took effect, and the redelivery counts all
    assert result.failed == dict.fromkeys(batch, "Contended")
    assert (result.counted, counts(client)) == (0, {})
    assert not counted(result.failed, client).failed
    assert counts(client) == {"g0": 45, "g1": 45}


def test_after_a_transaction_that_met_others_every_time_the_rest_waits_for_the_next_delivery(
    client: FakeDynamoDB,
) -> None:
    # GIVEN the second of three transactions meets a conflict every time
    batch = events(250)
    attempts = 0

    def conflict(call: Call) -> None:
        nonlocal attempts
        if call.operation == "TransactWriteItems":
            attempts += 1
            if attempts > 1:
                faults.cancel_next(1)(call)

    client.before = conflict
    # WHEN
    result = counted(batch, client)
    # THEN the third is not tried, which would outlast the invocation
    assert attempts == 1 + 8
    assert result.failed == {
        **dict.fromkeys(batch[99:198], "Contended"),
        **dict.fromkeys(batch[198:], "NotTried"),
    }
    assert counts(client) == {"g0": 99}
    # WHEN all of it comes again
    client.before = lambda _call: None
    again = counted(batch, client)
    # THEN
    assert summary(client, "g0") == (250, "0", "249")
    assert (again.counted, again.already, again.failed) == (151, 99, {})


def test_after_a_time_out_the_rest_waits_for_the_next_delivery(client: FakeDynamoDB) -> None:
    # GIVEN a DynamoDB that stops answering after the first of three transactions
    batch = events(250)

    def time_out(call: Call) -> None:
        if call.operation == "TransactWriteItems" and call.number > 2:
            raise ReadTimeoutError(endpoint_url="https://dynamodb")

    client.before = time_out
    # WHEN
    result = counted(batch, client)
    # THEN only one call waited
    assert len(client.calls) == 3
    assert set(result.failed) == set(batch[99:])
    assert set(result.failed.values()) == {"ReadTimeoutError", "NotTried"}
    assert counts(client) == {"g0": 99}


STAYING = ["ValidationError", "ItemCollectionSizeLimitExceeded", "AccessDenied"]


@pytest.mark.parametrize("reason", STAYING)
def test_a_group_that_dynamodb_refuses_fails_alone(client: FakeDynamoDB, reason: str) -> None:
    # GIVEN two groups, of which no waiting mends one
    batch = [event("1", "good"), event("2", "bad"), event("3", "good"), event("4", "bad")]

    def refuse(call: Call) -> None:
        verdicts = [
            reason if "Update" in action and action["Update"]["Key"]["id"]["S"] == "bad" else "None"
            for action in call.arguments.get("TransactItems", [])
        ]
        if reason in verdicts:
            raise cancellation(verdicts)

    client.before = refuse
    # WHEN
    result = counted(batch, client)
    # THEN
    assert counts(client) == {"good": 2}
    assert {each.id: cause for each, cause in result.failed.items()} == {"2": reason, "4": reason}
    assert set(client.tables["processed"]) == {"1", "3"}


@pytest.mark.parametrize("reason", STAYING)
def test_an_event_that_dynamodb_refuses_fails_alone(client: FakeDynamoDB, reason: str) -> None:
    def refuse(call: Call) -> None:
        verdicts = [
            reason if "Put" in action and action["Put"]["Item"]["id"]["S"] == "bad" else "None"
            for action in call.arguments.get("TransactItems", [])
        ]
        if reason in verdicts:
            raise cancellation(verdicts)

    client.before = refuse
    result = counted([event("1"), event("bad"), event("3")], client)
    assert counts(client) == {"g": 2}
    assert {each.id: cause for each, cause in result.failed.items()} == {"bad": reason}


@pytest.mark.parametrize("operation", ["BatchGetItem", "TransactWriteItems"])
@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException"])
def test_a_request_that_is_refused_fails_its_events_with_the_cause_and_loses_none(
    client: FakeDynamoDB, operation: str, code: str
) -> None:
    # GIVEN
    def refuse(call: Call) -> None:
        if call.operation == operation:
            raise refusal(code, operation)

    client.before = refuse
    # WHEN
    result = counted(events(150), client)
    # THEN
    assert result.failed == dict.fromkeys(events(150), code)
    client.before = lambda _call: None
    counted(events(150), client)
    assert counts(client) == {"g0": 150}


def test_a_request_that_gets_no_answer_fails_its_events(client: FakeDynamoDB) -> None:
    def no_answer(_call: Call) -> None:
        raise ConnectTimeoutError(endpoint_url="https://dynamodb")

    client.before = no_answer
    assert counted(events(3), client).failed == dict.fromkeys(events(3), "ConnectTimeoutError")


def test_one_transaction_that_is_refused_does_not_stop_the_next(client: FakeDynamoDB) -> None:
    # GIVEN the first of two transactions is throttled
    def refuse(call: Call) -> None:
        if call.number == 2:
            raise refusal("ThrottlingException", call.operation)

    client.before = refuse
    # WHEN
    result = counted(events(150), client)
    # THEN
    assert (len(result.failed), result.counted, counts(client)) == (99, 51, {"g0": 51})


def test_summaries_that_were_not_read_at_once_are_read_again(client: FakeDynamoDB) -> None:
    # GIVEN spans that new events must not narrow
    counted(
        [event("1", "a", second=0), event("2", "b", second=0), event("3", "c", second=0)], client
    )
    client.calls.clear()
    client.leave_unprocessed = [2, 1]
    # WHEN
    counted([event(f"later {group}", group, second=9) for group in "abc"], client)
    # THEN it took three reads, and then one transaction
    assert [call.operation for call in client.calls] == [
        *["BatchGetItem"] * 3,
        "TransactWriteItems",
    ]
    assert [summary(client, group) for group in "abc"] == [(2, "0", "9")] * 3


def test_summaries_that_are_never_read_fail_their_events(client: FakeDynamoDB) -> None:
    client.leave_unprocessed = [1] * 100
    assert counted([event("1")], client).failed == {event("1"): "Contended"}
    assert transactions(client) == []

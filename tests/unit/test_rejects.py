"""Records that can never be processed reach the rejects queue, each with its cause."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proofs.fakes.dynamodb import Call, FakeDynamoDB, refusal
from proofs.fakes.sqs import FakeSQS
from shared import rejects
from shared.rejects import Reject

QUEUE = "https://sqs/rejects"


@pytest.fixture
def sqs() -> FakeSQS:
    return FakeSQS(FakeDynamoDB.with_tables())


def reject(number: int, text: str = "") -> Reject:
    return Reject({"number": number, "text": text}, f"Cause {number}.", f"event-{number}")


def send(sqs: FakeSQS, *due: Reject, tries: int = 3, patient: bool = False) -> dict[int, str]:
    return rejects.send(
        due,
        source="function",
        queue_url=QUEUE,
        client=sqs,  # type: ignore[arg-type]
        tries=lambda: range(tries),
        patient=patient,
    )


def bodies(sqs: FakeSQS) -> list[Any]:
    return [json.loads(message["MessageBody"]) for message in sqs.queues.get(QUEUE, [])]


def test_a_reject_is_the_record_as_it_came_with_cause_source_and_id(sqs: FakeSQS) -> None:
    # GIVEN
    record = {
        "a": "Åsa café 😀 R&D C# 1+1 50% a;b %41",
        "b": [1, None, {"c": "\x00\ufffe\uffff\x7f"}],
    }
    # WHEN
    assert send(sqs, Reject(record, "It has no group.", "e1")) == {}
    # THEN
    assert bodies(sqs) == [record]
    attributes = sqs.queues[QUEUE][0]["MessageAttributes"]
    assert {name: value["StringValue"] for name, value in attributes.items()} == {
        "cause": "It has no group.",
        "source": "function",
        "event_id": "e1",
    }


def test_nothing_to_send_is_no_call(sqs: FakeSQS) -> None:
    assert send(sqs) == {}
    assert sqs.dynamodb.calls == []


@pytest.mark.parametrize(("number", "calls"), [(1, 1), (10, 1), (11, 2), (1_000, 100)])
def test_any_number_is_sent_in_batches_of_ten(sqs: FakeSQS, number: int, calls: int) -> None:
    assert send(sqs, *[reject(n) for n in range(number)]) == {}
    assert [body["number"] for body in bodies(sqs)] == list(range(number))
    assert len(sqs.dynamodb.calls) == calls


@pytest.mark.parametrize("character", ["x", "é", "😀"])
def test_large_records_are_sent_in_batches_that_fit(sqs: FakeSQS, character: str) -> None:
    # GIVEN records as large as a DynamoDB item, which is what a stream brings
    large = character * (400_000 // len(character.encode()))
    # WHEN / THEN
    assert send(sqs, *[reject(n, large) for n in range(4)]) == {}
    assert len(bodies(sqs)) == 4


def test_what_the_queue_did_not_take_is_sent_again(sqs: FakeSQS) -> None:
    sqs.refuse_next = [3, 1]
    assert send(sqs, *[reject(n) for n in range(5)]) == {}
    assert sorted(body["number"] for body in bodies(sqs)) == [0, 1, 2, 3, 4]


def test_what_the_queue_never_takes_is_returned(sqs: FakeSQS) -> None:
    sqs.refuse_next = [2, 2, 2]
    assert send(sqs, *[reject(n) for n in range(5)]) == {0: "InternalError", 1: "InternalError"}
    assert sorted(body["number"] for body in bodies(sqs)) == [2, 3, 4]


def test_what_is_behind_a_batch_that_is_not_taken_for_long_is_not_tried(sqs: FakeSQS) -> None:
    sqs.refuse_next = [10, 10, 10]
    unsent = send(sqs, *[reject(n) for n in range(15)])
    assert unsent == dict.fromkeys(range(10), "InternalError") | dict.fromkeys(
        range(10, 15), "NotTried"
    )
    assert bodies(sqs) == []
    assert len(sqs.dynamodb.calls) == 3


def test_a_reject_that_the_queue_can_never_take_does_not_stop_the_others(sqs: FakeSQS) -> None:
    sqs.refuse_next, sqs.fault_of_sender = [1], True
    assert send(sqs, *[reject(n) for n in range(15)]) == {0: "InvalidMessageContents"}
    assert [body["number"] for body in bodies(sqs)] == list(range(1, 15))


@pytest.mark.parametrize("patient", [True, False])
def test_only_whoever_is_patient_repeats_a_call_that_may_succeed_later(
    sqs: FakeSQS, *, patient: bool
) -> None:
    # GIVEN a queue that throttles the first call
    def throttle(call: Call) -> None:
        if call.number == 1:
            raise refusal("RequestThrottled", call.operation)

    sqs.dynamodb.before = throttle
    # WHEN
    unsent = send(sqs, reject(1), patient=patient)
    # THEN
    assert unsent == ({} if patient else {0: "RequestThrottled"})
    assert len(bodies(sqs)) == patient

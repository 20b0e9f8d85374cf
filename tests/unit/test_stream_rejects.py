"""Of a stream's records those are rejected that do not come again anyway."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from proofs.fakes.dynamodb import Call, FakeDynamoDB, refusal
from proofs.fakes.sqs import FakeSQS
from shared import rejects, stream_rejects
from shared.rejects import Reject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.rejects import Settled

QUEUE = "https://sqs/rejects"


@pytest.fixture
def sqs() -> FakeSQS:
    return FakeSQS(FakeDynamoDB.with_tables())


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda _low, _high: 0)


def unusable(*numbers: int) -> list[Reject]:
    return [
        Reject({"dynamodb": {"SequenceNumber": str(number)}}, "It is bad.", f"e{number}")
        for number in numbers
    ]


def send(sqs: FakeSQS, rejects: Sequence[Reject], *failed: int) -> Settled:
    client: Any = sqs
    return stream_rejects.send(
        rejects,
        failed=[str(number) for number in failed],
        source="function",
        queue_url=QUEUE,
        client=lambda: client,
    )


def rejected(sqs: FakeSQS) -> list[int]:
    return [
        int(json.loads(each["MessageBody"])["dynamodb"]["SequenceNumber"])
        for each in sqs.queues.get(QUEUE, [])
    ]


def answer(settled: Settled) -> list[int]:
    """Return the sequence numbers of the partial batch response."""
    found = rejects.answer(settled)
    assert set(found) == {"batchItemFailures"}
    return [int(each["itemIdentifier"]) for each in found["batchItemFailures"]]


def test_without_a_failure_all_are_rejected(sqs: FakeSQS) -> None:
    settled = send(sqs, unusable(9, 10, 100))
    assert rejected(sqs) == [9, 10, 100]
    assert (settled.failed, settled.rejected, settled.causes) == ([], 3, [])
    assert answer(settled) == []


@pytest.mark.parametrize(
    ("failed", "expected"),
    [((9,), []), ((10, 200), [9]), ((200, 10), [9]), ((50,), [9, 11]), ((999,), [9, 11, 100])],
)
def test_only_what_is_before_the_first_failure_is_rejected(
    sqs: FakeSQS, failed: tuple[int, ...], expected: list[int]
) -> None:
    # GIVEN sequence numbers that sort differently as texts
    settled = send(sqs, unusable(9, 11, 100), *failed)
    assert rejected(sqs) == expected
    assert settled.rejected == len(expected)
    assert answer(settled) == sorted(failed)


def test_nothing_to_reject_needs_no_client(sqs: FakeSQS) -> None:
    def client() -> Any:
        raise AssertionError("it is made")

    for nothing, failed in [([], ["7"]), (unusable(9), ["7"]), ([], [])]:
        stream_rejects.send(
            nothing, failed=failed, source="function", queue_url=QUEUE, client=client
        )


def test_what_could_not_be_rejected_comes_again_in_the_order_of_the_stream(sqs: FakeSQS) -> None:
    # GIVEN a queue that never takes the first two of three
    sqs.refuse_next = [2] * 8
    settled = send(sqs, unusable(99, 100, 101), 1_000)
    assert rejected(sqs) == [101]
    assert answer(settled) == [99, 100, 1_000]
    assert settled.causes == ["InternalError"] * 2
    assert settled.rejected == 1


def test_when_the_queue_does_not_answer_all_come_again(sqs: FakeSQS) -> None:
    def refuse(call: Call) -> None:
        raise refusal("AccessDenied", call.operation)

    sqs.dynamodb.before = refuse
    settled = send(sqs, unusable(9, 10, 100))
    assert answer(settled) == [9, 10, 100]
    assert (settled.rejected, settled.causes) == (0, ["AccessDenied"] * 3)

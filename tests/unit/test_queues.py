"""Messages reach their queue in few calls, and what does not is known by its place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from shared import queues
from shared.queues import Message
from tests.discovery import TEXT
from tests.fakes.dynamodb import Call, FakeDynamoDB, refusal
from tests.fakes.sqs import FakeSQS

if TYPE_CHECKING:
    from collections.abc import Callable

QUEUE = "https://sqs/updated"


@pytest.fixture
def sqs() -> FakeSQS:
    return FakeSQS(FakeDynamoDB.with_tables())


def send(sqs: FakeSQS, *messages: Message, tries: int = 3) -> dict[int, str]:
    return queues.send(
        messages,
        queue_url=QUEUE,
        client=sqs,  # type: ignore[arg-type]
        tries=lambda: range(tries),
    )


def numbered(count: int, text: str = "") -> list[Message]:
    return [Message(f"{number} {text}") for number in range(count)]


def taken(sqs: FakeSQS) -> list[int]:
    """Return the numbers of the messages in the queue, in its order."""
    return [int(each["MessageBody"].split()[0]) for each in sqs.queues.get(QUEUE, [])]


def fails(error: Exception, *, calls: range) -> Callable[[Call], None]:
    def hook(call: Call) -> None:
        if call.number in calls:
            raise error

    return hook


def test_nothing_to_send_is_no_call(sqs: FakeSQS) -> None:
    assert send(sqs) == {}
    assert sqs.dynamodb.calls == []


@pytest.mark.parametrize(("count", "calls"), [(1, 1), (10, 1), (11, 2), (95, 10)])
def test_ten_messages_go_in_a_call_in_the_order_given(sqs: FakeSQS, count: int, calls: int) -> None:
    assert send(sqs, *numbered(count)) == {}
    assert taken(sqs) == list(range(count))
    assert len(sqs.dynamodb.calls) == calls


@pytest.mark.parametrize("character", ["x", "é", "😀"])
def test_batches_keep_below_what_a_call_can_carry_in_bytes(sqs: FakeSQS, character: str) -> None:
    # GIVEN messages of which two fit into a call
    large = character * (450_000 // len(character.encode()))
    # WHEN
    assert send(sqs, *numbered(5, large)) == {}
    # THEN
    assert taken(sqs) == list(range(5))
    assert len(sqs.dynamodb.calls) == 3


def test_a_message_as_large_as_sqs_takes_goes_alone(sqs: FakeSQS) -> None:
    messages = [Message("0"), Message("1 " + "x" * (1_048_576 - 2)), Message("2")]
    assert send(sqs, *messages) == {}
    assert taken(sqs) == [0, 1, 2]


def test_a_message_that_is_too_large_hinders_no_other(sqs: FakeSQS) -> None:
    messages = [Message("0"), Message("1 " + "x" * 1_048_576), Message("2")]
    assert send(sqs, *messages) == {1: "AWS.SimpleQueueService.BatchRequestTooLong"}
    assert taken(sqs) == [0, 2]


def test_attributes_go_along_as_texts(sqs: FakeSQS) -> None:
    send(sqs, Message("0", {"cause": TEXT}))
    [message] = sqs.queues[QUEUE]
    assert message["MessageAttributes"] == {"cause": {"DataType": "String", "StringValue": TEXT}}


def test_only_what_was_not_taken_is_sent_again(sqs: FakeSQS) -> None:
    # GIVEN a queue that refuses some of the first two tries
    sqs.refuse_next = [3, 1]
    # WHEN
    assert send(sqs, *numbered(5)) == {}
    # THEN
    assert sorted(taken(sqs)) == [0, 1, 2, 3, 4]
    assert [len(call.arguments["Entries"]) for call in sqs.dynamodb.calls] == [5, 3, 1]


def test_what_is_never_taken_is_named_with_its_error_and_the_next_batch_goes(
    sqs: FakeSQS,
) -> None:
    sqs.refuse_next = [2, 2, 2]
    assert send(sqs, *numbered(13)) == {0: "InternalError", 1: "InternalError"}
    assert taken(sqs) == list(range(2, 13))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (refusal("AccessDenied", "SendMessageBatch"), "AccessDenied"),
        (refusal("ThrottlingException", "SendMessageBatch"), "ThrottlingException"),
        (ConnectTimeoutError(endpoint_url=QUEUE), "ConnectTimeoutError"),
        (ReadTimeoutError(endpoint_url=QUEUE), "ReadTimeoutError"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_call_that_fails_leaves_its_batch_unsent_and_the_others_go(
    sqs: FakeSQS, error: Exception, code: str
) -> None:
    sqs.dynamodb.before = fails(error, calls=range(2, 3))
    assert send(sqs, *numbered(25)) == dict.fromkeys(range(10, 20), code)
    assert taken(sqs) == [*range(10), *range(20, 25)]


def test_an_answer_that_is_lost_counts_as_not_taken(sqs: FakeSQS) -> None:
    sqs.dynamodb.after = fails(ReadTimeoutError(endpoint_url=QUEUE), calls=range(1, 2))
    assert send(sqs, *numbered(2)) == dict.fromkeys(range(2), "ReadTimeoutError")
    assert taken(sqs) == [0, 1]


def test_another_error_is_not_hidden(sqs: FakeSQS) -> None:
    sqs.dynamodb.before = fails(KeyError("a mistake of ours"), calls=range(1, 2))
    with pytest.raises(KeyError):
        send(sqs, *numbered(1))


def test_what_was_taken_before_a_repeated_call_failed_is_not_reported(sqs: FakeSQS) -> None:
    # GIVEN a queue that takes three of five, and then is out of reach
    sqs.refuse_next = [2]
    sqs.dynamodb.before = fails(refusal("AccessDenied", "SendMessageBatch"), calls=range(2, 9))
    # WHEN / THEN
    unsent = send(sqs, *numbered(5))
    assert taken(sqs) == [2, 3, 4]
    assert unsent == dict.fromkeys(range(2), "AccessDenied")


def test_json_is_a_message_that_reads_back_the_same(sqs: FakeSQS) -> None:
    value = {"text": f"{TEXT}\x00\x1f\x7f\x85\u2028\ufffe\uffff", "escape": r"\ufffe \uffff"}
    assert send(sqs, Message(queues.json_text(value))) == {}
    [message] = sqs.queues[QUEUE]
    assert json.loads(message["MessageBody"]) == value
    assert TEXT in message["MessageBody"]

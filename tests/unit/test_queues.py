"""Messages reach their queue in few calls, and what does not is known by its place."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from proofs.fakes.dynamodb import Call, FakeDynamoDB, refusal
from proofs.fakes.sqs import FakeSQS
from shared import queues
from shared.aws_errors import error_code
from shared.queues import Message
from tests.discovery import TEXT

if TYPE_CHECKING:
    from collections.abc import Callable

QUEUE, FIFO = "https://sqs/updated", "https://sqs/updated.fifo"


@pytest.fixture
def sqs() -> FakeSQS:
    return FakeSQS(FakeDynamoDB.with_tables())


def send(sqs: FakeSQS, *messages: Message, tries: int = 3, patient: bool = False) -> dict[int, str]:
    return queues.send(
        messages,
        queue_url=QUEUE,
        client=sqs,  # type: ignore[arg-type]
        tries=lambda: range(tries),
        patient=patient,
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


def test_what_is_never_taken_is_named_with_its_error_and_what_is_behind_it_is_not_tried(
    sqs: FakeSQS,
) -> None:
    sqs.refuse_next = [2, 2, 2]
    unsent = send(sqs, *numbered(33))
    assert unsent == dict.fromkeys(range(2), "InternalError") | dict.fromkeys(
        range(10, 33), "NotTried"
    )
    assert taken(sqs) == list(range(2, 10))
    assert len(sqs.dynamodb.calls) == 3


@pytest.mark.parametrize("patient", [True, False])
def test_what_is_the_sender_s_fault_is_not_sent_again_and_hinders_no_other(
    sqs: FakeSQS, *, patient: bool
) -> None:
    # GIVEN a queue that can never take the first two
    sqs.refuse_next, sqs.fault_of_sender = [2], True
    # WHEN
    unsent = send(sqs, *numbered(13), patient=patient)
    # THEN
    assert unsent == dict.fromkeys(range(2), "InvalidMessageContents")
    assert taken(sqs) == list(range(2, 13))
    assert [len(call.arguments["Entries"]) for call in sqs.dynamodb.calls] == [10, 3]


def test_what_is_the_sender_s_fault_stays_so_when_others_are_sent_again(sqs: FakeSQS) -> None:
    # GIVEN a queue that can never take the first, and the next two not now
    answers = [{0: True, 1: False, 2: False}, {1: False}]
    inner = sqs.send_message_batch

    def refuse(**arguments: Any) -> dict[str, Any]:
        faults = answers.pop(0) if answers else {}
        entries = arguments["Entries"]
        kept = [each for each in entries if int(each["Id"]) not in faults]
        answer = inner(**arguments | {"Entries": kept})
        codes = {True: "InvalidMessageContents", False: "InternalError"}
        answer["Failed"] = [
            {"Id": str(number), "SenderFault": is_own, "Code": codes[is_own]}
            for number, is_own in faults.items()
        ]
        return answer

    sqs.send_message_batch = refuse  # type: ignore[method-assign]
    # WHEN / THEN
    assert send(sqs, *numbered(5)) == {0: "InvalidMessageContents"}
    assert taken(sqs) == [3, 4, 2, 1]


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
def test_a_call_that_fails_leaves_its_batch_unsent_and_what_is_behind_it_untried(
    sqs: FakeSQS, error: Exception, code: str
) -> None:
    sqs.dynamodb.before = fails(error, calls=range(2, 3))
    unsent = send(sqs, *numbered(25))
    assert unsent == dict.fromkeys(range(10, 20), code) | dict.fromkeys(range(20, 25), "NotTried")
    assert taken(sqs) == [*range(10)]
    assert len(sqs.dynamodb.calls) == 2


PASSING = {
    "throttled": refusal("RequestThrottled", "SendMessageBatch"),
    "out of order": refusal("ServiceUnavailable", "SendMessageBatch", status=503),
    "out of reach": ConnectTimeoutError(endpoint_url=QUEUE),
    "no answer": ReadTimeoutError(endpoint_url=QUEUE),
}


@pytest.mark.parametrize("error", PASSING.values(), ids=PASSING.keys())
def test_whoever_is_patient_makes_a_call_again_that_may_succeed_later(
    sqs: FakeSQS, error: Exception
) -> None:
    # GIVEN a queue that is away for the second and third call
    sqs.dynamodb.before = fails(error, calls=range(2, 4))
    # WHEN / THEN
    assert send(sqs, *numbered(25), patient=True) == {}
    assert taken(sqs) == [*range(25)]
    assert len(sqs.dynamodb.calls) == 5


@pytest.mark.parametrize("error", PASSING.values(), ids=PASSING.keys())
def test_patience_has_an_end_and_what_is_behind_is_not_tried(
    sqs: FakeSQS, error: Exception
) -> None:
    sqs.dynamodb.before = fails(error, calls=range(2, 99))
    unsent = send(sqs, *numbered(25), patient=True)
    assert unsent == dict.fromkeys(range(10, 20), error_code(error)) | dict.fromkeys(
        range(20, 25), "NotTried"
    )
    assert taken(sqs) == [*range(10)]
    assert len(sqs.dynamodb.calls) == 1 + 3


def test_whole_calls_and_single_messages_share_the_tries_of_whoever_is_patient(
    sqs: FakeSQS,
) -> None:
    # GIVEN one call of each kind that fails, and a queue that takes all then
    sqs.refuse_next = [2]
    sqs.dynamodb.before = fails(PASSING["throttled"], calls=range(2, 3))
    # WHEN / THEN
    assert send(sqs, *numbered(5), patient=True) == {}
    assert sorted(taken(sqs)) == [0, 1, 2, 3, 4]
    assert [len(call.arguments["Entries"]) for call in sqs.dynamodb.calls] == [5, 2, 2]


def test_what_nobody_has_mended_is_not_tried_again_by_whoever_is_patient(sqs: FakeSQS) -> None:
    sqs.dynamodb.before = fails(refusal("AccessDenied", "SendMessageBatch"), calls=range(1, 99))
    unsent = send(sqs, *numbered(15), patient=True)
    assert unsent == dict.fromkeys(range(10), "AccessDenied") | dict.fromkeys(
        range(10, 15), "NotTried"
    )
    assert len(sqs.dynamodb.calls) == 1


def test_a_call_that_sqs_refuses_for_its_content_hinders_no_other(sqs: FakeSQS) -> None:
    messages = [*numbered(10), Message("10 \x00"), *numbered(25)[11:]]
    assert send(sqs, *messages) == dict.fromkeys(range(10, 20), "InvalidMessageContents")
    assert taken(sqs) == [*range(10), *range(20, 25)]


def test_a_message_has_a_group_and_what_it_is_known_by_only_for_a_fifo_queue(
    sqs: FakeSQS,
) -> None:
    # GIVEN
    arguments: dict[str, Any] = {"client": sqs, "tries": lambda: range(1)}
    # WHEN
    queues.send([Message("0", group="g", deduplication="d")], queue_url=FIFO, **arguments)
    queues.send([Message("0")], queue_url=QUEUE, **arguments)
    # THEN
    [grouped], [plain] = sqs.queues[FIFO], sqs.queues[QUEUE]
    assert (grouped["MessageGroupId"], grouped["MessageDeduplicationId"]) == ("g", "d")
    assert not {"MessageGroupId", "MessageDeduplicationId"} & plain.keys()


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

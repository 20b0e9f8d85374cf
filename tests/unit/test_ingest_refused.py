"""Records that the transformer refuses, and events that their queue does."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from ingest import transformer
from ingest.records import Record
from odyssey_cli.fuzz.hostile_json import BAD
from proofs.fakes.dynamodb import Call, refusal
from tests.ingest import QUEUE, REJECTS, STREAM, Ingest, buffer, fields, lines, put, results
from tests.unit.test_ingest_records import WRONG

if TYPE_CHECKING:
    import io
    from collections.abc import Callable

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
SECRET = {"password": "hunter2"}


def queued(ingest: Ingest) -> list[str]:
    return [each["MessageBody"] for each in ingest.sqs.queues.get(QUEUE, [])]


def causes(ingest: Ingest) -> dict[str, str]:
    """Return the cause of each reject, by record id."""
    return {record["recordId"]: texts["cause"] for record, texts in ingest.rejected}


def failing(error: Exception, *, calls: set[int], of: str = QUEUE) -> Callable[[Call], None]:
    """Fail the calls of these numbers, from 1, among those to a queue."""
    seen = 0

    def hook(call: Call) -> None:
        nonlocal seen
        seen += call.arguments["QueueUrl"] == of
        if call.arguments["QueueUrl"] == of and seen in calls:
            raise error

    return hook


@pytest.mark.parametrize(
    "value",
    [*BAD.values(), *(value for value, _ in WRONG.values())],
    ids=[*(f"body: {name}" for name in BAD), *WRONG],
)
def test_a_bad_record_is_rejected_as_it_came_and_its_neighbours_are_queued(
    ingest: Ingest, log_of: Callable[..., io.StringIO], value: object
) -> None:
    # WHEN
    log = log_of(transformer.logger)
    batch = buffer([fields(1), value, fields(3)])
    answers = ingest.transform(batch)
    # THEN
    assert results(answers) == ["Ok", "ProcessingFailed", "Ok"]
    assert answers[1].keys() == {"recordId", "result"}
    assert lines(answers) == queued(ingest)
    # AND the reject is the record, with its cause
    [(record, texts)] = ingest.rejected
    assert record == batch[1] | {"deliveryStreamArn": STREAM}
    assert texts["source"] == "transformer"
    assert texts["cause"].endswith(".")
    # AND the log has the cause beside the record's id
    [line] = [json.loads(line) for line in log.getvalue().splitlines() if '"rejected",' in line]
    assert (line["level"], line["record_id"]) == ("ERROR", "r2")
    assert json.dumps(line["cause"])[1:-1] == texts["cause"]


@pytest.mark.parametrize(
    "bad",
    [
        b"%s " % json.dumps(fields(data=SECRET)).encode() + b"\xff",
        json.dumps(fields(data=SECRET)).encode()[:-1],
        [fields(data=SECRET)],
        fields(data=SECRET, type=None),
        fields(data=SECRET | {"n": float("nan")}),
        fields(data=SECRET | {"text": "x" * 200_000}),
        fields(data=[SECRET]),
    ],
    ids=["not UTF-8", "not JSON", "array", "no type", "NaN", "too large", "data in a list"],
)
def test_the_log_of_a_reject_holds_no_payload(
    ingest: Ingest, log_of: Callable[..., io.StringIO], bad: object
) -> None:
    log = log_of(transformer.logger)
    assert results(ingest.transform([put(bad)])) == ["ProcessingFailed"]
    assert "hunter2" not in log.getvalue()
    assert base64.b64encode(b"hunter2")[:8].decode() not in log.getvalue()
    [(_, texts)] = ingest.rejected
    assert "hunter2" not in str(texts)


def test_a_reject_is_known_by_the_same_id_whenever_its_record_comes(ingest: Ingest) -> None:
    ingest.transform([put(b"{", "r1"), put(b"{", "r2")])
    ingest.transform([put(b"{", "r1")])
    first, other, again = (texts["event_id"] for _, texts in ingest.rejected)
    assert first == again != other


def test_a_reject_can_be_put_again_unchanged(ingest: Ingest) -> None:
    bad = "{ Åsa café 😀".encode("utf-16")
    ingest.transform([put(bad)])
    [(record, _)] = ingest.rejected
    assert base64.b64decode(record["data"]) == bad


def test_a_record_too_large_for_the_rejects_queue_goes_there_without_its_data(
    ingest: Ingest,
) -> None:
    # GIVEN the largest record that Firehose takes, and the largest of which all is kept
    whole = 700_000 // 4 * 3
    batch = [put(b"x" * 1_024_000, "r1"), put(b"x" * whole, "r2"), put(b"x" * (whole + 3), "r3")]
    # WHEN
    assert results(ingest.transform(batch)) == ["ProcessingFailed"] * 3
    # THEN
    found = {record["recordId"]: record for record, _ in ingest.rejected}
    assert found["r2"] == batch[1] | {"deliveryStreamArn": STREAM}
    for large in (batch[0], batch[2]):
        del large["data"]
        assert found[large["recordId"]] == large | {"deliveryStreamArn": STREAM}


def test_a_buffer_of_nothing_but_bad_records_is_rejected_whole(ingest: Ingest) -> None:
    assert results(ingest.transform(buffer([b"{"] * 25))) == ["ProcessingFailed"] * 25
    assert ingest.operations == ["SendMessageBatch"] * 3
    assert causes(ingest).keys() == {f"r{number}" for number in range(1, 26)}


def test_only_what_the_queue_refused_is_sent_again(ingest: Ingest) -> None:
    # GIVEN a queue that refuses three of ten, then one
    ingest.sqs.refuse_next = [3, 1]
    # WHEN
    answers = ingest.transform(buffer(fields(number) for number in range(1, 11)))
    # THEN
    assert results(answers) == ["Ok"] * 10
    assert sorted(lines(answers)) == sorted(queued(ingest))
    sizes = [len(call.arguments["Entries"]) for call in ingest.dynamodb.calls]
    assert sizes == [10, 3, 1]


def test_what_the_queue_refuses_to_the_end_is_not_fine(ingest: Ingest) -> None:
    # GIVEN a queue that never takes two of fifteen
    ingest.sqs.refuse_next = [2] * 12
    # WHEN
    answers = ingest.transform(buffer(fields(number) for number in range(1, 16)))
    # THEN it was tried for long enough, the others of its call are queued, and those behind it
    # were not tried
    assert results(answers) == (["ProcessingFailed"] * 2 + ["Ok"] * 8 + ["ProcessingFailed"] * 5)
    assert sorted(lines(answers)) == sorted(queued(ingest))
    sentence = "The queue did not take the event: {}."
    assert causes(ingest) == {
        **dict.fromkeys(["r1", "r2"], sentence.format("InternalError")),
        **{f"r{number}": sentence.format("NotTried") for number in range(11, 16)},
    }
    assert len(ingest.dynamodb.calls) == 12 + 1


def test_what_the_queue_can_never_take_is_not_fine_and_hinders_no_other(ingest: Ingest) -> None:
    # GIVEN a queue that refuses two of fifteen for what they are
    ingest.sqs.refuse_next, ingest.sqs.fault_of_sender = [2], True
    # WHEN
    answers = ingest.transform(buffer(fields(number) for number in range(1, 16)))
    # THEN they are tried once
    assert results(answers) == ["ProcessingFailed"] * 2 + ["Ok"] * 13
    assert sorted(lines(answers)) == sorted(queued(ingest))
    assert causes(ingest) == dict.fromkeys(
        ["r1", "r2"], "The queue did not take the event: InvalidMessageContents."
    )
    assert len(ingest.dynamodb.calls) == 2 + 1


PASSING = {
    "throttled": refusal("ThrottlingException", "SendMessageBatch"),
    "out of order": refusal("InternalError", "SendMessageBatch", status=500),
    "no answer": ReadTimeoutError(endpoint_url=QUEUE),
}


@pytest.mark.parametrize("url", [QUEUE, REJECTS], ids=["events", "rejects"])
@pytest.mark.parametrize("error", PASSING.values(), ids=PASSING.keys())
def test_a_queue_that_is_away_for_a_while_is_waited_for(
    ingest: Ingest, error: Exception, url: str
) -> None:
    # GIVEN a queue that comes back for the last try
    ingest.dynamodb.before = failing(error, calls=set(range(1, 12)), of=url)
    # WHEN
    answers = ingest.transform(buffer([fields(1), b"{", fields(3)]))
    # THEN
    assert results(answers) == ["Ok", "ProcessingFailed", "Ok"]
    assert lines(answers) == queued(ingest)
    assert causes(ingest).keys() == {"r2"}
    assert len(ingest.dynamodb.calls) == 12 + 1


def test_a_reject_has_the_id_by_which_its_producer_knows_it(ingest: Ingest) -> None:
    ingest.transform(buffer([fields(id="order-1", type=None), fields(id="a b"), b"{"]))
    first, *others = (texts["event_id"] for _, texts in ingest.rejected)
    assert first == "order-1"
    derived = [Record.of(put(b"", f"r{number}"), stream=STREAM).event_id for number in (2, 3)]
    assert others == derived


@pytest.mark.parametrize(
    ("error", "times"),
    [(refusal("AccessDenied", "SendMessageBatch"), 1), (ReadTimeoutError(endpoint_url=QUEUE), 12)],
    ids=["AccessDenied", "ReadTimeoutError"],
)
def test_when_the_third_send_fails_each_record_is_in_queue_and_lake_or_in_neither(
    ingest: Ingest, error: Exception, times: int
) -> None:
    # GIVEN five sends' worth of records
    ingest.dynamodb.before = failing(error, calls=set(range(3, 99)))
    # WHEN
    answers = ingest.transform(buffer(fields(number) for number in range(1, 51)))
    # THEN what was taken stays fine, and what is behind the failure is not tried
    assert results(answers) == ["Ok"] * 20 + ["ProcessingFailed"] * 30
    assert lines(answers) == queued(ingest)
    code = type(error).__name__ if isinstance(error, ReadTimeoutError) else "AccessDenied"
    sentence = "The queue did not take the event: {}."
    assert causes(ingest) == {
        **{f"r{number}": sentence.format(code) for number in range(21, 31)},
        **{f"r{number}": sentence.format("NotTried") for number in range(31, 51)},
    }
    calls = sum(call.arguments["QueueUrl"] == QUEUE for call in ingest.dynamodb.calls)
    assert calls == 2 + times


def test_a_record_that_the_queue_did_not_take_is_rejected_as_it_came(ingest: Ingest) -> None:
    ingest.dynamodb.before = failing(refusal("AccessDenied", "SendMessageBatch"), calls={1})
    ingest.transform([put(fields(1))])
    [(record, _)] = ingest.rejected
    assert record == put(fields(1)) | {"deliveryStreamArn": STREAM}


def test_an_answer_that_is_lost_once_is_asked_for_again_and_nothing_is_queued_twice(
    ingest: Ingest,
) -> None:
    ingest.dynamodb.after = failing(ReadTimeoutError(endpoint_url=QUEUE), calls={1})
    answers = ingest.transform(buffer([fields(1), fields(2)]))
    assert results(answers) == ["Ok"] * 2
    assert lines(answers) == queued(ingest)
    assert len(ingest.dynamodb.calls) == 2


def test_answers_that_are_lost_leave_events_in_the_queue_and_records_in_the_error_prefix(
    ingest: Ingest,
) -> None:
    error = ReadTimeoutError(endpoint_url=QUEUE)
    ingest.dynamodb.after = failing(error, calls=set(range(1, 13)))
    assert results(ingest.transform(buffer([fields(1), fields(2)]))) == ["ProcessingFailed"] * 2
    assert len(queued(ingest)) == 2
    assert causes(ingest).keys() == {"r1", "r2"}


@pytest.mark.parametrize("refused", ["some", "all"])
def test_when_a_record_cannot_be_rejected_the_invocation_fails(
    ingest: Ingest, refused: str
) -> None:
    # GIVEN a rejects queue that does not take everything
    if refused == "all":
        error = refusal("AccessDenied", "SendMessageBatch")
        ingest.dynamodb.before = failing(error, calls={1}, of=REJECTS)
        expected = "AccessDenied"
    else:
        ingest.sqs.refuse_next = [0, *[1] * 12]
        expected = "InternalError"
    # WHEN / THEN nobody would be told of it otherwise
    with pytest.raises(transformer.NotRejected, match=f"^{expected}$"):
        ingest.transform(buffer([fields(1), b"{", b"["]))
    # AND when Firehose invokes it again, all is well and nothing is queued twice
    assert results(ingest.transform(buffer([fields(1), b"{", b"["]))) == [
        "Ok",
        *["ProcessingFailed"] * 2,
    ]
    assert len(queued(ingest)) == 1
    assert causes(ingest).keys() == {"r2", "r3"}


def test_a_mistake_of_ours_fails_the_invocation(ingest: Ingest) -> None:
    ingest.dynamodb.before = failing(KeyError("a mistake"), calls={1})
    with pytest.raises(KeyError):
        ingest.transform([put(fields(1))])


def test_the_transformer_is_more_patient_than_others_but_ends_in_time() -> None:
    from ingest.transforming import patient  # noqa: PLC0415 - only here

    waited: list[float] = []
    tries: Any = patient
    assert list(tries(sleep=waited.append)) == list(range(1, 13))
    assert sum(waited) <= 15

"""What was sent is told truthfully: taken, sent again, refused, or unknown."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

from odyssey_cli.flows.ingest import generate
from odyssey_cli.flows.ingest.events import make
from odyssey_cli.flows.ingest.generate import Report, Stop, send
from odyssey_cli.flows.ingest.senders import Sent, ToQueue, ToStream
from proofs.fakes.dynamodb import FakeDynamoDB, refusal
from proofs.fakes.sqs import FakeSQS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pytest

    from odyssey_cli.flows.ingest.events import Event

LOST = ReadTimeoutError(endpoint_url="https://firehose")
URL = "https://sqs/events.fifo"


@dataclass
class FakeFirehose:
    """Takes records, but those that it is told to refuse, in turn.

    Attributes:
        steps: for each call, an error to raise, or the positions to refuse.
        calls: the records of each call.
    """

    steps: list[Exception | set[int]] = field(default_factory=list)
    calls: list[list[bytes]] = field(default_factory=list)

    def put_record_batch(
        self,
        *,
        DeliveryStreamName: str,  # noqa: N803 - boto3's names
        Records: list[dict[str, bytes]],  # noqa: N803
    ) -> dict[str, Any]:
        assert DeliveryStreamName == "stream"
        data = [record["Data"] for record in Records]
        assert 1 <= len(data) <= 500
        assert sum(map(len, data)) <= 4 * 1024 * 1024
        self.calls.append(data)
        step = self.steps.pop(0) if self.steps else set()
        if isinstance(step, Exception):
            raise step
        refused = {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}
        answers = [refused if n in step else {"RecordId": str(n)} for n in range(len(data))]
        return {"FailedPutCount": len(step), "RequestResponses": answers}


def events(count: int, size: int = 0) -> list[Event]:
    made = list(make("device", count, seed=1))
    for event in made:
        event.data["padding"] = "x" * size
    return made


def stream(*steps: Exception | set[int], tries: int = 3) -> tuple[FakeFirehose, ToStream]:
    fake = FakeFirehose(list(steps))
    return fake, ToStream("stream", fake, lambda: range(tries))  # type: ignore[arg-type]


def ids(records: Sequence[bytes]) -> list[str]:
    return [json.loads(record)["id"] for record in records]


def test_a_full_batch_is_one_call() -> None:
    fake, sender = stream()
    assert sender.send(events(500)) == Sent()
    assert [len(call) for call in fake.calls] == [500]


def test_no_call_is_larger_than_firehose_takes() -> None:
    fake, sender = stream()
    assert sender.send(events(60, size=100_000)) == Sent()
    assert [len(call) for call in fake.calls] == [41, 19]


def test_only_what_failed_is_put_again() -> None:
    # GIVEN
    fake, sender = stream({1, 3}, {1})
    made = events(5)
    # WHEN
    sent = sender.send(made)
    # THEN
    assert sent == Sent(retried=3)
    assert [ids(call) for call in fake.calls[1:]] == [
        [made[1].id, made[3].id],
        [made[3].id],
    ]


def test_what_is_never_taken_is_refused_with_the_error() -> None:
    _, sender = stream({0}, {0}, {0})
    assert sender.send(events(2)) == Sent(refused={0: "ServiceUnavailableException"}, retried=2)


def test_a_call_without_an_answer_is_tried_again_and_what_is_taken_then_is_known() -> None:
    fake, sender = stream(LOST)
    assert sender.send(events(2)) == Sent(retried=2)
    assert fake.calls[0] == fake.calls[1]


def test_what_never_got_an_answer_is_unknown_even_if_it_is_refused_later() -> None:
    _, sender = stream(LOST, LOST, {1})
    assert sender.send(events(2)) == Sent(unknown={1: "ReadTimeoutError"}, retried=4)


def test_where_no_request_got_through_nothing_was_taken() -> None:
    _, sender = stream(*[EndpointConnectionError(endpoint_url="https://firehose")] * 3)
    sent = sender.send(events(2))
    assert sent.unknown == {}
    assert sent.refused == dict.fromkeys(range(2), "EndpointConnectionError")


def test_what_nobody_may_do_is_not_tried_again() -> None:
    fake, sender = stream(refusal("AccessDeniedException", "PutRecordBatch"))
    sent = sender.send(events(2))
    assert sent == Sent(refused=dict.fromkeys(range(2), "AccessDeniedException"))
    assert len(fake.calls) == 1


def queue(*refused: int, error: Exception | None = None) -> tuple[FakeSQS, ToQueue]:
    dynamodb = FakeDynamoDB.with_tables()
    fake = FakeSQS(dynamodb, refuse_next=list(refused))
    if error is not None:

        def fail(_: object) -> None:
            raise error

        dynamodb.before = fail
    return fake, ToQueue(URL, fake, lambda: range(3))  # type: ignore[arg-type]


def test_messages_that_the_queue_refuses_are_sent_again_and_counted() -> None:
    # GIVEN
    fake, sender = queue(2)
    made = events(10)
    # WHEN
    sent = sender.send(made)
    # THEN
    assert sent == Sent(retried=2)
    bodies = {json.loads(each["MessageBody"])["id"] for each in fake.queues[URL]}
    assert bodies == {event.id for event in made}


def test_messages_that_are_never_taken_are_refused() -> None:
    _, sender = queue(1, 1, 1)
    assert sender.send(events(2)) == Sent(refused={0: "InternalError"}, retried=2)


def test_messages_whose_calls_got_no_answer_are_unknown() -> None:
    _, sender = queue(error=LOST)
    assert sender.send(events(2)).unknown == dict.fromkeys(range(2), "ReadTimeoutError")
    _, sender = queue(error=refusal("AccessDenied", "SendMessageBatch"))
    assert sender.send(events(2)) == Sent(refused=dict.fromkeys(range(2), "AccessDenied"))


@dataclass
class FakeSender:
    """Takes what it is told to.

    Attributes:
        most: how many events a call takes.
        answers: what became of each call's; by default all is taken.
        batches: the sizes of the calls.
        on_send: called before each.
    """

    most: int = 10
    answers: list[Sent] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    on_send: Callable[[], None] = lambda: None

    def send(self, events: Sequence[Event]) -> Sent:
        self.on_send()
        self.batches.append(len(events))
        return self.answers.pop(0) if self.answers else Sent()


def run(sender: FakeSender, count: int = 25, **options: Any) -> Report:
    return send(events(count), by=sender, wanted=count, **options)


def test_events_go_out_in_full_batches_and_the_report_tells_of_all() -> None:
    # GIVEN
    sender, seen, came = FakeSender(), [], []
    # WHEN
    report = run(sender, tell=lambda so_far: seen.append(so_far.made), taken=came.extend)
    # THEN
    assert sender.batches == [10, 10, 5]
    assert seen == [10, 20, 25]
    assert len({event.id for event in came}) == 25
    assert (report.made, report.accepted, report.is_accounted_for) == (25, 25, True)


def test_what_was_refused_or_is_unknown_is_counted_and_not_among_what_was_taken() -> None:
    # GIVEN
    sent = Sent(refused={0: "Throttled"}, unknown={1: "ReadTimeoutError"}, retried=3)
    sender, came = FakeSender(answers=[sent]), []
    # WHEN
    report = run(sender, 12, taken=came.extend)
    # THEN
    assert (report.made, report.accepted, report.retried) == (12, 10, 3)
    assert report.refused == {"Throttled": 1}
    assert report.unknown == {"ReadTimeoutError": 1}
    assert len(came) == 10
    assert not report.is_accounted_for


def test_it_gives_up_when_nothing_of_a_batch_is_taken() -> None:
    sender = FakeSender(answers=[Sent(), Sent(refused=dict.fromkeys(range(10), "Throttled"))])
    report = run(sender)
    assert sender.batches == [10, 10]
    assert (report.made, report.accepted, report.gave_up) == (20, 10, True)
    assert not report.is_accounted_for


def test_a_rate_is_kept_with_a_second_s_worth_in_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a clock that only sleep moves
    now = [0.0]
    monkeypatch.setattr(Stop, "sleep", lambda _, seconds: now.append(now[-1] + max(0, seconds)))
    sender = FakeSender()
    # WHEN
    report = run(sender, 12, rate=4, clock=lambda: now[-1])
    # THEN
    assert sender.batches == [4, 4, 4]
    assert report.seconds == 2


def test_whoever_asks_for_the_end_gets_it_after_the_call_in_hand() -> None:
    # GIVEN
    stop = Stop()
    sender = FakeSender(on_send=stop.request)
    # WHEN
    report = run(sender, stop=stop)
    # THEN what was made is all accounted for
    assert (report.made, report.accepted, report.interrupted) == (10, 10, True)
    assert report.is_accounted_for
    assert not report.is_complete


def test_whoever_cannot_wait_for_the_call_in_hand_does_not_know_what_became_of_it() -> None:
    # GIVEN somebody who asks twice while the second call is under way
    stop = Stop()
    sender = FakeSender()

    def ask() -> None:
        if sender.batches:
            stop.request()
            stop.request()

    sender.on_send = ask
    # WHEN
    report = run(sender, stop=stop)
    # THEN
    assert (report.made, report.accepted) == (20, 10)
    assert report.unknown == {"Interrupted": 10}
    assert report.interrupted
    assert not report.is_accounted_for


def test_asking_for_the_end_cuts_a_sleep_short(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Stop()
    slept: list[float] = []

    def nap(seconds: float) -> None:
        slept.append(seconds)
        stop.request()

    monkeypatch.setattr(generate.time, "sleep", nap)
    stop.sleep(60)
    assert len(slept) == 1
    assert slept[0] < 1

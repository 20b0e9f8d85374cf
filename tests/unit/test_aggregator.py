"""The stream's consumer, from a batch of records to the tables, the rejects and the answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from event_aggregator import aggregator, settings
from proofs.fakes.dynamodb import Call, FakeDynamoDB, cancellation, refusal
from proofs.fakes.sqs import FakeSQS
from shared import clients
from tests.builders import FakeContext, stored_event, stream_batch

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator

Item = dict[str, Any]
QUEUE = "https://sqs/rejects"


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDynamoDB]:
    client = FakeDynamoDB.with_tables("processed", "summaries")
    monkeypatch.setattr(clients, "dynamodb", lambda: client)
    monkeypatch.setenv("PROCESSED_TABLE", "processed")
    monkeypatch.setenv("SUMMARIES_TABLE", "summaries")
    monkeypatch.setenv("REJECTS_QUEUE", QUEUE)
    settings.aggregator.cache_clear()
    yield client
    settings.aggregator.cache_clear()


@pytest.fixture
def sqs(dynamodb: FakeDynamoDB, monkeypatch: pytest.MonkeyPatch) -> FakeSQS:
    client = FakeSQS(dynamodb)
    monkeypatch.setattr(clients, "sqs", lambda: client)
    return client


def handle(*items: Item) -> list[int]:
    """Return the places, from 1, of the items that are to come again."""
    batch = stream_batch(items)
    places = {r["dynamodb"]["SequenceNumber"]: place for place, r in enumerate(batch["Records"], 1)}
    answer = aggregator.handler(batch, FakeContext())
    assert set(answer) == {"batchItemFailures"}
    # Lambda takes an identifier that it did not give as the failure of all.
    return [places[failure["itemIdentifier"]] for failure in answer["batchItemFailures"]]


def counts(client: FakeDynamoDB) -> dict[int, int]:
    summaries = client.tables["summaries"]
    return {int(key, 16): int(item["item_count"]["N"]) for key, item in summaries.items()}


def rejected(sqs: FakeSQS) -> list[Item]:
    """Return the rejected records, as they are in the queue."""
    return [json.loads(message["MessageBody"]) for message in sqs.queues.get(QUEUE, [])]


def without(name: str) -> Item:
    return {key: value for key, value in stored_event(1).items() if key != name}


IMPOSSIBLE: dict[str, Item] = {
    **{f"no {name}": without(name) for name in ("group", "group_label", "received_at")},
    "a group that is no hash": {**stored_event(1), "group": {"S": "g"}},
    "a group longer than a key": {**stored_event(1), "group": {"S": "a" * 2_049}},
    "a group that is a number": {**stored_event(1), "group": {"N": "1"}},
    "an empty label": {**stored_event(1), "group_label": {"S": ""}},
    "a time of another form": {**stored_event(1), "received_at": {"S": "2026-11-21"}},
    "a time in another zone": {
        **stored_event(1),
        "received_at": {"S": "2026-11-21T12:00:00+01:00"},
    },
    "a time in no calendar": stored_event(1)
    | {"received_at": {"S": "2026-99-21T12:00:00.000000Z"}},
    "an id of another form": {**stored_event(1), "id": {"S": "1"}},
    "a text that SQS does not take": {**without("group"), "data": {"S": "\uffff\x00 Åsa 😀"}},
}


def test_every_record_of_a_batch_is_counted(dynamodb: FakeDynamoDB, sqs: FakeSQS) -> None:
    assert handle(*[stored_event(number) for number in range(10)]) == []
    assert counts(dynamodb) == {0: 10}


def test_a_batch_that_comes_again_changes_nothing(dynamodb: FakeDynamoDB, sqs: FakeSQS) -> None:
    for _ in range(3):
        assert handle(stored_event(1), stored_event(2, group=1)) == []
    assert counts(dynamodb) == {0: 1, 1: 1}


@pytest.mark.parametrize("item", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_a_record_that_can_never_count_is_rejected_and_stops_no_other(
    dynamodb: FakeDynamoDB, sqs: FakeSQS, item: Item
) -> None:
    # WHEN
    failed = handle(stored_event(8), item, stored_event(9))
    # THEN the record is in the queue as it came, with its cause
    assert failed == []
    assert counts(dynamodb) == {0: 2}
    [message] = sqs.queues[QUEUE]
    assert json.loads(message["MessageBody"])["dynamodb"]["NewImage"] == item
    attributes = {
        name: value["StringValue"] for name, value in message["MessageAttributes"].items()
    }
    assert attributes["cause"].endswith(".")
    assert attributes["source"] == "function"
    assert attributes["event_id"] == json.dumps(item["id"]["S"])[1:-1]


def test_a_record_without_a_new_item_is_rejected(dynamodb: FakeDynamoDB, sqs: FakeSQS) -> None:
    batch = stream_batch([stored_event(1)])
    del batch["Records"][0]["dynamodb"]["NewImage"]
    aggregator.handler(batch, FakeContext())
    assert len(rejected(sqs)) == 1


def test_a_record_that_can_never_count_in_a_batch_that_does_not_have_to_wait_is_sent_once(
    dynamodb: FakeDynamoDB, sqs: FakeSQS
) -> None:
    # GIVEN rejects before and after an event whose group conflicts
    batch = [without("group"), stored_event(8, group=1), without("group_label"), stored_event(9)]
    dynamodb.before = refuse_group(1)
    # WHEN the stream resumes at the first failure
    [first, *_] = failed = handle(*batch)
    dynamodb.before = lambda _call: None
    assert handle(*batch[first - 1 :]) == []
    # THEN
    assert failed == [2]
    assert len(rejected(sqs)) == 2
    assert counts(dynamodb) == {0: 1, 1: 1}


def refuse_group(group: int) -> Callable[[Call], None]:
    """Cancel whatever would count into `group`, for a reason that stays."""

    def hook(call: Call) -> None:
        verdicts = [
            "ValidationError"
            if action.get("Update", {}).get("Key") == {"id": {"S": f"{group:064x}"}}
            else "None"
            for action in call.arguments.get("TransactItems", [])
        ]
        if "ValidationError" in verdicts:
            raise cancellation(verdicts)

    return hook


def test_what_cannot_count_now_comes_again_and_the_rest_has_counted(
    dynamodb: FakeDynamoDB, sqs: FakeSQS
) -> None:
    dynamodb.before = refuse_group(1)
    failed = handle(*[stored_event(number, group=number % 2) for number in range(6)])
    assert failed == [2, 4, 6]
    assert counts(dynamodb) == {0: 3}


def test_rejects_that_the_queue_does_not_take_come_again(
    dynamodb: FakeDynamoDB, sqs: FakeSQS, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.uniform", lambda _low, _high: 0)
    sqs.refuse_next = [2] * 100
    batch = [stored_event(8), without("group"), without("group_label"), without("received_at")]
    assert handle(*batch) == [2, 3]
    assert counts(dynamodb) == {0: 1}


@pytest.mark.parametrize("operation", ["BatchGetItem", "TransactWriteItems"])
def test_when_dynamodb_refuses_the_whole_batch_comes_again(
    dynamodb: FakeDynamoDB, sqs: FakeSQS, operation: str
) -> None:
    # GIVEN
    def refuse(call: Call) -> None:
        if call.operation == operation:
            raise refusal("AccessDeniedException", operation)

    dynamodb.before = refuse
    batch = [without("group"), stored_event(8), stored_event(9)]
    # WHEN it comes, and after the mend comes again from its first failure on
    [first, *_] = failed = handle(*batch)
    dynamodb.before = lambda _call: None
    handle(*batch[first - 1 :])
    # THEN
    assert failed == [2, 3]
    assert counts(dynamodb) == {0: 2}
    assert len(rejected(sqs)) == 1


def test_when_the_rejects_queue_refuses_the_record_comes_again_and_the_log_says_why(
    dynamodb: FakeDynamoDB, sqs: FakeSQS, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(call: Call) -> None:
        if call.operation == "SendMessageBatch":
            raise refusal("AccessDenied", call.operation)

    dynamodb.before = refuse
    failed = handle(stored_event(8), without("group"))
    assert failed == [2]
    assert counts(dynamodb) == {0: 1}
    [logged] = [record for record in caplog.records if record.message == "failed"]
    assert vars(logged)["causes"] == {"AccessDenied": 1}


def test_what_happened_is_metrics(
    dynamodb: FakeDynamoDB, sqs: FakeSQS, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN
    handle(stored_event(1))
    capsys.readouterr()
    dynamodb.before = refuse_group(1)
    # WHEN
    handle(without("group"), stored_event(1), stored_event(2), stored_event(3, group=1))
    # THEN
    [metrics] = [
        json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line
    ]
    assert {name: value for name, value in metrics.items() if name.startswith("Events")} == {
        "EventsCounted": [1.0],
        "EventsAlreadyCounted": [1.0],
        "EventsFailed": [1.0],
        "EventsRejected": [1.0],
    }


def test_no_log_line_holds_an_event(
    dynamodb: FakeDynamoDB, sqs: FakeSQS, log_of: Callable[..., io.StringIO]
) -> None:
    log = log_of(aggregator.logger)
    dynamodb.before = refuse_group(1)
    handle(without("group"), stored_event(1), stored_event(2, group=1))
    assert "ValidationError" in log.getvalue()
    assert "hunter2" not in log.getvalue()


def test_a_batch_with_nothing_to_reject_asks_no_queue(
    dynamodb: FakeDynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_client() -> None:
        raise AssertionError("a client costs a tenth of a second at the first use")

    monkeypatch.setattr(clients, "sqs", no_client)
    assert handle(stored_event(1)) == []

"""The updater, from a batch of messages to the items, the announcements and the answer."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from discovery import settings, updater
from proofs.fakes.dynamodb import Call, FakeDynamoDB, refusal
from proofs.fakes.sqs import FakeSQS
from shared import clients, times
from shared.environment import MissingVariable
from tests.builders import FakeContext
from tests.discovery import NOON, NOON_TEXT, TEXT, item, item_id, record, records, updated, uploaded

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
UPDATED, REJECTS = "https://sqs/updated", "https://sqs/rejects"
VARIABLES = {"ITEMS_TABLE": "items", "UPDATED_QUEUE": UPDATED, "REJECTS_QUEUE": REJECTS}


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDynamoDB]:
    """Ten items that were uploaded."""
    client = FakeDynamoDB({"items": {item_id(n): item(n) for n in range(1, 11)}})
    monkeypatch.setattr(clients, "dynamodb", lambda: client)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(times, "now", lambda: NOON)
    # No jitter, no wait.
    monkeypatch.setattr("random.uniform", lambda _low, _high: 0)
    settings.updater.cache_clear()
    yield client
    settings.updater.cache_clear()


@pytest.fixture
def sqs(dynamodb: FakeDynamoDB, monkeypatch: pytest.MonkeyPatch) -> FakeSQS:
    client = FakeSQS(dynamodb)
    monkeypatch.setattr(clients, "sqs", lambda: client)
    return client


def handle(*bodies: str) -> list[int]:
    """Return the places, from 1, of the messages that are to come again."""
    return handle_records(records(bodies))


def handle_records(batch: list[dict[str, Any]]) -> list[int]:
    answer = updater.handler({"Records": batch}, FakeContext(function_name="updater"))
    assert set(answer) == {"batchItemFailures"}
    failed = [each["itemIdentifier"] for each in answer["batchItemFailures"]]
    assert len(failed) == len(set(failed))
    places = {each["messageId"]: place for place, each in enumerate(batch, 1)}
    # Lambda takes an identifier that it did not give as the failure of all.
    return sorted(places[each] for each in failed)


def versions(dynamodb: FakeDynamoDB) -> list[int]:
    return [int(each["version"]["N"]) for each in dynamodb.tables["items"].values()]


def announced(sqs: FakeSQS) -> Counter[str]:
    """Return how often each item was announced."""
    bodies = [json.loads(each["MessageBody"]) for each in sqs.queues.get(UPDATED, [])]
    return Counter(body["data"]["id"] for body in bodies)


def rejected(sqs: FakeSQS) -> dict[str, str]:
    """Return the causes of what was rejected, by the bodies."""
    return {
        json.loads(each["MessageBody"])["body"]: each["MessageAttributes"]["cause"]["StringValue"]
        for each in sqs.queues.get(REJECTS, [])
    }


def refuses(
    operation: str, error: Exception, *, times: int = 1_000, of: str = ""
) -> Callable[[Call], None]:
    """Fail the next calls of an operation whose arguments contain `of`."""
    left = times

    def hook(call: Call) -> None:
        nonlocal left
        if call.operation == operation and of in str(call.arguments) and left:
            left -= 1
            raise error

    return hook


def changed(body: str, **data: Any) -> str:
    value = json.loads(body)
    return json.dumps(value | {"data": value["data"] | data})


def test_every_message_of_a_batch_moves_its_item_on_and_announces_it(
    dynamodb: FakeDynamoDB, sqs: FakeSQS
) -> None:
    assert handle(*[uploaded(n) for n in range(1, 11)]) == []
    for number in range(1, 11):
        # All else of the item stays as it was.
        assert dynamodb.tables["items"][item_id(number)] == item(number, version=2)
    assert announced(sqs) == Counter(item_id(n) for n in range(1, 11))


def test_ten_announcements_take_one_call(dynamodb: FakeDynamoDB, sqs: FakeSQS) -> None:
    handle(*[uploaded(n) for n in range(1, 11)])
    calls = Counter(call.operation for call in dynamodb.calls)
    assert calls == {"UpdateItem": 10, "SendMessageBatch": 1}


def test_an_announcement_is_that_of_the_new_version_at_the_time_of_the_update(
    dynamodb: FakeDynamoDB, sqs: FakeSQS
) -> None:
    handle(uploaded(1))
    [message] = sqs.queues[UPDATED]
    assert message["MessageBody"] == updated(1)


def test_text_survives_byte_for_byte(dynamodb: FakeDynamoDB, sqs: FakeSQS) -> None:
    body = json.loads(uploaded(1)) | {"correlationid": TEXT}
    handle(json.dumps(body))
    [message] = sqs.queues[UPDATED]
    assert TEXT.encode() in message["MessageBody"].encode()
    assert dynamodb.tables["items"][item_id(1)]["model"] == {"S": TEXT}


def test_fields_are_read_by_name_whatever_their_order(dynamodb: FakeDynamoDB, sqs: FakeSQS) -> None:
    body = json.loads(uploaded(1))
    body["data"] = dict(reversed(body["data"].items()))
    assert handle(json.dumps(dict(reversed(body.items())))) == []
    assert versions(dynamodb) == [2, *[1] * 9]


MALFORMED = {
    "no JSON": ("{", "not JSON"),
    "JSON in a text": (json.dumps(uploaded(5)), "not a JSON object"),
    "another type": (updated(5), "type is"),
    "no version": (changed(uploaded(5), version=None), "'version'"),
    "an id that is no UUID": (changed(uploaded(5), id="../5"), "'id'"),
    "an item that does not exist": (uploaded(77), f"no item {item_id(77)}"),
    "a version the item has not reached": (uploaded(5, 2), "has version 1, not 2"),
}


@pytest.mark.parametrize(("bad", "cause"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_bad_message_of_ten_is_rejected_with_its_cause_and_nine_succeed(
    dynamodb: FakeDynamoDB, sqs: FakeSQS, bad: str, cause: str
) -> None:
    # WHEN the fifth of ten is bad
    before = {**dynamodb.tables["items"]}
    assert handle(*[bad if n == 5 else uploaded(n) for n in range(1, 11)]) == []
    # THEN it is in the rejects queue as it came, and no item is made or changed for it
    [message] = sqs.queues[REJECTS]
    assert json.loads(message["MessageBody"]) == record("m5", bad)
    texts = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert cause in texts.pop("cause")
    assert texts == {"source": "updater", "event_id": "m5"}
    assert dynamodb.tables["items"].keys() == before.keys()
    assert dynamodb.tables["items"][item_id(5)] == before[item_id(5)]
    # AND the others are moved on and announced
    assert versions(dynamodb).count(2) == 9
    assert announced(sqs) == Counter(item_id(n) for n in range(1, 11) if n != 5)


def test_an_item_without_version_or_time_is_not_touched(
    dynamodb: FakeDynamoDB, sqs: FakeSQS
) -> None:
    items = dynamodb.tables["items"]
    del items[item_id(1)]["version"]
    items[item_id(2)] |= {"version": {"N": "3"}, "updated_at": {"S": "yesterday"}}
    items[item_id(3)] |= {"version": {"S": "1"}}
    before = {key: {**value} for key, value in items.items()}
    assert handle(uploaded(1), uploaded(2), uploaded(3)) == []
    assert items == before
    assert all("has no 'version' or no 'updated_at'" in cause for cause in rejected(sqs).values())
    assert len(rejected(sqs)) == 3


def test_a_message_that_comes_again_is_announced_again_and_updates_nothing(
    dynamodb: FakeDynamoDB, sqs: FakeSQS, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an item that was moved on at noon
    handle(uploaded(1))
    before = dict(dynamodb.tables["items"][item_id(1)])
    # WHEN its message comes again, an hour later
    monkeypatch.setattr(times, "now", lambda: NOON.replace(hour=13))
    assert handle(uploaded(1)) == []
    # THEN the same is announced, and nothing has changed
    assert dynamodb.tables["items"][item_id(1)] == before
    assert before["updated_at"] == {"S": NOON_TEXT}
    assert [each["MessageBody"] for each in sqs.queues[UPDATED]] == [updated(1)] * 2


def test_a_late_message_announces_the_version_that_the_item_has(
    dynamodb: FakeDynamoDB, sqs: FakeSQS
) -> None:
    dynamodb.tables["items"][item_id(1)] = item(1, version=4)
    assert handle(uploaded(1)) == []
    assert versions(dynamodb)[0] == 4
    assert [each["MessageBody"] for each in sqs.queues[UPDATED]] == [updated(1, 4)]


def test_messages_of_one_item_in_a_batch_are_announced_once(
    dynamodb: FakeDynamoDB, sqs: FakeSQS
) -> None:
    assert handle(uploaded(1), uploaded(2), uploaded(1), uploaded(1)) == []
    assert versions(dynamodb)[:3] == [2, 2, 1]
    assert announced(sqs) == Counter([item_id(1), item_id(2)])


def test_messages_of_one_item_come_again_together_if_it_was_not_announced(
    dynamodb: FakeDynamoDB, sqs: FakeSQS
) -> None:
    sqs.refuse_next = [1] * 8
    assert handle(uploaded(1), uploaded(2), uploaded(1)) == [1, 3]
    assert announced(sqs) == Counter([item_id(2)])


def test_only_what_was_never_announced_comes_again(dynamodb: FakeDynamoDB, sqs: FakeSQS) -> None:
    # GIVEN a queue that never takes two of five
    sqs.refuse_next = [2] * 8
    # WHEN
    failed = handle(*[uploaded(n) for n in range(1, 6)])
    # THEN
    assert failed == [1, 2]
    assert announced(sqs) == Counter(item_id(n) for n in (3, 4, 5))
    # AND redelivery announces them
    assert handle(uploaded(1), uploaded(2)) == []
    assert announced(sqs) == Counter(item_id(n) for n in range(1, 6))
    assert versions(dynamodb) == [2] * 5 + [1] * 5


@pytest.mark.parametrize(
    "error", [refusal("AccessDenied", "SendMessageBatch"), ReadTimeoutError(endpoint_url=UPDATED)]
)
def test_when_nothing_can_be_announced_all_good_messages_come_again(
    dynamodb: FakeDynamoDB, sqs: FakeSQS, error: Exception
) -> None:
    dynamodb.before = refuses("SendMessageBatch", error, of=UPDATED)
    assert handle(uploaded(1), "{", uploaded(2)) == [1, 3]
    assert list(rejected(sqs)) == ["{"]
    dynamodb.before = lambda _call: None
    assert handle(uploaded(1), uploaded(2)) == []
    assert announced(sqs) == Counter([item_id(1), item_id(2)])


def test_when_dynamodb_gives_no_answer_the_rest_of_the_batch_is_not_tried(
    dynamodb: FakeDynamoDB, sqs: FakeSQS, caplog: pytest.LogCaptureFixture
) -> None:
    # GIVEN a DynamoDB that gives no answer for the third item
    silence = ReadTimeoutError(endpoint_url="https://dynamodb")
    dynamodb.before = refuses("UpdateItem", silence, of=item_id(3))
    # WHEN
    failed = handle(*[uploaded(n) for n in range(1, 11)])
    # THEN what was done is announced, and of the rest nothing was asked
    assert failed == list(range(3, 11))
    assert announced(sqs) == Counter([item_id(1), item_id(2)])
    assert versions(dynamodb) == [2, 2, *[1] * 8]
    assert [call.operation for call in dynamodb.calls].count("UpdateItem") == 3
    assert causes(caplog) == {"ReadTimeoutError": 1, "NotTried": 7}


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException"])
def test_when_dynamodb_refuses_one_update_only_that_message_comes_again(
    dynamodb: FakeDynamoDB, sqs: FakeSQS, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    dynamodb.before = refuses("UpdateItem", refusal(code, "UpdateItem"), of=item_id(3))
    assert handle(*[uploaded(n) for n in range(1, 6)]) == [3]
    assert announced(sqs) == Counter(item_id(n) for n in (1, 2, 4, 5))
    assert causes(caplog) == {code: 1}


def test_an_update_whose_answer_is_lost_is_announced_when_its_message_comes_again(
    dynamodb: FakeDynamoDB, sqs: FakeSQS
) -> None:
    silence = ReadTimeoutError(endpoint_url="https://dynamodb")
    dynamodb.after = refuses("UpdateItem", silence, times=1)
    assert handle(uploaded(1)) == [1]
    assert handle(uploaded(1)) == []
    assert versions(dynamodb)[0] == 2
    assert announced(sqs) == Counter([item_id(1)])


def test_when_the_rejects_queue_refuses_only_that_message_comes_again(
    dynamodb: FakeDynamoDB, sqs: FakeSQS, caplog: pytest.LogCaptureFixture
) -> None:
    error = refusal("AccessDenied", "SendMessageBatch")
    dynamodb.before = refuses("SendMessageBatch", error, of=REJECTS)
    assert handle(uploaded(1), "{", uploaded(2)) == [2]
    assert announced(sqs) == Counter([item_id(1), item_id(2)])
    assert causes(caplog) == {"AccessDenied": 1}


def test_what_failed_for_different_reasons_all_comes_again(
    dynamodb: FakeDynamoDB, sqs: FakeSQS, caplog: pytest.LogCaptureFixture
) -> None:
    # GIVEN an update that is refused, and both queues out of reach
    def refuse(call: Call) -> None:
        if call.operation == "SendMessageBatch" or item_id(3) in str(call.arguments):
            raise refusal("AccessDenied", call.operation)

    dynamodb.before = refuse
    # WHEN / THEN
    assert handle(uploaded(1), "{", uploaded(3), uploaded(2)) == [1, 2, 3, 4]
    assert causes(caplog) == {"AccessDenied": 4}


def test_a_mistake_of_ours_fails_the_invocation(dynamodb: FakeDynamoDB, sqs: FakeSQS) -> None:
    dynamodb.before = refuses("UpdateItem", KeyError("a mistake"))
    with pytest.raises(KeyError):
        handle(uploaded(1))


def causes(caplog: pytest.LogCaptureFixture) -> dict[str, int]:
    """Return how many messages failed of which cause, as the log has it."""
    [logged] = [each for each in caplog.records if each.message == "failed"]
    found: dict[str, int] = vars(logged)["causes"]
    return found


def test_what_happened_is_metrics(
    dynamodb: FakeDynamoDB, sqs: FakeSQS, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN
    handle(uploaded(1))
    capsys.readouterr()
    refused = refusal("ThrottlingException", "UpdateItem")
    dynamodb.before = refuses("UpdateItem", refused, of=item_id(4))
    # WHEN
    handle(uploaded(1), uploaded(2), uploaded(3), uploaded(4), "{", "[")
    # THEN
    [metrics] = [
        json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line
    ]
    counted = ("Items", "Messages")
    assert {name: value for name, value in metrics.items() if name.startswith(counted)} == {
        "ItemsUpdated": [2.0],
        "ItemsAlreadyUpdated": [1.0],
        "MessagesFailed": [1.0],
        "MessagesRejected": [2.0],
    }


def test_the_log_names_correlation_ids_and_holds_no_payload(
    dynamodb: FakeDynamoDB, sqs: FakeSQS, log_of: Callable[..., io.StringIO]
) -> None:
    log = log_of(updater.logger)
    handle(changed(uploaded(1), secret="hunter2"), '{"hunter2": ', uploaded(99))
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    [processed] = [line for line in lines if line["message"] == "processed"]
    assert processed["correlation_ids"] == [item_id(1), item_id(99)]
    assert processed["counts"]["MessagesRejected"] == 2
    assert "hunter2" not in log.getvalue()


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_that_the_stack_forgot_is_named(
    dynamodb: FakeDynamoDB, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(MissingVariable, match=name):
        handle(uploaded(1))

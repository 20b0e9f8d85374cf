"""What cannot be stored now comes again, with all that is behind it in its group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from proofs.fakes.dynamodb import Call, cancellation, refusal
from proofs.fakes.faults import cancel_next
from shared import strict_json
from tests.ingest import REJECTS, Ingest, envelope, event, messages, sent

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
TRIES = 8
# Messages of a batch by group: a is 1, 4, 7 and 10, b is 2, 5 and 8, c is 3, 6 and 9.
GROUPS = "abcabcabca"


def batch() -> list[dict[str, Any]]:
    return [
        sent(envelope(n, subject=f"s{n}"), f"m{n}", group=group)
        for n, group in enumerate(GROUPS, 1)
    ]


def _reasons(call: Call, reasons: dict[str, str]) -> list[dict[str, Any]]:
    """Return the reason of each action of a transaction, by the id of its event.

    What is in the way is the event itself.
    """
    items = [each["Put"]["Item"] for each in call.arguments["TransactItems"]]
    codes = [reasons.get(item["event"]["M"]["id"]["S"], "None") for item in items]
    return [
        {"Code": code, "Item": item} if code == "ConditionalCheckFailed" else {"Code": code}
        for code, item in zip(codes, items, strict=True)
    ]


def refusing(places: Collection[int], reason: str = "ValidationError") -> Callable[[Call], None]:
    """Cancel transactions because of the items of these messages."""
    reasons = {f"e{place}": reason for place in places}

    def hook(call: Call) -> None:
        if call.operation == "TransactWriteItems":
            found = _reasons(call, reasons)
            if {each["Code"] for each in found} != {"None"}:
                raise cancellation(found)

    return hook


def stored(ingest: Ingest) -> list[int]:
    return sorted(int(item["event"]["M"]["id"]["S"][1:]) for item in ingest.items)


def causes(caplog: pytest.LogCaptureFixture) -> dict[str, int]:
    """Return how many messages failed of which cause, as the log has it."""
    [logged] = [each for each in caplog.records if each.message == "failed"]
    found: dict[str, int] = vars(logged)["causes"]
    return found


@pytest.mark.parametrize(
    "reason", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]
)
def test_what_passes_is_tried_again_until_it_is_stored(ingest: Ingest, reason: str) -> None:
    ingest.dynamodb.before = cancel_next(TRIES - 1, reason)
    assert ingest.store(batch()) == []
    assert stored(ingest) == list(range(1, 11))
    assert ingest.operations == ["TransactWriteItems"] * TRIES


def test_it_waits_between_tries_longer_and_longer(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The jitter is a part of the longest wait.
    longest: list[float] = []

    def no_wait(_low: float, high: float) -> float:
        longest.append(high)
        return 0

    monkeypatch.setattr("random.uniform", no_wait)
    ingest.dynamodb.before = cancel_next(4)
    assert ingest.store(batch()) == []
    assert longest == sorted(set(longest))
    assert len(longest) == 4


@pytest.mark.parametrize("reason", ["TransactionConflict", "ThrottlingError"])
def test_what_does_not_pass_in_time_comes_again_whole(
    ingest: Ingest, caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    ingest.dynamodb.before = cancel_next(TRIES, reason)
    assert ingest.store(batch()) == list(range(1, 11))
    assert stored(ingest) == []
    assert causes(caplog) == {"Contended": 10}
    # AND then it is stored
    assert ingest.store(batch()) == []
    assert stored(ingest) == list(range(1, 11))


@pytest.mark.parametrize(
    "error",
    [
        refusal("AccessDeniedException", "TransactWriteItems"),
        refusal("ThrottlingException", "TransactWriteItems"),
        ReadTimeoutError(endpoint_url="https://dynamodb"),
    ],
    ids=["AccessDeniedException", "ThrottlingException", "ReadTimeoutError"],
)
def test_a_call_that_fails_makes_all_come_again(
    ingest: Ingest, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def fail(_call: Call) -> None:
        raise error

    ingest.dynamodb.before = fail
    assert ingest.store(batch()) == list(range(1, 11))
    assert ingest.operations == ["TransactWriteItems"]
    assert list(causes(caplog).values()) == [10]


@pytest.mark.parametrize(
    ("refused", "again", "kept"),
    [
        ({1}, [1, 4, 7, 10], [2, 3, 5, 6, 8, 9]),
        ({4}, [4, 7, 10], [1, 2, 3, 5, 6, 8, 9]),
        ({10}, [10], list(range(1, 10))),
        ({4, 10}, [4, 7, 10], [1, 2, 3, 5, 6, 8, 9]),
        ({5, 7}, [5, 7, 8, 10], [1, 2, 3, 4, 6, 9]),
        ({1, 2, 3}, list(range(1, 11)), []),
    ],
)
def test_a_refused_item_takes_along_what_is_behind_it_in_its_group_and_nothing_else(
    ingest: Ingest, refused: set[int], again: list[int], kept: list[int]
) -> None:
    # WHEN
    ingest.dynamodb.before = refusing(refused)
    assert ingest.store(batch()) == again
    # THEN
    assert stored(ingest) == kept
    # AND once the cause is mended all are stored
    ingest.dynamodb.before = lambda _call: None
    assert ingest.store([batch()[place - 1] for place in again]) == []
    assert stored(ingest) == list(range(1, 11))


def test_what_is_behind_a_refused_item_but_stored_already_is_done(ingest: Ingest) -> None:
    # GIVEN
    ingest.store([batch()[6]])
    # WHEN a transaction tells of both
    both = {"e7": "ConditionalCheckFailed", "e4": "ValidationError"}

    def refuse_once(call: Call) -> None:
        if call.number == 2:
            raise cancellation(_reasons(call, both))

    ingest.dynamodb.before = refuse_once
    again = ingest.store(batch())
    # THEN
    assert again == [4, 10]
    assert stored(ingest) == [1, 2, 3, 5, 6, 7, 8, 9]


def test_a_refusal_is_told_by_its_reason(ingest: Ingest, caplog: pytest.LogCaptureFixture) -> None:
    ingest.dynamodb.before = refusing({4, 8}, "ItemCollectionSizeLimitExceeded")
    assert ingest.store(batch()) == [4, 7, 8, 10]
    assert causes(caplog) == {"ItemCollectionSizeLimitExceeded": 4}


def test_a_conflict_after_a_refusal_loses_nothing(ingest: Ingest) -> None:
    # GIVEN a refused item, and one that another transaction holds to the end
    refuse, conflict = refusing({4}), refusing({2}, "TransactionConflict")

    def hook(call: Call) -> None:
        refuse(call)
        conflict(call)

    ingest.dynamodb.before = hook
    # WHEN / THEN
    assert sorted(ingest.store(batch())) == list(range(1, 11))
    assert stored(ingest) == []


def test_an_answer_that_is_lost_stores_nothing_twice(ingest: Ingest) -> None:
    def lose(_call: Call) -> None:
        raise ReadTimeoutError(endpoint_url="https://dynamodb")

    ingest.dynamodb.after = lose
    assert ingest.store(batch()) == list(range(1, 11))
    ingest.dynamodb.after = lambda _call: None
    before = [dict(item) for item in ingest.items]
    assert ingest.store(batch()) == []
    assert ingest.items == before
    assert stored(ingest) == list(range(1, 11))


def test_both_messages_of_one_event_come_again_if_it_is_not_stored(ingest: Ingest) -> None:
    ingest.dynamodb.before = refusing({1})
    twins = messages([envelope(1), envelope(2), envelope(1)])
    assert ingest.store(twins) == [1, 3]
    assert stored(ingest) == [2]


def test_what_could_not_be_rejected_comes_again_and_the_events_around_it_do_not(
    ingest: Ingest, caplog: pytest.LogCaptureFixture
) -> None:
    # GIVEN a rejects queue that does not answer
    def refuse(call: Call) -> None:
        if call.arguments.get("QueueUrl") == REJECTS:
            raise refusal("AccessDenied", call.operation)

    ingest.dynamodb.before = refuse
    records = batch()
    records[3] = sent("{", "m4", group="a")
    # WHEN / THEN
    assert ingest.store(records) == [4]
    assert stored(ingest) == [1, 2, 3, *range(5, 11)]
    assert causes(caplog) == {"AccessDenied": 1}
    # AND it is rejected later
    ingest.dynamodb.before = lambda _call: None
    assert ingest.store([records[3]]) == []
    assert [record["messageId"] for record, _ in ingest.rejected] == ["m4"]


def test_a_reject_is_sent_though_nothing_could_be_stored(ingest: Ingest) -> None:
    def refuse(call: Call) -> None:
        if call.operation == "TransactWriteItems":
            raise refusal("AccessDeniedException", call.operation)

    ingest.dynamodb.before = refuse
    assert ingest.store([sent(envelope(1), "m1"), sent("{", "m2", group="g")]) == [1]
    assert [record["messageId"] for record, _ in ingest.rejected] == ["m2"]


def test_ten_of_the_largest_events_are_written_once_each_however_often_they_are_tried(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN ten events of 200,000 bytes, and a table that takes them at the last moment
    room = 200_000 - len(event(1, data={"text": ""}).text)
    large = [envelope(n, type="device", data={"text": "x" * room}) for n in range(10)]
    records = messages(large)
    written: list[str] = []
    inner = strict_json.to_attribute

    def counted(value: Any) -> dict[str, Any]:
        # It calls itself for what is inside.
        if isinstance(value, dict) and "specversion" in value:
            written.append(value["id"])
        return inner(value)

    monkeypatch.setattr(strict_json, "to_attribute", counted)
    ingest.dynamodb.before = cancel_next(TRIES - 1)
    # WHEN
    assert ingest.store(records) == []
    # THEN
    assert len(ingest.operations) == TRIES
    assert sorted(written) == [f"e{number}" for number in range(10)]
    # AND what is tried again is the very same
    first, *again = (call.arguments for call in ingest.dynamodb.calls)
    assert all(each == first for each in again)


def test_an_event_whose_place_another_has_hinders_nothing_behind_it(ingest: Ingest) -> None:
    # GIVEN
    ingest.store([batch()[3]])
    records = batch()
    records[3] = sent(envelope(4, subject="s4", source="/elsewhere"), "m4", group="a")
    # WHEN the transaction that is left meets another one, too
    ingest.dynamodb.before = cancel_next_at(ingest, 3)
    # THEN
    assert ingest.store(records) == []
    assert stored(ingest) == list(range(1, 11))
    assert [record["messageId"] for record, _ in ingest.rejected] == ["m4"]


def test_of_two_events_for_one_place_the_one_that_stays_behind_does_not_take_the_other_s_name(
    ingest: Ingest,
) -> None:
    # GIVEN an event that is refused, behind it in its group one, and in another group another for
    # the same place
    records = [
        sent(envelope(1), "m1", group="a"),
        sent(envelope(2, data={"of": "a"}), "m2", group="a"),
        sent(envelope(2, data={"of": "b"}), "m3", group="b"),
    ]
    # WHEN
    ingest.dynamodb.before = refusing([1])
    assert ingest.store(records) == [1, 2]
    # THEN what was counted as stored is what is there
    [item] = ingest.items
    assert item["event"]["M"]["data"] == {"M": {"of": {"S": "b"}}}
    # AND the other one is rejected when it comes again
    ingest.dynamodb.before = lambda _call: None
    assert ingest.store(records[:2]) == []
    assert [record["messageId"] for record, _ in ingest.rejected] == ["m2"]


def cancel_next_at(ingest: Ingest, number: int) -> Callable[[Call], None]:
    """Cancel one transaction, that of call `number`."""
    cancel = cancel_next(1)

    def hook(call: Call) -> None:
        if len(ingest.dynamodb.calls) == number:
            cancel(call)

    return hook


def test_an_event_whose_place_another_has_comes_again_while_it_cannot_be_rejected(
    ingest: Ingest,
) -> None:
    # GIVEN
    def refuse(call: Call) -> None:
        if call.arguments.get("QueueUrl") == REJECTS:
            raise refusal("AccessDenied", call.operation)

    records = messages([envelope(1), envelope(2), envelope(1, data={"n": 2})])
    ingest.dynamodb.before = refuse
    assert ingest.store(records) == [3]
    # WHEN
    ingest.dynamodb.before = lambda _call: None
    assert ingest.store(records[2:]) == []
    # THEN
    assert stored(ingest) == [1, 2]
    assert [record for record, _ in ingest.rejected] == [records[2]]


def test_a_mistake_of_ours_fails_the_invocation(ingest: Ingest) -> None:
    def fail(_call: Call) -> None:
        raise KeyError("a mistake")

    ingest.dynamodb.before = fail
    with pytest.raises(KeyError):
        ingest.store(batch())

"""The engine under every handler that takes effect once, with effects as simple as can be."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from proofs.fakes.dynamodb import Call, FakeDynamoDB, cancellation, refusal
from proofs.fakes.faults import cancel_next
from shared.exactly_once import ExactlyOnce, Markers, Result
from shared.transactions import Contended
from tests.ingest import NOON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef


@dataclass(frozen=True)
class Hit:
    """An event that adds one to each of the items `keys`."""

    id: str
    keys: tuple[str, ...] = ("a",)
    bytes: int = 0


@dataclass
class Counting:
    """Effects that count; those on items whose name begins with `_` are none."""

    taken: list[str] = field(default_factory=list)
    reads: list[set[str]] = field(default_factory=list)
    error: Exception | None = None

    def keys(self, event: Hit) -> tuple[str, ...]:
        return event.keys

    def read(self, keys: set[str]) -> None:
        self.reads.append(set(keys))
        if self.error:
            raise self.error

    def action(self, key: str, members: Sequence[Hit]) -> TransactWriteItemTypeDef | None:
        if key.startswith("_"):
            return None
        return {
            "Update": {
                "TableName": "items",
                "Key": {"id": {"S": key}},
                "UpdateExpression": "ADD hits :n",
                "ExpressionAttributeValues": {":n": {"N": str(len(members))}},
            }
        }

    def took_effect(self, key: str, members: Sequence[Hit]) -> None:
        self.taken += [f"{key} {each.id}" for each in members]


@pytest.fixture
def client() -> FakeDynamoDB:
    return FakeDynamoDB.with_tables("markers", "items")


def apply(
    events: Iterable[Hit],
    client: FakeDynamoDB,
    *,
    effects: Counting | None = None,
    size: Callable[[Hit], int] | None = None,
) -> Result[Hit]:
    markers = Markers("markers", NOON, 7)
    sized: dict[str, Any] = {"size": size} if size else {}
    return ExactlyOnce(
        marker=lambda event: markers.put(event.id),
        effects=effects or Counting(),
        client=client,  # type: ignore[arg-type]
        tries=lambda: range(3),
        **sized,
    ).apply(events)


def hits(client: FakeDynamoDB) -> dict[str, int]:
    return {key: int(item["hits"]["N"]) for key, item in client.tables["items"].items()}


def sizes(client: FakeDynamoDB) -> list[int]:
    """Return the number of actions of each transaction."""
    return [len(call.arguments["TransactItems"]) for call in client.calls]


def test_events_and_items_are_as_many_actions(client: FakeDynamoDB) -> None:
    result = apply([Hit(str(n), ("a", f"b{n % 2}")) for n in range(10)], client)
    assert hits(client) == {"a": 10, "b0": 5, "b1": 5}
    assert sizes(client) == [13]
    assert (result.counted, result.already, result.failed) == (10, 0, {})


def test_what_no_longer_depends_on_its_item_leaves_only_its_marker(client: FakeDynamoDB) -> None:
    effects = Counting()
    assert apply([Hit("1", ("_a",)), Hit("2", ("_a", "b"))], client, effects=effects).counted == 2
    assert sizes(client) == [3]
    assert hits(client) == {"b": 1}
    assert effects.taken == ["b 2"]


@pytest.mark.parametrize("number", [1, 99, 100, 198, 250])
def test_no_transaction_has_more_than_a_hundred_actions(client: FakeDynamoDB, number: int) -> None:
    apply([Hit(str(n)) for n in range(number)], client)
    assert hits(client) == {"a": number}
    assert sizes(client) == [100] * (number // 99) + [number % 99 + 1] * (number % 99 > 0)


def test_transactions_are_as_large_as_dynamodb_takes(client: FakeDynamoDB) -> None:
    # GIVEN events of half a megabyte, of which eight are 4 MB
    events = [Hit(str(n), (f"k{n}",), 500_000) for n in range(20)]
    # WHEN
    assert apply(events, client, size=lambda event: event.bytes).counted == 20
    # THEN
    assert sizes(client) == [16, 16, 8]


def test_an_event_that_is_too_large_for_any_transaction_is_tried_alone(
    client: FakeDynamoDB,
) -> None:
    events = [Hit("1"), Hit("2", bytes=9_000_000), Hit("3")]
    assert apply(events, client, size=lambda event: event.bytes).counted == 3
    assert sizes(client) == [2, 2, 2]


def test_a_marker_says_until_when_it_is_kept(client: FakeDynamoDB) -> None:
    put = Markers("markers", NOON, 7).put("e1", kind="k")
    assert put["Put"]["Item"] == {
        "id": {"S": "e1"},
        "kind": {"S": "k"},
        "expires_at": {"N": str(int(NOON.timestamp()) + 7 * 86_400)},
    }


def test_what_comes_again_changes_nothing(client: FakeDynamoDB) -> None:
    events = [Hit(str(n), (f"k{n % 7}",)) for n in range(150)]
    apply(events[::3], client)
    result = apply(events, client)
    assert sum(hits(client).values()) == 150
    assert (result.counted, result.already) == (100, 50)
    again = apply(events, client)
    assert (again.counted, again.already) == (0, 150)
    assert sum(hits(client).values()) == 150


def test_items_are_read_once_and_again_when_a_condition_on_them_failed(
    client: FakeDynamoDB,
) -> None:
    # GIVEN
    effects = Counting()
    client.before = cancel_next(1, "ConditionalCheckFailed")
    # WHEN
    apply([Hit("1", ("a", "b"))], client, effects=effects)
    # THEN
    assert effects.reads == [{"a", "b"}] * 2
    assert hits(client) == {"a": 1, "b": 1}


def test_an_event_fails_for_what_its_own_item_is_refused_for(client: FakeDynamoDB) -> None:
    def refuse(call: Call) -> None:
        reasons = [
            "ValidationError" if each.get("Update", {}).get("Key") == {"id": {"S": "b"}} else "None"
            for each in call.arguments["TransactItems"]
        ]
        if "ValidationError" in reasons:
            raise cancellation(reasons)

    client.before = refuse
    events = [Hit("1"), Hit("2", ("a", "b")), Hit("3", ("b",)), Hit("4")]
    result = apply(events, client)
    assert result.failed == dict.fromkeys(events[1:3], "ValidationError")
    assert hits(client) == {"a": 2}


def test_what_is_behind_a_call_without_answer_is_not_tried(client: FakeDynamoDB) -> None:
    client.before = cancel_next(3)
    events = [Hit(str(n)) for n in range(150)]
    result = apply(events, client)
    assert set(result.failed.values()) == {"Contended", "NotTried"}
    assert result.failed.keys() == {*events}
    assert len(client.calls) == 3


def test_what_is_behind_a_call_that_dynamodb_refused_is_tried(client: FakeDynamoDB) -> None:
    def refuse(call: Call) -> None:
        if call.number == 1:
            raise refusal("AccessDeniedException", call.operation)

    client.before = refuse
    result = apply([Hit(str(n)) for n in range(150)], client)
    assert list(result.failed.values()) == ["AccessDeniedException"] * 99
    assert hits(client) == {"a": 51}


@pytest.mark.parametrize(
    ("error", "cause"),
    [(Contended("x"), "Contended"), (refusal("AccessDenied", "x"), "AccessDenied")],
    ids=["Contended", "AccessDenied"],
)
def test_when_items_cannot_be_read_nothing_takes_effect(
    client: FakeDynamoDB, error: Exception, cause: str
) -> None:
    result = apply([Hit("1"), Hit("2")], client, effects=Counting(error=error))
    assert list(result.failed.values()) == [cause] * 2
    assert client.calls == []


def test_generated_events_with_failures_take_effect_once(client: FakeDynamoDB, seed: int) -> None:
    for round_seed in range(seed, seed + 10):
        generator = random.Random(round_seed)  # noqa: S311
        client.tables = {"markers": {}, "items": {}}
        events = [
            Hit(str(n), tuple({f"k{generator.randrange(40)}" for _ in range(2)}))
            for n in range(generator.randint(1, 200))
        ]

        def sometimes(call: Call, generator: random.Random = generator) -> None:
            if generator.random() < 0.2:
                reasons = ["None"] * len(call.arguments["TransactItems"])
                reasons[generator.randrange(len(reasons))] = "TransactionConflict"
                raise generator.choice([cancellation(reasons), refusal("Throttling", "x")])

        client.before = sometimes
        left = events
        for _ in range(100):
            left = list(apply(left, client).failed)
            if not left:
                break
        assert not left, f"round seed {round_seed}"
        expected = {key: 0 for event in events for key in event.keys}
        for event in events:
            for key in event.keys:
                expected[key] += 1
        assert hits(client) == expected, f"round seed {round_seed}"

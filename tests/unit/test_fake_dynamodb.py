"""The fake tells the truth: the same calls have the same outcome there and on moto."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from proofs.fakes import faults
from proofs.fakes.dynamodb import FakeDynamoDB, refusal
from proofs.fakes.expressions import UnknownExpressionError, holds, updated
from tests.unit.aws import Aws, make_table

if TYPE_CHECKING:
    from collections.abc import Callable

# A real client or the fake.
Client = Any
Json = Any
NEW = "attribute_not_exists(id)"
WIDENS = "attribute_not_exists(id) OR (first_seen >= :first AND last_seen <= :last)"


@pytest.fixture(params=["fake", "moto"])
def client(request: pytest.FixtureRequest) -> Client:
    """Two empty tables, `one` and `other`."""
    if request.param == "fake":
        return FakeDynamoDB.with_tables("one", "other")
    aws: Aws = request.getfixturevalue("aws")
    return _Renamed(aws.client, {name: make_table(aws.client) for name in ("one", "other")})


class _Renamed:
    """moto's client, whose tables have other names."""

    def __init__(self, client: Client, names: dict[str, str]) -> None:
        self._client, self._names = client, names
        self.exceptions = client.exceptions

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**arguments: Json) -> Json:
            answer = getattr(self._client, operation)(**self._rename(arguments))
            return _replace(answer, {new: old for old, new in self._names.items()})

        return call

    def _rename(self, arguments: Json) -> Json:
        return _replace(arguments, self._names)


def _replace(value: Json, names: dict[str, str]) -> Json:
    if isinstance(value, dict):
        return {names.get(name, name): _replace(item, names) for name, item in value.items()}
    if isinstance(value, list):
        return [_replace(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def item(id: str, **attributes: str | int) -> dict[str, Any]:
    return {
        "id": {"S": id},
        **{
            name: {"N": str(value)} if isinstance(value, int) else {"S": value}
            for name, value in attributes.items()
        },
    }


def put(
    table: str, id: str, condition: str | None = NEW, **attributes: str | int
) -> dict[str, Any]:
    action = {"TableName": table, "Item": item(id, **attributes)}
    return {"Put": {**action, **({"ConditionExpression": condition} if condition else {})}}


def widen(id: str, first: str, last: str, by: int = 1) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": "one",
            "Key": item(id),
            "UpdateExpression": "ADD n :n SET first_seen = :first, last_seen = :last",
            "ConditionExpression": WIDENS,
            "ExpressionAttributeValues": {
                ":n": {"N": str(by)},
                ":first": {"S": first},
                ":last": {"S": last},
            },
        }
    }


def read(
    client: Client, *ids: str, table: str = "one", names: str = "id, n, first_seen, last_seen"
) -> list[Any]:
    keys = [item(each) for each in ids]
    request = {"Keys": keys, "ConsistentRead": True, "ProjectionExpression": names}
    answer = client.batch_get_item(RequestItems={table: request})
    assert answer["UnprocessedKeys"] == {}
    return sorted(answer["Responses"][table], key=lambda found: str(found["id"]["S"]))


def reasons(client: Client, *actions: dict[str, Any]) -> list[str]:
    with pytest.raises(client.exceptions.TransactionCanceledException) as cancelled:
        client.transact_write_items(TransactItems=list(actions))
    assert isinstance(cancelled.value, ClientError)
    response: Any = cancelled.value.response
    assert response["Error"]["Code"] == "TransactionCanceledException"
    return [reason["Code"] for reason in response["CancellationReasons"]]


def test_a_conditional_put_stores_once_and_returns_what_is_there(client: Client) -> None:
    # GIVEN
    client.put_item(TableName="one", Item=item("a", n=1), ConditionExpression=NEW)
    # WHEN
    with pytest.raises(client.exceptions.ConditionalCheckFailedException) as failed:
        client.put_item(
            TableName="one",
            Item=item("a", n=2),
            ConditionExpression=NEW,
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    # THEN
    assert failed.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert failed.value.response["Item"] == item("a", n=1)
    assert read(client, "a") == [item("a", n=1)]


def test_a_put_without_condition_replaces(client: Client) -> None:
    client.put_item(TableName="one", Item=item("a", n=1, first_seen="x"))
    client.put_item(TableName="one", Item=item("a", n=2))
    assert read(client, "a") == [item("a", n=2)]


def test_a_transaction_takes_effect_in_all_its_tables(client: Client) -> None:
    client.transact_write_items(
        TransactItems=[put("other", "m1", n=9), put("other", "m2", None), widen("g", "b", "c", 2)]
    )
    assert read(client, "m1", "m2", table="other") == [item("m1", n=9), item("m2")]
    assert read(client, "g") == [item("g", n=2, first_seen="b", last_seen="c")]


def test_a_cancelled_transaction_takes_no_effect_and_says_which_action_failed(
    client: Client,
) -> None:
    # GIVEN
    client.transact_write_items(TransactItems=[put("other", "m1"), widen("g", "b", "c")])
    # WHEN
    found = reasons(client, put("other", "m2"), put("other", "m1"), widen("g", "c", "c"))
    # THEN
    assert found == ["None", "ConditionalCheckFailed", "ConditionalCheckFailed"]
    assert read(client, "m2", table="other") == []
    assert read(client, "g") == [item("g", n=1, first_seen="b", last_seen="c")]


@pytest.mark.parametrize(
    ("first", "last", "widened"),
    [("b", "d", True), ("a", "d", True), ("b", "e", True), ("c", "d", False), ("b", "c", False)],
)
def test_an_update_adds_and_sets_where_its_condition_holds(
    client: Client,
    first: str,
    last: str,
    *,
    widened: bool,
) -> None:
    # GIVEN
    client.transact_write_items(TransactItems=[widen("g", "b", "d", 5)])
    # WHEN
    update = widen("g", first, last, 2)
    if widened:
        client.transact_write_items(TransactItems=[update])
    else:
        assert reasons(client, update) == ["ConditionalCheckFailed"]
    # THEN
    after = (
        item("g", n=7, first_seen=first, last_seen=last)
        if widened
        else item("g", n=5, first_seen="b", last_seen="d")
    )
    assert read(client, "g") == [after]


@pytest.mark.parametrize(
    "actions",
    [
        [put("one", f"{number:03}") for number in range(101)],
        [put("one", "a"), put("one", "a")],
        [put("one", "a"), widen("a", "b", "c")],
    ],
    ids=["101 actions", "an item twice", "an item put and updated"],
)
def test_a_transaction_beyond_the_rules_is_invalid(client: Client, actions: list[Any]) -> None:
    with pytest.raises(ClientError):
        client.transact_write_items(TransactItems=actions)
    assert read(client, "000", "a") == []


def test_a_hundred_actions_are_one_transaction(client: Client) -> None:
    client.transact_write_items(TransactItems=[put("one", f"{n:03}") for n in range(100)])
    assert len(read(client, *[f"{n:03}" for n in range(100)])) == 100


def test_a_batch_read_finds_what_is_there_and_projects(client: Client) -> None:
    client.put_item(TableName="one", Item=item("a", n=1, first_seen="x", last_seen="y"))
    assert read(client, "a", "missing", names="id, first_seen") == [item("a", first_seen="x")]


@pytest.mark.parametrize("ids", [["a", "a"], [f"{n:03}" for n in range(101)], []])
def test_a_batch_read_beyond_the_rules_is_invalid(client: Client, ids: list[str]) -> None:
    with pytest.raises((ClientError, ParamValidationError)):
        read(client, *ids)


@pytest.mark.parametrize(
    "expression",
    ["", "id", "begins_with(id, :n)", "n = :n x", "(n = :n", "n ! :n", "NOT n = :n"],
)
def test_the_fake_refuses_a_condition_it_does_not_know(expression: str) -> None:
    with pytest.raises((UnknownExpressionError, KeyError)):
        holds(expression, item("a", n=1), {":n": {"N": "1"}})


@pytest.mark.parametrize("expression", ["n = :n", "SET n = n + :n", "REMOVE n", "ADD n", "SET n"])
def test_the_fake_refuses_an_update_it_does_not_know(expression: str) -> None:
    with pytest.raises((UnknownExpressionError, KeyError, ValueError)):
        updated(expression, item("a", n=1), {":n": {"N": "1"}})


def test_the_fake_leaves_keys_unprocessed_when_told() -> None:
    client = FakeDynamoDB.with_tables("one")
    client.leave_unprocessed = [1]
    request = {"Keys": [item("a"), item("b")], "ProjectionExpression": "id"}
    answer = client.batch_get_item(RequestItems={"one": request})
    assert answer["UnprocessedKeys"] == {"one": {**request, "Keys": [item("b")]}}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_happens_on_the_side_of_the_effect_it_should(when: str) -> None:
    client = FakeDynamoDB.with_tables("one")
    setattr(client, when, faults.crash_at(1))
    with pytest.raises(faults.Crash):
        client.put_item(TableName="one", Item=item("a"))
    assert ("a" in client.tables["one"]) == (when == "after")


def test_a_throttle_leaves_no_effect() -> None:
    client = FakeDynamoDB.with_tables("one")

    def throttle(_call: object) -> None:
        raise refusal("ThrottlingException", "PutItem")

    client.before = throttle
    with pytest.raises(ClientError, match="ThrottlingException"):
        client.put_item(TableName="one", Item=item("a"))
    assert client.tables["one"] == {}

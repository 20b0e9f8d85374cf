"""The record of IAM's decisions is complete, and says so when it is not."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from local_cloud import decisions
from local_cloud.decisions import PATH, Kind, Record, with_decisions

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_cloud.ground import Hook
    from local_cloud.transport import Message, Receive, Scope, Send

ROLE, ACTION = "role/Storer", "dynamodb:PutItem"
TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/Events"


def kept(record: Record) -> list[tuple[str, bool, int]]:
    return [
        (each["resource"], each["allowed"], each["count"]) for each in record.as_json()["decisions"]
    ]


def note(record: Record, *, resource: str = TABLE, allowed: bool = True) -> None:
    record.note(Kind(ROLE, ACTION, resource, allowed, "call"))


def test_decisions_that_are_alike_are_one_with_a_count() -> None:
    record = Record()
    for allowed in (True, True, False, True):
        note(record, allowed=allowed)
    assert kept(record) == [(TABLE, True, 3), (TABLE, False, 1)]
    assert record.as_json()["left_off"] == 0


def test_a_record_that_is_full_says_how_many_it_left_off() -> None:
    record = Record(most=2)
    for number in (1, 2, 3, 3, 1):
        note(record, resource=f"{TABLE}{number}")
    assert kept(record) == [(f"{TABLE}1", True, 2), (f"{TABLE}2", True, 1)]
    assert record.as_json()["left_off"] == 2


def test_what_the_resources_policy_refuses_was_not_allowed() -> None:
    record = Record()
    note(record)
    record.taken_back(Kind(ROLE, ACTION, TABLE, allowed=True, through="call"))
    assert kept(record) == [(TABLE, False, 1)]


def test_only_one_of_the_decisions_that_are_alike_is_taken_back() -> None:
    record = Record()
    for _ in range(3):
        note(record)
    record.taken_back(Kind(ROLE, ACTION, TABLE, allowed=True, through="call"))
    assert kept(record) == [(TABLE, True, 2), (TABLE, False, 1)]


def test_a_record_can_begin_anew() -> None:
    record = Record(most=1)
    note(record)
    note(record, resource="other")
    told = record.begun_anew()
    assert (len(told["decisions"]), told["left_off"]) == (1, 1)
    assert record.as_json() == {"decisions": [], "left_off": 0}


@dataclass
class Context:
    """What the evaluator is asked with."""

    principal_arn: str = "arn:aws:sts::000000000000:assumed-role/Storer/Ingest-Function"
    principal_account: str = "000000000000"
    action: str = ACTION
    resource_arn: str = TABLE
    service_context: dict[str, Any] = field(default_factory=dict)


@dataclass
class Result:
    decision: str


class Scoped(dict[str, Any]):
    """A store of MiniStack's."""

    def get_scoped(self, _account: str, _region: None, name: str) -> Any:
        return self.get(name)


class Evaluator:
    """MiniStack's evaluator, which evaluates a resource's policy with the same function."""

    def __init__(self) -> None:
        self.identity, self.resource = "Allow", "Allow"
        self.stores = {
            "_roles": Scoped(Storer={"AttachedPolicies": ["arn:of:a-policy"]}),
            "_users": Scoped(anna={"AttachedPolicies": ["arn:own"]}),
            "_groups": Scoped(People={"Users": ["anna"], "AttachedPolicies": ["arn:of:group"]}),
        }
        self.evaluate: Callable[..., Result] = lambda _ctx, policies, *_: Result(policies)
        self.of_resource: Callable[..., Result] = lambda _doc, ctx, *_: self.evaluate(
            ctx, self.resource
        )
        self.combine: Callable[..., Result] = lambda _identity, ctx, *_: self.of_resource("", ctx)

    def enforce(self, context: Context) -> Result:
        return self.combine(self.evaluate(context, self.identity), context)


@pytest.fixture
def evaluator(monkeypatch: pytest.MonkeyPatch) -> Evaluator:
    """An evaluator that the record listens to."""
    listened = Evaluator()
    names = {
        decisions._EVALUATE: "evaluate",
        decisions._OF_RESOURCE: "of_resource",
        decisions._COMBINE: "combine",
    }

    def replace(hook: Hook, make: Callable[[Any], Any]) -> None:
        setattr(listened, names[hook], make(getattr(listened, names[hook])))

    monkeypatch.setattr("local_cloud.ground.Hook.replace", replace)
    monkeypatch.setattr(decisions, "find", lambda hook: listened.stores[hook.name])
    monkeypatch.setattr(decisions, "_record", Record())
    decisions.install()
    return listened


def recorded() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = decisions._record.as_json()["decisions"]
    return found


def test_a_sessions_decision_is_its_roles_with_the_policies_it_had(evaluator: Evaluator) -> None:
    assert evaluator.enforce(Context()).decision == "Allow"
    [found] = recorded()
    assert (found["principal"], found["allowed"], found["through"]) == (ROLE, True, "call")
    assert found["policies"] == ("arn:of:a-policy",)


def test_a_users_decision_has_the_policies_of_the_groups_too(evaluator: Evaluator) -> None:
    evaluator.enforce(Context(principal_arn="arn:aws:iam::000000000000:user/staff/anna"))
    [found] = recorded()
    assert found["principal"] == "user/anna"
    assert (found["policies"], found["groups"]) == (("arn:own", "arn:of:group"), ("People",))


def test_what_only_the_resource_allows_shows_no_permission_of_the_role(
    evaluator: Evaluator,
) -> None:
    evaluator.identity = "ImplicitDeny"
    assert evaluator.enforce(Context()).decision == "Allow"
    assert [each["allowed"] for each in recorded()] == [False]


def test_what_the_resource_denies_shows_none_either(evaluator: Evaluator) -> None:
    evaluator.resource = "Deny"
    assert evaluator.enforce(Context()).decision == "Deny"
    assert [each["allowed"] for each in recorded()] == [False]


def test_with_another_policy_a_decision_is_another(evaluator: Evaluator) -> None:
    # GIVEN a role that does the same twice, and has got another policy in between
    evaluator.enforce(Context())
    evaluator.stores["_roles"]["Storer"] = {"AttachedPolicies": ["arn:of:another"]}
    evaluator.enforce(Context())
    evaluator.enforce(Context())
    # WHEN the record is read
    found = [(each["policies"], each["count"]) for each in recorded()]
    # THEN it has each policy with the decisions of its time
    assert found == [(("arn:of:a-policy",), 1), (("arn:of:another",), 2)]


def test_what_is_taken_back_is_what_was_noted(evaluator: Evaluator) -> None:
    # GIVEN a policy of the resource's that refuses, and a role that loses its own meanwhile
    evaluator.resource = "Deny"
    combine = evaluator.combine

    def losing(identity: Result, context: Context) -> Result:
        evaluator.stores["_roles"]["Storer"] = {"AttachedPolicies": []}
        return combine(identity, context)

    evaluator.combine = losing
    # WHEN the role calls
    evaluator.enforce(Context())
    # THEN nothing counts as allowed
    assert [(each["allowed"], each["policies"]) for each in recorded()] == [
        (False, ("arn:of:a-policy",))
    ]


def test_what_a_service_does_in_its_own_name_is_recorded_as_its_own(evaluator: Evaluator) -> None:
    evaluator.of_resource("policy", Context(action="sqs:SendMessage"), "sns.amazonaws.com")
    [found] = recorded()
    assert (found["principal"], found["through"]) == ("sns.amazonaws.com", "resource policy")


def test_the_way_is_what_the_context_says(evaluator: Evaluator) -> None:
    evaluator.enforce(Context(service_context={decisions.THROUGH: "event source mapping"}))
    assert [each["through"] for each in recorded()] == ["event source mapping"]


def ask(method: str, *, path: str = PATH, headers: tuple[bytes, ...] = (b"x-odyssey",)) -> Any:
    sent: list[Message] = []

    async def service(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"body": b'"the service"'})

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(name, b"1") for name in headers],
    }
    asyncio.run(with_decisions(service)(scope, None, send))  # type: ignore[arg-type]
    return json.loads(sent[-1]["body"])


def test_the_record_is_told_over_http_and_forgotten_on_request(evaluator: Evaluator) -> None:
    evaluator.enforce(Context())
    assert [each["action"] for each in ask("GET")["decisions"]] == [ACTION]
    assert len(ask("DELETE")["decisions"]) == 1
    assert ask("GET")["decisions"] == []


@pytest.mark.parametrize("elsewhere", [{"path": "/bucket"}, {"headers": ()}])
def test_everything_else_reaches_the_service(elsewhere: dict[str, Any]) -> None:
    assert ask("GET", **elsewhere) == "the service"

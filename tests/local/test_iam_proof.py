"""`./odyssey iam prove` on one flow, of which two steps are driven: what is used is recorded, what
is not is said to be unneeded, and one used action of each role is really taken away.

What all steps of all flows use is compared in `test_demo.py`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner

from odyssey_cli.commands import iam
from odyssey_cli.demo import event_aggregator
from odyssey_cli.errors import OdysseyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typer.testing import Result

STACK = "EventAggregator"
# Together they need something of every role.
STEPS = [
    "a single event is counted, its text byte for byte",
    "unsigned and unpermitted requests are refused",
]
COUNTED, REFUSED = STEPS


@pytest.fixture(scope="module")
def ran() -> Iterator[Result]:
    """The whole proof, both ways, on a cloud of its own."""
    app = typer.Typer()
    iam.register(app)
    steps = [each for each in event_aggregator.STEPS if each[0] in STEPS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_aggregator, "STEPS", steps)
        yield CliRunner().invoke(app, ["iam", "prove", STACK, "--json"])


@pytest.fixture(scope="module")
def proof(ran: Result) -> dict[str, Any]:
    """What it has printed."""
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def of(proof: dict[str, Any], verdict: str) -> set[tuple[str, str, str]]:
    return {
        (each["role"], each["action"], each["resource"])
        for each in proof["grants"]
        if each["verdict"] == verdict
    }


def test_what_no_step_has_used_is_unneeded_and_fails_the_proof(
    ran: Result, proof: dict[str, Any]
) -> None:
    # GIVEN that no step reads one summary, sends anything impossible, or breaks the aggregator
    unneeded = {
        ("ReaderRole", "dynamodb:GetItem", "table/SummariesTable"),
        ("AggregatorRole", "sqs:SendMessage", "RejectsQueue"),
        ("AggregatorRole", "sqs:SendMessage", "AggregationDeadLettersQueue"),
    }
    # WHEN allowed less used is looked at, THEN just what those need is left
    assert of(proof, "unneeded") == unneeded
    assert set(proof["wrong"]) == {
        f"{STACK} {role}: {action} on {resource} is unneeded."
        for role, action, resource in unneeded
    }
    assert proof["ok"] is False
    assert isinstance(ran.exception, OdysseyError)


@pytest.mark.parametrize(
    ("role", "action", "resource", "seen_in", "through"),
    [
        ("ProducerRole", "dynamodb:PutItem", "table/EventsTable", COUNTED, "call"),
        ("ReaderRole", "dynamodb:Query", "table/SummariesTable/index/by-count", COUNTED, "call"),
        (
            *("AggregatorRole", "dynamodb:GetRecords", "table/EventsTable/stream"),
            *(COUNTED, "event source mapping"),
        ),
        ("ApiClientPolicy", "execute-api:Invoke", "Api/v1/POST/trigger-event", REFUSED, "call"),
    ],
)
def test_a_permission_is_seen_in_the_step_that_needs_it(
    proof: dict[str, Any], role: str, action: str, resource: str, seen_in: str, through: str
) -> None:
    [found] = [
        each
        for each in proof["grants"]
        if (each["role"], each["action"], each["resource"]) == (role, action, resource)
    ]
    assert (found["verdict"], found["seen_in"]) == ("used", seen_in)
    assert through in found["through"]
    assert found["times"] > 0


def test_without_one_action_of_a_role_the_demo_fails_for_want_of_it(proof: dict[str, Any]) -> None:
    assert [each["role"] for each in proof["removals"] if not each["noticed"]] == []
    failed = {each["role"]: each["failed_check"] for each in proof["removals"]}
    assert failed == {
        "ProducerRole": COUNTED,
        "AggregatorRole": COUNTED,
        "ReaderRole": COUNTED,
        "ApiClientPolicy": REFUSED,
    }
    assert all(each["refused"] for each in proof["removals"])


def test_the_figures_are_what_was_looked_at(
    proof: dict[str, Any], figure: Callable[..., None]
) -> None:
    figures = proof["figures"]
    assert figures["tried"] == len(proof["grants"])
    assert figures["used"] + figures["not_checked_locally"] == figures["passed"]
    assert figures["tried"] - figures["passed"] == len(of(proof, "unneeded"))
    assert (figures["removed"], figures["noticed"]) == (4, 4)
    seconds = figures["removal_seconds"]
    figure(f"used permissions taken away, {STACK}", tried=4, passed=4, seconds=seconds)

"""`./odyssey iam prove` on one flow: what is used is recorded, and nothing can be taken away."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from odyssey_cli import paths

STACK = "EventAggregator"


@pytest.fixture(scope="module")
def proof() -> dict[str, Any]:
    """The whole proof of one flow, on a cloud of its own."""
    ran = subprocess.run(
        [str(paths.ROOT / "odyssey"), "iam", "prove", STACK, "--json"],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr + ran.stdout
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_every_permission_is_used_or_in_the_table(proof: dict[str, Any]) -> None:
    assert (proof["ok"], proof["wrong"]) == (True, [])
    assert {each["verdict"] for each in proof["grants"]} == {"used", "not checked locally"}
    assert {each["role"] for each in proof["grants"]} == {
        *("ProducerRole", "AggregatorRole", "ReaderRole", "ApiClientPolicy")
    }


@pytest.mark.parametrize(
    ("role", "action", "resource", "seen_in", "through"),
    [
        ("ProducerRole", "dynamodb:PutItem", "table/EventsTable", "a single event", "call"),
        (
            *("ReaderRole", "dynamodb:Query", "table/SummariesTable/index/by-count"),
            *("a single event", "call"),
        ),
        (
            *("AggregatorRole", "sqs:SendMessage", "AggregationDeadLettersQueue"),
            *("what a broken aggregator gave up", "event source mapping"),
        ),
        ("AggregatorRole", "sqs:SendMessage", "RejectsQueue", "bad records", "call"),
        (
            *("ApiClientPolicy", "execute-api:Invoke", "Api/v1/POST/trigger-event"),
            *("unsigned and unpermitted", "call"),
        ),
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
    assert found["seen_in"].startswith(seen_in)
    assert through in found["through"]
    assert found["times"] > 0


def test_without_one_action_of_a_role_the_demo_fails_for_want_of_it(proof: dict[str, Any]) -> None:
    assert [each["role"] for each in proof["removals"] if not each["noticed"]] == []
    assert {each["role"] for each in proof["removals"]} == {
        each["role"] for each in proof["grants"]
    }
    assert all(each["failed_check"] and each["refused"] for each in proof["removals"])


def test_the_figures_are_what_was_looked_at(proof: dict[str, Any]) -> None:
    figures = proof["figures"]
    assert figures["grants"] == len(proof["grants"])
    assert figures["used"] + figures["not_checked_locally"] == figures["grants"]
    assert (figures["removed"], figures["noticed"]) == (4, 4)

"""A demo ends with a look at what nothing has used; `iam prove` is that, and more."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from odyssey_cli.cloud import Cloud
from odyssey_cli.demo import runner
from odyssey_cli.demo.checks import Check, Checks
from odyssey_cli.iam import proof
from odyssey_cli.iam.seen import Decision, Recording
from odyssey_cli.target import Target
from tests.unit.granting import decision, grant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli.iam.grants import Grant

TO = Target({}, Path(), Cloud(1, "http://localhost:1", 1, Path(), 0.0, 1.0))


def compared(
    monkeypatch: pytest.MonkeyPatch,
    *grants: Grant,
    decisions: tuple[Decision, ...] = (decision(),),
    left_off: int = 0,
    earlier: bool = True,
) -> dict[str, tuple[bool, str]]:
    """Compare what two flows' roles may do with what was decided; return each flow's check."""
    flows = [
        Checks(name, lambda _: None, [Check("earlier", ok=earlier)])
        for name in ("event-aggregator", "pubsub")
    ]
    monkeypatch.setattr(runner, "recording", lambda _: Recording(decisions, left_off))
    runner.compare(TO, grants, flows)
    assert {checks.checks[-1].name for checks in flows} == {runner.NEEDED}
    return {checks.flow: (checks.checks[-1].ok, checks.checks[-1].detail) for checks in flows}


def test_what_is_used_or_not_checked_locally_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    traces = grant(action="xray:PutTraceSegments", resource="*")
    assert compared(monkeypatch, grant(), traces) == {
        "event-aggregator": (True, "1 used; 1 are not checked locally"),
        "pubsub": (True, "0 used; 0 are not checked locally"),
    }


@pytest.mark.parametrize(
    ("action", "said"),
    [("sqs:PurgeQueue", "unneeded"), ("sqs:SendMessage", "allowed twice")],
)
def test_only_the_flow_whose_stack_allows_too_much_fails(
    monkeypatch: pytest.MonkeyPatch, action: str, said: str
) -> None:
    # GIVEN one permission of a flow's stack that is used, and another that is not, or is the same
    used, unwanted = grant(stack="PubSub"), grant(stack="PubSub", action=action)
    # WHEN they are compared with what was used
    found = compared(monkeypatch, used, unwanted)
    # THEN the check of that flow says so, and no other
    assert found["pubsub"] == (False, f"PubSub ReaderRole: {action} on Events is {said}.")
    assert found["event-aggregator"][0] is True


def test_what_a_stack_allows_that_no_flow_drives_fails_every_flow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = compared(monkeypatch, grant(stack="Operations", action="sqs:PurgeQueue"))
    said = "Operations ReaderRole: sqs:PurgeQueue on Events is unneeded."
    assert found == {"event-aggregator": (False, said), "pubsub": (False, said)}


def test_a_record_that_left_something_off_fails_every_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    found = compared(monkeypatch, grant(), left_off=7)
    assert {ok for ok, _ in found.values()} == {False}
    assert all("full and left off 7" in said for _, said in found.values())


def test_after_a_failed_check_it_says_what_may_be_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unneeded = grant(action="sqs:PurgeQueue")
    found = compared(monkeypatch, unneeded, earlier=False)
    assert found["event-aggregator"][1].endswith("may have been the one that needs it.")
    assert found["pubsub"][0] is True


@pytest.fixture
def proving(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bool, Recording]]:
    """What the cloud answers one after another, and whether it is to begin its record anew then."""
    answers: list[tuple[bool, Recording]] = []

    @contextmanager
    def own_cloud() -> Iterator[Target]:
        yield TO

    def recorded(_: Cloud, *, begin_anew: bool = False) -> Recording:
        wanted, answer = answers.pop(0)
        assert begin_anew is wanted
        return answer

    monkeypatch.setattr(runner, "own_cloud", own_cloud)
    monkeypatch.setattr(runner, "allowed", lambda *_: [grant(), grant(stack="Consumer")])
    for name in ("deploy", "drive", "destroy"):
        monkeypatch.setattr(runner, name, lambda *_: None)
    monkeypatch.setattr(proof, "recording", recorded)
    monkeypatch.setattr("odyssey_cli.iam.removal.remove", lambda *_: [])
    return answers


@pytest.mark.parametrize("full_at", [0, 1])
def test_a_full_record_fails_the_proof_whichever_half_filled_it(
    proving: list[tuple[bool, Recording]], full_at: int
) -> None:
    # GIVEN a cloud whose record is full at the end of the demos, or of the removals
    left_off = [0, 0]
    left_off[full_at] = 5
    proving += [
        (True, Recording((decision(),), left_off[0])),
        (False, Recording((), left_off[1])),
    ]
    # WHEN both halves are done, the second with a record of its own
    made = proof.prove(["EventAggregator"], remove=True, step=lambda _: None)
    # THEN the proof fails and says so, and nothing else is wrong
    assert proving == []
    assert made.wrong == [Recording((), 5).lacking]
    assert made.as_json()["ok"] is False


def test_only_the_stacks_that_are_named_are_judged(
    proving: list[tuple[bool, Recording]],
) -> None:
    proving.append((True, Recording((decision(),), 0)))
    made = proof.prove(["EventAggregator"], remove=False, step=lambda _: None)
    assert [row.grant.stack for row in made.rows] == ["EventAggregator"]
    assert made.wrong == []

"""Allowed minus used is found, whatever way a policy says what it allows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from odyssey_cli.cloud import Cloud
from odyssey_cli.demo import waiting
from odyssey_cli.demo.checks import Check, Checks
from odyssey_cli.errors import OdysseyError
from odyssey_cli.iam import removal, unchecked
from odyssey_cli.iam.grants import Grant, Origin, matches
from odyssey_cli.iam.proof import Proof, flows_of
from odyssey_cli.iam.removal import Removal, choose, refusals
from odyssey_cli.iam.seen import Decision, Recording, Sighting, Steps
from odyssey_cli.iam.verdicts import Verdict, judge
from odyssey_cli.target import Target
from tests.unit.granting import ARN, POLICY, decision, grant


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        (ARN, ARN, True),
        ("*", ARN, True),
        ("arn:aws:sqs:*:*:Events", ARN, True),
        ("arn:aws:sqs:eu-north-1:*:Events", ARN, False),
        ("arn:aws:sqs:us-east-1:999999999999:Events", ARN, False),
        ("arn:aws:sqs:us-east-1:000000000000:Event?", ARN, True),
        ("arn:aws:sqs:us-east-1:000000000000:Events?", ARN, False),
        ("arn:aws:sqs:us-east-1:000000000000:events", ARN, False),
        # A star stands for slashes and colons, too; a dot is a dot.
        ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/a/b.json", True),
        ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket", False),
        ("arn:aws:s3:::a.b", "arn:aws:s3:::aXb", False),
        ("arn:aws:s3:::home/${aws:username}/*", "arn:aws:s3:::home/anna/x", True),
        ("arn:aws:s3:::[a]", "arn:aws:s3:::a", False),
    ],
)
def test_a_pattern_stands_for_what_iam_says(pattern: str, value: str, expected: bool) -> None:
    assert matches(pattern, value) is expected


@pytest.mark.parametrize(
    ("action", "expected"),
    [("SQS:sendmessage", True), ("sqs:Send*", True), ("sqs:*", True), ("sqs:Receive*", False)],
)
def test_actions_match_in_any_case_and_with_wildcards(action: str, expected: bool) -> None:
    assert decision().is_of(grant(action=action)) is expected


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (decision(), True),
        (decision(principal="role/Writer"), False),
        (decision(resource=ARN.replace("us-east-1", "eu-north-1")), False),
        (decision(resource=ARN.replace("000000000000", "999999999999")), False),
    ],
)
def test_a_role_uses_its_own_policies(made: Decision, expected: bool) -> None:
    assert made.is_of(grant()) is expected


def test_a_managed_policy_is_used_by_whoever_has_it() -> None:
    managed = grant(principal=POLICY)
    assert decision(principal="role/demo", policies=(POLICY,)).is_of(managed)
    assert decision(principal="user/anna", policies=("other", POLICY), groups=("g",)).is_of(managed)
    assert not decision().is_of(managed)


def steps_at(*moments: tuple[float, str]) -> Steps:
    clock = iter([moment for moment, _ in moments])
    steps = Steps(now=lambda: next(clock, 100.0))
    for _, name in moments:
        steps.begin(name)
    return steps


def test_a_moment_is_in_the_step_that_began_last() -> None:
    steps = steps_at((1.0, "deploying"), (5.0, "first"), (9.0, "second"))
    assert [steps.at(moment) for moment in (0.0, 1.0, 4.9, 5.0, 8.0, 50.0)] == [
        *("deploying", "deploying", "deploying", "first", "first", "second")
    ]
    assert steps.ends("deploying") == {"deploying": 0.0, "first": 4.0, "second": 95.0}


def verdicts(*grants: Grant, decisions: tuple[Decision, ...] = ()) -> list[Verdict]:
    steps = {"EventAggregator": steps_at((1.0, "a single event"))}
    return [row.verdict for row in judge(grants, Recording(decisions, 0), steps)]


def test_what_is_allowed_and_never_used_is_unneeded() -> None:
    used, never = grant(), grant(action="sqs:PurgeQueue")
    refused = replace(decision(), action="sqs:PurgeQueue", allowed=False)
    assert verdicts(used, never, decisions=(decision(), refused)) == [
        Verdict.USED,
        Verdict.UNNEEDED,
    ]


def test_what_is_not_checked_locally_is_needed_all_the_same() -> None:
    traces = grant(action="xray:PutTraceSegments", resource="*")
    assert verdicts(traces) == [Verdict.UNCHECKED]
    # but only of roles that Lambda assumes
    assert verdicts(replace(traces, services=frozenset())) == [Verdict.UNNEEDED]


def test_an_entry_of_the_table_that_is_checked_after_all_is_wrong() -> None:
    traces = grant(action="xray:PutTraceSegments", resource="*")
    seen = decision(action="xray:PutTraceSegments")
    assert verdicts(traces, decisions=(seen,)) == [Verdict.NEEDS_NO_ENTRY]


def test_what_is_allowed_twice_is_needed_once() -> None:
    again = grant(origin=Origin("Another", "", 0, 0))
    assert verdicts(grant(), again, decisions=(decision(),)) == [Verdict.USED, Verdict.DOUBLE]


def test_a_row_says_where_it_was_seen_first_and_by_which_ways() -> None:
    steps = {"EventAggregator": steps_at((1.0, "first"), (9.0, "second"))}
    seen = (decision(), decision(first=5.0, count=4, through="destination"))
    [row] = judge([grant()], Recording(seen, 0), steps)
    assert row.told == "first (5 times, by call, destination)"
    assert row.as_json()["seen_in"] == "first"
    assert row.as_json()["role"] == "ReaderRole"


def test_an_unneeded_permission_fails_the_proof() -> None:
    steps = {"EventAggregator": steps_at((1.0, "first"))}
    proof = Proof(rows=judge([grant()], Recording((), 0), steps))
    assert proof.wrong == ["EventAggregator ReaderRole: sqs:SendMessage on Events is unneeded."]
    assert proof.as_json()["ok"] is False


def test_a_recording_that_lacks_something_proves_nothing() -> None:
    checks = Checks("pubsub", lambda _: None, [Check("a check")])
    proof = Proof(flows=[checks], lacking=[Recording((decision(),), 3).lacking])
    assert proof.wrong == [
        "pubsub: the check 'a check' failed, so the recording may lack something.",
        "The local cloud's record of decisions was full and left off 3, "
        "so nobody knows what was used.",
    ]


def test_the_figures_count_permissions_and_those_it_does_not_fail_for() -> None:
    # GIVEN three permissions: one whose removal nobody noticed, one that is unneeded, one good
    steps = {"EventAggregator": steps_at((1.0, "first"))}
    good = grant(logical_id="WriterRole00000000", principal="role/Writer")
    grants = [grant(), grant(action="sqs:PurgeQueue"), good]
    seen = (decision(), decision(principal="role/Writer"))
    removed = [Removal(grants[0], "", "", 0, 1.0), Removal(good, "a check", "why", 1, 1.0)]
    # WHEN they are counted
    proof = Proof(rows=judge(grants, Recording(seen, 0), steps), removals=removed)
    proof.recording_seconds, proof.removal_seconds = 2.5, 1.25
    # THEN one has passed
    assert proof.figures == {
        "tried": 3,
        "passed": 1,
        "seconds": 3.75,
        "roles": 2,
        "used": 2,
        "not_checked_locally": 0,
        "removed": 2,
        "noticed": 1,
        "recording_seconds": 2.5,
        "removal_seconds": 1.2,
    }
    assert proof.as_json()["figures"] == proof.figures


@pytest.mark.parametrize(
    ("failed", "refused", "said"),
    [
        ("", 3, "the demo did not fail."),
        ("a check", 0, "the demo failed, but not for want of it: a check: why"),
    ],
)
def test_a_removal_is_noticed_by_a_check_and_a_refusal(
    failed: str, refused: int, said: str
) -> None:
    removed = Removal(grant(), failed, "why", refused, 1.0)
    what = "EventAggregator ReaderRole without sqs:SendMessage on Events"
    assert Proof(removals=[removed]).wrong == [f"{what}: {said}"]
    assert Proof(removals=[replace(removed, failed="a check", refused=1)]).wrong == []


def test_of_each_role_what_is_needed_first_is_removed_and_the_end_comes_last() -> None:
    writer = grant(logical_id="WriterRole00000000")
    emptier = grant(logical_id="EmptierRole00000000")
    aws = grant(logical_id="OldRole00000000", origin=None)
    used = [
        (emptier, Sighting(removal.DESTROYING, 1.0, 1, ("call",))),
        (grant(action="late"), Sighting("second", 9.0, 1, ("call",))),
        (grant(action="early"), Sighting("first", 3.0, 1, ("call",))),
        (writer, Sighting("first", 2.0, 1, ("call",))),
        (aws, Sighting("first", 1.0, 1, ("call",))),
    ]
    chosen = [(each.holder, each.action) for each, _ in choose(used)]
    assert chosen == [
        ("WriterRole", "sqs:SendMessage"),
        ("ReaderRole", "early"),
        ("EmptierRole", "sqs:SendMessage"),
    ]


def test_a_refusal_counts_only_on_the_resource_that_was_taken_away() -> None:
    # GIVEN a permission for a queue that has another ARN in the deployment without it
    taken, resource = grant(resource=f"{ARN}-1"), f"{ARN}-2"
    refused = replace(decision(resource=resource, count=3), allowed=False)
    others = (
        replace(refused, resource=f"{ARN}-1"),
        replace(refused, action="sqs:ReceiveMessage"),
        replace(refused, principal="role/Writer"),
        replace(refused, allowed=True),
    )
    # WHEN it is counted how often the cloud refused it, THEN nothing else is
    assert refusals(Recording((refused, *others), 0), taken, resource) == 3
    assert refusals(Recording(others, 0), taken, resource) == 0
    # and nothing at all when nobody knows what it was for
    assert refusals(Recording((refused, *others), 0), taken, "") == 0


def test_a_refusal_counts_also_within_the_resource() -> None:
    refused = replace(decision(resource="arn:aws:s3:::lake-2/a/b.json"), allowed=False)
    assert refusals(Recording((refused,), 0), grant(), "arn:aws:s3:::lake-2/*") == 1


@pytest.mark.parametrize(
    ("tries", "made", "waited"),
    [
        ([("a check", 1)], 1, []),
        ([("", 0)], 1, []),
        ([("another", 0), ("a check", 1)], 2, [9.0]),
        ([("another", 0), ("another", 0)], 2, [9.0]),
    ],
)
def test_a_removal_is_tried_once_more_when_something_else_made_the_demo_fail(
    monkeypatch: pytest.MonkeyPatch,
    tries: list[tuple[str, int]],
    made: int,
    waited: list[float],
) -> None:
    # GIVEN a cloud on which twenty seconds of AWS pass in one, and what removals come to there
    to = Target({}, Path(), Cloud(1, "http://localhost:1", 1, Path(), 0.0, 20.0))
    outcomes = [Removal(grant(), failed, "why", refused, 1.0) for failed, refused in tries]
    left = list(outcomes)
    pauses: list[float] = []
    monkeypatch.setattr(removal, "_without", lambda *_: left.pop(0))
    monkeypatch.setattr("odyssey_cli.iam.removal.time.sleep", pauses.append)
    # WHEN one is tried
    seen = Sighting("first", 1.0, 1, ("call",))
    found = removal._tried(to, Path(), "pubsub", grant(), seen, {})
    # THEN it is tried again only after a failure of another cause, and once, after three minutes
    assert found is outcomes[made - 1]
    assert (left, pauses) == ([], waited)


def drive(checks: Checks, *outcomes: bool) -> None:
    for number, holds in enumerate(outcomes):
        with checks.check(f"check {number}"):
            assert holds


@pytest.mark.parametrize(
    ("outcomes", "only_first", "made"),
    [([True, False, True], False, 2), ([True, True], True, 1), ([False, True], True, 1)],
)
def test_a_drive_ends_once_enough_is_seen(
    outcomes: list[bool], only_first: bool, made: int
) -> None:
    checks = removal._UntilFailure("pubsub", {}, only_first=only_first)
    with pytest.raises(removal._EnoughSeen):
        drive(checks, *outcomes)
    assert len(checks.checks) == made


def test_a_check_that_is_to_fail_waits_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a demo whose second check once ended after 20 seconds
    waited: list[float] = []
    moments = iter([0.0, 100.0, 100.0, 110.0])
    monkeypatch.setattr(waiting, "limit_patience", waited.append)
    monkeypatch.setattr("odyssey_cli.iam.removal.time.monotonic", lambda: next(moments, 110.0))
    # WHEN it begins 10 seconds after the first one now
    checks = removal._UntilFailure("pubsub", {"check 1": 20.0}, only_first=False)
    checks._begin("check 0")
    checks.checks.append(Check("check 0", ok=True))
    checks._begin("check 1")
    # THEN it may end after one and a half times as long
    assert waited == [8.0, 20.0]


def test_the_stacks_say_which_flows_are_driven() -> None:
    assert flows_of(["Consumer", "Ingest", "PubSub"]) == ["ingest", "pubsub"]
    assert "network" in flows_of([])
    with pytest.raises(OdysseyError, match="No flow drives the stack 'Operations'"):
        flows_of(["Operations"])


def test_no_action_is_twice_in_the_table_and_each_entry_has_a_page() -> None:
    listed = [
        (each.service, action, each.on) for each in unchecked.TABLE for action in each.actions
    ]
    assert len(listed) == len(set(listed))
    assert all("(" in each.page and each.why.endswith(".") for each in unchecked.TABLE)

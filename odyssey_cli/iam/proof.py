"""Proves that the roles of stacks are allowed what their flows use, and nothing else."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from odyssey_cli import figures
from odyssey_cli.demo import runner
from odyssey_cli.demo.checks import Checks
from odyssey_cli.errors import OdysseyError
from odyssey_cli.iam import removal
from odyssey_cli.iam.seen import Steps, recording
from odyssey_cli.iam.verdicts import WRONG, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from odyssey_cli.cloud import Cloud
    from odyssey_cli.iam.removal import Removal
    from odyssey_cli.iam.seen import Recording
    from odyssey_cli.iam.verdicts import Row
    from odyssey_cli.target import Target


@dataclass
class Proof:
    """All that was proven.

    Attributes:
        flows: what the demos of the flows checked, which the recording stands on.
        rows: every grant, with what is to be thought of it.
        lacking: what the cloud's record lacks, in sentences.
        removals: what was really removed, and what became of the demo.
        recording_seconds: how long the flows took.
        removal_seconds: how long the removals took.
    """

    flows: list[Checks] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    removals: list[Removal] = field(default_factory=list)
    recording_seconds: float = 0.0
    removal_seconds: float = 0.0

    @property
    def wrong(self) -> list[str]:
        """What keeps this from being a proof, in sentences."""
        failed = [
            f"{checks.flow}: the check {check.name!r} failed, so the recording may lack something."
            for checks in self.flows
            for check in checks.checks
            if not check.ok
        ]
        rows = [row.sentence for row in self.rows if row.verdict in WRONG]
        unnoticed = [each.sentence for each in self.removals if not each.noticed]
        return failed + self.lacking + rows + unnoticed

    @property
    def figures(self) -> dict[str, Any]:
        """What there is to count; a case is a permission."""
        verdicts = Counter(row.verdict for row in self.rows)
        unnoticed = {each.grant for each in self.removals if not each.noticed}
        wrong = [row for row in self.rows if row.verdict in WRONG or row.grant in unnoticed]
        return figures.figures(
            tried=len(self.rows),
            passed=len(self.rows) - len(wrong),
            seconds=self.recording_seconds + self.removal_seconds,
            roles=len({row.grant.role for row in self.rows}),
            used=verdicts[Verdict.USED],
            not_checked_locally=verdicts[Verdict.UNCHECKED],
            removed=len(self.removals),
            noticed=sum(each.noticed for each in self.removals),
            recording_seconds=round(self.recording_seconds, 1),
            removal_seconds=round(self.removal_seconds, 1),
        )

    def as_json(self) -> dict[str, Any]:
        """Return the whole proof for scripts."""
        return {
            "ok": not self.wrong,
            "figures": self.figures,
            "wrong": self.wrong,
            "grants": [row.as_json() for row in self.rows],
            "removals": [each.as_json() for each in self.removals],
            "flows": [checks.as_json() for checks in self.flows],
        }


def flows_of(stacks: Sequence[str]) -> list[str]:
    """Return the flows that drive these stacks; all flows if none is named.

    Raises:
        OdysseyError: no flow drives one of them.
    """
    driven = {stack: name for name, flow in runner.FLOWS.items() for stack in flow.stacks}
    for stack in stacks:
        if stack not in driven:
            raise OdysseyError(
                f"No flow drives the stack {stack!r}, so nothing can be proven of it.",
                f"There are {', '.join(driven)}.",
            )
    return list(dict.fromkeys(driven[stack] for stack in stacks or driven))


def prove(stacks: Sequence[str], *, remove: bool, step: Callable[[str], None]) -> Proof:
    """Prove the least privilege of stacks' roles, on a cloud of its own.

    Args:
        stacks: the stacks; all that flows drive if none is named.
        remove: also remove one used action of each role, and see the demo fail.
        step: told what is going on.

    Raises:
        OdysseyError: the cloud did not start, or nothing could be deployed.
    """
    names = flows_of(stacks)
    proof = Proof()
    with runner.own_cloud() as to:
        begun = time.monotonic()
        steps, assembly = _record(proof, to, names, stacks, step)
        proof.recording_seconds = time.monotonic() - begun
        if remove:
            begun = time.monotonic()
            chosen = removal.choose(
                (row.grant, row.seen) for row in proof.rows if row.seen is not None
            )
            proof.removals = removal.remove(to, assembly, chosen, steps, step)
            _note_lacking(proof, recording(_cloud(to)))
            proof.removal_seconds = time.monotonic() - begun
    return proof


def _record(
    proof: Proof, to: Target, names: Sequence[str], stacks: Sequence[str], step: Callable[..., None]
) -> tuple[dict[str, Steps], Path]:
    """Run the flows' demos, and fill in what each grant was used for.

    With all flows, all stacks are deployed, and those that no flow drives are looked at, too.
    """
    steps = {name: Steps() for name in names}

    def all_begin(what: str) -> None:
        step(what)
        for each in steps.values():
            each.begin(what)

    def begins(flow: str) -> Callable[[str], None]:
        def begin(what: str) -> None:
            step(what)
            steps[flow].begin(what)

        return begin

    proof.flows = [Checks(name, begins(name)) for name in names]
    assembly = runner.deploy(to, proof.flows, all_begin)
    runner.drive(to, proof.flows)
    grants = runner.allowed(to, assembly, names)
    runner.destroy(to, assembly, proof.flows, all_begin)
    # What is recorded of the removals needs the same room.
    recorded = recording(_cloud(to), begin_anew=True)
    _note_lacking(proof, recorded)
    driven = {stack: name for name in names for stack in runner.FLOWS[name].stacks}
    by_stack = {each.stack: steps[driven.get(each.stack, names[0])] for each in grants}
    proof.rows = judge(
        [each for each in grants if not stacks or each.stack in stacks], recorded, by_stack
    )
    if not any(row.seen for row in proof.rows):
        proof.lacking.append("Nothing was seen to be used, so that nothing is proved.")
    return steps, assembly


def _note_lacking(proof: Proof, recorded: Recording) -> None:
    if recorded.lacking:
        proof.lacking.append(recorded.lacking)


def _cloud(to: Target) -> Cloud:
    assert to.local is not None  # noqa: S101 - it is a cloud of our own
    return to.local

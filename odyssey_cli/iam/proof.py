"""Proves that the roles of stacks are allowed what their flows use, and nothing else."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from odyssey_cli import cdk
from odyssey_cli.demo import runner
from odyssey_cli.demo.checks import Checks
from odyssey_cli.errors import OdysseyError
from odyssey_cli.iam import removal, unchecked
from odyssey_cli.iam.grants import Reader
from odyssey_cli.iam.seen import Steps, recording, sighting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from odyssey_cli.iam.grants import Grant
    from odyssey_cli.iam.removal import Removal
    from odyssey_cli.iam.seen import Recording, Sighting
    from odyssey_cli.iam.unchecked import Unchecked
    from odyssey_cli.target import Target


class Verdict(StrEnum):
    """What is to be thought of a grant."""

    USED = "used"
    UNCHECKED = "not checked locally"
    UNNEEDED = "unneeded"
    DOUBLE = "allowed twice"
    CHECKED = "in the table, but checked"


# What a reader must do something about.
WRONG = {Verdict.UNNEEDED, Verdict.DOUBLE, Verdict.CHECKED}


@dataclass(frozen=True)
class Row:
    """A grant and what is to be thought of it.

    Attributes:
        grant: what is allowed.
        verdict: what is to be thought of it.
        seen: where it was used, None if nowhere.
        entry: of the table of what is not checked locally, None if there is none.
    """

    grant: Grant
    verdict: Verdict
    seen: Sighting | None
    entry: Unchecked | None

    @property
    def told(self) -> str:
        """Where it was seen, or why not."""
        if self.verdict is Verdict.UNCHECKED and self.entry is not None:
            return f"{self.entry.why} {self.entry.page}, {unchecked.READ_ON}"
        if self.seen is None:
            return "nowhere"
        return f"{self.seen.step} ({self.seen.count} times, by {', '.join(self.seen.through)})"

    def as_json(self) -> dict[str, Any]:
        """Return the row for scripts."""
        return {
            "stack": self.grant.stack,
            "role": self.grant.holder,
            "action": self.grant.action,
            "resource": self.grant.name,
            "arn": self.grant.resource,
            "verdict": self.verdict,
            "seen_in": self.seen.step if self.seen else None,
            "times": self.seen.count if self.seen else 0,
            "through": list(self.seen.through) if self.seen else [],
            "page": self.entry.page if self.entry else None,
        }


@dataclass
class Proof:
    """All that was proven.

    Attributes:
        flows: what the demos of the flows checked, which the recording stands on.
        rows: every grant, with what is to be thought of it.
        left_off: decisions that the cloud could not keep.
        removals: what was really removed, and what became of the demo.
        recording_seconds: how long the flows took.
        removal_seconds: how long the removals took.
    """

    flows: list[Checks] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    left_off: int = 0
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
        lost = [f"The record left off {self.left_off} decisions."] if self.left_off else []
        rows = [
            f"{row.grant.stack} {row.grant.holder}: {row.grant.action} on {row.grant.name} "
            f"is {row.verdict}."
            for row in self.rows
            if row.verdict in WRONG
        ]
        unnoticed = [each.sentence for each in self.removals if not each.noticed]
        return failed + lost + rows + unnoticed

    @property
    def figures(self) -> dict[str, Any]:
        """What there is to count."""
        verdicts = Counter(row.verdict for row in self.rows)
        return {
            "roles": len({row.grant.role for row in self.rows}),
            "grants": len(self.rows),
            "used": verdicts[Verdict.USED],
            "not_checked_locally": verdicts[Verdict.UNCHECKED],
            "wrong": sum(verdicts[each] for each in WRONG),
            "recording_seconds": round(self.recording_seconds, 1),
            "removed": len(self.removals),
            "noticed": sum(each.noticed for each in self.removals),
            "removal_seconds": round(self.removal_seconds, 1),
        }

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
    grants = Reader(to).read(stacks or cdk.stacks(assembly))
    runner.drive(to, proof.flows)
    runner.destroy(to, assembly, proof.flows, all_begin)
    assert to.local is not None  # noqa: S101 - it is a cloud of our own
    recorded = recording(to.local)
    proof.left_off = recorded.left_off
    proof.rows = judge(grants, recorded, steps)
    return steps, assembly


def judge(grants: Iterable[Grant], recorded: Recording, steps: Mapping[str, Steps]) -> list[Row]:
    """Say of each grant what is to be thought of it.

    Args:
        grants: what is allowed.
        recorded: what was decided.
        steps: those of each flow.
    """
    flows = {stack: name for name in steps for stack in runner.FLOWS[name].stacks}
    rows: list[Row] = []
    known: set[tuple[str, str, str]] = set()
    for grant in grants:
        flow = flows.get(grant.stack, next(iter(steps)))
        seen = sighting(grant, recorded.decisions, steps[flow])
        entry = unchecked.entry(grant.services, grant.action, grant.resource)
        own = (grant.principal, grant.action.lower(), grant.resource)
        rows.append(Row(grant, _verdict(seen, entry, double=own in known), seen, entry))
        known.add(own)
    return rows


def _verdict(seen: Sighting | None, entry: Unchecked | None, *, double: bool) -> Verdict:
    if double:
        return Verdict.DOUBLE
    if seen is not None:
        return Verdict.CHECKED if entry is not None else Verdict.USED
    return Verdict.UNCHECKED if entry is not None else Verdict.UNNEEDED

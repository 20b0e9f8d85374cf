"""Removes a used action of each role, and sees that the flow's demo fails without it.

That is how the recording is known to tell the truth. The stack is deployed anew from its template
less that one action, and the demo is driven until a check fails, one role after another; flows are
driven at the same time, as in the demo itself. A check that fails counts only if the local cloud
has refused the very action on the very resource to the very role meanwhile.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from odyssey_cli import breaking, cdk
from odyssey_cli.demo import runner, waiting
from odyssey_cli.demo.checks import Checks
from odyssey_cli.iam import deployment
from odyssey_cli.iam.grants import matches
from odyssey_cli.iam.seen import recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from odyssey_cli.iam.grants import Grant
    from odyssey_cli.iam.seen import Recording, Sighting, Steps
    from odyssey_cli.target import Target

# A check that is to fail waits for what does not come. It is given more time than the demo needed
# up to there when nothing was missing, because what it waits for may be under way from the start,
# and at least this long.
_TIMES, _AT_LEAST = 1.5, 8.0
# One minute after the first attempt, two after the second, on the clock of AWS ("How Lambda handles
# errors and retries with asynchronous invocation", AWS Lambda Developer Guide, 2026-11-21).
_TRIED_AGAIN = 180.0
DESTROYING = "destroying"
BEFORE = "the demo can begin"


@dataclass(frozen=True)
class Removal:
    """What was removed, and what became of the demo.

    Attributes:
        grant: what was removed.
        failed: the check that failed, "" if none did.
        why: what it said.
        refused: how often the local cloud refused the action on the resource to the role.
        seconds: how long that took, deployment included.
    """

    grant: Grant
    failed: str
    why: str
    refused: int
    seconds: float

    @property
    def noticed(self) -> bool:
        """Whether the demo failed, and for want of what was removed."""
        return bool(self.failed) and self.refused > 0

    @property
    def sentence(self) -> str:
        """What happened."""
        who = f"{self.grant.stack} {self.grant.holder} without {self.grant.action}"
        on = f"{who} on {self.grant.name}"
        if not self.failed:
            return f"{on}: the demo did not fail."
        if not self.refused:
            return f"{on}: the demo failed, but not for want of it: {self.failed}: {self.why}"
        return f"{on}: refused {self.refused} times; failed: {self.failed}"

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {
            "stack": self.grant.stack,
            "role": self.grant.holder,
            "action": self.grant.action,
            "resource": self.grant.name,
            "noticed": self.noticed,
            "failed_check": self.failed or None,
            "why": self.why,
            "refused": self.refused,
            "seconds": round(self.seconds, 1),
        }


class _EnoughSeen(Exception):  # noqa: N818 - it is no error
    """The drive need not go on."""


class _UntilFailure(Checks):
    """Checks that end the drive once one has failed.

    Args:
        flow: the flow's name.
        usual: when each check ended, in seconds of the drive, when nothing was missing.
        only_first: end it after the first check anyway.
    """

    def __init__(self, flow: str, usual: Mapping[str, float], *, only_first: bool) -> None:
        super().__init__(flow, self._begin)
        self._usual, self._only_first = usual, only_first
        self._driven = time.monotonic()

    def _begin(self, name: str) -> None:
        if self.failed is not None or (self._only_first and self.checks):
            raise _EnoughSeen
        if not self.checks:
            self._driven = time.monotonic()
        spent = time.monotonic() - self._driven
        waiting.limit_patience(max(_TIMES * self._usual.get(name, 0.0) - spent, _AT_LEAST))

    @property
    def failed(self) -> tuple[str, str] | None:
        """The check that has failed, and what it said."""
        return next(((each.name, each.detail) for each in self.checks if not each.ok), None)


def choose(used: Iterable[tuple[Grant, Sighting]]) -> list[tuple[Grant, Sighting]]:
    """Choose one used grant of each role: what its flow needs first.

    Args:
        used: all that were used, with where.
    """
    chosen: dict[tuple[str, str], tuple[Grant, Sighting]] = {}
    for grant, seen in used:
        if grant.origin is None:
            continue
        known = chosen.get(grant.role)
        if known is None or seen.at < known[1].at:
            chosen[grant.role] = (grant, seen)
    # What fails at the end of a stack's life comes last: what is left then is in the way.
    return sorted(chosen.values(), key=lambda each: (each[1].step == DESTROYING, each[1].at))


def remove(
    to: Target,
    assembly: Path,
    chosen: Sequence[tuple[Grant, Sighting]],
    steps: Mapping[str, Steps],
    step: Callable[[str], None],
) -> list[Removal]:
    """Remove what was chosen, one after another in each flow.

    Args:
        to: a cloud that has the bootstrap stack and the functions' code.
        assembly: the folder of the cloud assembly.
        chosen: grants of flows' stacks, with where they were used.
        steps: of each flow, when nothing was missing.
        step: told what is going on.
    """
    driven = {stack for flow in runner.FLOWS.values() for stack in flow.stacks}
    step("removing one used action of each role")
    cdk.deploy(to, assembly, [name for name in cdk.stacks(assembly) if name not in driven])
    done: list[Removal] = []
    errors: list[BaseException] = []

    def work(flow: str, number: int) -> None:
        own = replace(to, state=to.state / f"without-{number}")
        own.state.mkdir()
        usual = steps[flow].ends(runner.DEPLOYED)
        for grant, seen in chosen:
            if grant.stack in runner.FLOWS[flow].stacks:
                step(f"{grant.stack} without {grant.holder}'s {grant.action}")
                place = replace(own, state=own.state / str(len(done)))
                place.state.mkdir(exist_ok=True)
                done.append(_tried(place, assembly, flow, grant, seen, usual))

    def guarded(flow: str, number: int) -> None:
        try:
            work(flow, number)
        except BaseException as error:  # noqa: BLE001 - raised again where it is seen
            errors.append(error)

    # Daemons, so that Ctrl-C need not wait for them.
    threads = [
        threading.Thread(target=guarded, args=(flow, number), daemon=True)
        for number, flow in enumerate(steps)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    order = [grant for grant, _ in chosen]
    return sorted(done, key=lambda each: order.index(each.grant))


def _tried(
    to: Target,
    assembly: Path,
    flow: str,
    grant: Grant,
    seen: Sighting,
    usual: Mapping[str, float],
) -> Removal:
    """Remove a grant; once more if something else made the demo fail.

    Functions have the same names in each deployment, and what an earlier one broke is tried again
    in the next.
    """
    first = _without(to, assembly, flow, grant, seen, usual)
    if first.noticed or not first.failed:
        return first
    assert to.local is not None  # noqa: S101 - it is a cloud of our own
    time.sleep(_TRIED_AGAIN / to.local.clock_scale)
    return _without(to, assembly, flow, grant, seen, usual)


def _without(
    to: Target,
    assembly: Path,
    flow: str,
    grant: Grant,
    seen: Sighting,
    usual: Mapping[str, float],
) -> Removal:
    begun = time.monotonic()
    at_the_end = seen.step == DESTROYING
    checks = _UntilFailure(flow, usual, only_first=at_the_end)
    stacks = deployment.Stacks(to, assembly, runner.FLOWS[flow].stacks)
    assert to.local is not None  # noqa: S101 - it is a cloud of our own
    # A stack's roles have the same names each time, and demos break things on purpose, too.
    before = recording(to.local)
    failed = stacks.create(without=grant)
    made = stacks.resources()
    if failed is None:
        failed = _driven(to, flow, checks)
    _disarm(to, {each.physical for each in made})
    resource = stacks.taken(grant)
    gone = stacks.delete()
    if at_the_end:
        failed = gone
    refused = refusals(recording(to.local), grant, resource) - refusals(before, grant, resource)
    check, why = failed or ("", "")
    return Removal(grant, check, why, refused, time.monotonic() - begun)


def _driven(to: Target, flow: str, checks: _UntilFailure) -> deployment.Failed | None:
    """Drive a flow until a check fails; return which, and what it said."""
    try:
        with contextlib.suppress(_EnoughSeen):
            runner.FLOWS[flow].run(to, checks)
    except Exception as error:  # noqa: BLE001 - before the first check, or between two
        return checks.failed or (BEFORE, str(error))
    return checks.failed


def refusals(recorded: Recording, grant: Grant, resource: str) -> int:
    """Return how often what a grant was for was refused to whoever had it.

    Args:
        recorded: what was decided.
        grant: what was removed.
        resource: ARN of what it would have been for in this deployment, perhaps with wildcards.
    """
    return sum(
        each.count
        for each in recorded.decisions
        if not each.allowed and each.is_like(grant) and matches(resource, each.resource)
    )


def _disarm(to: Target, names: set[str]) -> None:
    """Let no fault of the flow's remain that would strike its next deployment, too."""
    assert to.local is not None  # noqa: S101 - it is a cloud of our own
    for fault in breaking.faults(to.local):
        if fault["containing"] in names:
            breaking.disarm(to.local, fault["target"], containing=fault["containing"])

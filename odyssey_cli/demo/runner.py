"""Runs the demos: own cloud, one synth, one deploy, every flow, teardown."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import psutil

from odyssey_cli import audit, cdk, cloud, paths, target
from odyssey_cli.demo import discovery, event_aggregator, ingest, network, pubsub
from odyssey_cli.demo.checks import Checks, expect
from odyssey_cli.iam.grants import Reader
from odyssey_cli.iam.seen import recording
from odyssey_cli.iam.verdicts import WRONG, Verdict, judge
from odyssey_cli.policy.templates import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from odyssey_cli.iam.grants import Grant
    from odyssey_cli.target import Target


# The check after which flows are driven.
DEPLOYED = "deployed by the CDK's own command line"
NEEDED = "nothing is allowed that was not used"


@dataclass(frozen=True)
class Flow:
    """What a demo deploys, and how it is driven; what the drive made it removes itself."""

    stacks: Sequence[str]
    run: Callable[[Target, Checks], None]


FLOWS = {
    "event-aggregator": Flow(event_aggregator.STACKS, event_aggregator.run),
    "discovery": Flow(discovery.STACKS, discovery.run),
    "pubsub": Flow(pubsub.STACKS, pubsub.run),
    "ingest": Flow(ingest.STACKS, ingest.run),
    "network": Flow(network.STACKS, network.run),
}


def demo(names: Sequence[str], *, keep: bool, step: Callable[[str], None]) -> list[Checks]:
    """Run the named flows on a cloud of their own and return what was checked.

    Args:
        names: names of `FLOWS`.
        keep: leave the cloud and the stacks when done.
        step: told what is going on.

    Raises:
        OdysseyError: the cloud did not start, or nothing could be deployed.
    """
    with own_cloud(keep=keep) as to:
        all_checks = [Checks(name, step) for name in names]
        assembly = deploy(to, all_checks, step)
        drive(to, all_checks)
        if not keep:
            grants = allowed(to, assembly, names)
            destroy(to, assembly, all_checks, step)
            # Helpers of CloudFormation use theirs until then.
            compare(to, grants, all_checks)
        return all_checks


def drive(to: Target, all_checks: Sequence[Checks]) -> None:
    """Drive all flows at once: much of each is waiting."""
    errors: list[BaseException] = []

    def run(checks: Checks) -> None:
        try:
            # A session of its own, because clients may not be made on one from two threads.
            FLOWS[checks.flow].run(replace(to), checks)
        except BaseException as error:  # noqa: BLE001 - raised again where it is seen
            errors.append(error)

    # Daemons, so that Ctrl-C need not wait for them.
    threads = [threading.Thread(target=run, args=(checks,), daemon=True) for checks in all_checks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def remove_leftovers() -> None:
    """End and remove what a killed demo left."""
    for state in paths.STATE.glob(f"{cloud.DEMO_PREFIX}*"):
        owner = state.name.removeprefix(cloud.DEMO_PREFIX)
        kept = (state / cloud.KEPT).exists() and cloud.find(state)
        # Our own number is not in use yet: an earlier process had it.
        is_ours = owner == str(os.getpid())
        is_in_use = owner.isdigit() and psutil.pid_exists(int(owner))
        if is_ours or not (kept or is_in_use):
            cloud.stop(state)
            shutil.rmtree(state, ignore_errors=True)


@contextlib.contextmanager
def own_cloud(*, keep: bool = False) -> Iterator[Target]:
    """Run a cloud of this process's own while the block does, and after it if it is to be kept.

    Raises:
        OdysseyError: it did not start.
    """
    remove_leftovers()
    state = paths.STATE / f"{cloud.DEMO_PREFIX}{os.getpid()}"
    running = cloud.start(state, 0, with_parent=not keep)
    try:
        yield _marked(target.at(running))
        if keep:
            (state / cloud.KEPT).touch()
    finally:
        if not (state / cloud.KEPT).exists():
            cloud.stop(state)
            shutil.rmtree(state, ignore_errors=True)


def _marked(to: Target) -> Target:
    """Mark the CDK's processes as belonging to the demo, for `remove_leftovers`."""
    return replace(to, environment=to.environment | {cloud.MARK: str(to.state)})


def deploy(to: Target, all_checks: Sequence[Checks], step: Callable[[str], None]) -> Path:
    """Deploy what the flows need; return the folder of the cloud assembly."""
    begun = time.monotonic()
    stacks = sorted({stack for checks in all_checks for stack in FLOWS[checks.flow].stacks})
    step("synthesizing and bootstrapping")
    with ThreadPoolExecutor(1) as pool:
        bootstrapped = pool.submit(cdk.bootstrap, to)
        assembly = cdk.synthesize(to)
        bootstrapped.result()
    prepared = time.monotonic() - begun
    audit.record_before(to)
    step("deploying")
    cdk.deploy(to, assembly, stacks)
    seconds = time.monotonic() - begun
    for checks in all_checks:
        with checks.check(DEPLOYED) as check:
            outputs = [to.outputs(stack) for stack in FLOWS[checks.flow].stacks]
            expect(all(outputs), "a stack has no outputs")
            check.detail = f"{seconds:.1f} s, {prepared:.1f} s of it synth and bootstrap"
    return assembly


def destroy(
    to: Target,
    assembly: Path,
    all_checks: Sequence[Checks],
    step: Callable[[str], None],
) -> None:
    """Destroy all stacks, and look at what is left."""
    step("destroying")
    begun = time.monotonic()
    cdk.destroy(to, assembly, [])
    report = audit.audit(to, load(assembly))
    left = [row.thing for row in report.rows if row.verdict is not audit.Verdict.GOING]
    found = audit.figures(report)
    for checks in all_checks:
        with checks.check("destroy leaves nothing") as check:
            expect(report.with_before, "there is no listing from before the deployment")
            expect(not report.unseen, f"not listed: {', '.join(report.unseen)}")
            expect(not report.standing, f"deployed: {', '.join(report.standing)}")
            expect(not left, f"left: {', '.join(map(str, left))}")
            check.detail = (
                f"{time.monotonic() - begun:.1f} s; the audit looked at {found['tried']} resources"
            )


def allowed(to: Target, assembly: Path, names: Sequence[str]) -> list[Grant]:
    """Return what the deployed roles and managed policies of flows allow.

    With all flows every stack is deployed, and those that no flow drives are read, too.
    """
    if set(names) == FLOWS.keys():
        return Reader(to).read(cdk.stacks(assembly))
    return Reader(to).read([stack for name in names for stack in FLOWS[name].stacks])


def compare(to: Target, grants: Sequence[Grant], all_checks: Sequence[Checks]) -> None:
    """Look for permissions that nothing has used, from the deployment to the teardown.

    What a stack allows that no flow drives is everybody's.
    """
    assert to.local is not None  # noqa: S101 - it is a cloud of our own
    recorded = recording(to.local)
    rows = judge(grants, recorded)
    driven = {stack for flow in FLOWS.values() for stack in flow.stacks}
    for checks in all_checks:
        own = [
            row
            for row in rows
            if row.grant.stack in FLOWS[checks.flow].stacks or row.grant.stack not in driven
        ]
        had_failed = not checks.ok
        with checks.check(NEEDED) as check:
            wrong = [row.sentence for row in own if row.verdict in WRONG]
            if wrong and had_failed:
                wrong.append("But another check failed, and may have been the one that needs it.")
            expect(not recorded.left_off, recorded.lacking)
            expect(not wrong, " ".join(wrong))
            verdicts = [row.verdict for row in own if row.grant.stack in driven]
            used = verdicts.count(Verdict.USED)
            check.detail = f"{used} used; {len(verdicts) - used} are not checked locally"

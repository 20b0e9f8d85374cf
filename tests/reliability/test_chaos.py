"""Thousands of events through each flow while its clouds fail; and mutants that must be caught.

`pytest tests/reliability --chaos-seeds 200` runs 200 seeds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from odyssey_cli import paths
from proofs.chaos.run import FLOWS, run, shortest
from tests.reliability.mutants import MUTANTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from proofs.deployed import Deployed
    from tests.reliability.mutants import Mutant

EVENTS = 300
# Enough for every mutant to be seen.
MANY = 400


def test_every_seed_of_every_flow_ends_as_promised(
    deployed: Deployed, chaos_seeds: int, figure: Callable[..., None]
) -> None:
    for flow in FLOWS:
        began, faults, failed = time.perf_counter(), 0, []
        for seed in range(1, chaos_seeds + 1):
            # WHEN
            report = run(flow, deployed, events=EVENTS, seed=seed)
            # THEN
            faults += sum(report.faults.values())
            if not report.is_kept:
                failed.append(report)
        figure(
            proof=f"chaos {flow}",
            cases=chaos_seeds,
            passed=chaos_seeds - len(failed),
            events=chaos_seeds * EVENTS,
            faults=faults,
            seconds=round(time.perf_counter() - began, 1),
        )
        assert faults > chaos_seeds * 10, "hardly anything went wrong"
        assert not failed, "\n".join(
            [
                f"./odyssey chaos {flow} --events {EVENTS} --seed {failed[0].seed}",
                *(f"{each.event} {each.what}" for each in failed[0].violations[:5]),
                *map(str, failed[0].hops[1]),
            ]
        )


@pytest.mark.parametrize(
    ("flow", "mutant"),
    [(flow, mutant) for flow, found in MUTANTS.items() for mutant in found],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_handler_that_breaks_a_promise_is_caught(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, flow: str, mutant: Mutant
) -> None:
    # GIVEN
    mutant(monkeypatch)
    # WHEN
    for seed in range(1, 11):
        report = run(flow, deployed, events=MANY, seed=seed)
        if not report.is_kept:
            break
    # THEN
    assert not report.is_kept
    assert report.violations


def test_a_violation_comes_with_the_shortest_history_of_its_event(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    MUTANTS["event-aggregator"][0](monkeypatch)
    report = run("event-aggregator", deployed, events=MANY, seed=1)
    # WHEN
    smaller = shortest(report, deployed)
    # THEN
    assert not smaller.is_kept
    assert smaller.events < MANY
    name, hops = smaller.hops
    assert name in {each.event for each in smaller.violations}
    assert hops


@pytest.mark.parametrize("flow", FLOWS)
def test_the_same_seed_is_the_same_history_in_another_process(
    deployed: Deployed, flow: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # GIVEN
    file = tmp_path_factory.mktemp("chaos") / "templates.json"
    file.write_text(json.dumps(deployed.templates), encoding="utf-8")
    code = (
        "import json, sys\n"
        "from proofs.chaos.run import run\n"
        "from proofs.deployed import Deployed\n"
        "deployed = Deployed(json.load(open(sys.argv[1])))\n"
        "print(run(sys.argv[2], deployed, events=200, seed=5).digest)\n"
    )
    # WHEN texts have other hashes there, so that sets have another order
    found = {
        subprocess.run(
            [sys.executable, "-c", code, str(file), flow],
            cwd=paths.ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for hash_seed in ("1", "2")
    }
    # THEN
    assert found == {run(flow, deployed, events=200, seed=5).digest}
    assert run(flow, deployed, events=200, seed=6).digest not in found

"""Thousands of events through each flow while its clouds fail; and mutants that must be caught.

`./odyssey test tests/reliability/test_chaos.py -k every_seed` with `--chaos-seeds 200` runs 200
seeds, with `--chaos-events 10000` as many events in each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from odyssey_cli import paths
from proofs.chaos import faults
from proofs.chaos.coverage import PARTS, left_out, missing
from proofs.chaos.history import Violation
from proofs.chaos.run import FLOWS, reduced, run, world_of
from proofs.chaos.world import POISON_EVERY
from tests.reliability.conftest import CHAOS_EVENTS, CHAOS_SEEDS, too_few
from tests.reliability.mutants import CAUGHT_BY, MUTANTS, failures_are_not_reported

if TYPE_CHECKING:
    from collections.abc import Callable

    from proofs.chaos.run import Report
    from proofs.deployed import Deployed
    from tests.reliability.mutants import Mutant

# Events of a run with a mutant.
FEW = 200


@pytest.mark.parametrize("flow", FLOWS)
def test_every_seed_of_every_flow_ends_as_promised(
    deployed: Deployed,
    flow: str,
    chaos_seeds: int,
    chaos_events: int,
    figure: Callable[..., None],
) -> None:
    began, reports = time.perf_counter(), []
    for seed in range(1, chaos_seeds + 1):
        # WHEN
        report = run(flow, deployed, events=chaos_events, seed=seed)
        reports.append(report)
    # THEN
    failed = [report for report in reports if not report.is_kept]
    figure(
        proof=f"chaos {flow}",
        tried=chaos_seeds,
        passed=chaos_seeds - len(failed),
        events=chaos_seeds * chaos_events,
        faults=sum(sum(report.faults.values()) for report in reports),
        poison=sum(report.poison for report in reports),
        killers=sum(report.killers for report in reports),
        seconds=round(time.perf_counter() - began, 1),
    )
    assert not failed, "\n".join(
        [
            f"./odyssey chaos {flow} --events {chaos_events} --seed {failed[0].seed}",
            *(f"{each.event} {each.what}" for each in failed[0].violations[:5]),
            *map(str, failed[0].hops[1]),
        ]
    )
    assert list(missing(flow, reports)) == []


def test_a_flow_of_which_nobody_says_what_must_happen_to_it_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN
    assert PARTS.keys() == FLOWS.keys()
    monkeypatch.delitem(PARTS, "discovery")
    # WHEN
    [found] = missing("discovery", [])
    # THEN
    assert "discovery" in found


def test_what_never_happened_is_missing_by_its_name(deployed: Deployed) -> None:
    # GIVEN so few events that there is no poison
    report = run("event-aggregator", deployed, events=50, seed=1)
    # WHEN the aggregator never met a conflict, and the producer called something else
    report.faults["aggregator", faults.CONFLICT] = 0
    report.calls["producer", "PutEvents"] = 1
    found = list(missing("event-aggregator", [report]))
    # THEN
    assert "aggregator: no transaction conflict" in found
    assert "aggregator: no refused SendMessageBatch" in found
    assert "producer calls PutEvents, unknown to `PARTS`" in found
    assert "aggregator never called SendMessageBatch" in found
    assert "no poison of aggregator: deadly" in found
    assert "no poison of producer: missing-field" in found


@pytest.mark.parametrize("flow", FLOWS)
def test_everything_is_killed_or_it_is_said_why_not(deployed: Deployed, flow: str) -> None:
    # WHEN
    killed = {name for name, part in PARTS[flow].items() if not part.unkilled}
    given = set(world_of(flow, deployed, CHAOS_EVENTS, 1).deadly())
    # THEN what is no function gives up what kills functions
    assert killed == given - {"service"}
    assert all(faults.POISON in PARTS[flow][name].kinds() for name in killed)


def test_a_function_that_consumes_events_and_is_in_no_flow_is_found(deployed: Deployed) -> None:
    # GIVEN
    worlds = {flow: world_of(flow, deployed, 1, 1) for flow in FLOWS}
    assert list(left_out(deployed, worlds)) == []
    # WHEN a flow is forgotten
    for flow, functions in {
        "event-aggregator": {"event_aggregator.aggregator"},
        "discovery": {"discovery.updater"},
        "pubsub": {"pubsub.multiplier", "pubsub.word_logger"},
        "ingest": {
            "consumer.responder",
            "ingest.emitter",
            "ingest.storer",
            "ingest.transformer",
        },
    }.items():
        others = {name: world for name, world in worlds.items() if name != flow}
        found = {each.partition(".handler ")[0] for each in left_out(deployed, others)}
        # THEN
        assert found == functions


@pytest.mark.parametrize(
    ("seeds", "events", "problem"),
    [
        (CHAOS_SEEDS, CHAOS_EVENTS, ""),
        (1, CHAOS_SEEDS * CHAOS_EVENTS, ""),
        (200, 6, "in each seed"),
        (200, CHAOS_EVENTS - 1, "in each seed"),
        (CHAOS_SEEDS - 1, CHAOS_EVENTS, "in all seeds"),
    ],
)
def test_so_few_events_that_they_lack_something_are_refused(
    seeds: int, events: int, problem: str
) -> None:
    assert problem in too_few(seeds, events)
    assert bool(problem) == bool(too_few(seeds, events))


@pytest.mark.parametrize("flow", FLOWS)
def test_three_seeds_in_a_row_have_every_kind_of_poison(deployed: Deployed, flow: str) -> None:
    for first in (1, 2, 3, 50):
        # WHEN
        bad: Counter[tuple[str, str]] = Counter()
        for seed in range(first, first + CHAOS_SEEDS):
            world = world_of(flow, deployed, CHAOS_EVENTS, seed)
            names = [world.make_bad(place) for place in range(CHAOS_EVENTS // POISON_EVERY)]
            bad.update(world.bad())
            # THEN
            assert len(world.poison) + len(world.killers) == len(set(names)) == len(names)
            assert len(world.killers) == 1
        assert len(bad) == len(world.kinds()) + len(world.deadly())
        assert all(bad.values())


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
    seeds = range(1, CHAOS_SEEDS + 1)
    for seed in sorted(seeds, key=lambda each: each != CAUGHT_BY.get(mutant, 1)):
        report = run(flow, deployed, events=FEW, seed=seed)
        if not report.is_kept:
            break
    # THEN
    assert not report.is_kept


def test_a_violation_comes_with_a_short_history_of_its_event(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    failures_are_not_reported(monkeypatch)
    report = run("event-aggregator", deployed, events=FEW, seed=1)
    # WHEN
    smaller = reduced(report, deployed)
    # THEN
    assert not smaller.is_kept
    assert smaller.events < FEW
    name, hops = smaller.hops
    assert name in {each.event for each in smaller.violations}
    assert hops
    # THEN it is a run that anybody can have again
    again = run("event-aggregator", deployed, events=smaller.events, seed=1)
    assert again.digest == smaller.digest


@pytest.mark.parametrize(
    ("broken", "found", "tried"),
    [
        ({400, 200, 100}, 100, [200, 100, 50, 75, 87, 93]),
        ({400, 10}, 400, [200, 300, 350]),
        ({400}, 400, [200, 300, 350]),
        ({2, 1}, 1, [1]),
    ],
    ids=["halves", "a shorter one is not seen", "there is none", "of two"],
)
def test_a_shorter_run_is_looked_for_by_bisection(
    deployed: Deployed,
    monkeypatch: pytest.MonkeyPatch,
    broken: set[int],
    found: int,
    tried: list[int],
) -> None:
    # GIVEN
    report = run("event-aggregator", deployed, events=1, seed=7)
    asked: list[int] = []

    def pretended(flow: str, _deployed: Deployed, *, events: int, seed: int) -> Report:
        assert (flow, seed) == ("event-aggregator", 7)
        asked.append(events)
        return replace(report, events=events, violations=wrong if events in broken else [])

    wrong = [Violation("event-0", "is lost")]
    monkeypatch.setattr("proofs.chaos.run.run", pretended)
    # WHEN
    smaller = reduced(replace(report, events=max(broken), violations=wrong), deployed)
    # THEN
    assert (smaller.events, smaller.violations) == (found, wrong)
    assert asked == tried


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

"""`./odyssey demo` as its users see it, killed at any moment and run again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from odyssey_cli import cloud, paths
from odyssey_cli.demo.runner import NEEDED

if TYPE_CHECKING:
    import psutil

CHECKS = {"event-aggregator": 13, "discovery": 11, "pubsub": 19, "ingest": 12, "network": 11}


def demo(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(paths.ROOT / "odyssey"), "demo", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def leftovers(demo_pid: int) -> list[psutil.Process]:
    return cloud.processes(paths.STATE / f"demo-{demo_pid}")


def wait_until_gone(demo_pid: int, seconds: float = 60) -> list[psutil.Process]:
    # The CDK's command line tries a cloud that is gone seven times before it ends, in 38 s.
    until = time.monotonic() + seconds
    while (left := leftovers(demo_pid)) and time.monotonic() < until:
        time.sleep(0.1)
    return left


@pytest.mark.parametrize("moment", [0.3, 2.5, 9.0])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda number: number.name)
def test_a_demo_killed_at_any_moment_leaves_no_process(number: int, moment: float) -> None:
    # GIVEN a demo under way
    process = demo()
    time.sleep(moment)

    # WHEN it is killed
    process.send_signal(number)
    _, said = process.communicate(timeout=30)

    # THEN nothing of it runs on, and there is no traceback
    assert wait_until_gone(process.pid) == []
    assert process.returncode in {-number, 128 + number}
    assert "Traceback" not in said


def test_a_demo_verifies_every_check_after_an_earlier_one_was_killed() -> None:
    # GIVEN a demo that was killed while its cloud ran
    killed = demo()
    time.sleep(4)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()

    # WHEN another runs
    process = demo("--json")
    answer, said = process.communicate(timeout=400)

    # THEN it verifies everything, prints only JSON on stdout, and cleans up after both
    flows = [json.loads(line) for line in answer.splitlines()]
    assert [each for flow in flows for each in flow["checks"] if not each["ok"]] == []
    assert process.returncode == 0, said
    for flow in flows:
        assert flow.keys() == {"flow", "ok", "seconds", "checks"}
        assert flow["ok"] is True
        assert all(check.keys() == {"name", "ok", "detail"} for check in flow["checks"])
    assert {flow["flow"]: len(flow["checks"]) for flow in flows} == CHECKS
    # Of each flow something was really seen to be used.
    seen = {flow["flow"]: flow["checks"][-1] for flow in flows}
    assert {check["name"] for check in seen.values()} == {NEEDED}
    assert all(int(check["detail"].partition(" ")[0]) > 0 for check in seen.values())
    assert wait_until_gone(process.pid) == []
    assert list(paths.STATE.glob(f"demo-{killed.pid}")) == []
    assert list(paths.STATE.glob(f"demo-{process.pid}")) == []


def test_an_unknown_flow_is_refused_with_the_known_ones() -> None:
    process = demo("event-agregator")
    _, said = process.communicate(timeout=30)

    assert process.returncode == 1
    assert "There is no flow 'event-agregator'." in said
    assert "event-aggregator" in said

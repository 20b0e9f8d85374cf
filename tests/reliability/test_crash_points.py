"""Every function and every command that sends dies in each of its calls, and nothing is lost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from odyssey_cli import paths
from proofs.crash_points import crash, entry_points, points
from tests.reliability.batches import HANDLERS
from tests.reliability.command_batches import COMMANDS
from tests.reliability.mutants import marker_without_condition

if TYPE_CHECKING:
    from collections.abc import Callable

    from proofs.deployed import Deployed

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


def test_every_function_has_a_representative_batch(deployed: Deployed) -> None:
    found = entry_points(paths.ROOT / "lambda_src") | set(deployed.handlers())
    assert found - HANDLERS.keys() == set(), "has no batch in tests/reliability/batches.py"
    assert HANDLERS.keys() - found == set(), "is no function any more"


@pytest.mark.parametrize("name", [*HANDLERS, *COMMANDS])
def test_it_dies_in_every_call_and_all_is_as_if_nothing_had_happened(
    request: pytest.FixtureRequest, figure: Callable[..., None], name: str
) -> None:
    # GIVEN
    began = time.perf_counter()
    batch = (HANDLERS | COMMANDS)[name](request)
    found = list(points(batch))
    assert found, "it makes no call"
    failed = []
    # WHEN
    for point in found:
        try:
            crash(batch, point)
        except AssertionError as error:
            failed.append(f"{name} {point}: {error}")
    # THEN
    figure(
        f"crash points {name}",
        tried=len(found),
        passed=len(found) - len(failed),
        seconds=time.perf_counter() - began,
    )
    assert failed == []


def test_a_promise_that_is_broken_is_seen(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a responder that counts whatever comes again
    marker_without_condition(monkeypatch)
    batch = HANDLERS["consumer.responder"](request)
    # THEN even without a crash
    with pytest.raises(AssertionError):
        list(points(batch))

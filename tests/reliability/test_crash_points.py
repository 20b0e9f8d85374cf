"""Every function and every command that sends dies in each of its calls, and nothing is lost."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from consumer import triggering
from odyssey_cli import paths
from proofs.crash_points import Batch, Point, again, crash, entry_points, points
from proofs.fakes.dynamodb import FakeDynamoDB
from proofs.fakes.faults import NO_ANSWER, REFUSED, Crash
from tests.reliability.batches import HANDLERS
from tests.reliability.command_batches import COMMANDS
from tests.reliability.mutants import marker_without_condition, not_announced_again

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


@pytest.mark.parametrize("name", HANDLERS)
def test_each_of_its_calls_fails_and_all_is_as_if_nothing_had_happened(
    request: pytest.FixtureRequest, name: str
) -> None:
    # GIVEN
    batch = HANDLERS[name](request)
    failed = []
    # WHEN a call is refused, or its answer is lost
    for point in list(points(batch, (REFUSED, NO_ANSWER))):
        try:
            crash(batch, point)
        except AssertionError as error:
            failed.append(f"{name} {point}: {error}")
    # THEN
    assert failed == []


def broken_by_crashes(batch: Batch) -> list[str]:
    """Return the points at which a promise is broken; without a crash all are kept."""
    broken = []
    for point in list(points(batch)):
        try:
            crash(batch, point)
        except AssertionError:
            broken.append(str(point))
    return broken


def test_a_promise_that_is_broken_without_a_crash_is_seen(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a responder that counts whatever comes again
    batch = HANDLERS["consumer.responder"](request)
    marker_without_condition(monkeypatch)
    # THEN
    with pytest.raises(AssertionError):
        list(points(batch))


def test_what_is_marked_before_it_is_sent_is_seen_only_where_it_dies_in_between(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a trigger that takes an event for queued when its request is recorded
    record, queue, is_new = triggering.record, triggering.queue, [True]

    def recorded(*arguments: Any, **options: Any) -> bool:
        is_new[:] = [record(*arguments, **options)]
        return is_new[0]

    def queued(*arguments: Any, **options: Any) -> None:
        if is_new[0]:
            queue(*arguments, **options)

    monkeypatch.setattr(triggering, "record", recorded)
    monkeypatch.setattr(triggering, "queue", queued)
    # THEN
    found = broken_by_crashes(HANDLERS["consumer.trigger"](request))
    assert found == ["after call 1", "before call 2"]


def test_what_is_announced_once_only_is_seen_where_it_dies_in_between(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    not_announced_again(monkeypatch)
    assert broken_by_crashes(HANDLERS["discovery.updater"](request))


def test_what_counts_before_it_is_marked_is_seen_where_it_dies_in_between(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an aggregator that looks for markers, but writes them after the sums, not with them
    whole = FakeDynamoDB.transact_write_items

    def in_two_parts(client: FakeDynamoDB, *, TransactItems: list[Any]) -> Any:  # noqa: N803
        sums = [each for each in TransactItems if "Update" in each]
        markers = [each for each in TransactItems if "Put" in each]
        names = [each["Put"]["Item"]["id"]["S"] for each in markers]
        is_new = client.tables["processed"].keys().isdisjoint(names)
        for part in (sums, markers) if is_new else (TransactItems,):
            whole(client, TransactItems=part)
        return {}

    monkeypatch.setattr(FakeDynamoDB, "transact_write_items", in_two_parts)
    # THEN
    assert broken_by_crashes(HANDLERS["event_aggregator.aggregator"](request))


def put(clouds: FakeDynamoDB, name: str) -> None:
    clouds.put_item(TableName="table", Item={"id": {"S": name}})


def of_one_process(act: Callable[[FakeDynamoDB], None], expected: set[str]) -> Batch:
    """Return a batch of a process that is tried until it does not die."""
    clouds = [FakeDynamoDB.with_tables("table")]

    def start_over() -> None:
        clouds[:] = [FakeDynamoDB.with_tables("table")]

    def check() -> None:
        assert clouds[0].tables["table"].keys() == expected

    return Batch(
        start_over, lambda: clouds[0], lambda: again(lambda: act(clouds[0]), clouds[0]), check
    )


def test_who_relies_on_cleaning_up_after_its_death_is_seen() -> None:
    # GIVEN a process that lets nobody work while it holds a lock
    def act(clouds: FakeDynamoDB) -> None:
        table = clouds.tables["table"]
        if table.get("lock", {}).get("held"):
            return
        clouds.put_item(TableName="table", Item={"id": {"S": "lock"}, "held": {"BOOL": True}})
        try:
            put(clouds, "effect")
        finally:
            put(clouds, "lock")

    # THEN what it would do to clean up has no effect
    assert broken_by_crashes(of_one_process(act, {"lock", "effect"})) == [
        "after call 1",
        "before call 2",
    ]


def test_what_a_dead_process_tries_has_no_effect_until_the_next_one_begins() -> None:
    # GIVEN a process that would do harm when it cleans up: nobody works after its mark
    def act(clouds: FakeDynamoDB) -> None:
        if "mark" in clouds.tables["table"]:
            return
        try:
            put(clouds, "effect")
        finally:
            put(clouds, "mark")

    # THEN it does none
    assert broken_by_crashes(of_one_process(act, {"mark", "effect"})) == []


def test_whoever_does_not_say_that_a_process_begins_has_none_that_lives() -> None:
    # GIVEN a batch that forgets it
    batch = of_one_process(partial(put, name="effect"), {"effect"})
    silent = replace(batch, deliver=partial(_until_it_lives, lambda: put(batch.clouds(), "effect")))
    # THEN
    with pytest.raises(AssertionError, match="never lived"):
        crash(silent, Point(1, "before", is_repeated=False))


def _until_it_lives(act: Callable[[], object]) -> None:
    for _ in range(5):
        with contextlib.suppress(Crash):
            act()
            return
    raise AssertionError("it never lived")


def test_a_point_at_which_nothing_dies_is_seen() -> None:
    batch = of_one_process(partial(put, name="effect"), {"effect"})
    with pytest.raises(AssertionError, match="nothing died or failed after call 2"):
        crash(batch, Point(2, "after", is_repeated=False))

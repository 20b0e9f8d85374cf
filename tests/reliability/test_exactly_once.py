"""Whatever call a process dies in, redelivery brings the tables to where a clean run ends."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from proofs.fakes import faults
from proofs.fakes.dynamodb import Call, cancellation, refusal
from tests.builders import stored_event, trigger
from tests.reliability.conftest import Functions, Item

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Tables = dict[str, dict[str, Item]]
# A read and three transactions: enough for every kind of call to be first, middle and last.
BATCH, GROUPS, CALLS = 250, 7, 4
KEYS = [f"key-{number}" for number in range(3)]


def batch(size: int = BATCH, groups: int = GROUPS, seed: int = 1) -> list[Item]:
    """Return stored events, out of order in time."""
    generator = random.Random(seed)  # noqa: S311
    return [
        stored_event(n, group=n % groups, at=f"12:{generator.randrange(60):02}:00.{n:06}")
        for n in range(size)
    ]


def poisoned(items: Sequence[Item], every: int = 20) -> list[Item]:
    """Return `items` with records among them that can never count."""
    bad = {number: {"id": items[number]["id"]} for number in range(every // 2, len(items), every)}
    return [bad.get(number, item) for number, item in enumerate(items)]


def clean_run(functions: Functions, items: Sequence[Item]) -> Tables:
    """Return the tables after `items` came once and nothing failed; leaves empty tables."""
    assert not functions.aggregate(items)
    tables = functions.dynamodb.tables
    functions.start_over()
    return tables


def whole(functions: Functions, items: Sequence[Item]) -> None:
    """Deliver, from the first failure on, until all is handled."""
    for _ in range(20):
        items = functions.aggregate(items)
        if not items:
            return
    raise AssertionError("never handled")


def bisected(functions: Functions, items: Sequence[Item]) -> None:
    """Deliver in halves, as a stream with BisectBatchOnFunctionError does, and theirs."""
    for half in (items[: len(items) // 2], items[len(items) // 2 :]):
        if half and (left := functions.aggregate(half)):
            bisected(functions, left) if len(left) > 1 else whole(functions, left)


pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
REDELIVERIES = pytest.mark.parametrize("redeliver", [whole, bisected])
SIDES = pytest.mark.parametrize("side", ["before", "after"])


def test_a_clean_run_makes_the_calls_that_are_failed_here(functions: Functions) -> None:
    functions.aggregate(batch())
    operations = [call.operation for call in functions.dynamodb.calls]
    assert operations == ["BatchGetItem", *["TransactWriteItems"] * (CALLS - 1)]


@REDELIVERIES
@SIDES
@pytest.mark.parametrize("number", range(1, CALLS + 1))
def test_the_aggregator_dies_in_any_call_and_each_event_counts_once(
    functions: Functions, number: int, side: str, redeliver: Callable[..., None]
) -> None:
    # GIVEN
    items = batch()
    clean = clean_run(functions, items)
    setattr(functions.dynamodb, side, faults.crash_at(number))
    # WHEN it dies in that call, and the batch comes again
    left = functions.aggregate(items)
    assert left
    redeliver(functions, left)
    # THEN
    assert functions.dynamodb.tables == clean


@SIDES
def test_the_aggregator_dies_in_every_call_of_every_delivery_but_the_last(
    functions: Functions, side: str
) -> None:
    # GIVEN
    items = batch()
    clean = clean_run(functions, items)
    # WHEN each delivery gets one call further than the one before, for two rounds
    for number in [*range(1, CALLS + 1)] * 2:
        setattr(functions.dynamodb, side, faults.crash_at(len(functions.dynamodb.calls) + number))
        functions.aggregate(items)
    setattr(functions.dynamodb, side, lambda _call: None)
    whole(functions, items)
    # THEN
    assert functions.dynamodb.tables == clean


@REDELIVERIES
@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException"])
@pytest.mark.parametrize("number", range(1, CALLS + 1))
def test_a_call_that_is_refused_loses_and_doubles_nothing(
    functions: Functions, number: int, code: str, redeliver: Callable[..., None]
) -> None:
    # GIVEN
    items = batch()
    clean = clean_run(functions, items)

    def refuse(call: Call) -> None:
        if call.number == number:
            raise refusal(code, call.operation)

    functions.dynamodb.before = refuse
    # WHEN
    left = functions.aggregate(items)
    assert left
    redeliver(functions, left)
    # THEN
    assert functions.dynamodb.tables == clean


@REDELIVERIES
@SIDES
@pytest.mark.parametrize("number", range(1, CALLS + 3))
def test_records_that_can_never_count_reach_the_rejects_queue_whatever_dies(
    functions: Functions, number: int, side: str, redeliver: Callable[..., None]
) -> None:
    # GIVEN a batch with twelve such records, which take two calls to reject
    items = poisoned(batch())
    impossible = [item["id"]["S"] for item in items if "group" not in item]
    clean = clean_run(functions, items)
    setattr(functions.dynamodb, side, faults.crash_at(number))
    # WHEN
    assert functions.aggregate(items) == items
    redeliver(functions, items)
    # THEN
    assert functions.dynamodb.tables == clean
    assert set(functions.rejected) == set(impossible)
    # Two calls cannot be one: a process that dies after the first sends it again.
    in_between = number > CALLS + (side == "before")
    assert in_between or sorted(functions.rejected) == sorted(impossible)


@REDELIVERIES
def test_a_group_that_cannot_count_for_a_while_loses_nothing_and_rejects_nothing_twice(
    functions: Functions, redeliver: Callable[..., None]
) -> None:
    # GIVEN
    items = poisoned(batch())
    clean = clean_run(functions, items)
    blocked = {"id": {"S": f"{3:064x}"}}

    def refuse(call: Call) -> None:
        verdicts = [
            "ValidationError" if action.get("Update", {}).get("Key") == blocked else "None"
            for action in call.arguments.get("TransactItems", [])
        ]
        if "ValidationError" in verdicts:
            raise cancellation(verdicts)

    functions.dynamodb.before = refuse
    # WHEN it is tried a few times, and then mended
    left: Sequence[Item] = items
    for _ in range(3):
        left = functions.aggregate(left)
        assert left
    functions.dynamodb.before = lambda _call: None
    redeliver(functions, left)
    # THEN
    assert functions.dynamodb.tables == clean
    assert len(functions.rejected) == len(set(functions.rejected)) == 12


def test_anything_may_go_wrong_in_any_order(functions: Functions, seed: int) -> None:
    for round_seed in range(seed, seed + 25):
        generator = random.Random(round_seed)  # noqa: S311
        items = poisoned(batch(generator.randint(1, 300), generator.randint(1, 60), round_seed))
        impossible = {item["id"]["S"] for item in items if "group" not in item}
        clean = clean_run(functions, items)
        # GIVEN a DynamoDB that fails a quarter of its calls, on either side of the effect
        functions.dynamodb.before = sometimes(generator)
        functions.dynamodb.after = sometimes(generator)
        # WHEN the stream brings the batch in pieces, until each was handled
        pieces = split(generator, items)
        while pieces:
            piece = pieces.pop(generator.randrange(len(pieces)))
            if left := functions.aggregate(piece):
                pieces += split(generator, left)
        # THEN
        assert functions.dynamodb.tables == clean, f"round seed {round_seed}"
        assert set(functions.rejected) == impossible, f"round seed {round_seed}"
        functions.start_over()


def sometimes(generator: random.Random) -> Callable[[Call], None]:
    """Return a hook that fails one call in eight."""

    def hook(call: Call) -> None:
        if generator.random() < 0.125:
            raise generator.choice([faults.Crash(), refusal("ThrottlingException", call.operation)])

    return hook


def split(generator: random.Random, items: Sequence[Item]) -> list[Sequence[Item]]:
    """Return `items` in two parts, or whole."""
    if len(items) > 1 and generator.random() < 0.5:
        middle = generator.randrange(1, len(items))
        return [items[:middle], items[middle:]]
    return [items]


@SIDES
def test_from_request_to_summary_a_crash_at_every_step_counts_each_event_once(
    functions: Functions, side: str
) -> None:
    # GIVEN a producer that dies once for each request, and its client that repeats
    for number, key in enumerate([*KEYS, *KEYS]):
        calls = len(functions.dynamodb.calls)
        setattr(functions.dynamodb, side, faults.crash_at(calls + 1))
        request = trigger({"group": number % 2}, key=f"{key} {number}".replace(" ", "-"))
        assert functions.produce(request) is None
        assert functions.produce(request) is not None
    # WHEN the aggregator dies in each of its two calls
    items = list(functions.dynamodb.tables["events"].values())
    for number in (1, 2):
        calls = len(functions.dynamodb.calls)
        setattr(functions.dynamodb, side, faults.crash_at(calls + number))
        assert functions.aggregate(items) == items
    assert functions.aggregate(items) == []
    # THEN
    summaries = functions.dynamodb.tables["summaries"].values()
    counts = {item["group_label"]["S"]: item["item_count"]["N"] for item in summaries}
    assert counts == {'{"group":0}': "3", '{"group":1}': "3"}

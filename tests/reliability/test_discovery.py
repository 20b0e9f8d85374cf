"""Whatever call the updater dies in, each item is updated once and announced at least once."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from proofs.fakes import faults
from proofs.fakes.dynamodb import Call, refusal
from proofs.fakes.faults import Death
from shared import times
from tests.discovery import NOON, item, item_id, record, uploaded
from tests.reliability.discovery import UPDATED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.reliability.discovery import Discovery, Record

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
# Ten messages: eight items, of which one is announced twice, and one message that is no good.
ITEMS, CALLS = 8, 11
UNKNOWN, TWICE = 99, 3
SIDES = pytest.mark.parametrize("side", ["before", "after"])
NUMBERS = pytest.mark.parametrize("number", range(1, CALLS + 1))


def batch() -> list[Record]:
    numbers = [1, 2, 3, UNKNOWN, 4, 5, TWICE, 6, 7, 8]
    return [record(f"m{place}", uploaded(number)) for place, number in enumerate(numbers)]


def whole(discovery: Discovery, records: Sequence[Record]) -> None:
    for _ in range(20):
        records = discovery.update(records)
        if not records:
            return
    raise AssertionError("never handled")


def reversed_order(discovery: Discovery, records: Sequence[Record]) -> None:
    whole(discovery, list(reversed(records)))


def one_by_one(discovery: Discovery, records: Sequence[Record]) -> None:
    for each in records:
        whole(discovery, [each])


def in_other_batches(discovery: Discovery, records: Sequence[Record]) -> None:
    whole(discovery, records[1::2])
    whole(discovery, records[::2])


REDELIVERIES = pytest.mark.parametrize(
    "redeliver", [whole, reversed_order, one_by_one, in_other_batches]
)


@pytest.fixture(autouse=True)
def stored(discovery: Discovery) -> None:
    discovery.store(range(1, ITEMS + 1))


def expect_all_updated(discovery: Discovery, moments: set[str] | None = None) -> None:
    """Check every item, announcement and reject; updates took place at noon or at `moments`."""
    assert discovery.items.keys() == {item_id(n) for n in range(1, ITEMS + 1)}
    for number in range(1, ITEMS + 1):
        found = discovery.items[item_id(number)]
        moment = found["updated_at"]
        assert found == item(number, version=2, updated_at=moment)
        assert moment["S"] in (moments or {times.rfc3339(NOON)})
    assert discovery.announced.keys() == discovery.items.keys()
    assert discovery.rejected.keys() == {"m3"}


def test_a_clean_run_makes_the_calls_that_are_failed_here(discovery: Discovery) -> None:
    assert discovery.update(batch()) == []
    operations = [call.operation for call in discovery.dynamodb.calls]
    assert operations == [*["UpdateItem"] * 10, *["SendMessageBatch"] * 2]
    expect_all_updated(discovery)
    assert set(discovery.announced.values()) == {1}


@REDELIVERIES
@SIDES
@pytest.mark.parametrize("number", range(1, CALLS + 2))
def test_the_updater_dies_in_any_call_and_every_item_is_updated_once(
    discovery: Discovery, number: int, side: str, redeliver: Callable[..., None]
) -> None:
    # WHEN it dies in that call, and all messages come again
    with Death(discovery.dynamodb, number, side) as death:
        discovery.update(batch())
    assert death.came
    redeliver(discovery, batch())
    # THEN
    expect_all_updated(discovery)


@SIDES
@NUMBERS
def test_an_item_keeps_the_time_of_its_one_update(
    discovery: Discovery, monkeypatch: pytest.MonkeyPatch, number: int, side: str
) -> None:
    # GIVEN an updater that died at noon
    with Death(discovery.dynamodb, number, side):
        discovery.update(batch())
    then = {key: value["updated_at"]["S"] for key, value in discovery.items.items()}
    # WHEN the messages come again, and once more
    later = [NOON + timedelta(hours=hours) for hours in (1, 2)]
    for moment in later:
        monkeypatch.setattr(times, "now", lambda moment=moment: moment)
        whole(discovery, batch())
    # THEN what was updated at noon still is, the rest was at the first of these times
    noon, first = times.rfc3339(NOON), times.rfc3339(later[0])
    expect_all_updated(discovery, {noon, first})
    for key, value in discovery.items.items():
        assert value["updated_at"]["S"] == (noon if then[key] == noon else first)
    # AND every announcement carries that time
    assert len({each["body"] for each in discovery.sent(UPDATED)}) == ITEMS


@SIDES
def test_the_updater_dies_in_every_call_of_every_delivery_but_the_last(
    discovery: Discovery, side: str
) -> None:
    for number in [*range(1, CALLS + 2)] * 2:
        with Death(discovery.dynamodb, number, side):
            discovery.update(batch())
    whole(discovery, batch())
    expect_all_updated(discovery)


@REDELIVERIES
@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDenied"])
@pytest.mark.parametrize("number", range(1, CALLS + 2))
def test_a_call_that_is_refused_loses_and_doubles_nothing(
    discovery: Discovery, number: int, code: str, redeliver: Callable[..., None]
) -> None:
    # GIVEN
    def refuse(call: Call) -> None:
        if call.number == number:
            raise refusal(code, call.operation)

    discovery.dynamodb.before = refuse
    # WHEN only what was reported comes again
    left = discovery.update(batch())
    assert left
    redeliver(discovery, left)
    # THEN
    expect_all_updated(discovery)


@REDELIVERIES
@SIDES
@NUMBERS
def test_a_call_without_an_answer_loses_and_doubles_nothing(
    discovery: Discovery, number: int, side: str, redeliver: Callable[..., None]
) -> None:
    # GIVEN the first call from this one on that has an effect
    silent: list[Call] = []

    def lose(call: Call) -> None:
        if call.number >= number and not silent:
            silent.append(call)
            raise ReadTimeoutError(endpoint_url="https://aws")

    setattr(discovery.dynamodb, side, lose)
    # WHEN only what was reported comes again
    left = discovery.update(batch())
    assert left
    redeliver(discovery, left)
    # THEN
    expect_all_updated(discovery)


def test_anything_may_go_wrong_in_any_order(discovery: Discovery, seed: int) -> None:
    for round_seed in range(seed, seed + 40):
        generator = random.Random(round_seed)  # noqa: S311
        discovery.start_over()
        discovery.store(range(1, ITEMS + 1))
        # GIVEN messages, some of them twice, and clouds that fail a quarter of their calls
        messages = batch() + [
            record(f"again {number}", uploaded(generator.randint(1, ITEMS))) for number in range(9)
        ]
        discovery.dynamodb.before = sometimes(generator)
        discovery.dynamodb.after = sometimes(generator)
        # WHEN the queue brings them in any order, in batches of any size, until each was handled
        for _ in range(1_000):
            generator.shuffle(messages)
            size = generator.randint(1, 10)
            messages = discovery.update(messages[:size]) + messages[size:]
            if not messages:
                break
        # THEN
        assert not messages, f"round seed {round_seed}"
        try:
            expect_all_updated(discovery)
        except AssertionError as error:
            raise AssertionError(f"round seed {round_seed}") from error


def sometimes(generator: random.Random) -> Callable[[Call], None]:
    """Return a hook that fails one call in eight."""

    def hook(call: Call) -> None:
        if generator.random() < 0.125:
            failures: list[Any] = [faults.Crash(), refusal("ThrottlingException", call.operation)]
            raise generator.choice(failures)

    return hook

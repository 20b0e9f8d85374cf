"""Delivery of a shard: what the function is sent, and what becomes of the records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from local_cloud.delivery import (
    FOREVER,
    RETRIES_EXHAUSTED,
    Outcome,
    Record,
    Shard,
    StreamSettings,
)
from local_cloud.redelivery import PretendClock, deliver
from tests.conformance.pages import (
    BATCH_SIZE,
    BATCHING,
    DYNAMODB,
    DYNAMODB_DISCARDED,
    DYNAMODB_PARAMETERS,
    DYNAMODB_PARTIAL,
    FILTERING,
    Page,
)
from tests.conformance.sources import (
    ARRIVED,
    failures,
    first_answers,
    numbers,
    raises_on,
    raises_times,
    record,
    reports,
    succeeds,
)

if TYPE_CHECKING:
    from tests.conformance.sources import Function


def settings(**more: object) -> StreamSettings:
    """Return settings that give up at once, so that a case that retries has to say so."""
    return StreamSettings(**{"retries": 0, **more})  # type: ignore[arg-type]


@dataclass(frozen=True)
class Case:
    """What a function does with records, and what it is therefore sent.

    Attributes:
        given_up: The condition, the records, and how often exactly these were sent.
    """

    says: str
    page: Page
    records: list[int]
    function: Function
    sent: list[list[int]]
    settings: StreamSettings = field(default_factory=settings)
    given_up: list[tuple[str, list[int], int]] = field(default_factory=list)


def exhausted(*records: int, invokes: int = 1) -> tuple[str, list[int], int]:
    return (RETRIES_EXHAUSTED, list(records), invokes)


CASES = [
    Case(
        "a batch has at most the batch size",
        BATCH_SIZE, [1, 2, 3, 4, 5], succeeds, [[1, 2], [3, 4], [5]], settings(batch_size=2),
    ),
    Case(
        "a batch size of 100 is the default",
        DYNAMODB_PARAMETERS, list(range(101)), succeeds, [list(range(100)), [100]],
    ),
    Case(
        "records that do not match the filter count as processed",
        FILTERING, [1, -2, 3, -4], succeeds, [[1, 3]],
    ),
    Case(
        "the filter decides which records a batch is filled with",
        FILTERING, [1, -2, 3, -4, 5], succeeds, [[1, 3], [5]], settings(batch_size=2),
    ),
    Case("without a match nothing is invoked", FILTERING, [-1, -2], succeeds, []),
    Case(
        "a failed batch is sent again, whole",
        DYNAMODB, [1, 2], raises_times(2), [[1, 2], [1, 2], [1, 2]], settings(retries=2),
    ),
    Case(
        "a failed batch holds back what comes after it",
        DYNAMODB, [1, 2, 3], raises_on(1), [[1, 2], [1, 2], [3]],
        settings(batch_size=2, retries=1), [exhausted(1, 2, invokes=2)],
    ),
    Case(
        "no retry is an answer too",
        DYNAMODB_DISCARDED, [1], raises_on(1), [[1]], given_up=[exhausted(1)],
    ),
    Case(
        "retries are unlimited by default",
        DYNAMODB_PARAMETERS, [1], raises_times(50), [[1]] * 51, StreamSettings(),
    ),
    Case(
        "a failed batch is split in two until the bad record is alone",
        DYNAMODB_DISCARDED, [1, 2, 3, 4], raises_on(3),
        [[1, 2, 3, 4], [1, 2], [3, 4], [3], [4]],
        settings(bisect=True), [exhausted(3)],
    ),
    Case(
        "splitting does not consume the retry quota",
        DYNAMODB_DISCARDED, [1, 2, 3, 4], raises_on(3),
        [[1, 2, 3, 4], [1, 2], [3, 4], [3], [3], [3], [4]],
        settings(bisect=True, retries=2), [exhausted(3, invokes=3)],
    ),
    Case(
        "without bisect the records beside the bad one are given up with it",
        DYNAMODB_DISCARDED, [1, 2, 3], raises_on(2), [[1, 2, 3]],
        given_up=[exhausted(1, 2, 3)],
    ),
    Case(
        "splitting keeps the order",
        DYNAMODB, [1, 2, 3], raises_times(1), [[1, 2, 3], [1, 2], [3]], settings(bisect=True),
    ),
    Case(
        "a partial batch response goes on from the reported record",
        DYNAMODB_PARTIAL, [1, 2, 3, 4], first_answers(failures(str(10**20 + 3))),
        [[1, 2, 3, 4], [3, 4]], settings(report_failures=True),
    ),
    Case(
        "of several reported records the lowest is the checkpoint",
        DYNAMODB_PARTIAL, [1, 2, 3, 4],
        first_answers(failures(str(10**20 + 4), str(10**20 + 2))),
        [[1, 2, 3, 4], [2, 3, 4]], settings(report_failures=True),
    ),
    Case(
        "what was processed before the checkpoint is never given up",
        DYNAMODB_PARTIAL, [1, 2, 3], reports(2), [[1, 2, 3], [2, 3], [2, 3]],
        settings(report_failures=True, retries=1), [exhausted(2, 3, invokes=2)],
    ),
    Case(
        "bisect splits at the reported record and retries only what remains",
        DYNAMODB_PARTIAL, [1, 2, 3, 4, 5], reports(3),
        [[1, 2, 3, 4, 5], [3, 4, 5], [3, 4, 5]],
        settings(report_failures=True, bisect=True, retries=1), [exhausted(3, 4, 5, invokes=2)],
    ),
    Case(
        "a function error is bisected whatever the reporting is set to",
        DYNAMODB_PARTIAL, [1, 2], raises_on(2), [[1, 2], [1], [2]],
        settings(report_failures=True, bisect=True), [exhausted(2)],
    ),
    Case(
        "a report is ignored by a mapping that did not ask for it",
        DYNAMODB_PARTIAL, [1, 2], reports(1), [[1, 2]],
    ),
    Case(
        "a blank identifier fails the whole batch",
        DYNAMODB_PARTIAL, [1, 2], lambda _: failures(""), [[1, 2]],
        settings(report_failures=True), [exhausted(1, 2)],
    ),
    Case(
        "a null identifier fails the whole batch",
        DYNAMODB_PARTIAL, [1, 2], lambda _: failures(None), [[1, 2]],
        settings(report_failures=True), [exhausted(1, 2)],
    ),
    Case(
        "an unknown identifier fails the whole batch",
        DYNAMODB_PARTIAL, [1, 2], lambda _: failures("7"), [[1, 2]],
        settings(report_failures=True), [exhausted(1, 2)],
    ),
    Case(
        "an exception fails the whole batch though reporting is on",
        DYNAMODB_PARTIAL, [1, 2], raises_on(2), [[1, 2]],
        settings(report_failures=True), [exhausted(1, 2)],
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_a_shard_is_delivered_as_documented(case: Case) -> None:
    # WHEN
    result = deliver(
        [record(n) for n in case.records],
        case.settings,
        lambda event: case.function(numbers(event["Records"])),
        matches=lambda payload: payload["eventName"] == "INSERT",
    )

    # THEN the function was sent these batches, these were given up, the others are processed
    assert [numbers(batch) for batch in result.sent] == case.sent
    given_up = [
        (
            discard.condition,
            numbers(record.payload for record in discard.batch.records),
            discard.batch.invocations,
        )
        for discard in result.given_up
    ]
    assert given_up == case.given_up
    lost = {n for _, records, _ in given_up for n in records}
    assert sorted(numbers(result.processed)) == sorted(set(case.records) - lost)


@dataclass(frozen=True)
class AgeCase:
    says: str
    ages: list[int]
    max_age: float
    sent: list[list[int]]
    too_old: list[list[int]]
    page: Page = DYNAMODB_PARAMETERS


AGES = [
    AgeCase("by default no record is too old", [90_000, 0], FOREVER, [[0, 1]], []),
    AgeCase("a record as old as the maximum is sent", [60, 0], 60, [[0, 1]], []),
    AgeCase("older records are given up before they are sent", [61, 60], 60, [[1]], [[0]]),
    AgeCase("when all are too old nothing is sent", [99, 61], 60, [], [[0, 1]]),
]


@pytest.mark.parametrize("case", AGES, ids=lambda case: case.says)
def test_the_maximum_age_decides_what_is_sent(case: AgeCase) -> None:
    result = deliver(
        [record(n, arrived=ARRIVED - age) for n, age in enumerate(case.ages)],
        StreamSettings(max_age=case.max_age),
        lambda _: None,
        PretendClock(ARRIVED),
    )

    assert [numbers(batch) for batch in result.sent] == case.sent
    assert [numbers(r.payload for r in d.batch.records) for d in result.given_up] == case.too_old
    assert {discard.condition for discard in result.given_up} <= {"RecordAgeExceeded"}


def test_retries_end_when_the_records_grow_too_old() -> None:
    # GIVEN a function that never succeeds, and retries without a limit (DYNAMODB_DISCARDED)
    clock = PretendClock(ARRIVED)

    # WHEN a record is delivered that may grow an hour old
    result = deliver([record(1)], StreamSettings(max_age=3600), lambda _: raises_on(1)([1]), clock)

    # THEN it is tried for that hour, with longer and longer pauses, and then given up
    [discard] = result.given_up
    assert discard.condition == "RecordAgeExceeded"
    assert discard.batch.invocations == len(result.sent)
    assert 3600 < clock.now - ARRIVED <= 3660
    assert 60 <= len(result.sent) <= 70


@dataclass(frozen=True)
class WindowCase:
    """Records that arrive at these seconds, each this big, and when the function gets them."""

    says: str
    settings: StreamSettings
    arrivals: list[float]
    invokes: list[tuple[float, int]]
    size: int = 100
    page: Page = BATCHING


MIB = 1024 * 1024
WINDOWS = [
    WindowCase(
        "without a window a batch is sent at once",
        StreamSettings(), [0, 3], [(0, 1), (3, 1)],
    ),
    WindowCase(
        "a batch is sent when the window has passed",
        StreamSettings(window=5), [0, 3, 4], [(5, 3)],
    ),
    WindowCase(
        "a window begins with the first record",
        StreamSettings(window=5), [7, 8, 30], [(12, 2), (35, 1)],
    ),
    WindowCase(
        "a full batch does not wait for the window",
        StreamSettings(window=300, batch_size=2), [0, 1, 2, 3], [(1, 2), (3, 2)],
    ),
    WindowCase(
        "a full payload of 6 MB does not wait for the window",
        StreamSettings(window=300), [0, 1, 2, 3], [(3, 3), (303, 1)], 2 * MIB - 100,
    ),
    WindowCase(
        "a payload of more than 6 MB is never sent",
        StreamSettings(), [0, 0, 0], [(0, 2), (0, 1)], 2 * MIB, BATCH_SIZE,
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", WINDOWS, ids=lambda case: case.says)
def test_a_batch_is_gathered_as_documented(case: WindowCase) -> None:
    # GIVEN a shard that is looked at every second
    shard, seen = Shard(), []
    for second in range(400):
        due = [Record(str(s), s, {}, case.size) for s in case.arrivals if s == second]
        shard.add(due, second)

        # WHEN what is due is sent, and succeeds at once
        while (batch := shard.next(case.settings, second)[0]) is not None:
            seen.append((second, len(batch.records)))
            shard.settle(case.settings, batch, Outcome(), second)

    # THEN
    assert seen == case.invokes

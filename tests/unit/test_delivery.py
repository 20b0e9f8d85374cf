"""The rules of delivery that are ours to choose, and what holds for every handler."""

from __future__ import annotations

import random
from typing import Any

import pytest

from local_cloud import queue_delivery
from local_cloud.delivery import (
    FAILED,
    FOREVER,
    THROTTLED,
    Batch,
    Record,
    Send,
    Shard,
    StreamSettings,
    next_steps,
)
from local_cloud.queue_delivery import QueueSettings
from local_cloud.redelivery import PretendClock, StillFailingError, deliver, deliver_messages
from proofs.fakes.faults import Crash
from tests.conformance.sources import (
    failures,
    message,
    names,
    numbers,
    raises_on,
    record,
    sequence,
)

BATCH = Batch((Record("1", 0, {}), Record("2", 0, {})))


def test_a_throttled_batch_is_sent_again_whole_and_keeps_its_retries() -> None:
    # GIVEN settings that would split and give up a failed batch
    settings = StreamSettings(retries=0, bisect=True)

    # WHEN the function cannot be invoked, THEN nothing counts as a try
    assert next_steps(settings, BATCH, THROTTLED) == [Send(BATCH, settings.first_pause)]


def test_pauses_double_up_to_the_longest() -> None:
    settings = StreamSettings(first_pause=1, longest_pause=60)
    batch, pauses = BATCH, []
    for _ in range(8):
        [step] = next_steps(settings, batch, FAILED)
        assert isinstance(step, Send)
        batch = step.batch
        pauses.append(step.after)

    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


def test_nothing_is_sent_and_nothing_read_while_a_failed_batch_waits() -> None:
    # GIVEN a batch that failed, and a record behind it
    settings, shard = StreamSettings(batch_size=1), Shard()
    shard.add([Record("1", 0, {}), Record("2", 0, {})], now=0)
    batch, _ = shard.next(settings, 0)
    assert batch is not None
    shard.settle(settings, batch, FAILED, now=0)

    # THEN the shard stands until the pause is over, and goes on with the same record
    assert not shard.wants
    assert shard.wait(settings, 0.25) == 0.75
    assert shard.next(settings, 0.99)[0] is None
    again, _ = shard.next(settings, 1)
    assert again is not None
    assert [r.sequence for r in again.records] == ["1"]


def test_a_faster_clock_shortens_every_time_and_no_count() -> None:
    settings = StreamSettings(batch_size=7, window=10, retries=3, max_age=60, longest_pause=40)

    faster = settings.sped_up(20)

    assert (faster.window, faster.max_age) == (0.5, 3)
    assert (faster.first_pause, faster.longest_pause) == (0.05, 2)
    assert (faster.batch_size, faster.retries) == (7, 3)
    assert StreamSettings().sped_up(20).max_age == FOREVER
    queue = QueueSettings(window=10, visibility=30, max_receives=3).sped_up(20)
    assert (queue.window, queue.visibility, queue.max_receives) == (0.5, 1.5, 3)


@pytest.mark.parametrize("on", [True, "true", "True"])
def test_settings_are_read_from_a_mapping(on: object) -> None:
    mapping = {
        "BatchSize": 1000,
        "MaximumBatchingWindowInSeconds": 1,
        "MaximumRetryAttempts": 0,
        "MaximumRecordAgeInSeconds": 3600,
        "BisectBatchOnFunctionError": on,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    }

    assert StreamSettings.of(mapping) == StreamSettings(
        batch_size=1000, window=1, retries=0, max_age=3600, bisect=True, report_failures=True
    )
    assert StreamSettings.of({"BisectBatchOnFunctionError": "false"}) == StreamSettings()


def test_a_throttled_batch_of_messages_stays_hidden_and_is_sent_again() -> None:
    settled = queue_delivery.settle(QueueSettings(), ["1", "2"], THROTTLED)

    assert (settled.delete, settled.keep, settled.again) == ((), ("1", "2"), True)


def test_a_handler_that_never_succeeds_ends_the_test_that_retries_for_ever() -> None:
    with pytest.raises(StillFailingError):
        deliver([record(1)], StreamSettings(), lambda _: raises_on(1)([1]), limit=20)
    with pytest.raises(StillFailingError):
        deliver_messages([message("1")], QueueSettings(), lambda _: raises_on(1)([1]), limit=20)


def test_a_process_that_dies_is_a_function_error_only_when_the_test_says_so() -> None:
    # GIVEN a process that dies once
    calls = []

    def dies(_: object) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise Crash

    # THEN it counts as a failed invoke when named
    result = deliver([record(1)], StreamSettings(), dies, errors=(Exception, Crash))
    assert [numbers(batch) for batch in result.sent] == [[1], [1]]

    # AND nothing else is taken for one: an assertion framework's own exceptions get out
    calls.clear()
    with pytest.raises(Crash):
        deliver([record(1)], StreamSettings(), dies)


@pytest.mark.parametrize("bisect", [False, True], ids=["whole", "bisected"])
@pytest.mark.parametrize("report", [False, True], ids=["raising", "reporting"])
def test_each_record_is_processed_or_given_up_once_and_in_order(
    seed: int, bisect: bool, report: bool
) -> None:
    # GIVEN functions that fail for good with some records and for a while with others
    chance = random.Random(seed)  # noqa: S311 - a reproducible sequence
    for _ in range(50):
        count = chance.randrange(1, 40)
        hopeless = {n for n in range(count) if chance.random() < 0.1}
        patience = {chance.randrange(count): 1}
        settings = StreamSettings(
            batch_size=chance.randrange(1, 20), retries=3, bisect=bisect, report_failures=report
        )

        def function(
            event: dict[str, Any],
            hopeless: set[int] = hopeless,
            patience: dict[int, int] = patience,
        ) -> object:
            for n in numbers(event["Records"]):
                patience[n] = patience.get(n, 0) - 1
                if n in hopeless or patience[n] >= 0:
                    if report:
                        return failures(sequence(n))
                    raise ValueError(n)
            return None

        # WHEN
        result = deliver([record(n) for n in range(count)], settings, function, PretendClock())

        # THEN
        processed = numbers(result.processed)
        given_up = [numbers(r.payload for r in d.batch.records) for d in result.given_up]
        assert sorted(processed + [n for batch in given_up for n in batch]) == list(range(count))
        assert processed == sorted(processed)
        assert all(hopeless & set(batch) for batch in given_up)
        if bisect and not report:
            assert sorted(n for batch in given_up for n in batch) == sorted(hopeless)
        if report:
            assert all(batch[0] in hopeless for batch in given_up)
        firsts = [batch[0] for batch in map(numbers, result.sent)]
        assert firsts == sorted(firsts)


def test_messages_of_a_group_arrive_in_order_however_often_the_function_fails(seed: int) -> None:
    # GIVEN a function that fails at random and returns what it did not process, as AWS asks
    chance = random.Random(seed)  # noqa: S311 - a reproducible sequence
    done: list[str] = []

    def function(event: dict[str, Any]) -> object:
        batch = names(event["Records"])
        stop = chance.randrange(len(batch) + 1)
        done.extend(batch[:stop])
        return failures(*batch[stop:])

    words = [f"{chance.choice('abc')}{n:03}" for n in range(200)]

    # WHEN
    deliver_messages(
        [message(word) for word in words],
        QueueSettings(fifo=True, report_failures=True),
        function,
    )

    # THEN
    for group in "abc":
        assert [w for w in done if w[0] == group] == [w for w in words if w[0] == group]

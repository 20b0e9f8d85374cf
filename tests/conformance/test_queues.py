"""Delivery of a queue: what the function is sent, and what becomes of the messages."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from local_cloud.queue_delivery import Message, Queue, QueueSettings, batch_now
from local_cloud.redelivery import PretendClock, deliver_messages
from tests.conformance.pages import (
    BATCH_SIZE,
    BATCHING,
    DEAD_LETTERS,
    FIFO,
    FILTERING,
    QUEUE_ERRORS,
    QUEUE_PARAMETERS,
    QUEUES,
    VISIBILITY,
    Page,
)
from tests.conformance.sources import (
    failures,
    first_answers,
    message,
    names,
    raises_on,
    raises_times,
    reports_names,
    succeeds,
)

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN = QueueSettings(max_receives=1)
REPORTING = QueueSettings(max_receives=1, report_failures=True)
GROUPS = QueueSettings(fifo=True, report_failures=True, max_receives=3)


@dataclass(frozen=True)
class Case:
    """What a function does with messages, and what it is therefore sent.

    Attributes:
        seconds: How long the queue took to become empty.
    """

    says: str
    page: Page
    messages: str
    function: Callable[[list[str]], object]
    sent: list[str]
    settings: QueueSettings = PLAIN
    dead: str = ""
    seconds: float | None = None
    words: list[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", self.messages.split())


CASES = [
    Case(
        "a batch has at most the batch size",
        BATCH_SIZE, "1 2 3", succeeds, ["1 2", "3"], replace(PLAIN, batch_size=2),
    ),
    Case(
        "ten messages are the default",
        QUEUE_PARAMETERS, "1 2 3 4 5 6 7 8 9 10 11", succeeds, ["1 2 3 4 5 6 7 8 9 10", "11"],
    ),
    Case("processed messages are deleted", QUEUES, "1 2", succeeds, ["1 2"], seconds=0),
    Case(
        "messages that do not match the filter are deleted",
        FILTERING, "1 drop 2", succeeds, ["1 2"],
    ),
    Case("without a match nothing is invoked", FILTERING, "drop", succeeds, []),
    Case(
        "a failed batch comes back, whole, after the visibility timeout",
        VISIBILITY, "1 2", raises_times(2), ["1 2", "1 2", "1 2"],
        QueueSettings(visibility=45), seconds=90,
    ),
    Case(
        "a message that was received too often goes to the dead-letter queue",
        DEAD_LETTERS, "1", raises_on("1"), ["1", "1", "1"],
        QueueSettings(max_receives=3, visibility=30), "1", seconds=90,
    ),
    Case(
        "a good message beside a bad one suffers with it",
        QUEUE_ERRORS, "1 2", raises_on("1"), ["1 2"], dead="1 2",
    ),
    Case(
        "a partial batch response brings only the reported messages back",
        QUEUE_ERRORS, "1 2 3", reports_names("2"), ["1 2 3", "2"],
        replace(REPORTING, max_receives=2), "2",
    ),
    Case(
        "a null response is a success",
        QUEUE_ERRORS, "1", lambda _: None, ["1"], REPORTING,
    ),
    Case(
        "an empty list is a success",
        QUEUE_ERRORS, "1", lambda _: failures(), ["1"], REPORTING,
    ),
    Case(
        "a blank identifier fails the whole batch",
        QUEUE_ERRORS, "1 2", lambda _: failures(""), ["1 2"], REPORTING, "1 2",
    ),
    Case(
        "a null identifier fails the whole batch",
        QUEUE_ERRORS, "1 2", lambda _: failures("1", None), ["1 2"], REPORTING, "1 2",
    ),
    Case(
        "an unknown message id fails the whole batch",
        QUEUE_ERRORS, "1 2", lambda _: failures("7"), ["1 2"], REPORTING, "1 2",
    ),
    Case(
        "a response that is no object fails the whole batch",
        QUEUE_ERRORS, "1 2", lambda _: "done", ["1 2"], REPORTING, "1 2",
    ),
    Case(
        "an exception fails the whole batch though reporting is on",
        QUEUE_ERRORS, "1 2", raises_on("2"), ["1 2"], REPORTING, "1 2",
    ),
    Case(
        "a report is ignored by a mapping that did not ask for it",
        QUEUE_ERRORS, "1 2", reports_names("1"), ["1 2"],
    ),
    Case(
        "a group is delivered in order, and a batch may have several groups",
        FIFO, "a1 b1 a2 b2", succeeds, ["a1 b1 a2 b2"], GROUPS,
    ),
    Case(
        "no message of a group is delivered while an earlier one is in flight",
        FIFO, "a1 a2 b1 a3", first_answers(failures("a1", "a2")),
        ["a1 a2", "b1", "a1 a2", "a3"], replace(GROUPS, batch_size=2),
    ),
    Case(
        "the group goes on behind a message that went to the dead-letter queue",
        DEAD_LETTERS, "a1 a2", reports_names("a1"), ["a1", "a1", "a1", "a2"],
        replace(GROUPS, batch_size=1), "a1",
    ),
    Case(
        "a later message of the group that was not reported is deleted, out of order",
        QUEUE_ERRORS, "a1 a2", first_answers(failures("a1")), ["a1 a2", "a1"], GROUPS,
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_a_queue_is_delivered_as_documented(case: Case) -> None:
    # GIVEN
    clock = PretendClock(0)

    # WHEN
    result = deliver_messages(
        [message(word) for word in case.words],
        case.settings,
        lambda event: case.function(names(event["Records"])),
        clock,
        matches=lambda payload: payload["body"] != "drop",
    )

    # THEN the function was sent these batches, these are dead letters, the others are gone
    assert [" ".join(names(batch)) for batch in result.sent] == case.sent
    assert " ".join(names(result.dead)) == case.dead
    assert sorted(names(result.processed) + case.dead.split()) == sorted(case.words)
    if case.seconds is not None:
        assert clock.now == case.seconds


def test_each_receive_is_counted_for_the_function_and_a_dead_letter_is_unchanged() -> None:
    # GIVEN a message that fails twice (DEAD_LETTERS)
    sent = message("1")
    seen = []

    def function(event: dict[str, list[dict[str, dict[str, str]]]]) -> None:
        seen.append(event["Records"][0]["attributes"]["ApproximateReceiveCount"])
        raise ValueError

    # WHEN
    result = deliver_messages([sent], QueueSettings(max_receives=2), function)

    # THEN
    assert seen == ["1", "2"]
    assert result.dead == [message("1")]


@dataclass(frozen=True)
class SizeCase:
    says: str
    page: Page
    mapping: dict[str, int]
    fifo: bool
    batch_size: int
    window: float


SIZES = [
    SizeCase("ten by default", QUEUE_PARAMETERS, {}, False, 10, 0),
    SizeCase("ten at most without a window", BATCH_SIZE, {"BatchSize": 500}, False, 10, 0),
    SizeCase(
        "up to 10,000 with a window",
        BATCH_SIZE,
        {"BatchSize": 10_000, "MaximumBatchingWindowInSeconds": 1},
        False,
        10_000,
        1,
    ),
    SizeCase(
        "FIFO queues have neither",
        QUEUE_PARAMETERS,
        {"BatchSize": 500, "MaximumBatchingWindowInSeconds": 1},
        True,
        10,
        0,
    ),
]


@pytest.mark.parametrize("case", SIZES, ids=lambda case: case.says)
def test_batch_size_and_window_are_read_from_the_mapping(case: SizeCase) -> None:
    settings = QueueSettings.of(case.mapping, fifo=case.fifo, visibility=30)

    assert (settings.batch_size, settings.window) == (case.batch_size, case.window)


@dataclass(frozen=True)
class WindowCase:
    says: str
    sizes: list[int]
    waited: float
    count: int
    page: Page = BATCHING


WINDOWS = [
    WindowCase("a batch waits for its window", [1, 1], 4, 0),
    WindowCase("and is sent when it has passed", [1, 1], 5, 2),
    WindowCase("a full batch is sent before", [1, 1, 1], 0, 3),
    WindowCase("so is a payload of 6 MB", [4 * 1024**2, 3 * 1024**2], 0, 1),
]


@pytest.mark.parametrize("case", WINDOWS, ids=lambda case: case.says)
def test_messages_are_gathered_as_documented(case: WindowCase) -> None:
    settings = QueueSettings(batch_size=3, window=5)

    assert batch_now(settings, case.sizes, since=100, now=100 + case.waited) == case.count


def test_a_message_is_hidden_for_its_visibility_timeout_and_no_longer() -> None:
    # GIVEN a message that was received (VISIBILITY)
    queue = Queue(QueueSettings(visibility=30), [Message("1", {})])
    assert [m.id for m in queue.receive(1, now=100)] == ["1"]

    # THEN it is hidden for thirty seconds
    assert queue.receive(1, now=129.9) == []
    assert [m.id for m in queue.receive(1, now=130)] == ["1"]

"""Waiting before another try: longer each time, never the same, and not for ever."""

import random

import pytest

from shared.transactions import MAX_ACTIONS, backoff


def test_it_waits_between_tries_and_not_after_the_last() -> None:
    waits: list[float] = []
    assert list(backoff(4, sleep=waits.append)) == [1, 2, 3, 4]
    assert len(waits) == 3


def test_no_wait_follows_a_try_that_succeeded() -> None:
    waits: list[float] = []
    for _ in backoff(4, sleep=waits.append):
        break
    assert waits == []


def test_waits_grow_twofold_up_to_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN the longest wait that chance may choose
    monkeypatch.setattr(random, "uniform", lambda _low, high: high)
    waits: list[float] = []
    # WHEN
    list(backoff(7, base=0.05, longest=1.0, sleep=waits.append))
    # THEN
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0])


def test_waits_are_spread_from_nothing_up() -> None:
    # Writers that met once would otherwise meet again.
    waits: list[float] = []
    for _ in range(200):
        list(backoff(2, base=0.5, longest=1.0, sleep=waits.append))
    assert min(waits) < 0.2
    assert max(waits) > 0.8


def test_all_waits_together_fit_into_an_invocation() -> None:
    waits: list[float] = []
    for _ in range(100):
        list(backoff(sleep=waits.append))
    # The aggregator has a minute for up to 30 transactions; the mean is what adds up.
    assert sum(waits) / 100 < 3
    assert max(waits) <= 1.0


def test_a_transaction_takes_a_hundred_actions() -> None:
    assert MAX_ACTIONS == 100

"""The load engine counts what came back, stops when it should, and hides no defect."""

from __future__ import annotations

import time

import pytest
import urllib3

from odyssey_cli import load
from odyssey_cli.flows.http import Answer


def answer(status: int) -> Answer:
    return Answer(status, "application/json", {})


def test_every_request_is_sent_once_and_accounted_for() -> None:
    # GIVEN an API that refuses every fifth request and drops every seventh
    numbers: list[int] = []

    def send(number: int) -> Answer:
        numbers.append(number)
        if number % 7 == 0:
            raise urllib3.exceptions.ProtocolError("gone")
        return answer(429 if number % 5 == 0 else 202)

    # WHEN a hundred are sent from eight threads
    report = load.run(send, expected=202, concurrency=8, requests=100)

    # THEN each number was sent once, and the report adds up
    assert sorted(numbers) == list(range(100))
    assert report.sent == 100
    assert report.failures == {"ProtocolError": 15, "status 429": 17}
    assert report.accepted == 68
    assert len(report.latencies) == 100


def test_it_stops_after_the_given_time() -> None:
    def send(_: int) -> Answer:
        time.sleep(0.002)
        return answer(202)

    report = load.run(send, expected=202, concurrency=2, seconds=0.03)

    assert 0 < report.sent < 1_000
    assert report.rate == pytest.approx(report.accepted / report.seconds)


def test_a_defect_in_the_sender_is_raised() -> None:
    def send(_: int) -> Answer:
        raise KeyError("defect")

    with pytest.raises(KeyError, match="defect"):
        load.run(send, expected=202, concurrency=2, requests=4)


@pytest.mark.parametrize(("percent", "expected"), [(0, 1), (50, 5), (95, 10), (90, 9), (100, 10)])
def test_percentiles_are_nearest_ranks(percent: int, expected: int) -> None:
    assert load.nearest_rank([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], percent) == expected


def test_there_is_no_percentile_of_nothing() -> None:
    assert load.nearest_rank([], 50) == 0

"""The benchmark's figures of the word counter, and of secrets that lie idle."""

from __future__ import annotations

import contextlib
import io
import logging
from typing import TYPE_CHECKING

import boto3
import pytest

from bench import cost, idle, pubsub, pubsub_load
from bench.load import Counts
from bench.prices import PRICES
from bench.pubsub_load import Job, Said, feed
from bench.template import Template
from pubsub import counter, settings
from shared import clients

if TYPE_CHECKING:
    from collections.abc import Iterator

ENVIRONMENT = {
    "MARKERS_TABLE": "markers",
    "WORDS_TABLE": "words",
    "TOPIC": "arn:aws:sns:us-east-1:123456789012:counted",
    "SLACK_SECRET": "arn:slack",
    "API_SECRET": "arn:api",
    "REJECTS_QUEUE": "rejects",
}
INDEXES = {"markers": 0, "words": 1}
MEMORY = 0.5


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What functions print, in a process that is like new for them, before and after."""
    cached = [
        each
        for module in (settings, clients)
        for each in vars(module).values()
        if hasattr(each, "cache_clear")
    ]
    stream = io.StringIO()
    # The functions share it; it keeps the standard output with which it was made.
    handler = counter.logger.registered_handler
    assert isinstance(handler, logging.StreamHandler)
    monkeypatch.setattr(handler, "stream", stream)
    for name in ENVIRONMENT:
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for each in cached:
        each.cache_clear()
    yield stream
    for each in cached:
        each.cache_clear()


def job(*words: int, messages: int = 2) -> Job:
    return Job(environment=ENVIRONMENT, indexes=INDEXES, words=list(words), messages=messages)


def fed(job: Job, printed: io.StringIO) -> list[Said]:
    with contextlib.redirect_stdout(printed):
        return feed(job, printed)


def test_every_call_of_counter_multiplier_and_logger_is_counted(printed: io.StringIO) -> None:
    # WHEN two messages of three words are said
    [said] = fed(job(3), printed)

    # THEN each is a transaction of either, read back and published once
    assert said.counter.calls == {"TransactWriteItems": 2, "BatchGetItem": 2, "Publish": 2}
    assert said.multiplier.calls == {"TransactWriteItems": 2}
    assert said.logger.calls == {}
    # AND the secret was read before them, once
    assert said.secret_reads == 1
    # AND a marker is two units, a word two, and two more for its entry in the ranking
    each = {"markers": 2 * 2, "words": 2 * 3 * 2, "words index": 2 * 3 * 2}
    assert said.counter.writes == said.multiplier.writes == each
    assert said.counter.reads == {"words": 2 * 3}
    # AND the log of words has a line for every word
    assert said.logger.log_bytes > 2 * 3 * 100
    assert "WordsLogged" in said.logger.metrics


def test_a_hundred_words_take_two_transactions_of_either(printed: io.StringIO) -> None:
    [said] = fed(job(100, messages=1), printed)

    assert said.counter.calls == {"TransactWriteItems": 2, "BatchGetItem": 1, "Publish": 1}
    assert said.multiplier.calls == {"TransactWriteItems": 2}


def test_a_message_asks_as_much_whatever_their_number(printed: io.StringIO) -> None:
    # WHEN few and many are said
    [few] = fed(job(5, messages=2), printed)
    [many] = fed(job(5, messages=20), printed)

    # THEN one of many asks what one of few asks
    for name in pubsub.FUNCTIONS:
        one, other = getattr(few, name), getattr(many, name)
        for what in ("calls", "writes", "reads"):
            ten_times = {key: 10 * value for key, value in getattr(one, what).items()}
            assert getattr(other, what) == ten_times


def test_counts_that_are_not_what_was_said_are_an_error(
    printed: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pubsub_load, "POINTS", 12)

    with pytest.raises(AssertionError, match="3 words were said 3 times; the counts are"):
        fed(job(3), printed)


def said(words: int = 10, messages: int = 4) -> Said:
    """Counts of so many messages of so few words that one transaction holds them."""

    def counts(**calls: int) -> Counts:
        return Counts(
            messages,
            messages,
            calls={name: number * messages for name, number in calls.items()},
            writes={
                "markers": 2 * messages,
                "words": 2 * words * messages,
                "words index": 2 * words * messages,
            },
            stored={"markers": 200 * messages},
            log_bytes=500 * messages,
            metrics=["MessagesCounted"],
        )

    counter_s = counts(TransactWriteItems=1, BatchGetItem=1, Publish=1)
    counter_s.reads = {"words": words * messages}
    logger_s = Counts(messages, messages, log_bytes=3_000 * messages, metrics=["WordsLogged"])
    return Said(words, counter_s, counts(TransactWriteItems=1), logger_s, secret_reads=1)


def measured(*loads: Said) -> pubsub.Measured:
    return pubsub.Measured(
        said=list(loads or [said()]),
        access_log_bytes=300,
        memory=dict.fromkeys(pubsub.FUNCTIONS, MEMORY),
    )


def test_every_request_and_every_unit_of_a_message_is_billed() -> None:
    units = pubsub.usage(said(), measured(), messages=1_000_000).units

    assert units["http_api"] == units["publish"] == 1_000_000
    assert units["lambda"] == 3_000_000
    assert units["deliver"] == 2_000_000
    assert units["write"] == 84_000_000
    assert units["read"] == 10_000_000
    assert units["logs"] == (500 + 500 + 3_000 + 300 + 3 * cost.PLATFORM_LOG_BYTES) * 1e6
    # Two markers of 200 bytes, kept for 45 of a month's 30 days.
    assert units["stored"] == pytest.approx(2 * (200 + 100) * 1.5 * 1e6)
    # Two transactions of 50 ms, two calls of 10 ms; of each function 5 ms and 0.2 ms a word, and
    # a hundredth of a cold start; half a GB.
    seconds = 2 * 0.05 + 2 * 0.01 + 3 * (0.005 + 10 * 0.0002 + 0.008)
    assert units["compute"] == pytest.approx(seconds * MEMORY * 1e6)


def test_a_busy_process_reads_the_secret_once_a_minute_and_sns_asks_for_a_key_in_five() -> None:
    units = pubsub.usage(said(), measured(), messages=1_000_000).units

    # The counter works 77 ms on a message.
    assert units["secret_read"] == pytest.approx(0.077 / 60 * 1e6)
    assert units["kms"] == pytest.approx(2 / (100 * 300) * 1e6)


def test_a_message_that_comes_alone_finds_nothing_kept_for_it() -> None:
    busy = pubsub.usage(said(), measured(), messages=1)
    alone = pubsub.usage(said(), measured(), messages=1, pace=pubsub.ALONE)

    assert alone.units["secret_read"] == 1
    assert alone.units["kms"] == 2
    assert alone.units["trace"] == 3
    longer = alone.units["compute"] - busy.units["compute"]
    assert longer == pytest.approx(3 * (1 - cost.COLD_SHARE) * cost.COLD_SECONDS * MEMORY)


def test_requests_cost_what_the_price_table_says() -> None:
    lines = pubsub.usage(said(), measured(), messages=1_000_000).lines()

    assert lines["http_api"] == pytest.approx(1.00)
    assert lines["publish"] == pytest.approx(0.50)
    assert lines["deliver"] == 0
    assert lines["write"] == pytest.approx(84 * 0.625)


def test_one_call_more_a_message_costs_more() -> None:
    more = said()
    more.counter.calls["Publish"] *= 2

    added = (
        pubsub.usage(more, measured(), messages=1_000_000).lines()["publish"]
        - pubsub.usage(said(), measured(), messages=1_000_000).lines()["publish"]
    )

    assert added == pytest.approx(0.50)


def test_a_call_without_a_price_is_an_error() -> None:
    more = said()
    more.multiplier.calls["PutItem"] = 4

    with pytest.raises(LookupError, match="No price is known for PutItem"):
        pubsub.usage(more, measured(), messages=1)


def test_calls_are_held_against_their_budgets_per_message() -> None:
    found = list(pubsub.call_rows(measured(said(10), said(100))))

    assert [(row.figure, row.budget, row.ok) for row in found] == [(4, 4, True), (4, 6, True)]


def test_one_call_more_a_message_misses_the_budget() -> None:
    more = said(10)
    more.logger.calls["PutItem"] = 4

    [row] = pubsub.call_rows(measured(more))

    assert row.ok is False


def test_shares_are_of_services_and_add_up() -> None:
    shares = pubsub.usage(said(), measured(), messages=1_000).shares()

    assert next(iter(shares)) == "DynamoDB"
    assert {"API Gateway", "Lambda", "SNS", "CloudWatch", "X-Ray", "KMS"} < set(shares)
    assert "Secrets Manager" in shares
    assert sum(shares.values()) == pytest.approx(1)


def test_what_is_written_is_told_apart_by_what_it_is_for() -> None:
    rows = {row.row: row for row in pubsub.cost_rows(measured())}

    row = rows["write units per message of 10 words"]
    assert row.figure == 84
    assert row.measured == "4 markers, 40 words, 40 their ranking"
    assert rows["custom metrics, an hour with messages"].measured == "2 metrics"


def test_the_access_log_of_an_http_api_is_as_long_as_its_format() -> None:
    stage = {"AccessLogSettings": {"Format": "x" * 321}}

    template = Template(
        "Stack", {"S": {"Type": "AWS::ApiGatewayV2::Stage", "Properties": stage}}, {}
    )

    assert template.access_log_bytes() == 321


def test_a_secret_is_paid_for_while_nobody_reads_it() -> None:
    secrets = {
        name: {"Type": "AWS::SecretsManager::Secret", "Properties": {}} for name in ("a", "b")
    }

    stack = idle.idle(Template("Stack", secrets, {}))

    assert stack.usd() == stack.usd_beyond_free() == pytest.approx(2 * PRICES["secret"].usd)

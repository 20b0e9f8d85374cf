"""A representative batch for each function and for each command that sends."""

from __future__ import annotations

import copy
import itertools
import json
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from discovery import updater
from event_aggregator import aggregator, reader, settings
from event_aggregator import producer as event_producer
from local_cloud.redelivery import deliver, deliver_messages
from proofs.crash_points import Batch, again, clean_run
from proofs.fakes.faults import Crash
from proofs.pubsub_shapes import curl, one
from tests.builders import FakeContext, get_summaries, stored_event, stream_batch, trigger
from tests.discovery import item, item_id, record, uploaded
from tests.ingest import rejected
from tests.reliability.custom_resource_batches import closed, emptied
from tests.reliability.intake_batches import (
    NOT_JSON,
    emitted,
    is_ok,
    responded,
    states_read,
    stored,
    transformed,
    triggered,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

    from proofs.fakes.dynamodb import FakeDynamoDB

ERRORS = (Exception, Crash)
# Attempts of Lambda at an event that nobody waits for, and of a client at a request.
ATTEMPTS, PATIENCE = 3, 5
# Why functions reject what is no good here, in their own words.
NO_GROUP = "The item has no text 'group'."


def invoking(handler: Any, clouds: Callable[[], FakeDynamoDB]) -> Callable[[Any], Any]:
    """Return what invokes a function, each time as a new process; its answer crosses as JSON."""

    def invoke(event: dict[str, Any]) -> Any:
        clouds().started()
        return json.loads(json.dumps(handler(event, FakeContext())))

    return invoke


def _is_accepted(answer: dict[str, Any]) -> bool:
    return bool(answer["statusCode"] == 202)


def producer(request: pytest.FixtureRequest) -> Batch:
    functions = request.getfixturevalue("functions")

    def client() -> None:
        for number in range(3):
            attempts = itertools.count(1)

            def post(number: int = number, attempts: Iterator[int] = attempts) -> Any:
                wish = trigger(
                    {"key": number, "secret": "hunter2"},
                    key=f"k{number}",
                    request_id=f"attempt {next(attempts)}",
                )
                before = dict(functions.dynamodb.tables["events"])
                try:
                    return event_producer.handler(wish, FakeContext())
                finally:
                    # What was stored once stays as it was.
                    assert before.items() <= functions.dynamodb.tables["events"].items()

            # Twice, as if the first answer had not come.
            for _ in range(2):
                again(post, functions.dynamodb, is_done=_is_accepted, errors=ERRORS)

    def without_request_ids(tables: dict[str, Any]) -> dict[str, Any]:
        kept = copy.deepcopy(tables)
        for each in kept["events"].values():
            assert each.pop("correlation_id")["S"].startswith("attempt ")
        return kept

    def check() -> None:
        assert without_request_ids(functions.dynamodb.tables) == clean
        stored = clean["events"].values()
        assert sorted(each["data"]["M"]["key"]["N"] for each in stored) == ["0", "1", "2"]

    made = Batch(functions.start_over, lambda: functions.dynamodb, client, check)
    clean = without_request_ids(clean_run(made))
    return made


def aggregated(request: pytest.FixtureRequest) -> Batch:
    functions, deployed = (request.getfixturevalue(name) for name in ("functions", "deployed"))
    # Out of order in time.
    items = [
        {"id": {"S": f"{n:036}"}}
        if n % 40 == 7
        else stored_event(n, group=n % 5, at=f"12:{n * 37 % 60:02}:00.{n:06}")
        for n in range(250)
    ]
    bad = {each["id"]["S"] for each in items if len(each) == 1}
    rules = deployed.stream("event_aggregator.aggregator")
    invoke = invoking(aggregator.handler, lambda: functions.dynamodb)

    def run() -> None:
        done = deliver(stream_batch(items)["Records"], rules, invoke, errors=ERRORS, limit=500)
        assert done.given_up == []

    def check() -> None:
        assert functions.dynamodb.tables == clean
        counts = [int(each["item_count"]["N"]) for each in clean["summaries"].values()]
        expected = Counter(n % 5 for n in range(250) if n % 40 != 7)
        assert sorted(counts) == sorted(expected.values())
        assert len(clean["processed"]) == 250 - len(bad)
        assert set(functions.rejected) == bad
        assert {each["cause"] for _, each in rejected(functions.sqs)} == {NO_GROUP}

    made = Batch(functions.start_over, lambda: functions.dynamodb, run, check)
    clean = clean_run(made)
    return made


def _has_answered(answer: dict[str, Any]) -> bool:
    return bool(answer["statusCode"] == 200)


def summaries_read(request: pytest.FixtureRequest) -> Batch:
    functions, patch = (request.getfixturevalue(name) for name in ("functions", "monkeypatch"))
    patch.setenv("RANKING", "by-count")
    answers: list[Any] = []

    def start() -> None:
        functions.start_over()
        settings.reader.cache_clear()
        functions.dynamodb.indexes["by-count"] = "item_count"
        assert functions.aggregate([stored_event(1)]) == []
        functions.dynamodb.calls.clear()
        answers.clear()

    def run() -> None:
        act = partial(invoking(reader.handler, lambda: functions.dynamodb), get_summaries())
        ok = again(act, functions.dynamodb, is_done=_has_answered, errors=ERRORS)
        answers.append(ok)

    def check() -> None:
        [summary] = json.loads(answers[-1]["body"])["summaries"]
        assert summary["item_count"] == 1

    return Batch(start, lambda: functions.dynamodb, run, check)


def updated(request: pytest.FixtureRequest) -> Batch:
    discovery, deployed = (request.getfixturevalue(name) for name in ("discovery", "deployed"))
    rules = deployed.queue("discovery.updater")
    # Two batches, with a message twice and one that is no good.
    numbers = [1, 2, 3, 99, 4, 5, 3, *range(6, 13)]
    messages = [record(f"m{place}", uploaded(number)) for place, number in enumerate(numbers)]
    invoke = invoking(updater.handler, lambda: discovery.dynamodb)

    def start() -> None:
        discovery.start_over()
        discovery.store(range(1, 13))

    def run() -> None:
        done = deliver_messages(messages, rules, invoke, errors=ERRORS, limit=500)
        assert done.dead == []

    def check() -> None:
        assert discovery.items == {item_id(n): item(n, version=2) for n in range(1, 13)}
        assert discovery.announced.keys() == discovery.items.keys()
        assert discovery.rejected.keys() == {"m3"}
        assert {each["cause"] for _, each in rejected(discovery.sqs)} == {
            f"There is no item {item_id(99)}."
        }

    return Batch(start, lambda: discovery.dynamodb, run, check)


def _words(number: int) -> str:
    return " ".join(f"w{each}" for each in range(number))


def _survives(words: Any, act: Any, *arguments: Any) -> bool:
    """Run something as a new process, and return whether it came to its end."""
    words.dynamodb.started()
    return bool(words.survives(act, *arguments))


def counted(request: pytest.FixtureRequest) -> Batch:
    words = request.getfixturevalue("words")
    answers: list[Any] = []

    def post() -> None:
        answers.append(words.post(curl({"text": _words(250)}, key="k")))

    def run() -> None:
        for _ in range(PATIENCE):
            if _survives(words, post) and answers[-1][0] == 200:
                return
            # Whoever comes again does so later.
            words.pass_time(60)
        raise AssertionError("never answered")

    def check() -> None:
        assert words.counts == words.occurrences == dict.fromkeys(_words(250).split(), 1)
        assert len(set(words.published_ids)) == 1

    return Batch(words.start_over, lambda: words.dynamodb, run, check)


def subscribed(request: pytest.FixtureRequest, act: str) -> Batch:
    words = request.getfixturevalue("words")

    def start() -> None:
        words.start_over()
        assert words.post(curl({"text": _words(250)}, key="k"))[0] == 200
        bad = copy.deepcopy(words.published[0])
        bad["Sns"]["Message"] = "{"
        words.due = [words.published[0], bad]
        words.dynamodb.calls.clear()

    def run() -> None:
        for each in words.due:
            done = [_survives(words, getattr(words, act), each) for _ in range(ATTEMPTS)]
            assert any(done)

    def check() -> None:
        points = 11 if act == "multiply" else 1
        assert set(words.counts.values()) == {points}
        assert {cause["cause"] for _, cause in words.rejected} == {NOT_JSON}
        assert act == "multiply" or {word for _, word in words.logged} == {*_words(250).split()}

    return Batch(start, lambda: words.dynamodb, run, check)


def words_read(request: pytest.FixtureRequest) -> Batch:
    words = request.getfixturevalue("words")
    answers: list[Any] = []

    def start() -> None:
        words.start_over()
        assert words.post(curl({"text": "hello"}, key="k"))[0] == 200
        words.restart()
        words.dynamodb.calls.clear()

    def get() -> Any:
        words.restart()
        return words.get(one("hello"))

    return Batch(
        start,
        lambda: words.dynamodb,
        lambda: answers.append(again(get, words.dynamodb, is_done=is_ok, errors=ERRORS)),
        lambda: _same(answers[-1], (200, {"word": "hello", "count": 1, "occurrences": 1})),
    )


def _same(found: object, expected: object) -> None:
    assert found == expected


HANDLERS: dict[str, Callable[[pytest.FixtureRequest], Batch]] = {
    "consumer.reader": states_read,
    "consumer.responder": responded,
    "consumer.trigger": triggered,
    "custom_resources.close_default_group": closed,
    "custom_resources.empty_bucket": emptied,
    "discovery.updater": updated,
    "event_aggregator.aggregator": aggregated,
    "event_aggregator.producer": producer,
    "event_aggregator.reader": summaries_read,
    "ingest.emitter": emitted,
    "ingest.storer": stored,
    "ingest.transformer": transformed,
    "pubsub.counter": counted,
    "pubsub.multiplier": lambda request: subscribed(request, "multiply"),
    "pubsub.reader": words_read,
    "pubsub.word_logger": lambda request: subscribed(request, "log_words"),
}

"""A representative batch for each function and for each command that sends."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from discovery import updater
from event_aggregator import aggregator, reader, settings
from local_cloud.redelivery import deliver, deliver_messages
from proofs.crash_points import Batch, again
from proofs.fakes.faults import Crash
from proofs.pubsub_shapes import curl, one
from tests.builders import FakeContext, get_summaries, stored_event, stream_batch, trigger
from tests.consumer import post_events, wanted
from tests.discovery import item_id, record, uploaded
from tests.ingest import envelope, fields, inserted, sent
from tests.reliability.custom_resource_batches import closed, emptied

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

ERRORS = (Exception, Crash)
# Attempts of Lambda at an event that nobody waits for, and of a client at a request.
ATTEMPTS, PATIENCE = 3, 5


def producer(request: pytest.FixtureRequest) -> Batch:
    functions = request.getfixturevalue("functions")
    bodies = [{"key": number, "secret": "hunter2"} for number in range(3)]

    def client() -> None:
        for body in bodies:
            wish = trigger(body, key=f"k{body['key']}")
            answers = [functions.produce(wish) for _ in range(2)]
            assert any(each and each["statusCode"] == 202 for each in answers)

    def check() -> None:
        stored = functions.dynamodb.tables["events"].values()
        assert sorted(each["data"]["M"]["key"]["N"] for each in stored) == ["0", "1", "2"]

    return Batch(functions.start_over, lambda: functions.dynamodb, client, check)


def aggregated(request: pytest.FixtureRequest) -> Batch:
    functions, deployed = (request.getfixturevalue(name) for name in ("functions", "deployed"))
    items = [
        {"id": {"S": f"{n:036}"}} if n % 40 == 7 else stored_event(n, group=n % 5)
        for n in range(250)
    ]
    rules = deployed.stream("event_aggregator.aggregator")

    def run() -> None:
        records = stream_batch(items)["Records"]
        done = deliver(
            records, rules, lambda event: aggregator.handler(event, FakeContext()), errors=ERRORS
        )
        assert done.given_up == []

    def check() -> None:
        bad = {each["id"]["S"] for each in items if len(each) == 1}
        summaries = functions.dynamodb.tables["summaries"].values()
        assert sum(int(each["item_count"]["N"]) for each in summaries) == 250 - len(bad)
        assert len(functions.dynamodb.tables["processed"]) == 250 - len(bad)
        assert set(functions.rejected) == bad

    return Batch(functions.start_over, lambda: functions.dynamodb, run, check)


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
        answers.append(again(lambda: reader.handler(get_summaries(), FakeContext())))

    def check() -> None:
        [summary] = json.loads(answers[-1]["body"])["summaries"]
        assert summary["item_count"] == 1

    return Batch(start, lambda: functions.dynamodb, run, check)


def updated(request: pytest.FixtureRequest) -> Batch:
    discovery, deployed = (request.getfixturevalue(name) for name in ("discovery", "deployed"))
    rules = deployed.queue("discovery.updater")
    numbers = [1, 2, 3, 99, 4, 5, 3, 6, 7, 8]
    messages = [record(f"m{place}", uploaded(number)) for place, number in enumerate(numbers)]

    def start() -> None:
        discovery.start_over()
        discovery.store(range(1, 9))

    def run() -> None:
        done = deliver_messages(
            messages, rules, lambda event: updater.handler(event, FakeContext()), errors=ERRORS
        )
        assert done.dead == []

    def check() -> None:
        assert {each["version"]["N"] for each in discovery.items.values()} == {"2"}
        assert discovery.announced.keys() == {item_id(number) for number in range(1, 9)}
        assert discovery.rejected.keys() == {"m3"}

    return Batch(start, lambda: discovery.dynamodb, run, check)


def _words(number: int) -> str:
    return " ".join(f"w{each}" for each in range(number))


def counted(request: pytest.FixtureRequest) -> Batch:
    words = request.getfixturevalue("words")

    def run() -> None:
        for _ in range(PATIENCE):
            if words.survives(lambda: words.post(curl({"text": _words(250)}, key="k"))):
                return
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
            done = [words.survives(getattr(words, act), each) for _ in range(ATTEMPTS)]
            assert any(done)

    def check() -> None:
        points = 11 if act == "multiply" else 1
        assert set(words.counts.values()) == {points}
        assert {cause["cause"][:20] for _, cause in words.rejected} == {"The body is not JSON"}
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
        lambda: answers.append(again(get)),
        lambda: _same(answers[-1], (200, {"word": "hello", "count": 1, "occurrences": 1})),
    )


def _same(found: object, expected: object) -> None:
    assert found == expected


def taken_in(request: pytest.FixtureRequest, hop: str) -> Batch:
    """Return a batch of one of the functions between record and state."""
    intake = request.getfixturevalue("intake")
    numbers = [*range(1, 16), *range(17, 46)]
    due: list[Any] = []

    def start() -> None:
        intake.start_over()
        due.clear()
        if hop == "transformer":
            due.extend([*(fields(number) for number in numbers), b'{"bad": 1}'])
            return
        messages = [sent(envelope(number), f"m{number}") for number in numbers]
        due.extend([*messages, sent("{", "m0", group=messages[0]["attributes"]["MessageGroupId"])])
        if hop == "storer":
            return
        intake.store(messages)
        due.clear()
        bad = {"entity": {"S": "order/x"}, "at": {"S": "2026"}}
        records = [inserted(each, n) for n, each in enumerate([*intake.ingest.items, bad], 1)]
        due.extend(records)
        if hop == "responder":
            intake.emit(records[:-1])
            due.clear()
            due.extend(intake.on_bus())
        intake.ingest.dynamodb.calls.clear()

    acts = {"transformer": intake.put, "storer": intake.store, "emitter": intake.emit}

    def run() -> None:
        acts.get(hop, intake.respond)(due)

    def check() -> None:
        ids = {f"e{number}" for number in numbers}
        assert not any(intake.dead.values())
        match hop:
            case "transformer":
                assert set(intake.lake_ids) == intake.queued_ids == ids
            case "storer":
                assert intake.stored_ids == dict.fromkeys(ids, 1)
            case "emitter":
                assert {json.loads(each["Detail"])["id"] for each in intake.ingest.emitted} == ids
            case _:
                assert intake.counted_ids == ids
                assert sum(intake.consumer.totals.values()) == len(ids)
        assert len({record.get("recordId") == "r45" for record, _ in intake.ingest.rejected}) <= 2
        assert hop == "responder" or intake.ingest.rejected

    return Batch(start, lambda: intake.ingest.dynamodb, run, check)


def triggered(request: pytest.FixtureRequest) -> Batch:
    consumer = request.getfixturevalue("consumer")

    def check() -> None:
        assert {json.loads(each["body"])["resources"][0] for each in consumer.queued} == {
            "order/o-1"
        }
        assert len({json.loads(each["body"])["detail"]["id"] for each in consumer.queued}) == 1
        assert len(consumer.dynamodb.tables["requests"]) == 1

    return Batch(
        consumer.start_over,
        lambda: consumer.dynamodb,
        lambda: again(lambda: consumer.post(post_events(wanted(), key="k"))),
        check,
    )


def states_read(request: pytest.FixtureRequest) -> Batch:
    consumer = request.getfixturevalue("consumer")
    answers: list[Any] = []

    def check() -> None:
        assert answers[-1][0] == 200

    return Batch(
        consumer.start_over,
        lambda: consumer.dynamodb,
        lambda: answers.append(again(lambda: consumer.get("/totals"))),
        check,
    )


HANDLERS: dict[str, Callable[[pytest.FixtureRequest], Batch]] = {
    "consumer.reader": states_read,
    "consumer.responder": lambda request: taken_in(request, "responder"),
    "consumer.trigger": triggered,
    "custom_resources.close_default_group": closed,
    "custom_resources.empty_bucket": emptied,
    "discovery.updater": updated,
    "event_aggregator.aggregator": aggregated,
    "event_aggregator.producer": producer,
    "event_aggregator.reader": summaries_read,
    "ingest.emitter": lambda request: taken_in(request, "emitter"),
    "ingest.storer": lambda request: taken_in(request, "storer"),
    "ingest.transformer": lambda request: taken_in(request, "transformer"),
    "pubsub.counter": counted,
    "pubsub.multiplier": lambda request: subscribed(request, "multiply"),
    "pubsub.reader": words_read,
    "pubsub.word_logger": lambda request: subscribed(request, "log_words"),
}

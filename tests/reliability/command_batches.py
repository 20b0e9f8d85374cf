"""Commands that send: whoever sees one die runs it again; see batches.py."""

from __future__ import annotations

import json
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from odyssey_cli import load
from odyssey_cli.flows.discovery.documents import Wanted, names
from odyssey_cli.flows.ingest.events import make
from odyssey_cli.flows.ingest.generate import send
from odyssey_cli.flows.ingest.senders import ToQueue, ToStream
from proofs.crash_points import Batch, again
from proofs.fakes.dynamodb import FakeDynamoDB
from proofs.fakes.firehose import FakeFirehose
from proofs.fakes.sqs import FakeSQS
from tests.builders import trigger

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


def submitted(request: pytest.FixtureRequest) -> Batch:
    """`discovery submit` finishes what it began: each file is one item, one object, announced."""
    discovery = request.getfixturevalue("discovery")
    request.getfixturevalue("one_at_a_time")
    folders = request.getfixturevalue("tmp_path_factory")
    folder: list[Any] = []

    def start() -> None:
        discovery.start_over()
        folder[:] = [folders.mktemp("submit")]

    def check() -> None:
        assert len(discovery.items) == 12
        assert list(discovery.versions.values()) == [1] * 12
        announced = {json.loads(each["body"])["data"]["id"] for each in discovery.sent()}
        assert announced == discovery.items.keys()

    wish = names("laptop.json", 12)
    return Batch(
        start,
        lambda: discovery.dynamodb,
        lambda: again(
            lambda: discovery.submit(folder[0], wish, Wanted(model="m")), discovery.dynamodb
        ),
        check,
    )


def generated(request: pytest.FixtureRequest, via: str) -> Batch:
    """`ingest generate` sends other events each time, all it was asked for, none of them twice."""
    del request
    found = SimpleNamespace()

    def start() -> None:
        found.dynamodb = FakeDynamoDB.with_tables()
        found.firehose, found.sqs = FakeFirehose(found.dynamodb), FakeSQS(found.dynamodb)
        found.begun, found.complete = [], []

    def ids() -> list[str]:
        queued = found.sqs.queues.get("https://sqs/events.fifo", [])
        bodies = [each["MessageBody"] for each in queued] or [d for _, d in found.firehose.taken]
        return [json.loads(each)["id"] for each in bodies]

    def command() -> None:
        stream = ToStream("stream", found.firehose, lambda: range(3), most=20)
        queue = ToQueue("https://sqs/events.fifo", found.sqs, lambda: range(3))
        events = make("device", 45, seed=1)
        found.begun.append(len(ids()))
        report = send(events, by=stream if via == "firehose" else queue, wanted=45)
        found.complete.append(found.begun[-1])
        assert report.is_complete
        assert report.made == report.accepted == 45
        assert report.retried == 0

    def check() -> None:
        # Of each run that came through all 45 were taken, of the one that died some, or none.
        ends = [*found.begun[1:], len(ids())]
        taken = {begin: end - begin for begin, end in zip(found.begun, ends, strict=True)}
        assert [taken[begin] for begin in found.complete] == [45] * len(found.complete)
        assert len(found.begun) - len(found.complete) <= 1
        assert all(0 <= each <= 45 for each in taken.values())
        assert len(ids()) == len(set(ids()))

    return Batch(start, lambda: found.dynamodb, lambda: again(command, found.dynamodb), check)


def loaded(request: pytest.FixtureRequest) -> Batch:
    """`aggregator load` dies when it dies, and the next run's report is true of its own events."""
    functions = request.getfixturevalue("functions")
    runs: list[Any] = []

    def command() -> None:
        name = f"run {len(runs)} {len(functions.dynamodb.calls)}"
        answers: dict[int, int] = {}

        def post(number: int) -> Any:
            # What dies is the client: it asks the cloud in memory by itself.
            call = functions.dynamodb.begin("Request", {})
            answer = functions.produce(trigger({"load": name, "number": number}))
            functions.dynamodb.after(call)
            answers[number] = answer["statusCode"] if answer else 502
            return SimpleNamespace(status=answers[number])

        report = load.run(post, expected=202, concurrency=1, requests=4)
        runs.append((name, answers, report))

    def start() -> None:
        functions.start_over()
        runs.clear()

    def check() -> None:
        name, answers, report = runs[-1]
        data = [each["data"]["M"] for each in functions.dynamodb.tables["events"].values()]
        stored = [int(each["number"]["N"]) for each in data if each["load"]["S"] == name]
        assert answers.keys() == set(range(4))
        accepted = {number for number, status in answers.items() if status == 202}
        assert report.accepted == len(accepted)
        # At most the one of which the producer died: stored or not, nobody was told.
        assert report.failures == Counter({"status 502": 4 - len(accepted)}) + Counter()
        assert len(accepted) >= 3
        assert accepted <= set(stored)
        assert len(stored) == len(set(stored))

    return Batch(
        start, lambda: functions.dynamodb, lambda: again(command, functions.dynamodb), check
    )


COMMANDS: dict[str, Callable[[pytest.FixtureRequest], Batch]] = {
    "discovery submit": submitted,
    "ingest generate --via firehose": lambda request: generated(request, "firehose"),
    "ingest generate --via sqs": lambda request: generated(request, "sqs"),
    "aggregator load": loaded,
}

"""Discovery's script, function and service on clouds in memory, whose every call can go wrong."""

from __future__ import annotations

import base64
import json
import random
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from discovery import settings, updater
from odyssey_cli.flows.discovery import listen, submit
from odyssey_cli.flows.discovery.documents import Wanted, write
from odyssey_cli.flows.discovery.inbox import VISIBILITY
from odyssey_cli.flows.discovery.listen import Seen, Service, Stop
from odyssey_cli.flows.discovery.submit import Outcome, Script
from proofs.fakes.dynamodb import FakeDynamoDB
from proofs.fakes.faults import Crash, OneAtATime
from proofs.fakes.s3 import OWNER, FakeS3
from proofs.fakes.sqs import FakeSQS
from shared import clients, times
from tests.builders import FakeContext
from tests.discovery import NOON, item, item_id, record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from odyssey_cli.flows.discovery.submit import Submitted

UPLOADED, UPDATED, REJECTS = "https://sqs/uploaded", "https://sqs/updated", "https://sqs/rejects"
VARIABLES = {"ITEMS_TABLE": "items", "UPDATED_QUEUE": UPDATED, "REJECTS_QUEUE": REJECTS}
Record = dict[str, Any]


class Discovery:
    """Table, bucket and queues, and what works on them.

    Attributes:
        told: ids of items that any run of the service has told to be verified.
    """

    def __init__(self) -> None:
        self.start_over()

    def start_over(self) -> None:
        """Begin with everything empty, and nothing that fails."""
        self.dynamodb = FakeDynamoDB.with_tables("items")
        self.s3 = FakeS3.with_buckets(self.dynamodb, "files")
        self.sqs = FakeSQS(self.dynamodb)
        self.told: set[str] = set()

    def store(self, numbers: Iterable[int]) -> None:
        """Store items that are uploaded."""
        self.items.update({item_id(number): item(number) for number in numbers})

    def submit(self, folder: Path, names: Sequence[str], wanted: Wanted) -> list[Submitted]:
        """Run the script once; crashes end it."""
        script = Script(
            "items", "files", UPLOADED, OWNER, **self._clients(), tries=lambda: range(3)
        )
        self.dynamodb.started()
        submissions = [write(folder, name, wanted) for name in names]
        return list(script.submit(submissions, concurrency=1))

    def update(self, records: Sequence[Record]) -> list[Record]:
        """Return which messages come again: all, if the process died or raised."""
        self.dynamodb.started()
        try:
            answer = updater.handler({"Records": list(records)}, FakeContext())
        except Crash:
            return list(records)
        failed = {each["itemIdentifier"] for each in answer["batchItemFailures"]}
        assert failed <= {each["messageId"] for each in records}
        return [each for each in records if each["messageId"] in failed]

    def listen(self) -> None:
        """Run the service until no message is left; crashes end it."""
        self.dynamodb.started()
        service = Service(
            "items",
            "files",
            UPDATED,
            OWNER,
            **self._clients(),
            pace=lambda seconds: seconds,
            tries=lambda: range(3),
        )

        def tell(seen: Seen) -> None:
            assert seen.verified is not None, seen.problem
            self.told.add(seen.name)

        # Longer than a dead service's messages are hidden.
        service.run(stop=Stop(), tell=tell, idle=2 * VISIBILITY)

    def sent(self, queue: str = UPLOADED) -> list[Record]:
        """Return a queue's messages as a function gets them."""
        return [
            record(each["MessageId"], each["MessageBody"])
            for each in self.sqs.queues.get(queue, [])
        ]

    @property
    def items(self) -> dict[str, dict[str, Any]]:
        return self.dynamodb.tables["items"]

    @property
    def versions(self) -> dict[str, int]:
        """How many versions each object has, by key."""
        return {key: len(found) for key, found in self.s3.buckets["files"].items()}

    @property
    def announced(self) -> Counter[str]:
        """How often each item was announced as updated."""
        bodies = [json.loads(each["body"]) for each in self.sent(UPDATED)]
        assert all(body["data"]["version"] == 2 for body in bodies)
        return Counter(body["data"]["id"] for body in bodies)

    @property
    def rejected(self) -> Counter[str]:
        """How often each message was rejected, by id."""
        return Counter(json.loads(each["body"])["messageId"] for each in self.sent(REJECTS))

    def _clients(self) -> dict[str, Any]:
        return {"dynamodb": self.dynamodb, "s3": self.s3, "sqs": self.sqs}


def is_done(done: Iterable[Submitted]) -> bool:
    return all(each.outcome not in (Outcome.FAILED, Outcome.CHANGED) for each in done)


def checksums(found: Discovery) -> dict[str, str | None]:
    """Return what S3 has as each object's SHA-256, in hexadecimal as items have it."""
    return {
        key: base64.b64decode(versions[-1].checksum or "").hex()
        for key, versions in found.s3.buckets["files"].items()
    }


@pytest.fixture
def discovery(monkeypatch: pytest.MonkeyPatch) -> Iterator[Discovery]:
    """A fresh system at noon."""
    made = Discovery()
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(times, "now", lambda: NOON)
    # No jitter, no wait.
    monkeypatch.setattr(random, "uniform", lambda _low, _high: 0)
    # The queue's time is the service's.
    clock = SimpleNamespace(monotonic=lambda: made.sqs.now, sleep=made.sqs.let_pass)
    monkeypatch.setattr(listen, "time", clock)
    monkeypatch.setattr(clients, "dynamodb", lambda: made.dynamodb)
    monkeypatch.setattr(clients, "sqs", lambda: made.sqs)
    settings.updater.cache_clear()
    yield made
    settings.updater.cache_clear()


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the script store without threads."""
    monkeypatch.setattr(submit, "ThreadPoolExecutor", OneAtATime)

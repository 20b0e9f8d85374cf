"""The functions as Lambda runs them, on a DynamoDB whose every call can go wrong."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from event_aggregator import aggregator, producer, settings
from proofs.deployed import Deployed
from proofs.fakes.dynamodb import FakeDynamoDB
from proofs.fakes.faults import Crash
from proofs.fakes.sqs import FakeSQS
from shared import clients, times
from tests.builders import FakeContext, stream_batch
from tests.consumer import consumer  # noqa: F401 - a fixture
from tests.ingest import ingest  # noqa: F401 - a fixture
from tests.reliability.discovery import discovery, one_at_a_time  # noqa: F401 - fixtures
from tests.reliability.intake import intake, intake_rules  # noqa: F401 - fixtures
from tests.template.synth import synthesize
from tests.word_counter import words  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Seeds in a row, and events of each: 12 events that never get through, by which each flow sees all
# kinds of them (see `World.make_bad`).
CHAOS_SEEDS, CHAOS_EVENTS = 3, 400
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
Item = dict[str, Any]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--chaos-seeds", type=int, default=CHAOS_SEEDS, help="how many seeds of chaos per flow"
    )
    parser.addoption(
        "--chaos-events", type=int, default=CHAOS_EVENTS, help="how many events per seed of chaos"
    )


@pytest.fixture
def chaos_seeds(request: pytest.FixtureRequest) -> int:
    seeds: int = request.config.getoption("chaos_seeds", default=CHAOS_SEEDS)
    return seeds


@pytest.fixture
def chaos_events(request: pytest.FixtureRequest, chaos_seeds: int) -> int:
    events: int = request.config.getoption("chaos_events", default=CHAOS_EVENTS)
    if problem := too_few(chaos_seeds, events):
        raise pytest.UsageError(problem)
    return events


def too_few(seeds: int, events: int) -> str:
    """Say what so many seeds with so many events each lack; "" for nothing."""
    if events < CHAOS_EVENTS:
        return f"{CHAOS_EVENTS} events in each seed at least: fewer have not every kind of poison."
    if seeds * events < CHAOS_SEEDS * CHAOS_EVENTS:
        return (
            f"{CHAOS_SEEDS * CHAOS_EVENTS:,} events in all seeds at least: fewer do not see "
            "everything that can go wrong."
        )
    return ""


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    """What the synthesized stacks say."""
    return Deployed(synthesize(tmp_path_factory.mktemp("deployed") / "cdk.out").templates)


class Functions:
    """Producer and aggregator, the tables that connect them, and the rejects queue."""

    def __init__(self) -> None:
        self.start_over()

    def start_over(self) -> None:
        """Begin with empty tables and queue, and nothing that fails."""
        self.dynamodb = FakeDynamoDB.with_tables("events", "processed", "summaries")
        self.sqs = FakeSQS(self.dynamodb)

    def produce(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer, or None if the process died."""
        self.dynamodb.started()
        try:
            answer: dict[str, Any] = producer.handler(request, FakeContext())
        except Crash:
            return None
        return answer

    def aggregate(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return what of the batch comes again: all, if the process died or raised."""
        batch = stream_batch(items)
        self.dynamodb.started()
        try:
            answer = aggregator.handler(batch, FakeContext())
        except (Crash, self.dynamodb.exceptions.ClientError):
            return items
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch["Records"]]
        # The stream resumes at the first of them.
        failed = [numbers.index(each["itemIdentifier"]) for each in answer["batchItemFailures"]]
        return items[min(failed) :] if failed else []

    @property
    def rejected(self) -> list[str]:
        """The ids of the items in the rejects queue."""
        messages = (message for queue in self.sqs.queues.values() for message in queue)
        return [
            json.loads(message["MessageBody"])["dynamodb"]["NewImage"]["id"]["S"]
            for message in messages
        ]


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Iterator[Functions]:
    """Fresh functions and tables, at noon."""
    made = Functions()
    variables = {
        "EVENTS_TABLE": "events",
        "GROUP_BY": "[]",
        "EVENT_TTL_DAYS": "0",
        "PROCESSED_TABLE": "processed",
        "SUMMARIES_TABLE": "summaries",
        "REJECTS_QUEUE": "https://sqs/rejects",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(times, "now", lambda: NOON)
    # No jitter, no wait.
    monkeypatch.setattr(random, "uniform", lambda _low, _high: 0)
    monkeypatch.setattr(clients, "dynamodb", lambda: made.dynamodb)
    monkeypatch.setattr(clients, "sqs", lambda: made.sqs)
    for read in (settings.producer, settings.aggregator):
        read.cache_clear()
    yield made
    for read in (settings.producer, settings.aggregator):
        read.cache_clear()

"""The functions behind the stream with a permission missing: what is seen of it, how it heals.

What they do when nothing is missing is what the demo verifies (test_demo.py); the stream and its
function are in test_ingest_stream.py.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from odyssey_cli import failures
from odyssey_cli.breaking import denied
from odyssey_cli.failures import Kind, Result
from odyssey_cli.flows.ingest import CONSUMER, STACK
from odyssey_cli.flows.ingest.events import SENDER
from odyssey_cli.flows.ingest.generate import FIREHOSE, SQS, generate
from odyssey_cli.flows.ingest.verify import Problem
from tests.local.intake import (
    BY_QUEUE,
    BY_STREAM,
    NOWHERE,
    ONLY_STORED,
    PATIENCE,
    Intake,
    Where,
    event,
    events_of_one,
)
from tests.local.sources import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli.flows.ingest.events import Event
    from odyssey_cli.flows.ingest.generate import Via
    from odyssey_cli.target import Target


DENIED = "AccessDeniedException"
PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def intake(deployed: Target) -> Iterator[Intake]:
    """The intake with short waits: how long they are is no matter here."""
    with Intake(deployed).impatient() as intake:
        yield intake


@pytest.fixture(autouse=True)
def nothing_rejected(intake: Intake) -> None:
    intake.forget_rejects()


def dead_letters(intake: Intake, stack: str) -> failures.FailureQueue:
    [found] = [
        each for each in failures.discover(intake.target, stack) if each.kind is Kind.DEAD_LETTERS
    ]
    return found


def waiting(intake: Intake, url: str) -> int:
    name = "ApproximateNumberOfMessages"
    answer = intake.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return int(answer["Attributes"][name])


def test_what_a_storer_without_permission_gave_up_is_redriven_in_its_order(
    intake: Intake,
) -> None:
    # GIVEN a storer that may not store
    made = [*events_of_one(12), event(), event()]
    dead = dead_letters(intake, STACK)
    with denied(intake.target, STACK, "Storer", "dynamodb:PutItem"):
        # WHEN events come, more of an entity than a batch takes
        intake.send(*made)
        # THEN all are given up
        given_up = eventually(lambda: waiting(intake, dead.url), len(made), PATIENCE)
        assert given_up == len(made)
    assert set(intake.where(*made)) == {NOWHERE}
    # AND redriven within the five minutes in which SQS drops what has the id of an earlier message
    redriven = intake.redrive(STACK, Kind.DEAD_LETTERS)
    assert [each.result for each in redriven] == [Result.DONE] * len(made)
    assert waiting(intake, dead.url) == 0
    # THEN each is stored and counted once, its entity's state is the last one's
    assert intake.all_are(BY_QUEUE, *made)
    assert [each["at"]["S"][-36:] for each in intake.stored(made[0].entity)] == [
        each.id for each in made[:12]
    ]
    assert intake.api.entity("order", made[0].subject).body["event_id"] == made[11].id
    assert intake.is_clean()


def test_what_an_emitter_without_permission_gave_up_is_missed_and_redriven(
    intake: Intake,
) -> None:
    # GIVEN an emitter that may not put events on the bus
    made = [event() for _ in range(3)]
    with denied(intake.target, STACK, "Emitter", "events:PutEvents"):
        # WHEN events come
        intake.send(*made)
        # THEN they are stored, the consumer has none, and verify names them
        assert intake.all_are(ONLY_STORED, *made)
        missing = {f"{SENDER} {each.id}" for each in made}
        assert missing <= {*intake.problems()[Problem.NOT_COUNTED]}
        # AND their batches are given up
        [queue] = [
            each for each in failures.discover(intake.target, STACK) if each.kind is Kind.POINTERS
        ]
        batches = eventually(lambda: waiting(intake, queue.url) > 0, True, PATIENCE)
        assert batches
    # AND redriven with the permission, nothing is missing
    done: list[failures.Redriven] = []

    def counted() -> bool:
        done.extend(intake.redrive(STACK, Kind.POINTERS))
        return set(intake.where(*made)) == {BY_QUEUE}

    assert eventually(counted, True, PATIENCE)
    assert {each.result for each in done} == {Result.DONE}
    assert intake.is_clean()


@pytest.mark.parametrize(
    ("action", "table"),
    [
        ("dynamodb:PutItem", "MarkersTable"),
        ("dynamodb:PutItem", "EntitiesTable"),
        ("dynamodb:BatchGetItem", "EntitiesTable"),
        ("dynamodb:UpdateItem", "TotalsTable"),
    ],
)
def test_what_a_responder_without_permission_fails_on_counts_when_it_may(
    intake: Intake, action: str, table: str
) -> None:
    # GIVEN a responder that may not do something to a table
    subject = f"s-{uuid.uuid4().hex[:10]}"
    before = intake.api.totals().body["totals"]["device"]
    since = int(time.time() * 1000)
    arn = f"arn:aws:dynamodb:*:*:table/{intake.consumer[table]}"

    def causes() -> bool:
        lines = intake.said(CONSUMER, "ResponderLogs", since)
        return any(DENIED in each.get("causes", {}) for each in lines)

    with denied(intake.target, CONSUMER, "Responder", action, on=arn):
        # WHEN an event comes
        answer = intake.api.trigger({"type": "device", "subject": subject, "data": {}})
        # THEN its log says why, and nothing is counted
        assert eventually(causes, True, PATIENCE)
        assert intake.api.entity("device", subject).status == 404
        assert intake.api.totals().body["totals"]["device"] == before

    # AND with the permission it counts, even if it was given up meanwhile
    def state() -> object:
        intake.redrive(CONSUMER, Kind.DEAD_LETTERS)
        return intake.api.entity("device", subject).body.get("event_id")

    event_id = answer.body["event_id"]
    assert eventually(state, event_id, PATIENCE) == event_id
    assert intake.api.totals().body["totals"]["device"] == before + 1


UNUSABLE: dict[str, dict[str, Any]] = {
    "Storer": {
        "messageId": "m1",
        "body": "no event",
        "attributes": {"MessageGroupId": "group"},
        "eventSource": "aws:sqs",
    },
    "Emitter": {
        "eventName": "INSERT",
        "dynamodb": {
            "Keys": {"entity": {"S": "order/1"}, "at": {"S": "no time"}},
            "NewImage": {"entity": {"S": "order/1"}, "at": {"S": "no time"}},
            "SequenceNumber": "1",
        },
    },
    "Responder": {"messageId": "m1", "body": "no event", "eventSource": "aws:sqs"},
}


@pytest.mark.parametrize(
    ("stack", "id", "cause"),
    [
        (STACK, "Storer", "The body is not JSON"),
        (STACK, "Emitter", "The item has no map 'event'"),
        (CONSUMER, "Responder", "The body is not JSON"),
    ],
)
def test_what_cannot_be_rejected_comes_again(
    intake: Intake, stack: str, id: str, cause: str
) -> None:
    # GIVEN a function that may not send to the rejects queue
    record = UNUSABLE[id]
    with denied(intake.target, stack, id, "sqs:SendMessage"):
        # WHEN, THEN
        assert len(deliver(intake, stack, id, record)) == 1
    assert intake.causes(stack) == []
    # AND with the permission, it need not come again
    assert deliver(intake, stack, id, record) == []
    [found] = intake.causes(stack)
    assert found.startswith(cause)


def deliver(intake: Intake, stack: str, id: str, record: dict[str, Any]) -> list[str]:
    """Call a function as Lambda does for its source; return what it wants again."""
    name = intake.physical_id(stack, "AWS::Lambda::Function", f"{id}Function")
    answer = intake.target.client("lambda").invoke(
        FunctionName=name, Payload=json.dumps({"Records": [record]})
    )
    said = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, said
    return [each["itemIdentifier"] for each in said["batchItemFailures"]]


@pytest.mark.parametrize(
    ("action", "path", "allowed"),
    [
        ("dynamodb:BatchGetItem", "totals", 200),
        ("dynamodb:GetItem", "entities/order/nobody", 404),
    ],
)
def test_the_reader_needs_every_permission_it_has(
    intake: Intake, action: str, path: str, allowed: int
) -> None:
    with denied(intake.target, CONSUMER, "Reader", action):
        answer = intake.api.client.request("GET", path)
        assert (answer.status, answer.content_type) == (502, PROBLEM)
        # It says what it is all the same.
        assert intake.api.about().status == 200
    assert intake.api.client.request("GET", path).status == allowed


@pytest.mark.parametrize(
    ("action", "status"), [("dynamodb:PutItem", 502), ("sqs:SendMessage", 503)]
)
def test_the_trigger_needs_every_permission_it_has(
    intake: Intake, action: str, status: int
) -> None:
    # GIVEN
    subject, key = f"s-{uuid.uuid4().hex[:10]}", uuid.uuid4().hex
    body = {"type": "security", "subject": subject, "data": {"level": 1}}
    before = intake.api.totals().body["totals"]["security"]
    with denied(intake.target, CONSUMER, "Trigger", action):
        # WHEN, THEN the caller is told
        answer = intake.api.trigger(body, key=key)
        assert (answer.status, answer.content_type) == (status, PROBLEM)
    # AND can try again: it is one event
    answers = [intake.api.trigger(body, key=key) for _ in range(2)]
    assert [each.status for each in answers] == [202, 202]
    assert answers[0].body == answers[1].body
    found = eventually(
        lambda: intake.api.entity("security", subject).body.get("state"), {"level": 1}, PATIENCE
    )
    assert found == {"level": 1}
    assert intake.api.totals().body["totals"]["security"] == before + 1


@pytest.mark.parametrize(
    ("via", "action", "everywhere"),
    [(FIREHOSE, "firehose:PutRecordBatch", BY_STREAM), (SQS, "sqs:SendMessage", BY_QUEUE)],
)
def test_the_producer_needs_every_permission_it_has(
    intake: Intake, via: Via, action: str, everywhere: Where
) -> None:
    taken: list[Event] = []

    def report() -> tuple[int, int]:
        made = generate(intake.target, via=via, count=3, type="mix", seed=1, taken=taken.extend)
        return made.accepted, made.refused.total()

    with denied(intake.target, STACK, "Producer", action):
        assert report() == (0, 3)
    assert report() == (3, 0)
    assert intake.all_are(everywhere, *taken)

"""A record without an id that is put twice by reprocess is one event; two equal ones stay two."""

from __future__ import annotations

import base64
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError

from ingest.items import AT, EVENT
from ingest.records import Record
from odyssey_cli.flows.ingest.given_up import GivenUp
from odyssey_cli.flows.ingest.reprocess import Report, reprocess
from odyssey_cli.flows.ingest.senders import ToStream
from odyssey_cli.target import Target
from proofs.crash_points import Batch, again, crash, points
from proofs.fakes.dynamodb import FakeDynamoDB
from proofs.fakes.firehose import FakeFirehose
from shared import strict_json
from tests.ingest import NOON, as_bytes, fields, put
from tests.unit.queueing import DELAYED, EVENTS, OUTPUTS, FakeQueues, queues
from tests.unit.test_ingest_reprocess import ACCOUNT, BUCKET, ERRORS, FakeS3, line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proofs.fakes.dynamodb import Call
    from shared.entity_events import EntityEvent

STREAM = "arn:stream"
EQUAL = fields(1, id=None)
# Four readings of one moment, equal but for one; two of them in one object.
OBJECTS = {
    "errors/a": line(as_bytes(EQUAL)) * 2 + line(as_bytes(fields(2))),
    "errors/b": line(as_bytes(EQUAL)) + line(as_bytes(fields(3, id=None))),
}
EXPECTED = Counter({1: 3, 2: 1, 3: 1})


class Bucket(FakeS3):
    """A bucket whose calls are counted with DynamoDB's."""

    def __init__(self, dynamodb: FakeDynamoDB) -> None:
        super().__init__()
        self.dynamodb = dynamodb

    def put_object(self, **request: Any) -> None:
        call = self.dynamodb.begin("PutObject", {})
        super().put_object(**request)
        self.dynamodb.after(call)

    def delete_object(self, **request: Any) -> None:
        call = self.dynamodb.begin("DeleteObject", {})
        super().delete_object(**request)
        self.dynamodb.after(call)


class Intake:
    """Error prefix, stream and store; what the stream takes is stored if it is carried on.

    Attributes:
        is_storing: whether the stream's records have come as far as the store.
        queues: in front of the store.
    """

    queues: FakeQueues

    def __init__(self) -> None:
        self.dynamodb = FakeDynamoDB.with_tables()
        self.firehose, self.s3 = FakeFirehose(self.dynamodb), Bucket(self.dynamodb)
        self.s3.objects = dict(OBJECTS)
        self.is_storing = True

    def run(self) -> Report:
        stream = ToStream("stream", self.firehose, lambda: range(2))  # type: ignore[arg-type]
        return reprocess(Target({}, Path(), None, account=ACCOUNT), stream)

    def events(self) -> dict[str, EntityEvent]:
        """Return the events of what the stream took, by their ids."""
        found = [
            Record.of(put(data, name, arrived=NOON), stream=STREAM).event()
            for name, data in self.firehose.taken
        ]
        return {each.envelope.id: each for each in found}

    def readings(self) -> Counter[int]:
        """Return how many events tell of each number."""
        return Counter(each.envelope.data["number"] for each in self.events().values())

    def get_paginator(self, _operation: str) -> Intake:
        return self

    def paginate(self, *, ExpressionAttributeValues: Any, **_: Any) -> Iterator[dict[str, Any]]:  # noqa: N803
        entity = ExpressionAttributeValues[":entity"]["S"]
        yield {
            "Items": [
                {AT: {"S": each.at}, EVENT: strict_json.to_attribute(each.envelope.as_dict())}
                for each in sorted(self.events().values(), key=lambda each: each.at)
                if self.is_storing and each.entity == entity
            ]
        }


@pytest.fixture
def intake(monkeypatch: pytest.MonkeyPatch) -> Intake:
    made = Intake()
    made.queues = queues(monkeypatch)

    def client(_target: Target, service: str, **_: Any) -> Any:
        return {"s3": made.s3, "sqs": made.queues}.get(service, made)

    outputs = {"LakeBucket": BUCKET, "ErrorsPrefix": ERRORS, "EventsTable": "store", **OUTPUTS}
    monkeypatch.setattr(Target, "client", client)
    monkeypatch.setattr(Target, "outputs", lambda *_: outputs)
    return made


@pytest.mark.parametrize("is_storing", [False, True])
def test_who_dies_in_any_call_and_runs_it_again_doubles_nothing_and_loses_nothing(
    is_storing: bool, intake: Intake
) -> None:
    # GIVEN
    def start_over() -> None:
        intake.__init__()  # type: ignore[misc]
        intake.is_storing = is_storing

    def check() -> None:
        assert intake.readings() == EXPECTED
        assert intake.s3.objects == {}

    batch = Batch(
        start_over, lambda: intake.dynamodb, lambda: again(intake.run, intake.dynamodb), check
    )
    # WHEN it dies in each of its calls
    found = list(points(batch))
    for point in found:
        crash(batch, point)
    # THEN all is as if it had not, and each of its calls was one of them
    assert len(found) == 8


@pytest.mark.parametrize("is_storing", [False, True])
def test_a_put_without_an_answer_doubles_nothing(is_storing: bool, intake: Intake) -> None:
    # GIVEN a stream that takes everything and never answers
    intake.is_storing = is_storing

    def no_answer(call: Call) -> None:
        if call.operation == "PutRecordBatch":
            raise ReadTimeoutError(endpoint_url="stream")

    intake.dynamodb.after = no_answer
    # WHEN it is tried, again in the same run and in the next one
    assert intake.run() == intake.run() == Report(refused=5)
    assert len(intake.firehose.taken) == 20
    # THEN each is one event all the same, before it answers and after
    assert intake.readings() == EXPECTED
    intake.dynamodb.after = lambda _call: None
    assert intake.run() == Report(brought_back=5)
    assert intake.readings() == EXPECTED
    assert intake.s3.objects == {}


@pytest.mark.parametrize("is_storing", [False, True])
@pytest.mark.parametrize("refused", [{0}, {1}, {0, 1}])
def test_of_equal_readings_none_is_taken_for_the_other_when_one_stays(
    refused: set[int], is_storing: bool, intake: Intake
) -> None:
    # GIVEN a stream that does not take some of the first object's, twice
    intake.is_storing = is_storing
    intake.firehose.refuse_next = [refused, set(range(len(refused)))]
    # WHEN
    assert intake.run() == Report(brought_back=5 - len(refused), refused=len(refused))
    # THEN what stays tells with which id it was put, and what was put
    kept = [GivenUp.of(each) for each in intake.s3.objects["errors/a"].splitlines()]
    assert len({each.decided for each in kept}) == len(refused)
    assert {each.record for each in kept} == {as_bytes(EQUAL)}
    # AND it comes back as an event that is not there yet
    assert intake.run() == Report(brought_back=len(refused))
    assert intake.readings() == EXPECTED


def test_what_reprocess_has_put_is_no_other_record_s_event(intake: Intake) -> None:
    # GIVEN a record that was brought back and stored
    intake.s3.objects = {"errors/a": line(as_bytes(EQUAL))}
    intake.run()
    # WHEN another one with the same reading is given up
    intake.s3.objects = {"errors/b": line(as_bytes(EQUAL))}
    intake.run()
    # THEN
    assert intake.readings() == {1: 2}


def test_an_object_that_is_put_there_again_brings_no_event_twice(intake: Intake) -> None:
    # GIVEN all of it brought back, WHEN somebody restores the earlier versions
    intake.run()
    intake.s3.objects = dict(OBJECTS)
    intake.run()
    # THEN
    assert intake.readings() == EXPECTED


@pytest.mark.parametrize("decided", [7, "", "a b", None, ["x"], "x" * 256])
def test_an_id_that_cannot_be_one_is_not_believed(decided: object, intake: Intake) -> None:
    # GIVEN
    document = {
        "errorCode": "Lambda.FunctionError",
        "rawData": base64.b64encode(as_bytes(EQUAL)).decode(),
        "odysseyEventId": decided,
    }
    intake.s3.objects = {"errors/a": json.dumps(document).encode()}
    # WHEN
    intake.run()
    # THEN
    [name] = intake.events()
    assert name.startswith("given-up-")


def test_what_was_decided_stays_so_whatever_is_stored_by_then(intake: Intake) -> None:
    # GIVEN a reading that was perhaps put, and an equal one that is stored under another id
    intake.s3.objects = {"errors/a": GivenUp.with_decided(line(as_bytes(EQUAL)), "decided")}
    intake.firehose.taken.append(("r0", as_bytes(EQUAL | {"id": "other"})))
    # WHEN
    intake.run()
    # THEN
    assert intake.events().keys() == {"other", "decided"}


def test_who_dies_before_the_queue_is_in_use_and_comes_again_after_doubles_nothing(
    intake: Intake,
) -> None:
    # GIVEN two equal readings, one of them stored, and somebody who dies when both are put
    intake.s3.objects = {"errors/a": line(as_bytes(EQUAL)) * 2 + line(as_bytes(fields(2)))}
    intake.firehose.taken.append(("r0", as_bytes(EQUAL | {"id": "stored"})))
    delete = intake.s3.delete_object
    intake.s3.delete_object = dies  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        intake.run()
    intake.s3.delete_object = delete  # type: ignore[method-assign]
    found = intake.events().keys()
    assert len(found) == 3
    # WHEN the queue is in use at the next time, and not at the one after that
    intake.queues.numbers[EVENTS, DELAYED] = 1
    assert intake.run() == Report(brought_back=1, waiting=2)
    intake.queues.numbers.clear()
    assert intake.run() == Report(brought_back=2)
    # THEN
    assert intake.events().keys() == found
    assert intake.readings() == {1: 2, 2: 1}
    assert intake.s3.objects == {}


def dies(**_: Any) -> None:
    raise KeyboardInterrupt

"""What comes through the intake to the consumer: how large, how often, in which order, for whom."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from ingest.records import SOURCE
from odyssey_cli import breaking
from odyssey_cli.cloud import ACCOUNT, REGION
from odyssey_cli.flows.ingest import STACK
from odyssey_cli.flows.ingest.verify import verify
from shared import envelope
from shared.entity_events import MAX_BYTES, EntityEvent
from tests.local.buses import may
from tests.local.intake import (
    BY_QUEUE,
    BY_STREAM,
    NOWHERE,
    PATIENCE,
    Intake,
    Where,
    event,
    events_of_one,
)
from tests.local.sources import Bench, eventually
from tests.local.topics import document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli.flows.ingest.events import Event
    from odyssey_cli.target import Target


WRITE = "DynamoDB_20120810.TransactWriteItems"


@pytest.fixture(scope="module")
def intake(deployed: Target) -> Iterator[Intake]:
    """The intake with short waits: how long they are is no matter here."""
    with Intake(deployed).impatient() as intake:
        yield intake


def of_size(size: int) -> Event:
    """Return an event whose envelope has so many bytes when it came in by the stream."""
    made = event(text="")
    fields = json.loads(made.record())
    own = {"specversion": "1.0", "source": SOURCE, "correlationid": made.id}
    empty = len(EntityEvent.of(envelope.from_dict(own | fields)).text.encode())
    wide, rest = divmod(size - empty, len("é".encode()))
    return replace(made, data={"text": "é" * wide + "x" * rest})


def test_an_event_may_have_200_000_bytes_and_not_one_more(intake: Intake) -> None:
    # GIVEN
    intake.forget_rejects()
    largest, larger = of_size(MAX_BYTES), of_size(MAX_BYTES + 1)
    # WHEN
    intake.put(largest, larger)
    # THEN the one is in the lake, in the store and counted, and the API has all of it
    assert intake.all_are(BY_STREAM, largest)
    [line] = [each for each in intake.lines() if each["id"] == largest.id]
    assert len(json.dumps(line, ensure_ascii=False).encode()) == 200_000
    answer = intake.api.entity("order", largest.subject)
    assert answer.body["state"] == largest.data
    # AND the other one is rejected
    codes = ["Lambda.ProcessingFailedStatus"]
    assert eventually(lambda: intake.codes(larger.id), codes, PATIENCE) == codes
    assert intake.causes() == ["The event has 200001 bytes, more than 200000."]
    assert intake.where(larger) == [NOWHERE]


def test_two_equal_readings_without_ids_are_two_events(intake: Intake) -> None:
    # GIVEN a reading as a device sends it
    made = event(celsius=21.5)
    fields = json.loads(made.record())
    del fields["id"]
    reading = json.dumps(fields).encode()
    # WHEN it is put twice
    intake.put(reading, reading)

    # THEN there are two of it, of different ids
    def stored() -> list[str]:
        return [each["event"]["M"]["id"]["S"] for each in intake.stored(made.entity)]

    assert eventually(lambda: len(stored()), 2, PATIENCE) == 2
    both = [replace(made, id=each) for each in stored()]
    assert both[0].id != both[1].id
    assert intake.all_are(BY_STREAM, *both)
    assert intake.is_clean()


def test_a_record_with_an_id_that_is_put_twice_is_one_event(intake: Intake) -> None:
    # GIVEN
    made = event()
    # WHEN it is put twice
    intake.put(made, made)
    # THEN the lake has two lines, store and consumer have one event
    assert intake.all_are(Where(2, 1, 1), made)
    # AND when it is queued once more, later than SQS would know it again
    line = next(each for each in intake.lines() if each["id"] == made.id)
    intake.sqs.send_message(
        QueueUrl=intake.intake["EventsQueueUrl"],
        MessageBody=json.dumps(line),
        MessageGroupId=uuid.uuid4().hex,
        MessageDeduplicationId=uuid.uuid4().hex,
    )
    # THEN that is so still, and verify says so and finds nothing wrong
    assert intake.is_clean()
    assert intake.where(made) == [Where(2, 1, 1)]
    assert f"{SOURCE} {made.id}" in verify(intake.target).twice_in_lake


@pytest.fixture
def warm(intake: Intake) -> Iterator[str]:
    """The address of a queue that has what a rule of its own lets pass: warm places with an Å."""
    events, bus = intake.target.client("events"), intake.intake["BusName"]
    name = f"warm-{uuid.uuid4().hex[:8]}"
    arn = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{bus}/{name}"
    url, queue = Bench(intake.target).queue(
        Policy=json.dumps(document(may("sqs:SendMessage", "*", "events", arn)))
    )
    data = {"celsius": [{"numeric": [">", 20]}], "place": {"city": [{"prefix": "Å"}]}}
    pattern = json.dumps({"detail": {"data": data}})
    events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern)
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": queue}])
    yield url
    events.remove_targets(Rule=name, EventBusName=bus, Ids=["queue"])
    events.delete_rule(Name=name, EventBusName=bus)
    intake.sqs.delete_queue(QueueUrl=url)


def test_a_rule_can_match_on_what_an_event_tells(intake: Intake, warm: str) -> None:
    # WHEN
    readings: list[tuple[Any, str]] = [(21.5, "Åsa"), (19, "Åsa"), (25, "Are"), (20.5, "Åre")]
    made = [
        event(celsius=celsius, place={"city": city, "text": "café 😀"})
        for celsius, city in readings
    ]
    made.append(event(celsius="21.5", place={"city": "Åsa"}))
    intake.send(*made)

    # THEN exactly those that match come, as objects
    def came() -> dict[str, Any]:
        bodies = [json.loads(body) for body in Bench(intake.target).bodies(warm)]
        return {body["detail"]["id"]: body for body in bodies}

    matching = {each.id: each for each in (made[0], made[3])}
    assert intake.all_are(BY_QUEUE, *made)
    assert eventually(lambda: came().keys(), matching.keys(), PATIENCE) == matching.keys()
    for name, body in came().items():
        assert body["detail"]["data"] == matching[name].data
        assert body["detail-type"] == "order"
        assert body["source"] == body["detail"]["source"]
        assert body["resources"] == [matching[name].entity]


def in_the_stream(intake: Intake, entity: str) -> list[str]:
    """Return the ids of an entity's events in the order in which the table's stream has them."""
    table = intake.target.client("dynamodb").describe_table(TableName=intake.intake["EventsTable"])
    arn = table["Table"]["LatestStreamArn"]
    streams = intake.target.client("dynamodbstreams")
    found: list[str] = []
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator:
            answer = streams.get_records(ShardIterator=iterator)
            keys = [each["dynamodb"]["Keys"] for each in answer["Records"]]
            found += [
                each["at"]["S"].partition("#")[2] for each in keys if each["entity"]["S"] == entity
            ]
            iterator = answer.get("NextShardIterator") if answer["Records"] else None
    return found


def test_events_of_an_entity_keep_their_order_while_the_storer_fails_at_random(
    intake: Intake,
) -> None:
    # GIVEN a storer whose transactions fail, but not as often as makes the queue give up
    made = events_of_one(100)
    local = intake.target.local
    assert local is not None
    for times, chance in ((1, 1.0), (3, 0.4)):
        breaking.fail_requests(
            local,
            WRITE,
            containing=made[0].subject,
            times=times,
            code="InternalServerError",
            chance=chance,
        )
    # WHEN events of an entity are sent in their order
    with intake.soon_visible(STACK):
        intake.send(*made)
        assert intake.all_are(BY_QUEUE, *made)
    # THEN the store has each once, in their order
    ids = [each.id for each in made]
    stored = [each["at"]["S"].partition("#")[2] for each in intake.stored(made[0].entity)]
    assert stored == ids
    # AND it got them so: none before one of an earlier batch, and a batch has ten
    streamed = in_the_stream(intake, made[0].entity)
    assert sorted(streamed) == sorted(ids)
    assert all(abs(streamed.index(each) - number) < 10 for number, each in enumerate(ids))
    # AND the consumer has the state of the last
    assert intake.api.entity("order", made[0].subject).body["event_id"] == ids[-1]
    assert intake.is_clean()

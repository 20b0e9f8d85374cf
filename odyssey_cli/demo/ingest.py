"""Drives the intake as producers would, and accounts for every event at every hop."""

from __future__ import annotations

import base64
import uuid
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from consumer.kinds import TYPES
from consumer.reading import ABOUT
from odyssey_cli import failures
from odyssey_cli.demo import ingest_failures
from odyssey_cli.demo.checks import expect
from odyssey_cli.demo.ingest_drive import COUNTED, LAKE, STORE, Drive
from odyssey_cli.demo.waiting import until, wait_for_failures
from odyssey_cli.flows.http import SignedClient
from odyssey_cli.flows.ingest import CONSUMER, STACK, replay
from odyssey_cli.flows.ingest.generate import FIREHOSE, SQS
from odyssey_cli.flows.ingest.payloads import ODD
from shared.strict_json import from_attribute

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_cli.demo.checks import Checks
    from odyssey_cli.flows.ingest.events import Event
    from odyssey_cli.target import Target

STACKS = [STACK, CONSUMER]
_STREAMED, _QUEUED, _BAD = 1_000, 200, 20
# Entities whose items are read one by one; `verify` looks at all of them.
_LOOKED_AT = 20
_PROBLEM = "application/problem+json"


def run(target: Target, checks: Checks) -> None:
    """Make all checks of the flow; the stacks are deployed and empty."""
    drive = Drive(target)
    with drive.as_client():
        for name, step in STEPS:
            with checks.check(name) as check:
                check.detail = step(drive)


def _generate(drive: Drive) -> str:
    # WHEN good and bad records come while the functions behind fail at random
    ingest_failures.break_at_random(drive)
    by_stream = drive.generate(FIREHOSE, _STREAMED, seed=1)
    bad = [{"Data": record} for record in drive.bad]
    firehose = drive.target.client("firehose")
    put = firehose.put_record_batch(
        DeliveryStreamName=drive.intake["DeliveryStreamName"], Records=bad
    )
    expect(put["FailedPutCount"] == 0, f"{put['FailedPutCount']} bad records were not taken")
    hold_back = partial(ingest_failures.hold_back_first, drive)
    by_queue = drive.generate(SQS, _QUEUED, seed=2, before=hold_back)
    return f"{by_stream}, {by_queue}, {len(bad)} bad records"


def _api(drive: Drive) -> str:
    # GIVEN the consumer's API, THEN it says what it is, and whom it does not know
    about = drive.api.about()
    expect((about.status, about.body) == (HTTPStatus.OK, ABOUT), f"GET / says {about.body}")
    for path in ("entities/order/nobody", "entities/car/1"):
        answer = drive.api.client.request("GET", path)
        seen = answer.status, answer.content_type
        expect(seen == (HTTPStatus.NOT_FOUND, _PROBLEM), f"{path} was answered {seen}")
    unsigned = SignedClient(drive.consumer["ApiUrl"], None)
    for method, path in (("GET", ""), ("GET", "totals"), ("POST", "events")):
        answer = unsigned.request(method, path, body=b"{}" if method == "POST" else None)
        expect(answer.status == HTTPStatus.FORBIDDEN, f"unsigned {path}: {answer.status}")
    # WHEN an event is handed to it three times under one key, THEN it is one event
    body = {"type": "order", "subject": "by-hand", "data": {"text": ODD}}
    key = uuid.uuid4().hex
    answers = [drive.api.trigger(body, key=key) for _ in range(3)]
    expect({each.status for each in answers} == {HTTPStatus.ACCEPTED}, f"answered {answers}")
    expect(len({each.body["event_id"] for each in answers}) == 1, "the key made several events")
    other = drive.api.trigger(body | {"data": {}}, key=key)
    expect(other.status == HTTPStatus.UNPROCESSABLE_ENTITY, f"another body: {other.status}")
    bad = drive.api.trigger(body | {"type": "car"})
    expect(bad.status == HTTPStatus.BAD_REQUEST, f"an unknown type: {bad.status}")
    drive.triggered += 1
    return "GET / answers, unknown 404, unsigned 403, a key sent three times is one event"


def _bad(drive: Drive) -> str:
    # THEN each bad record is in the error prefix as it was put, and rejected with its cause
    rejected = wait_for_failures(
        drive.target, STACK, failures.Kind.REJECTS, lambda found: len(found) >= _BAD
    )
    expect(len(rejected) == _BAD, f"{len(rejected)} records were rejected")
    failures.release(drive.target, rejected)
    expect(until(lambda: len(drive.raw_failures()) >= _BAD), "the error prefix lacks records")
    raw = drive.raw_failures()
    expect(sorted(raw) == sorted(drive.bad), f"{len(raw)} records are in the error prefix")
    # Joined by what was put, which is all that Firehose's document says of a record.
    causes = {base64.b64decode(each.body["data"]): each.cause for each in rejected}
    expect(causes.keys() == drive.bad.keys(), "other records were rejected")
    wrong = {causes[r]: text for r, text in drive.bad.items() if not causes[r].startswith(text)}
    expect(not wrong, f"other causes than expected: {wrong}")
    return f"all in the error prefix as they were put; {len(set(causes.values()))} causes"


def _clean(drive: Drive) -> str:
    # THEN all that was sent is where it belongs, once, although functions failed
    ingest_failures.redrive_held_back(drive)
    findings = drive.settled()
    failed = ingest_failures.failures_so_far(drive)
    sum_of_totals = sum(findings.totals.values())
    return (
        f"{failed}; lake {findings.counts[LAKE]}, store {findings.counts[STORE]}, consumer "
        f"{findings.counts[COUNTED]}, totals {sum_of_totals}"
    )


def _text(drive: Drive) -> str:
    # THEN what the producer wrote is the same in lake, store, totals' entities and the API
    odd = [event for event in drive.streamed if ODD in str(event.data)]
    expect(odd, "no event has the text")
    stored_of = {event.entity: drive.stored(event.entity) for event in odd[:_LOOKED_AT]}
    lake = {line["id"]: line["data"] for line in drive.lines()}
    for event in odd:
        expect(lake.get(event.id) == event.data, f"the lake has {lake.get(event.id)}")
        if event.entity not in stored_of:
            continue
        [stored] = [each for each in stored_of[event.entity] if event.id in each["at"]["S"]]
        data = from_attribute(stored["event"])["data"]
        expect(data == event.data, f"the store has {data}")
    answer = drive.api.entity("order", "by-hand")
    expect(answer.body["state"] == {"text": ODD}, f"the API says {answer.body}")
    return f"{ODD}: in {len(odd)} events, lake, store and API"


def _order(drive: Drive) -> str:
    # THEN each entity's events are stored in their order, and its state is that of the last
    by_entity: dict[str, list[Event]] = {}
    for event in drive.sent:
        by_entity.setdefault(event.entity, []).append(event)
    busiest = sorted(by_entity, key=lambda entity: -len(by_entity[entity]))
    for entity in busiest[:_LOOKED_AT]:
        events = by_entity[entity]
        ids = [each["at"]["S"].partition("#")[2] for each in drive.stored(entity)]
        expect(ids == [event.id for event in events], f"{entity} is stored in another order")
        state = drive.api.entity(*entity.split("/")).body
        expect(state["event_id"] == events[-1].id, f"{entity} has the state of another event")
        expect(state["state"] == events[-1].data, f"{entity} has the state {state['state']}")
    return f"{len(by_entity)} entities, up to {len(by_entity[busiest[0]])} events each"


def _replay(drive: Drive) -> str:
    # WHEN all that passed the bus passes it again, THEN no total changes
    before = _totals(drive)
    deliveries = ingest_failures.deliveries(drive)
    replayed = replay.start(drive.target, replay.duration("1h"))
    replayed = replay.wait(drive.target, replayed, tell=lambda _: None)
    expect(replayed.state == replay.COMPLETED, f"the replay is {replayed.state}")
    expect(
        until(lambda: ingest_failures.deliveries(drive) - deliveries >= len(drive.sent)),
        f"{ingest_failures.deliveries(drive) - deliveries} events came again",
    )
    drive.settled()
    expect(_totals(drive) == before, f"{before} became {_totals(drive)}")
    return f"{len(drive.sent)} events came again; {', '.join(f'{t} {before[t]}' for t in TYPES)}"


def _totals(drive: Drive) -> dict[str, int]:
    totals: dict[str, int] = drive.api.totals().body["totals"]
    return totals


STEPS: list[tuple[str, Callable[[Drive], str]]] = [
    (f"{_STREAMED} events by the stream and {_QUEUED} by the queue are taken", _generate),
    ("the consumer's API says what it is, and takes an event by hand once", _api),
    (f"{_BAD} bad records are told of with their causes, and nowhere else", _bad),
    ("storer, emitter and responder fail at random: nothing is missing or double", _clean),
    ("text comes through every hop byte for byte", _text),
    ("each entity's events are in order, its state is the latest", _order),
    (
        "what storer, emitter and responder can never use is rejected by each",
        ingest_failures.unusable,
    ),
    (
        "what neither got on the bus nor off it is redriven, and counts once",
        ingest_failures.bus_trouble,
    ),
    ("a replay of the archive changes no total", _replay),
]

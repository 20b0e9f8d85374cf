"""A record without an id that was queued and stored before it was given up stays the same event."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from ingest.items import AT, ENTITY, EVENT
from odyssey_cli.flows.ingest.reprocess import Report, reprocess
from odyssey_cli.flows.ingest.senders import Sent
from odyssey_cli.target import Target
from shared import strict_json
from shared.identity import stable_id
from tests.ingest import as_bytes, at, event, fields
from tests.unit import queueing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BUCKET, TABLE = "lake", "store"
OUTPUTS = {
    "LakeBucket": BUCKET,
    "ErrorsPrefix": "errors/",
    "EventsTable": TABLE,
    **queueing.OUTPUTS,
}
UNNAMED = fields(1, id=None)


class Intake:
    """Bucket and store in moto, queues, and a stream.

    Attributes:
        queues: in front of the store.
        puts: what was put into the stream.
        refuses: whether the stream takes nothing.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.s3 = boto3.client("s3", region_name="us-east-1")
        self.dynamodb = boto3.client("dynamodb", region_name="us-east-1")
        self.puts: list[bytes] = []
        self.refuses = False
        self.s3.create_bucket(Bucket=BUCKET)
        self.dynamodb.create_table(
            TableName=TABLE,
            KeySchema=[
                {"AttributeName": ENTITY, "KeyType": "HASH"},
                {"AttributeName": AT, "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in (ENTITY, AT)
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        self.queues = queueing.queues(monkeypatch)
        clients = {"s3": self.s3, "dynamodb": self.dynamodb, "sqs": self.queues}
        monkeypatch.setattr(Target, "client", lambda _, service, **__: clients[service])
        monkeypatch.setattr(Target, "outputs", lambda *_: OUTPUTS)

    def store(self, id: str, **changes: Any) -> None:
        """Store the event of `UNNAMED` with an id, or one that differs in something."""
        made = event(1, **({"id": id, "correlationid": id} | changes))
        item = {
            ENTITY: {"S": made.entity},
            AT: {"S": made.at},
            EVENT: strict_json.to_attribute(made.envelope.as_dict()),
        }
        self.dynamodb.put_item(TableName=TABLE, Item=item)

    def give_up(self, *records: object, key: str = "errors/a") -> None:
        documents = [
            {
                "errorCode": "Lambda.FunctionError",
                "rawData": base64.b64encode(as_bytes(record)).decode(),
            }
            for record in records
        ]
        body = "".join(f"{json.dumps(each)}\n" for each in documents)
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body.encode())

    def put(self, records: Sequence[bytes]) -> Sent:
        self.puts += records
        return Sent(refused=dict.fromkeys(range(len(records)), "No")) if self.refuses else Sent()

    def reprocess(self, **options: Any) -> list[bytes]:
        """Return what was put into the stream."""
        self.puts.clear()
        target = Target({}, Path(), None, account="123456789012")
        self.report = reprocess(target, self, **options)  # type: ignore[arg-type]
        return [*self.puts]

    def ids(self) -> list[str]:
        """Return the ids of what was put into the stream."""
        return [json.loads(record)["id"] for record in self.reprocess()]


def is_own(name: str) -> bool:
    """Say whether it is an id of reprocess's own, and as long as the transformer's."""
    return name.startswith("given-up-") and len(name) == len(stable_id("firehose", "", ""))


@pytest.fixture
def intake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Intake]:
    with mock_aws():
        yield Intake(monkeypatch)


def test_it_is_put_with_the_id_that_it_is_stored_with(intake: Intake) -> None:
    # GIVEN
    intake.store("stored")
    intake.give_up(UNNAMED)
    # WHEN
    [put] = intake.reprocess()
    # THEN
    assert json.loads(put) == UNNAMED | {"id": "stored"}
    assert intake.report == Report(brought_back=1)


def test_two_readings_of_different_stories_are_two(intake: Intake) -> None:
    # GIVEN one that is stored, and the other that never was
    intake.store("stored", correlationid="one story")
    intake.give_up(*[UNNAMED | {"correlationid": each} for each in ("another", "one story")])
    # WHEN
    first, second = intake.ids()
    # THEN only the one that it is gets its id
    assert is_own(first)
    assert second == "stored"


def test_an_id_that_is_null_is_none(intake: Intake) -> None:
    intake.store("stored")
    intake.give_up(json.dumps(UNNAMED | {"id": None}).encode())
    assert intake.ids() == ["stored"]


def test_a_record_with_an_id_keeps_it(intake: Intake) -> None:
    intake.store("stored")
    intake.give_up(fields(1))
    assert intake.reprocess() == [as_bytes(fields(1))]


@pytest.mark.parametrize(
    "other",
    [
        {"subject": "another"},
        {"type": "another"},
        {"time": at(-2)},
        {"time": "2026-11-21T11:59:59.000001Z"},
        {"data": {"number": 2}},
        {"source": "/somebody/else"},
        {"correlationid": "of another story"},
    ],
    ids=str,
)
def test_if_only_another_event_is_stored_it_gets_an_id_of_its_own(
    other: dict[str, Any], intake: Intake
) -> None:
    intake.store("stored", **other)
    intake.give_up(UNNAMED)
    [put] = [json.loads(record) for record in intake.reprocess()]
    assert is_own(put["id"])
    assert put == UNNAMED | {"id": put["id"]}


@pytest.mark.parametrize(
    ("given", "stored", "same"),
    [
        ({"n": 1.0}, {"n": 1}, True),
        ({"n": -0.0}, {"n": 0}, True),
        ({"n": 1e22}, {"n": 1e22}, True),
        ({"a": 1, "b": [None, "Å"]}, {"b": [None, "Å"], "a": 1}, True),
        ({"n": 1}, {"n": True}, False),
        ({"n": 0}, {"n": False}, False),
        ({"n": 1}, {"n": "1"}, False),
        ({"n": None}, {}, False),
    ],
)
def test_data_are_the_same_if_their_canonical_form_is(
    given: Any, stored: Any, same: bool, intake: Intake
) -> None:
    intake.store("stored", data=stored)
    intake.give_up(UNNAMED | {"data": given})
    [found] = intake.ids()
    assert (found == "stored") is same
    assert is_own(found) is not same


def test_a_time_of_another_zone_is_the_same_time(intake: Intake) -> None:
    intake.store("stored", time="2026-11-21T11:59:59.000000Z")
    intake.give_up(UNNAMED | {"time": "2026-11-21T12:59:59+01:00"})
    assert intake.ids() == ["stored"]


def test_two_equal_readings_stay_two(intake: Intake) -> None:
    # GIVEN three, in two objects, of which two are stored
    intake.store("first")
    intake.store("second")
    intake.give_up(UNNAMED, UNNAMED)
    intake.give_up(UNNAMED, key="errors/b")
    # WHEN
    first, second, third = intake.ids()
    # THEN
    assert (first, second) == ("first", "second")
    assert is_own(third)


def test_each_run_finds_them_again(intake: Intake) -> None:
    # GIVEN a run of which the stream took nothing
    intake.store("stored")
    intake.give_up(UNNAMED)
    intake.refuses = True
    assert intake.ids() == ["stored"]
    assert intake.report == Report(refused=1)
    # WHEN it takes it the next time
    intake.refuses = False
    # THEN
    assert intake.ids() == ["stored"]
    assert intake.report == Report(brought_back=1)


def test_it_is_found_behind_many_of_the_same_moment(intake: Intake) -> None:
    for number in range(8):
        intake.store(f"a{number}", data={"number": number, "padding": "x" * 190_000})
    intake.store("z")
    intake.give_up(UNNAMED)
    assert intake.ids() == ["z"]


@pytest.mark.parametrize(
    "record", [b"\xff", b"no JSON", b"[]", b"{}", as_bytes(UNNAMED | {"unknown": 1})]
)
def test_what_has_no_event_is_put_as_it_was(record: bytes, intake: Intake) -> None:
    intake.store("stored")
    intake.give_up(record)
    assert intake.reprocess() == [record]

"""What the local cloud does with delivery streams before and beside delivering."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from local_cloud import firehose, firehose_streams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_cloud.ground import Hook

CONFIG: dict[str, Any] = {
    "BucketARN": "arn:aws:s3:::lake",
    "RoleARN": "arn:aws:iam::000000000000:role/r",
    "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
}


def stream(name: str = "s", kind: str = "ExtendedS3", **config: Any) -> dict[str, Any]:
    return {
        "name": name,
        "arn": f"arn:aws:firehose:us-east-1:000000000000:deliverystream/{name}",
        "version": 1,
        "destinations": [{"type": kind, "config": {**CONFIG, **config}, "records": [1]}],
    }


class Streams(dict[str, Any]):
    """MiniStack's streams."""

    def get_scoped(self, account: str, region: str, name: str) -> Any:
        assert (account, region) == ("000000000000", "us-east-1")
        return self.get(name)


class Roles:
    """MiniStack's roles: each may be assumed."""

    def get_scoped(self, *_: object) -> dict[str, str]:
        principal = {"Service": "firehose.amazonaws.com"}
        statement = {"Effect": "Allow", "Principal": principal}
        return {"AssumeRolePolicyDocument": json.dumps({"Statement": [statement]})}


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Iterator[Streams]:
    streams = Streams()
    known = {
        "_streams": streams,
        "_record_id": lambda: 1,
        "error_response_json": lambda code, message, status: (status, {}, f"{code} {message}"),
        "json_response": lambda made: (200, {}, made),
        "_validate_s3_destination_config": firehose_streams._validating(lambda *_: None),
        "get_account_id": lambda: "000000000000",
        "_roles": Roles(),
    }

    def find(hook: Hook) -> Any:
        return known[hook.name]

    monkeypatch.setattr(firehose, "find", find)
    monkeypatch.setattr(firehose_streams, "find", find)
    yield streams
    firehose._lines.clear()


def waiting(made: dict[str, Any]) -> list[bytes]:
    return [record.data for _, record in firehose._lines[id(made)].waiting.things]


@pytest.mark.parametrize(
    ("principal", "effect", "may"),
    [
        ({"Service": "firehose.amazonaws.com"}, "Allow", True),
        ({"Service": ["lambda.amazonaws.com", "firehose.amazonaws.com"]}, "Allow", True),
        ({"Service": "lambda.amazonaws.com"}, "Allow", False),
        ({"Service": "firehose.amazonaws.com"}, "Deny", False),
        ({"AWS": "*"}, "Allow", False),
        ("*", "Allow", False),
    ],
)
def test_a_role_says_whether_firehose_may_assume_it(
    principal: object, effect: str, may: bool
) -> None:
    statement = {"Effect": effect, "Principal": principal, "Action": "sts:AssumeRole"}

    assert firehose_streams.may_assume(json.dumps({"Statement": statement})) is may
    assert firehose_streams.may_assume(json.dumps({"Statement": [{}, statement]})) is may
    assert firehose_streams.may_assume("{}") is False


def test_puts_into_other_destinations_are_left_to_ministack(streams: Streams) -> None:
    streams["s"] = stream(kind="Iceberg")
    put = firehose_streams._putting(lambda data: (200, {}, json.dumps(data).encode()))

    assert put({"DeliveryStreamName": "s"})[2] == b'{"DeliveryStreamName": "s"}'
    assert put({"DeliveryStreamName": "none"})[0] == 200
    assert firehose._lines == {}


def test_data_that_is_no_base64_is_refused_with_its_batch(streams: Streams) -> None:
    streams["s"] = stream()
    put = firehose_streams._putting_batches(lambda _: (500, {}, b""))

    for wrong in ("Å", "a", "a b="):
        records = [{"Data": "b2s="}, {"Data": wrong}]
        status, _, body = put({"DeliveryStreamName": "s", "Records": records})
        assert (status, str(body).split()[0]) == (400, "SerializationException")
    assert firehose._lines == {}


def test_what_comes_from_a_kinesis_stream_is_buffered_too(streams: Streams) -> None:
    made, other, left = stream(), stream(kind="Splunk"), list[Any]()
    deliver = firehose_streams._delivering(lambda *given: left.append(given))

    deliver(made, made["destinations"][0], [("1", b"a"), ("2", b"b")])
    deliver(other, other["destinations"][0], [("3", b"c")])

    assert waiting(made) == [b"a", b"b"]
    assert made["destinations"][0]["records"] == []
    assert [records for _, _, records in left] == [[("3", b"c")]]


def test_a_record_keeps_one_id_of_its_own(streams: Streams) -> None:
    made = streams["s"] = stream()
    firehose.accept(made, [b"a", b"a"])

    ids = {record.id for _, record in firehose._lines[id(made)].waiting.things}
    assert len(ids) == 2
    assert all(name.isdigit() for name in ids)


def test_a_stream_that_is_gone_takes_its_buffer_with_it(
    streams: Streams, caplog: pytest.LogCaptureFixture
) -> None:
    made = stream()
    streams["s"] = stream()  # made again under the name
    firehose.accept(made, [b"a", b"b"])

    with caplog.at_level(logging.WARNING):
        assert not firehose._due(firehose._lines[id(made)])

    assert firehose._lines == {}
    assert "was deleted with 2 records" in caplog.text


def test_a_stream_nobody_understands_keeps_its_records_and_holds_up_no_other(
    streams: Streams,
) -> None:
    odd = streams["odd"] = stream("odd", BufferingHints={"SizeInMBs": "many"})
    even = streams["even"] = stream("even")
    firehose.accept(odd, [b"kept"])
    firehose.accept(even, [b"passed on"])

    works = [
        [each.data for each in batch]
        for line in firehose._lines.values()
        for _, _, batch in firehose._safely(firehose._due, line, firehose._NOTHING)
    ]

    assert works == [[b"passed on"]]
    assert waiting(odd) == [b"kept"]
    assert waiting(even) == []


def test_a_change_of_a_part_is_refused_for_what_it_makes_of_the_whole(streams: Streams) -> None:
    streams["s"] = stream(Prefix="!{timestamp:yyyy}/", ErrorOutputPrefix="bad/")
    update = firehose_streams._changing(lambda _: (200, {}, b""))

    def change(**part: object) -> int:
        return update({"DeliveryStreamName": "s", "ExtendedS3DestinationUpdate": part})[0]

    assert change(CompressionFormat="GZIP") == 200
    assert change(ErrorOutputPrefix=None) == 400
    assert change(BufferingHints={"SizeInMBs": 200, "IntervalInSeconds": 60}) == 400

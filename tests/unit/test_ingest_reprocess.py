"""What Firehose gave up goes into the stream again, and out of the error prefix; nothing else."""

from __future__ import annotations

import base64
import gzip
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from odyssey_cli.flows.ingest.reprocess import Report, reprocess
from odyssey_cli.flows.ingest.senders import Sent
from odyssey_cli.target import Target
from tests.unit.queueing import OUTPUTS, queues

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BUCKET, ERRORS, ACCOUNT = "lake", "errors/", "123456789012"
REJECTED, FAILED = "Lambda.ProcessingFailedStatus", "Lambda.FunctionError"


class FakeS3:
    """A bucket; listings have two keys a page.

    Attributes:
        objects: its objects by key.
        archived: keys of those in Glacier.
        changes: what was done to which key, in that order.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.archived: set[str] = set()
        self.changes: list[tuple[str, str]] = []

    def get_paginator(self, operation: str) -> FakeS3:
        assert operation == "list_objects_v2"
        return self

    def paginate(self, *, Prefix: str, **owner: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        self._check(**owner)
        keys = sorted(key for key in self.objects if key.startswith(Prefix))
        if not keys:
            yield {}
        for first in range(0, len(keys), 2):
            yield {"Contents": [self._listed(key) for key in keys[first : first + 2]]}

    def get_object(self, *, Key: str, **owner: str) -> dict[str, Any]:  # noqa: N803
        self._check(**owner)
        assert Key not in self.archived
        return {"Body": io.BytesIO(self.objects[Key])}

    def put_object(self, *, Key: str, Body: bytes, **owner: str) -> None:  # noqa: N803
        self._check(**owner)
        self.objects[Key] = Body
        self.changes.append(("put", Key))

    def delete_object(self, *, Key: str, **owner: str) -> None:  # noqa: N803
        self._check(**owner)
        del self.objects[Key]
        self.changes.append(("delete", Key))

    def _listed(self, key: str) -> dict[str, str]:
        return {"Key": key, "StorageClass": "GLACIER" if key in self.archived else "STANDARD"}

    def _check(self, **owner: str) -> None:
        assert owner == {"Bucket": BUCKET, "ExpectedBucketOwner": ACCOUNT}


class EmptyStore:
    """A table without items; test_ingest_reprocess_stored.py has others."""

    def get_paginator(self, operation: str) -> EmptyStore:
        assert operation == "query"
        return self

    def paginate(self, **_: Any) -> Iterator[dict[str, Any]]:
        yield {"Items": []}


class FakeStream:
    """Takes records, but for some.

    Attributes:
        puts: the records of each put.
        refuses: records that it does not take.
        loses: records that it may have taken.
    """

    def __init__(self) -> None:
        self.puts: list[list[bytes]] = []
        self.refuses: set[bytes] = set()
        self.loses: set[bytes] = set()

    def put(self, records: Sequence[bytes]) -> Sent:
        self.puts.append([*records])
        return Sent(
            {number: "No" for number, each in enumerate(records) if each in self.refuses},
            {number: "Lost" for number, each in enumerate(records) if each in self.loses},
        )


def line(record: bytes, code: str = FAILED) -> bytes:
    """Return Firehose's document of a record."""
    document = {"rawData": base64.b64encode(record).decode(), "errorCode": code}
    return json.dumps(document).encode() + b"\n"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> FakeS3:
    fake = FakeS3()
    clients = {"s3": fake, "dynamodb": EmptyStore(), "sqs": queues(monkeypatch)}
    outputs = {"LakeBucket": BUCKET, "ErrorsPrefix": ERRORS, "EventsTable": "store", **OUTPUTS}
    monkeypatch.setattr(Target, "client", lambda _, service, **__: clients[service])
    monkeypatch.setattr(Target, "outputs", lambda *_: outputs)
    return fake


@pytest.fixture
def stream() -> FakeStream:
    return FakeStream()


def run(stream: FakeStream) -> Report:
    return reprocess(Target({}, Path(), None, account=ACCOUNT), stream)  # type: ignore[arg-type]


def test_given_up_records_are_put_as_they_were_and_their_objects_deleted(
    s3: FakeS3, stream: FakeStream
) -> None:
    # GIVEN three objects, of which a listing has two pages, and one of the lake
    raw = [b"one", "Åsa café 😀".encode(), b'{"a": 1}', b"\xff\x00", b""]
    s3.objects = {
        "errors/a": line(raw[0]) + line(raw[1], "Lambda.InvokeAccessDenied"),
        "errors/b": line(raw[2], "DynamicPartitioning.MetadataExtractionFailed"),
        "errors/c": line(raw[3]) + line(raw[4]),
        "events/d": line(b"other"),
    }
    # WHEN
    report = run(stream)
    # THEN
    assert stream.puts == [raw[:2], raw[2:3], raw[3:]]
    assert s3.objects.keys() == {"events/d"}
    assert report == Report(brought_back=5)
    # AND again nothing is to be done
    assert run(stream) == Report()
    assert len(stream.puts) == 3


def test_what_the_function_rejected_stays_byte_for_byte(s3: FakeS3, stream: FakeStream) -> None:
    # GIVEN an object of both, and one of rejects only
    rejects = [line(b"bad", REJECTED), line(b"worse", REJECTED)]
    s3.objects = {
        "errors/a": rejects[0] + line(b"good") + rejects[1],
        "errors/b": rejects[1],
    }
    # WHEN
    report = run(stream)
    # THEN
    assert stream.puts == [[b"good"]]
    assert s3.objects == {"errors/a": rejects[0] + rejects[1], "errors/b": rejects[1]}
    assert report == Report(brought_back=1, rejects=3)
    # AND what did not change was not written
    assert s3.changes == [("put", "errors/a")]


def test_what_the_stream_did_not_take_for_sure_stays(s3: FakeS3, stream: FakeStream) -> None:
    # GIVEN
    s3.objects["errors/a"] = b"".join(line(each) for each in (b"1", b"2", b"3", b"4"))
    s3.objects["errors/b"] = line(b"2")
    stream.refuses, stream.loses = {b"2"}, {b"4"}
    # WHEN
    report = run(stream)
    # THEN
    assert s3.objects == {"errors/a": line(b"2") + line(b"4"), "errors/b": line(b"2")}
    assert (report.brought_back, report.refused) == (2, 3)
    # AND the next time they come through
    stream.refuses, stream.loses = set(), set()
    assert run(stream) == Report(brought_back=3)
    assert stream.puts[2:] == [[b"2", b"4"], [b"2"]]
    assert s3.objects == {}


UNREADABLE = [
    b"no JSON",
    b'"text"',
    b"[]",
    b"7",
    b"{}",
    b'{"rawData": "YQ=="}',
    b'{"errorCode": "Lambda.FunctionError"}',
    b'{"errorCode": "Lambda.FunctionError", "rawData": 7}',
    b'{"errorCode": "Lambda.FunctionError", "rawData": "a"}',
    '{"errorCode": "Lambda.FunctionError", "rawData": "Å"}'.encode(),
    b"\xff",
    b"[" * 100_000,
]


@pytest.mark.parametrize("what", UNREADABLE, ids=lambda each: each[:60].decode(errors="replace"))
def test_what_is_no_document_of_firehoses_stays_and_its_place_is_told(
    what: bytes, s3: FakeS3, stream: FakeStream
) -> None:
    # GIVEN
    s3.objects = {"errors/a": line(b"good") + what + b"\n" + line(b"bad", REJECTED)}
    # WHEN
    report = run(stream)
    # THEN
    assert stream.puts == [[b"good"]]
    assert s3.objects == {"errors/a": what + b"\n" + line(b"bad", REJECTED)}
    assert report == Report(brought_back=1, rejects=1, unreadable=["errors/a:2"])


def test_compressed_objects_are_read_and_what_stays_of_them_can_be_read_again(
    s3: FakeS3, stream: FakeStream
) -> None:
    # GIVEN
    reject = line(b"bad", REJECTED)
    s3.objects = {"errors/a.gz": gzip.compress(line(b"one") + reject + line(b"two"))}
    # WHEN
    report = run(stream)
    # THEN
    assert stream.puts == [[b"one", b"two"]]
    assert s3.objects == {"errors/a.gz": reject}
    assert report == Report(brought_back=2, rejects=1)
    assert run(stream) == Report(rejects=1)


@pytest.mark.parametrize("flaw", ["cut off", "changed"])
def test_of_an_object_that_is_torn_nothing_is_put_and_nothing_lost(
    flaw: str, s3: FakeS3, stream: FakeStream
) -> None:
    # GIVEN
    whole = gzip.compress(b"".join(line(b"%d" % each) for each in range(1_000)))
    middle = len(whole) // 2
    broken = whole[:-9] if flaw == "cut off" else whole[:middle] + b"\xff" * 9 + whole[middle + 9 :]
    s3.objects = {"errors/a.gz": broken, "errors/b": line(b"good")}
    # WHEN
    report = run(stream)
    # THEN
    assert stream.puts == [[b"good"]]
    assert s3.objects == {"errors/a.gz": broken}
    [place] = report.unreadable
    assert place.startswith("errors/a.gz: ")


def test_what_is_archived_stays_and_keeps_nothing_else_from_coming_back(
    s3: FakeS3, stream: FakeStream
) -> None:
    # GIVEN
    s3.objects = {"errors/a": line(b"old"), "errors/b": line(b"new"), "errors/c": line(b"older")}
    s3.archived = {"errors/a", "errors/c"}
    # WHEN
    report = run(stream)
    # THEN
    assert stream.puts == [[b"new"]]
    assert s3.objects.keys() == s3.archived
    assert report == Report(brought_back=1, archived=2)


def test_who_dies_before_the_stream_has_all_finds_all_again(s3: FakeS3, stream: FakeStream) -> None:
    # GIVEN
    s3.objects = {"errors/a": line(b"one"), "errors/b": line(b"two")}
    put = stream.put

    def dies(records: Sequence[bytes]) -> Sent:
        if records == [b"two"]:
            raise KeyboardInterrupt
        return put(records)

    # WHEN
    stream.put = dies  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        run(stream)
    # THEN what is in the stream is not in the prefix any more, and the other way round
    assert s3.objects == {"errors/b": line(b"two")}
    stream.put = put  # type: ignore[method-assign]
    assert run(stream) == Report(brought_back=1)
    assert stream.puts == [[b"one"], [b"two"]]

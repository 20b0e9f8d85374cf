"""Events that the bus can never take are kept with the cause; the others go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from proofs.fakes.dynamodb import Call, refusal
from tests.unit.test_ingest_emitter import chunks, counts, ids, numbered

if TYPE_CHECKING:
    from tests.ingest import Ingest

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
# "PutEventsResultEntry", Amazon EventBridge API Reference, 2026-11-21.
OF_CONTENT = (
    "InvalidArgument",
    "MalformedDetail",
    "NotAuthorizedForDetailTypeException",
    "NotAuthorizedForSourceException",
)


@pytest.mark.parametrize("code", OF_CONTENT)
def test_an_event_that_the_bus_can_never_take_is_rejected_and_the_others_go(
    ingest: Ingest, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    # GIVEN a bus that refuses two of fifteen for what they are
    records = numbered(ingest, 15)
    ingest.events.refuse_next, ingest.events.code = [{3, 5}], code
    # WHEN
    assert ingest.emit(records) == []
    # THEN nothing comes or is put again
    assert chunks(ingest) == [10, 5]
    assert ids(ingest) == [1, 2, 3, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15]
    # AND they are kept as they came, with the cause
    assert [record for record, _ in ingest.rejected] == [records[3], records[5]]
    for record, texts in ingest.rejected:
        assert texts.pop("cause") == f"The bus does not take the event: {code}."
        keys = record["dynamodb"]["Keys"]
        name = f"{keys['entity']['S']} {keys['at']['S']}"
        assert texts == {"source": "emitter", "event_id": name}
    assert not [each for each in caplog.records if each.message == "failed"]


def test_what_the_bus_can_never_take_is_told_from_what_it_does_not_take_now(
    ingest: Ingest, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN a bus that refuses the second for what it is, and the first for a while
    records = numbered(ingest, 4)
    codes = [{0: "InternalFailure", 1: "MalformedDetail"}, {0: "ThrottlingException"}]
    inner = ingest.events.put_events

    def refuse(*, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's name
        now = codes.pop(0) if codes else {}
        taken = [each for place, each in enumerate(Entries) if place not in now]
        answers = iter(inner(Entries=taken)["Entries"] if taken else [])
        results = [
            {"ErrorCode": now[place]} if place in now else next(answers)
            for place in range(len(Entries))
        ]
        return {"FailedEntryCount": len(now), "Entries": results}

    ingest.events.put_events = refuse  # type: ignore[method-assign]
    capsys.readouterr()
    # WHEN
    assert ingest.emit(records) == []
    # THEN
    assert ids(ingest) == [3, 4, 1]
    assert [record for record, _ in ingest.rejected] == [records[1]]
    assert counts(capsys) == {
        "EventsEmitted": [3.0],
        "EventsNotEmitted": [0.0],
        "ItemsRejected": [1.0],
    }


def test_an_event_that_the_bus_can_never_take_is_put_again_while_it_cannot_be_rejected(
    ingest: Ingest,
) -> None:
    # GIVEN
    def refuse(call: Call) -> None:
        if call.operation == "SendMessageBatch":
            raise refusal("AccessDenied", call.operation)

    records = numbered(ingest, 4)
    ingest.events.refuse_next, ingest.events.code = [{2}], "InvalidArgument"
    ingest.dynamodb.before = refuse
    # WHEN
    assert ingest.emit(records) == [3]
    # THEN the stream resumes there, and it is lost to nobody
    ingest.dynamodb.before = lambda _call: None
    ingest.events.refuse_next = [{0}]
    assert ingest.emit(records[2:]) == []
    assert [record for record, _ in ingest.rejected] == [records[2]]

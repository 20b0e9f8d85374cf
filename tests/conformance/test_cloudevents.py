"""Our envelopes are CloudEvents, and CloudEvents within our narrower rules are read.

Sections are those of "CloudEvents - Version 1.0.2" and "JSON Event Format for CloudEvents -
Version 1.0.2", cloudevents.io, 2026-11-21.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from discovery.announcements import UPDATED, UPLOADED, Announcement
from shared import envelope, queues
from shared.envelope import Envelope
from shared.rejects import Unprocessable
from tests.discovery import NOON, item_id

ABSENT = object()
SPEC, JSON = "CloudEvents", "JSON Event Format"
GOOD: dict[str, Any] = {
    "specversion": "1.0",
    "id": "A234-1234-1234",
    "source": "/mycontext",
    "type": "com.example.someevent",
    "time": "2018-04-05T17:31:00Z",
    "datacontenttype": "application/json",
    "correlationid": "c1",
    "data": {"appinfoA": "abc", "appinfoB": 123, "appinfoC": True},
}


@dataclass(frozen=True)
class Case:
    """An event that differs from a good one, and whether it is one.

    Attributes:
        document: which of the two.
        section: of it.
    """

    says: str
    section: str
    changes: dict[str, Any] = field(default_factory=dict)
    is_event: bool = False
    document: str = SPEC


CASES = [
    Case("the example is an event", "Example", is_event=True),
    *[
        Case(f"{name} is required", "REQUIRED Attributes", {name: ABSENT})
        for name in ("id", "source", "specversion", "type")
    ],
    *[
        Case(f"{name} is not empty", name, {name: ""})
        for name in ("id", "source", "specversion", "type")
    ],
    *[
        Case(f"{name} is not null", "2.2. Type System Mapping", {name: None}, document=JSON)
        for name in ("id", "source", "specversion", "type")
    ],
    *[
        Case(f"{name} is a text", "2.2. Type System Mapping", {name: 1}, document=JSON)
        for name in ("id", "source", "specversion", "type", "time")
    ],
    Case("the version of 1.0.2 is 1.0", "specversion", {"specversion": "1.0.2"}),
    Case("the version is not that of earlier drafts", "specversion", {"specversion": "0.3"}),
    Case("an id may be any text", "id", {"id": "C234 (1) é 😀"}, is_event=True),
    *[
        Case(f"a source may be {source}", "source", {"source": source}, is_event=True)
        for source in (
            "https://github.com/cloudevents",
            "mailto:cncf-wg-serverless@lists.cncf.io",
            "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66",
            "/cloudevents/spec/pull/123",
            "1-555-123-4567",
        )
    ],
    *[
        Case(f"a source is not {source!r}", "source", {"source": source})
        for source in ("not a reference", "/100%")
    ],
    *[
        Case(f"a text has no {name}", "Type System", {"id": f"a{character}b"})
        for name, character in {
            "null": "\x00",
            "line break": "\n",
            "last control character": "\x1f",
            "delete": "\x7f",
            "C1 control character": "\x85",
            "last C1 control character": "\x9f",
            "noncharacter": "\ufdd0",
            "last noncharacter of its block": "\ufdef",
            "byte order mark turned round": "\ufffe",
            "last noncharacter of its plane": "\uffff",
        }.items()
    ],
    *[
        Case(f"a text has no U+{ord(character):X}", "Type System", {"id": f"a{character}b"})
        for character in ("\U0001fffe", "\U0010ffff")
    ],
    Case("a text has no half of a surrogate pair", "Type System", {"id": "a\ud800b"}),
    Case("a text may have what needs a surrogate pair", "Type System", {"id": "😀"}, is_event=True),
    *[
        Case(f"{time} is a time", "Type System", {"time": time}, is_event=True)
        for time in (
            "2018-04-05T17:31:00Z",
            "2018-04-05t17:31:00z",
            "2018-04-05T17:31:00.5+02:00",
            "2018-04-05T17:31:00.123456789-00:00",
        )
    ],
    *[
        Case(f"{time!r} is no time", "Type System", {"time": time})
        for time in ("2018-04-05", "17:31:00Z", "2018-04-05T17:31:00", "20180405T173100Z",
                     "2018-04-05 17:31:00Z", "2018-13-05T17:31:00Z", "2018-04-05T25:00:00Z",
                     "2018-04-05T17:31:00+0200", "now")
    ],
    Case("other attributes may be left out", "OPTIONAL Attributes",
         {"datacontenttype": ABSENT}, is_event=True),
    Case("data without a stated kind is JSON", "3.1. Handling of \"data\"",
         {"datacontenttype": ABSENT}, is_event=True, document=JSON),
    Case("an attribute that is null is left out", "2.2. Type System Mapping",
         {"datacontenttype": None}, is_event=True, document=JSON),
    Case("an extension that is null is left out", "2.2. Type System Mapping",
         {"unsetextension": None}, is_event=True, document=JSON),
    Case("there are optional attributes", "OPTIONAL Attributes",
         {"subject": "s", "dataschema": "https://example.com/s"}, is_event=True),
    *[
        Case(f"an extension may be {value!r}", "Type System", {"extension1": value}, is_event=True)
        for value in (True, -3, "text", "AAEC")
    ],
    *[
        Case(f"{name!r} is no name", "Attribute Naming Convention", {name: "a"})
        for name in ("Capital", "with-dash", "with_underscore", "with.dot", "with space", "é")
    ],
    Case("a name may have digits", "Attribute Naming Convention", {"2nd": "a"}, is_event=True),
    Case("data is data or data_base64", "3.1.1. Payload Serialization",
         {"data_base64": "AAEC"}, document=JSON),
    Case("data is a JSON value, not JSON in a text", "3.1.1. Payload Serialization",
         {"data": '{"a": 1}'}, document=JSON),
]  # fmt: skip
PARAMETERS = [
    pytest.param(
        case,
        id=f"{case.says} ({case.document}, {case.section})",
    )
    for case in CASES
]


@pytest.mark.parametrize("case", PARAMETERS)
def test_an_event_is_read_as_the_standard_says(case: Case) -> None:
    event = {name: value for name, value in (GOOD | case.changes).items() if value is not ABSENT}
    if case.is_event:
        read = envelope.read(json.dumps(event))
        assert (read.id, read.source, read.type) == (event["id"], event["source"], event["type"])
        assert read.data == event["data"]
    else:
        with pytest.raises(Unprocessable):
            envelope.read(json.dumps(event))


NARROWER = {
    "time is always there": {"time": ABSENT},
    "so is our extension correlationid": {"correlationid": ABSENT},
    "data is an object": {"data": [1]},
    "data is there": {"data": ABSENT},
    "data is JSON and nothing derived from it": {"datacontenttype": "application/cbor"},
}


@pytest.mark.parametrize("changes", NARROWER.values(), ids=NARROWER.keys())
def test_where_our_rules_are_narrower_than_the_standard_an_event_is_refused(
    changes: dict[str, Any],
) -> None:
    event = {name: value for name, value in (GOOD | changes).items() if value is not ABSENT}
    with pytest.raises(Unprocessable):
        envelope.read(json.dumps(event))


MADE = {
    "an envelope": queues.json_text(
        Envelope("1", "/a", "b", datetime(2026, 1, 2, tzinfo=UTC), {"é": 1}, "c").as_dict()
    ),
    **{
        kind: Announcement(kind, item_id(1), 2, NOON, "c").message().body
        for kind in (UPLOADED, UPDATED)
    },
}
# "3. Envelope" and "2.2. Type System Mapping" of the JSON format: what each name must hold.
TYPES = {
    "specversion": str,
    "id": str,
    "source": str,
    "type": str,
    "time": str,
    "datacontenttype": str,
    "correlationid": str,
    "data": dict,
}


@pytest.mark.parametrize("body", MADE.values(), ids=MADE.keys())
def test_what_we_make_is_an_event(body: str) -> None:
    event = json.loads(body)
    assert {name: type(value) for name, value in event.items()} == TYPES
    assert event["specversion"] == "1.0"
    # "Attribute Naming Convention": letters and digits, and no more than twenty of them.
    assert all(name.isascii() and name.isalnum() and name.islower() for name in event)
    assert max(map(len, event)) <= 20
    # "time": RFC 3339.
    assert datetime.fromisoformat(event["time"]).tzinfo is not None
    # "type": should begin with a reversed domain name or the like, and say what happened.
    assert event["type"]
    assert event["source"].startswith("/")

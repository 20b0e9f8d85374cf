"""Records that can never be events, each for a reason of its own."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

from shared.entity_events import MAX_BYTES
from shared.times import rfc3339


def bad_records() -> dict[bytes, str]:
    """Return twenty records, and what the cause of each begins with."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    deep = "[" * 40 + "]" * 40
    twice = '"type": "order", ' + _text()[1:]
    return {
        b'\xff\xfe{"type"': "The body is not UTF-8",
        b'{"type": "order"': "The body is not JSON",
        b"hello": "The body is not JSON",
        b"[]": "The record is not a JSON object",
        b'"order"': "The record is not a JSON object",
        ("{" + twice).encode(): "The field 'type' appears twice",
        _raw(data='{"n": NaN}'): "NaN is not a JSON number",
        _raw(data='{"n": 9007199254740993}'): "The whole number 9007199254740993",
        _raw(data='{"n": "\\ud800"}'): "A text has a lone surrogate",
        _raw(data=f'{{"n": {deep}}}'): "The body is nested deeper",
        _raw(data="[1]"): "The event's data is not a JSON object",
        _raw(data=json.dumps({"n": "x" * MAX_BYTES})): "The event has ",
        _without("type"): "The event has no text 'type'",
        _without("subject"): "The event's 'subject' is not made of",
        _without("time"): "The event has no text 'time'",
        _with(type="Order"): "The event's 'type' is not made of",
        _with(subject="a/b"): "The event's 'subject' is not made of",
        _with(time="yesterday"): "The event's 'time' is not RFC 3339",
        _with(time=rfc3339(tomorrow)): "The event's 'time' is more than an hour ahead",
        _with(color="red"): "The record has an unknown field, 'color'",
    }


def _fields() -> dict[str, object]:
    return {
        "id": f"bad-{uuid.uuid4().hex}",
        "type": "order",
        "subject": "bad-1",
        "time": rfc3339(datetime.now(UTC)),
        "data": {},
    }


def _text() -> str:
    return json.dumps(_fields())


def _with(**fields: object) -> bytes:
    return json.dumps(_fields() | fields).encode()


def _without(name: str) -> bytes:
    return json.dumps({key: value for key, value in _fields().items() if key != name}).encode()


def _raw(*, data: str) -> bytes:
    return _text().replace('"data": {}', f'"data": {data}').encode()

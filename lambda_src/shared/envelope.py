"""The envelope of every event between our systems: CloudEvents 1.0 in JSON.

"CloudEvents - Version 1.0.2" and "JSON Event Format for CloudEvents - Version 1.0.2",
cloudevents.io, 2026-11-21. Narrower than the standard: `data` is a JSON object, `time` and our
extension `correlationid` are always there. Other extensions are allowed, and not read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shared import strict_json
from shared.rejects import Unprocessable
from shared.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.strict_json import Json

_VERSION = "1.0"
_JSON = "application/json"
_TEXTS = ("id", "source", "type", "time", "correlationid")
# Ours: what one hop takes, the envelope of the next must hold beside its data.
_MAX_TEXT = 1_024
# What the standard's type String leaves out.
_NONCHARACTERS = "".join(chr(plane << 16 | end) for plane in range(17) for end in (0xFFFE, 0xFFFF))
_FORBIDDEN = re.compile(rf"[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef{_NONCHARACTERS}]")
# The characters of RFC 3986.
_URI_REFERENCE = re.compile(r"([A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_NAME = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class Envelope:
    """One event.

    Attributes:
        id: with `source` the event's identity: the same for every delivery of it.
        source: who says so, a URI reference.
        type: what happened, e.g. `aws-odyssey.discovery.uploaded`.
        time: when it happened, UTC.
        data: what is said of it, a JSON object.
        correlation_id: the same for everything that one first event set off.
        subject: what it is about, within the source; None if that goes without saying.
    """

    id: str
    source: str
    type: str
    time: datetime
    data: Mapping[str, Json]
    correlation_id: str
    subject: str | None = None

    def as_dict(self) -> dict[str, Json]:
        """Return the envelope as a JSON object."""
        return {
            "specversion": _VERSION,
            "id": self.id,
            "source": self.source,
            "type": self.type,
            **({} if self.subject is None else {"subject": self.subject}),
            "time": rfc3339(self.time),
            "datacontenttype": _JSON,
            "correlationid": self.correlation_id,
            "data": self.data,
        }


def read(body: str) -> Envelope:
    """Return the envelope that is the JSON text `body`.

    Raises:
        Unprocessable: it is not one.
    """
    try:
        value = strict_json.parse(body.encode("utf-8", errors="surrogatepass"))
    except strict_json.InvalidJson as error:
        raise Unprocessable(str(error)) from None
    if not isinstance(value, dict):
        raise Unprocessable("The body is not a JSON object.")
    return from_dict(value)


def from_dict(value: Mapping[str, Any]) -> Envelope:
    """Return the envelope that is a JSON object, as `strict_json.parse` returns it.

    Raises:
        Unprocessable: it is not one.
    """
    # "JSON Event Format", 2.2: null is the same as absent.
    value = {name: each for name, each in value.items() if each is not None}
    if value.get("specversion") != _VERSION:
        raise Unprocessable("The event's specversion is not 1.0.")
    texts = {name: _text(value, name) for name in _TEXTS}
    if not _URI_REFERENCE.fullmatch(texts["source"]):
        raise Unprocessable("The event's 'source' is not a URI reference.")
    if value.get("datacontenttype", _JSON) != _JSON or not isinstance(value.get("data"), dict):
        raise Unprocessable("The event's data is not a JSON object.")
    wrong = [name for name in value if not _NAME.fullmatch(name)]
    if wrong:
        raise Unprocessable(f"{wrong[0][:50]!r} is not a name of an attribute.")
    return Envelope(
        id=texts["id"],
        source=texts["source"],
        type=texts["type"],
        time=_time(texts["time"]),
        data=value["data"],
        correlation_id=texts["correlationid"],
        subject=_text(value, "subject") if "subject" in value else None,
    )


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str) or not text:
        raise Unprocessable(f"The event has no text {name!r}.")
    if _FORBIDDEN.search(text):
        raise Unprocessable(f"The event's {name!r} has a control character.")
    if len(text) > _MAX_TEXT:
        raise Unprocessable(f"The event's {name!r} is longer than {_MAX_TEXT} characters.")
    return text


def _time(text: str) -> datetime:
    problem = Unprocessable(f"The event's 'time' is not RFC 3339: {text[:50]!r}.")
    if not _TIME.fullmatch(text):
        raise problem
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise problem from None

"""What functions logged, from CloudWatch Logs, one readable line per event."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.text import Text

from odyssey_cli.errors import OdysseyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# Events of one millisecond can become visible one after the other, a few late.
_OVERLAP = 5_000
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# CDK ends a physical name with eight hexadecimal digits of the construct's path, and
# CloudFormation adds twelve or thirteen characters of its own.
_GENERATED = re.compile(r"([0-9A-Fa-f]{8})?-[0-9A-Za-z]{12,13}$")
_PLATFORM = ("START ", "END ", "REPORT ", "INIT_START ")
_STYLES = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red"}
# Fields of a structured log line that say where it comes from, which the line says already.
_ORIGIN = {
    "level", "message", "timestamp", "location", "service", "cold_start", "function_name",
    "function_memory_size", "function_arn", "function_request_id", "xray_trace_id",
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """Something that logs.

    Attributes:
        name: A function's name, or a log group's that belongs to no function.
        group: The log group.
    """

    name: str
    group: str

    @property
    def label(self) -> str:
        """The name without what CDK and CloudFormation appended to it."""
        return _GENERATED.sub("", self.name)

    def matches(self, part: str) -> bool:
        """Say whether the name contains `part`, whatever its case."""
        return part.casefold() in self.name.casefold()


@dataclass(frozen=True)
class Event:
    """One logged event; `time` in milliseconds since 1970."""

    time: int
    label: str
    message: str


class Reader:
    """Reads each event of its sources once.

    Attributes:
        sources: Where to read; may change between reads.
    """

    def __init__(self, client: Any, sources: Iterable[Source], since: int) -> None:  # noqa: ANN401
        self.sources = list(sources)
        self._client = client
        self._since = since
        self._read: Counter[tuple[str, str, int, str]] = Counter()

    def new(self) -> list[Event]:
        """Return the events that were not returned before, oldest first."""
        found = []
        window: Counter[tuple[str, str, int, str]] = Counter()
        for source in self.sources:
            for each in self._events(source.group):
                key = (source.group, each["logStreamName"], each["timestamp"], each["message"])
                window[key] += 1
                if window[key] > self._read[key]:
                    found.append(Event(each["timestamp"], source.label, each["message"]))
        found.sort(key=lambda event: event.time)
        if found:
            self._since = max(self._since, found[-1].time - _OVERLAP)
        self._read = window
        return found

    def _events(self, group: str) -> Iterator[Mapping[str, Any]]:
        pages = self._client.get_paginator("filter_log_events")
        try:
            for page in pages.paginate(logGroupName=group, startTime=self._since):
                yield from page["events"]
        except self._client.exceptions.ResourceNotFoundException:
            return  # a function that never ran, or one that is gone


def sources(functions: Any, logs: Any) -> list[Source]:  # noqa: ANN401 - boto3's own types
    """Return what logs: every function, and every log group that is no function's.

    Args:
        functions: A Lambda client.
        logs: A CloudWatch Logs client.
    """
    found = [
        Source(
            function["FunctionName"],
            (function.get("LoggingConfig") or {}).get("LogGroup")
            or f"/aws/lambda/{function['FunctionName']}",
        )
        for page in functions.get_paginator("list_functions").paginate()
        for function in page["Functions"]
    ]
    groups = {source.group for source in found}
    found += [
        Source(group["logGroupName"], group["logGroupName"])
        for page in logs.get_paginator("describe_log_groups").paginate()
        for group in page["logGroups"]
        if group["logGroupName"] not in groups
    ]
    return sorted(found, key=lambda source: source.name)


def milliseconds_since(text: str, now: float) -> int:
    """Return when "30s", "10m", "2h" or "1d" before `now` was, in milliseconds since 1970.

    Raises:
        OdysseyError: The text is none of these.
    """
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text.strip())
    if match is None:
        raise OdysseyError(f"--since {text!r} is no length of time.", "Write it as 30s, 10m or 2h.")
    return max(0, int((now - int(match[1]) * _UNITS[match[2]]) * 1000))


def line(event: Event) -> Text:
    """Return an event as one line: when, who, what."""
    when = datetime.fromtimestamp(event.time / 1000, UTC).astimezone()
    text = Text()
    text.append(f"{when:%H:%M:%S}.{event.time % 1000:03d} ", style="dim")
    text.append(f"{event.label} ", style="cyan")
    text.append_text(_message(event.message.rstrip()))
    return text


def _message(message: str) -> Text:
    if message.startswith(_PLATFORM):
        return Text(message.replace("\t", "  "), style="dim")
    try:
        record = json.loads(message)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        return Text(message)
    if "_aws" in record:
        return Text(f"METRICS {_fields(record, {'_aws'})}", style="dim")
    if "level" not in record:
        return Text(message)
    level = str(record["level"])
    said = record.get("message")
    said = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    return Text(f"{level} {said} {_fields(record, _ORIGIN)}".rstrip(), style=_STYLES.get(level, ""))


def _fields(record: Mapping[str, Any], without: set[str]) -> str:
    shown = {name: value for name, value in record.items() if name not in without}
    return " ".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in shown.items()
    )

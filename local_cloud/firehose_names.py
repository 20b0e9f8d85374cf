"""The names of Firehose's objects: prefixes with expressions, and what follows them.

Pure, like firehose_delivery.py. The rules are those of these pages, read 2026-11-21:

- "Understand custom prefixes for Amazon S3 objects"
  https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
- "Configure Amazon S3 object name format"
  https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html
- "Use Amazon S3 bucket prefix to deliver data" (partition keys)
  https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-s3bucketprefix.html

Of Java's patterns, the digits of year, month, day, day of year, hour, minute and second are
known, and text in quotes; a prefix with another one is refused when the stream is made. Times are
UTC, of the oldest record in the object.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

LONGEST = 512
_DATE = "yyyy/MM/dd/HH/"
_EXPRESSION = re.compile(r"!\{([A-Za-z]+):([^}]*)\}")
_PATTERN = re.compile(r"'([^']*)'|(([A-Za-z])\3*)|[^A-Za-z']")
_ERROR_TYPE = ("firehose", "error-output-type")
_RANDOM = ("firehose", "random-string")
KEYS = ("partitionKeyFromQuery", "partitionKeyFromLambda")


class UnknownKeyError(ValueError):
    """A prefix names a partition key that a record does not have."""


def timestamp(pattern: str, at: datetime) -> str:
    """Return a time in a pattern of Java's DateTimeFormatter; raises ValueError for others."""
    fields = {
        "y": at.year,
        "M": at.month,
        "d": at.day,
        "H": at.hour,
        "m": at.minute,
        "s": at.second,
        "D": at.timetuple().tm_yday,
    }
    made, end = "", 0
    for match in _PATTERN.finditer(pattern):
        quoted, letters, letter = match.groups()
        if match.start() != end:
            break
        end = match.end()
        if quoted is not None:
            made += quoted or "'"
        elif letters is None:
            made += match.group()
        elif letter not in fields or (letter == "M" and len(letters) > 2):  # noqa: PLR2004 -- names
            raise ValueError(f"The local cloud has no time pattern {letters}.")
        elif letters == "yy":
            made += f"{at.year % 100:02}"
        else:
            made += str(fields[letter]).zfill(len(letters))
    if end != len(pattern):
        raise ValueError(f"{pattern} is no time pattern.")
    return made


def data_prefix(
    prefix: str,
    at: datetime,
    random: Callable[[], str],
    keys: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """Return where the data goes.

    Args:
        prefix: The stream's `Prefix`.
        at: The arrival of the oldest record, in UTC.
        random: Makes a random string of 11 characters.
        keys: With dynamic partitioning, the partition keys by namespace.
    """
    if keys is None and not any(name == "timestamp" for name, _ in _EXPRESSION.findall(prefix)):
        prefix += f"!{{timestamp:{_DATE}}}"
    return _evaluated(prefix, at, random, keys or {}, None)


def error_prefix(
    prefix: str, given: str | None, at: datetime, random: Callable[[], str], kind: str
) -> str:
    """Return where records that failed go.

    Args:
        prefix: The stream's `Prefix`.
        given: Its `ErrorOutputPrefix`.
        at: The arrival of the oldest record, in UTC.
        random: Makes a random string of 11 characters.
        kind: Why they failed, e.g. "processing-failed".
    """
    if given is None:
        return f"{prefix}{kind}/{timestamp(_DATE, at)}"
    return _evaluated(given, at, random, {}, kind)


def _evaluated(
    prefix: str,
    at: datetime,
    random: Callable[[], str],
    keys: Mapping[str, Mapping[str, str]],
    kind: str | None,
) -> str:
    def value(match: re.Match[str]) -> str:
        namespace, name = match.groups()
        if namespace == "timestamp":
            return timestamp(name, at)
        if (namespace, name) == _RANDOM:
            return random()
        if (namespace, name) == _ERROR_TYPE and kind:
            return kind
        try:
            return keys[namespace][name]
        except KeyError:
            raise UnknownKeyError(f"{match.group()} has no value.") from None

    return _EXPRESSION.sub(value, prefix)


def suffix(stream: str, version: int, at: datetime, unique: str, extension: str) -> str:
    """Return the rest of an object's name.

    Args:
        stream: The stream's name.
        version: Its version: 1, and one more with every change of its configuration.
        at: The arrival of the oldest record, in UTC.
        unique: A UUID.
        extension: ".gz" for gzip, or what the stream says.
    """
    return f"{stream}-{version}-{at:%Y-%m-%d-%H-%M-%S}-{unique}{extension}"


def problem(prefix: str, error: str | None, *, partitioned: bool, at: datetime) -> str | None:
    """Say what is wrong with a stream's `Prefix` and `ErrorOutputPrefix`, None if nothing."""
    return next(_problems(prefix, error, partitioned, at), None)


def _problems(prefix: str, error: str | None, partitioned: bool, at: datetime) -> Iterator[str]:
    used, in_error = _EXPRESSION.findall(prefix), _EXPRESSION.findall(error or "")
    if _ERROR_TYPE in used:
        yield "Prefix cannot contain !{firehose:error-output-type}."
    if used and error is None:
        yield "ErrorOutputPrefix can't be null when Prefix contains expressions"
    if in_error and _ERROR_TYPE not in in_error:
        yield "ErrorOutputPrefix must contain !{firehose:error-output-type}."
    if not partitioned and any(namespace in KEYS for namespace, _ in used):
        yield "Prefix has partition keys, and dynamic partitioning is not enabled."
    if any(namespace in KEYS for namespace, _ in in_error):
        yield "ErrorOutputPrefix cannot contain partition keys."
    for text in (prefix, error or ""):
        if "!{" in _EXPRESSION.sub("", text):
            yield f"{text} has an expression that is not complete."
        if len(text) > LONGEST:
            yield f"A prefix has at most {LONGEST} characters."
    for namespace, name in used + in_error:
        if namespace == "timestamp":
            try:
                timestamp(name, at)
            except ValueError as unknown:
                yield str(unknown)
        elif (namespace, name) not in (_ERROR_TYPE, _RANDOM) and namespace not in KEYS:
            yield f"There is no expression !{{{namespace}:{name}}}."

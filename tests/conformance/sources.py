"""Records and messages with numbers, and functions that do something with those numbers."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    # A function of the numbers in its batch: returns a response or raises.
    Function = Callable[[list[int]], object]

ARRIVED = 1_795_000_000


def record(number: int, *, arrived: float = ARRIVED) -> dict[str, Any]:
    """Return a stream record whose sequence number is as long as AWS's."""
    return {
        "eventID": str(number),
        "eventName": "INSERT" if number >= 0 else "REMOVE",
        "dynamodb": {
            "ApproximateCreationDateTime": arrived,
            "SequenceNumber": sequence(number),
        },
    }


def sequence(number: int) -> str:
    return str(10**20 + number)


def message(name: str) -> dict[str, Any]:
    """Return a message; "a1" is number 1 of the FIFO group "a", "1" has no group."""
    group = {"MessageGroupId": name[0]} if name[0].isalpha() else {}
    return {"messageId": name, "body": name, "attributes": {"SentTimestamp": "0", **group}}


def number(payload: Mapping[str, Any]) -> int:
    return int(payload["eventID"])


def numbers(payloads: Iterable[Mapping[str, Any]]) -> list[int]:
    return [number(payload) for payload in payloads]


def names(payloads: Iterable[Mapping[str, Any]]) -> list[str]:
    return [payload["messageId"] for payload in payloads]


def succeeds(_batch: Sequence[object]) -> None:
    """Return nothing, as most functions do."""


def raises_on(*bad: object) -> Callable[[Sequence[object]], None]:
    """Raise while one of these is in the batch."""

    def function(batch: Sequence[object]) -> None:
        if set(bad) & set(batch):
            raise ValueError(bad)

    return function


def raises_times(times: int) -> Callable[[Sequence[object]], None]:
    """Raise that often, then succeed."""
    calls = itertools.count()

    def function(_batch: Sequence[object]) -> None:
        if next(calls) < times:
            raise ValueError(times)

    return function


def reports(*bad: int) -> Callable[[list[int]], object]:
    """Report those of these that are in the batch, in this order."""

    def function(batch: list[int]) -> object:
        return failures(*(sequence(n) for n in bad if n in batch))

    return function


def reports_names(*bad: str) -> Callable[[list[str]], object]:
    """Report those messages of these that are in the batch."""
    return lambda batch: failures(*(name for name in bad if name in batch))


def failures(*identifiers: object) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": name} for name in identifiers]}


def first_answers(*answers: object) -> Callable[[Sequence[object]], object]:
    """Return these one after the other, then nothing."""
    left = list(answers)
    return lambda _batch: left.pop(0) if left else None

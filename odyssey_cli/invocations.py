"""Hands records to a function once more, and waits for what it says of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from botocore.config import Config

    from odyssey_cli.target import Target

# Synchronous invocations take 6 MB ("Lambda quotas", 2026-11-21); the records are not all of it.
_MAX_PAYLOAD = 4_000_000
# A function runs for 15 minutes at most ("Lambda quotas", 2026-11-21).
_LONGEST_INVOKE = 910


class NotDeliverable(ValueError):  # noqa: N818 - reads as the statement it is
    """A message cannot be handed to what it is for; the text says why."""


def hand_over(target: Target, function: str, records: Iterable[dict[str, Any]]) -> str | None:
    """Hand records to a function as their source would, in as many calls as they take.

    Args:
        target: where the function is.
        function: its name or ARN.
        records: as the source delivers them.

    Returns:
        What the function failed with; None if it has processed all of them.
    """
    functions = target.client("lambda", config=_patient())
    for batch in _batches(records):
        answer = functions.invoke(FunctionName=function, Payload=json.dumps({"Records": batch}))
        said = json.loads(answer["Payload"].read() or "null")
        if "FunctionError" in answer:
            return error_text(said)
        failed = said.get("batchItemFailures") if isinstance(said, dict) else None
        if failed:
            return f"{len(failed)} of {len(batch)} records"
    return None


def error_text(payload: Any) -> str:  # noqa: ANN401 - any JSON
    """Return in one line what a function has failed with, of what Lambda says of it."""
    if not isinstance(payload, dict):
        return "" if payload is None else str(payload)
    said = [payload.get(name) for name in ("errorType", "errorMessage")]
    return ": ".join(str(each) for each in said if each) or json.dumps(payload)


def _patient() -> Config:
    """Wait longer than any function runs, and never invoke twice for one answer."""
    from botocore.config import Config  # noqa: PLC0415 - see odyssey_cli.target

    return Config(read_timeout=_LONGEST_INVOKE, retries={"total_max_attempts": 1})


def _batches(records: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for record in records:
        length = len(json.dumps(record))
        if batch and size + length > _MAX_PAYLOAD:
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += length
    if batch:
        yield batch

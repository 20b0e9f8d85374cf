"""What AWS hands to the event aggregator's functions; the shapes are those of proofs/shapes.py."""

from __future__ import annotations

import json
import uuid
from typing import Any

from proofs.shapes import CALLER, FakeContext, api_request, stream_batch, stream_record

__all__ = [
    "CALLER",
    "FakeContext",
    "api_request",
    "get_summaries",
    "get_summary",
    "stored_event",
    "stream_batch",
    "stream_record",
    "trigger",
]


def trigger(
    body: object,
    *,
    key: str | None = None,
    caller: str | None = CALLER,
    request_id: str | None = None,
    content_type: str | None = "application/json",
) -> dict[str, Any]:
    """Return `POST /trigger-event`; a body that is no bytes or text is sent as JSON."""
    headers = {"Content-Type": content_type} if content_type is not None else {}
    if key is not None:
        headers["Idempotency-Key"] = key
    raw = body if isinstance(body, bytes | str | None) else json.dumps(body).encode()
    return api_request(
        "POST", "/trigger-event", body=raw, headers=headers, caller=caller, request_id=request_id
    )


def get_summaries(**query: str) -> dict[str, Any]:
    """Return `GET /get-summary`."""
    return api_request("GET", "/get-summary", query=query)


def get_summary(id: str) -> dict[str, Any]:
    """Return `GET /get-summary/<id>`."""
    request = api_request("GET", f"/get-summary/{id}")
    return {**request, "resource": "/get-summary/{id}", "pathParameters": {"id": id}}


def stored_event(number: int, *, group: int = 0, at: str = "12:00:00.000000") -> dict[str, Any]:
    """Return an event as the producer stores it."""
    return {
        "id": {"S": str(uuid.UUID(int=number))},
        "received_at": {"S": f"2026-11-21T{at}Z"},
        "data": {"M": {"secret": {"S": "hunter2"}}},
        "group": {"S": f"{group:064x}"},
        "group_label": {"S": f'{{"secret":"hunter2","group":{group}}}'},
        "fingerprint": {"S": f"{number:064x}"},
        "correlation_id": {"S": f"request-{number}"},
    }

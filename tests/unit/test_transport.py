"""No web page can use a local cloud, and every program on the machine can."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from local_cloud.transport import for_programs_only

if TYPE_CHECKING:
    from local_cloud.transport import Message, Receive, Scope, Send


def status(headers: dict[str, str], method: str = "POST") -> int:
    """Return what a request with these headers is answered."""
    sent: list[Message] = []

    async def service(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(for_programs_only(service)(scope, receive, send))
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:4566",
        "localhost:4566",
        "localhost",
        "abc.execute-api.localhost:4566",
        "bucket.s3.localhost:4566",
    ],
)
def test_programs_on_this_machine_are_served(host: str) -> None:
    assert status({"host": host}) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "127.0.0.1:4566", "origin": "http://evil.example"},
        {"host": "127.0.0.1:4566", "origin": "null"},
        {"host": "127.0.0.1:4566", "sec-fetch-site": "cross-site"},
        {"host": "evil.example:4566"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "localhost.evil.example:4566"},
    ],
    ids=["another origin", "no origin", "a form or image", "rebound", "prefix", "suffix"],
)
def test_web_pages_are_refused(headers: dict[str, str]) -> None:
    assert status(headers) == 403
    assert status(headers, method="OPTIONS") == 403

"""Runs work of other threads in the event loop, where MiniStack serves requests.

MiniStack's queues are lists that it replaces when messages leave them. A thread that changes one
while the loop does loses messages, so everything of ours that changes a queue goes through here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_cloud.transport import App, Receive, Scope, Send

T = TypeVar("T")

_loop: asyncio.AbstractEventLoop | None = None


def captured(app: App) -> App:
    """Wrap `app` so that `run` knows the loop that serves it."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        global _loop  # noqa: PLW0603 -- there is one loop in a process
        if scope["type"] == "lifespan":
            _loop = asyncio.get_running_loop()
        await app(scope, receive, send)

    return wrapped


def run(work: Callable[[], T]) -> T:
    """Do `work`, which must not block, in the loop, in the caller's context; return its result."""
    if _loop is None:
        raise RuntimeError("The server is not up yet.")

    async def in_loop() -> T:
        return work()

    return asyncio.run_coroutine_threadsafe(in_loop(), _loop).result()

"""Answer ExecuteChangeSet and DeleteStack once the stack has settled, if that takes a moment.

The CDK CLI looks at a stack right after these calls and then every five seconds. MiniStack
needs milliseconds more than that first look, so each stack would cost five seconds of waiting
for nothing. AWS promises no more than that the work goes on after the call has answered.
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html
read 2026-11-21.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    Handler = Callable[[str, str, object, bytes, object], Awaitable[object]]

_HANDLE = Hook(
    "ministack.services.cloudformation",
    "handle_request",
    ("method", "path", "headers", "body", "query_params"),
)
_STACKS = Hook("ministack.services.cloudformation", "_stacks")
HOOKS = (_HANDLE, _STACKS)

_HELD = {"ExecuteChangeSet", "DeleteStack"}
_LONGEST = 3.0
_LOOK_EVERY = 0.05


def held_stack(method: str, body: bytes) -> str | None:
    """Return the name or ARN of the stack that the request sets in motion, if it does."""
    if method != "POST":
        return None
    form = parse_qs(body.decode("utf-8", errors="replace"))
    if form.get("Action", [""])[0] not in _HELD:
        return None
    return form.get("StackName", [None])[0]


def in_progress(stacks: Iterable[Mapping[str, Any]], name: str) -> bool:
    """Say whether the stack with this name or ARN is still being worked on."""
    return any(
        stack.get("StackStatus", "").endswith("_IN_PROGRESS")
        for stack in stacks
        if name in (stack.get("StackName"), stack.get("StackId"))
    )


def install() -> None:
    """Hold the answers; must run in the server's process."""
    stacks = find(_STACKS)

    def make(handle: Handler) -> Handler:
        async def held(
            method: str, path: str, headers: object, body: bytes, query_params: object
        ) -> object:
            answer = await handle(method, path, headers, body, query_params)
            name = held_stack(method, body)
            until = time.monotonic() + _LONGEST
            while name and time.monotonic() < until:
                await asyncio.sleep(_LOOK_EVERY)
                if not in_progress(list(stacks.values()), name):
                    break
            return answer

        return held

    _HANDLE.replace(make)

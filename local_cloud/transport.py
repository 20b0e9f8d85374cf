"""The wire: requests from loopback count as TLS, and the server says who it is.

The endpoint is plain HTTP on 127.0.0.1, but the templates carry the TLS-only statements that
AWS asks for (condition `aws:SecureTransport`), and those would refuse every role. On loopback
nobody can listen in, so such a request is marked the way a TLS-terminating proxy marks it.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
(`aws:SecureTransport`), read 2026-11-21.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HEALTH = "/_odyssey/health"
_MARK = b"x-forwarded-proto"


def marked_as_tls(app: App) -> App:
    """Wrap `app` so that requests from 127.0.0.1 carry the mark, and no others do."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            headers = [pair for pair in scope["headers"] if pair[0].lower() != _MARK]
            if (scope.get("client") or ("",))[0] == "127.0.0.1":
                headers.append((_MARK, b"https"))
            scope = {**scope, "headers": headers}
        await app(scope, receive, send)

    return wrapped


def for_programs_only(app: App) -> App:
    """Wrap `app` so that no web page can use it, whoever looks at it in a browser.

    The keys are well known and the port is the usual one; a page could create a function and
    run it as the user. Browsers say where a request comes from, and programs do not; a page
    that got its own name to point here (DNS rebinding) shows by the `Host`. Preflights have an
    `Origin` and are refused like the rest.
    """

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and _is_from_a_page(dict(scope["headers"])):
            if scope["type"] == "websocket":
                await send({"type": "websocket.close"})
                return
            body = b"The local cloud is for programs on this machine, not for web pages."
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": body})
            return
        await app(scope, receive, send)

    return wrapped


def _is_from_a_page(headers: dict[bytes, bytes]) -> bool:
    host = headers.get(b"host", b"").decode("latin-1").rpartition(":")
    name = (host[0] or host[2]).lower()
    local = name in ("127.0.0.1", "localhost", "") or name.endswith(".localhost")
    return b"origin" in headers or b"sec-fetch-site" in headers or not local


def with_health(app: App, identity: dict[str, Any]) -> App:
    """Wrap `app` so that `GET /_odyssey/health` answers `identity`, whatever else is busy."""
    body = json.dumps(identity).encode()

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != HEALTH:
            await app(scope, receive, send)
            return
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return wrapped


def when_ready(app: App, announce: Callable[[], None]) -> App:
    """Wrap `app` so that `announce` is called once its start-up is complete."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def watched(message: Message) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                announce()

        await app(scope, receive, watched if scope["type"] == "lifespan" else send)

    return wrapped

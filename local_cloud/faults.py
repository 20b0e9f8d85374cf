"""Faults made from outside: requests to a service that fail a given number of times.

Armed over HTTP, so that tests and demos need no switch in the functions they break:

- `PUT /_odyssey/fault` with `{"target", "containing", "times", "code"}`: the next `times`
  requests whose `X-Amz-Target` is `target` and whose body contains `containing` are answered
  with the error `code` (400) and never reach the service; with `"chance"` each of them fails with
  that probability, until so many have;
- `GET /_odyssey/fault`: the faults still armed;
- `DELETE /_odyssey/fault` with `{"target", "containing"}`: those are armed no more.

All want the header `x-odyssey`, so that a bucket may have a key of that name.
"""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local_cloud.transport import App, Message, Receive, Scope, Send

PATH = "/_odyssey/fault"


@dataclass
class Fault:
    """Requests that are to fail.

    Attributes:
        target: their `X-Amz-Target`, e.g. `DynamoDB_20120810.TransactWriteItems`.
        containing: text in their body.
        times: how many more of them fail.
        code: the error they are answered with.
        chance: the probability that one fails, from 0 to 1.
    """

    target: str
    containing: str
    times: int
    code: str
    chance: float = 1.0

    def is_for(self, target: str, containing: str) -> bool:
        """Say whether it was armed with these words."""
        return (self.target, self.containing) == (target, containing)

    def strikes(self, target: str, body: bytes) -> bool:
        """Say whether a request fails, and count it if it does."""
        if self.target != target or self.containing.encode() not in body:
            return False
        if random.random() >= self.chance:  # noqa: S311 - to break things
            return False
        self.times -= 1
        return True


# Of the app that was wrapped last: a process serves one.
_armed: list[Fault] = []


def struck(target: str, body: str) -> str | None:
    """Return the error of the fault that a request meets, None if it meets none.

    For requests that services make in this process, which come by no app. Call it in the loop.
    """
    for fault in _armed:
        if fault.strikes(target, body.encode()):
            _armed[:] = [each for each in _armed if each.times > 0]
            return fault.code
    return None


def with_faults(app: App) -> App:
    """Put armed faults in front of an app."""
    global _armed  # noqa: PLW0603 -- there is one app in a process
    armed: list[Fault] = []
    _armed = armed

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if scope["path"] == PATH and b"x-odyssey" in headers:
            if scope["method"] == "PUT":
                armed.append(Fault(**json.loads(await _body(receive))))
            if scope["method"] == "DELETE":
                gone = json.loads(await _body(receive))
                armed[:] = [each for each in armed if not each.is_for(**gone)]
            await _answer(send, 200, [asdict(fault) for fault in armed])
            return
        target = headers.get(b"x-amz-target", b"").decode("latin-1")
        if not any(fault.target == target for fault in armed):
            await app(scope, receive, send)
            return
        body = await _body(receive)
        for fault in armed:
            if fault.strikes(target, body):
                armed[:] = [each for each in armed if each.times > 0]
                error = {"__type": fault.code, "message": "A fault was armed for this request."}
                await _answer(send, 400, error)
                return
        await app(scope, _again(body, receive), send)

    return guarded


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives a body that was read, then goes on."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return pending.pop() if pending else await receive()

    return replayed


async def _answer(send: Send, status: int, content: Any) -> None:  # noqa: ANN401 - any JSON
    body = json.dumps(content).encode()
    headers = [(b"content-type", b"application/x-amz-json-1.0")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

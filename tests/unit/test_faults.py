"""Requests that were armed to fail do, the others reach the service untouched."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from local_cloud.faults import PATH, with_faults

if TYPE_CHECKING:
    from local_cloud.transport import App, Message, Receive, Scope, Send

TARGET = "DynamoDB_20120810.PutItem"
FAULT = {"target": TARGET, "containing": "apple", "times": 2, "code": "BoomException"}


class Service:
    """An app that remembers the bodies that reached it."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


def ask(
    app: App,
    body: bytes = b"",
    *,
    method: str = "POST",
    path: str = "/",
    headers: dict[str, str] | None = None,
) -> tuple[int, Any]:
    """Send one request, its body in two parts; return status and parsed body."""
    parts = [
        {"type": "http.request", "body": body[:3], "more_body": True},
        {"type": "http.request", "body": body[3:], "more_body": False},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return parts.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(k.encode(), v.encode()) for k, v in (headers or {}).items()],
    }
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def app(service: Service) -> App:
    guarded = with_faults(service)
    body = json.dumps(FAULT).encode()
    ask(guarded, body, method="PUT", path=PATH, headers={"x-odyssey": "1"})
    return guarded


def test_armed_requests_fail_the_given_number_of_times_and_never_reach_the_service(
    app: App, service: Service
) -> None:
    # WHEN a matching request is sent three times
    answers = [ask(app, b'{"an":"apple"}', headers={"x-amz-target": TARGET}) for _ in range(3)]

    # THEN two fail as armed and the third arrives whole
    assert [status for status, _ in answers] == [400, 400, 200]
    assert answers[0][1]["__type"] == "BoomException"
    assert service.bodies == [b'{"an":"apple"}']


@pytest.mark.parametrize(
    ("body", "target"),
    [(b'{"a":"pear"}', TARGET), (b'{"an":"apple"}', "DynamoDB_20120810.GetItem")],
    ids=["other body", "other call"],
)
def test_other_requests_reach_the_service(
    app: App, service: Service, body: bytes, target: str
) -> None:
    status, _ = ask(app, body, headers={"x-amz-target": target})

    assert status == 200
    assert len(service.bodies) == 1


def test_what_is_still_armed_can_be_asked_for(app: App) -> None:
    ask(app, b'{"an":"apple"}', headers={"x-amz-target": TARGET})

    assert ask(app, method="GET", path=PATH, headers={"x-odyssey": "1"}) == (
        200,
        [{**FAULT, "times": 1}],
    )


def test_without_its_header_the_path_is_one_like_any_other(service: Service) -> None:
    # GIVEN a request for a fault without the header
    app = with_faults(service)

    # WHEN it asks for a fault, THEN that is a request like any other
    ask(app, json.dumps(FAULT).encode(), method="PUT", path=PATH)
    assert ask(app, b'{"an":"apple"}', headers={"x-amz-target": TARGET})[0] == 200

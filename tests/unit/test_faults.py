"""Requests that were armed to fail do, the others reach the service untouched."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from local_cloud.faults import PATH, struck, with_faults

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
    arm(guarded, FAULT)
    return guarded


def arm(app: App, fault: dict[str, Any]) -> None:
    ask(app, json.dumps(fault).encode(), method="PUT", path=PATH, headers={"x-odyssey": "1"})


def left(app: App) -> list[int]:
    """Return how many requests each of the armed faults is still for."""
    _, armed = ask(app, method="GET", path=PATH, headers={"x-odyssey": "1"})
    return [fault["times"] for fault in armed]


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
        [{**FAULT, "times": 1, "chance": 1.0}],
    )


def test_without_its_header_the_path_is_one_like_any_other(service: Service) -> None:
    # GIVEN a request for a fault without the header
    app = with_faults(service)

    # WHEN it asks for a fault, THEN that is a request like any other
    ask(app, json.dumps(FAULT).encode(), method="PUT", path=PATH)
    assert ask(app, b'{"an":"apple"}', headers={"x-amz-target": TARGET})[0] == 200


@pytest.fixture
def rolls(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What chance gives next, in this order."""
    given: list[float] = []
    monkeypatch.setattr("local_cloud.faults.random.random", lambda: given.pop(0))
    return given


def test_requests_that_fail_by_chance_do_until_so_many_have(
    service: Service, rolls: list[float]
) -> None:
    # GIVEN a fault that strikes half of the time, twice
    app = with_faults(service)
    arm(app, FAULT | {"chance": 0.5})
    rolls += [0.5, 0.49, 0.99, 0.0]

    # WHEN matching requests come, and one that does not match
    bodies = [b'{"an":"apple"}', b'{"a":"pear"}', *[b'{"an":"apple"}'] * 4]
    statuses = [ask(app, body, headers={"x-amz-target": TARGET})[0] for body in bodies]

    # THEN chance is asked for those that match, until two have failed
    assert statuses == [200, 200, 400, 200, 400, 200]
    assert rolls == []
    assert len(service.bodies) == 4
    assert left(app) == []


@pytest.mark.parametrize(("chance", "failed"), [(0.0, 0), (1.0, 2)])
def test_what_cannot_fail_never_does_and_what_must_always_does(
    service: Service, chance: float, failed: int
) -> None:
    app = with_faults(service)
    arm(app, FAULT | {"chance": chance})
    answers = [ask(app, b"apple", headers={"x-amz-target": TARGET}) for _ in range(5)]
    assert [status for status, _ in answers].count(400) == failed


def test_a_request_that_one_fault_spares_can_meet_another(
    service: Service, rolls: list[float]
) -> None:
    # GIVEN one that strikes by chance, and one that always does
    app = with_faults(service)
    arm(app, FAULT | {"chance": 0.1})
    arm(app, FAULT | {"times": 1, "code": "BangException"})
    rolls += [0.2, 0.0, 0.0]
    # WHEN
    answers = [ask(app, b"apple", headers={"x-amz-target": TARGET})[1] for _ in range(2)]
    # THEN
    assert [each["__type"] for each in answers] == ["BangException", "BoomException"]
    assert left(app) == [1]


def disarm(app: App, **changes: str) -> list[dict[str, Any]]:
    """Disarm the fault above, or another; return what is still armed."""
    words = {"target": TARGET, "containing": "apple"} | changes
    body = json.dumps(words).encode()
    _, armed = ask(app, body, method="DELETE", path=PATH, headers={"x-odyssey": "1"})
    found: list[dict[str, Any]] = armed
    return found


def test_what_is_disarmed_fails_no_more(app: App, service: Service) -> None:
    # GIVEN a fault that has struck once, and another one
    other = FAULT | {"containing": "pear"}
    arm(app, other)
    assert ask(app, b"apple", headers={"x-amz-target": TARGET})[0] == 400
    # WHEN
    assert disarm(app) == [other | {"chance": 1.0}]
    # THEN
    assert ask(app, b"apple", headers={"x-amz-target": TARGET})[0] == 200
    assert ask(app, b"pear", headers={"x-amz-target": TARGET})[0] == 400
    assert service.bodies == [b"apple"]


@pytest.mark.parametrize("changes", [{"target": "another"}, {"containing": "app"}])
def test_other_words_disarm_nothing(app: App, changes: dict[str, str]) -> None:
    assert disarm(app, **changes) == [FAULT | {"chance": 1.0}]


def test_without_its_header_nothing_is_disarmed(app: App) -> None:
    words = {"target": TARGET, "containing": "apple"}
    ask(app, json.dumps(words).encode(), method="DELETE", path=PATH)
    assert left(app) == [2]


def test_requests_within_the_process_fail_by_chance_too(
    service: Service, rolls: list[float]
) -> None:
    # GIVEN
    app = with_faults(service)
    arm(app, FAULT | {"chance": 0.3})
    rolls += [0.3, 0.2, 0.1]
    # WHEN, THEN
    assert struck(TARGET, "pear") is None
    assert struck("another", "apple") is None
    assert [struck(TARGET, "apple") for _ in range(3)] == [None, "BoomException", "BoomException"]
    assert struck(TARGET, "apple") is None
    assert left(app) == []

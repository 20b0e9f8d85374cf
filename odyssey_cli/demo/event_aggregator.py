"""Drives the event aggregator as its clients would, and checks what they would see."""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from odyssey_cli import load
from odyssey_cli.demo import people
from odyssey_cli.demo.checks import expect
from odyssey_cli.demo.event_aggregator_failures import bad_records, broken_for_a_while
from odyssey_cli.demo.waiting import patience
from odyssey_cli.flows.event_aggregator import STACK, EventAggregator, sample
from odyssey_cli.flows.http import SignedClient
from odyssey_cli.fuzz.hostile_json import BAD, NO_OBJECTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_cli.demo.checks import Checks
    from odyssey_cli.target import Target

STACKS = [STACK]
HOSTILE_TEXT = "Åsa café 😀 R&D C# 1+1 50% a;b %41"
_EVENTS, _CONCURRENCY, _GROUPS = 500, 8, 10
_JSON = "application/json"
_PROBLEM = "application/problem+json"

# Some of what ./odyssey fuzz sends.
_BAD_JSON = (
    *("cut", "nothing", "latin-1", "utf-16", "NaN", "-Infinity", "a double's overflow", "2^53"),
    *("a field twice", "a field without a name", "a lone high surrogate", "64 KiB of lists"),
)
# What is sent, its content type and the status it must get.
BAD_REQUESTS: dict[str, tuple[bytes, str, int]] = {
    **{name: (BAD[name], _JSON, 400) for name in _BAD_JSON},
    **{name: (body, _JSON, 400) for name, body in NO_OBJECTS.items()},
    "a wrong content type": (b'{"a":1}', "text/plain", 400),
    "no content type": (b'{"a":1}', "", 400),
    "64 KB and one byte": (b'{"a":"' + b"x" * (64 * 1024 - 7) + b'"}', _JSON, 413),
}


def run(target: Target, checks: Checks) -> None:
    """Make all checks of the flow; the stack is deployed and empty."""
    aggregator = EventAggregator(target, connections=_CONCURRENCY)
    for name, step in STEPS:
        with checks.check(name) as check:
            aggregator.patience = min(aggregator.patience, patience())
            check.detail = step(aggregator, target)


def _send(aggregator: EventAggregator, data: bytes, *, key: str | None = None) -> dict[str, str]:
    answer = aggregator.trigger(data, idempotency_key=key)
    expect(
        answer.status == HTTPStatus.ACCEPTED,
        f"the event was answered {answer.status}: {answer.body}",
    )
    body: dict[str, str] = answer.body
    return body


def _counted(aggregator: EventAggregator, expected: int) -> None:
    reached = aggregator.wait_for(expected)
    expect(reached == expected, f"{reached} events are counted instead of {expected}")


def _single_event(aggregator: EventAggregator, _target: Target) -> str:
    begun = time.monotonic()
    _send(aggregator, json.dumps({"text": HOSTILE_TEXT}).encode())
    _counted(aggregator, 1)
    seconds = time.monotonic() - begun
    [summary] = aggregator.summaries()
    expect(
        summary["group"]
        == json.dumps({"text": HOSTILE_TEXT}, ensure_ascii=False, separators=(",", ":")),
        f"the group reads {summary['group']!r}",
    )
    return f"in {seconds:.1f} s, two cold starts included"


def _many_events(aggregator: EventAggregator, _target: Target) -> str:
    before = aggregator.total()
    report = load.run(
        lambda number: aggregator.trigger(sample(number)),
        expected=HTTPStatus.ACCEPTED,
        concurrency=_CONCURRENCY,
        requests=_EVENTS,
    )
    expect(not report.failed, f"{report.failed} requests failed: {dict(report.failures)}")
    _counted(aggregator, before + _EVENTS)
    per_group = sorted(
        summary["item_count"]
        for summary in aggregator.summaries()
        if '"message":"Test event data"' in summary["group"]
    )
    expect(per_group == [_EVENTS // _GROUPS] * _GROUPS, f"the groups count {per_group}")
    return (
        f"{report.rate:.0f} per second, p50 {report.percentile(50) * 1000:.0f} ms, "
        f"p99 {report.percentile(99) * 1000:.0f} ms; {_GROUPS} groups of {per_group[0]}"
    )


def _idempotency(aggregator: EventAggregator, _target: Target) -> str:
    before = aggregator.total()
    first = _send(aggregator, b'{"order":1}', key="order-1")
    second = _send(aggregator, b'{"order":1}', key="order-1")
    expect(first == second, f"the second answer was {second} instead of {first}")
    other = aggregator.trigger(b'{"order":2}', idempotency_key="order-1")
    expect(
        other.status == HTTPStatus.UNPROCESSABLE_ENTITY,
        f"the key with another body was answered {other.status}",
    )
    _send(aggregator, b'{"order":1}')
    _counted(aggregator, before + 2)
    return "answered alike; with another body 422"


def _canonical_groups(aggregator: EventAggregator, _target: Target) -> str:
    before = aggregator.total()
    for data in (b'{"a":1,"b":2}', b'{"b":2,"a":1}', b'{ "a": 1.0, "b": 2e0 }'):
        _send(aggregator, data)
    _counted(aggregator, before + 3)
    counts = [s["item_count"] for s in aggregator.summaries() if s["group"] == '{"a":1,"b":2}']
    expect(counts == [3], f"the group counts {counts} instead of 3")
    return "three spellings, one group of 3"


def _bad_requests(aggregator: EventAggregator, target: Target) -> str:
    stored = _stored(aggregator, target)
    wrong = []
    for name, (body, content_type, status) in BAD_REQUESTS.items():
        headers = {"content-type": content_type} if content_type else {}
        answer = aggregator.client.request("POST", "trigger-event", body=body, headers=headers)
        problem = answer.body if isinstance(answer.body, dict) else {}
        if (answer.status, answer.content_type) != (status, _PROBLEM) or "type" not in problem:
            wrong.append(f"{name}: {answer.status} {answer.content_type}")
    expect(not wrong, "; ".join(wrong))
    now = _stored(aggregator, target)
    expect(now == stored, f"{now - stored} of them were stored")
    return f"{len(BAD_REQUESTS)} kinds, each 4xx {_PROBLEM}"


def _unauthorized(aggregator: EventAggregator, target: Target) -> str:
    stored = _stored(aggregator, target)
    url, policy = aggregator.outputs["ApiUrl"], aggregator.outputs["ClientPolicyArn"]
    with (
        people.client(target, "demo-permitted", policy) as permitted,
        people.client(target, "demo-unpermitted", None) as unpermitted,
    ):
        senders = {
            "unsigned": (None, 403),
            "a role without the client policy": (unpermitted.session, 403),
            "a role with it": (permitted.session, HTTPStatus.ACCEPTED),
        }
        for name, (session, status) in senders.items():
            answer = SignedClient(url, session).request(
                "POST", "trigger-event", body=b'{"who":"me"}', headers={"content-type": _JSON}
            )
            expect(answer.status == status, f"{name} was answered {answer.status}: {answer.body}")
            if status != HTTPStatus.ACCEPTED:
                expect(
                    answer.content_type == _PROBLEM, f"{name} was answered {answer.content_type}"
                )
        reader = SignedClient(url, permitted.session)
        for path, status in {"get-summary": 200, "get-summary/unknown": 404}.items():
            answer = reader.request("GET", path)
            expect(answer.status == status, f"{path} was answered {answer.status}: {answer.body}")
    _counted(aggregator, stored + 1)
    return "403 problem+json twice; a role with the stack's client policy is let in"


def _reading(aggregator: EventAggregator, _target: Target) -> str:
    ranked = list(aggregator.summaries())
    counts = [summary["item_count"] for summary in ranked]
    expect(counts == sorted(counts, reverse=True), f"the ranking is {counts}")
    paged, query = [], {"limit": "3"}
    while True:
        page = aggregator.page(**query).body
        paged += page["summaries"]
        if "cursor" not in page:
            break
        query["cursor"] = page["cursor"]
    expect(paged == ranked, "pages of 3 give other summaries than one of 100")
    one = aggregator.one(ranked[0]["id"])
    expect(one.body == ranked[0], f"read alone, the first summary is {one.body}")
    for path, status in {
        "get-summary/unknown": 404,
        "get-summary?cursor=bad": 400,
        "get-summary?limit=0": 400,
    }.items():
        answer = aggregator.client.request("GET", path)
        expect(
            (answer.status, answer.content_type) == (status, _PROBLEM),
            f"{path} was answered {answer.status} {answer.content_type}",
        )
    return f"{len(ranked)} groups; unknown id 404, bad cursor 400"


def _recount(aggregator: EventAggregator, _target: Target) -> str:
    events, different = aggregator.differences()
    expect(not different, f"{len(different)} groups differ: {different[:3]}")
    return f"{events} events"


def _stored(aggregator: EventAggregator, target: Target) -> int:
    dynamodb = target.client("dynamodb")
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=aggregator.outputs["EventsTable"], Select="COUNT", ConsistentRead=True
    )
    return sum(page["Count"] for page in pages)


# Each returns what was seen; in this order, because some count what earlier ones sent.
STEPS: list[tuple[str, Callable[[EventAggregator, Target], str]]] = [
    ("a single event is counted, its text byte for byte", _single_event),
    (f"{_EVENTS} events at concurrency {_CONCURRENCY} are counted exactly", _many_events),
    ("an idempotency key sent twice counts once", _idempotency),
    ("key order and 1 against 1.0 do not split a group", _canonical_groups),
    ("every kind of bad request is refused and stores nothing", _bad_requests),
    ("unsigned and unpermitted requests are refused", _unauthorized),
    ("summaries read right: ranked, paged, one by one", _reading),
    ("bad records count at last or are put aside, and hold nothing up", bad_records),
    (
        "what a broken aggregator gave up is redriven, twice, and counts once",
        broken_for_a_while,
    ),
    ("a recount of all events agrees with every summary", _recount),
]

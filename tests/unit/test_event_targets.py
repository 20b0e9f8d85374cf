"""What a rule's target gets in an event's place, and other parts of buses without a page."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from local_cloud import faults
from local_cloud.event_bus import statement_of
from local_cloud.event_targets import detail_of, input_of

if TYPE_CHECKING:
    from local_cloud.transport import Message

RAW = '{"who":  "Åsa", "n": 1.10}'


class Seen:
    """An event as MiniStack shows it to patterns."""

    def __init__(self, detail: Any) -> None:
        self.detail = detail

    def envelope(self) -> dict[str, Any]:
        return {"id": "1", "source": "orders"}

    def event_with_detail(self) -> dict[str, Any]:
        return self.envelope() | {"detail": self.detail}


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ({}, None),
        ({"InputPath": "$"}, None),
        ({"Input": '{"a": 1}'}, '{"a": 1}'),
        ({"InputPath": "$.detail"}, RAW),
        ({"InputPath": "$.detail.who"}, '"Åsa"'),
        ({"InputPath": "$.source"}, '"orders"'),
        ({"InputPath": "$.detail.nobody"}, None),
    ],
)
def test_a_target_gets_the_part_that_it_names(target: dict[str, Any], text: str | None) -> None:
    assert input_of(target, {"Detail": RAW}, {}, Seen(json.loads(RAW))) == text


def test_a_detail_that_is_no_text_or_no_json_becomes_json() -> None:
    assert detail_of({"Detail": RAW}, Seen(json.loads(RAW))) == RAW
    assert detail_of({"Detail": {"å": 1}}, Seen({"å": 1})) == '{"å": 1}'
    text = "no JSON"
    assert detail_of({"Detail": text}, Seen(text)) == '"no JSON"'


@pytest.mark.parametrize(
    ("properties", "statement"),
    [
        (
            {"Statement": {"Effect": "Deny", "Sid": "other"}},
            {"Effect": "Deny", "Sid": "mine"},
        ),
        ({"Statement": '{"Effect": "Deny"}'}, {"Effect": "Deny", "Sid": "mine"}),
        (
            {"Principal": "111122223333", "Action": "events:PutEvents"},
            {
                "Sid": "mine",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                "Action": "events:PutEvents",
                "Resource": "bus",
            },
        ),
        (
            {
                "Principal": "*",
                "Condition": {"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": "o-1"},
            },
            {
                "Sid": "mine",
                "Effect": "Allow",
                "Principal": "*",
                "Action": "events:PutEvents",
                "Resource": "bus",
                "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}},
            },
        ),
    ],
)
def test_a_template_describes_a_statement_in_either_way(
    properties: dict[str, Any], statement: dict[str, Any]
) -> None:
    assert statement_of({"StatementId": "mine", **properties}, "bus") == statement


def test_a_fault_strikes_what_services_send_too_as_often_as_it_was_armed() -> None:
    # GIVEN
    async def answer(*_: object) -> None: ...

    fault = {"target": "AmazonSQS.SendMessage", "containing": "marker", "times": 2, "code": "Slow"}

    async def receive() -> Message:
        return {"type": "http.request", "body": json.dumps(fault).encode()}

    scope = {
        "type": "http",
        "path": faults.PATH,
        "method": "PUT",
        "headers": [(b"x-odyssey", b"yes")],
    }
    asyncio.run(faults.with_faults(answer)(scope, receive, answer))

    # WHEN
    struck = [
        faults.struck(target, body)
        for target, body in [
            ("AmazonSQS.SendMessage", "other"),
            ("AmazonSQS.ReceiveMessage", "marker"),
            *[("AmazonSQS.SendMessage", "a marker")] * 3,
        ]
    ]

    # THEN
    assert struck == [None, None, "Slow", "Slow", None]

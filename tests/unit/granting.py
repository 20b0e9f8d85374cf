"""Permissions and decisions that tests begin with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from odyssey_cli.iam.grants import Grant, Origin
from odyssey_cli.iam.seen import Decision

ARN = "arn:aws:sqs:us-east-1:000000000000:Events"
POLICY = "arn:aws:iam::000000000000:policy/Client"


def grant(**changes: Any) -> Grant:
    """Return a permission to send to a queue, of a function's role."""
    made = Grant(
        stack="EventAggregator",
        logical_id="ReaderRole07D5A14E",
        principal="role/Reader",
        services=frozenset({"lambda.amazonaws.com"}),
        action="sqs:SendMessage",
        resource=ARN,
        name="Events",
        conditional=False,
        origin=Origin("ReaderPolicy", "", 0, 0),
    )
    return replace(made, **changes)


def decision(**changes: Any) -> Decision:
    """Return that such a call was allowed once."""
    made = Decision("role/Reader", "sqs:SendMessage", ARN, True, "call", 10.0, 1, (), ())
    return replace(made, **changes)

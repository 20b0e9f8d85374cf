"""Ways to let in somebody else: other accounts, everybody, and services on their behalf."""

from __future__ import annotations

from typing import Any

from tests.unit.broken_templates import STATEMENTS, Broken, P, allow, resource
from tests.unit.small_templates import arn, ref

_ROOT = "arn:aws:iam::999999999999:root"
_CONDITION = ("UnreadPolicy", *STATEMENTS, 1, "Condition")
_KEY_CONDITION = ("Key", P, "KeyPolicy", "Statement", 0, "Condition")
_BUS: dict[str, Any] = {"EventBusName": "x", "StatementId": "x", "Action": "events:PutEvents"}


def _who(kind: str, name: object) -> dict[str, Any]:
    return {"Principal": {kind: name}}


BROKEN_ACCESS = [
    *(
        Broken(
            "nobody-else",
            f"{kind} {name} on a queue",
            ("UnreadPolicy", *STATEMENTS, "+"),
            allow("sqs:SendMessage", arn("Unread"), **_who(kind, name)),
        )
        for kind, name in [
            ("AWS", "*"),
            ("AWS", _ROOT),
            ("AWS", "999999999999"),
            ("AWS", [ref("AWS::AccountId"), _ROOT]),
            ("Federated", "accounts.google.com"),
            ("CanonicalUser", "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"),
        ]
    ),
    Broken(
        "nobody-else",
        "another account on a bucket",
        ("LakePolicy", *STATEMENTS, "+"),
        allow("s3:GetObject", arn("Lake"), **_who("AWS", _ROOT)),
    ),
    Broken(
        "nobody-else",
        "another account on a key",
        ("Key", P, "KeyPolicy", "Statement", "+"),
        allow("kms:*", **_who("AWS", _ROOT)),
        "prod",
    ),
    Broken(
        "nobody-else",
        "all but one",
        ("Key", P, "KeyPolicy", "Statement", "+"),
        allow("kms:*", NotPrincipal={"AWS": _ROOT}),
        "prod",
    ),
    *(
        Broken("nobody-else", f"a service while {condition}", _CONDITION, condition)
        for condition in [
            {"ArnLike": {"aws:SourceArn": "*"}},
            {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:*"}},
            {"ArnLike": {"aws:SourceArn": [ref("News"), "arn:aws:sns:::elsewhere"]}},
            {"ArnEquals": {"aws:SourceArn": []}},
            {"ArnNotEquals": {"aws:SourceArn": ref("News")}},
            {"ArnEqualsIfExists": {"aws:SourceArn": ref("News")}},
            {"StringLike": {"aws:SourceAccount": ref("AWS::AccountId")}},
            {"StringEquals": {"aws:SourceAccount": "999999999999"}},
            {"StringEquals": {"aws:PrincipalTag/a": ref("AWS::AccountId")}},
        ]
    ),
    Broken(
        "nobody-else",
        "a key's service for another account",
        (*_KEY_CONDITION, "StringEquals", "aws:SourceAccount"),
        "999999999999",
        "prod",
    ),
    *(
        Broken(
            "nobody-else",
            f"a bus's policy of old for {who}",
            ("Bus",),
            resource("AWS::Events::EventBusPolicy", Principal=who, **_BUS),
        )
        for who in ("*", "999999999999")
    ),
    Broken(
        "nobody-else",
        "a bus's statement",
        ("Bus",),
        resource(
            "AWS::Events::EventBusPolicy",
            Statement=allow("events:PutEvents", **_who("AWS", _ROOT)),
            **_BUS,
        ),
    ),
    Broken(
        "nobody-else",
        "any topic of a region",
        ("ReaderPermission", P, "SourceArn"),
        ref("AWS::Region"),
    ),
    Broken(
        "no-wildcard", "any action on a function", ("ReaderPermission", P, "Action"), "lambda:*"
    ),
    Broken("no-wildcard", "no word on a function", ("ReaderPermission", P, "Action")),
]

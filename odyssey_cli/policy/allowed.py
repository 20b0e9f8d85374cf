"""Who may send to a queue or topic, which may be encrypted: what policies say in the end."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from odyssey_cli.policy.templates import (
    OWN_ACCOUNT,
    TOPIC,
    Statement,
    Template,
    as_list,
    services,
    statements_of,
    text,
)
from odyssey_cli.templates import referenced

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KEY = "AWS::KMS::Key"
_QUEUE_POLICY, _TOPIC_POLICY = "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"
# What whoever sends to an encrypted queue needs of its key ("Key management", Amazon SQS Developer
# Guide, 2026-11-21).
_OF_THE_KEY = {"kms:Decrypt", "kms:GenerateDataKey"}
# The keys that AWS manages: whoever of the account may use the service may use them, but no other
# service on the account's behalf, and nobody can change their policies ("Key management", Amazon
# SQS Developer Guide, and "Encrypting Amazon SNS topics", 2026-11-21).
_OF_AWS = {"alias/aws/sqs", "alias/aws/sns"}
# With which a condition says who it is that a service acts for. What is left out is what also holds
# without the key that it looks at (...IfExists, ForAllValues), or for all but one.
OPERATORS = {"ArnEquals", "ArnLike", "StringEquals"}
# Of a refusal: it holds for nobody who uses TLS, as all of AWS's services do.
WITHOUT_TLS = {"Bool": {"aws:SecureTransport": "false"}}


@dataclass(frozen=True)
class Giver:
    """Who writes to the end of an edge: a role, or a service on behalf of one resource.

    Attributes:
        role: the role's logical id.
        service: the service's principal.
        source: the logical id of the resource on whose behalf the service writes.
    """

    role: str | None = None
    service: str = ""
    source: str = ""


def unsendable(template: Template, to: str, giver: Giver) -> Iterator[str]:
    """Yield what `giver` lacks to send to a queue or topic, which may be encrypted with a key."""
    action = "sns:Publish" if template.type(to) == TOPIC else "sqs:SendMessage"
    own = list(template.allowed(giver.role)) if giver.role else []
    of_it = _of_resource(template, to)
    granted = (
        _lets_in(template, of_it, action, to, giver)
        if giver.service
        else granted_to_role(template, own, {action}, to)
    )
    if not granted:
        yield action
    elif _refused(own + of_it, {action}, to, giver):
        yield f"{action}, and refuse it nowhere"
    encrypted = template.properties(to).get("KmsMasterKeyId")
    key = template.resource(encrypted, KEY)
    if key is None:
        if encrypted and (giver.service or encrypted not in _OF_AWS):
            yield "it by a key of the stack's own, not by one that AWS manages"
        return
    of_key = statements_of(template.properties(key), "KeyPolicy")
    may = (
        _of_the_service(template, of_key, giver)
        if giver.service
        else granted_to_role(template, own, _OF_THE_KEY, key)
    )
    if not may or _refused(own + of_key, _OF_THE_KEY, key, giver):
        yield " and ".join(sorted(_OF_THE_KEY))


def granted_to_role(
    template: Template, statements: Iterable[Statement], actions: set[str], on: str
) -> bool:
    """Say whether a role's statements allow all of some actions on a resource, always."""
    allowed = {
        action
        for statement in statements
        if statement.get("Effect") == "Allow"
        # Nobody knows here whether a condition will hold.
        and not statement.get("Condition")
        and template.arn(on) in map(text, as_list(statement.get("Resource")))
        for action in as_list(statement.get("Action"))
    }
    return actions <= allowed


def _of_resource(template: Template, to: str) -> list[Statement]:
    return [
        statement
        for kind, names in ((_QUEUE_POLICY, "Queues"), (_TOPIC_POLICY, "Topics"))
        for policy in template.of(kind).values()
        if to in referenced(policy.get(names))
        for statement in statements_of(policy)
    ]


def _lets_in(
    template: Template, statements: Iterable[Statement], action: str, to: str, giver: Giver
) -> bool:
    return any(
        statement.get("Effect") == "Allow"
        and giver.service in services(statement)
        and action in as_list(statement.get("Action"))
        and template.arn(to) in map(text, as_list(statement.get("Resource")))
        and (not giver.source or giver.source in referenced(statement.get("Condition")))
        and _fulfilled(template, statement, giver)
        for statement in statements
    )


def _of_the_service(template: Template, statements: Iterable[Statement], giver: Giver) -> bool:
    allowed = {
        action
        for statement in statements
        if statement.get("Effect") == "Allow"
        and giver.service in services(statement)
        and _fulfilled(template, statement, giver)
        for action in as_list(statement.get("Action"))
    }
    return allowed >= _OF_THE_KEY


def _fulfilled(template: Template, statement: Statement, giver: Giver) -> bool:
    """Say whether a service that acts for a resource of this account meets every condition."""
    holds = {"aws:SourceAccount": OWN_ACCOUNT}
    if giver.source:
        holds["aws:SourceArn"] = template.arn(giver.source)
    return all(
        operator in OPERATORS and key in holds and holds[key] in map(text, as_list(values))
        for operator, tests in statement.get("Condition", {}).items()
        for key, values in tests.items()
    )


def _refused(statements: Iterable[Statement], actions: set[str], on: str, giver: Giver) -> bool:
    """Say whether a statement may refuse one of some actions; one that is in doubt does."""
    return any(
        statement.get("Effect") == "Deny"
        and statement.get("Condition") != WITHOUT_TLS
        and _is_about(statement, giver)
        and ("NotAction" in statement or any(_covers(statement, each) for each in actions))
        and (
            "NotResource" in statement
            or on in referenced(statement.get("Resource"))
            or any("*" in text(each) for each in as_list(statement.get("Resource")))
        )
        for statement in statements
    )


def _is_about(statement: Statement, giver: Giver) -> bool:
    principal = statement.get("Principal")
    if isinstance(principal, dict) and set(principal) == {"Service"}:
        return giver.service in services(statement)
    return True


def _covers(statement: Statement, action: str) -> bool:
    patterns = (text(each).lower() for each in as_list(statement.get("Action")))
    return any(fnmatchcase(action.lower(), each) for each in patterns)

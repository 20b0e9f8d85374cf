"""Rules on who may do what: no wildcard, no policy of AWS's, a role for each function."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from odyssey_cli.policy.allowed import KEY, OPERATORS
from odyssey_cli.policy.ends import FUNCTION, PERMISSION
from odyssey_cli.policy.rule import Fault
from odyssey_cli.policy.templates import (
    OWN_ACCOUNT,
    Json,
    Statement,
    as_list,
    services,
    statements_of,
    text,
    walk,
)
from odyssey_cli.templates import referenced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli.policy.templates import Template

ROLE = "AWS::IAM::Role"
_SAR = "Service Authorization Reference: Actions, resources, and condition keys for {}, 2026-11-21"
# Actions whose resource can only be *, and where AWS says so.
WITHOUT_RESOURCE = {
    "xray:PutTelemetryRecords": _SAR.format("AWS X-Ray"),
    "xray:PutTraceSegments": _SAR.format("AWS X-Ray"),
    "ssmmessages:CreateControlChannel": _SAR.format("Amazon Message Gateway Service"),
    "ssmmessages:CreateDataChannel": _SAR.format("Amazon Message Gateway Service"),
    "ssmmessages:OpenControlChannel": _SAR.format("Amazon Message Gateway Service"),
    "ssmmessages:OpenDataChannel": _SAR.format("Amazon Message Gateway Service"),
}


@dataclass(frozen=True)
class Wide:
    """A statement that may be about everything although AWS has narrower resources.

    Attributes:
        service: who assumes the role.
        actions: all that it is allowed so.
        why: the reason.
    """

    service: str
    actions: frozenset[str]
    why: str


WIDE = (
    Wide(
        "apigateway.amazonaws.com",
        frozenset(
            f"logs:{action}"
            for action in (
                *("CreateLogGroup", "CreateLogStream", "DescribeLogGroups", "DescribeLogStreams"),
                *("FilterLogEvents", "GetLogEvents", "PutLogEvents"),
            )
        ),
        'One role serves every API of the account ("Set up CloudWatch logging for REST APIs in API '
        'Gateway", 2026-11-21).',
    ),
)
# Any number of characters, and any one ("IAM JSON policy elements: Resource", AWS IAM User Guide,
# 2026-11-21; that actions have the same wildcards is from memory).
_WILD = {"*", "?"}
# Actions on what has its name at run time, after the ARN of what it is in: `*` may end the resource
# there, and nowhere else. Object keys, and the ids at the end of a stack's ARN and of a host's.
_NAMED_LATER = {
    "cloudformation:DescribeStacks",
    "s3:AbortMultipartUpload",
    "s3:DeleteObjectVersion",
    "s3:GetObject",
    "s3:GetObjectVersionAcl",
    "s3:GetObjectVersionForReplication",
    "s3:GetObjectVersionTagging",
    "s3:PutObject",
    "s3:ReplicateObject",
    "s3:ReplicateTags",
    "ssm:UpdateInstanceInformation",
}


def no_wildcard(template: Template) -> Iterator[Fault]:
    """No statement allows all actions, or something on everything where AWS is narrower."""
    paths = _paths_with_parameters(template)
    for at, statement in template.statements:
        # A key's own policy, whose * is the key, gives the account its say, as AWS's default does
        # ("Default key policy", AWS KMS Developer Guide, 2026-11-21).
        if statement.get("Effect") != "Allow" or template.type(at) == KEY:
            continue
        for negated in ("NotAction", "NotPrincipal", "NotResource"):
            if negated in statement:
                yield Fault(at, f"{negated} allows everything else, too.", "Name what is allowed.")
        actions = {text(each) for each in as_list(statement.get("Action"))}
        if wild := sorted(each for each in actions if _WILD & set(each)):
            yield Fault(
                at, f"It allows actions that it does not name: {', '.join(wild)}.", "Name each."
            )
            continue
        for resource in map(text, as_list(statement.get("Resource"))):
            if _WILD & set(resource) and not _needed(template, at, actions, resource, paths):
                yield Fault(
                    at,
                    f"It allows {', '.join(sorted(actions))} on {resource}.",
                    "Name the resource, or give the action a page in policy/access.py.",
                )

    for at, permission in template.of(PERMISSION).items():
        action = text(permission.get("Action", "*"))
        if _WILD & set(action):
            yield Fault(at, f"It allows actions that it does not name: {action}.", "Name each.")


def _needed(template: Template, at: str, actions: set[str], resource: str, paths: set[str]) -> bool:
    if "?" in resource:
        return False
    if resource == "*":
        left = actions - set(WITHOUT_RESOURCE)
        services = set(_assumed_by(template, at))
        return not left or any(left <= each.actions and services == {each.service} for each in WIDE)
    if actions == {"execute-api:Invoke"}:
        return any(resource.endswith(path) for path in paths)
    before, _, after = resource.partition("/*")
    return actions <= _NAMED_LATER and not after and "*" not in before and before != ""


def _assumed_by(template: Template, policy: str) -> Iterator[str]:
    for role in [policy, *referenced(template.properties(policy).get("Roles"))]:
        for statement in statements_of(template.properties(role), "AssumeRolePolicyDocument"):
            yield from services(statement)


def _paths_with_parameters(template: Template) -> set[str]:
    """Return the ends of methods' ARNs where a path's parameter is a wildcard.

    "Control access to a REST API with IAM permissions", Amazon API Gateway, 2026-11-21.
    """
    found = set()
    for method in template.of("AWS::ApiGateway::Method").values():
        path = _path(template, method.get("ResourceId"))
        if "{" in path:
            found.add(f">/{method.get('HttpMethod')}{re.sub(r'{[^}]*}', '*', path)}")
    return found


def _path(template: Template, resource: object) -> str:
    at = template.resource(resource, "AWS::ApiGateway::Resource")
    if at is None:
        return ""
    properties = template.properties(at)
    return f"{_path(template, properties.get('ParentId'))}/{properties.get('PathPart')}"


def no_policy_of_aws(template: Template) -> Iterator[Fault]:
    """Nobody has a policy that AWS manages: it allows more than is needed, and changes."""
    for at, properties in template.of(ROLE, "AWS::IAM::Group", "AWS::IAM::User").items():
        for policy in as_list(properties.get("ManagedPolicyArns")):
            if template.resource(policy, "AWS::IAM::ManagedPolicy") is None:
                yield _of_aws(at, text(policy))
    for at, resource in template.resources.items():
        if template.type(at) not in (ROLE, "AWS::IAM::Group", "AWS::IAM::User"):
            for value in walk(resource.get("Properties", {})):
                if isinstance(value, str) and ":iam::aws:policy/" in value:
                    yield _of_aws(at, value)


def _of_aws(at: str, policy: str) -> Fault:
    return Fault(
        at, f"It has a policy that is not the stack's: {policy}.", "Allow what is called, no more."
    )


def role_of_its_own(template: Template) -> Iterator[Fault]:
    """Every function has a role of the template, which nothing else has."""
    roles = {
        at: template.resource(properties.get("Role"), ROLE)
        for at, properties in template.of(FUNCTION).items()
    }
    users = Counter(roles.values())
    for at, role in roles.items():
        if role is None:
            yield Fault(at, "Its role is elsewhere.", "Give it a role of this template.")
        elif users[role] > 1:
            yield Fault(at, "It may do what another function may.", "Give it a role of its own.")


# What says of a service of AWS on whose behalf it comes.
_OF_RESOURCE = {"aws:SourceArn", "kms:EncryptionContext:aws:logs:arn"}
_OF_ACCOUNT = {"aws:SourceAccount"}
_BUS_POLICY = "AWS::Events::EventBusPolicy"
# A part of an ARN as `templates.text` writes it: expressions have colons of their own.
_PART = "(?:<[^>]*>|[^:<])*"
_OF_THE_ACCOUNT = re.compile(f"arn:{_PART}:{_PART}:{_PART}:{OWN_ACCOUNT}:")
_ROOT = f"arn:<AWS::Partition>:iam::{OWN_ACCOUNT}:root"


def nobody_else(template: Template) -> Iterator[Fault]:
    """Policies let in this account, and services on behalf of it or one of its resources."""
    for at, statement in template.statements:
        if statement.get("Effect") != "Allow":
            continue
        principal = statement.get("Principal", {})
        if "NotPrincipal" in statement:
            yield Fault(at, "It lets in all but one.", "Name who may.")
        elif not isinstance(principal, dict) or "*" in as_list(principal.get("AWS")):
            yield Fault(at, "It lets everybody in.", "Name who may.")
        else:
            yield from _others(at, principal)
            # A role cannot say for whom a service assumes it, unless the service says so itself.
            conditioned = template.type(at) == ROLE or _conditioned(template, statement)
            if services(statement) and not conditioned:
                yield Fault(
                    at,
                    "It lets a service in on behalf of any account.",
                    "Add a condition that aws:SourceArn is a resource's of this account, or "
                    "aws:SourceAccount the account.",
                )
    for at, policy in template.of(_BUS_POLICY).items():
        # As it was before it had a statement: an account, or everybody.
        who = text(policy.get("Principal", OWN_ACCOUNT))
        if who != OWN_ACCOUNT:
            yield Fault(at, f"It lets {who} put events on the bus.", "Let the account.")
    for at, permission in template.of(PERMISSION).items():
        source = permission.get("SourceArn")
        if not _own(template, source) or text(source).endswith(":*"):
            yield Fault(
                at,
                "It lets a service invoke the function on behalf of any account.",
                "State SourceArn.",
            )


def _others(at: str, principal: dict[str, Json]) -> Iterator[Fault]:
    """Find who else than a service or this account is let in."""
    for kind, who in principal.items():
        for each in map(text, as_list(who)):
            if kind != "Service" and not (kind == "AWS" and each in (_ROOT, OWN_ACCOUNT)):
                yield Fault(at, f"It lets {each} in.", "Let a service or the account.")


def _conditioned(template: Template, statement: Statement) -> bool:
    """Say whether a statement holds for this account or its resources only."""
    return any(
        all(_own(template, value) for value in as_list(values))
        if key in _OF_RESOURCE
        else key in _OF_ACCOUNT and [*map(text, as_list(values))] == [OWN_ACCOUNT]
        for operator, tests in statement.get("Condition", {}).items()
        if operator in OPERATORS
        for key, values in tests.items()
        if as_list(values)
    )


def _own(template: Template, value: Json) -> bool:
    """Say whether an expression is the ARN of a resource of this template or this account."""
    written = text(value)
    at = template.resource(value)
    return bool(_OF_THE_ACCOUNT.match(written)) or (at is not None and written == template.arn(at))


def no_access_key(template: Template) -> Iterator[Fault]:
    """No stack makes an access key, which would be in its state for whoever may look."""
    for at in template.of("AWS::IAM::AccessKey"):
        yield Fault(at, "Its secret is in the stack.", "Let people make their own.")

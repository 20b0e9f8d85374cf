"""What the roles and policies of deployed stacks allow, read from the cloud itself."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from odyssey_cli.errors import OdysseyError
from odyssey_cli.policy.templates import as_list, services, statements_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_iam import IAMClient

    from odyssey_cli.target import Target

Document = dict[str, Any]

_ROLE, _POLICY = "AWS::IAM::Role", "AWS::IAM::Policy"
_MANAGED, _GROUP, _USER = "AWS::IAM::ManagedPolicy", "AWS::IAM::Group", "AWS::IAM::User"
# No action of AWS's: a policy that allows it allows nothing.
NOTHING = "odyssey:Nothing"
# "EventsTable4B7491D3": the CDK ends a logical id with eight digits of a hash.
_HASH = re.compile(r"[0-9A-F]{8}$")
# "table/EventsTable/stream/2026-11-21T17:42:10.111"
_LABEL = re.compile(r"^(table/[^/]+/stream)/[^/*]+$")
# "${aws:username}" in a resource stands for whatever the caller's is.
_VARIABLE = re.compile(r"\$\{[^}]*\}")


@dataclass(frozen=True)
class Origin:
    """Where in a stack's template an action on a resource is allowed.

    Attributes:
        logical_id: of the policy, or of the role that has it.
        policy: which of the role's own policies, by its name; "" for a policy by itself.
        statement: the statement's number in the document.
        resource: the resource's number in the statement.
    """

    logical_id: str
    policy: str
    statement: int
    resource: int


@dataclass(frozen=True)
class Grant:
    """One action that one role, group, user or managed policy allows on one resource.

    Attributes:
        stack: the stack's name.
        logical_id: of what allows it: a role or a managed policy.
        principal: `role/NAME`, `group/NAME`, `user/NAME`, or a managed policy's ARN.
        services: those that may assume the role.
        action: an IAM action, perhaps with wildcards.
        resource: ARN of what it may be done to, perhaps with wildcards.
        name: the resource's name, as the stack's code has it.
        conditional: whether conditions are set.
        origin: where it comes from; None for a policy of AWS's.
    """

    stack: str
    logical_id: str
    principal: str
    services: frozenset[str]
    action: str
    resource: str
    name: str
    conditional: bool
    origin: Origin | None

    @property
    def holder(self) -> str:
        """The name of what allows it, as the stack's code has it."""
        return plain_name(self.logical_id)

    @property
    def role(self) -> tuple[str, str]:
        """Stack and holder, which together name a role for a reader."""
        return self.stack, self.holder


def matches(pattern: str, value: str, *, ignore_case: bool = False) -> bool:
    """Say whether a value is one that a pattern of a policy stands for.

    Args:
        pattern: `*` stands for any text, also with colons and slashes; `?` for one character.
        value: an action or an ARN.
        ignore_case: as IAM does for actions, and not for resources.
    """
    wild = re.escape(_VARIABLE.sub("*", pattern)).replace(r"\*", ".*").replace(r"\?", ".")
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    return re.fullmatch(wild, value, flags) is not None


def statements(document: Document, where: str) -> Iterator[tuple[int, str, int, str, bool]]:
    """Yield statement's number, action, resource's number, resource and whether conditions are set.

    Args:
        document: a policy.
        where: its name, for the error.

    Raises:
        OdysseyError: it allows everything but something, of which nothing can be proven.
    """
    for number, statement in enumerate(as_list(document.get("Statement"))):
        if statement.get("Effect") != "Allow":
            continue
        if excepted := {"NotAction", "NotResource"} & statement.keys():
            raise OdysseyError(
                f"{where} has a {excepted.pop()}, which allows whatever AWS adds one day.",
                "Name the actions and resources that are needed.",
            )
        for action in as_list(statement["Action"]):
            for place, resource in enumerate(as_list(statement["Resource"])):
                yield number, action, place, resource, bool(statement.get("Condition"))


def plain_name(logical_id: str) -> str:
    """Return a logical id as the stack's code has it."""
    return _HASH.sub("", logical_id)


@dataclass(frozen=True)
class Resource:
    """A resource of a deployed stack.

    Attributes:
        logical_id: in the template.
        type: CloudFormation's, e.g. `AWS::SQS::Queue`.
        physical: its name, ARN or URL; "" when it was never made.
    """

    logical_id: str
    type: str
    physical: str


def resources(formation: CloudFormationClient, stack: str) -> list[Resource]:
    """Return the resources of a deployed stack."""
    return [
        Resource(
            each["LogicalResourceId"], each["ResourceType"], each.get("PhysicalResourceId", "")
        )
        for each in formation.describe_stack_resources(StackName=stack)["StackResources"]
    ]


class Names:
    """The names that the stacks' code has for deployed resources.

    Args:
        of: the resources.
    """

    def __init__(self, of: Iterable[Resource]) -> None:
        # Of what has the same name the resource itself counts, not what is made for it.
        found = {
            _last(each.physical): plain_name(each.logical_id)
            for each in sorted(of, key=_is_itself)
            if each.physical
        }
        # The longest first: a name may begin with another one.
        self._names = sorted(found.items(), key=lambda each: -len(each[0]))

    def named(self, arn: str) -> str:
        """Return a resource's own part of its ARN, with the name that the code has for it.

        It is the same in each deployment: a stream's label, which says when it began, is left out.
        """
        own = _LABEL.sub(r"\1", arn.split(":", 5)[-1])
        for physical, name in self._names:
            if physical in own:
                return own.replace(physical, name)
        return own


class Reader:
    """Reads the grants of deployed stacks."""

    def __init__(self, target: Target) -> None:
        self._iam: IAMClient = target.client("iam")
        self._formation: CloudFormationClient = target.client("cloudformation")

    def read(self, stacks: Sequence[str]) -> list[Grant]:
        """Return what the roles, groups, users and managed policies of these stacks allow."""
        members = {stack: resources(self._formation, stack) for stack in stacks}
        names = Names(member for each in members.values() for member in each)
        account = _Account(self._iam)
        return [
            grant
            for stack in stacks
            for grant in _Stack(
                account, self._template(stack), stack, members[stack], names
            ).grants()
        ]

    def _template(self, stack: str) -> dict[str, Any]:
        body: Any = self._formation.get_template(StackName=stack)["TemplateBody"]
        template = json.loads(body) if isinstance(body, str) else body
        found: dict[str, Any] = template["Resources"]
        return found


class _Account:
    """The roles and managed policies of an account, all read at once."""

    def __init__(self, iam: IAMClient) -> None:
        self._iam = iam
        self.roles: dict[str, Any] = {}
        self._policies: dict[str, Any] = {}
        pages = iam.get_paginator("get_account_authorization_details")
        for page in pages.paginate(Filter=["Role", "LocalManagedPolicy"]):
            self.roles |= {each["RoleName"]: each for each in page["RoleDetailList"]}
            self._policies |= {each["Arn"]: each for each in page["Policies"]}

    def policy(self, arn: str) -> Document:
        """Return a managed policy's document, also of AWS's."""
        if arn in self._policies:
            [found] = [
                each["Document"]
                for each in self._policies[arn]["PolicyVersionList"]
                if each["IsDefaultVersion"]
            ]
            return _document(found)
        version = self._iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        told = self._iam.get_policy_version(PolicyArn=arn, VersionId=version)
        return _document(told["PolicyVersion"]["Document"])


class _Stack:
    def __init__(
        self,
        account: _Account,
        template: dict[str, Any],
        stack: str,
        members: Sequence[Resource],
        names: Names,
    ) -> None:
        self._account, self._template, self._stack = account, template, stack
        self._members, self._names = members, names

    def grants(self) -> Iterator[Grant]:
        for logical_id, name in self._of(_ROLE):
            role = self._account.roles[name]
            principal, trusted = f"role/{name}", _trusted(role)
            for policy in role["RolePolicyList"]:
                origin = self._origin(logical_id, policy["PolicyName"])
                document = _document(policy["PolicyDocument"])
                yield from self._read(logical_id, principal, trusted, document, origin)
            for each in role["AttachedManagedPolicies"]:
                # Ours come by themselves, with all that have them.
                if each["PolicyArn"].split(":")[4] == "aws":
                    document = self._account.policy(each["PolicyArn"])
                    yield from self._read(logical_id, principal, trusted, document, None)
        for logical_id, arn in self._of(_MANAGED):
            document = self._account.policy(arn)
            yield from self._read(logical_id, arn, frozenset(), document, (logical_id, ""))
        for kind in (_GROUP, _USER):
            for logical_id, _ in self._of(kind):
                self._refuse_own_policies(logical_id)

    def _of(self, kind: str) -> Iterator[tuple[str, str]]:
        for each in sorted(self._members, key=lambda member: member.logical_id):
            if each.type == kind and each.physical:
                yield each.logical_id, each.physical

    def _read(
        self,
        logical_id: str,
        principal: str,
        trusted: frozenset[str],
        document: Document,
        origin: tuple[str, str] | None,
    ) -> Iterator[Grant]:
        where = f"{self._stack} {plain_name(logical_id)}"
        for number, action, place, resource, conditional in statements(document, where):
            yield Grant(
                stack=self._stack,
                logical_id=logical_id,
                principal=principal,
                services=trusted,
                action=action,
                resource=resource,
                name=self._names.named(resource),
                conditional=conditional,
                origin=None if origin is None else Origin(*origin, number, place),
            )

    def _origin(self, role: str, policy: str) -> tuple[str, str]:
        """Return the logical id of what puts a policy on a role, and the policy's name there."""
        for logical_id, resource in self._template.items():
            made = resource.get("Properties", {})
            if resource["Type"] == _POLICY and made.get("PolicyName") == policy:
                return logical_id, ""
        return role, policy

    def _refuse_own_policies(self, logical_id: str) -> None:
        own = self._template[logical_id]["Properties"].get("Policies")
        put_on = [
            name
            for name, resource in self._template.items()
            if resource["Type"] == _POLICY
            and {"Ref": logical_id}
            in [*resource["Properties"].get("Groups", []), *resource["Properties"].get("Users", [])]
        ]
        if own or put_on:
            raise OdysseyError(
                f"{self._stack} {plain_name(logical_id)} has a policy of its own.",
                "Give it a managed one, so that what it is used for can be proven.",
            )


def _trusted(role: dict[str, Any]) -> frozenset[str]:
    document = {"PolicyDocument": _document(role["AssumeRolePolicyDocument"])}
    return frozenset(
        service for statement in statements_of(document) for service in services(statement)
    )


def _is_itself(resource: Resource) -> bool:
    return not resource.type.startswith("Custom::") and not resource.type.endswith("Policy")


def _last(physical: str) -> str:
    """Return the end of a URL or an ARN, which is in the ARNs that policies name."""
    return re.split(r"[:/]", physical)[-1] if "://" in physical or "arn:" in physical else physical


def _document(given: Any) -> Document:  # noqa: ANN401 - boto3 has decoded it, or not
    if isinstance(given, str):
        decoded: Document = json.loads(unquote(given))
        return decoded
    return dict(given)


def without(document: Document, origin: Origin, action: str) -> Document:
    """Return a policy that no longer allows one action on one resource.

    It has `NOTHING` there instead, so that one can read on what it would have been.

    Args:
        document: of the template, so that resources may still be references.
        origin: where the action is allowed.
        action: the action.
    """
    kept: list[Document] = []
    for number, statement in enumerate(as_list(document["Statement"])):
        if number != origin.statement:
            kept.append(statement)
            continue
        actions, resources = as_list(statement["Action"]), as_list(statement["Resource"])
        others = [each for each in actions if each != action]
        elsewhere = resources[: origin.resource] + resources[origin.resource + 1 :]
        if others:
            kept.append(statement | {"Action": others})
        if elsewhere:
            kept.append(statement | {"Action": [action], "Resource": elsewhere})
        kept.append(statement | {"Action": NOTHING, "Resource": resources[origin.resource]})
    return document | {"Statement": kept}

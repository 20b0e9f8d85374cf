"""What the roles and policies of deployed stacks allow, read from the cloud itself."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from odyssey_cli.errors import OdysseyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_iam import IAMClient

    from odyssey_cli.target import Target

Document = dict[str, Any]

_ROLE, _POLICY = "AWS::IAM::Role", "AWS::IAM::Policy"
_MANAGED, _GROUP, _USER = "AWS::IAM::ManagedPolicy", "AWS::IAM::Group", "AWS::IAM::User"
# "EventsTable4B7491D3": the CDK ends a logical id with eight digits of a hash.
_HASH = re.compile(r"[0-9A-F]{8}$")
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
        holds: who has a managed policy, as `principal` names them; else `principal` itself.
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
    holds: tuple[str, ...]
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


def as_list(value: Any) -> list[Any]:  # noqa: ANN401 - any JSON
    """Return a policy's list, which may be written as its only member."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def plain_name(logical_id: str) -> str:
    """Return a logical id as the stack's code has it."""
    return _HASH.sub("", logical_id)


class Reader:
    """Reads the grants of deployed stacks."""

    def __init__(self, target: Target) -> None:
        self._iam: IAMClient = target.client("iam")
        self._formation: CloudFormationClient = target.client("cloudformation")

    def read(self, stacks: Sequence[str]) -> list[Grant]:
        """Return what the roles, groups, users and managed policies of these stacks allow."""
        resources = {stack: self._resources(stack) for stack in stacks}
        names = {
            _last(physical): plain_name(logical)
            for each in resources.values()
            # Of what has the same name the resource itself counts, not what is made for it.
            for logical, (_, physical) in sorted(each.items(), key=_is_itself)
        }
        return [
            grant
            for stack in stacks
            for grant in _Stack(self._iam, self._formation, stack, resources[stack], names).grants()
        ]

    def _resources(self, stack: str) -> dict[str, tuple[str, str]]:
        described = self._formation.describe_stack_resources(StackName=stack)["StackResources"]
        return {
            each["LogicalResourceId"]: (each["ResourceType"], each.get("PhysicalResourceId", ""))
            for each in described
        }


class _Stack:
    def __init__(
        self,
        iam: IAMClient,
        formation: CloudFormationClient,
        stack: str,
        resources: dict[str, tuple[str, str]],
        names: dict[str, str],
    ) -> None:
        self._iam, self._stack, self._resources = iam, stack, resources
        body: Any = formation.get_template(StackName=stack)["TemplateBody"]
        template = json.loads(body) if isinstance(body, str) else body
        self._template: dict[str, Any] = template["Resources"]
        # The longest first: a name may begin with another one.
        self._names = sorted(names.items(), key=lambda each: -len(each[0]))

    def grants(self) -> Iterator[Grant]:
        for logical_id, physical in self._of(_ROLE):
            principal = f"role/{physical}"
            services = self._trusted(physical)
            for policy, document in self._inline(physical):
                origin = self._origin(logical_id, policy)
                yield from self._read(
                    logical_id, principal, (principal,), services, document, origin
                )
            for arn in self._attached(physical):
                # Ours come by themselves, with all that have them.
                if arn.split(":")[4] == "aws":
                    yield from self._read(
                        logical_id, principal, (principal,), services, self._managed(arn), None
                    )
        for logical_id, arn in self._of(_MANAGED):
            yield from self._read(
                logical_id,
                arn,
                self._holders(arn),
                frozenset(),
                self._managed(arn),
                (logical_id, ""),
            )
        for kind in (_GROUP, _USER):
            for logical_id, _ in self._of(kind):
                self._refuse_own_policies(logical_id)

    def _of(self, kind: str) -> Iterator[tuple[str, str]]:
        for logical_id, (its_kind, physical) in sorted(self._resources.items()):
            if its_kind == kind:
                yield logical_id, physical

    def _read(
        self,
        logical_id: str,
        principal: str,
        holds: tuple[str, ...],
        services: frozenset[str],
        document: Document,
        origin: tuple[str, str] | None,
    ) -> Iterator[Grant]:
        where = f"{self._stack} {plain_name(logical_id)}"
        for number, action, place, resource, conditional in statements(document, where):
            yield Grant(
                stack=self._stack,
                logical_id=logical_id,
                principal=principal,
                holds=holds,
                services=services,
                action=action,
                resource=resource,
                name=self._named(resource),
                conditional=conditional,
                origin=None if origin is None else Origin(*origin, number, place),
            )

    def _named(self, arn: str) -> str:
        """Return a resource's own part of its ARN, with the name that the code has for it."""
        own = arn.split(":", 5)[-1]
        for physical, name in self._names:
            if physical and physical in own:
                return own.replace(physical, name)
        return own

    def _inline(self, role: str) -> Iterator[tuple[str, Document]]:
        for page in self._iam.get_paginator("list_role_policies").paginate(RoleName=role):
            for name in page["PolicyNames"]:
                found = self._iam.get_role_policy(RoleName=role, PolicyName=name)
                yield name, _document(found["PolicyDocument"])

    def _attached(self, role: str) -> list[str]:
        pages = self._iam.get_paginator("list_attached_role_policies").paginate(RoleName=role)
        return [each["PolicyArn"] for page in pages for each in page["AttachedPolicies"]]

    def _managed(self, arn: str) -> Document:
        version = self._iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found = self._iam.get_policy_version(PolicyArn=arn, VersionId=version)
        return _document(found["PolicyVersion"]["Document"])

    def _holders(self, arn: str) -> tuple[str, ...]:
        found = self._iam.list_entities_for_policy(PolicyArn=arn)
        return (
            *(f"role/{each['RoleName']}" for each in found["PolicyRoles"]),
            *(f"group/{each['GroupName']}" for each in found["PolicyGroups"]),
            *(f"user/{each['UserName']}" for each in found["PolicyUsers"]),
        )

    def _trusted(self, role: str) -> frozenset[str]:
        document = _document(self._iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"])
        return frozenset(
            service
            for statement in as_list(document["Statement"])
            for service in as_list(statement.get("Principal", {}).get("Service"))
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


def _is_itself(resource: tuple[str, tuple[str, str]]) -> bool:
    kind = resource[1][0]
    return not kind.startswith("Custom::") and not kind.endswith("Policy")


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
    return document | {"Statement": kept}

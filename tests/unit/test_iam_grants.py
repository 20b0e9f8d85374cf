"""What roles and policies allow is read completely, and can be taken out one by one."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from odyssey_cli.errors import OdysseyError
from odyssey_cli.iam.deployment import Stacks, less
from odyssey_cli.iam.grants import (
    NOTHING,
    Grant,
    Names,
    Origin,
    Reader,
    Resource,
    plain_name,
    statements,
    without,
)
from odyssey_cli.target import Target
from tests.unit.granting import ARN, POLICY, grant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/S-Table-1"


def test_every_action_on_every_resource_is_a_permission_of_its_own() -> None:
    document = {
        "Statement": [
            {"Effect": "Deny", "Action": "*", "Resource": "*"},
            {"Effect": "Allow", "Action": ["a:X", "a:Y"], "Resource": ["r1", "r2"]},
            {"Effect": "Allow", "Action": "b:Z", "Resource": "r3", "Condition": {"Bool": {}}},
        ]
    }
    assert list(statements(document, "a role")) == [
        (1, "a:X", 0, "r1", False),
        (1, "a:X", 1, "r2", False),
        (1, "a:Y", 0, "r1", False),
        (1, "a:Y", 1, "r2", False),
        (2, "b:Z", 0, "r3", True),
    ]


def test_a_document_with_one_statement_may_have_it_bare() -> None:
    document = {"Statement": {"Effect": "Allow", "Action": "a:X", "Resource": "r"}}
    assert [each[1] for each in statements(document, "a role")] == ["a:X"]


@pytest.mark.parametrize(
    "statement",
    [{"NotAction": "iam:*", "Resource": "*"}, {"Action": "s3:*", "NotResource": "arn:secret"}],
)
def test_everything_but_something_cannot_be_proven(statement: dict[str, Any]) -> None:
    document = {"Statement": [{"Effect": "Allow", **statement}]}
    with pytest.raises(OdysseyError, match="Ingest StorerRole has a Not"):
        list(statements(document, "Ingest StorerRole"))


@pytest.mark.parametrize(
    ("origin", "action", "left"),
    [
        (
            Origin("P", "", 0, 0),
            "a:X",
            [("a:Y", "r1"), ("a:Y", "r2"), ("a:X", "r2"), ("a:X", "r1")],
        ),
        (
            Origin("P", "", 0, 1),
            "a:Y",
            [("a:X", "r1"), ("a:X", "r2"), ("a:Y", "r1"), ("a:X", "r1")],
        ),
        (
            Origin("P", "", 1, 0),
            "a:X",
            [("a:X", "r1"), ("a:X", "r2"), ("a:Y", "r1"), ("a:Y", "r2")],
        ),
    ],
)
def test_only_one_action_on_one_resource_is_taken_out(
    origin: Origin, action: str, left: list[tuple[str, str]]
) -> None:
    document = {
        "Statement": [
            {"Effect": "Allow", "Action": ["a:X", "a:Y"], "Resource": ["r1", "r2"]},
            {"Effect": "Allow", "Action": "a:X", "Resource": "r1"},
        ]
    }
    taken = "r2" if origin.resource else "r1"
    found = [(each[1], each[3]) for each in statements(without(document, origin, action), "P")]
    assert sorted(found) == sorted([*left, (NOTHING, taken)])


def test_a_template_loses_it_where_it_comes_from() -> None:
    document = {"Statement": [{"Effect": "Allow", "Action": "a:X", "Resource": {"Ref": "Q"}}]}
    policy: dict[str, Any] = {"Properties": {"PolicyDocument": document}}
    role = {"Properties": {"Policies": [{"PolicyName": "P", "PolicyDocument": document}]}}
    template = {"Resources": {"Policy": policy, "Role": role}}
    of_policy = less(template, grant(action="a:X", origin=Origin("Policy", "", 0, 0)))
    of_role = less(template, grant(action="a:X", origin=Origin("Role", "P", 0, 0)))
    nothing = {"Effect": "Allow", "Action": NOTHING, "Resource": {"Ref": "Q"}}
    empty: dict[str, Any] = {"Statement": [nothing]}
    assert of_policy["Resources"]["Policy"]["Properties"]["PolicyDocument"] == empty
    assert of_policy["Resources"]["Role"] == role
    assert of_role["Resources"]["Role"]["Properties"]["Policies"][0]["PolicyDocument"] == empty
    assert of_role["Resources"]["Policy"] == policy
    assert template["Resources"]["Policy"]["Properties"]["PolicyDocument"] == document


@pytest.mark.parametrize(
    ("logical", "name"), [("EventsTable4B7491D3", "EventsTable"), ("Bus", "Bus")]
)
def test_a_name_is_the_codes(logical: str, name: str) -> None:
    assert plain_name(logical) == name


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:sqs:us-east-1:000000000000:S-Events-1", "Events"),
        ("arn:aws:sqs:us-east-1:000000000000:S-Events-1-Late", "LateEvents"),
        (f"{TABLE}/index/by-count", "table/Words/index/by-count"),
        (f"{TABLE}/stream/2026-11-21T17:42:10.111", "table/Words/stream"),
        ("arn:aws:s3:::s-bucket-1/stream/2026", "Lake/stream/2026"),
        ("arn:aws:secretsmanager:us-east-1:000000000000:secret:S-Secret-1-AbCdEf", "secret:Secret"),
        ("*", "*"),
    ],
)
def test_a_resource_has_the_codes_name_in_every_deployment(arn: str, name: str) -> None:
    secret = "arn:aws:secretsmanager:us-east-1:000000000000:secret:S-Secret-1-AbCdEf"
    names = Names(
        [
            Resource(
                "Events00000000", "AWS::SQS::Queue", "http://localhost/000000000000/S-Events-1"
            ),
            Resource("EventsPolicy00000000", "AWS::SQS::QueuePolicy", "S-Events-1"),
            Resource("LateEvents00000000", "AWS::SQS::Queue", "http://localhost/0/S-Events-1-Late"),
            Resource("Words00000000", "AWS::DynamoDB::Table", "S-Table-1"),
            Resource("Lake00000000", "AWS::S3::Bucket", "s-bucket-1"),
            Resource("Secret00000000", "AWS::SecretsManager::Secret", secret),
            Resource("NeverMade00000000", "AWS::SQS::Queue", ""),
        ]
    )
    assert names.named(arn) == name


class Aws:
    """IAM and CloudFormation with one stack: a role, a managed policy, a group, a queue."""

    def __init__(self) -> None:
        statement = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": ARN}
        self.document: dict[str, Any] = {"Version": "2012-10-17", "Statement": [statement]}
        self.attached = [POLICY]
        self.template: dict[str, Any] = {
            "StorerRole00000000": {"Type": "AWS::IAM::Role", "Properties": {}},
            "StorerPolicy00000000": {
                "Type": "AWS::IAM::Policy",
                "Properties": {"PolicyName": "P", "Roles": [{"Ref": "StorerRole00000000"}]},
            },
            "Client00000000": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {}},
            "People00000000": {"Type": "AWS::IAM::Group", "Properties": {}},
        }

    def describe_stack_resources(self, **_: str) -> dict[str, Any]:
        made = [
            ("StorerRole00000000", "AWS::IAM::Role", "S-StorerRole-1"),
            ("Client00000000", "AWS::IAM::ManagedPolicy", POLICY),
            ("People00000000", "AWS::IAM::Group", "S-People-1"),
            ("EventsQueue00000000", "AWS::SQS::Queue", "http://localhost:1/000000000000/Events"),
            ("EventsQueuePolicy00000000", "AWS::SQS::QueuePolicy", "Events"),
        ]
        names = ("LogicalResourceId", "ResourceType", "PhysicalResourceId")
        return {"StackResources": [dict(zip(names, each, strict=True)) for each in made]}

    def get_template(self, **_: str) -> dict[str, Any]:
        return {"TemplateBody": {"Resources": self.template}}

    def get_paginator(self, operation: str) -> Any:
        assert operation == "get_account_authorization_details"

        def paginate(**asked: list[str]) -> Iterator[dict[str, Any]]:
            assert asked == {"Filter": ["Role", "LocalManagedPolicy"]}
            yield {"RoleDetailList": [self.role], "Policies": []}
            yield {"RoleDetailList": [], "Policies": [self.managed]}

        return SimpleNamespace(paginate=paginate)

    @property
    def role(self) -> dict[str, Any]:
        principal = {"Service": "lambda.amazonaws.com"}
        return {
            "RoleName": "S-StorerRole-1",
            "AssumeRolePolicyDocument": {"Statement": {"Principal": principal}},
            "RolePolicyList": [{"PolicyName": "P", "PolicyDocument": self.document}],
            "AttachedManagedPolicies": [{"PolicyArn": each} for each in self.attached],
        }

    @property
    def managed(self) -> dict[str, Any]:
        def version(action: str, *, is_default: bool) -> dict[str, Any]:
            statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
            return {"Document": {"Statement": [statement]}, "IsDefaultVersion": is_default}

        old = version("sqs:*", is_default=False)
        new = version("sqs:ReceiveMessage", is_default=True)
        return {"Arn": POLICY, "PolicyVersionList": [old, new]}

    def get_policy(self, **_: str) -> dict[str, Any]:
        return {"Policy": {"DefaultVersionId": "v2"}}

    def get_policy_version(self, *, PolicyArn: str, VersionId: str) -> dict[str, Any]:  # noqa: N803
        assert (":aws:policy/" in PolicyArn, VersionId) == (True, "v2")
        statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        # A document of AWS's may come as text.
        return {"PolicyVersion": {"Document": quote(json.dumps({"Statement": [statement]}))}}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    fake = Aws()
    monkeypatch.setattr(Target, "client", lambda *_, **__: fake)
    return fake


@pytest.fixture
def read(aws: Aws) -> Callable[[], list[Grant]]:
    return lambda: Reader(Target({}, Path(), None)).read(["S"])


def test_roles_and_managed_policies_are_read_with_where_they_come_from(
    read: Callable[[], list[Grant]],
) -> None:
    own, managed = read()
    assert (own.holder, own.principal, own.action) == (
        *("StorerRole", "role/S-StorerRole-1", "sqs:SendMessage"),
    )
    assert (own.name, own.services) == ("EventsQueue", frozenset({"lambda.amazonaws.com"}))
    assert own.origin == Origin("StorerPolicy00000000", "", 0, 0)
    assert (managed.holder, managed.principal, managed.action) == (
        *("Client", POLICY, "sqs:ReceiveMessage"),
    )
    assert managed.origin == Origin("Client00000000", "", 0, 0)


def test_a_policy_of_awss_counts_for_the_role_that_has_it(
    aws: Aws, read: Callable[[], list[Grant]]
) -> None:
    aws.attached.append("arn:aws:iam::aws:policy/AmazonS3FullAccess")
    [found] = [each for each in read() if each.action == "s3:*"]
    assert (found.principal, found.origin) == ("role/S-StorerRole-1", None)


def test_a_groups_own_policy_is_refused_because_nobody_would_look_at_it(
    aws: Aws, read: Callable[[], list[Grant]]
) -> None:
    aws.template["People00000000"]["Properties"] = {"Policies": [{}]}
    with pytest.raises(OdysseyError, match="S People has a policy of its own"):
        read()


def test_what_was_taken_away_is_read_from_the_stack_without_it(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a stack that is deployed without a permission of its role's, which had another ARN
    monkeypatch.setattr("odyssey_cli.cdk.stacks", lambda _: ["S"])
    stacks = Stacks(Target({}, tmp_path, None), tmp_path, ["S"])
    taken = grant(stack="S", logical_id="StorerRole00000000", resource=f"{ARN}-before")
    # WHEN its policy was made, or was not before the deployment failed
    stacks._begun.append("S")
    before = stacks.taken(taken)
    aws.document["Statement"][0]["Action"] = NOTHING
    # THEN what it would be for is read from it
    assert (before, stacks.taken(taken)) == ("", ARN)
    assert stacks.taken(grant(stack="S", logical_id="AnotherRole00000000")) == ""
    assert stacks.taken(grant(stack="NotBegun", logical_id="StorerRole00000000")) == ""

"""What is ours and left, what is kept on purpose, and what is none of our business."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from odyssey_cli import audit, belonging, inventory, leftovers
from odyssey_cli.audit import Verdict
from odyssey_cli.cloud import Cloud
from odyssey_cli.inventory import Thing
from odyssey_cli.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT = "123456789012"
STACKS = ["Network", "EventAggregator"]
OURS = {"project": "aws-odyssey"}
PROD = OURS | {"stage": "prod"}
STACK, QUEUE, TABLE = "AWS::CloudFormation::Stack", "AWS::SQS::Queue", "AWS::DynamoDB::Table"
PARAMETER, LOGS = "AWS::SSM::Parameter", "AWS::Logs::LogGroup"
SNAPSHOTS = Path(__file__).parents[1] / "template" / "__snapshots__" / "test_snapshots"


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:us-east-1:{ACCOUNT}:{resource}"


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Target]:
    """An account of moto's."""
    with mock_aws():
        yield Target(
            {"AWS_REGION": "us-east-1"},
            tmp_path,
            None,
            account=ACCOUNT,
            caller=boto3.Session("key", "secret", region_name="us-east-1"),
        )


class Account:
    """What an audit asks of an account: its resources, their tags, and what is in its stacks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.things: set[Thing] = set()
        self.tags: dict[str, dict[str, str]] = {}
        self.in_stacks: dict[str, list[tuple[str, str]]] = {}
        self.refused: list[str] = []
        monkeypatch.setattr(audit, "everything", self.everything)
        monkeypatch.setattr(belonging, "tagged", lambda *_: self.tags)
        monkeypatch.setattr(belonging, "ask_tags", lambda *_: {})
        monkeypatch.setattr(audit, "_members", self.members)
        monkeypatch.setattr(audit, "_contents", lambda *_: "empty")

    def everything(self, _: Target, unseen: list[str] | None = None) -> set[Thing]:
        if unseen is not None:
            unseen += self.refused
        return self.things

    def members(self, _: Target, stacks: list[str]) -> set[tuple[str, str]]:
        return {
            (kind, belonging.short(name))
            for stack in stacks
            for kind, name in self.in_stacks.get(stack, [])
        }


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    return Account(monkeypatch)


def audited(to: Target) -> dict[str, tuple[Verdict, str]]:
    report = audit.audit(to, STACKS)
    return {row.thing.name: (row.verdict, row.why) for row in report.rows}


@pytest.mark.parametrize(
    ("spelled", "name"),
    [
        (arn("dynamodb", "table/Events-1"), "Events-1"),
        (arn("logs", "log-group:/aws/lambda/x:*"), "/aws/lambda/x"),
        (arn("sqs", "Rejects-1"), "Rejects-1"),
        ("https://sqs.us-east-1.amazonaws.com/123456789012/Rejects-1", "Rejects-1"),
        (arn("secretsmanager", "secret:Api-1-aBcDeF"), "Api-1-aBcDeF"),
        (f"arn:aws:iam::{ACCOUNT}:policy/team/Client-1", "Client-1"),
        ("arn:aws:apigateway:us-east-1::/restapis/a1b2c3/stages/v1", "a1b2c3"),
        (arn("events", "rule/Ingest-events/Consumer-1"), "Consumer-1"),
        ("Ingest-events|Consumer-1", "Consumer-1"),
        (arn("sns", "Alarms-1:0a1b"), "Alarms-1:0a1b"),
        (arn("cloudformation", "stack/Network/0a1b"), "Network"),
        (arn("ssm", "parameter/odyssey/topic"), "odyssey/topic"),
        ("/aws/lambda/x", "/aws/lambda/x"),
    ],
)
def test_one_resource_is_one_however_its_name_is_spelled(spelled: str, name: str) -> None:
    assert belonging.short(spelled) == name


@pytest.mark.parametrize(
    ("type", "name", "stack"),
    [
        (TABLE, "EventAggregator-EventsTable4B7491D3-357D9FD22EA62", "EventAggregator"),
        ("AWS::Lambda::Function", "EventAggregator-ReaderFunction09EC41F-aB3dE5fG7hI9",
         "EventAggregator"),
        ("AWS::S3::Bucket", "network-flowsbucket1a2b3c4d-0a1b2c3d4e5f", "Network"),
        (LOGS, "/aws/lambda/Network-Closer1A2B3C4D-aB3dE5fG7hI9", "Network"),
        (LOGS, "Network-FlowsF5DB04FD-aB3dE5fG7hI9", "Network"),
        (QUEUE, "https://sqs/1/EventAggregator-RejectsQueue935-CC4C44BEFC25", "EventAggregator"),
        ("AWS::SecretsManager::Secret", arn("secretsmanager",
         "secret:Network-ApiSecret23DDCAD6-48DF2794B1AD-a1660f"), "Network"),
        (STACK, "Network", "Network"),
        # What others may well have.
        ("AWS::IAM::Role", "Network-admin", None),
        ("AWS::IAM::Role", "MyNetwork-Role1A2B3C4D-aB3dE5fG7hI9", None),
        (LOGS, "/aws/lambda/Networking-x", None),
        ("AWS::S3::Bucket", "network-logs-of-the-company", None),
        (STACK, "Network2", None),
    ],
)  # fmt: skip
def test_a_name_tells_the_stack_only_if_cloudformation_made_it(
    type: str, name: str, stack: str | None
) -> None:
    assert belonging.named_after(Thing(type, name), STACKS) == stack


def test_in_an_account_tags_and_names_tell_what_is_ours(aws: Target, account: Account) -> None:
    account.things = {
        Thing(TABLE, "tagged"),
        Thing("AWS::EC2::Volume", "vol-1", tags=OURS),
        Thing(LOGS, "/aws/lambda/Network-Closer1A2B3C4D-aB3dE5fG7hI9"),
        Thing(PARAMETER, "/odyssey/alarm-topic-arn"),
        Thing(TABLE, "of-others"),
        Thing("AWS::EC2::Volume", "vol-2", tags={"project": "another"}),
    }
    account.tags = {arn("dynamodb", "table/tagged"): OURS}

    found = audited(aws)

    assert found == {
        "tagged": (Verdict.LEFT, "tag project=aws-odyssey"),
        "vol-1": (Verdict.LEFT, "tag project=aws-odyssey"),
        "/aws/lambda/Network-Closer1A2B3C4D-aB3dE5fG7hI9": (Verdict.LEFT, "named after Network"),
        "/odyssey/alarm-topic-arn": (Verdict.LEFT, "under /odyssey/"),
    }


def test_what_stands_and_its_parts_are_not_left(aws: Target, account: Account) -> None:
    account.things = {
        Thing(STACK, "Network", tags=OURS),
        Thing("AWS::EC2::VPC", "vpc-1", tags=OURS),
        Thing("AWS::EC2::NetworkInterface", "eni-1", within="vpc-1", tags=OURS),
        Thing("AWS::EC2::KeyPair", "mine", within="key-1", tags=OURS),
        Thing(PARAMETER, "/ec2/keypair/key-1", tags=OURS),
        Thing("AWS::ApiGateway::Account", "arn:aws:iam::1:role/log"),
        Thing(QUEUE, "http://127.0.0.1:1/1/Network-Queue1A2B3C4D-aB3dE5fG7hI9"),
    }
    account.in_stacks["Network"] = [
        ("AWS::EC2::VPC", "vpc-1"),
        ("AWS::EC2::KeyPair", "mine"),
        ("AWS::ApiGateway::Account", "ApiAccount"),
        (QUEUE, "http://localhost:1/1/Network-Queue1A2B3C4D-aB3dE5fG7hI9"),
    ]

    report = audit.audit(aws, STACKS)

    assert report.rows == []
    assert report.standing == ["Network"]
    assert report.ok


def test_a_stack_that_could_not_be_deleted_is_left_and_stands_for_what_is_in_it(
    aws: Target, account: Account
) -> None:
    account.things = {
        Thing(STACK, "Network", state="DELETE_FAILED", tags=OURS),
        Thing("AWS::EC2::VPC", "vpc-1", tags=OURS),
    }
    account.in_stacks["Network"] = [("AWS::EC2::VPC", "vpc-1")]

    assert audited(aws) == {"Network": (Verdict.LEFT, "tag project=aws-odyssey; DELETE_FAILED")}


def test_only_prod_and_only_types_with_a_reason_are_kept_on_purpose(
    aws: Target, account: Account
) -> None:
    account.things = {
        Thing(TABLE, "of-prod", tags=PROD),
        Thing(TABLE, "of-dev", tags=OURS | {"stage": "dev"}),
        Thing("AWS::IAM::Role", "role-of-prod", tags=PROD),
    }

    found = {name: verdict for name, (verdict, _) in audited(aws).items()}

    assert found == {
        "of-prod": Verdict.KEPT,
        "of-dev": Verdict.LEFT,
        "role-of-prod": Verdict.LEFT,
    }


def test_a_key_that_is_going_is_no_leftover_and_costs_nothing(
    aws: Target, account: Account
) -> None:
    account.things = {Thing("AWS::KMS::Key", "1", state="goes on 2026-12-01", tags=PROD)}

    report = audit.audit(aws, STACKS)

    [row] = report.rows
    assert (row.verdict, row.reason) == (Verdict.GOING, "goes on 2026-12-01")
    assert (row.costs, row.removal) == ("nothing", "")
    assert report.ok


def test_the_bootstrap_is_named_and_not_counted(aws: Target, account: Account) -> None:
    account.things = {Thing(STACK, "CDKToolkit"), Thing("AWS::S3::Bucket", "assets", tags=OURS)}
    account.in_stacks["CDKToolkit"] = [("AWS::S3::Bucket", "assets")]

    report = audit.audit(aws, STACKS)

    assert report.rows == []
    assert report.bootstrap == ["AWS::S3::Bucket assets"]


def test_what_only_the_tagging_service_knows_is_left_but_not_what_is_gone(
    aws: Target, account: Account
) -> None:
    unknown, gone = arn("wisdom", "assistant/1"), arn("dynamodb", "table/gone")
    account.tags = {unknown: OURS, gone: OURS}

    assert list(audited(aws)) == [unknown]


def test_the_key_of_a_key_pair_that_is_gone_may_be_anybodys(aws: Target, account: Account) -> None:
    account.things = {
        Thing(PARAMETER, "/ec2/keypair/key-1"),
        Thing("AWS::EC2::KeyPair", "theirs", within="key-2"),
        Thing(PARAMETER, "/ec2/keypair/key-2"),
    }

    report = audit.audit(aws, STACKS)

    assert [(row.thing.name, row.verdict) for row in report.rows] == [
        ("/ec2/keypair/key-1", Verdict.UNSURE)
    ]
    assert report.ok


def test_an_audit_that_could_not_see_everything_does_not_pass(
    aws: Target, account: Account
) -> None:
    account.refused = ["AWS::EC2::Volume: AccessDenied"]

    report = audit.audit(aws, STACKS)

    assert report.rows == []
    assert not report.ok


def local(tmp_path: Path, started_at: float) -> Target:
    cloud = Cloud(
        port=1, endpoint="http://127.0.0.1:1", pid=1, state=tmp_path, started_at=started_at,
        clock_scale=20,
    )  # fmt: skip
    return Target({"AWS_REGION": "us-east-1"}, tmp_path, cloud)


def test_a_listing_from_before_tells_what_is_new_on_a_local_cloud(
    tmp_path: Path, account: Account
) -> None:
    to = local(tmp_path, 1.0)
    (tmp_path / "before.json").write_text(json.dumps({"cloud": 1.0, "things": [[TABLE, "old"]]}))
    account.things = {Thing(TABLE, "old"), Thing(TABLE, "anything")}

    assert audited(to) == {"anything": (Verdict.LEFT, "not there before the first deployment")}


@pytest.mark.parametrize("kept", ["{", json.dumps({"cloud": 2.0, "things": []})])
def test_a_listing_of_an_earlier_cloud_in_the_same_folder_does_not_count(
    kept: str, tmp_path: Path
) -> None:
    (tmp_path / "before.json").write_text(kept)
    assert audit.recorded(local(tmp_path, 1.0)) is None


def test_the_tagging_service_is_asked_for_our_tag(
    aws: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    dynamodb = aws.client("dynamodb")
    for name, project in [("ours", "aws-odyssey"), ("theirs", "another")]:
        dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            Tags=[{"Key": "project", "Value": project}],
        )
    # moto's asks every service of an account for its tags, some of which need more packages.
    [found] = [
        each for each in ("ours", "theirs") if belonging.ask_tags(aws, Thing(TABLE, each)) == OURS
    ]
    assert found == "ours"

    class Tagging:
        def get_paginator(self, call: str) -> Tagging:
            assert call == "get_resources"
            return self

        def paginate(self, TagFilters: list[dict[str, Any]]) -> list[dict[str, Any]]:  # noqa: N803
            assert TagFilters == [{"Key": "project", "Values": ["aws-odyssey"]}]
            tags = [{"Key": "project", "Value": "aws-odyssey"}]
            return [{"ResourceTagMappingList": [{"ResourceARN": "arn", "Tags": tags}]}]

    monkeypatch.setattr(Target, "client", lambda *_: Tagging())
    assert belonging.tagged(aws, []) == {"arn": OURS}


def test_listings_tell_tags_and_what_is_going(aws: Target) -> None:
    kms, secrets, ec2 = aws.client("kms"), aws.client("secretsmanager"), aws.client("ec2")
    going = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=going, PendingWindowInDays=7)
    staying = kms.create_key()["KeyMetadata"]["KeyId"]
    secrets.create_secret(Name="s", Tags=[{"Key": "project", "Value": "aws-odyssey"}])
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    listed = {
        kind: list(inventory._listings()[kind](aws))
        for kind in ("AWS::KMS::Key", "AWS::SecretsManager::Secret", "AWS::EC2::RouteTable")
    }

    keys = {thing.name: thing.is_going for thing in listed["AWS::KMS::Key"]}
    assert keys == {going: True, staying: False}
    assert [thing.tags for thing in listed["AWS::SecretsManager::Secret"]] == [OURS]
    assert vpc in {thing.within for thing in listed["AWS::EC2::RouteTable"]}


def test_a_listing_that_is_refused_is_told_or_raised(
    aws: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: Target) -> Iterator[Thing]:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "DescribeVolumes")

    monkeypatch.setattr(inventory, "_listings", lambda: {"AWS::EC2::Volume": refused})

    unseen: list[str] = []
    assert inventory.everything(aws, unseen) == set()
    assert "AWS::EC2::Volume" in unseen[0]
    with pytest.raises(ClientError):
        inventory.everything(aws)


def test_every_type_that_is_listed_has_a_price_and_a_command() -> None:
    types = {*inventory._listings(), "AWS::Events::Rule"}
    assert types == leftovers.known()
    for each in types:
        assert leftovers.costs(each) != "not known here"
        assert "{}" not in leftovers.removal(each, "NAME")
    assert "'a b'" in leftovers.removal(TABLE, "a b")


def test_every_type_that_prod_retains_has_a_reason_and_no_other() -> None:
    reviewed = [
        json.loads(file.read_text())
        for file in SNAPSHOTS.iterdir()
        if re.search(r"\[prod-", file.name)
    ]
    retained = {
        resource["Type"]
        for template in reviewed
        for resource in template["Resources"].values()
        if resource.get("DeletionPolicy", "Delete") != "Delete"
    }
    assert retained == set(leftovers.KEPT)
    assert all(leftovers.KEPT.values())

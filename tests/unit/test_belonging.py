"""Whose a resource is, by what it is called, and by what services say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from odyssey_cli import belonging
from odyssey_cli.inventory import Thing
from odyssey_cli.target import Target
from tests.unit.auditing import (
    ACCOUNT,
    BUCKET,
    FUNCTION,
    LOGS,
    OURS,
    QUEUE,
    ROLE,
    RULE,
    STACK,
    TABLE,
    TEMPLATES,
    arn,
    moto_account,
    reviewed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Target]:
    with moto_account(tmp_path) as to:
        yield to


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
        (FUNCTION, "EventAggregator-ReaderFunction09EC41FB-aB3dE5fG7hI9", "EventAggregator"),
        (ROLE, "EventAggregator-ReaderRole07D5A14E-aB3dE5fG7hI9", "EventAggregator"),
        (BUCKET, "network-flowsbucket1a2b3c4d-0a1b2c3d4e5f", "Network"),
        (LOGS, "/aws/lambda/Network-Closer1A2B3C4D-aB3dE5fG7hI9", "Network"),
        (LOGS, "Network-FlowsF5DB04FD-aB3dE5fG7hI9", "Network"),
        (QUEUE, "https://sqs/1/EventAggregator-RejectsQueue93545DD6-CC4C44BEFC25",
         "EventAggregator"),
        (QUEUE, "https://sqs/1/EventAggregator-LinesQueue12AB34CD-CC4C44BEFC25.fifo",
         "EventAggregator"),
        ("AWS::SecretsManager::Secret", arn("secretsmanager",
         "secret:Network-ApiSecret23DDCAD6-48DF2794B1AD-a1660f"), "Network"),
        ("AWS::SecretsManager::Secret", arn("secretsmanager",
         "secret:ApiSecret23DDCAD6-48DF2794B1AD-a1660f"), "Network"),
        ("AWS::SecretsManager::Secret", arn("secretsmanager",
         "secret:MyApiSecret23DDCAD6-48DF2794B1AD-a1660f"), ""),
        ("AWS::ApiGateway::Account",
         f"arn:aws:iam::{ACCOUNT}:role/Network-LogRole4C0B2D1D-aB3dE5fG7hI9", "Network"),
        # Of another stack, of another type, cut short, and what no template knows.
        (ROLE, "Network-ReaderRole07D5A14E-aB3dE5fG7hI9", ""),
        (ROLE, "EventAggregator-ReaderFunction09EC41FB-aB3dE5fG7hI9", ""),
        (ROLE, "EventAggregator-ReaderRole-aB3dE5fG7hI9", ""),
        (ROLE, "EventAggregator-ReaderRole07D5A14E", ""),
        (ROLE, "MyNetwork-LogRole4C0B2D1D-aB3dE5fG7hI9", ""),
        (LOGS, "/aws/lambda/Network-LogRole4C0B2D1D-aB3dE5fG7hI9", ""),
        (LOGS, "/aws/lambda/Network-FlowsF5DB04FD-aB3dE5fG7hI9", ""),
        (LOGS, "/aws/kinesisfirehose/Network-Closer1A2B3C4D-aB3dE5fG7hI9", ""),
        (BUCKET, "network-logs-of0the0company", ""),
        (STACK, "Network", ""),
    ],
)  # fmt: skip
def test_a_name_tells_the_stack_only_if_it_carries_a_logical_id_of_that_type(
    type: str, name: str, stack: str
) -> None:
    assert belonging.made_by(Thing(type, name), TEMPLATES) == stack


def test_what_could_not_be_made_and_what_a_deletion_left_out_is_in_no_stack(
    aws: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a stack whose VPC was refused, and whose table was to stay
    rows = [
        ("AWS::EC2::VPC", "", "CREATE_FAILED"),
        (TABLE, "kept", "DELETE_SKIPPED"),
        (QUEUE, "gone", "DELETE_COMPLETE"),
        (ROLE, "there", "CREATE_COMPLETE"),
    ]

    class CloudFormation:
        def get_paginator(self, _: str) -> CloudFormation:
            return self

        def paginate(self, **_: str) -> list[dict[str, list[dict[str, str]]]]:
            named = [
                {"ResourceType": kind, "ResourceStatus": status}
                | ({"PhysicalResourceId": name} if name else {})
                for kind, name, status in rows
            ]
            return [{"StackResourceSummaries": named}]

    monkeypatch.setattr(Target, "client", lambda *_: CloudFormation())
    # WHEN
    found = belonging.members(aws, ["Network"])
    # THEN
    assert found == {(ROLE, "there")}
    held = belonging.Held(found | {("AWS::EC2::VPC", "")}, set(), [])
    assert Thing(BUCKET, "left") not in held


# AWS's limits for generated names, in characters: "CreateFunction", "CreateRole", "PutRule",
# "CreateArchive", "CreateDeliveryStream", "CreateQueue" and "Bucket naming rules", from memory.


LONGEST = {
    FUNCTION: 64,
    ROLE: 64,
    RULE: 64,
    "AWS::Events::Archive": 48,
    "AWS::KinesisFirehose::DeliveryStream": 64,
    QUEUE: 80 - len(".fifo"),
    BUCKET: 63,
}


def test_no_name_of_ours_is_cut_short() -> None:
    random = len("-1ABCDEFGHIJKL")
    of_these = {
        f"{name}-{logical_id}": LONGEST[resource["Type"]]
        for name, template in reviewed("dev") + reviewed("prod")
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] in LONGEST
    }
    assert len(of_these) > 50
    assert [each for each, most in of_these.items() if len(each) + random > most] == []


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

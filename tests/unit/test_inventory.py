"""What listings tell of resources, and what they cost and what removes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from odyssey_cli import inventory, leftovers, removals
from odyssey_cli.target import Target
from tests.unit.auditing import (
    OURS,
    RULE,
    moto_account,
    reviewed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from odyssey_cli.inventory import Thing


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Target]:
    with moto_account(tmp_path) as to:
        yield to


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


LISTED = ["AWS::EC2::EIP", "AWS::IAM::ManagedPolicy", "AWS::Events::EventBus"]
NOTHING = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"},
}


def test_listings_tell_what_a_removal_asks_for(aws: Target) -> None:
    # GIVEN an address, a policy and a rule on a bus
    ec2, events = aws.client("ec2"), aws.client("events")
    address = ec2.allocate_address(Domain="vpc")
    policy = aws.client("iam").create_policy(
        PolicyName="p", Path="/of/team/", PolicyDocument=json.dumps(NOTHING)
    )["Policy"]
    events.create_event_bus(Name="bus")
    events.put_rule(Name="rule", EventBusName="bus", EventPattern="{}")

    # WHEN they are listed
    found = {thing.name: thing for each in LISTED for thing in inventory._listings()[each](aws)}

    # THEN what is not their name comes with it
    assert found[address["PublicIp"]].id == address["AllocationId"]
    assert found["p"].id == policy["Arn"]
    assert (found["bus|rule"].id, found["bus|rule"].within) == ("rule", "bus")


def test_what_a_vpc_comes_with_is_a_part_of_it(aws: Target) -> None:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    listed = [
        thing
        for kind in ("RouteTable", "SecurityGroup", "NetworkAcl")
        for thing in inventory._listings()[f"AWS::EC2::{kind}"](aws)
        if thing.within == vpc
    ]

    assert {thing.name for thing in listed if not thing.is_part} == {table, group, acl}
    assert len([thing for thing in listed if thing.is_part]) == 3


def test_a_subscription_that_nobody_has_confirmed_is_not_listed(
    aws: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sns:
        def get_paginator(self, _: str) -> Sns:
            return self

        def paginate(self) -> list[dict[str, list[dict[str, str]]]]:
            arns = ["PendingConfirmation", "arn:aws:sns:us-east-1:1:t:0a1b"]
            return [{"Subscriptions": [{"SubscriptionArn": each} for each in arns]}]

    monkeypatch.setattr(Target, "client", lambda *_: Sns())
    [listed] = inventory._listings()["AWS::SNS::Subscription"](aws)
    assert listed.name == "arn:aws:sns:us-east-1:1:t:0a1b"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("UPDATE_COMPLETE", ""),
        ("UPDATE_IN_PROGRESS", ""),
        ("UPDATE_FAILED", ""),
        ("UPDATE_ROLLBACK_FAILED", ""),
        ("IMPORT_ROLLBACK_FAILED", ""),
        ("CREATE_FAILED", "CREATE_FAILED"),
        ("ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE"),
        ("ROLLBACK_FAILED", "ROLLBACK_FAILED"),
        ("DELETE_FAILED", "DELETE_FAILED"),
        ("REVIEW_IN_PROGRESS", "REVIEW_IN_PROGRESS"),
    ],
)
def test_only_a_stack_that_was_never_whole_or_is_not_any_more_may_be_left(
    aws: Target, monkeypatch: pytest.MonkeyPatch, status: str, state: str
) -> None:
    class CloudFormation:
        def get_paginator(self, _: str) -> CloudFormation:
            return self

        def paginate(self) -> list[dict[str, list[dict[str, str]]]]:
            return [{"Stacks": [{"StackName": "Ingest", "StackStatus": status}]}]

    monkeypatch.setattr(Target, "client", lambda *_: CloudFormation())
    [listed] = inventory._listings()["AWS::CloudFormation::Stack"](aws)
    assert listed.state == state


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
    types = {*inventory._listings(), RULE}
    assert types == removals.known()
    for each in types:
        assert leftovers.costs(each) != "not known here"


def test_every_type_that_prod_retains_has_a_reason_and_no_other() -> None:
    retained = {
        resource["Type"]
        for _, template in reviewed("prod")
        for resource in template["Resources"].values()
        if resource.get("DeletionPolicy", "Delete") != "Delete"
    }
    assert retained == set(leftovers.KEPT)
    assert all(leftovers.KEPT.values())

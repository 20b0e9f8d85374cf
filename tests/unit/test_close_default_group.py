"""The default security group is closed once and again, and CloudFormation always gets an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from custom_resources import close_default_group
from custom_resources.close_default_group import close
from proofs.fakes.dynamodb import refusal
from shared import clients
from tests.builders import FakeContext
from tests.unit.answering import asked, identity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_ec2 import EC2Client
    from types_boto3_ec2.type_defs import IpPermissionTypeDef

    from tests.unit.answering import CloudFormation

GROUP = "sg-0123456789abcdef0"
INGRESS, EGRESS = "revoke_security_group_ingress", "revoke_security_group_egress"
# "Default security groups for your VPCs", Amazon VPC User Guide, 2026-11-21.
FROM_ITSELF = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": GROUP}]}
TO_ANYWHERE = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


class FakeEc2:
    """Takes revocations, or refuses them with what `refused` has for a call."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.refused: dict[str, Exception] = {}

    def revoke_security_group_ingress(self, **arguments: Any) -> None:
        self._take(INGRESS, arguments)

    def revoke_security_group_egress(self, **arguments: Any) -> None:
        self._take(EGRESS, arguments)

    def _take(self, name: str, arguments: dict[str, Any]) -> None:
        self.calls.append((name, arguments))
        if name in self.refused:
            raise self.refused[name]


@pytest.fixture
def ec2(monkeypatch: pytest.MonkeyPatch) -> FakeEc2:
    made = FakeEc2()
    monkeypatch.setattr(clients, "ec2", lambda: made)
    return made


def request(request_type: str, group: str = GROUP) -> dict[str, Any]:
    return asked(request_type, "Custom::ClosedDefaultGroup", "Closed", GroupId=group)


def handle(request_type: str, group: str = GROUP) -> None:
    context: Any = FakeContext()
    close_default_group.handler(request(request_type, group), context)


@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_the_two_rules_that_a_default_group_begins_with_are_revoked_and_no_other(
    ec2: FakeEc2, formation: CloudFormation, request_type: str
) -> None:
    handle(request_type)
    assert ec2.calls == [
        (INGRESS, {"GroupId": GROUP, "IpPermissions": [FROM_ITSELF]}),
        (EGRESS, {"GroupId": GROUP, "IpPermissions": [TO_ANYWHERE]}),
    ]
    assert formation.told == ["SUCCESS"]


def test_a_deletion_changes_nothing(ec2: FakeEc2, formation: CloudFormation) -> None:
    handle("Delete")
    assert ec2.calls == []
    assert formation.told == ["SUCCESS"]


def test_the_answer_has_the_documented_fields(ec2: FakeEc2, formation: CloudFormation) -> None:
    handle("Create")
    assert formation.answers == [
        identity(request("Create"))
        | {"Status": "SUCCESS", "Reason": "", "PhysicalResourceId": GROUP}
    ]


@pytest.mark.parametrize("gone", [[INGRESS], [EGRESS], [INGRESS, EGRESS]])
def test_a_rule_that_is_gone_is_a_success_and_the_other_one_is_still_revoked(
    ec2: FakeEc2, formation: CloudFormation, gone: list[str]
) -> None:
    ec2.refused = {each: refusal("InvalidPermission.NotFound", each) for each in gone}
    handle("Update")
    assert [name for name, _ in ec2.calls] == [INGRESS, EGRESS]
    assert formation.told == ["SUCCESS"]


@pytest.mark.parametrize("call", [INGRESS, EGRESS])
@pytest.mark.parametrize(
    "code",
    [
        *("UnauthorizedOperation", "RequestLimitExceeded", "InvalidGroup.NotFound"),
        *("InvalidPermission.Malformed", "InvalidPermission"),
    ],
)
def test_any_other_refusal_is_a_failure_with_the_reason(
    ec2: FakeEc2, formation: CloudFormation, call: str, code: str
) -> None:
    ec2.refused = {call: refusal(code, call)}
    handle("Create")
    [answer] = formation.answers
    assert answer["Status"] == "FAILED"
    assert answer["PhysicalResourceId"] == GROUP
    assert answer["Reason"].startswith(f"{GROUP} could not be closed: ")
    assert code in answer["Reason"]


def test_whatever_else_fails_there_is_an_answer_too(
    ec2: FakeEc2, formation: CloudFormation
) -> None:
    ec2.refused = {INGRESS: ConnectionError("no route to EC2")}
    handle("Create")
    assert formation.told == ["FAILED"]
    assert "no route to EC2" in formation.answers[0]["Reason"]


def test_a_long_error_makes_no_answer_that_is_too_long(
    ec2: FakeEc2, formation: CloudFormation
) -> None:
    # The longest that a character becomes in JSON; whoever takes the answer measures it.
    ec2.refused = {INGRESS: ValueError("😀" * 2_000)}
    handle("Create")
    assert formation.told == ["FAILED"]
    assert "😀" in formation.answers[0]["Reason"]


@pytest.mark.parametrize("status", [300, 403, 503])
def test_an_answer_that_is_not_taken_is_an_error_so_that_lambda_tries_again(
    ec2: FakeEc2, formation: CloudFormation, status: int
) -> None:
    formation.status = status
    with pytest.raises(RuntimeError, match=str(status)):
        handle("Create")


@pytest.fixture
def moto_ec2() -> Iterator[EC2Client]:
    with mock_aws():
        yield boto3.client("ec2", region_name="us-east-1")


def default_group(client: EC2Client) -> str:
    """Make a VPC; return the id of its default security group, with the rules that EC2 gives it."""
    vpc = client.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    [group] = client.describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    )["SecurityGroups"]
    # moto leaves this one out.
    own: IpPermissionTypeDef = {
        "IpProtocol": "-1",
        "UserIdGroupPairs": [{"GroupId": group["GroupId"]}],
    }
    client.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[own])
    return group["GroupId"]


def rules(client: EC2Client, group: str) -> int:
    """Return how many rules a group has."""
    [found] = client.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    return len(found["IpPermissions"]) + len(found["IpPermissionsEgress"])


def test_a_new_vpc_s_default_group_ends_up_without_rules_however_often_it_is_closed(
    moto_ec2: EC2Client,
) -> None:
    # GIVEN the groups of two VPCs
    group, other = default_group(moto_ec2), default_group(moto_ec2)
    assert rules(moto_ec2, group) == rules(moto_ec2, other) == 2
    # WHEN / THEN
    for _ in range(2):
        close(group, moto_ec2)
        assert rules(moto_ec2, group) == 0
    assert rules(moto_ec2, other) == 2


def test_a_rule_that_somebody_added_stays(moto_ec2: EC2Client) -> None:
    group = default_group(moto_ec2)
    moto_ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 443,
                "ToPort": 443,
                "IpRanges": [{"CidrIp": "10.0.0.0/16"}],
            }
        ],
    )
    close(group, moto_ec2)
    assert rules(moto_ec2, group) == 1


def test_a_group_that_is_not_there_is_a_failure_that_names_it(
    moto_ec2: EC2Client, formation: CloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "ec2", lambda: moto_ec2)
    handle("Create", "sg-99999999999999999")
    assert formation.told == ["FAILED"]
    assert "InvalidGroup.NotFound" in formation.answers[0]["Reason"]

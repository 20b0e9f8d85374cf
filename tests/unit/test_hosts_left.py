"""Hosts that outlive their stack's template are found, and no others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from odyssey_cli.hosts_left import hosts_left

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE = "ami-12c6146b"
TAGS = {"project": "aws-odyssey", "stack": "Network"}


class Account:
    """An account with a stack that has one host."""

    def __init__(self) -> None:
        self._session = boto3.Session(region_name="us-east-1")
        host = {"Type": "AWS::EC2::Instance", "Properties": {"ImageId": IMAGE}}
        tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
        self.client("cloudformation").create_stack(
            StackName="Network", TemplateBody=json.dumps({"Resources": {"Host": host}}), Tags=tags
        )

    def client(self, service: str) -> Any:
        return self._session.client(service)

    def host(self, tags: dict[str, str]) -> str:
        """Run a host of no stack; return its id."""
        given = [{"Key": key, "Value": value} for key, value in tags.items()]
        ran = self.client("ec2").run_instances(
            ImageId=IMAGE, MinCount=1, MaxCount=1,
            TagSpecifications=[{"ResourceType": "instance", "Tags": given}],
        )  # fmt: skip
        return str(ran["Instances"][0]["InstanceId"])


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield Account()


def test_only_hosts_with_the_stack_s_tags_that_it_no_longer_has_are_left(account: Any) -> None:
    # GIVEN the stack's own host, one that was left running, one that was left stopped, one that
    # is gone, and hosts of other stacks and of other people
    ec2 = account.client("ec2")
    running, stopped, gone = (account.host(TAGS) for _ in range(3))
    ec2.stop_instances(InstanceIds=[stopped])
    ec2.terminate_instances(InstanceIds=[gone])
    account.host(TAGS | {"stack": "Other"})
    account.host({"stack": "Network"})

    # THEN two are left
    assert hosts_left(account) == sorted([running, stopped])

"""Instances whose template changes: which ones are changed, which replaced, which refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.local.instances import X86, Hosts, Network, tags
from tests.local.templates import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli.target import Target


@pytest.fixture(scope="module")
def network(target: Target) -> Iterator[Network]:
    made = Network(target)
    yield made
    # Nothing that the tests made is in its way.
    assert made.stack.delete() is None, made.stack.reasons()


@pytest.fixture
def stack(target: Target) -> Stack:
    return Stack(target)


@pytest.fixture
def hosts(target: Target, network: Network) -> Hosts:
    return Hosts(target, network)


def test_a_protected_instance_stays_until_it_is_not_protected_any_more(
    stack: Stack, hosts: Hosts
) -> None:
    # GIVEN a protected host
    stack.create(Host=hosts.host(DisableApiTermination=True))
    host_id = stack.physical_id("Host")
    assert hosts.protected(host_id)

    # THEN neither its stack nor a client can end it
    assert stack.delete() == "DELETE_FAILED"
    assert "OperationNotPermitted" in stack.reasons()
    with pytest.raises(ClientError, match="OperationNotPermitted"):
        hosts.ec2.terminate_instances(InstanceIds=[host_id])
    assert hosts.one(host_id)["State"]["Name"] == "running"

    # WHEN the protection is taken off
    hosts.ec2.modify_instance_attribute(InstanceId=host_id, DisableApiTermination={"Value": False})

    # THEN the stack can
    assert stack.delete() is None
    assert hosts.one(host_id)["State"]["Name"] == "terminated"


def test_what_can_change_on_an_instance_changes_without_another_one(
    stack: Stack, hosts: Hosts, network: Network
) -> None:
    # GIVEN a host with a public address
    root: dict[str, Any] = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 9}}
    stack.create(
        Host=hosts.host(
            SubnetId=network.outer,
            BlockDeviceMappings=[root],
            Tags=[{"Key": "Name", "Value": "one"}, {"Key": "old", "Value": "yes"}],
        )
    )
    before = hosts.one(stack.physical_id("Host"))

    # WHEN everything changes that needs no new one
    quiet: dict[str, Any] = {
        "SubnetId": network.outer,
        "SecurityGroupIds": [network.other],
        "DisableApiTermination": True,
        "IamInstanceProfile": network.profile,
        "SourceDestCheck": False,
        "Monitoring": True,
        "MetadataOptions": {"HttpPutResponseHopLimit": 1},
        "BlockDeviceMappings": [{**root, "Ebs": {**root["Ebs"], "DeleteOnTermination": False}}],
        "Tags": [{"Key": "Name", "Value": "two"}],
    }
    assert stack.update(Host=hosts.host(**quiet)) == "UPDATE_COMPLETE", stack.reasons()

    # THEN it is the same instance, which ran on
    after = hosts.one(stack.physical_id("Host"))
    for name in ("InstanceId", "LaunchTime", "PublicIpAddress", "PrivateIpAddress"):
        assert after[name] == before[name]
    assert [group["GroupId"] for group in after["SecurityGroups"]] == [network.other]
    [interface] = hosts.interfaces()
    assert [group["GroupId"] for group in interface["Groups"]] == [network.other]
    assert not interface["SourceDestCheck"]
    assert hosts.protected(after["InstanceId"])
    assert after["IamInstanceProfile"]["Arn"].endswith(network.profile)
    assert after["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    assert not after["BlockDeviceMappings"][0]["Ebs"]["DeleteOnTermination"]
    assert (tags(after)["Name"], "old" in tags(after)) == ("two", False)

    # WHEN its type changes
    quiet |= {"DisableApiTermination": False, "InstanceType": "t4g.small"}
    assert stack.update(Host=hosts.host(**quiet)) == "UPDATE_COMPLETE"

    # THEN it is the same instance, which was stopped and has another public address
    restarted = hosts.one(stack.physical_id("Host"))
    assert restarted["InstanceId"] == before["InstanceId"]
    assert restarted["InstanceType"] == "t4g.small"
    assert restarted["PrivateIpAddress"] == before["PrivateIpAddress"]
    assert restarted["PublicIpAddress"] != before["PublicIpAddress"]

    # WHEN the stack goes, THEN the volume that is to stay stays
    [volume] = hosts.volumes(before["InstanceId"])
    assert stack.delete() is None
    [left] = hosts.ec2.describe_volumes(VolumeIds=[volume["VolumeId"]])["Volumes"]
    assert left["State"] == "available"
    hosts.ec2.delete_volume(VolumeId=volume["VolumeId"])


@pytest.mark.parametrize("what", ["image", "key", "subnet", "disk"])
def test_what_cannot_change_on_an_instance_makes_another_one(
    stack: Stack, hosts: Hosts, network: Network, what: str
) -> None:
    # GIVEN a host
    stack.create(Host=hosts.host())
    before = stack.physical_id("Host")

    # WHEN what it was launched with changes
    disk = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20}}]
    changed: dict[str, dict[str, Any]] = {
        "image": {"ImageId": hosts.images[X86], "InstanceType": "t3.nano"},
        "key": {"KeyName": network.key},
        "subnet": {"SubnetId": network.outer},
        "disk": {"BlockDeviceMappings": disk},
    }
    assert stack.update(Host=hosts.host(**changed[what])) == "UPDATE_COMPLETE", stack.reasons()

    # THEN there is another one, and the old one is gone with its interface and volume
    after = stack.physical_id("Host")
    assert after != before
    assert hosts.one(before)["State"]["Name"] == "terminated"
    assert hosts.volumes(before) == []
    [interface] = hosts.interfaces()
    assert interface["Attachment"]["InstanceId"] == after
    assert stack.delete() is None


def test_an_update_that_fails_leaves_the_instance_as_it_was(stack: Stack, hosts: Hosts) -> None:
    stack.create(Host=hosts.host())
    host_id = stack.physical_id("Host")

    assert stack.update(Host=hosts.host(InstanceType="t3.nano")) == "UPDATE_ROLLBACK_COMPLETE"

    assert "does not match the architecture" in stack.reasons()
    assert stack.physical_id("Host") == host_id
    assert hosts.one(host_id)["InstanceType"] == "t4g.nano"
    assert stack.delete() is None

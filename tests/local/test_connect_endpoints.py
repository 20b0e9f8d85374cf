"""EC2 Instance Connect Endpoints that a stack makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.local.networks import (
    VPC,
    Network,
    attribute,
    group,
    probe,
    ref,
    resource,
    subnet,
    tag,
)

if TYPE_CHECKING:
    from odyssey_cli.target import Target

BASE = {"Vpc": VPC, "Subnet": subnet(), "Group": group()}


@pytest.fixture
def network(target: Target) -> Network:
    return Network(target)


def endpoint(**properties: Any) -> dict[str, Any]:
    return resource("InstanceConnectEndpoint", SubnetId=ref("Subnet"), **properties)


def described(network: Network) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = network.ec2.describe_instance_connect_endpoints(
        Filters=network.within()
    )["InstanceConnectEndpoints"]
    return found


def test_an_endpoint_has_an_interface_as_long_as_it_is(network: Network) -> None:
    # GIVEN an endpoint with a group, which hides where its callers are
    given = {"SecurityGroupIds": [ref("Group")], "PreserveClientIp": False}
    shows = {"Id": probe(attribute("Endpoint", "Id")), "Of": probe(attribute("Endpoint", "VpcId"))}
    made = network.create(**BASE, Endpoint=endpoint(**given, Tags=tag("tests")), **shows)
    assert made == "CREATE_COMPLETE"

    # THEN EC2 describes it so
    [found] = described(network)
    endpoint_id = found["InstanceConnectEndpointId"]
    assert endpoint_id == network.physical_id("Endpoint") == network.shown("Id")
    assert found["State"] == "create-complete"
    assert found["SubnetId"] == network.physical_id("Subnet")
    assert found["VpcId"] == network.physical_id("Vpc") == network.shown("Of")
    assert found["SecurityGroupIds"] == [network.physical_id("Group")]
    assert found["PreserveClientIp"] is False
    assert found["InstanceConnectEndpointArn"].endswith(f":instance-connect-endpoint/{endpoint_id}")
    assert found["DnsName"].startswith(endpoint_id)
    assert network.own_tags(endpoint_id) == {"purpose": "tests"}

    # THEN it has an interface with the group in its subnet
    [interface] = network.interfaces()
    assert found["NetworkInterfaceIds"] == [interface["NetworkInterfaceId"]]
    assert [each["GroupId"] for each in interface["Groups"]] == found["SecurityGroupIds"]
    assert interface["InterfaceType"] == "ec2_instance_connect_endpoint"
    with pytest.raises(ClientError, match="DependencyViolation"):
        network.ec2.delete_security_group(GroupId=network.physical_id("Group"))

    # WHEN its tags change
    update = network.update(**BASE, Endpoint=endpoint(**given, Tags=tag("new")))
    assert update == "UPDATE_COMPLETE"

    # THEN it is the same one
    assert network.physical_id("Endpoint") == endpoint_id
    assert network.own_tags(endpoint_id) == {"purpose": "new"}

    # WHEN it goes
    assert network.update(**BASE) == "UPDATE_COMPLETE"

    # THEN so does its interface
    assert (described(network), network.interfaces()) == ([], [])
    assert network.delete() is None


def test_an_endpoint_cannot_be_replaced_as_a_vpc_has_only_one(network: Network) -> None:
    # GIVEN an endpoint without a group, which has the VPC's default one
    network.create(**BASE, Endpoint=endpoint())
    endpoint_id = network.physical_id("Endpoint")
    [own] = described(network)[0]["SecurityGroupIds"]
    [found] = network.ec2.describe_security_groups(GroupIds=[own])["SecurityGroups"]
    assert found["GroupName"] == "default"

    # WHEN it is to have another one
    given = {"SecurityGroupIds": [ref("Group")]}
    assert network.update(**BASE, Endpoint=endpoint(**given)) == "UPDATE_ROLLBACK_COMPLETE"

    # THEN it stays as it is
    assert "LimitExceeded" in network.reasons()
    assert [each["InstanceConnectEndpointId"] for each in described(network)] == [endpoint_id]
    assert network.delete() is None


def test_an_endpoint_is_made_and_deleted_by_hand(network: Network) -> None:
    # GIVEN a subnet
    network.create(**BASE)

    # WHEN somebody makes an endpoint in it
    made = network.ec2.create_instance_connect_endpoint(
        SubnetId=network.physical_id("Subnet"),
        SecurityGroupIds=[network.physical_id("Group")],
        TagSpecifications=[
            {
                "ResourceType": "instance-connect-endpoint",
                "Tags": [{"Key": "purpose", "Value": "hand"}],
            }
        ],
    )["InstanceConnectEndpoint"]
    endpoint_id = made["InstanceConnectEndpointId"]

    # THEN it is there with its interface until it is deleted
    assert described(network)[0]["Tags"] == [{"Key": "purpose", "Value": "hand"}]
    assert len(network.interfaces()) == 1
    deleted = network.ec2.delete_instance_connect_endpoint(InstanceConnectEndpointId=endpoint_id)
    assert deleted["InstanceConnectEndpoint"]["State"] == "delete-in-progress"
    assert (described(network), network.interfaces()) == ([], [])
    with pytest.raises(ClientError, match="NotFound"):
        network.ec2.describe_instance_connect_endpoints(InstanceConnectEndpointIds=[endpoint_id])
    assert network.delete() is None

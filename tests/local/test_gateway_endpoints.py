"""Gateway endpoints that a stack makes, and the routes that lead to them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.local.networks import VPC, Network, ref, resource, tag

if TYPE_CHECKING:
    from odyssey_cli.target import Target

S3 = "com.amazonaws.us-east-1.s3"
DYNAMODB = "com.amazonaws.us-east-1.dynamodb"
TABLE = resource("RouteTable", VpcId=ref("Vpc"))
BASE = {"Vpc": VPC, "One": TABLE, "Two": TABLE}
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}],
}


@pytest.fixture
def network(target: Target) -> Network:
    return Network(target)


def endpoint(*tables: str, service: str = S3, **properties: Any) -> dict[str, Any]:
    return resource(
        "VPCEndpoint",
        VpcId=ref("Vpc"),
        ServiceName=service,
        RouteTableIds=[ref(each) for each in tables],
        **properties,
    )


def prefix_list(network: Network, name: str) -> str:
    wanted = [{"Name": "prefix-list-name", "Values": [name]}]
    [found] = network.ec2.describe_prefix_lists(Filters=wanted)["PrefixLists"]
    assert found["Cidrs"]
    entries = network.ec2.get_managed_prefix_list_entries(PrefixListId=found["PrefixListId"])
    assert [each["Cidr"] for each in entries["Entries"]] == found["Cidrs"]
    return str(found["PrefixListId"])


def routes(network: Network, table: str) -> dict[str, str]:
    """Return a table's routes to endpoints: the endpoint by the prefix list."""
    ids = [network.physical_id(table)]
    [found] = network.ec2.describe_route_tables(RouteTableIds=ids)["RouteTables"]
    to_endpoints = [each for each in found["Routes"] if "DestinationPrefixListId" in each]
    assert all(
        (each["State"], each["Origin"]) == ("active", "CreateRoute") for each in to_endpoints
    )
    return {each["DestinationPrefixListId"]: each["GatewayId"] for each in to_endpoints}


def test_an_endpoint_is_a_route_in_each_table_it_names(network: Network) -> None:
    # GIVEN endpoints for S3 in two tables and for DynamoDB in one
    s3, dynamodb = (prefix_list(network, name) for name in (S3, DYNAMODB))
    storage = endpoint("One", "Two", PolicyDocument=POLICY, Tags=tag("tests"))
    items = endpoint("Two", service=DYNAMODB)
    assert network.create(**BASE, Storage=storage, Items=items) == "CREATE_COMPLETE"
    to_s3, to_dynamodb = network.physical_id("Storage"), network.physical_id("Items")

    # THEN the tables have their routes
    assert routes(network, "One") == {s3: to_s3}
    assert routes(network, "Two") == {s3: to_s3, dynamodb: to_dynamodb}

    # THEN the endpoint is what the template says
    wanted = [*network.within(), {"Name": "service-name", "Values": [S3]}]
    [found] = network.ec2.describe_vpc_endpoints(Filters=wanted)["VpcEndpoints"]
    assert (found["VpcEndpointId"], found["VpcEndpointType"]) == (to_s3, "Gateway")
    assert set(found["RouteTableIds"]) == {network.physical_id(each) for each in ("One", "Two")}
    assert json.loads(found["PolicyDocument"]) == POLICY
    assert network.own_tags(to_s3) == {"purpose": "tests"}

    # THEN a VPC with an endpoint stays
    with pytest.raises(ClientError, match="DependencyViolation"):
        network.ec2.delete_vpc(VpcId=network.physical_id("Vpc"))

    # WHEN a table is taken out of it
    fewer = endpoint("One", PolicyDocument=POLICY)
    assert network.update(**BASE, Storage=fewer, Items=items) == "UPDATE_COMPLETE"

    # THEN the route is gone from that table, and the endpoint is the same
    assert network.physical_id("Storage") == to_s3
    assert routes(network, "One") == {s3: to_s3}
    assert routes(network, "Two") == {dynamodb: to_dynamodb}

    # WHEN the endpoint goes
    assert network.update(**BASE, Items=items) == "UPDATE_COMPLETE"

    # THEN so do its routes
    assert routes(network, "One") == {}
    assert network.delete() is None


def test_the_api_changes_the_routes_too(network: Network) -> None:
    # GIVEN two tables, and an endpoint that somebody makes for one of them
    s3 = prefix_list(network, S3)
    network.create(**BASE)
    one, two = network.physical_id("One"), network.physical_id("Two")
    made = network.ec2.create_vpc_endpoint(
        VpcId=network.physical_id("Vpc"), ServiceName=S3, RouteTableIds=[one]
    )["VpcEndpoint"]["VpcEndpointId"]
    assert (routes(network, "One"), routes(network, "Two")) == ({s3: made}, {})

    # WHEN it moves to the other
    network.ec2.modify_vpc_endpoint(
        VpcEndpointId=made, AddRouteTableIds=[two], RemoveRouteTableIds=[one]
    )

    # THEN so does the route, until the endpoint is gone
    assert (routes(network, "One"), routes(network, "Two")) == ({}, {s3: made})
    network.ec2.delete_vpc_endpoints(VpcEndpointIds=[made])
    assert routes(network, "Two") == {}
    assert network.delete() is None


@pytest.mark.parametrize(
    ("resources", "reason"),
    [
        ({"First": endpoint("One"), "Second": endpoint("One")}, "RouteAlreadyExists"),
        ({"First": endpoint("One", service="com.amazonaws.s4")}, "InvalidServiceName"),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused(
    network: Network, resources: dict[str, Any], reason: str
) -> None:
    made = network.create(**BASE, **resources)

    assert (made, reason in network.reasons()) == ("CREATE_FAILED", True)
    assert network.delete() is None

"""Gateway endpoints: the routes that they put into route tables, and all they are described by.

An endpoint for S3 or DynamoDB adds a route to each route table it names, from the service's
prefix list to the endpoint, and takes it away when it is deleted or names the table no more.

- "Gateway endpoints" ("Routing"), "Gateway endpoints for Amazon S3"
  https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
- AWS::EC2::VPCEndpoint
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-vpcendpoint.html
- CreateVpcEndpoint (without a policy: full access), VpcEndpoint, ModifyVpcEndpoint
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcEndpoint.html
read 2026-11-21. Interface endpoints are described, but have no network interface here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local_cloud import ec2_answers as answers
from local_cloud import ec2_calls
from local_cloud.ec2_answers import Parameters, Refusal
from local_cloud.ec2_calls import EC2, Made, Properties, Record
from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Callable

_ENDPOINTS = Hook(EC2, "_vpc_endpoints")
_TABLES = Hook(EC2, "_route_tables")
_VPCS = Hook(EC2, "_vpcs")
_PREFIX_LIST = Hook(EC2, "_aws_pl_id_from_name", ("prefix_name",))
_CREATE = Hook(
    ec2_calls.FORMATION, "_ec2_vpc_endpoint_create", ("logical_id", "props", "stack_name")
)
_HANDLERS = Hook(ec2_calls.FORMATION, "_RESOURCE_HANDLERS")
_REPLACING = Hook(ec2_calls.FORMATION, "_REPLACING_PROPERTIES")
HOOKS = (_ENDPOINTS, _TABLES, _VPCS, _PREFIX_LIST, _CREATE, _HANDLERS, _REPLACING)

_TYPE = "AWS::EC2::VPCEndpoint"
_MISSING = ("InvalidVpcEndpointId.NotFound", "Vpc Endpoint")
_GATEWAY = "Gateway"
_SERVICES = ("s3", "dynamodb")
FULL_ACCESS = {
    "Version": "2008-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
}


def settle() -> None:
    """Bring the route tables' routes to gateway endpoints in line with the endpoints."""
    wanted: dict[str, list[Record]] = {}
    for endpoint in find(_ENDPOINTS).values():
        if endpoint["VpcEndpointType"] == _GATEWAY:
            for table in endpoint["RouteTableIds"]:
                wanted.setdefault(table, []).append(_route(endpoint))
    for table_id, table in find(_TABLES).items():
        table["Routes"] = [
            *(route for route in table["Routes"] if not _is_of_endpoint(route)),
            *wanted.get(table_id, ()),
        ]


def of_table(id: str) -> list[Record]:
    """Return the endpoints that name a route table."""
    return [each for each in find(_ENDPOINTS).values() if id in each["RouteTableIds"]]


def _route(endpoint: Record) -> Record:
    return {
        "DestinationPrefixListId": find(_PREFIX_LIST)(endpoint["ServiceName"]),
        "GatewayId": endpoint["VpcEndpointId"],
        "State": "active",
        "Origin": "CreateRoute",
    }


def _is_of_endpoint(route: Record) -> bool:
    prefix_list = "DestinationPrefixListId" in route
    return prefix_list and str(route.get("GatewayId", "")).startswith("vpce-")


def check(given: Properties, own_id: str = "") -> None:
    """Refuse an endpoint that AWS would.

    Args:
        given: A template's properties, or a request's, which have their names.
        own_id: The endpoint's table_id, if there is one already.
    """
    vpc = given.get("VpcId") or ""
    ec2_calls.known(find(_VPCS), vpc, "InvalidVpcId.NotFound", "vpc")
    if (given.get("VpcEndpointType") or _GATEWAY) != _GATEWAY:
        return
    services = [f"com.amazonaws.{ec2_calls.region()}.{each}" for each in _SERVICES]
    service = given.get("ServiceName")
    if service not in services:
        raise Refusal("InvalidServiceName", f"The Vpc Endpoint Service '{service}' does not exist")
    for table_id in given.get("RouteTableIds") or []:
        _check_table(table_id, vpc, find(_PREFIX_LIST)(service), own_id)


def _check_table(id: str, vpc_id: str, prefix_list: str, own_id: str) -> None:
    table = ec2_calls.known(find(_TABLES), id, "InvalidRouteTableId.NotFound", "routeTable")
    if table["VpcId"] != vpc_id:
        raise Refusal("InvalidParameter", f"Route table {id} does not belong to VPC {vpc_id}")
    for route in table["Routes"]:
        of_other = route.get("GatewayId") != own_id
        if route.get("DestinationPrefixListId") == prefix_list and of_other:
            raise Refusal(
                "RouteAlreadyExists",
                f"route table {id} already has a route with destination-prefix-list-id "
                f"{prefix_list}",
            )


def _create(parameters: Parameters) -> str:
    """Create as for a template: MiniStack's own call forgets the policy and the time."""
    names = ("VpcId", "ServiceName", "VpcEndpointType", "PolicyDocument", "PrivateDnsEnabled")
    given: Properties = {
        name: value for name in names if (value := answers.first(parameters, name))
    }
    for name in ("RouteTableId", "SubnetId", "SecurityGroupId"):
        given[f"{name}s"] = answers.members(parameters, name)
    check(given)
    endpoint_id, _ = find(_CREATE)("", given, "")
    ec2_calls.set_tags(endpoint_id, parameters, "vpc-endpoint")
    settle()
    return answers.xml("vpcEndpoint", _fields(find(_ENDPOINTS)[endpoint_id]))


def _check_change(parameters: Parameters) -> None:
    named = answers.first(parameters, "VpcEndpointId")
    endpoint = ec2_calls.known(find(_ENDPOINTS), named, *_MISSING)
    added = answers.members(parameters, "AddRouteTableId")
    check({**endpoint, "RouteTableIds": added}, named)


def _fields(endpoint: Record) -> Record:
    policy = endpoint.get("PolicyDocument") or FULL_ACCESS
    return {
        "vpcEndpointId": endpoint["VpcEndpointId"],
        "vpcEndpointType": endpoint["VpcEndpointType"],
        "vpcId": endpoint["VpcId"],
        "serviceName": endpoint["ServiceName"],
        "state": endpoint["State"],
        "policyDocument": policy if isinstance(policy, str) else json.dumps(policy),
        "routeTableIdSet": endpoint["RouteTableIds"],
        "subnetIdSet": endpoint["SubnetIds"],
        "groupSet": [{"groupId": each} for each in endpoint.get("SecurityGroupIds", [])],
        "privateDnsEnabled": ec2_calls.yes(endpoint.get("PrivateDnsEnabled", False)),
        "requesterManaged": False,
        "networkInterfaceIdSet": endpoint.get("NetworkInterfaceIds", []),
        "creationTimestamp": endpoint.get("CreationTimestamp"),
        "ownerId": endpoint["OwnerId"],
        "tagSet": answers.tag_set(endpoint["VpcEndpointId"]),
    }


def _values(endpoint: Record) -> dict[str, list[str]]:
    return {
        "service-name": [endpoint["ServiceName"]],
        "vpc-endpoint-id": [endpoint["VpcEndpointId"]],
        "vpc-endpoint-state": [endpoint["State"]],
        "vpc-endpoint-type": [endpoint["VpcEndpointType"]],
        "vpc-id": [endpoint["VpcId"]],
    }


def _describe(parameters: Parameters) -> str:
    chosen = ec2_calls.asked_for(find(_ENDPOINTS), parameters, "VpcEndpointId", _MISSING, _values)
    return answers.xml("vpcEndpointSet", [_fields(each) for each in chosen])


def _checked(then: Callable[..., Made], properties_at: int) -> Callable[..., Made]:
    """Put the rules and the routes around MiniStack's own create and update."""

    def made(*arguments: Any) -> Made:  # noqa: ANN401 -- MiniStack's
        own_id = arguments[0] if properties_at == 2 else ""  # noqa: PLR2004 -- an update's
        check(arguments[properties_at], own_id)
        result = then(*arguments)
        settle()
        return result

    return made


def _deleted(then: Callable[[str, Properties], None]) -> Callable[[str, Properties], None]:
    def deleted(id: str, properties: Properties) -> None:
        then(id, properties)
        settle()

    return deleted


def install() -> None:
    """Answer the calls, and complete the type."""
    answers.answer("CreateVpcEndpoint", _create)
    answers.guard("ModifyVpcEndpoint", _check_change)
    answers.answer("DescribeVpcEndpoints", _describe)
    for action in ("ModifyVpcEndpoint", "DeleteVpcEndpoints"):
        ec2_calls.afterwards(action, settle)
    handlers = find(_HANDLERS)[_TYPE]
    handlers["create"] = ec2_calls.told(_TYPE, "create", _checked(handlers["create"], 1))
    handlers["update"] = ec2_calls.told(_TYPE, "update", _checked(handlers["update"], 2))
    handlers["delete"] = _deleted(handlers["delete"])
    find(_REPLACING)[_TYPE] = ("ServiceName", "VpcEndpointType", "VpcId")

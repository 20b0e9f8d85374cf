"""Route tables: routes to things that exist, one table for each subnet, and no table in use lost.

MiniStack takes any route, forgets most destinations and targets of CreateRoute, associates a
subnet with several tables, and deletes tables that subnets have.

- AWS::EC2::Route, AWS::EC2::SubnetRouteTableAssociation, AWS::EC2::RouteTable
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-route.html
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-subnetroutetableassociation.html
- CreateRoute, AssociateRouteTable, DeleteRouteTable, Route (`blackhole`), DescribeRouteTables
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRoute.html
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Route.html
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRouteTables.html
read 2026-11-21. As on AWS, a subnet without a table of its own is in no table's associations: it
has the main one, whose only association says so. Targets that are checked are internet gateways,
NAT gateways, instances and interfaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_cloud import ec2_answers as answers
from local_cloud import ec2_calls, gateway_endpoints
from local_cloud.ec2_answers import Parameters, Refusal
from local_cloud.ec2_calls import EC2, FORMATION, Made, Properties, Record
from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Mapping

_TABLES = Hook(EC2, "_route_tables")
_SUBNETS = Hook(EC2, "_subnets")
_VPCS = Hook(EC2, "_vpcs")
_INTERNET_GATEWAYS = Hook(EC2, "_internet_gateways")
_NAT_GATEWAYS = Hook(EC2, "_nat_gateways")
_INTERFACES = Hook(EC2, "_network_interfaces")
_INSTANCES = Hook(EC2, "_instances")
_FIELDS = Hook(EC2, "_rtb_fields_xml", ("rtb", "tag"))
_ROUTE = Hook(FORMATION, "_ec2_route_record", ("props", "dest"))
_DESTINATIONS = Hook(FORMATION, "_EC2_ROUTE_DESTINATIONS")
_TARGETS = Hook(FORMATION, "_EC2_ROUTE_TARGETS")
_HANDLERS = Hook(FORMATION, "_RESOURCE_HANDLERS")
_REPLACING = Hook(FORMATION, "_REPLACING_PROPERTIES")
HOOKS = (
    _TABLES,
    _SUBNETS,
    _VPCS,
    _INTERNET_GATEWAYS,
    _NAT_GATEWAYS,
    _INTERFACES,
    _INSTANCES,
    _FIELDS,
    _ROUTE,
    _DESTINATIONS,
    _TARGETS,
    _HANDLERS,
    _REPLACING,
)

_TABLE = "AWS::EC2::RouteTable"
_ROUTE_TYPE = "AWS::EC2::Route"
_ASSOCIATION = "AWS::EC2::SubnetRouteTableAssociation"
_MISSING = ("InvalidRouteTableID.NotFound", "routeTable")


def table_of(id: str) -> Record:
    """Return a route table; raises Refusal when there is none."""
    return ec2_calls.known(find(_TABLES), id, *_MISSING)


def _destination(given: Mapping[str, Any]) -> tuple[str, str]:
    for name in find(_DESTINATIONS):
        if given.get(name):
            return name, str(given[name])
    raise Refusal("MissingParameter", "The request must contain a destination")


def _route_to(table: Record, destination: tuple[str, str]) -> Record | None:
    name, value = destination
    for route in table["Routes"]:
        if route.get(name) == value:
            found: Record = route
            return found
    return None


def put_route(given: Mapping[str, Any], *, replace: bool) -> None:
    """Add a route, given with a template's names, to its table, or change the one to its place."""
    table = table_of(given["RouteTableId"])
    destination = _destination(given)
    _check_target(given, table["VpcId"])
    there = _route_to(table, destination)
    if there and not replace:
        raise Refusal(
            "RouteAlreadyExists", f"The route identified by {destination[1]} already exists."
        )
    if replace and not there:
        raise _no_route(table, destination[1])
    if there:
        table["Routes"].remove(there)
    table["Routes"].append(find(_ROUTE)(given, destination))


def delete_route(table: Record, destination: tuple[str, str]) -> None:
    """Take a route out of its table."""
    there = _route_to(table, destination)
    if there is None:
        raise _no_route(table, destination[1])
    if there.get("GatewayId") == "local":
        raise Refusal("InvalidParameterValue", "cannot remove local route in route table")
    table["Routes"].remove(there)


def _no_route(table: Record, value: str) -> Refusal:
    return Refusal(
        "InvalidRoute.NotFound",
        f"no route with destination-cidr-block {value} in route table {table['RouteTableId']}",
    )


def _check_target(given: Mapping[str, Any], vpc_id: str) -> None:
    """Refuse a route to nothing, or to what is not of the table's network."""
    targets = [name for name in find(_TARGETS) if given.get(name)]
    if len(targets) != 1:
        raise Refusal("InvalidParameterCombination", "Exactly one target must be specified")
    if (gateway := str(given.get("GatewayId") or "")).startswith("igw-"):
        code = "InvalidInternetGatewayID.NotFound"
        record = ec2_calls.known(find(_INTERNET_GATEWAYS), gateway, code, "internetGateway")
        if vpc_id not in [each["VpcId"] for each in record["Attachments"]]:
            raise _foreign(gateway)
    for name, store, code in (
        ("NatGatewayId", _NAT_GATEWAYS, "InvalidNatGatewayID.NotFound"),
        ("InstanceId", _INSTANCES, "InvalidInstanceID.NotFound"),
        ("NetworkInterfaceId", _INTERFACES, "InvalidNetworkInterfaceID.NotFound"),
    ):
        if given.get(name) and ec2_calls.known(find(store), given[name], code, name)[
            "VpcId"
        ] not in (vpc_id, None):
            raise _foreign(given[name])


def _foreign(target: str) -> Refusal:
    return Refusal(
        "InvalidParameterValue", f"route table and network gateway {target} are of other networks"
    )


def settle() -> None:
    """Let every table say which of its routes lead nowhere, and forget subnets that are gone."""
    gateway_endpoints.settle()
    for table in find(_TABLES).values():
        table["Associations"] = [
            each
            for each in table["Associations"]
            if each.get("Main") or each.get("SubnetId") in find(_SUBNETS)
        ]
        for route in table["Routes"]:
            route["State"] = "active" if _leads(route, table["VpcId"]) else "blackhole"


def _leads(route: Record, vpc_id: str) -> bool:
    gateway = str(route.get("GatewayId") or "")
    if gateway.startswith("igw-"):
        record = find(_INTERNET_GATEWAYS).get(gateway) or {"Attachments": []}
        return vpc_id in [each["VpcId"] for each in record["Attachments"]]
    if nat := route.get("NatGatewayId"):
        return (find(_NAT_GATEWAYS).get(nat) or {}).get("State") == "available"
    if instance := route.get("InstanceId"):
        state = (find(_INSTANCES).get(instance) or {}).get("State") or {}
        return state.get("Name") == "running"
    if interface := route.get("NetworkInterfaceId"):
        return interface in find(_INTERFACES)
    return True


def associate(table_id: str, subnet_id: str) -> str:
    """Let a subnet have a table of its own; returns the association's association_id."""
    table = table_of(table_id)
    _check_subnet(table, subnet_id)
    settle()
    for other in find(_TABLES).values():
        for each in other["Associations"]:
            if each.get("SubnetId") == subnet_id:
                raise Refusal(
                    "Resource.AlreadyAssociated",
                    f"the specified association for route table {table_id} conflicts with an "
                    "existing association",
                )
    association_id = ec2_calls.new_id("rtbassoc")
    table["Associations"].append(
        {
            "RouteTableAssociationId": association_id,
            "RouteTableId": table_id,
            "SubnetId": subnet_id,
            "Main": False,
            "AssociationState": {"State": "associated"},
        }
    )
    return association_id


def _check_subnet(table: Record, subnet_id: str) -> None:
    code = "InvalidSubnetID.NotFound"
    if ec2_calls.known(find(_SUBNETS), subnet_id, code, "subnet")["VpcId"] != table["VpcId"]:
        raise Refusal(
            "InvalidParameterValue",
            f"Route table {table['RouteTableId']} and subnet {subnet_id} belong to different "
            "networks",
        )


def disassociate(id: str) -> None:
    """Give a subnet back to its VPC's main table."""
    for table in find(_TABLES).values():
        for each in table["Associations"]:
            if each["RouteTableAssociationId"] == id:
                if each.get("Main"):
                    raise Refusal(
                        "InvalidParameterValue",
                        f"cannot disassociate the main route table association {id}",
                    )
                table["Associations"].remove(each)
                return
    raise Refusal("InvalidAssociationID.NotFound", f"The association ID '{id}' does not exist")


def delete(id: str) -> None:
    """Delete a table that no subnet has."""
    settle()
    if table_of(id)["Associations"]:
        raise ec2_calls.in_use("routeTable", id)
    find(_TABLES).pop(id)
    answers.untag(id)
    for endpoint in gateway_endpoints.of_table(id):
        endpoint["RouteTableIds"].remove(id)


def _requested_route(parameters: Parameters) -> Record:
    names = ("RouteTableId", *find(_DESTINATIONS), *find(_TARGETS))
    return {name: value for name in names if (value := answers.first(parameters, name))}


def _answer_route(parameters: Parameters, *, replace: bool) -> str:
    put_route(_requested_route(parameters), replace=replace)
    return ec2_calls.DONE


def _answer_delete_route(parameters: Parameters) -> str:
    given = _requested_route(parameters)
    delete_route(table_of(given.get("RouteTableId", "")), _destination(given))
    return ec2_calls.DONE


def _answer_associate(parameters: Parameters) -> str:
    named = answers.first(parameters, "RouteTableId")
    made = associate(named, answers.first(parameters, "SubnetId"))
    state = {"state": "associated"}
    return answers.elements({"associationId": made, "associationState": state})


def _answer_disassociate(parameters: Parameters) -> str:
    disassociate(answers.first(parameters, "AssociationId"))
    return ec2_calls.DONE


def _answer_delete(parameters: Parameters) -> str:
    delete(answers.first(parameters, "RouteTableId"))
    return ec2_calls.DONE


def _values(table: Record) -> dict[str, list[str]]:
    associations, routes = table["Associations"], table["Routes"]
    main = any(each.get("Main") for each in associations)

    def of_routes(name: str) -> list[str]:
        return [route[name] for route in routes if route.get(name)]

    return {
        "association.main": [str(main).lower()],
        "association.route-table-association-id": [
            each["RouteTableAssociationId"] for each in associations
        ],
        "association.route-table-id": [table["RouteTableId"] for _ in associations],
        "association.subnet-id": [each["SubnetId"] for each in associations if not each["Main"]],
        "owner-id": [table["OwnerId"]],
        "route-table-id": [table["RouteTableId"]],
        "route.destination-cidr-block": of_routes("DestinationCidrBlock"),
        "route.destination-prefix-list-id": of_routes("DestinationPrefixListId"),
        "route.gateway-id": of_routes("GatewayId"),
        "route.nat-gateway-id": of_routes("NatGatewayId"),
        "route.state": of_routes("State"),
        "vpc-id": [table["VpcId"]],
    }


def _describe(parameters: Parameters) -> str:
    settle()
    chosen = ec2_calls.asked_for(find(_TABLES), parameters, "RouteTableId", _MISSING, _values)
    return f"<routeTableSet>{''.join(find(_FIELDS)(each) for each in chosen)}</routeTableSet>"


def _create_route(_logical_id: str, properties: Properties, _stack: str) -> Made:
    put_route(properties, replace=False)
    value = _destination(properties)[1]
    return f"{properties['RouteTableId']}|{value}", {"CidrBlock": value}


def _update_route(id: str, _old: Properties, new: Properties) -> Made:
    put_route(new, replace=True)
    return id, {"CidrBlock": _destination(new)[1]}


def _delete_route(_id: str, properties: Properties) -> None:
    table = find(_TABLES).get(properties["RouteTableId"])
    if table and _route_to(table, _destination(properties)):
        delete_route(table, _destination(properties))


def _create_association(_logical_id: str, properties: Properties, _stack: str) -> Made:
    association_id = associate(properties["RouteTableId"], properties["SubnetId"])
    return association_id, {"Id": association_id}


def _update_association(id: str, _old: Properties, new: Properties) -> Made:
    """Give the subnet another table; as on AWS the association's id changes with it."""
    _check_subnet(table_of(new["RouteTableId"]), new["SubnetId"])
    disassociate(id)
    made = associate(new["RouteTableId"], new["SubnetId"])
    return made, {"Id": made}


def _delete_association(id: str, _properties: Properties) -> None:
    for table in find(_TABLES).values():
        if any(each["RouteTableAssociationId"] == id for each in table["Associations"]):
            disassociate(id)
            return


def _delete_table(id: str, _properties: Properties) -> None:
    if id in find(_TABLES):
        delete(id)


def install() -> None:
    """Answer the calls, and register the types."""
    answers.answer("CreateRoute", lambda given: _answer_route(given, replace=False))
    answers.answer("ReplaceRoute", lambda given: _answer_route(given, replace=True))
    answers.answer("DeleteRoute", _answer_delete_route)
    answers.answer("AssociateRouteTable", _answer_associate)
    answers.answer("DisassociateRouteTable", _answer_disassociate)
    answers.answer("DeleteRouteTable", _answer_delete)
    answers.answer("DescribeRouteTables", _describe)
    find(_HANDLERS)[_TABLE]["delete"] = ec2_calls.told(_TABLE, "delete", _delete_table)
    find(_REPLACING)[_TABLE] = ("VpcId",)
    ec2_calls.provide(
        _ROUTE_TYPE,
        create=_create_route,
        update=_update_route,
        delete=_delete_route,
        replacing=("RouteTableId", *find(_DESTINATIONS)),
    )
    ec2_calls.provide(
        _ASSOCIATION,
        create=_create_association,
        update=_update_association,
        delete=_delete_association,
        replacing=("SubnetId",),
    )

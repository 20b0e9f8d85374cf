"""Draws a template's networks: boxes in boxes, the ways out of them, and who may reach what.

Subnets are boxes in their VPC's. A thin line is the way of a packet: from a host, if its security
group lets it, to its subnet's routes, and from these to a gateway; with two ends, who is behind it
can begin. A thick line is what a security group lets in. A dotted one needs no port to be open.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from odyssey_cli.templates import Resources, of, referenced

if TYPE_CHECKING:
    from collections.abc import Iterator

_ANYWHERE = "0.0.0.0/0"
_VPC, _SUBNET = "AWS::EC2::VPC", "AWS::EC2::Subnet"
_INSTANCE, _NAT = "AWS::EC2::Instance", "AWS::EC2::NatGateway"
_CONNECT = "AWS::EC2::InstanceConnectEndpoint"
_SERVICES = {"s3": "S3", "dynamodb": "DynamoDB"}
_PORTS = {22: "SSH (22)", 443: "HTTPS (443)"}
# What Session Manager's agent calls to be there for whoever IAM lets.
_SESSION = "ssmmessages:OpenControlChannel"


def draws(resources: Resources) -> bool:
    """Say whether there is a network to draw."""
    return any(each["Type"] == _VPC for each in resources.values())


def lines(resources: Resources) -> list[str]:
    """Return the lines of a Mermaid flow chart that draw the networks of a template."""
    network = _read(resources)
    drawn = ['Internet(("internet"))']
    for vpc, resource in resources.items():
        if resource["Type"] == _VPC:
            drawn += _vpc(network, vpc)
    edges = [*_ways(network), *_rules(network), *_sessions(network), *_logs(network)]
    outside = {node: shape for edge in edges for node, shape in edge.outside.items()}
    drawn += [f"{node}{shape}" for node, shape in sorted(outside.items())]
    return drawn + [f"{edge.source} {edge.arrow} {edge.target}" for edge in edges]


@dataclass(frozen=True)
class _Edge:
    """A line, and the nodes outside of the VPC that it needs, with their shapes."""

    source: str
    arrow: str
    target: str
    outside: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Network:
    """What a template says of its networks, by logical ids.

    Attributes:
        resources: all of the template.
        tables: the route table of each subnet.
        ways: of each route table, where each destination goes.
        services: of each set of route tables, the services that they reach by endpoints.
        places: what is in each subnet.
        members: who is in each security group.
    """

    resources: Resources
    tables: dict[str, str]
    ways: dict[str, dict[str, str]]
    services: dict[frozenset[str], list[str]]
    places: dict[str, list[str]]
    members: dict[str, list[str]]

    def way_out(self, subnet: str) -> str | None:
        """Return by what a subnet reaches the internet."""
        return self.ways[self.tables[subnet]].get(_ANYWHERE)

    def is_public(self, subnet: str) -> bool:
        """Say whether a subnet is reached from the internet, by a gateway of the VPC."""
        way = self.way_out(subnet)
        return way is not None and self.resources[way]["Type"] == "AWS::EC2::InternetGateway"

    def where(self, member: str) -> str:
        """Return the subnet that something is in."""
        return next(subnet for subnet, members in self.places.items() if member in members)

    def properties(self, logical_id: str) -> dict[str, Any]:
        """Return a resource's properties."""
        found: dict[str, Any] = self.resources[logical_id]["Properties"]
        return found


def _read(resources: Resources) -> _Network:
    tables = {
        referenced(each["SubnetId"])[0]: referenced(each["RouteTableId"])[0]
        for each in of(resources, "AWS::EC2::SubnetRouteTableAssociation")
    }
    ways: dict[str, dict[str, str]] = defaultdict(dict)
    for route in of(resources, "AWS::EC2::Route"):
        by = route.get("GatewayId", route.get("NatGatewayId"))
        ways[route["RouteTableId"]["Ref"]][route["DestinationCidrBlock"]] = referenced(by)[0]
    services: dict[frozenset[str], list[str]] = defaultdict(list)
    for endpoint in of(resources, "AWS::EC2::VPCEndpoint"):
        name = endpoint["ServiceName"]["Fn::Join"][1][-1].rpartition(".")[2]
        services[frozenset(referenced(endpoint["RouteTableIds"]))].append(_SERVICES.get(name, name))
    places: dict[str, list[str]] = defaultdict(list)
    members: dict[str, list[str]] = defaultdict(list)
    for logical_id, resource in resources.items():
        if resource["Type"] in (_INSTANCE, _NAT, _CONNECT):
            interface = _interface(resource)
            places[referenced(interface["SubnetId"])[0]].append(logical_id)
            groups = interface.get("GroupSet", interface.get("SecurityGroupIds", []))
            for group in referenced(groups):
                members[group].append(logical_id)
    return _Network(resources, tables, ways, services, places, members)


def _interface(resource: dict[str, Any]) -> dict[str, Any]:
    """Return where the subnet and the groups of a resource are said."""
    properties: dict[str, Any] = resource["Properties"]
    interfaces = properties.get("NetworkInterfaces", [properties])
    found: dict[str, Any] = interfaces[0]
    return found


def _vpc(network: _Network, vpc: str) -> Iterator[str]:
    yield f'subgraph {_node(vpc)}["VPC {network.properties(vpc)["CidrBlock"]}"]'
    for attachment in of(network.resources, "AWS::EC2::VPCGatewayAttachment"):
        if vpc in referenced(attachment["VpcId"]):
            [gateway] = referenced(attachment["InternetGatewayId"])
            yield f'    {_node(gateway)}{{{{"internet gateway"}}}}'
    for tables, services in network.services.items():
        yield f'    {_endpoints(network, tables)}[/"gateway endpoints<br/>{", ".join(services)}"/]'
    for logical_id, resource in network.resources.items():
        if resource["Type"] == _SUBNET and vpc in referenced(resource["Properties"]["VpcId"]):
            yield from (f"    {line}" for line in _subnet(network, logical_id))
    yield "end"


def _subnet(network: _Network, subnet: str) -> Iterator[str]:
    properties = network.properties(subnet)
    kind = "public" if network.is_public(subnet) else "private"
    zone = properties["AvailabilityZone"]
    number = zone["Fn::Select"][0] + 1 if isinstance(zone, dict) else zone
    block = properties["CidrBlock"]
    yield f'subgraph {_node(subnet)}["{kind} subnet, zone {number}<br/>{block}"]'
    way = "" if network.way_out(subnet) else "<br/>no internet"
    yield f'    {_node(network.tables[subnet])}["routes{way}"]'
    for member in network.places[subnet]:
        yield f"    {_node(member)}{_shape(network, member)}"
    yield "end"


def _shape(network: _Network, member: str) -> str:
    resource = network.resources[member]
    if resource["Type"] == _NAT:
        return '{{"NAT gateway"}}'
    if resource["Type"] == _CONNECT:
        return '[/"Instance Connect<br/>Endpoint"/]'
    said = [f"<b>{_name(resource)}</b>", resource["Properties"]["InstanceType"]]
    is_public = _interface(resource).get("AssociatePublicIpAddress")
    said.append("a public address" if is_public else "no public address")
    if not list(_let_in(network, member)):
        said.append("no port open")
    return f'["{"<br/>".join(said)}"]'


def _ways(network: _Network) -> Iterator[_Edge]:
    """Draw where packets go, from the hosts on."""
    gateways = {
        gateway
        for ways in network.ways.values()
        for gateway in ways.values()
        if network.resources[gateway]["Type"] != _NAT
    }
    for gateway in sorted(gateways):
        yield _Edge(_node(gateway), "<-->", "Internet")
    for subnet, table in network.tables.items():
        # What comes back is all that a NAT gateway lets in.
        begins = "<--" if network.is_public(subnet) else "--"
        for destination, by in network.ways[table].items():
            yield _Edge(_node(table), f'{begins} "{destination}" -->', _node(by))
        for tables, services in network.services.items():
            if table in tables:
                arrow = f'-- "{", ".join(services)}" -->'
                yield _Edge(_node(table), arrow, _endpoints(network, tables))
        for member in network.places[subnet]:
            if network.resources[member]["Type"] == _NAT:
                yield _Edge(_node(member), "-->", _node(table))
            for rule in _of_groups(network, member, "Egress"):
                if "CidrIp" in rule:
                    yield _Edge(_node(member), f'-- "{_port(rule)}" -->', _node(table))


def _rules(network: _Network) -> Iterator[_Edge]:
    """Draw what security groups let in."""
    for group, members in network.members.items():
        for member in members:
            for rule in _rules_of(network, group, "Ingress"):
                arrow = f'== "{_port(rule)}" ==>'
                if "CidrIp" in rule:
                    who = "From" + re.sub(r"\W", "_", rule["CidrIp"])
                    shape = f'(["{rule["CidrIp"]}"])'
                    yield _Edge(who, arrow, _node(member), {who: shape})
                else:
                    for source in referenced(rule["SourceSecurityGroupId"]):
                        for other in network.members[source]:
                            yield _Edge(_node(other), arrow, _node(member))
    for logical_id, resource in network.resources.items():
        if resource["Type"] == _CONNECT:
            shape = '(["EC2 Instance Connect, by IAM"])'
            yield _Edge("Connect", "-. tunnel .->", _node(logical_id), {"Connect": shape})


def _sessions(network: _Network) -> Iterator[_Edge]:
    """Draw which hosts call Session Manager, and so can be logged in to with no port open."""
    for logical_id, resource in network.resources.items():
        if (
            resource["Type"] == _INSTANCE
            and network.way_out(network.where(logical_id))
            and _SESSION in _allowed(network, logical_id)
        ):
            shape = '(["Session Manager, by IAM"])'
            yield _Edge("Session", "-. session .->", _node(logical_id), {"Session": shape})


def _logs(network: _Network) -> Iterator[_Edge]:
    for log in of(network.resources, "AWS::EC2::FlowLog"):
        [group] = referenced(log["LogGroupName"])
        traffic = log["TrafficType"].lower()
        for vpc in referenced(log["ResourceId"]):
            arrow = f'-. "flow log: {traffic} traffic" .->'
            yield _Edge(_node(vpc), arrow, _node(group), {_node(group): '[("log group")]'})


def _let_in(network: _Network, member: str) -> Iterator[dict[str, Any]]:
    return _of_groups(network, member, "Ingress")


def _of_groups(network: _Network, member: str, way: str) -> Iterator[dict[str, Any]]:
    for group, members in network.members.items():
        if member in members:
            yield from _rules_of(network, group, way)


def _rules_of(network: _Network, group: str, way: str) -> Iterator[dict[str, Any]]:
    """Yield the rules of a security group, those that are resources of their own as well."""
    yield from network.properties(group).get(f"SecurityGroup{way}", [])
    for rule in of(network.resources, f"AWS::EC2::SecurityGroup{way}"):
        if group in referenced(rule["GroupId"]):
            yield rule


def _allowed(network: _Network, instance: str) -> set[str]:
    """Return what a host's role may call."""
    profile = network.properties(instance).get("IamInstanceProfile")
    roles = {
        role
        for each in referenced(profile)
        for role in referenced(network.properties(each)["Roles"])
    }
    return {
        action
        for policy in of(network.resources, "AWS::IAM::Policy")
        if roles & set(referenced(policy["Roles"]))
        for statement in policy["PolicyDocument"]["Statement"]
        for action in statement["Action"]
    }


def _port(rule: dict[str, Any]) -> str:
    first, last = rule["FromPort"], rule["ToPort"]
    return _PORTS.get(first, str(first)) if first == last else f"{first} to {last}"


def _endpoints(network: _Network, tables: frozenset[str]) -> str:
    return "Endpoints" + "".join(network.services[tables])


def _name(resource: dict[str, Any]) -> str:
    path: str = resource["Metadata"]["aws:cdk:path"]
    return " ".join(re.findall("[A-Z][a-z]*", path.split("/")[1]))


def _node(logical_id: str) -> str:
    """Return a node's name: the logical id without the hash that the CDK appends."""
    return re.sub(r"[0-9A-F]{8}$", "", logical_id)

"""The network's diagram: boxes in boxes, the ways out of them, and who may reach which port."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from odyssey_cli.diagram import mermaid
from tests.template.networks import VARIANTS, Networks

if TYPE_CHECKING:
    from pathlib import Path

AS_IT_IS = """
flowchart LR
    Internet(("internet"))
    subgraph NetworkVpc["VPC 10.0.0.0/16"]
        NetworkVpcIGW{{"internet gateway"}}
        EndpointsS3DynamoDB[/"gateway endpoints<br/>S3, DynamoDB"/]
        subgraph NetworkVpcPublicSubnet1Subnet["public subnet, zone 1<br/>10.0.0.0/20"]
            NetworkVpcPublicSubnet1RouteTable["routes"]
            HostInstance["<b>Host</b><br/>t4g.micro<br/>a public address<br/>no port open"]
        end
        subgraph NetworkVpcPublicSubnet2Subnet["public subnet, zone 2<br/>10.0.16.0/20"]
            NetworkVpcPublicSubnet2RouteTable["routes"]
        end
        subgraph NetworkVpcPrivateSubnet1Subnet["private subnet, zone 1<br/>10.0.32.0/20"]
            NetworkVpcPrivateSubnet1RouteTable["routes<br/>no internet"]
        end
        subgraph NetworkVpcPrivateSubnet2Subnet["private subnet, zone 2<br/>10.0.48.0/20"]
            NetworkVpcPrivateSubnet2RouteTable["routes<br/>no internet"]
        end
    end
    NetworkFlows[("log group")]
    Session(["Session Manager, by IAM"])
    NetworkVpcIGW <--> Internet
    NetworkVpcPublicSubnet1RouteTable <-- "0.0.0.0/0" --> NetworkVpcIGW
    NetworkVpcPublicSubnet1RouteTable -- "S3, DynamoDB" --> EndpointsS3DynamoDB
    HostInstance -- "HTTPS (443)" --> NetworkVpcPublicSubnet1RouteTable
    NetworkVpcPublicSubnet2RouteTable <-- "0.0.0.0/0" --> NetworkVpcIGW
    NetworkVpcPublicSubnet2RouteTable -- "S3, DynamoDB" --> EndpointsS3DynamoDB
    NetworkVpcPrivateSubnet1RouteTable -- "S3, DynamoDB" --> EndpointsS3DynamoDB
    NetworkVpcPrivateSubnet2RouteTable -- "S3, DynamoDB" --> EndpointsS3DynamoDB
    Session -. session .-> HostInstance
    NetworkVpc -. "flow log: all traffic" .-> NetworkFlows
"""
PUBLIC, PRIVATE = (f"NetworkVpc{kind}Subnet1RouteTable" for kind in ("Public", "Private"))
NAT = "NetworkVpcPublicSubnet1NATGateway"
_EDGE = re.compile(r"(?P<source>\w+) (?P<arrow><?[-=].*[->]) (?P<target>\w+)")


def drawn(networks: Networks, **settings: object) -> list[str]:
    """Return the lines of a network's diagram."""
    folder = networks.folder(**settings)
    return [line.strip() for line in mermaid(folder / "Network.template.json").splitlines()]


def edges(lines: list[str]) -> set[str]:
    return {line for line in lines if _EDGE.fullmatch(line)}


def box(lines: list[str], name: str) -> list[str]:
    """Return what is in a box, of whose title `name` is a part."""
    [start] = [number for number, line in enumerate(lines) if name in line and "subgraph" in line]
    return lines[start + 1 : lines.index("end", start)]


def test_a_learner_sees_the_subnets_what_is_in_them_and_where_each_leads(
    networks: Networks,
) -> None:
    folder = networks.folder()
    assert mermaid(folder / "Network.template.json").strip() == AS_IT_IS.strip()


def test_one_zone_has_two_boxes(networks: Networks) -> None:
    lines = drawn(networks, vpc_zones="1")
    titles = [line for line in lines if line.startswith("subgraph") and "subnet" in line]
    assert len(titles) == 2
    assert "zone 2" not in "".join(lines)
    assert f'{PUBLIC} <-- "0.0.0.0/0" --> NetworkVpcIGW' in lines


@pytest.mark.parametrize("zones", [1, 2])
def test_a_nat_gateway_is_in_a_public_subnet_and_is_a_way_out_but_none_in(
    networks: Networks, zones: int
) -> None:
    lines = drawn(networks, nat_gateway="true", vpc_zones=str(zones))
    assert f'{NAT}{{{{"NAT gateway"}}}}' in box(lines, "public subnet, zone 1")
    leading = {line for line in edges(lines) if line.endswith(f" {NAT}")}
    assert leading == {
        f'NetworkVpcPrivateSubnet{number}RouteTable -- "0.0.0.0/0" --> {NAT}'
        for number in range(1, zones + 1)
    }
    assert f"{NAT} --> {PUBLIC}" in lines
    assert "no internet" not in "".join(lines)


def test_with_ssh_on_it_is_said_from_where_and_that_no_more_is_closed(networks: Networks) -> None:
    before, after = drawn(networks), drawn(networks, ssh_cidr="203.0.113.7/32")
    source = "From203_0_113_7_32"
    assert edges(after) - edges(before) == {f'{source} == "SSH (22)" ==> HostInstance'}
    assert f'{source}(["203.0.113.7/32"])' in after
    [host] = [line for line in after if line.startswith("HostInstance[")]
    assert "no port open" not in host


def test_a_private_host_is_reached_through_an_endpoint_by_iam(networks: Networks) -> None:
    lines = drawn(networks, private_host="endpoint")
    inside = box(lines, "private subnet, zone 1")
    assert 'ConnectEndpoint[/"Instance Connect<br/>Endpoint"/]' in inside
    [host] = [line for line in inside if line.startswith("PrivateHostInstance")]
    assert "<b>Private Host</b>" in host
    assert "no public address" in host
    assert edges(lines) - edges(drawn(networks)) == {
        "Connect -. tunnel .-> ConnectEndpoint",
        'ConnectEndpoint == "SSH (22)" ==> PrivateHostInstance',
        f'PrivateHostInstance -- "HTTPS (443)" --> {PRIVATE}',
    }


def test_or_through_the_public_host(networks: Networks) -> None:
    lines = drawn(networks, private_host="jump")
    assert edges(lines) - edges(drawn(networks)) == {
        'HostInstance == "SSH (22)" ==> PrivateHostInstance',
        f'PrivateHostInstance -- "HTTPS (443)" --> {PRIVATE}',
    }


def test_session_manager_reaches_a_private_host_only_where_that_has_a_way_out(
    networks: Networks,
) -> None:
    # Its agent has to call: the endpoints of S3 and DynamoDB do not lead to it.
    session = "Session -. session .-> PrivateHostInstance"
    assert session not in drawn(networks, private_host="jump")
    assert session in drawn(networks, private_host="jump", nat_gateway="true")


def test_a_host_whose_role_may_not_call_session_manager_has_no_session(
    networks: Networks, tmp_path: Path
) -> None:
    # GIVEN a template in which the role may do something else
    text = (networks.folder() / "Network.template.json").read_text(encoding="utf-8")
    template = tmp_path / "template.json"
    template.write_text(text.replace("ssmmessages:OpenControlChannel", "ssm:GetDocument"))
    # THEN
    assert "Session" not in mermaid(template)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_end_of_an_edge_is_drawn_and_every_node_has_an_edge(
    networks: Networks, variant: str
) -> None:
    lines = drawn(networks, **VARIANTS[variant])
    found = [match for line in lines if (match := _EDGE.fullmatch(line))]
    ends = {match[end] for match in found for end in ("source", "target")}
    boxes = [line.split()[1].partition("[")[0] for line in lines if line.startswith("subgraph")]
    nodes = [line for line in lines if re.match(r"\w+[(\[{]", line)]
    names = [re.split(r"\W", line)[0] for line in nodes]
    # Each once, and nothing else is drawn.
    assert len({*names, *boxes}) == len(names) + len(boxes)
    assert lines.count("end") == len(boxes)
    assert len(lines) == 1 + len(found) + len(nodes) + 2 * len(boxes)
    assert set(names) <= ends <= {*names, *boxes}


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_arrow_leads_to_a_port_but_those_that_groups_let_in(
    networks: Networks, variant: str
) -> None:
    settings = VARIANTS[variant]
    opened = {line for line in edges(drawn(networks, **settings)) if "==" in line}
    assert len(opened) == ("ssh_cidr" in settings) + ("private_host" in settings)
    assert all('"SSH (22)"' in line for line in opened)


def test_ports_are_named_when_people_know_them_and_ranges_written(
    networks: Networks, tmp_path: Path
) -> None:
    # GIVEN a template with other ports
    template = json.loads((networks.folder() / "Network.template.json").read_text(encoding="utf-8"))
    [group] = [each for each in template["Resources"] if each.startswith("HostGroup")]
    template["Resources"][group]["Properties"]["SecurityGroupIngress"] = [
        {"CidrIp": "198.51.100.0/24", "IpProtocol": "tcp", "FromPort": first, "ToPort": last}
        for first, last in ((8080, 8080), (9000, 9100))
    ]
    file = tmp_path / "template.json"
    file.write_text(json.dumps(template), encoding="utf-8")
    # WHEN
    lines = [line.strip() for line in mermaid(file).splitlines()]
    # THEN each has a line, and the source one node
    for port in ("8080", "9000 to 9100"):
        assert f'From198_51_100_0_24 == "{port}" ==> HostInstance' in lines
    assert lines.count('From198_51_100_0_24(["198.51.100.0/24"])') == 1

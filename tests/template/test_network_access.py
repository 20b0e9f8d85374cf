"""Who may reach whom in the network, by its security groups, and where clients are told so."""

from __future__ import annotations

import pytest

from tests.template.networks import ANYWHERE, ME, VARIANTS, Networks, rules
from tests.template.synth import (
    Template,
    named,
    only,
    properties,
    references,
    resources,
    target,
)

HTTPS = (ANYWHERE, 443, 443)
OUTPUTS = {
    *("Account", "VpcId", "PublicSubnets", "PrivateSubnets", "InternetGatewayId"),
    *("HostId", "HostAddress", "KeyPairId", "KeyParameter", "SshCommand"),
}
OF_A_PRIVATE_HOST = {"PrivateHostId", "PrivateHostAddress"}


def ssh(who: str) -> tuple[str, int, int]:
    return who, 22, 22


def test_nothing_may_come_in_by_default(network: Template) -> None:
    assert rules(network, "Ingress") == {"HostGroup": []}


def test_with_an_address_it_may_reach_port_22_and_nothing_else_may(networks: Networks) -> None:
    template = networks(ssh_cidr=ME)
    assert rules(template, "Ingress") == {"HostGroup": [ssh(ME)]}


@pytest.mark.parametrize("zones", ["1", "2"])
def test_hosts_may_go_out_by_https_only(networks: Networks, zones: str) -> None:
    template = networks(ssh_cidr=ME, vpc_zones=zones)
    assert rules(template, "Egress") == {"HostGroup": [HTTPS]}


def test_by_the_endpoint_one_reaches_the_private_host_s_ssh_and_nothing_else(
    networks: Networks,
) -> None:
    template = networks(private_host="endpoint")
    assert rules(template, "Ingress") == {
        "HostGroup": [],
        "PrivateHostGroup": [ssh("ConnectEndpointGroup")],
        "ConnectEndpointGroup": [],
    }
    assert rules(template, "Egress") == {
        "HostGroup": [HTTPS],
        "PrivateHostGroup": [HTTPS],
        "ConnectEndpointGroup": [ssh("PrivateHostGroup")],
    }


def test_the_endpoint_is_in_the_private_host_s_subnet_with_an_address_that_a_group_can_name(
    networks: Networks,
) -> None:
    template = networks(private_host="endpoint")
    endpoint = only(template, "AWS::EC2::InstanceConnectEndpoint")
    _, host = named(template, "AWS::EC2::Instance", "PrivateHost")
    [interface] = host["NetworkInterfaces"]
    assert endpoint["SubnetId"] == interface["SubnetId"]
    assert "PrivateSubnet1" in target(endpoint["SubnetId"])
    [group] = endpoint["SecurityGroupIds"]
    assert target(group).startswith("<ConnectEndpointGroup")
    assert endpoint["PreserveClientIp"] is False


def test_by_the_public_host_alone_one_reaches_the_private_one_that_is_jumped_to(
    networks: Networks,
) -> None:
    template = networks(private_host="jump")
    assert rules(template, "Ingress") == {
        "HostGroup": [],
        "PrivateHostGroup": [ssh("HostGroup")],
    }
    assert rules(template, "Egress") == {
        "HostGroup": [HTTPS, ssh("PrivateHostGroup")],
        "PrivateHostGroup": [HTTPS],
    }


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_endpoint_is_only_there_when_it_is_the_way(networks: Networks, variant: str) -> None:
    template = networks(**VARIANTS[variant])
    wanted = VARIANTS[variant].get("private_host") == "endpoint"
    assert len(resources(template, "AWS::EC2::InstanceConnectEndpoint")) == wanted


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_internet_reaches_at_most_port_22_of_the_public_host_from_one_address(
    networks: Networks, variant: str
) -> None:
    template = networks(**VARIANTS[variant])
    groups = set(rules(template, "Ingress"))
    from_outside = {
        name: [rule for rule in each if rule[0] not in groups]
        for name, each in rules(template, "Ingress").items()
    }
    assert from_outside.pop("HostGroup") == ([ssh(ME)] if "ssh_cidr" in VARIANTS[variant] else [])
    assert not any(from_outside.values())


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_host_has_a_group_of_its_own_and_no_other(networks: Networks, variant: str) -> None:
    template = networks(**VARIANTS[variant])
    used = [
        target(group)
        for instance in properties(template, "AWS::EC2::Instance")
        for interface in instance["NetworkInterfaces"]
        for group in interface["GroupSet"]
    ]
    used += [
        target(group)
        for endpoint in properties(template, "AWS::EC2::InstanceConnectEndpoint")
        for group in endpoint["SecurityGroupIds"]
    ]
    assert len(used) == len(set(used))
    assert set(used) == references(template, "AWS::EC2::SecurityGroup", ".GroupId")


@pytest.mark.parametrize("variant", VARIANTS)
def test_clients_find_everything_in_the_outputs(networks: Networks, variant: str) -> None:
    settings = VARIANTS[variant]
    expected = set(OUTPUTS)
    if "private_host" in settings:
        expected |= OF_A_PRIVATE_HOST
    if settings.get("private_host") == "endpoint":
        expected.add("ConnectEndpointId")
    assert set(networks(**settings)["Outputs"]) == expected


def test_outputs_say_what_they_promise(networks: Networks) -> None:
    template = networks(private_host="endpoint")
    # Ids without the hash.
    ids = {name[:-8]: f"<{name}>" for name in resources(template)}
    public, private = (
        ",".join(ids[f"NetworkVpc{kind}Subnet{number}Subnet"] for number in (1, 2))
        for kind in ("Public", "Private")
    )
    host, key = ids["HostInstance"], ids["KeyPair"]
    pair = key.replace(">", ".KeyPairId>")
    address = host.replace(">", ".PublicIp>")
    assert {name: target(each["Value"]) for name, each in template["Outputs"].items()} == {
        "Account": "<AWS::AccountId>",
        "VpcId": ids["NetworkVpc"],
        "PublicSubnets": public,
        "PrivateSubnets": private,
        "InternetGatewayId": ids["NetworkVpcIGW"],
        "HostId": host,
        "HostAddress": address,
        "KeyPairId": pair,
        "KeyParameter": f"/ec2/keypair/{pair}",
        "SshCommand": f"ssh -i .odyssey/keys/{pair}.pem ec2-user@{address}",
        "PrivateHostId": ids["PrivateHostInstance"],
        "PrivateHostAddress": ids["PrivateHostInstance"].replace(">", ".PrivateIp>"),
        "ConnectEndpointId": "<ConnectEndpoint>",
    }

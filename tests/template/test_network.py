"""The network's template: its subnets, the ways out of it, its log, and who is told the price."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.template.networks import ANYWHERE, VARIANTS, Networks
from tests.template.permissions import LOGS, TRACES, allowed
from tests.template.synth import (
    Template,
    functions,
    named,
    normalised,
    only,
    properties,
    read,
    references,
    resources,
    role_statements,
    target,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

PUBLIC = ["10.0.0.0/20", "10.0.16.0/20"]
PRIVATE = ["10.0.32.0/20", "10.0.48.0/20"]


def subnets(template: Template) -> dict[str, tuple[str, int]]:
    """Return the CIDR block and the zone of each subnet, by its name."""
    found = {}
    for logical_id, resource in resources(template, "AWS::EC2::Subnet").items():
        subnet = resource["Properties"]
        name = logical_id.removeprefix("NetworkVpc").partition("Subnet")[0]
        number = logical_id.partition("Subnet")[2][0]
        zone, zones = subnet["AvailabilityZone"]["Fn::Select"]
        assert zones == {"Fn::GetAZs": ""}
        found[f"{name} {number}"] = (subnet["CidrBlock"], zone)
    return found


def routes(template: Template) -> Iterator[tuple[str, str, str]]:
    """Yield the routes of each subnet: its kind, where to, and by what."""
    tables = {
        target(each["RouteTableId"]): target(each["SubnetId"])
        for each in properties(template, "AWS::EC2::SubnetRouteTableAssociation")
    }
    for route in properties(template, "AWS::EC2::Route"):
        subnet = tables[target(route["RouteTableId"])]
        [by] = set(route) - {"RouteTableId", "DestinationCidrBlock"}
        kind = "public" if "PublicSubnet" in subnet else "private"
        yield kind, route["DestinationCidrBlock"], target(route[by])


def test_there_is_a_public_and_a_private_subnet_in_each_of_two_zones(network: Template) -> None:
    assert only(network, "AWS::EC2::VPC")["CidrBlock"] == "10.0.0.0/16"
    assert subnets(network) == {
        "Public 1": (PUBLIC[0], 0),
        "Public 2": (PUBLIC[1], 1),
        "Private 1": (PRIVATE[0], 0),
        "Private 2": (PRIVATE[1], 1),
    }


def test_one_zone_has_one_of_each(networks: Networks) -> None:
    assert subnets(networks(vpc_zones="1")) == {
        "Public 1": (PUBLIC[0], 0),
        "Private 1": (PRIVATE[0], 0),
    }


def test_a_second_zone_changes_nothing_of_the_first(networks: Networks) -> None:
    # GIVEN what a network of one zone is made of, but for what names all subnets
    one, two = normalised(networks(vpc_zones="1")), normalised(networks())
    for name, resource in resources(one).items():
        again = two["Resources"][name]
        if resource["Type"] == "AWS::EC2::VPCEndpoint":
            assert set(map(target, resource["Properties"].pop("RouteTableIds"))) <= set(
                map(target, again["Properties"].pop("RouteTableIds"))
            )
        # THEN all of it is still there, as it was
        assert again == resource, name


def test_a_nat_gateway_moves_no_subnet_and_no_host(networks: Networks) -> None:
    without, with_one = (
        networks(private_host="jump"),
        networks(private_host="jump", nat_gateway="true"),
    )
    assert subnets(with_one) == subnets(without)
    for kind in ("AWS::EC2::Instance", "AWS::EC2::SubnetRouteTableAssociation"):
        found = resources(with_one, kind)
        assert {name: each["Properties"] for name, each in found.items()} == {
            name: each["Properties"] for name, each in resources(without, kind).items()
        }


def test_the_addresses_are_those_that_were_asked_for(networks: Networks) -> None:
    template = networks(
        vpc_cidr="192.168.0.0/20",
        public_cidrs="192.168.1.0/24,192.168.3.0/24",
        private_cidrs="192.168.2.0/24,192.168.0.0/24",
    )
    assert only(template, "AWS::EC2::VPC")["CidrBlock"] == "192.168.0.0/20"
    assert subnets(template) == {
        "Public 1": ("192.168.1.0/24", 0),
        "Public 2": ("192.168.3.0/24", 1),
        "Private 1": ("192.168.2.0/24", 0),
        "Private 2": ("192.168.0.0/24", 1),
    }


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_subnet_gives_its_hosts_a_public_address_unasked(
    networks: Networks, variant: str
) -> None:
    for subnet in properties(networks(**VARIANTS[variant]), "AWS::EC2::Subnet"):
        assert subnet["MapPublicIpOnLaunch"] is False


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_subnet_has_a_route_table_of_its_own(networks: Networks, variant: str) -> None:
    template = networks(**VARIANTS[variant])
    joined = properties(template, "AWS::EC2::SubnetRouteTableAssociation")
    assert {target(each["SubnetId"]) for each in joined} == references(template, "AWS::EC2::Subnet")
    tables = references(template, "AWS::EC2::RouteTable")
    assert {target(each["RouteTableId"]) for each in joined} == tables
    assert len(joined) == len(tables)


def test_public_subnets_reach_the_internet_by_its_gateway_and_private_ones_do_not(
    network: Template,
) -> None:
    [gateway] = references(network, "AWS::EC2::InternetGateway")
    assert list(routes(network)) == [("public", ANYWHERE, gateway)] * 2
    attachment = only(network, "AWS::EC2::VPCGatewayAttachment")
    assert target(attachment["InternetGatewayId"]) == gateway
    # A route to a gateway that is not attached yet cannot be made.
    [attached] = resources(network, "AWS::EC2::VPCGatewayAttachment")
    for route in resources(network, "AWS::EC2::Route").values():
        assert attached in route["DependsOn"]


@pytest.mark.parametrize("zones", [1, 2])
def test_a_nat_gateway_in_a_public_subnet_is_the_private_ones_way_out(
    networks: Networks, zones: int
) -> None:
    template = networks(nat_gateway="true", vpc_zones=str(zones))
    [gateway] = references(template, "AWS::EC2::InternetGateway")
    # One, because each is paid for by the hour.
    [nat] = references(template, "AWS::EC2::NatGateway")
    assert sorted(routes(template)) == sorted(
        [("public", ANYWHERE, gateway), ("private", ANYWHERE, nat)] * zones
    )
    [gateway_properties] = properties(template, "AWS::EC2::NatGateway")
    assert "PublicSubnet1" in target(gateway_properties["SubnetId"])
    [address] = references(template, "AWS::EC2::EIP", ".AllocationId")
    assert target(gateway_properties["AllocationId"]) == address
    # Without an attached internet gateway it fails; its subnet's route waits for that.
    [resource] = resources(template, "AWS::EC2::NatGateway").values()
    route, _ = named(template, "AWS::EC2::Route", "NetworkVpcPublicSubnet1DefaultRoute")
    assert route in resource["DependsOn"]


@pytest.mark.parametrize(
    "variant", [name for name in VARIANTS if "nat_gateway" not in VARIANTS[name]]
)
def test_nothing_that_costs_by_the_hour_is_there_unasked(networks: Networks, variant: str) -> None:
    template = networks(**VARIANTS[variant])
    for kind in ("AWS::EC2::NatGateway", "AWS::EC2::EIP"):
        assert not resources(template, kind)
    # Gateway endpoints are free; interface endpoints are not.
    for endpoint in properties(template, "AWS::EC2::VPCEndpoint"):
        assert endpoint["VpcEndpointType"] == "Gateway"


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_subnet_reaches_s3_and_dynamodb_without_the_internet(
    networks: Networks, variant: str
) -> None:
    template = networks(**VARIANTS[variant])
    found = {
        target(each["ServiceName"]): {target(table) for table in each["RouteTableIds"]}
        for each in properties(template, "AWS::EC2::VPCEndpoint")
    }
    tables = references(template, "AWS::EC2::RouteTable")
    assert found == {
        "com.amazonaws.<AWS::Region>.s3": tables,
        "com.amazonaws.<AWS::Region>.dynamodb": tables,
    }


def test_all_traffic_is_logged_to_a_group_that_forgets(network: Template, stage_name: str) -> None:
    log = only(network, "AWS::EC2::FlowLog")
    assert {target(log["ResourceId"])} == references(network, "AWS::EC2::VPC")
    assert (log["ResourceType"], log["TrafficType"]) == ("VPC", "ALL")
    assert log["LogDestinationType"] == "cloud-watch-logs"
    group = network["Resources"][target(log["LogGroupName"]).strip("<>")]
    assert group["Type"] == "AWS::Logs::LogGroup"
    assert group["Properties"]["RetentionInDays"] == (365 if stage_name == "prod" else 7)


def test_the_flow_log_s_role_may_write_there_only_and_is_for_this_account_s_flow_logs(
    network: Template,
) -> None:
    log = only(network, "AWS::EC2::FlowLog")
    role, found = named(network, "AWS::IAM::Role", "NetworkFlowLogRole")
    assert target(log["DeliverLogsPermissionArn"]) == f"<{role}.Arn>"
    [trust] = found["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "vpc-flow-logs.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    [statement] = role_statements(network, role)
    group = target(log["LogGroupName"]).strip("<>")
    assert target(statement["Resource"]) == f"<{group}.Arn>"
    assert set(statement["Action"]) == {*LOGS, "logs:DescribeLogStreams"}
    assert not {"Policies", "ManagedPolicyArns"} & set(found)


def default_group(template: Template) -> str:
    [vpc] = resources(template, "AWS::EC2::VPC")
    return f"<{vpc}.DefaultSecurityGroup>"


def test_the_default_group_is_closed_and_its_closer_may_do_that_to_no_other_group(
    network: Template,
) -> None:
    group = default_group(network)
    closed = only(network, "Custom::ClosedDefaultGroup")
    assert target(closed["GroupId"]) == group
    closer, _ = named(network, "AWS::Lambda::Function", "NetworkDefaultGroupCloser")
    assert target(closed["ServiceToken"]) == f"<{closer}.Arn>"
    assert allowed(network, "close_default_group") == {
        "logs": LOGS,
        "everything": TRACES,
        f"arn:<AWS::Partition>:ec2:<AWS::Region>:<AWS::AccountId>:security-group/{group}": {
            "ec2:RevokeSecurityGroupEgress",
            "ec2:RevokeSecurityGroupIngress",
        },
    }


def test_the_closer_may_close_before_it_is_asked_to_and_nobody_waits_longer_than_it_may_take(
    network: Template,
) -> None:
    [closed] = resources(network, "Custom::ClosedDefaultGroup").values()
    for policy in ("CloserRoleDefaultPolicy", "MayClose"):
        assert any(policy in each for each in closed["DependsOn"])
    timeout = functions(network)["close_default_group"]["Timeout"]
    # THEN there is a minute for its start
    assert closed["Properties"]["ServiceTimeout"] == str(timeout + 60)


@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_is_in_the_default_group(networks: Networks, variant: str) -> None:
    template = networks(**VARIANTS[variant])
    users = [
        name
        for name, resource in resources(template).items()
        if default_group(template) in json.dumps(resource)
        or "DefaultSecurityGroup" in json.dumps(resource)
    ]
    assert sorted(each[:-8] for each in users) == ["NetworkDefaultGroupClosed", "NetworkMayClose"]


def said(networks: Networks, **settings: object) -> list[str]:
    """Return what the app says to whoever deploys the network."""
    metadata = read(networks.folder(**settings) / "Network.metadata.json")
    return [
        entry["data"]
        for entries in metadata.values()
        for entry in entries
        if entry["type"] in ("aws:cdk:info", "aws:cdk:warning", "aws:cdk:error")
    ]


@pytest.mark.parametrize("zones", ["1", "2"])
def test_whoever_asks_for_a_nat_gateway_is_told_its_monthly_price_once(
    networks: Networks, zones: str
) -> None:
    [note] = said(networks, nat_gateway="true", vpc_zones=zones)
    # 730 hours of a gateway and of its address.
    assert "36.50 USD a month" in note
    assert "-c nat_gateway=true" in note


@pytest.mark.parametrize(
    "variant", [name for name in VARIANTS if "nat_gateway" not in VARIANTS[name]]
)
def test_nothing_else_is_said(networks: Networks, variant: str) -> None:
    assert said(networks, **VARIANTS[variant]) == []


def test_there_is_no_budget_without_an_address_to_tell(
    network: Template, networks: Networks
) -> None:
    for template in (network, networks(budget_usd="5")):
        assert not resources(template, "AWS::Budgets::Budget")


@pytest.mark.parametrize(
    ("settings", "amount"), [({}, 13), ({"budget_usd": "5"}, 5), ({"budget_usd": 200}, 200)]
)
def test_the_account_s_month_has_a_budget_whose_forecast_is_mailed(
    networks: Networks, settings: dict[str, Any], amount: int
) -> None:
    budget = only(networks(budget_email="me@example.com", **settings), "AWS::Budgets::Budget")
    assert budget["Budget"] == {
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": amount, "Unit": "USD"},
        # What an account's credits pay for is spent, too.
        "CostTypes": {"IncludeCredit": False, "IncludeRefund": False},
    }
    told = budget["NotificationsWithSubscribers"]
    assert [each["Notification"] for each in told] == [
        {
            "NotificationType": kind,
            "ComparisonOperator": "GREATER_THAN",
            "Threshold": 100,
            "ThresholdType": "PERCENTAGE",
        }
        for kind in ("FORECASTED", "ACTUAL")
    ]
    for each in told:
        assert each["Subscribers"] == [{"SubscriptionType": "EMAIL", "Address": "me@example.com"}]

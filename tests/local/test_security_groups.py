"""Security groups that a stack makes, with rules in them and rules that are resources."""

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

SSH = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}


@pytest.fixture
def network(target: Target) -> Network:
    return Network(target)


def ingress(**properties: Any) -> dict[str, Any]:
    return resource("SecurityGroupIngress", GroupId=ref("Group"), **SSH, **properties)


def egress(**properties: Any) -> dict[str, Any]:
    return resource("SecurityGroupEgress", GroupId=ref("Group"), **SSH, **properties)


def described(network: Network, group: str = "Group") -> dict[str, Any]:
    ids = [network.physical_id(group)]
    found: dict[str, Any]
    [found] = network.ec2.describe_security_groups(GroupIds=ids)["SecurityGroups"]
    return found


def rules(network: Network, *, out: bool = False) -> dict[str, dict[str, Any]]:
    """Return a group's rules in a direction by their ids."""
    wanted = [{"Name": "group-id", "Values": [network.physical_id("Group")]}]
    found = network.ec2.describe_security_group_rules(Filters=wanted)["SecurityGroupRules"]
    return {each["SecurityGroupRuleId"]: each for each in found if each["IsEgress"] is out}


def test_rules_of_their_own_come_and_go_one_by_one(network: Network) -> None:
    # GIVEN a group, and two resources that differ only in where from
    base = {"Vpc": VPC, "Group": group(Tags=tag("tests"))}
    one = ingress(CidrIp="192.0.2.1/32", Description="the office & more")
    two = ingress(CidrIp="192.0.2.2/32")
    shows = {
        "RuleId": probe(attribute("One", "Id")),
        "GroupId": probe(attribute("Group", "GroupId")),
    }
    assert network.create(**base, One=one, Two=two, **shows) == "CREATE_COMPLETE"
    first, second = network.physical_id("One"), network.physical_id("Two")

    # THEN there are two rules, and EC2 lists the group's port once with both
    assert (network.shown("RuleId"), network.shown("GroupId")) == (
        first,
        network.physical_id("Group"),
    )
    assert {rule_id: rule["CidrIpv4"] for rule_id, rule in rules(network).items()} == {
        first: "192.0.2.1/32",
        second: "192.0.2.2/32",
    }
    [permission] = described(network)["IpPermissions"]
    assert (permission["IpProtocol"], permission["FromPort"], permission["ToPort"]) == (
        "tcp",
        22,
        22,
    )
    ranges = {each["CidrIp"]: each.get("Description") for each in permission["IpRanges"]}
    assert ranges == {"192.0.2.1/32": "the office & more", "192.0.2.2/32": None}

    # WHEN one is described otherwise
    one = ingress(CidrIp="192.0.2.1/32", Description="home")
    assert network.update(**base, One=one, Two=two) == "UPDATE_COMPLETE"

    # THEN it is the same rule
    assert network.physical_id("One") == first
    assert rules(network)[first]["Description"] == "home"

    # WHEN it gets another source
    one = ingress(CidrIp="192.0.2.3/32")
    assert network.update(**base, One=one, Two=two) == "UPDATE_COMPLETE"

    # THEN it is another one, and the old one is gone
    replaced = network.physical_id("One")
    assert replaced != first
    assert set(rules(network)) == {replaced, second}

    # WHEN it is taken out
    assert network.update(**base, Two=two) == "UPDATE_COMPLETE"

    # THEN the other one stays
    assert set(rules(network)) == {second}
    assert network.own_tags(network.physical_id("Group")) == {"purpose": "tests"}
    assert network.delete() is None


def test_groups_and_prefix_lists_are_sources_and_destinations(network: Network) -> None:
    # GIVEN two groups that let each other in, and one that may reach S3
    s3 = "com.amazonaws.us-east-1.s3"
    wanted = [{"Name": "prefix-list-name", "Values": [s3]}]
    [found] = network.ec2.describe_managed_prefix_lists(Filters=wanted)["PrefixLists"]
    prefix_list = found["PrefixListId"]
    only = group(SecurityGroupEgress=[{"IpProtocol": "icmp", "CidrIp": "255.255.255.255/32"}])
    made = {
        "Vpc": VPC,
        "Group": only,
        "Other": group(),
        "From": ingress(SourceSecurityGroupId=ref("Other"), Description="from the other"),
        "Back": resource(
            "SecurityGroupIngress",
            GroupId=ref("Other"),
            **SSH,
            SourceSecurityGroupId=ref("Group"),
        ),
        "To": egress(DestinationSecurityGroupId=ref("Other")),
        "Storage": egress(DestinationPrefixListId=prefix_list, Description="S3"),
    }
    assert network.create(**made) == "CREATE_COMPLETE"
    other = network.physical_id("Other")

    # THEN the rules name them, each with its own description
    [inward] = rules(network).values()
    assert inward["ReferencedGroupInfo"]["GroupId"] == other
    assert inward["Description"] == "from the other"
    outward = rules(network, out=True)
    assert outward[network.physical_id("To")]["ReferencedGroupInfo"]["GroupId"] == other
    assert outward[network.physical_id("Storage")]["PrefixListId"] == prefix_list
    assert len(outward) == 3
    permissions = described(network)["IpPermissionsEgress"]
    [ssh] = [each for each in permissions if each["IpProtocol"] == "tcp"]
    assert ssh["PrefixListIds"] == [{"PrefixListId": prefix_list, "Description": "S3"}]
    assert [pair["GroupId"] for pair in ssh["UserIdGroupPairs"]] == [other]

    # THEN nobody can delete a group that the other's rules name
    with pytest.raises(ClientError, match="DependencyViolation"):
        network.ec2.delete_security_group(GroupId=other)

    # THEN all of it goes with the stack
    assert network.delete() is None


def test_a_group_that_a_rule_from_elsewhere_names_stays(network: Network) -> None:
    # GIVEN a group, and a group that is not of the stack whose rule names it
    assert network.create(Vpc=VPC, Group=group()) == "CREATE_COMPLETE"
    vpc, own = network.physical_id("Vpc"), network.physical_id("Group")
    guest = network.ec2.create_security_group(GroupName="guest", Description="-", VpcId=vpc)
    permission = {**SSH, "UserIdGroupPairs": [{"GroupId": own, "Description": "guest"}]}
    network.ec2.authorize_security_group_ingress(
        GroupId=guest["GroupId"], IpPermissions=[permission]
    )

    # THEN the stack stays until the rule, which is found without its description, is gone
    assert network.delete() == "DELETE_FAILED"
    assert "dependent object" in network.reasons()
    del permission["UserIdGroupPairs"][0]["Description"]
    network.ec2.revoke_security_group_ingress(GroupId=guest["GroupId"], IpPermissions=[permission])
    network.ec2.delete_security_group(GroupId=guest["GroupId"])
    assert network.delete() is None


def test_a_group_in_use_stays(network: Network) -> None:
    # GIVEN a group that an interface has
    network.create(Vpc=VPC, Subnet=subnet(), Group=group())
    interface = network.ec2.create_network_interface(
        SubnetId=network.physical_id("Subnet"), Groups=[network.physical_id("Group")]
    )["NetworkInterface"]["NetworkInterfaceId"]

    # THEN it cannot be deleted until the interface is gone
    with pytest.raises(ClientError, match="DependencyViolation"):
        network.ec2.delete_security_group(GroupId=network.physical_id("Group"))
    network.ec2.delete_network_interface(NetworkInterfaceId=interface)
    assert network.delete() is None


def test_rules_of_the_group_itself_change_and_others_stay(network: Network) -> None:
    # GIVEN a group with rules in it and one from elsewhere
    inside = [{**SSH, "CidrIp": "192.0.2.1/32"}, {**SSH, "CidrIp": "192.0.2.2/32"}]
    made = {"Vpc": VPC, "One": ingress(CidrIp="192.0.2.9/32")}
    assert network.create(**made, Group=group(SecurityGroupIngress=inside)) == "CREATE_COMPLETE"
    own = network.physical_id("Group")

    # THEN without rules for the way out everything may go there
    [outward] = described(network)["IpPermissionsEgress"]
    assert (outward["IpProtocol"], outward["IpRanges"]) == ("-1", [{"CidrIp": "0.0.0.0/0"}])

    # WHEN a rule goes and the way out is said
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "0.0.0.0/0"}
    changed = group(SecurityGroupIngress=inside[1:], SecurityGroupEgress=[https])
    assert network.update(**made, Group=changed) == "UPDATE_COMPLETE"

    # THEN it is the same group with exactly that
    assert network.physical_id("Group") == own
    assert {each["CidrIpv4"] for each in rules(network).values()} == {
        "192.0.2.2/32",
        "192.0.2.9/32",
    }
    [outward] = described(network)["IpPermissionsEgress"]
    assert (outward["IpProtocol"], outward["FromPort"]) == ("tcp", 443)
    assert network.delete() is None


def test_the_first_rule_for_the_way_out_takes_the_place_of_the_one_that_lets_all_out(
    network: Network,
) -> None:
    # GIVEN a group whose template says nothing of the way out
    base = {"Vpc": VPC, "Group": group()}
    network.create(**base)
    [everything] = described(network)["IpPermissionsEgress"]
    assert everything["IpProtocol"] == "-1"

    # WHEN a resource does
    rule = egress(CidrIp="192.0.2.1/32")
    assert network.update(**base, Rule=rule) == "UPDATE_COMPLETE"

    # THEN there is only that way, and without it none
    assert list(rules(network, out=True)) == [network.physical_id("Rule")]
    assert network.update(**base) == "UPDATE_COMPLETE"
    assert described(network)["IpPermissionsEgress"] == []
    assert network.delete() is None


def test_a_rule_cannot_be_there_twice(network: Network) -> None:
    made = {"One": ingress(CidrIp="192.0.2.1/32"), "Two": ingress(CidrIp="192.0.2.1/32")}

    assert network.create(Vpc=VPC, Group=group(), **made) == "CREATE_FAILED"

    assert "InvalidPermission.Duplicate" in network.reasons()
    assert network.delete() is None


def test_protocols_are_listed_by_name_and_everything_has_no_ports(network: Network) -> None:
    named = {"IpProtocol": 6, "FromPort": "80", "ToPort": 80, "CidrIp": "192.0.2.1/32"}
    every = {"IpProtocol": -1, "FromPort": 1, "ToPort": 2, "CidrIp": "192.0.2.2/32"}

    made = group(SecurityGroupIngress=[named, every])
    assert network.create(Vpc=VPC, Group=made) == "CREATE_COMPLETE"

    listed = described(network)["IpPermissions"]
    found = {(each["IpProtocol"], each.get("FromPort"), each.get("ToPort")) for each in listed}
    assert found == {("tcp", 80, 80), ("-1", None, None)}
    assert network.delete() is None


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("sg-00000000000000000", "does not exist"),
        (ref("Foreign"), "belong to different networks"),
    ],
)
def test_a_rule_for_a_group_that_is_not_of_the_vpc_is_refused(
    network: Network, source: Any, reason: str
) -> None:
    foreign = resource("SecurityGroup", VpcId=ref("Other"), GroupDescription="tests")
    made = {"Vpc": VPC, "Other": VPC, "Group": group(), "Foreign": foreign}

    assert network.create(**made, Rule=ingress(SourceSecurityGroupId=source)) == "CREATE_FAILED"

    assert "InvalidGroup.NotFound" in network.reasons()
    assert reason in network.reasons()
    assert network.delete() is None


def test_a_default_group_can_be_closed(network: Network) -> None:
    # What a custom resource of the CDK does: it knows the rules, not their ids.
    network.create(Vpc=VPC)
    [own] = network.ec2.describe_security_groups(Filters=network.within())["SecurityGroups"]
    inward = {
        "IpProtocol": "-1",
        "UserIdGroupPairs": [{"UserId": own["OwnerId"], "GroupId": own["GroupId"]}],
    }
    outward = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}

    for _ in range(2):
        network.ec2.revoke_security_group_ingress(GroupId=own["GroupId"], IpPermissions=[inward])
        network.ec2.revoke_security_group_egress(GroupId=own["GroupId"], IpPermissions=[outward])
        with pytest.raises(ClientError, match=r"InvalidPermission\.NotFound"):
            network.ec2.revoke_security_group_egress(
                GroupId=own["GroupId"], IpPermissions=[outward]
            )
        [closed] = network.ec2.describe_security_groups(GroupIds=[own["GroupId"]])["SecurityGroups"]
        assert closed["IpPermissions"] == closed["IpPermissionsEgress"] == []
        network.ec2.authorize_security_group_ingress(GroupId=own["GroupId"], IpPermissions=[inward])
        network.ec2.authorize_security_group_egress(GroupId=own["GroupId"], IpPermissions=[outward])
    assert network.delete() is None

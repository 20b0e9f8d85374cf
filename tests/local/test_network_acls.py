"""Network ACLs that a stack makes: entries, and the subnets that have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.local.networks import VPC, Network, attribute, probe, ref, resource, subnet, tag

if TYPE_CHECKING:
    from odyssey_cli.target import Target

ANYWHERE = "0.0.0.0/0"
LAST = {
    "RuleNumber": 32767,
    "Protocol": "-1",
    "RuleAction": "deny",
    "CidrBlock": ANYWHERE,
}


@pytest.fixture
def network(target: Target) -> Network:
    return Network(target)


def acl(**properties: Any) -> dict[str, Any]:
    return resource("NetworkAcl", VpcId=ref("Vpc"), **properties)


def entry(number: int, **properties: Any) -> dict[str, Any]:
    given = {"Protocol": -1, "CidrBlock": ANYWHERE, "RuleAction": "allow", **properties}
    return resource("NetworkAclEntry", NetworkAclId=ref("Acl"), RuleNumber=number, **given)


def association(acl: str) -> dict[str, Any]:
    return resource("SubnetNetworkAclAssociation", SubnetId=ref("Subnet"), NetworkAclId=ref(acl))


def entries(network: Network, acl: str = "Acl") -> dict[tuple[bool, int], dict[str, Any]]:
    """Return an ACL's entries by direction (whether out) and number."""
    [found] = network.ec2.describe_network_acls(NetworkAclIds=[network.physical_id(acl)])[
        "NetworkAcls"
    ]
    return {(each.pop("Egress"), each["RuleNumber"]): each for each in found["Entries"]}


def of_subnet(network: Network, subnet: str = "Subnet") -> str:
    """Return the id of the one ACL that a subnet has."""
    wanted = [{"Name": "association.subnet-id", "Values": [network.physical_id(subnet)]}]
    [found] = network.ec2.describe_network_acls(Filters=wanted)["NetworkAcls"]
    return str(found["NetworkAclId"])


def default(network: Network) -> str:
    wanted = [*network.within(), {"Name": "default", "Values": ["true"]}]
    [found] = network.ec2.describe_network_acls(Filters=wanted)["NetworkAcls"]
    return str(found["NetworkAclId"])


def test_a_subnet_has_its_vpcs_default_acl_until_it_is_given_another(network: Network) -> None:
    # GIVEN a VPC with two subnets and an ACL that neither has
    base = {"Vpc": VPC, "Subnet": subnet(), "Other": subnet("10.1.1.0/24"), "Acl": acl()}
    assert network.create(**base, Default=probe(attribute("Vpc", "DefaultNetworkAcl"))) == (
        "CREATE_COMPLETE"
    )

    # THEN both have the default one, which lets everything through
    assert of_subnet(network) == of_subnet(network, "Other") == default(network)
    assert network.shown("Default") == default(network)

    # WHEN one of them is associated with the ACL
    associated = association("Acl")
    assert network.update(**base, Association=associated) == "UPDATE_COMPLETE"

    # THEN only that one has it, and the association is the one that EC2 lists
    assert of_subnet(network) == network.physical_id("Acl")
    assert of_subnet(network, "Other") == default(network)
    wanted = [
        {
            "Name": "association.association-id",
            "Values": [network.physical_id("Association")],
        }
    ]
    assert len(network.ec2.describe_network_acls(Filters=wanted)["NetworkAcls"]) == 1

    # THEN nobody can delete an ACL that a subnet has
    with pytest.raises(ClientError, match="DependencyViolation"):
        network.ec2.delete_network_acl(NetworkAclId=network.physical_id("Acl"))

    # WHEN the association moves to another ACL and then goes
    more = {**base, "Second": acl()}
    assert network.update(**more, Association=association("Second")) == "UPDATE_COMPLETE"
    assert of_subnet(network) == network.physical_id("Second")
    assert network.update(**more) == "UPDATE_COMPLETE"

    # THEN the subnet has the default one again
    assert of_subnet(network) == default(network)
    assert network.delete() is None


def test_entries_are_what_the_template_says(network: Network) -> None:
    # GIVEN an ACL with entries for ports, ICMP and everything, in both directions
    base = {"Vpc": VPC, "Acl": acl(Tags=tag("tests"))}
    made = {
        "Web": entry(100, Protocol=6, PortRange={"From": 80, "To": 443}),
        "Ping": entry(110, Protocol=1, Icmp={"Type": 8, "Code": -1}, RuleAction="deny"),
        "Out": entry(100, Egress=True),
        "Six": {
            "Type": "AWS::EC2::NetworkAclEntry",
            "Properties": {
                "NetworkAclId": ref("Acl"),
                "RuleNumber": 120,
                "Protocol": 17,
                "PortRange": {"From": 53, "To": 53},
                "Ipv6CidrBlock": "::/0",
                "RuleAction": "allow",
            },
        },
    }
    shows = {"Id": probe(attribute("Acl", "Id")), "EntryId": probe(attribute("Web", "Id"))}
    assert network.create(**base, **made, **shows) == "CREATE_COMPLETE"

    # THEN EC2 describes exactly these, and the last ones that deny the rest
    assert entries(network) == {
        (False, 100): {
            "RuleNumber": 100,
            "Protocol": "6",
            "RuleAction": "allow",
            "CidrBlock": ANYWHERE,
            "PortRange": {"From": 80, "To": 443},
        },
        (False, 110): {
            "RuleNumber": 110,
            "Protocol": "1",
            "RuleAction": "deny",
            "CidrBlock": ANYWHERE,
            "IcmpTypeCode": {"Type": 8, "Code": -1},
        },
        (False, 120): {
            "RuleNumber": 120,
            "Protocol": "17",
            "RuleAction": "allow",
            "Ipv6CidrBlock": "::/0",
            "PortRange": {"From": 53, "To": 53},
        },
        (False, 32767): LAST,
        (True, 100): {
            "RuleNumber": 100,
            "Protocol": "-1",
            "RuleAction": "allow",
            "CidrBlock": ANYWHERE,
        },
        (True, 32767): LAST,
    }
    assert network.shown("Id") == network.physical_id("Acl")
    assert network.shown("EntryId") == network.physical_id("Web")
    assert network.own_tags(network.physical_id("Acl")) == {"purpose": "tests"}

    # WHEN one is changed in place, one gets another number and one goes
    before = {name: network.physical_id(name) for name in ("Web", "Ping")}
    made = {
        "Web": entry(100, Protocol=6, PortRange={"From": 443, "To": 443}),
        "Ping": entry(90, Protocol=1, Icmp={"Type": 8, "Code": -1}, RuleAction="deny"),
        "Six": made["Six"],
    }
    changed = {**base, "Acl": acl(Tags=tag("changed"))}
    assert network.update(**changed, **made) == "UPDATE_COMPLETE"

    # THEN the ACL has what is new and nothing of the old
    after = entries(network)
    assert set(after) == {(False, 90), (False, 100), (False, 120), (False, 32767), (True, 32767)}
    assert after[False, 100]["PortRange"] == {"From": 443, "To": 443}
    assert network.physical_id("Web") == before["Web"]
    assert network.physical_id("Ping") != before["Ping"]
    assert network.own_tags(network.physical_id("Acl")) == {"purpose": "changed"}

    # WHEN the stack goes
    vpc, own = network.physical_id("Vpc"), network.physical_id("Acl")
    assert network.delete() is None

    # THEN the ACL and the VPC's default one are gone
    left = network.ec2.describe_network_acls()["NetworkAcls"]
    assert not [each for each in left if vpc == each["VpcId"] or own == each["NetworkAclId"]]


def test_two_entries_cannot_have_one_place(network: Network) -> None:
    # An ACL's entry is known by its number and its direction.
    made = {"Acl": acl(), "One": entry(100), "Out": entry(100, Egress=True), "Two": entry(100)}

    assert network.create(Vpc=VPC, **made) == "CREATE_FAILED"

    assert "NetworkAclEntryAlreadyExists" in network.reasons()
    assert network.delete() is None


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"Protocol": 6}, "portRange"),
        ({"Protocol": 1}, "icmpTypeCode"),
        ({"CidrBlock": ""}, "CIDR block"),
    ],
)
def test_an_incomplete_entry_is_refused(
    network: Network, properties: dict[str, Any], reason: str
) -> None:
    made = network.create(Vpc=VPC, Acl=acl(), Entry=entry(100, **properties))

    assert (made, reason in network.reasons()) == ("CREATE_FAILED", True)
    assert network.delete() is None

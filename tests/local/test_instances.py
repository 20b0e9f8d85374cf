"""Instances that a stack makes, as the EC2 API describes them, and what goes with them."""

from __future__ import annotations

import base64
import ipaddress
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.local.instances import SUBNETS, X86, Hosts, Network, ref, resource, tags
from tests.local.templates import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli.target import Target


@pytest.fixture(scope="module")
def network(target: Target) -> Iterator[Network]:
    made = Network(target)
    yield made
    # Nothing that the tests made is in its way.
    assert made.stack.delete() is None, made.stack.reasons()


@pytest.fixture
def stack(target: Target) -> Stack:
    return Stack(target)


@pytest.fixture
def hosts(target: Target, network: Network) -> Hosts:
    return Hosts(target, network)


def test_an_instance_is_what_its_template_says_and_leaves_nothing(
    stack: Stack, hosts: Hosts, network: Network
) -> None:
    # GIVEN a host as the CDK writes one with a public address
    interface = {
        "AssociatePublicIpAddress": True,
        "DeviceIndex": "0",
        "GroupSet": [network.group],
        "SubnetId": network.inner,
    }
    user_data = base64.b64encode("#!/bin/bash\necho Åsa".encode()).decode()
    host = hosts.host(
        NetworkInterfaces=[interface],
        KeyName=network.key,
        IamInstanceProfile=network.profile,
        BlockDeviceMappings=[
            {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "VolumeSize": 12}}
        ],
        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        CreditSpecification={"CPUCredits": "standard"},
        Monitoring=True,
        UserData=user_data,
        PropagateTagsToVolumeOnCreation=True,
        Tags=[{"Key": "Name", "Value": "public"}],
    )
    assert stack.create(Host=host) == "CREATE_COMPLETE", stack.reasons()
    host_id = stack.physical_id("Host")

    # THEN DescribeInstances says so
    found = hosts.one(host_id)
    private, public = found["PrivateIpAddress"], found["PublicIpAddress"]
    assert found["State"]["Name"] == "running"
    assert (found["InstanceType"], found["Architecture"]) == ("t4g.nano", "arm64")
    assert (found["SubnetId"], found["VpcId"]) == (network.inner, network.vpc)
    assert found["KeyName"] == network.key
    assert found["IamInstanceProfile"]["Arn"].endswith(f":instance-profile/{network.profile}")
    assert found["Monitoring"]["State"] == "enabled"
    assert [group["GroupId"] for group in found["SecurityGroups"]] == [network.group]
    options = {
        "State": "applied",
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 1,
        "HttpEndpoint": "enabled",
        "HttpProtocolIpv6": "disabled",
        "InstanceMetadataTags": "disabled",
    }
    assert found["MetadataOptions"] == options
    assert tags(found)["Name"] == "public"
    assert tags(found)["aws:cloudformation:stack-name"] == stack.name
    kept = hosts.ec2.describe_instance_attribute(InstanceId=host_id, Attribute="userData")
    assert kept["UserData"]["Value"] == user_data
    assert not hosts.protected(host_id)
    assert hosts.credits(host_id) == "standard"

    # AND its private address is one that its subnet has to give, its public one of the internet
    usable = list(ipaddress.ip_network(SUBNETS["Inner"]))[4:-1]
    assert ipaddress.ip_address(private) in usable
    assert ipaddress.ip_address(public).is_global
    assert found["PrivateDnsName"] == f"ip-{private.replace('.', '-')}.ec2.internal"
    assert found["PublicDnsName"] == f"ec2-{public.replace('.', '-')}.compute-1.amazonaws.com"

    # AND it has an interface
    [attached] = hosts.interfaces()
    assert attached["Attachment"]["InstanceId"] == host_id
    assert attached["Attachment"]["DeleteOnTermination"]
    assert (attached["PrivateIpAddress"], attached["SubnetId"]) == (private, network.inner)
    assert [group["GroupId"] for group in attached["Groups"]] == [network.group]
    assert attached["Association"]["PublicIp"] == public
    [of_instance] = found["NetworkInterfaces"]
    assert of_instance["NetworkInterfaceId"] == attached["NetworkInterfaceId"]

    # AND a volume
    [volume] = hosts.volumes(host_id)
    assert (volume["Size"], volume["VolumeType"], volume["Encrypted"]) == (12, "gp3", True)
    assert volume["AvailabilityZone"] == found["Placement"]["AvailabilityZone"]
    assert tags(volume) == {"Name": "public"}
    [mapping] = found["BlockDeviceMappings"]
    assert mapping["Ebs"]["VolumeId"] == volume["VolumeId"]

    # WHEN the stack goes
    assert stack.delete() is None

    # THEN there is a terminated instance for a while, and nothing else
    assert hosts.one(host_id)["State"]["Name"] == "terminated"
    assert "PublicIpAddress" not in hosts.one(host_id)
    assert hosts.interfaces() == []
    assert hosts.volumes(host_id) == []
    assert (
        hosts.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [host_id]}])["Tags"]
        == []
    )


def test_what_a_template_asks_of_an_instance_is_what_ec2_says(
    stack: Stack, hosts: Hosts, network: Network
) -> None:
    # WHEN other resources of a stack have the attributes of its host
    names = ("InstanceId", "PrivateIp", "PublicIp", "PublicDnsName", "PrivateDnsName", "VpcId")
    given = {
        name: resource("SSM::Parameter", Type="String", Value={"Fn::GetAtt": ["Host", name]})
        for name in (*names, "AvailabilityZone")
    }
    host = hosts.host(SubnetId=network.outer)
    assert stack.create(Host=host, **given) == "CREATE_COMPLETE", stack.reasons()

    # THEN these are those of EC2
    found = hosts.one(stack.physical_id("Host"))
    ssm = stack.target.client("ssm")
    values = {
        name: ssm.get_parameter(Name=stack.physical_id(name))["Parameter"]["Value"]
        for name in given
    }
    assert values == {
        "InstanceId": stack.physical_id("Host"),
        "PrivateIp": found["PrivateIpAddress"],
        "PublicIp": found["PublicIpAddress"],
        "PublicDnsName": found["PublicDnsName"],
        "PrivateDnsName": found["PrivateDnsName"],
        "VpcId": network.vpc,
        "AvailabilityZone": found["Placement"]["AvailabilityZone"],
    }
    assert stack.delete() is None


def test_only_a_subnet_that_says_so_gives_public_addresses(
    stack: Stack, hosts: Hosts, network: Network
) -> None:
    inside = hosts.host()
    outside = hosts.host(SubnetId=network.outer)
    not_even_there = {
        "AssociatePublicIpAddress": False,
        "DeviceIndex": "0",
        "SubnetId": network.outer,
    }

    stack.create(
        Inside=inside,
        Outside=outside,
        Neither=hosts.host(NetworkInterfaces=[not_even_there]),
    )

    with_address = [
        name
        for name in ("Inside", "Outside", "Neither")
        if "PublicIpAddress" in hosts.one(stack.physical_id(name))
    ]
    assert with_address == ["Outside"]
    # AND who is given no group has the default one of the VPC
    [group] = hosts.one(stack.physical_id("Neither"))["SecurityGroups"]
    assert group["GroupName"] == "default"
    assert stack.delete() is None


def test_a_subnet_has_as_many_addresses_as_it_has(stack: Stack, hosts: Hosts) -> None:
    # GIVEN a subnet of sixteen addresses, of which AWS keeps five
    eleven = {f"Host{number}": hosts.host() for number in range(11)}
    assert stack.create(**eleven) == "CREATE_COMPLETE"
    assert len({each["PrivateIpAddress"] for each in hosts.interfaces()}) == 11

    # THEN there is none for a twelfth
    assert stack.update(**eleven, OneMore=hosts.host()) == "UPDATE_ROLLBACK_COMPLETE"
    assert "InsufficientFreeAddressesInSubnet" in stack.reasons()
    assert len(hosts.interfaces()) == 11
    assert stack.delete() is None


def test_what_a_launch_template_says_holds_unless_the_instance_says_other(
    stack: Stack, hosts: Hosts, network: Network
) -> None:
    # GIVEN a launch template, and instances that add to it
    data = {
        "ImageId": hosts.images[X86],
        "InstanceType": "t3.micro",
        "KeyName": network.key,
        "MetadataOptions": {"HttpTokens": "optional", "HttpPutResponseHopLimit": 3},
        "DisableApiTermination": False,
        "Monitoring": {"Enabled": True},
        "TagSpecifications": [
            {"ResourceType": "volume", "Tags": [{"Key": "part", "Value": "disk"}]}
        ],
    }
    template = resource("EC2::LaunchTemplate", LaunchTemplateData=data)
    version = {"Fn::GetAtt": ["Template", "LatestVersionNumber"]}
    by = {"LaunchTemplateId": ref("Template"), "Version": version}
    where = {"SubnetId": network.inner}
    own = {"InstanceType": "t3.small", "MetadataOptions": {"HttpTokens": "required"}}

    made = stack.create(
        Template=template,
        Same=resource("EC2::Instance", LaunchTemplate=by, **where),
        Other=resource("EC2::Instance", LaunchTemplate=by, **where, **own),
    )

    # THEN they have both
    assert made == "CREATE_COMPLETE", stack.reasons()
    same, other = (hosts.one(stack.physical_id(name)) for name in ("Same", "Other"))
    assert (same["InstanceType"], other["InstanceType"]) == ("t3.micro", "t3.small")
    assert same["MetadataOptions"]["HttpPutResponseHopLimit"] == 3
    assert other["MetadataOptions"]["HttpTokens"] == "required"
    assert {each["Architecture"] for each in (same, other)} == {"x86_64"}
    assert {each["KeyName"] for each in (same, other)} == {network.key}
    assert same["Monitoring"]["State"] == "enabled"
    [volume] = hosts.volumes(same["InstanceId"])
    assert tags(volume) == {"part": "disk"}
    assert stack.delete() is None


def test_an_instance_of_amazon_linux_2023_wants_tokens_without_being_told(
    stack: Stack, hosts: Hosts
) -> None:
    stack.create(Host=hosts.host())

    options = hosts.one(stack.physical_id("Host"))["MetadataOptions"]

    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 2)
    assert stack.delete() is None


def test_a_subnet_and_a_group_stay_while_an_instance_has_them(
    stack: Stack, hosts: Hosts, network: Network
) -> None:
    stack.create(Host=hosts.host())

    with pytest.raises(ClientError, match="DependencyViolation"):
        hosts.ec2.delete_subnet(SubnetId=network.inner)
    with pytest.raises(ClientError, match="DependencyViolation"):
        hosts.ec2.delete_security_group(GroupId=network.group)

    # AND a client who ends the instance does not stop the stack from going
    hosts.ec2.terminate_instances(InstanceIds=[stack.physical_id("Host")])
    assert hosts.interfaces() == []
    assert stack.delete() is None


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"ImageId": "ami-0123456789abcdef1"}, "InvalidAMIID.NotFound"),
        ({"ImageId": "amazon-linux"}, "InvalidAMIID.Malformed"),
        ({"InstanceType": "t3.nano"}, "InvalidParameterValue: The architecture 'x86_64'"),
        ({"InstanceType": "t4g.tiny"}, "InvalidParameterValue: Invalid value 't4g.tiny'"),
        ({"KeyName": "missing"}, "InvalidKeyPair.NotFound"),
        ({"SubnetId": "subnet-0123456789abcdef0"}, "InvalidSubnetID.NotFound"),
        ({"SecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidGroup.NotFound"),
        ({"SecurityGroupIds": ["sg-00000001"]}, "belong to different networks"),
        ({"IamInstanceProfile": "missing"}, "Invalid IAM Instance Profile name"),
        ({"PrivateIpAddress": "10.9.0.9"}, "InvalidParameterValue"),
        ({"AvailabilityZone": "us-east-1f"}, "InvalidParameterValue"),
        (
            {"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 4}}]},
            "InvalidBlockDeviceMapping",
        ),
        ({"LaunchTemplate": {"LaunchTemplateName": "missing"}}, "InvalidLaunchTemplateId"),
        ({"HostId": "h-1"}, "UnsupportedOperation"),
    ],
)
def test_an_instance_that_ec2_would_not_launch_is_not_made(
    stack: Stack, hosts: Hosts, changed: dict[str, Any], code: str
) -> None:
    assert stack.create(Host=hosts.host(**changed)) == "CREATE_FAILED"

    assert code in stack.reasons()
    assert hosts.interfaces() == []
    assert stack.delete() is None


def test_instances_are_found_by_what_they_have(
    stack: Stack, hosts: Hosts, network: Network
) -> None:
    stack.create(One=hosts.host(), Two=hosts.host(SubnetId=network.outer, KeyName=network.key))

    def found(**filters: str) -> set[str]:
        given = [{"Name": name, "Values": [value]} for name, value in filters.items()]
        return {
            instance["InstanceId"]
            for reservation in hosts.ec2.describe_instances(Filters=given)["Reservations"]
            for instance in reservation["Instances"]
        }

    two = stack.physical_id("Two")
    assert found(**{"subnet-id": network.outer, "instance-state-name": "running"}) == {two}
    assert found(**{"key-name": network.key, "vpc-id": network.vpc}) == {two}
    assert found(**{"tag:aws:cloudformation:logical-id": "T*", "vpc-id": network.vpc}) == {two}
    with pytest.raises(ClientError, match=r"The filter 'colour' is invalid"):
        found(colour="blue")
    assert stack.delete() is None

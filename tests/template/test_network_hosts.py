"""The network's hosts: what they are, what they may do, and what does not replace them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from odyssey_constructs.images import kept_as
from tests.template.networks import ACCOUNT, REGION, SOMEWHERE, VARIANTS, Networks
from tests.template.permissions import SESSION_MANAGER, by_resource
from tests.template.synth import (
    Synth,
    Template,
    named,
    only,
    properties,
    references,
    resources,
    role_statements,
    synthesize,
    target,
)

if TYPE_CHECKING:
    from pathlib import Path

LATEST = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-"
KEPT, ASKED = "ami-0123456789abcdef0", "ami-0abcdef1234567890"
WITH_PRIVATE_HOST = [name for name in VARIANTS if "private_host" in VARIANTS[name]]


def host(template: Template) -> dict[str, Any]:
    return named(template, "AWS::EC2::Instance", "HostInstance")[1]


def private_host(template: Template) -> dict[str, Any]:
    return named(template, "AWS::EC2::Instance", "PrivateHostInstance")[1]


def image_of(template: Template, instance: dict[str, Any]) -> str:
    """Return the id of a host's image, or the name of the public parameter that has it."""
    image = instance["ImageId"]
    if isinstance(image, str):
        return image
    parameter = template["Parameters"][image["Ref"]]
    assert parameter["Type"] == "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"
    default: str = parameter["Default"]
    return default


@pytest.mark.parametrize(("architecture", "size"), [("arm64", "t4g.micro"), ("x86_64", "t3.micro")])
def test_hosts_are_small_ones_of_the_architecture_with_the_newest_amazon_linux_2023(
    networks: Networks, architecture: str, size: str
) -> None:
    template = networks(architecture=architecture, private_host="jump")
    for instance in (host(template), private_host(template)):
        assert instance["InstanceType"] == size
        assert image_of(template, instance) == f"{LATEST}{architecture}"


def test_an_image_that_is_asked_for_wins_over_the_one_that_is_kept(networks: Networks) -> None:
    kept = {kept_as(ACCOUNT, REGION, "arm64"): KEPT}
    template = networks(ami=ASKED, private_host="jump", **kept)
    assert image_of(template, host(template)) == ASKED
    assert image_of(template, private_host(template)) == ASKED
    latest = networks(ami="latest", **kept)
    assert image_of(latest, host(latest)) == f"{LATEST}arm64"


def test_a_kept_image_is_used_for_its_account_region_and_architecture_only(
    networks: Networks,
) -> None:
    kept = {kept_as(ACCOUNT, REGION, "arm64"): KEPT}
    template = networks(**kept)
    assert image_of(template, host(template)) == KEPT
    # THEN nothing looks for a newer one
    assert LATEST not in json.dumps(template)
    for elsewhere in (
        networks(SOMEWHERE | {"CDK_DEFAULT_REGION": "us-east-1"}, **kept),
        networks(SOMEWHERE | {"CDK_DEFAULT_ACCOUNT": "210987654321"}, **kept),
        networks({}, **kept),
        networks(architecture="x86_64", **kept),
    ):
        assert image_of(elsewhere, host(elsewhere)).startswith(LATEST)


def test_the_app_asks_for_the_kept_image_of_where_the_cdk_says_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SOMEWHERE.items():
        monkeypatch.setenv(name, value)
    template = synthesize(tmp_path, **{kept_as(ACCOUNT, REGION, "arm64"): KEPT}).templates[
        "Network"
    ]
    assert host(template)["ImageId"] == KEPT


def test_the_app_takes_the_image_of_the_option(with_every_option: Synth) -> None:
    assert host(with_every_option.templates["Network"])["ImageId"] == ASKED


@pytest.mark.parametrize("variant", VARIANTS)
def test_only_a_signed_token_of_the_host_itself_opens_its_metadata(
    networks: Networks, variant: str
) -> None:
    for instance in properties(networks(**VARIANTS[variant]), "AWS::EC2::Instance"):
        assert instance["MetadataOptions"] == {
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 1,
        }


def test_volumes_are_encrypted_gp3_with_the_stack_s_key_in_prod(networks: Networks) -> None:
    for stage in ("dev", "prod"):
        template = networks(stage=stage, private_host="jump")
        for instance in (host(template), private_host(template)):
            # The image's own volume; another name would be a second one beside it.
            [device] = instance["BlockDeviceMappings"]
            assert device["DeviceName"] == "/dev/xvda"
            volume = device["Ebs"]
            assert (volume["Encrypted"], volume["VolumeType"]) == (True, "gp3")
            keys = {target(volume["KmsKeyId"])} if "KmsKeyId" in volume else set()
            assert keys == references(template, "AWS::KMS::Key", ".Arn")
            assert bool(keys) == (stage == "prod")
            assert instance["PropagateTagsToVolumeOnCreation"] is True


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_host_that_works_hard_waits_instead_of_costing_more(
    networks: Networks, variant: str
) -> None:
    for instance in properties(networks(**VARIANTS[variant]), "AWS::EC2::Instance"):
        assert instance["CreditSpecification"] == {"CPUCredits": "standard"}


def test_the_host_has_a_public_address_in_the_first_public_subnet(network: Template) -> None:
    [interface] = host(network)["NetworkInterfaces"]
    assert interface["AssociatePublicIpAddress"] is True
    assert "PublicSubnet1" in target(interface["SubnetId"])
    # Not both: a host with interfaces takes no subnet and no groups beside them.
    assert not {"SubnetId", "SecurityGroupIds"} & set(host(network))


def test_the_host_starts_when_it_has_a_way_out(network: Template) -> None:
    # Session Manager's agent calls at once, and waits long before it tries again.
    [host_resource] = resources(network, "AWS::EC2::Instance").values()
    for kind in ("AWS::EC2::Route", "AWS::EC2::SubnetRouteTableAssociation"):
        assert any(
            each in host_resource["DependsOn"]
            for each in resources(network, kind)
            if "Public" in each
        )


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_private_host_is_only_there_when_asked_for_and_has_no_public_address(
    networks: Networks, variant: str
) -> None:
    template = networks(**VARIANTS[variant])
    assert len(resources(template, "AWS::EC2::Instance")) == 1 + (variant in WITH_PRIVATE_HOST)
    if variant in WITH_PRIVATE_HOST:
        [interface] = private_host(template)["NetworkInterfaces"]
        assert interface["AssociatePublicIpAddress"] is False
        assert "PrivateSubnet1" in target(interface["SubnetId"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_host_s_role_may_do_what_session_manager_needs_and_nothing_else(
    networks: Networks, variant: str
) -> None:
    template = networks(**VARIANTS[variant])
    profiles = resources(template, "AWS::IAM::InstanceProfile")
    used = set()
    for instance in properties(template, "AWS::EC2::Instance"):
        profile = instance["IamInstanceProfile"]["Ref"]
        [role] = profiles[profile]["Properties"]["Roles"]
        used.add(role["Ref"])
        assert by_resource(role_statements(template, role["Ref"])) == SESSION_MANAGER
        found = template["Resources"][role["Ref"]]["Properties"]
        assert not {"Policies", "ManagedPolicyArns"} & set(found)
        [trust] = found["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "ec2.amazonaws.com"}
    # Each has its own, and no profile is left over.
    assert len(used) == len(profiles) == len(resources(template, "AWS::EC2::Instance"))


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name != "as it is"])
def test_no_option_that_comes_later_replaces_or_changes_the_host(
    networks: Networks, variant: str
) -> None:
    before, after = networks(), networks(**VARIANTS[variant])
    [(name, resource)] = resources(before, "AWS::EC2::Instance").items()
    assert after["Resources"][name] == resource


def test_a_private_host_is_not_replaced_by_another_way_to_it_or_a_way_out(
    networks: Networks,
) -> None:
    first = private_host(networks(private_host="endpoint"))
    for settings in ({"private_host": "jump"}, VARIANTS["everything"]):
        assert private_host(networks(**settings)) == first
    assert private_host(networks(private_host="endpoint", vpc_zones="1")) == first


def test_hosts_are_told_apart_by_their_names(networks: Networks) -> None:
    template = networks(private_host="jump")
    assert {"Key": "Name", "Value": "Network/public"} in host(template)["Tags"]
    assert {"Key": "Name", "Value": "Network/private"} in private_host(template)["Tags"]


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_a_host_is_protected_from_termination_in_prod_only(networks: Networks, stage: str) -> None:
    # The stack itself is, too: tests/template/test_rules.py.
    for instance in properties(networks(stage=stage, private_host="jump"), "AWS::EC2::Instance"):
        assert instance["DisableApiTermination"] == (stage == "prod")


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_host_that_fails_its_status_checks_for_a_quarter_of_an_hour_is_told_about(
    networks: Networks, variant: str
) -> None:
    template = networks(**VARIANTS[variant])
    alarms = properties(template, "AWS::CloudWatch::Alarm")
    for alarm in alarms:
        assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/EC2", "StatusCheckFailed")
        assert (alarm["Statistic"], alarm["Threshold"]) == ("Maximum", 1)
        assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
        assert alarm["Period"] * alarm["EvaluationPeriods"] == 15 * 60
        [topic] = alarm["AlarmActions"]
        assert template["Parameters"][topic["Ref"]]["Default"] == "/odyssey/alarm-topic-arn"
    watched = [each["Dimensions"] for each in alarms]
    assert {target(each["Value"]) for [each] in watched} == references(
        template, "AWS::EC2::Instance"
    )
    assert {each["Name"] for [each] in watched} == {"InstanceId"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_cloudformation_makes_the_key_pair_and_only_the_parameter_store_has_its_private_half(
    networks: Networks, variant: str
) -> None:
    template = networks(**VARIANTS[variant])
    key = only(template, "AWS::EC2::KeyPair")
    assert (key["KeyType"], key["KeyFormat"]) == ("ed25519", "pem")
    # With a public key of somebody's own, AWS would make no private one.
    assert "PublicKeyMaterial" not in key
    assert {target(each["KeyName"]) for each in properties(template, "AWS::EC2::Instance")} == (
        references(template, "AWS::EC2::KeyPair")
    )
    # THEN the template says where the private key is, and never reads it
    text = json.dumps(template)
    assert "{{resolve:" not in text
    for parameter in template["Parameters"].values():
        assert "keypair" not in parameter["Default"]
    [pair] = references(template, "AWS::EC2::KeyPair", ".KeyPairId")
    told = {name: target(each["Value"]) for name, each in template["Outputs"].items()}
    assert told["KeyParameter"] == f"/ec2/keypair/{pair}"
    assert [name for name in told if pair in told[name]] == [
        *("KeyPairId", "KeyParameter", "SshCommand")
    ]

"""The public parameters for Amazon Linux 2023, and what a newer image does to a stack."""

from __future__ import annotations

import http.client
import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.local.templates import Stack

if TYPE_CHECKING:
    from odyssey_cli import cloud
    from odyssey_cli.target import Target

FAMILY = "/aws/service/ami-amazon-linux-latest"
ARM, X86 = (f"{FAMILY}/al2023-ami-kernel-default-{each}" for each in ("arm64", "x86_64"))
NAMES = [
    f"{FAMILY}/al2023-ami-kernel-{kernel}-{architecture}"
    for kernel in ("default", "6.1", "6.12")
    for architecture in ("arm64", "x86_64")
]


def release(cloud: cloud.Cloud, method: str = "GET") -> dict[str, Any]:
    """Ask for the newest release, or publish one with PUT."""
    connection = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=10)
    try:
        connection.request(method, "/_odyssey/ami", None, {"x-odyssey": "1"})
        answered: dict[str, Any] = json.loads(connection.getresponse().read())
        return answered
    finally:
        connection.close()


@pytest.fixture
def ec2(target: Target) -> Any:
    return target.client("ec2")


@pytest.fixture
def ssm(target: Target) -> Any:
    return target.client("ssm")


def test_every_parameter_names_an_image_of_its_architecture(ec2: Any, ssm: Any) -> None:
    for name in NAMES:
        image_id = ssm.get_parameter(Name=name)["Parameter"]["Value"]
        [image] = ec2.describe_images(ImageIds=[image_id])["Images"]
        assert image["Architecture"] == name.rsplit("-", 1)[1]
        assert image["Name"].startswith("al2023-ami-2023.")
        assert image["ImdsSupport"] == "v2.0"
        assert image["RootDeviceName"] == "/dev/xvda"
        [root] = image["BlockDeviceMappings"]
        assert (root["Ebs"]["VolumeType"], root["Ebs"]["VolumeSize"]) == ("gp3", 8)


def test_the_family_is_listed_by_its_path(ssm: Any) -> None:
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=FAMILY)

    found = [each["Name"] for page in pages for each in page["Parameters"]]

    assert set(NAMES) <= set(found)
    assert len(found) == len(set(found))


def test_nobody_can_write_them(ssm: Any) -> None:
    for action, arguments in (
        ("put_parameter", {"Name": ARM, "Value": "ami-1", "Type": "String", "Overwrite": True}),
        ("delete_parameter", {"Name": ARM}),
    ):
        with pytest.raises(ClientError):
            getattr(ssm, action)(**arguments)
    assert ssm.get_parameter(Name=ARM)["Parameter"]["Value"].startswith("ami-")


@pytest.mark.parametrize(
    ("id", "code"),
    [("ami-0123456789abcdef1", "InvalidAMIID.NotFound"), ("ami-x", "InvalidAMIID.Malformed")],
)
def test_an_image_that_does_not_exist_is_not_described(ec2: Any, id: str, code: str) -> None:
    with pytest.raises(ClientError) as refused:
        ec2.describe_images(ImageIds=[id])

    assert refused.value.response["Error"]["Code"] == code


def test_a_newer_release_has_other_images_and_the_older_ones_stay(
    running: cloud.Cloud, ec2: Any, ssm: Any
) -> None:
    # GIVEN a release
    before = release(running)
    version = ssm.get_parameter(Name=X86)["Parameter"]["Version"]
    assert before["parameters"][ARM] == before["images"]["arm64"]

    # WHEN a newer one is published
    after = release(running, "PUT")

    # THEN the parameters name its images, and those of the older one are still there
    assert after["release"] == before["release"] + 1
    assert not set(before["images"].values()) & set(after["images"].values())
    found = ssm.get_parameter(Name=X86)["Parameter"]
    assert (found["Value"], found["Version"]) == (after["images"]["x86_64"], version + 1)
    both = [before["images"]["arm64"], after["images"]["arm64"]]
    images = ec2.describe_images(ImageIds=both)["Images"]
    dates = {image["ImageId"]: image["CreationDate"] for image in images}
    assert dates[both[0]] < dates[both[1]]
    assert {image["Architecture"] for image in images} == {"arm64"}


class Templated(Stack):
    """A stack whose template has the parameter for the newest image, deployed as the CDK does."""

    TYPE = "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"

    def deploy(self, resources: dict[str, Any], *, kind: str = "UPDATE") -> str | None:
        """Make a change set and execute it; returns the stack's status, None if it was empty."""
        made = self.change_set(resources, kind)
        return None if made["Status"] == "FAILED" else self.execute(made)

    def execute(self, change_set: dict[str, Any]) -> str | None:
        self.formation.execute_change_set(ChangeSetName=change_set["ChangeSetId"])
        return self.settled()

    def change_set(self, resources: dict[str, Any], kind: str) -> dict[str, Any]:
        previous = {"ParameterKey": "Image", "UsePreviousValue": True}
        made = self.formation.create_change_set(
            StackName=self.name,
            ChangeSetName=f"deploy-{uuid.uuid4().hex}",
            ChangeSetType=kind,
            TemplateBody=json.dumps(
                {
                    "Parameters": {"Image": {"Type": self.TYPE, "Default": ARM}},
                    "Resources": resources,
                }
            ),
            Parameters=[previous] if kind == "UPDATE" else [],
        )
        return dict(self.formation.describe_change_set(ChangeSetName=made["Id"]))


def host(image: Any = None, **properties: Any) -> dict[str, Any]:
    return {
        "Host": {
            "Type": "AWS::EC2::Instance",
            "Properties": {
                "ImageId": image or {"Ref": "Image"},
                "InstanceType": "t4g.nano",
                **properties,
            },
        }
    }


def test_a_stack_that_asks_for_the_newest_image_gets_a_new_host_with_each_one(
    running: cloud.Cloud, target: Target, ec2: Any
) -> None:
    # GIVEN a stack with a host of the newest image
    stack = Templated(target)
    assert stack.deploy(host(), kind="CREATE") == "CREATE_COMPLETE"
    first = stack.physical_id("Host")
    # AND nothing to do when it is deployed again
    assert stack.deploy(host()) is None

    # WHEN there is a newer image and the same template is deployed again
    newest = release(running, "PUT")["images"]["arm64"]
    change_set = stack.change_set(host(), "UPDATE")

    # THEN the change set says that the host is replaced, and it is
    [change] = [change["ResourceChange"] for change in change_set["Changes"]]
    assert (change["LogicalResourceId"], change["Replacement"]) == ("Host", "True")
    assert stack.execute(change_set) == "UPDATE_COMPLETE"
    second = stack.physical_id("Host")
    assert second != first
    images = {
        instance["InstanceId"]: (instance["ImageId"], instance["State"]["Name"])
        for reservation in ec2.describe_instances(InstanceIds=[first, second])["Reservations"]
        for instance in reservation["Instances"]
    }
    assert images[second] == (newest, "running")
    assert images[first][1] == "terminated"

    # WHEN the template names the image by its id and there is a newer one
    assert stack.deploy(host(newest)) in (None, "UPDATE_COMPLETE")
    release(running, "PUT")

    # THEN the host stays
    assert stack.deploy(host(newest, Monitoring=True)) == "UPDATE_COMPLETE"
    assert stack.physical_id("Host") == second
    assert stack.delete() is None

"""CloudFormation's EC2 instances, over MiniStack's EC2: records, with nothing that runs.

They have what the template and its launch template say, and what EC2 adds: interfaces with
addresses of their subnets, volumes of their images, metadata options.

- AWS::EC2::Instance (properties, "Update requires", return values)
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-instance.html
- AWS::EC2::Instance BlockDeviceMapping ("you can modify only the DeleteOnTermination parameter
  […] Modifying any other parameter results in instance replacement")
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-ec2-instance-blockdevicemapping.html
- AWS::EC2::LaunchTemplate TagSpecification
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-ec2-launchtemplate-tagspecification.html
read 2026-11-21. What is not made is refused, see `instance_launch`.
"""

from __future__ import annotations

from typing import Any

from local_cloud import (
    ec2_answers,
    ec2_calls,
    instance_addresses,
    instance_calls,
    instance_interfaces,
    instance_launch,
    instance_volumes,
)
from local_cloud.ec2_calls import EC2, FORMATION, Made, Record, told, yes
from local_cloud.ground import Hook, find

_INSTANCES = Hook(EC2, "_instances")
_TAGS = Hook(EC2, "_tags")
_HANDLERS = Hook(FORMATION, "_RESOURCE_HANDLERS")
_CONDITIONAL = Hook(FORMATION, "_CONDITIONALLY_REPLACING_PROPERTIES")
_REPLACE = Hook(
    FORMATION,
    "_replace_resource",
    ("resource_type", "physical_id", "old_props", "new_props", "stack_name", "logical_id"),
)
HOOKS = (
    *instance_addresses.HOOKS,
    *ec2_answers.HOOKS,
    *instance_calls.HOOKS,
    *instance_interfaces.HOOKS,
    *instance_launch.HOOKS,
    *instance_volumes.HOOKS,
    _INSTANCES,
    _TAGS,
    _HANDLERS,
    _CONDITIONAL,
    _REPLACE,
)

_TYPE = "AWS::EC2::Instance"
_REPLACING = (
    "AvailabilityZone",
    "CpuOptions",
    "ImageId",
    "KeyName",
    "LaunchTemplate",
    "NetworkInterfaces",
    "PrivateIpAddress",
    "SecurityGroups",
    "SubnetId",
)
_SOMETIMES_REPLACING = ("BlockDeviceMappings",)
_RESTARTING = ("EbsOptimized", "InstanceType", "UserData")

Properties = dict[str, Any]


def _attributes(instance: Record) -> dict[str, str]:
    address, name = instance_calls.public_address(instance)
    return {
        "InstanceId": instance["InstanceId"],
        "AvailabilityZone": instance["Placement"]["AvailabilityZone"],
        "PrivateDnsName": instance["PrivateDnsName"],
        "PrivateIp": instance["PrivateIpAddress"],
        "PublicDnsName": name,
        "PublicIp": address,
        "VpcId": instance["VpcId"],
    }


def _create(_logical_id: str, properties: Properties, _stack: str) -> Made:
    asked = instance_launch.wanted(properties)
    instance = instance_launch.launch(asked)
    _tag_parts(instance, asked)
    ec2_calls.template_tags(instance["InstanceId"], properties)
    return instance["InstanceId"], _attributes(instance)


def _tag_parts(instance: Record, asked: Properties) -> None:
    """Tag an instance, its volumes and interfaces as the launch template and the template say."""
    instance_id, tags = instance["InstanceId"], find(_TAGS)
    ids = {
        "instance": [instance_id],
        "volume": [each["Ebs"]["VolumeId"] for each in instance["BlockDeviceMappings"]],
        "network-interface": [
            each["NetworkInterfaceId"] for each in instance_interfaces.of_instance(instance_id)
        ],
    }
    for specification in asked.get("TagSpecifications") or []:
        for tagged in ids.get(specification["ResourceType"], []):
            tags[tagged] = [dict(tag) for tag in specification["Tags"]]
    if yes(asked.get("PropagateTagsToVolumeOnCreation", False)):
        # CloudFormation's own tags are not the property's.
        own = [tag for tag in asked.get("Tags") or [] if not tag["Key"].startswith("aws:")]
        for volume in ids["volume"]:
            tags[volume] = [dict(tag) for tag in own]


def _update(
    id: str, old: Properties, new: Properties, stack: str, logical_id: str | None = None
) -> Made:
    instance = find(_INSTANCES).get(id)
    if not instance_calls.is_there(instance):
        return _create(logical_id or id, new, stack)
    if _other_devices(old) != _other_devices(new):
        replaced: Made = find(_REPLACE)(_TYPE, id, old, new, stack, logical_id)
        return replaced
    asked = instance_launch.wanted(new)
    profile = instance_launch.check_changes(instance, asked)
    if old.get("SecurityGroupIds") != new.get("SecurityGroupIds"):
        primary = instance_interfaces.of_instance(id)[0]
        instance_interfaces.set_groups(primary, asked.get("SecurityGroupIds") or [])
    instance_launch.apply(instance, asked)
    instance_launch.set_profile(instance, profile)
    if any(old.get(name) != new.get(name) for name in _RESTARTING):
        instance_launch.restart(instance)
    ec2_calls.template_tags(id, new, old)
    return id, _attributes(instance)


def _other_devices(properties: Properties) -> list[Properties]:
    """Return the block devices without what can change on a running instance."""
    return [
        {
            **mapping,
            "Ebs": {
                name: value
                for name, value in (mapping.get("Ebs") or {}).items()
                if name != "DeleteOnTermination"
            },
        }
        for mapping in properties.get("BlockDeviceMappings") or []
    ]


def _delete(id: str, _properties: Properties) -> None:
    if instance_calls.is_there(find(_INSTANCES).get(id)):
        instance_calls.terminate(id)


def install() -> None:
    """Replace the API's calls and register the type."""
    instance_calls.install()
    instance_volumes.install()
    ec2_calls.provide(_TYPE, create=_create, delete=_delete, replacing=_REPLACING, tags=True)
    find(_HANDLERS)[_TYPE] |= {
        "update": told(_TYPE, "update", _update),
        "update_with_logical_id": True,
    }
    find(_CONDITIONAL)[_TYPE] = _SOMETIMES_REPLACING

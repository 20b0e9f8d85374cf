"""Launching an instance: what template and launch template say, checked, and the records of it.

- AWS::EC2::Instance ("Any additional parameters that you specify for the new instance overwrite
  the corresponding parameters included in the launch template")
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-instance.html
- RunInstances
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
- "Unlimited mode for burstable performance instances" (the default of each family)
  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/burstable-performance-instances-unlimited-mode.html
- "Configure instance metadata options for new instances" (of an image for IMDSv2 only: "HttpTokens
  automatically set to required […] HttpPutResponseHopLimit is set to 2")
  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-IMDS-new-instances.html
read 2026-11-21.
"""

from __future__ import annotations

from typing import Any

from local_cloud import (
    ec2_calls,
    instance_addresses,
    instance_images,
    instance_interfaces,
    instance_volumes,
)
from local_cloud.ec2_answers import Refusal
from local_cloud.ec2_calls import EC2, Record, yes
from local_cloud.ground import Hook, find

_INSTANCES = Hook(EC2, "_instances")
_KEY_PAIRS = Hook(EC2, "_key_pairs")
_TEMPLATE = Hook(EC2, "_resolve_launch_template_data", ("spec",))
_PROFILE = Hook(EC2, "_resolve_iam_instance_profile", ("iam_arn", "iam_name", "allow_missing"))
_ASSOCIATE = Hook(
    EC2,
    "_upsert_iam_instance_profile_association",
    ("instance_id", "iam_profile", "association_id", "state"),
)
_ASSOCIATION = Hook(EC2, "_find_active_iam_instance_profile_association", ("instance_id",))
_DISSOCIATE = Hook(EC2, "_mark_iam_instance_profile_association_disassociated", ("assoc",))
_NEW_ID = Hook(EC2, "_new_instance_id", ())
HOOKS = (
    _INSTANCES,
    _KEY_PAIRS,
    _TEMPLATE,
    _PROFILE,
    _ASSOCIATE,
    _ASSOCIATION,
    _DISSOCIATE,
    _NEW_ID,
)

RUNNING = {"Code": 16, "Name": "running"}
_DEFAULT_TYPE = "m1.small"
_UNSUPPORTED = (
    "Affinity",
    "ElasticGpuSpecifications",
    "ElasticInferenceAccelerators",
    "EnclaveOptions",
    "HibernationOptions",
    "HostId",
    "HostResourceGroupArn",
    "Ipv6AddressCount",
    "Ipv6Addresses",
    "LicenseSpecifications",
    "PlacementGroupName",
    "SsmAssociations",
    "Volumes",
)

Properties = dict[str, Any]


def wanted(properties: Properties) -> Properties:
    """Return a template's properties over those of its launch template, in one shape.

    Raises:
        Refusal: There is no such launch template, or it says what the local cloud cannot.
    """
    ec2_calls.refuse(properties, *_UNSUPPORTED)
    merged = _of_template(properties.get("LaunchTemplate") or {})
    merged |= {name: value for name, value in properties.items() if name != "LaunchTemplate"}
    if isinstance(profile := merged.get("IamInstanceProfile"), str):
        merged["IamInstanceProfile"] = {"Name": profile}
    return merged


def _of_template(specification: Properties) -> Properties:
    if not specification:
        return {}
    data, template, error = find(_TEMPLATE)(specification)
    named = specification.get("LaunchTemplateId") or specification.get("LaunchTemplateName")
    if error:
        raise Refusal(
            "InvalidLaunchTemplateId.NotFound", f"The launch template '{named}' does not exist."
        )
    version = str(specification.get("Version") or "$Default")
    numbers = {str(each["VersionNumber"]) for each in template["Versions"]}
    if not version.startswith("$") and version not in numbers:
        raise Refusal(
            "InvalidLaunchTemplateId.VersionNotFound",
            f"Could not find the specified version {version} for the launch template '{named}'.",
        )
    data = dict(data)
    if "Monitoring" in data:
        data["Monitoring"] = data["Monitoring"].get("Enabled", False)
    if placement := data.pop("Placement", None):
        names = ("AvailabilityZone", "Tenancy")
        data |= {name: placement[name] for name in names if name in placement}
    return data


def launch(asked: Properties) -> Record:
    """Launch an instance with these properties; returns its record.

    Raises:
        Refusal: EC2 would not.
    """
    if not asked.get("ImageId"):
        raise Refusal("MissingParameter", "The request must contain the parameter ImageId")
    image = instance_images.find_image(asked["ImageId"])
    instance_type = asked.get("InstanceType") or _DEFAULT_TYPE
    instance_images.check_type(instance_type, image)
    _check_key(asked.get("KeyName"))
    profile = _profile(asked.get("IamInstanceProfile"))
    interfaces = instance_interfaces.plan(asked)
    volumes = instance_volumes.plan(asked, image)

    instance_id = find(_NEW_ID)()
    try:
        attached = [instance_interfaces.attach(each, instance_id) for each in interfaces]
    except Refusal:
        instance_interfaces.release(instance_id)
        raise
    primary = attached[0]
    zone = primary["AvailabilityZone"]
    record = {
        "InstanceId": instance_id,
        "ImageId": asked["ImageId"],
        "KeyName": asked.get("KeyName", ""),
        "State": dict(RUNNING),
        "SubnetId": primary["SubnetId"],
        "VpcId": primary["VpcId"],
        "PrivateIpAddress": primary["PrivateIpAddress"],
        "PrivateDnsName": primary["PrivateDnsName"],
        "Architecture": image["Architecture"],
        "RootDeviceType": "ebs",
        "RootDeviceName": image["RootDeviceName"],
        "Hypervisor": "xen",
        "Virtualization": "hvm",
        "Placement": {
            "AvailabilityZone": zone,
            "Tenancy": asked.get("Tenancy", "default"),
        },
        "AmiLaunchIndex": 0,
        "LaunchTime": ec2_calls.now(),
        "BlockDeviceMappings": [
            instance_volumes.attach(each, instance_id, zone) for each in volumes
        ],
        "IamInstanceProfile": None,
    }
    find(_INSTANCES)[instance_id] = record
    apply(record, asked)
    set_profile(record, profile)
    return record


def _check_key(name: str | None) -> None:
    if name and name not in find(_KEY_PAIRS):
        raise Refusal("InvalidKeyPair.NotFound", f"The key pair '{name}' does not exist")


def _profile(given: Properties | None) -> Record | None:
    """Return an instance profile's `Arn` and `Id`."""
    if not given:
        return None
    arn, name = given.get("Arn", ""), given.get("Name", "")
    profile: Record | None = find(_PROFILE)(iam_arn=arn, iam_name=name)[0]
    if profile is None:
        by, value = ("name", name) if name else ("arn", arn)
        raise Refusal(
            "InvalidParameterValue",
            f"Value ({value}) for parameter iamInstanceProfile.{by} is invalid. Invalid IAM "
            f"Instance Profile {by}",
        )
    return profile


def check_changes(instance: Record, asked: Properties) -> Record | None:
    """Refuse properties that a running instance cannot be given; returns its profile."""
    image = instance_images.find_image(instance["ImageId"])
    instance_images.check_type(asked.get("InstanceType") or _DEFAULT_TYPE, image)
    groups = [] if asked.get("NetworkInterfaces") else asked.get("SecurityGroupIds") or []
    instance_interfaces.check_groups(groups, instance["VpcId"], f"VPC {instance['VpcId']}")
    return _profile(asked.get("IamInstanceProfile"))


def apply(instance: Record, asked: Properties) -> None:
    """Give an instance what can change while it exists."""
    asked = {"InstanceType": _DEFAULT_TYPE, **asked}
    primary = instance_interfaces.of_instance(instance["InstanceId"])[0]
    checked = yes(asked.get("SourceDestCheck", True))
    primary["SourceDestCheck"] = checked
    instance |= {
        "InstanceType": asked["InstanceType"],
        "SecurityGroups": primary["Groups"],
        "SourceDestCheck": checked,
        "DisableApiTermination": yes(asked.get("DisableApiTermination", False)),
        "EbsOptimized": yes(asked.get("EbsOptimized", False)),
        "InstanceInitiatedShutdownBehavior": asked.get("InstanceInitiatedShutdownBehavior", "stop"),
        "Monitoring": {"State": "enabled" if yes(asked.get("Monitoring", False)) else "disabled"},
        "UserData": asked.get("UserData", ""),
        "CpuCredits": _credits(asked),
        "MetadataOptions": metadata_options(instance["ImageId"], asked.get("MetadataOptions")),
    }
    instance_volumes.keep_or_not(instance, asked)


def _credits(asked: Properties) -> str:
    """Return how a burstable instance may spend; by default a T2 does not overdraw."""
    given = asked.get("CreditSpecification") or {}
    by_default = "standard" if asked["InstanceType"].startswith("t2.") else "unlimited"
    # A template says CPUCredits, a launch template CpuCredits.
    return str(given.get("CPUCredits") or given.get("CpuCredits") or by_default)


def metadata_options(image_id: str, given: Properties | None) -> Record:
    """Return an instance's metadata options, complete."""
    only_v2 = instance_images.find_image(image_id).get("ImdsSupport") == "v2.0"
    defaults = {
        "HttpTokens": "required" if only_v2 else "optional",
        "HttpPutResponseHopLimit": 2 if only_v2 else 1,
        "HttpEndpoint": "enabled",
        "HttpProtocolIpv6": "disabled",
        "InstanceMetadataTags": "disabled",
    }
    return defaults | (given or {})


def set_profile(instance: Record, profile: Record | None) -> None:
    """Associate an instance profile with an instance, instead of the one it has."""
    instance_id = instance["InstanceId"]
    before = find(_ASSOCIATION)(instance_id)
    if before and before["IamInstanceProfile"] == profile:
        return
    if before:
        find(_DISSOCIATE)(before)
    if profile:
        find(_ASSOCIATE)(instance_id, profile)


def restart(instance: Record) -> None:
    """Stop and start an instance: Amazon's public address is another one afterwards."""
    instance["LaunchTime"] = ec2_calls.now()
    for interface in instance_interfaces.of_instance(instance["InstanceId"]):
        if instance_addresses.GIVEN in interface:
            instance_addresses.renew(interface)

"""The EC2 API's calls about instances, which say and do what the instances are.

MiniStack shows a public address for every instance, no interfaces and no metadata options, has
fixed answers for attributes, and terminates an instance that is protected.

- DescribeInstances, DescribeInstanceAttribute, ModifyInstanceAttribute, TerminateInstances,
  ModifyInstanceMetadataOptions, DescribeInstanceCreditSpecifications
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html
- "Change instance termination protection" (OperationNotPermitted)
  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_ChangingDisableAPITermination.html
- "How instance termination works" (what goes with the instance; its record stays a while)
  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/how-ec2-instance-termination-works.html
read 2026-11-21.
"""

from __future__ import annotations

import re
from typing import Any

from local_cloud import ec2_answers as answers
from local_cloud import ec2_calls, instance_addresses, instance_interfaces, instance_volumes
from local_cloud.ec2_answers import Parameters, Refusal
from local_cloud.ec2_calls import DONE, EC2, Record, yes
from local_cloud.ground import Hook, find

_INSTANCES = Hook(EC2, "_instances")
_FIELDS = Hook(EC2, "_instance_xml", ("inst",))
_FORGET = Hook(EC2, "_cleanup_terminated", ())
HOOKS = (_INSTANCES, _FIELDS, _FORGET)

_TERMINATED = "terminated"
_NOT_OF_TERMINATED = (
    "SubnetId",
    "VpcId",
    "PrivateIpAddress",
    "PrivateDnsName",
    "PublicIpAddress",
    "PublicDnsName",
)
_NOT_FOUND = ("InvalidInstanceID.NotFound", "instance")
# Attributes that can be read, and those that can be changed while the instance runs.
_ATTRIBUTES = (
    "DisableApiTermination",
    "EbsOptimized",
    "InstanceInitiatedShutdownBehavior",
    "InstanceType",
    "RootDeviceName",
    "SourceDestCheck",
    "UserData",
)
_FLAGS = ("DisableApiTermination", "SourceDestCheck")
_METADATA = ("HttpTokens", "HttpEndpoint", "HttpPutResponseHopLimit", "InstanceMetadataTags")


def of_id(id: str) -> Record:
    """Return an instance's record; raises Refusal if there is none."""
    if not re.fullmatch(r"i-([0-9a-f]{8}|[0-9a-f]{17})", id):
        raise Refusal("InvalidInstanceID.Malformed", f'Invalid id: "{id}"')
    return ec2_calls.known(find(_INSTANCES), id, *_NOT_FOUND)


def is_there(instance: Record | None) -> bool:
    """Say whether an instance is not terminated."""
    return instance is not None and instance["State"]["Name"] != _TERMINATED


def public_address(instance: Record) -> tuple[str, str]:
    """Return an instance's public address and its name; empty if it has none."""
    interfaces = instance_interfaces.of_instance(instance["InstanceId"])
    if not interfaces:
        # One that RunInstances made.
        return instance.get("PublicIpAddress") or "", instance.get("PublicDnsName") or ""
    public = instance_addresses.association(interfaces[0]) or {}
    return public.get("publicIp", ""), public.get("publicDnsName", "")


def _view(instance: Record) -> dict[str, Any]:
    """Return an instance as DescribeInstances answers it."""
    address, name = public_address(instance)
    metadata = instance.get("MetadataOptions")
    return {
        "instanceId": instance["InstanceId"],
        "imageId": instance["ImageId"],
        "instanceState": _lower(instance["State"]),
        "privateDnsName": instance["PrivateDnsName"],
        "dnsName": name,
        "reason": instance.get("Reason", ""),
        "keyName": instance.get("KeyName") or None,
        "amiLaunchIndex": instance["AmiLaunchIndex"],
        "instanceType": instance["InstanceType"],
        "launchTime": instance["LaunchTime"],
        "placement": _lower(instance["Placement"]),
        "monitoring": _lower(instance["Monitoring"]),
        "subnetId": instance["SubnetId"] or None,
        "vpcId": instance["VpcId"] or None,
        "privateIpAddress": instance["PrivateIpAddress"] or None,
        "ipAddress": address or None,
        "sourceDestCheck": instance.get("SourceDestCheck", True),
        "groupSet": [_lower(group) for group in instance.get("SecurityGroups") or []],
        "architecture": instance["Architecture"],
        "rootDeviceType": instance["RootDeviceType"],
        "rootDeviceName": instance["RootDeviceName"],
        "blockDeviceMapping": [
            {"deviceName": each["DeviceName"], "ebs": _lower(each["Ebs"])}
            for each in instance.get("BlockDeviceMappings") or []
        ],
        "virtualizationType": instance["Virtualization"],
        "hypervisor": instance["Hypervisor"],
        "ebsOptimized": instance.get("EbsOptimized", False),
        "iamInstanceProfile": _lower(instance.get("IamInstanceProfile") or {}) or None,
        "networkInterfaceSet": [
            _interface(each) for each in instance_interfaces.of_instance(instance["InstanceId"])
        ],
        "metadataOptions": _lower({"State": "applied", **metadata}) if metadata else None,
        "platformDetails": "Linux/UNIX",
        "tagSet": answers.tag_set(instance["InstanceId"]) or None,
    }


def _lower(record: Record) -> dict[str, Any]:
    """Return a record's values by the names that answers have."""
    return {name[0].lower() + name[1:]: value for name, value in record.items()}


def _interface(interface: Record) -> dict[str, Any]:
    private = {
        "privateIpAddress": interface["PrivateIpAddress"],
        "privateDnsName": interface.get("PrivateDnsName"),
    }
    public = {"association": instance_addresses.association(interface)}
    return {
        "networkInterfaceId": interface["NetworkInterfaceId"],
        "subnetId": interface["SubnetId"],
        "vpcId": interface["VpcId"],
        "description": interface["Description"],
        "ownerId": interface["OwnerId"],
        "status": interface["Status"],
        "macAddress": interface["MacAddress"],
        **private,
        "sourceDestCheck": interface["SourceDestCheck"],
        "groupSet": [_lower(group) for group in interface["Groups"]],
        "attachment": {
            name: value
            for name, value in _lower(interface["Attachment"]).items()
            if not name.startswith("instance")
        },
        **public,
        "privateIpAddressesSet": [{**private, "primary": True, **public}],
        "interfaceType": interface["InterfaceType"],
    }


def _filterable(instance: Record) -> dict[str, list[str]]:
    groups = instance.get("SecurityGroups") or []
    values = {
        "instance-id": instance["InstanceId"],
        "instance-state-name": instance["State"]["Name"],
        "instance-state-code": str(instance["State"]["Code"]),
        "instance-type": instance["InstanceType"],
        "image-id": instance["ImageId"],
        "key-name": instance.get("KeyName"),
        "architecture": instance["Architecture"],
        "availability-zone": instance["Placement"]["AvailabilityZone"],
        "subnet-id": instance["SubnetId"],
        "vpc-id": instance["VpcId"],
        "private-ip-address": instance["PrivateIpAddress"],
        "ip-address": public_address(instance)[0],
        "iam-instance-profile.arn": (instance.get("IamInstanceProfile") or {}).get("Arn"),
        "metadata-options.http-tokens": (instance.get("MetadataOptions") or {}).get("HttpTokens"),
    }
    of_groups = {
        "instance.group-id": [group["GroupId"] for group in groups],
        "instance.group-name": [group["GroupName"] for group in groups],
    }
    return {name: [value] if value else [] for name, value in values.items()} | of_groups


def _describe(parameters: Parameters) -> str:
    find(_FORGET)()
    for instance_id in answers.members(parameters, "InstanceId"):
        of_id(instance_id)
    chosen = ec2_calls.asked_for(
        find(_INSTANCES), parameters, "InstanceId", _NOT_FOUND, _filterable
    )
    reservations = [
        {
            "reservationId": f"r-{instance['InstanceId'][2:]}",
            "ownerId": ec2_calls.account(),
            "groupSet": [],
            "instancesSet": [_view(instance)],
        }
        for instance in chosen
    ]
    return answers.xml("reservationSet", reservations)


def _describe_attribute(parameters: Parameters) -> str | None:
    instance = of_id(answers.first(parameters, "InstanceId"))
    attribute = answers.first(parameters, "Attribute")
    for name in _ATTRIBUTES:
        if attribute == name[0].lower() + name[1:] and name in instance:
            value = {"value": instance[name]} if instance[name] != "" else {}
            return answers.elements({"instanceId": instance["InstanceId"], attribute: value})
    return None


def _modify_attribute(parameters: Parameters) -> str:
    instance = of_id(answers.first(parameters, "InstanceId"))
    groups = answers.members(parameters, "GroupId")
    changes = {
        name: answers.first(parameters, f"{name}.Value")
        for name in _ATTRIBUTES
        if answers.first(parameters, f"{name}.Value")
    }
    if attribute := answers.first(parameters, "Attribute"):
        changes[attribute[0].upper() + attribute[1:]] = answers.first(parameters, "Value")
    for name in changes.keys() - {*_FLAGS, "InstanceInitiatedShutdownBehavior"}:
        raise Refusal("UnsupportedOperation", f"The local cloud cannot change {name}.")
    instance |= {name: yes(value) if name in _FLAGS else value for name, value in changes.items()}
    for primary in instance_interfaces.of_instance(instance["InstanceId"])[:1]:
        primary["SourceDestCheck"] = instance["SourceDestCheck"]
        if groups:
            where = f"instance {instance['InstanceId']}"
            instance_interfaces.check_groups(groups, instance["VpcId"], where)
            instance_interfaces.set_groups(primary, groups)
            instance["SecurityGroups"] = primary["Groups"]
    return DONE


def _describe_credits(parameters: Parameters) -> str:
    asked = answers.members(parameters, "InstanceId")
    burstable = [
        instance
        for instance in ([of_id(each) for each in asked] or list(find(_INSTANCES).values()))
        if is_there(instance) and re.match(r"t\d", instance["InstanceType"])
    ]
    # Those that RunInstances made have MiniStack's answer.
    found = [
        {"instanceId": each["InstanceId"], "cpuCredits": each.get("CpuCredits", "standard")}
        for each in burstable
    ]
    return answers.xml("instanceCreditSpecificationSet", found)


def _modify_metadata_options(parameters: Parameters) -> str:
    instance = of_id(answers.first(parameters, "InstanceId"))
    options = dict(instance.get("MetadataOptions") or {})
    for name in _METADATA:
        if value := answers.first(parameters, name):
            options[name] = value
    instance["MetadataOptions"] = options
    view = _lower({"State": "pending", **options})
    answered = {"instanceId": instance["InstanceId"], "instanceMetadataOptions": view}
    return answers.elements(answered)


def _check_protection(parameters: Parameters) -> None:
    for instance_id in answers.members(parameters, "InstanceId"):
        if of_id(instance_id).get("DisableApiTermination"):
            raise Refusal(
                "OperationNotPermitted",
                f"The instance '{instance_id}' may not be terminated. Modify its "
                "'disableApiTermination' instance attribute and try again.",
            )


def terminate(id: str) -> None:
    """Terminate an instance; raises Refusal if it is protected."""
    _check_protection({"InstanceId.1": id})
    answers.action("TerminateInstances")({"InstanceId.1": id})


def _let_go() -> None:
    """Take from terminated instances what goes with them."""
    for instance in find(_INSTANCES).values():
        if is_there(instance) or not instance["SubnetId"]:
            continue
        instance_interfaces.release(instance["InstanceId"])
        instance_volumes.release(instance["InstanceId"])
        answers.untag(instance["InstanceId"])
        instance.update(dict.fromkeys(_NOT_OF_TERMINATED, ""))
        instance.update(SecurityGroups=[], BlockDeviceMappings=[], IamInstanceProfile=None)
        instance["Reason"] = f"User initiated ({ec2_calls.now()})"


def install() -> None:
    """Replace the calls."""
    _FIELDS.replace(lambda _: lambda instance: answers.xml("item", _view(instance)))
    answers.answer("DescribeInstances", _describe)
    answers.answer("DescribeInstanceAttribute", _describe_attribute)
    answers.answer("DescribeInstanceCreditSpecifications", _describe_credits)
    answers.answer("ModifyInstanceAttribute", _modify_attribute)
    answers.answer("ModifyInstanceMetadataOptions", _modify_metadata_options)
    answers.guard("TerminateInstances", _check_protection)
    ec2_calls.afterwards("TerminateInstances", _let_go)

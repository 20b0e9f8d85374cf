"""The volumes that an instance is launched with, and what DescribeVolumes says of volumes.

- "Block device mappings for volumes on Amazon EC2 instances": the image's mappings, overridden
  for the root volume in size, type, encryption and `DeleteOnTermination`
  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/block-device-mapping-concepts.html
- "Amazon EBS volume types" (IOPS and throughput by default)
  https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html
- Volume
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Volume.html
read 2026-11-21.
"""

from __future__ import annotations

from typing import Any

from local_cloud import ec2_answers as answers
from local_cloud import ec2_calls
from local_cloud.ec2_answers import Refusal
from local_cloud.ec2_calls import EC2, Record, yes
from local_cloud.ground import Hook, find

_VOLUMES = Hook(EC2, "_volumes")
_INNER = Hook(EC2, "_volume_inner_xml", ("vol",))
HOOKS = (_VOLUMES, _INNER)

_DEFAULT_TYPE = "gp2"
_GP3_IOPS, _GP3_THROUGHPUT = 3000, 125
_GP2_IOPS_EACH_GIB, _GP2_LEAST, _GP2_MOST = 3, 100, 16000

Properties = dict[str, Any]


def plan(wanted: Properties, image: Record) -> list[Record]:
    """Return the volumes of an instance: `DeviceName`, and what `Ebs` says, complete.

    Raises:
        Refusal: A volume is too small for its image, or has no size.
    """
    ebs = {each["DeviceName"]: dict(each.get("Ebs") or {}) for each in image["BlockDeviceMappings"]}
    snapshots = {name: int(each.get("VolumeSize", 0)) for name, each in ebs.items()}
    for mapping in wanted.get("BlockDeviceMappings") or []:
        name = mapping["DeviceName"]
        if "NoDevice" in mapping:
            ebs.pop(name, None)
        elif "Ebs" in mapping:
            ebs[name] = ebs.get(name, {}) | mapping["Ebs"]
    return [_complete(name, each, snapshots.get(name, 0)) for name, each in ebs.items()]


def _complete(device: str, ebs: Properties, snapshot_size: int) -> Record:
    size = int(ebs.get("VolumeSize") or snapshot_size)
    if not size:
        raise Refusal(
            "MissingParameter", "The request must contain the parameter size or snapshotId"
        )
    if size < snapshot_size:
        raise Refusal(
            "InvalidBlockDeviceMapping",
            f"Volume of size {size}GB is smaller than snapshot '{ebs.get('SnapshotId')}', "
            f"expect size >= {snapshot_size}GB",
        )
    kind = ebs.get("VolumeType") or _DEFAULT_TYPE
    encrypted = yes(ebs.get("Encrypted", False)) or bool(ebs.get("KmsKeyId"))
    return {
        "DeviceName": device,
        "Size": size,
        "VolumeType": kind,
        "SnapshotId": ebs.get("SnapshotId", ""),
        "Iops": int(ebs.get("Iops") or _default_iops(kind, size)),
        "Throughput": int(ebs.get("Throughput") or (_GP3_THROUGHPUT if kind == "gp3" else 0)),
        "Encrypted": encrypted,
        "KmsKeyId": _key(ebs.get("KmsKeyId")) if encrypted else None,
        "DeleteOnTermination": yes(ebs.get("DeleteOnTermination", True)),
    }


def _default_iops(kind: str, size: int) -> int:
    if kind == "gp3":
        return _GP3_IOPS
    if kind == "gp2":
        return min(max(size * _GP2_IOPS_EACH_GIB, _GP2_LEAST), _GP2_MOST)
    return 0


def _key(key_id: str | None) -> str:
    """Return the ARN of a key that is given by ARN, id or alias; of the account's own if not."""
    key_id = key_id or "alias/aws/ebs"
    if key_id.startswith("arn:"):
        return key_id
    kind = "" if key_id.startswith("alias/") else "key/"
    return f"arn:aws:kms:{ec2_calls.region()}:{ec2_calls.account()}:{kind}{key_id}"


def attach(planned: Record, instance_id: str, zone: str) -> Record:
    """Make a volume and attach it; returns the mapping that the instance's record has."""
    volume_id, now = ec2_calls.new_id("vol"), ec2_calls.now()
    device, goes = planned["DeviceName"], planned["DeleteOnTermination"]
    find(_VOLUMES)[volume_id] = {
        **{name: value for name, value in planned.items() if name != "DeviceName"},
        "VolumeId": volume_id,
        "AvailabilityZone": zone,
        "State": "in-use",
        "CreateTime": now,
        "MultiAttachEnabled": False,
        "Attachments": [
            {
                "VolumeId": volume_id,
                "InstanceId": instance_id,
                "Device": device,
                "State": "attached",
                "AttachTime": now,
                "DeleteOnTermination": goes,
            }
        ],
    }
    ebs = {
        "VolumeId": volume_id,
        "Status": "attached",
        "AttachTime": now,
        "DeleteOnTermination": goes,
    }
    return {"DeviceName": device, "Ebs": ebs}


def release(instance_id: str) -> None:
    """Delete the volumes of an instance that is terminated, or detach those that stay."""
    for volume_id, volume in list(find(_VOLUMES).items()):
        attached = [each for each in volume["Attachments"] if each.get("InstanceId") == instance_id]
        if not attached:
            continue
        if attached[0]["DeleteOnTermination"]:
            del find(_VOLUMES)[volume_id]
            answers.untag(volume_id)
        else:
            volume |= {"Attachments": [], "State": "available"}


def keep_or_not(instance: Record, wanted: Properties) -> None:
    """Set `DeleteOnTermination` of an instance's volumes to what the template says."""
    for given in wanted.get("BlockDeviceMappings") or []:
        goes = yes((given.get("Ebs") or {}).get("DeleteOnTermination", True))
        for mapping in instance["BlockDeviceMappings"]:
            if mapping["DeviceName"] != given["DeviceName"]:
                continue
            mapping["Ebs"]["DeleteOnTermination"] = goes
            for attachment in find(_VOLUMES)[mapping["Ebs"]["VolumeId"]]["Attachments"]:
                attachment["DeleteOnTermination"] = goes


def _view(volume: Record) -> dict[str, Any]:
    return {
        "volumeId": volume["VolumeId"],
        "size": volume["Size"],
        "snapshotId": volume.get("SnapshotId") or "",
        "availabilityZone": volume["AvailabilityZone"],
        "status": volume["State"],
        "createTime": volume["CreateTime"],
        "volumeType": volume["VolumeType"],
        "iops": volume.get("Iops") or None,
        "throughput": volume.get("Throughput") or None,
        "encrypted": volume["Encrypted"],
        "kmsKeyId": volume.get("KmsKeyId"),
        "multiAttachEnabled": volume["MultiAttachEnabled"],
        "attachmentSet": [
            {
                "volumeId": each["VolumeId"],
                "instanceId": each["InstanceId"],
                "device": each["Device"],
                "status": each["State"],
                "attachTime": each["AttachTime"],
                "deleteOnTermination": each["DeleteOnTermination"],
            }
            for each in volume["Attachments"]
        ],
        "tagSet": answers.tag_set(volume["VolumeId"]) or None,
    }


def install() -> None:
    """Describe volumes with their key and throughput, too."""
    _INNER.replace(lambda _: lambda volume: answers.elements(_view(volume)))

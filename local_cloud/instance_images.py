"""The images that instances start from: Amazon Linux 2023, for both architectures, in releases.

MiniStack has one Amazon Linux 2023 image, for x86_64. Here each release has one for each kernel
and architecture, and a newer release can be published (see `public_parameters`).

- "AL2023 on Amazon EC2"
  https://docs.aws.amazon.com/linux/al2023/ug/ec2.html
- Image (`ImdsSupport`: "If v2.0, it indicates that IMDSv2 is specified in the AMI")
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Image.html
- DescribeImages, and its errors InvalidAMIID.Malformed and InvalidAMIID.NotFound
  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
read 2026-11-21.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from local_cloud import ec2_answers as answers
from local_cloud.ec2_answers import Parameters, Refusal
from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Callable

_EC2 = "ministack.services.ec2"
_STUBS = Hook(_EC2, "_STUB_AMIS")
_STUB_VIEW = Hook(
    _EC2,
    "_stub_image_view",
    ("ami_id", "name", "desc", "platform", "root_device", "owner_id", "owner_alias"),
)
_REGISTERED = Hook(_EC2, "_registered_image", ("image_id",))
_REGISTERED_VIEW = Hook(_EC2, "_image_view", ("image",))
_MAPPINGS = Hook(_EC2, "_image_bdm_xml", ("view",))
HOOKS = (*answers.HOOKS, _STUBS, _STUB_VIEW, _REGISTERED, _REGISTERED_VIEW, _MAPPINGS)

ARCHITECTURES = ("arm64", "x86_64")
KERNELS = ("6.1", "6.12")
_FIRST_OF_MINISTACK = {("6.1", "x86_64"): "ami-0c2023a1b2c3d4e5f"}
_VERSION = "2023.6.20241010"
_CREATED = "2024-10-10T00:00:00.000Z"
_AMAZON = "137112412989"
_ROOT_DEVICE = "/dev/xvda"
_ROOT_GIB = 8

View = dict[str, Any]
# When each release was published, oldest first.
_releases: list[str] = []


def image_id(release: int, kernel: str, architecture: str) -> str:
    """Return the id of an image of a release, which are counted from 0."""
    if release == 0 and (kernel, architecture) in _FIRST_OF_MINISTACK:
        return _FIRST_OF_MINISTACK[kernel, architecture]
    digest = hashlib.sha256(_name(release, kernel, architecture).encode()).hexdigest()
    return f"ami-0{digest[:16]}"


def _name(release: int, kernel: str, architecture: str) -> str:
    return f"al2023-ami-{_VERSION}.{release}-kernel-{kernel}-{architecture}"


def publish(created: str = _CREATED) -> int:
    """Publish a release that was created then; returns its number."""
    release = len(_releases)
    _releases.append(created)
    stubs = find(_STUBS)
    known = {stub[0] for stub in stubs}
    for kernel in KERNELS:
        for architecture in ARCHITECTURES:
            ami = image_id(release, kernel, architecture)
            name = _name(release, kernel, architecture)
            about = f"Amazon Linux 2023 AMI {_VERSION}.{release} {architecture} HVM kernel-{kernel}"
            if ami not in known:
                stubs.append((ami, name, about, "", _ROOT_DEVICE, _AMAZON, "amazon"))
    return release


def newest() -> int:
    """Return the number of the newest release."""
    return len(_releases) - 1


def find_image(id: str) -> View:
    """Return an image as MiniStack describes it.

    Raises:
        Refusal: There is none with this id.
    """
    if not re.fullmatch(r"ami-([0-9a-f]{8}|[0-9a-f]{17})", id):
        raise Refusal("InvalidAMIID.Malformed", f'Invalid id: "{id}" (expecting "ami-...")')
    registered = find(_REGISTERED)(id)
    if registered is not None:
        return dict(find(_REGISTERED_VIEW)(registered))
    for stub in find(_STUBS):
        if stub[0] == id:
            return dict(find(_STUB_VIEW)(*stub))
    raise Refusal("InvalidAMIID.NotFound", f"The image id '[{id}]' does not exist")


def architecture_of(instance_type: str) -> str:
    """Return the architecture of an instance type: Graviton families have a g after the number.

    Raises:
        Refusal: This is no instance type.
    """
    found = re.fullmatch(
        r"(?:u-)?[a-z]+\d*([a-z0-9-]*)\.(?:nano|micro|small|medium|large|\d*xlarge|metal(?:-.+)?)",
        instance_type,
    )
    if found is None:
        raise Refusal("InvalidParameterValue", f"Invalid value '{instance_type}' for InstanceType.")
    graviton = "g" in found[1] or instance_type.startswith("a1.")
    return "arm64" if graviton else "x86_64"


def check_type(instance_type: str, image: View) -> None:
    """Refuse an instance type that cannot run the image."""
    type_has, image_has = architecture_of(instance_type), image["Architecture"]
    if type_has != image_has:
        raise Refusal(
            "InvalidParameterValue",
            f"The architecture '{type_has}' of the specified instance type does not match the "
            f"architecture '{image_has}' of the specified AMI. Specify an instance type and an AMI "
            "that have matching architectures, and try again. You can use "
            "'describe-instance-types' or 'describe-images' to discover the architecture of the "
            "instance type or AMI.",
        )


def _root_mapping(id: str) -> View:
    snapshot = f"snap-0{hashlib.sha256(id.encode()).hexdigest()[:16]}"
    ebs = {
        "SnapshotId": snapshot,
        "VolumeSize": str(_ROOT_GIB),
        "VolumeType": "gp3",
        "DeleteOnTermination": "true",
    }
    return {"DeviceName": _ROOT_DEVICE, "Ebs": ebs}


def _with_release(view: Callable[..., View]) -> Callable[..., View]:
    def viewed(id: str, name: str, *rest: str | None) -> View:
        image = view(id, name, *rest)
        image["BlockDeviceMappings"] = [_root_mapping(id)] if not image["Platform"] else []
        if found := re.match(rf"al2023-ami-{_VERSION}\.(\d+)-kernel-.*-(arm64|x86_64)$", name):
            image["Architecture"] = found[2]
            image["CreationDate"] = _releases[int(found[1])]
            image["ImdsSupport"] = "v2.0"
        return image

    return viewed


def _with_more(mappings: Callable[[View], str]) -> Callable[[View], str]:
    """Say of an image what MiniStack leaves out, beside its block devices."""

    def written(view: View) -> str:
        more = {"creationDate": view.get("CreationDate"), "imdsSupport": view.get("ImdsSupport")}
        return mappings(view) + answers.elements(more)

    return written


def _check_describe(parameters: Parameters) -> None:
    for asked in answers.members(parameters, "ImageId"):
        find_image(asked)


def install() -> None:
    """Publish the first release, and refuse images that do not exist."""
    _STUB_VIEW.replace(_with_release)
    _MAPPINGS.replace(_with_more)
    answers.guard("DescribeImages", _check_describe)
    _releases.clear()
    publish()

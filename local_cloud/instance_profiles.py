"""What `Ref` of an instance profile gives: its name, which is what an instance is given.

MiniStack gives the ARN.

- AWS::IAM::InstanceProfile ("Ref returns the name of the instance profile")
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-instanceprofile.html
read 2026-11-21.
"""

from __future__ import annotations

from local_cloud.ec2_calls import FORMATION, Made, Properties
from local_cloud.ground import Hook, find

_PROFILES = Hook("ministack.services.iam", "_instance_profiles")
_HANDLERS = Hook(FORMATION, "_RESOURCE_HANDLERS")
_CREATE = Hook(FORMATION, "_iam_ip_create", ("logical_id", "props", "stack_name"))
_UPDATE = Hook(
    FORMATION,
    "_iam_ip_update",
    ("physical_id", "old_props", "new_props", "stack_name", "logical_id"),
)
_DELETE = Hook(FORMATION, "_iam_ip_delete", ("physical_id", "props"))
HOOKS = (_PROFILES, _HANDLERS, _CREATE, _UPDATE, _DELETE)

_TYPE = "AWS::IAM::InstanceProfile"


def _by_name(made: Made) -> Made:
    arn, attributes = made
    return arn.rpartition("/")[2], attributes


def _arn(name: str) -> str:
    """Return the ARN that MiniStack's own code wants; a profile that is gone has none."""
    return str((find(_PROFILES).get(name) or {}).get("Arn", name))


def install() -> None:
    """Replace the ARN by the name."""
    create, update, delete = find(_CREATE), find(_UPDATE), find(_DELETE)

    def created(logical_id: str, properties: Properties, stack: str) -> Made:
        return _by_name(create(logical_id, properties, stack))

    def updated(
        name: str, old: Properties, new: Properties, stack: str, logical_id: str | None = None
    ) -> Made:
        return _by_name(update(_arn(name), old, new, stack, logical_id))

    def deleted(name: str, properties: Properties) -> None:
        delete(_arn(name), properties)

    find(_HANDLERS)[_TYPE] |= {"create": created, "update": updated, "delete": deleted}

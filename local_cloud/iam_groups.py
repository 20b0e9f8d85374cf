"""CloudFormation's groups of users, which MiniStack has in its IAM but not in its templates.

- AWS::IAM::Group
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-group.html
- AWS::IAM::UserToGroupAddition
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-usertogroupaddition.html
- DeleteGroup ("must not contain any users or have any attached policies")
  https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteGroup.html
read 2026-11-21.
"""

from __future__ import annotations

import json
from typing import Any

from local_cloud.ground import Hook, find

_IAM = "ministack.services.iam"
_FORMATION = "ministack.services.cloudformation.provisioners"
_HANDLERS = Hook(_FORMATION, "_RESOURCE_HANDLERS")
_REPLACING = Hook(_FORMATION, "_REPLACING_PROPERTIES")
# Its name says RDS; it calls any handler of a query API and raises what that refuses.
_CALL = Hook(_FORMATION, "_rds_call", ("fn", "params", "resource_type", "action"))
_NAME = Hook(
    _FORMATION, "_physical_name", ("stack_name", "logical_id", "lowercase", "max_len", "seeded")
)
_GROUPS = Hook(_IAM, "_groups")
_INLINE = Hook(_IAM, "_group_inline_policies")
_POLICY_EXISTS = Hook(_IAM, "_policy_exists", ("arn",))
_CREATE = Hook(_IAM, "_create_group", ("p",))
_DELETE = Hook(_IAM, "_delete_group", ("p",))
_ATTACH = Hook(_IAM, "_attach_group_policy", ("p",))
_DETACH = Hook(_IAM, "_detach_group_policy", ("p",))
_PUT_POLICY = Hook(_IAM, "_put_group_policy", ("p",))
_DELETE_POLICY = Hook(_IAM, "_delete_group_policy", ("p",))
_ADD_USER = Hook(_IAM, "_add_user_to_group", ("p",))
_REMOVE_USER = Hook(_IAM, "_remove_user_from_group", ("p",))
HOOKS = (
    _HANDLERS,
    _REPLACING,
    _CALL,
    _NAME,
    _GROUPS,
    _INLINE,
    _POLICY_EXISTS,
    _CREATE,
    _DELETE,
    _ATTACH,
    _DETACH,
    _PUT_POLICY,
    _DELETE_POLICY,
    _ADD_USER,
    _REMOVE_USER,
)

_GROUP = "AWS::IAM::Group"
_ADDITION = "AWS::IAM::UserToGroupAddition"
_LONGEST_NAME = 128

Properties = dict[str, Any]
Made = tuple[str, dict[str, str]]


def _do(hook: Hook, type: str, action: str, **parameters: str) -> None:
    find(_CALL)(find(hook), parameters, type, action)


def _name(stack: str, logical_id: str) -> str:
    return str(find(_NAME)(stack, logical_id, max_len=_LONGEST_NAME))


def _policies(properties: Properties) -> dict[str, str]:
    """Return the documents of the template's inline policies by name."""
    given = properties.get("Policies") or []
    documents = {policy["PolicyName"]: policy["PolicyDocument"] for policy in given}
    return {
        name: document if isinstance(document, str) else json.dumps(document)
        for name, document in documents.items()
    }


def _reconcile(name: str, old: Properties, new: Properties, action: str) -> None:
    """Bring the attached and inline policies from the old template's to the new one's."""
    had, wanted = (set(given.get("ManagedPolicyArns") or []) for given in (old, new))
    for arn in sorted(had - wanted):
        if arn in find(_GROUPS)[name]["AttachedPolicies"]:
            _do(_DETACH, _GROUP, action, GroupName=name, PolicyArn=arn)
    for arn in sorted(wanted - had):
        if not find(_POLICY_EXISTS)(arn):
            raise ValueError(f"{_GROUP} {action} failed: NoSuchEntity: Policy {arn} does not exist")
        _do(_ATTACH, _GROUP, action, GroupName=name, PolicyArn=arn)
    before, after = _policies(old), _policies(new)
    for policy in sorted(before.keys() - after.keys()):
        if policy in (find(_INLINE).get(name) or {}):
            _do(_DELETE_POLICY, _GROUP, action, GroupName=name, PolicyName=policy)
    for policy, document in after.items():
        if before.get(policy) != document:
            _do(
                _PUT_POLICY,
                _GROUP,
                action,
                GroupName=name,
                PolicyName=policy,
                PolicyDocument=document,
            )


def _create_group(logical_id: str, properties: Properties, stack: str) -> Made:
    name = properties.get("GroupName") or _name(stack, logical_id)
    path = properties.get("Path") or "/"
    _do(_CREATE, _GROUP, "create", GroupName=name, Path=path)
    try:
        _reconcile(name, {}, properties, "create")
    except ValueError:
        find(_GROUPS).pop(name)
        raise
    return name, {"Arn": find(_GROUPS)[name]["Arn"]}


def _update_group(
    name: str, old: Properties, new: Properties, stack: str, logical_id: str | None = None
) -> Made:
    group = find(_GROUPS).get(name)
    if group is None:
        return _create_group(logical_id or name, new, stack)
    path = new.get("Path") or "/"
    if path != group["Path"]:
        group["Path"] = path
        group["Arn"] = f"{group['Arn'].partition(':group/')[0]}:group{path}{name}"
    _reconcile(name, old, new, "update")
    return name, {"Arn": group["Arn"]}


def _delete_group(name: str, properties: Properties) -> None:
    group = find(_GROUPS).get(name)
    if group is None:
        return
    if group["Users"]:
        raise ValueError(
            "DeleteConflict: Cannot delete entity, must remove users from group first."
        )
    _reconcile(name, properties, {}, "delete")
    if group["AttachedPolicies"] or find(_INLINE).get(name):
        raise ValueError("DeleteConflict: Cannot delete entity, must delete policies first.")
    _do(_DELETE, _GROUP, "delete", GroupName=name)


def _create_addition(logical_id: str, properties: Properties, stack: str) -> Made:
    group = properties["GroupName"]
    for user in properties["Users"]:
        _do(_ADD_USER, _ADDITION, "create", GroupName=group, UserName=user)
    return _name(stack, logical_id), {}


def _update_addition(id: str, old: Properties, new: Properties, _stack: str) -> Made:
    group = new["GroupName"]
    stay = set(new["Users"]) if group == old["GroupName"] else set()
    for user in new["Users"]:
        _do(_ADD_USER, _ADDITION, "update", GroupName=group, UserName=user)
    _remove(old["GroupName"], set(old["Users"]) - stay)
    return id, {}


def _delete_addition(_id: str, properties: Properties) -> None:
    _remove(properties["GroupName"], set(properties["Users"]))


def _remove(group: str, users: set[str]) -> None:
    """Take users out of a group; who is out already may be."""
    members = (find(_GROUPS).get(group) or {"Users": []})["Users"]
    for user in sorted(users.intersection(members)):
        _do(_REMOVE_USER, _ADDITION, "delete", GroupName=group, UserName=user)


def install() -> None:
    """Register the two types."""
    find(_HANDLERS).update(
        {
            _GROUP: {
                "create": _create_group,
                "update": _update_group,
                "update_with_logical_id": True,
                "delete": _delete_group,
            },
            _ADDITION: {
                "create": _create_addition,
                "update": _update_addition,
                "delete": _delete_addition,
            },
        }
    )
    find(_REPLACING)[_GROUP] = ("GroupName",)

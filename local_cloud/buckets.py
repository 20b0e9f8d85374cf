"""CloudFormation's buckets: every property that our templates set, and no loss on deletion.

MiniStack drops a bucket's `Tags`, `BucketEncryption`, `LifecycleConfiguration` and every
`VersioningConfiguration` but "Enabled", and deletes a bucket with all that is in it. On AWS the
properties can be read back, the stack's own tags are on the bucket too, and "you can only
delete empty buckets": otherwise the stack ends in DELETE_FAILED.

- AWS::S3::Bucket
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html
- Rule of its lifecycle
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-s3-bucket-rule.html
- Resource tag
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-resource-tags.html
- DeleteBucket
  https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html
read 2026-11-21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Made = tuple[str, dict[str, Any]]

_S3 = "ministack.services.s3"
_FORMATION = "ministack.services.cloudformation.provisioners"
_HANDLERS = Hook(_FORMATION, "_RESOURCE_HANDLERS")
_CONFIGURATIONS = Hook(_FORMATION, "_S3_BUCKET_CONFIGURATIONS")
_STACK_TAGS = Hook(_FORMATION, "_STACK_TAG_PROPERTY")
_RECONCILE_TAGS = Hook(
    _FORMATION, "_reconcile_tag_map", ("store", "old_props", "new_props", "prop")
)
_TAGS = Hook(_S3, "_bucket_tags")
_DELETE = Hook(_S3, "_delete_bucket", ("name",))
_PUT_ENCRYPTION = Hook(_S3, "_put_bucket_encryption", ("name", "body"))
_DELETE_ENCRYPTION = Hook(_S3, "_delete_bucket_encryption", ("name",))
_PUT_VERSIONING = Hook(_S3, "_put_bucket_versioning", ("name", "body"))
_LIFECYCLES = Hook(_S3, "_bucket_lifecycle")
_LIFECYCLE_ERROR = Hook(_S3, "_lifecycle_rules_error", ("rules",))
HOOKS = (
    _HANDLERS,
    _CONFIGURATIONS,
    _STACK_TAGS,
    _RECONCILE_TAGS,
    _TAGS,
    _DELETE,
    _PUT_ENCRYPTION,
    _DELETE_ENCRYPTION,
    _PUT_VERSIONING,
    _LIFECYCLES,
    _LIFECYCLE_ERROR,
)

_TYPE = "AWS::S3::Bucket"
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_NOT_FOUND = 404
_REFUSED = 400


def encryption_xml(wanted: dict[str, Any]) -> bytes:
    """Return the body of PutBucketEncryption for the template's `BucketEncryption`."""
    root = ElementTree.Element("ServerSideEncryptionConfiguration", xmlns=_NAMESPACE)
    for rule in wanted.get("ServerSideEncryptionConfiguration") or []:
        element = ElementTree.SubElement(root, "Rule")
        if default := rule.get("ServerSideEncryptionByDefault"):
            applied = ElementTree.SubElement(element, "ApplyServerSideEncryptionByDefault")
            for name in ("SSEAlgorithm", "KMSMasterKeyID"):
                if name in default:
                    ElementTree.SubElement(applied, name).text = str(default[name])
        with_key = str(rule.get("BucketKeyEnabled", False)).lower()
        ElementTree.SubElement(element, "BucketKeyEnabled").text = with_key
    return ElementTree.tostring(root)


def versioning_xml(wanted: dict[str, Any]) -> bytes:
    """Return the body of PutBucketVersioning for the template's `VersioningConfiguration`."""
    root = ElementTree.Element("VersioningConfiguration", xmlns=_NAMESPACE)
    ElementTree.SubElement(root, "Status").text = str(wanted.get("Status", "Suspended"))
    return ElementTree.tostring(root)


def lifecycle_rules(wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the template's `LifecycleConfiguration` as the rules that the API knows."""
    return [_lifecycle_rule(rule) for rule in wanted.get("Rules") or []]


def _lifecycle_rule(rule: dict[str, Any]) -> dict[str, Any]:
    made = {"Status": rule["Status"], "Filter": _filter(rule)}
    if "Id" in rule:
        made["ID"] = rule["Id"]
    expiration = {
        "Days": _number(rule.get("ExpirationInDays")),
        "Date": rule.get("ExpirationDate"),
        "ExpiredObjectDeleteMarker": _truth(rule.get("ExpiredObjectDeleteMarker")),
    }
    noncurrent = rule.get("NoncurrentVersionExpiration") or {
        "NoncurrentDays": rule.get("NoncurrentVersionExpirationInDays")
    }
    abort = rule.get("AbortIncompleteMultipartUpload") or {}
    parts = {
        "Expiration": expiration,
        "NoncurrentVersionExpiration": {k: _number(v) for k, v in noncurrent.items()},
        "AbortIncompleteMultipartUpload": {k: _number(v) for k, v in abort.items()},
    }
    for name, part in parts.items():
        if given := {key: value for key, value in part.items() if value is not None}:
            made[name] = given
    if moves := list(_transitions(rule, "Transition", "Days")):
        made["Transitions"] = moves
    if moves := list(_transitions(rule, "NoncurrentVersionTransition", "NoncurrentDays")):
        made["NoncurrentVersionTransitions"] = moves
    return made


def _filter(rule: dict[str, Any]) -> dict[str, Any]:
    """Return the one condition, or several under "And"; no condition is the empty prefix."""
    tags = rule.get("TagFilters") or []
    given = {name: rule[name] for name in ("Prefix",) if name in rule}
    for name in ("ObjectSizeGreaterThan", "ObjectSizeLessThan"):
        if name in rule:
            given[name] = _number(rule[name])
    if len(tags) + len(given) > 1:
        return {"And": given | ({"Tags": tags} if tags else {})}
    if tags:
        return {"Tag": tags[0]}
    return given or {"Prefix": ""}


def _transitions(rule: dict[str, Any], name: str, days: str) -> Iterator[dict[str, Any]]:
    """Give the transitions of one kind; the template has the first in the singular too."""
    for move in rule.get(f"{name}s") or ([rule[name]] if name in rule else []):
        given = {
            days: _number(move.get("TransitionInDays")),
            "Date": move.get("TransitionDate"),
            "NewerNoncurrentVersions": _number(move.get("NewerNoncurrentVersions")),
            "StorageClass": move["StorageClass"],
        }
        yield {key: value for key, value in given.items() if value is not None}


def _number(value: object) -> int | None:
    return None if value is None else int(str(value))


def _truth(value: object) -> bool | None:
    return None if value is None else str(value).lower() == "true"


def _put_lifecycle(name: str, rules: list[dict[str, Any]]) -> None:
    if refusal := find(_LIFECYCLE_ERROR)(rules):
        raise ValueError(f"{_TYPE} LifecycleConfiguration rejected: {refusal[2]!r}")
    find(_LIFECYCLES)[name] = rules


def _delete_lifecycle(name: str) -> None:
    find(_LIFECYCLES).pop(name, None)


def _put_versioning(name: str, body: bytes) -> None:
    _accepted(find(_PUT_VERSIONING)(name, body))


def _suspend(name: str) -> None:
    """Do what AWS does for a versioned bucket whose template says nothing any more."""
    _put_versioning(name, versioning_xml({}))


def _put_encryption(name: str, body: bytes) -> None:
    _accepted(find(_PUT_ENCRYPTION)(name, body))


def _delete_encryption(name: str) -> None:
    find(_DELETE_ENCRYPTION)(name)


def _accepted(answer: tuple[int, dict[str, str], bytes]) -> None:
    if answer[0] >= _REFUSED:
        raise ValueError(f"{_TYPE} rejected: {answer[2]!r}")


def _delete(name: str, _properties: object) -> None:
    """Delete an empty bucket; one that is gone already is as good."""
    status, _headers, body = find(_DELETE)(name)
    if status in (_NOT_FOUND, 204):
        return
    root = ElementTree.fromstring(body)  # noqa: S314 -- MiniStack's own answer
    raise ValueError(
        f"{root.findtext('Message')} "
        f"(Service: Amazon S3; Status Code: {status}; Error Code: {root.findtext('Code')})"
    )


def _tag(name: str, old: dict[str, Any], new: dict[str, Any]) -> None:
    tags = dict(find(_TAGS).get(name) or {})
    find(_RECONCILE_TAGS)(tags, old, new)
    find(_TAGS)[name] = tags


def _extended(handler: dict[str, Callable[..., Made]]) -> dict[str, Callable[..., Any]]:
    def create(logical_id: str, properties: dict[str, Any], stack: str) -> Made:
        made = handler["create"](logical_id, properties, stack)
        _tag(made[0], {}, properties)
        return made

    def update(id: str, old: dict[str, Any], new: dict[str, Any], stack: str) -> Made:
        made = handler["update"](id, old, new, stack)
        _tag(made[0], old if made[0] == id else {}, new)
        return made

    return {**handler, "create": create, "update": update, "delete": _delete}


def install() -> None:
    """Register the properties and wrap the handlers of buckets."""
    find(_STACK_TAGS)[_TYPE] = ("Tags", "list")
    handlers = find(_HANDLERS)
    handlers[_TYPE] = _extended(handlers[_TYPE])
    _CONFIGURATIONS.replace(
        lambda known: (
            *known,
            ("BucketEncryption", encryption_xml, _put_encryption, _delete_encryption),
            ("LifecycleConfiguration", lifecycle_rules, _put_lifecycle, _delete_lifecycle),
            ("VersioningConfiguration", versioning_xml, _put_versioning, _suspend),
        )
    )

"""What S3 lets a caller do with objects, where MiniStack's answer is not AWS's.

- DeleteObjects is allowed or refused object by object: `s3:DeleteObjectVersion` for an object
  with a version id, `s3:DeleteObject` for one without. What is refused is an `Error` in an
  answer with status 200. MiniStack asks for `s3:DeleteObject` on the first object whatever it
  is, and refuses the whole call.
  https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
- Who may not list a bucket cannot find out what is not in it: GetObject and HeadObject of a
  missing key are 403 AccessDenied without `s3:ListBucket`. MiniStack says 404.
  https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
read 2026-11-21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Callable

_S3 = "ministack.services.s3"
_ACTIONS = "ministack.core.iam_actions"
_DISPATCH = Hook(_S3, "_dispatch", ("method", "bucket", "key", "headers", "body", "query_params"))
_PARSE = Hook(_S3, "fromstring")
_EXTRACT = Hook(_ACTIONS, "extract_iam_action")
_ACTION = Hook(_ACTIONS, "_s3_action", ("method", "path", "query_params"))
_ACCESS_KEY = Hook("ministack.app", "extract_access_key_id")
_ENFORCE = Hook(
    "ministack.app",
    "_enforce_data_plane",
    (
        "service",
        "iam_action",
        "headers",
        "query_params",
        "request_id",
        "resource_arn",
        "service_context",
        "auth_error_response",
        "named_resource",
    ),
)
HOOKS = (_DISPATCH, _PARSE, _EXTRACT, _ACTION, _ACCESS_KEY, _ENFORCE)

Headers = dict[str, str]
Query = dict[str, Any]
Response = tuple[int, Headers, bytes]

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_OK, _NOT_FOUND = 200, 404


def is_batch_delete(method: str, path: str, query: Query) -> bool:
    """Say whether this is DeleteObjects: `POST /bucket?delete`."""
    return method == "POST" and "delete" in query and "/" not in path.strip("/")


def _refusal(action: str, arn: str, headers: Headers, query: Query) -> Response | None:
    refused: Response | None = find(_ENFORCE)(
        "s3", action, headers, query, "", resource_arn=arn, named_resource=f'"{arn}"'
    )
    return refused


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _part(element: ElementTree.Element, name: str) -> str:
    return next((child.text or "" for child in element if _local(child) == name), "")


def _delete_objects(
    dispatch: Callable[..., Response], bucket: str, headers: Headers, body: bytes, query: Query
) -> Response:
    """Delete what the caller may delete, and report the rest."""
    try:
        root = find(_PARSE)(body)
    except (ElementTree.ParseError, ValueError):
        return dispatch("POST", bucket, "", headers, body, query)
    bypass = headers.get("x-amz-bypass-governance-retention", "").lower() == "true"
    refused = []
    for named in [element for element in root if _local(element) == "Object"]:
        key, version = _part(named, "Key"), _part(named, "VersionId")
        actions = ["s3:DeleteObjectVersion" if version else "s3:DeleteObject"]
        actions += ["s3:BypassGovernanceRetention"] if bypass else []
        arn = f"arn:aws:s3:::{bucket}/{key}"
        refusals = (_refusal(action, arn, headers, query) for action in actions)
        refusal = next((found for found in refusals if found), None)
        if refusal:
            root.remove(named)
            refused.append((key, version, find(_PARSE)(refusal[2])))
    if not refused:
        return dispatch("POST", bucket, "", headers, body, query)
    answer = dispatch("POST", bucket, "", headers, ElementTree.tostring(root), query)
    if answer[0] != _OK:
        return answer
    result = find(_PARSE)(answer[2])
    for key, version, why in refused:
        error = ElementTree.SubElement(result, f"{{{_NAMESPACE}}}Error")
        given = {"Key": key, "VersionId": version}
        said = {"Code": _part(why, "Code"), "Message": _part(why, "Message")}
        for name, text in (given | said).items():
            if text:
                ElementTree.SubElement(error, f"{{{_NAMESPACE}}}{name}").text = text
    return _OK, answer[1], ElementTree.tostring(result, default_namespace=_NAMESPACE)


def install() -> None:
    """Leave DeleteObjects to the objects' own checks, and wrap what S3 does with a request."""

    def without_batches(extract: Callable[..., str | None]) -> Callable[..., str | None]:
        def extracted(
            service: str, method: str, path: str, headers: Headers, body: bytes, query: Query
        ) -> str | None:
            if service == "s3" and is_batch_delete(method, path, query):
                return None
            return extract(service, method, path, headers, body, query)

        return extracted

    def make(dispatch: Callable[..., Response]) -> Callable[..., Response]:
        def dispatched(
            method: str, bucket: str, key: str, headers: Headers, body: bytes, query: Query
        ) -> Response:
            if not key and is_batch_delete(method, bucket, query):
                return _delete_objects(dispatch, bucket, headers, body, query)
            answer = dispatch(method, bucket, key, headers, body, query)
            missing = key and answer[0] == _NOT_FOUND and b"<Code>NoSuchKey</Code>" in answer[2]
            if not missing or find(_ACTION)(method, f"/{bucket}/{key}", query) != "GetObject":
                return answer
            if not find(_ACCESS_KEY)(headers, query):  # MiniStack's own reads are not signed
                return answer
            return _refusal("s3:ListBucket", f"arn:aws:s3:::{bucket}", headers, query) or answer

        return dispatched

    _EXTRACT.replace(without_batches)
    _DISPATCH.replace(make)

"""Delivery streams: puts with AWS's limits, what is refused, and CloudFormation's type.

MiniStack writes each record while the producer waits, knows no limit of a whole batch, and its
CloudFormation type ignores changed tags and encryption. Streams to S3 are served here; what goes
in is delivered by firehose.py. Streams to other destinations are left to MiniStack.

- "PutRecord", "PutRecordBatch"
  https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
- "CreateDeliveryStream" (the role is assumed; a stream's only destination has a fixed id)
  https://docs.aws.amazon.com/firehose/latest/APIReference/API_CreateDeliveryStream.html
- AWS::KinesisFirehose::DeliveryStream
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kinesisfirehose-deliverystream.html
read 2026-11-21.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from local_cloud import firehose, firehose_settings
from local_cloud.firehose_delivery import put_problem
from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Callable

    Data = dict[str, Any]
    Response = tuple[int, dict[str, str], bytes]
    Made = tuple[str, dict[str, Any]]

_FIREHOSE = "ministack.services.firehose"
_FORMATION = "ministack.services.cloudformation.provisioners"
_STREAMS = Hook(_FIREHOSE, "_streams")
_PUT = Hook(_FIREHOSE, "_put_record", ("data",))
_PUT_BATCH = Hook(_FIREHOSE, "_put_record_batch", ("data",))
_UPDATE = Hook(_FIREHOSE, "_update_destination", ("data",))
_DELIVER = Hook(_FIREHOSE, "_deliver_records_to_s3", ("stream", "dest", "records"))
_ACTIONS = Hook(_FIREHOSE, "_HANDLERS")
_VALIDATE = Hook(_FIREHOSE, "_validate_s3_destination_config", ("dtype", "cfg"))
_DESCRIBE = Hook(_FIREHOSE, "_dest_description", ("dest",))
_NEXT_ID = Hook(_FIREHOSE, "_next_dest_id", ())
_RECORD_ID = Hook(_FIREHOSE, "_record_id", ())
_ERROR = Hook(_FIREHOSE, "error_response_json")
_ANSWER = Hook(_FIREHOSE, "json_response")
_NOW = Hook(_FIREHOSE, "now_epoch")
_ACCOUNT = Hook(_FIREHOSE, "get_account_id")
_ROLES = Hook("ministack.services.iam", "_roles")
_TYPES = Hook(_FORMATION, "_RESOURCE_HANDLERS")
_STACK_TAGS = Hook(_FORMATION, "_STACK_TAG_PROPERTY")
_RECONCILE_TAGS = Hook(
    _FORMATION, "_reconcile_tag_map", ("store", "old_props", "new_props", "prop")
)
HOOKS = (
    _STREAMS,
    _PUT,
    _PUT_BATCH,
    _UPDATE,
    _DELIVER,
    _ACTIONS,
    _VALIDATE,
    _DESCRIBE,
    _NEXT_ID,
    _RECORD_ID,
    _ERROR,
    _ANSWER,
    _NOW,
    _ACCOUNT,
    _ROLES,
    _TYPES,
    _STACK_TAGS,
    _RECONCILE_TAGS,
)

_TYPE = "AWS::KinesisFirehose::DeliveryStream"
_PRINCIPAL = "firehose.amazonaws.com"
_S3 = ("ExtendedS3", "S3")
_DESTINATIONS = ("ExtendedS3DestinationConfiguration", "S3DestinationConfiguration")
_ENCRYPTION = "DeliveryStreamEncryptionConfigurationInput"
_REPLACING = ("DeliveryStreamName", "DeliveryStreamType", "KinesisStreamSourceConfiguration")
_ONLY_DESTINATION = "destinationId-000000000001"


def install() -> None:
    """Put these puts, checks and handlers in the place of MiniStack's."""
    _PUT.replace(_putting)
    _PUT_BATCH.replace(_putting_batches)
    _UPDATE.replace(_changing)
    actions = {"PutRecord": _PUT, "PutRecordBatch": _PUT_BATCH, "UpdateDestination": _UPDATE}
    find(_ACTIONS).update({name: find(hook) for name, hook in actions.items()})
    _DELIVER.replace(_delivering)
    _VALIDATE.replace(_validating)
    _DESCRIBE.replace(_describing)
    _NEXT_ID.replace(lambda _: lambda: _ONLY_DESTINATION)
    find(_STACK_TAGS)[_TYPE] = ("Tags", "list")
    handlers = find(_TYPES)
    handlers[_TYPE] = {**handlers[_TYPE], "update": _updating(handlers[_TYPE]["update"])}


def _ours(data: Data) -> dict[str, Any] | None:
    stream: dict[str, Any] | None = find(_STREAMS).get(data.get("DeliveryStreamName", ""))
    return stream if stream and _goes_to_s3(stream) else None


def _goes_to_s3(stream: dict[str, Any]) -> bool:
    return [each["type"] in _S3 for each in stream["destinations"]] == [True]


def _putting(put: Callable[[Data], Response]) -> Callable[[Data], Response]:
    def putting(data: Data) -> Response:
        stream = _ours(data)
        if stream is None:
            return put(data)
        return _accepted(stream, [data.get("Record") or {}], batch=False)

    return putting


def _putting_batches(put: Callable[[Data], Response]) -> Callable[[Data], Response]:
    def putting(data: Data) -> Response:
        stream = _ours(data)
        if stream is None:
            return put(data)
        return _accepted(stream, data.get("Records") or [], batch=True)

    return putting


def _accepted(stream: dict[str, Any], records: list[dict[str, Any]], *, batch: bool) -> Response:
    try:
        given = [base64.b64decode(record.get("Data") or "", validate=True) for record in records]
    except ValueError:
        return _refused("SerializationException", "Record.Data must be valid base64.")
    if problem := put_problem([len(each) for each in given], batch=batch):
        return _refused(*problem)
    encrypted = (stream.get("encryption") or {}).get("Status") == "ENABLED"
    ids = [{"RecordId": str(find(_RECORD_ID)())} for _ in given]
    firehose.accept(stream, given)
    if not batch:
        return _answer({**ids[0], "Encrypted": encrypted})
    return _answer({"FailedPutCount": 0, "Encrypted": encrypted, "RequestResponses": ids})


def _answer(made: dict[str, Any]) -> Response:
    answer: Response = find(_ANSWER)(made)
    return answer


def _refused(code: str, message: str) -> Response:
    answer: Response = find(_ERROR)(code, message, 400)
    return answer


def _delivering(deliver: Callable[..., None]) -> Callable[..., None]:
    """Buffer what comes from a Kinesis stream too."""

    def delivering(stream: dict[str, Any], dest: Any, records: list[tuple[str, bytes]]) -> None:  # noqa: ANN401 -- MiniStack's
        if _goes_to_s3(stream):
            dest["records"].clear()  # MiniStack keeps them for ever
            firehose.accept(stream, [data for _, data in records])
        else:
            deliver(stream, dest, records)

    return delivering


def _validating(
    validate: Callable[[str, Data], Response | None],
) -> Callable[[str, Data], Response | None]:
    def validating(dtype: str, cfg: Data) -> Response | None:
        refused = validate(dtype, cfg)
        # Without a bucket, it is the part of a configuration that UpdateDestination changes.
        if refused or dtype not in _S3 or "BucketARN" not in cfg:
            return refused
        if not may_assume(_trust_policy(str(cfg.get("RoleARN", "")))):
            return _refused(
                "InvalidArgumentException",
                f"Firehose is unable to assume role {cfg.get('RoleARN')}. "
                "Please check the role provided.",
            )
        problem = firehose_settings.problem(cfg)
        return _refused("InvalidArgumentException", problem) if problem else None

    return validating


def _changing(update: Callable[[Data], Response]) -> Callable[[Data], Response]:
    """Check what a change of a part makes of the whole."""

    def changing(data: Data) -> Response:
        stream, part = _ours(data), data.get("ExtendedS3DestinationUpdate")
        if stream and part:
            whole = {**stream["destinations"][0]["config"], **part}
            refused: Response | None = find(_VALIDATE)("ExtendedS3", whole)
            if refused:
                return refused
        return update(data)

    return changing


def _trust_policy(role: str) -> str:
    found = find(_ROLES).get_scoped(find(_ACCOUNT)(), None, role.rpartition("/")[2])
    return str(found["AssumeRolePolicyDocument"]) if found else "{}"


def may_assume(policy: str) -> bool:
    """Say whether a role's trust policy lets Firehose assume it; conditions are not looked at."""
    statements = json.loads(policy).get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal")
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        named = [services] if isinstance(services, str) else services
        if statement.get("Effect") == "Allow" and _PRINCIPAL in named:
            return True
    return False


def _describing(describe: Callable[[Data], Data]) -> Callable[[Data], Data]:
    def describing(dest: Data) -> Data:
        made = describe(dest)
        for name, description in made.items():
            if not name.endswith("S3DestinationDescription"):
                continue
            config = dest["config"]
            description.setdefault("CloudWatchLoggingOptions", {"Enabled": False})
            for option in ("FileExtension", "CustomTimeZone"):
                if option in config:
                    description[option] = config[option]
        return made

    return describing


def _updating(update: Callable[..., Made]) -> Callable[..., Made]:
    """Change a stream in place: its destination, encryption and tags."""

    def updating(id: str, old: dict[str, Any], new: dict[str, Any], stack: str) -> Made:
        stream = find(_STREAMS).get(id)
        replaces = any(old.get(name) != new.get(name) for name in _REPLACING)
        wanted = next((new[name] for name in _DESTINATIONS if name in new), None)
        if stream is None or replaces or wanted is None or not _goes_to_s3(stream):
            return update(id, old, new, stack)
        [destination] = stream["destinations"]
        if destination["config"] != wanted:
            kind = "ExtendedS3" if _DESTINATIONS[0] in new else "S3"
            if refused := find(_VALIDATE)(kind, wanted):
                raise ValueError(f"{_TYPE} update failed: {refused[2]!r}")
            destination.update(type=kind, config=wanted)
            stream.update(version=stream["version"] + 1, updated_at=find(_NOW)())
        if old.get(_ENCRYPTION) != (encryption := new.get(_ENCRYPTION)):
            stream["encryption"] = (
                {"Status": "ENABLED", "KeyType": "AWS_OWNED_CMK", **encryption}
                if encryption
                else {"Status": "DISABLED"}
            )
        find(_RECONCILE_TAGS)(stream["tags"], old, new)
        return id, {"Arn": stream["arn"]}

    return updating

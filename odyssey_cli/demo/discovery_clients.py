"""What discovery's script and service may not do, tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from odyssey_cli.flows.discovery import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from odyssey_cli.target import Target

    Calls = Mapping[str, Callable[[], Any]]


def refused_calls(target: Target, outputs: Mapping[str, str], key: str) -> dict[str, str]:
    """Try what neither role needs; return the error code of each, "" for none.

    Args:
        target: where the stack is deployed.
        outputs: of the stack.
        key: of an object that exists.
    """
    item_id = key.partition("/")[0]
    script = settings.for_script(target, settings.Given()).target
    service = settings.for_service(target, settings.Given()).target
    everybody = {
        **_of("script", _anything(script, outputs, item_id, key)),
        **_of("service", _anything(service, outputs, item_id, key)),
        **_of("script", _reads(script, outputs, item_id, key)),
        **_of("service", _writes(service, outputs, item_id, key)),
    }
    return {name: _code(call) for name, call in everybody.items()}


def _anything(to: Target, outputs: Mapping[str, str], item_id: str, key: str) -> Calls:
    """Return what neither of them does."""
    dynamodb, s3, sqs = (to.client(name) for name in ("dynamodb", "s3", "sqs"))
    table: Any = {"TableName": outputs["ItemsTable"]}
    by_key = table | {"Key": {"id": {"S": item_id}}}
    bucket: Any = {"Bucket": outputs["FilesBucket"]}
    uploaded, updated = outputs["UploadedQueueUrl"], outputs["UpdatedQueueUrl"]
    return {
        "GetItem": lambda: dynamodb.get_item(**by_key),
        "UpdateItem": lambda: dynamodb.update_item(**by_key),
        "DeleteItem": lambda: dynamodb.delete_item(**by_key),
        "Scan": lambda: dynamodb.scan(**table),
        "ListObjects": lambda: s3.list_objects_v2(**bucket),
        "DeleteObject": lambda: s3.delete_object(**bucket, Key=key),
        "receive uploaded": lambda: sqs.receive_message(QueueUrl=uploaded),
        "send updated": lambda: sqs.send_message(QueueUrl=updated, MessageBody="{}"),
        "PurgeQueue": lambda: sqs.purge_queue(QueueUrl=updated),
    }


def _reads(to: Target, outputs: Mapping[str, str], item_id: str, key: str) -> Calls:
    dynamodb, s3, sqs = (to.client(name) for name in ("dynamodb", "s3", "sqs"))
    table = outputs["ItemsTable"]
    wanted = {table: {"Keys": [{"id": {"S": item_id}}]}}
    return {
        "BatchGetItem": lambda: dynamodb.batch_get_item(RequestItems=wanted),
        "Query": lambda: dynamodb.query(
            TableName=table,
            KeyConditionExpression="id = :id",
            ExpressionAttributeValues={":id": {"S": item_id}},
        ),
        "GetObject": lambda: s3.get_object(Bucket=outputs["FilesBucket"], Key=key),
        "HeadObject": lambda: s3.head_object(Bucket=outputs["FilesBucket"], Key=key),
        "receive updated": lambda: sqs.receive_message(QueueUrl=outputs["UpdatedQueueUrl"]),
    }


def _writes(to: Target, outputs: Mapping[str, str], item_id: str, key: str) -> Calls:
    dynamodb, s3, sqs = (to.client(name) for name in ("dynamodb", "s3", "sqs"))
    item = {"id": {"S": item_id}}
    return {
        "PutItem": lambda: dynamodb.put_item(TableName=outputs["ItemsTable"], Item=item),
        "PutObject": lambda: s3.put_object(Bucket=outputs["FilesBucket"], Key=key, Body=b"{}"),
        "send uploaded": lambda: sqs.send_message(
            QueueUrl=outputs["UploadedQueueUrl"], MessageBody="{}"
        ),
    }


def _of(who: str, calls: Calls) -> Calls:
    return {f"{who}: {name}": call for name, call in calls.items()}


def _code(call: Callable[[], Any]) -> str:
    try:
        call()
    except ClientError as error:
        # HeadObject's answer has no body, only a status.
        code = error.response["Error"]["Code"]
        return "AccessDenied" if code in ("AccessDeniedException", "403") else code
    return ""

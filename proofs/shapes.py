"""What AWS hands to functions: API Gateway requests, stream records, contexts.

Shapes: "Input format of a Lambda function for proxy integration" (API Gateway) and "Using
AWS Lambda with Amazon DynamoDB" (stream records), 2026-11-21.
"""

from __future__ import annotations

import base64
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CALLER = "AROAEXAMPLEROLE:session-1"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class FakeContext:
    """The Lambda context, as far as Powertools and our functions read it."""

    function_name: str = "function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:function"
    aws_request_id: str = "52fdfc07-2182-454f-963f-5f0f9a621d72"
    remaining: int = 300_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining


def api_request(
    method: str,
    path: str,
    *,
    body: bytes | str | None = None,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    caller: str | None = CALLER,
    request_id: str | None = None,
) -> dict[str, Any]:
    """Return a REST API's proxy event; bytes come base64-encoded, as our API sends them."""
    all_headers = {"Host": "a1b2c3.execute-api.us-east-1.amazonaws.com", **(headers or {})}
    is_base64 = isinstance(body, bytes)
    text = base64.b64encode(body).decode() if isinstance(body, bytes) else body
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": all_headers,
        "multiValueHeaders": {name: [value] for name, value in all_headers.items()},
        "queryStringParameters": dict(query) if query else None,
        "multiValueQueryStringParameters": (
            {name: [value] for name, value in query.items()} if query else None
        ),
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3",
            "httpMethod": method,
            "identity": {
                "accessKey": "ASIAEXAMPLE",
                "accountId": "123456789012",
                "caller": caller,
                "sourceIp": "192.0.2.1",
                "userArn": "arn:aws:sts::123456789012:assumed-role/client/session-1",
            },
            "path": f"/v1{path}",
            "requestId": request_id or f"request-{next(_numbers)}",
            "requestTimeEpoch": 1_795_000_000_000,
            "resourcePath": path,
            "stage": "v1",
        },
        "body": text,
        "isBase64Encoded": is_base64,
    }


def stream_batch(items: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return a batch of the stream: one INSERT per stored item, in DynamoDB's JSON."""
    return {"Records": [stream_record(number, item) for number, item in enumerate(items, 1)]}


def stream_record(number: int, item: dict[str, Any]) -> dict[str, Any]:
    """Return one INSERT."""
    return {
        "eventID": f"{number:032x}",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_795_000_000,
            "Keys": {"id": item["id"]},
            "NewImage": item,
            "SequenceNumber": f"{number:021d}",
            "SizeBytes": 200,
            "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/Events/stream/1",
    }


def queue_record(
    message_id: str, body: str, *, group: str | None = None, receives: int = 1
) -> dict[str, Any]:
    """Return a message of a queue as a function gets it ("Using Lambda with Amazon SQS")."""
    of_fifo = {} if group is None else {"MessageGroupId": group}
    return {
        "messageId": message_id,
        "receiptHandle": f"handle of {message_id}",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": str(receives),
            "SentTimestamp": "1795000000000",
            **of_fifo,
        },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:Queue",
        "awsRegion": "us-east-1",
    }

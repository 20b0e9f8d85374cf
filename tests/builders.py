"""What AWS hands to functions: API Gateway requests, stream records, contexts.

Shapes: "Input format of a Lambda function for proxy integration" (API Gateway) and "Using
AWS Lambda with Amazon DynamoDB" (stream records), 2026-11-21.
"""

from __future__ import annotations

import base64
import itertools
import json
import uuid
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


def trigger(
    body: object,
    *,
    key: str | None = None,
    caller: str | None = CALLER,
    request_id: str | None = None,
    content_type: str | None = "application/json",
) -> dict[str, Any]:
    """Return `POST /trigger-event`; a body that is no bytes or text is sent as JSON."""
    headers = {"Content-Type": content_type} if content_type is not None else {}
    if key is not None:
        headers["Idempotency-Key"] = key
    raw = body if isinstance(body, bytes | str | None) else json.dumps(body).encode()
    return api_request(
        "POST", "/trigger-event", body=raw, headers=headers, caller=caller, request_id=request_id
    )


def get_summaries(**query: str) -> dict[str, Any]:
    """Return `GET /get-summary`."""
    return api_request("GET", "/get-summary", query=query)


def get_summary(id: str) -> dict[str, Any]:
    """Return `GET /get-summary/<id>`."""
    request = api_request("GET", f"/get-summary/{id}")
    return {**request, "resource": "/get-summary/{id}", "pathParameters": {"id": id}}


def stored_event(number: int, *, group: int = 0, at: str = "12:00:00.000000") -> dict[str, Any]:
    """Return an event as the producer stores it."""
    return {
        "id": {"S": str(uuid.UUID(int=number))},
        "received_at": {"S": f"2026-11-21T{at}Z"},
        "data": {"M": {"secret": {"S": "hunter2"}}},
        "group": {"S": f"{group:064x}"},
        "group_label": {"S": f'{{"secret":"hunter2","group":{group}}}'},
        "fingerprint": {"S": f"{number:064x}"},
        "correlation_id": {"S": f"request-{number}"},
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

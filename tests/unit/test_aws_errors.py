"""Which errors of AWS pass by themselves, and which somebody has to mend."""

from __future__ import annotations

from typing import Any

import pytest
from botocore import exceptions

from proofs.fakes.dynamodb import refusal
from shared.aws_errors import passes

ENDPOINT: Any = {"endpoint_url": "https://aws"}
PASSING: dict[str, Exception] = {
    "no connection": exceptions.EndpointConnectionError(**ENDPOINT),
    "no connection in time": exceptions.ConnectTimeoutError(**ENDPOINT),
    "any error of a connection": exceptions.ConnectionError(error=OSError("broken")),
    "a connection that was closed": exceptions.ConnectionClosedError(**ENDPOINT),
    "no answer in time": exceptions.ReadTimeoutError(**ENDPOINT),
    "any error of the HTTP client": exceptions.HTTPClientError(error="broken"),
    "half an answer": exceptions.ResponseStreamingError(error="broken"),
    **{
        f"status {status}": refusal("InternalError", "ReceiveMessage", status=status)
        for status in (500, 502, 503, 504)
    },
    "an error of the service with any code": refusal("AccessDenied", "Any", status=500),
    **{
        f"{code} with status {status}": refusal(code, "ReceiveMessage", status=status)
        for code in ("OverLimit", "RequestThrottled", "ThrottlingException", "Throttling")
        for status in (400, 403)
    },
}
STAYING: dict[str, Exception] = {
    **{
        f"{code} with status {status}": refusal(code, "ReceiveMessage", status=status)
        for code, status in {
            "AccessDenied": 403,
            "AccessDeniedException": 400,
            "QueueDoesNotExist": 400,
            "AWS.SimpleQueueService.NonExistentQueue": 400,
            "ExpiredToken": 403,
            "InternalError": 499,
            "InvalidParameterValue": 400,
        }.items()
    },
    "no credentials": exceptions.NoCredentialsError(),
    "no region": exceptions.NoRegionError(),
    "wrong arguments": exceptions.ParamValidationError(report="wrong"),
    "an error of Python's": ConnectionResetError(),
    "a mistake of ours": KeyError("MessageId"),
}


@pytest.mark.parametrize("error", PASSING.values(), ids=PASSING.keys())
def test_what_may_succeed_later_passes(error: Exception) -> None:
    assert passes(error)


@pytest.mark.parametrize("error", STAYING.values(), ids=STAYING.keys())
def test_what_somebody_has_to_mend_does_not_pass(error: Exception) -> None:
    assert not passes(error)


def test_an_error_that_tells_no_status_does_not_pass() -> None:
    error: Any = refusal("AccessDenied", "ReceiveMessage")
    error.response["ResponseMetadata"].clear()
    assert not passes(error)

"""Payload format 2.0: what of an answer API Gateway can pass on, and what functions are sent."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import pytest

from local_cloud.http_apis import event, is_failure, route_arn
from tests.conformance.pages import HTTP_API, HTTP_API_ERRORS, Page


@dataclass(frozen=True)
class Case:
    says: str
    page: Page
    result: dict[str, Any] | None
    fails: bool


CASES = [
    Case("a status code is enough", HTTP_API, {"body": {"statusCode": 204}}, False),
    Case("any JSON without one is a body", HTTP_API, {"body": {"a": 1}}, False),
    Case("so is text", HTTP_API, {"body": "Hello from Lambda!"}, False),
    Case("and nothing at all", HTTP_API, {"body": None}, False),
    Case(
        "headers, cookies and an encoded body belong to the format",
        HTTP_API,
        {
            "body": {
                "statusCode": 200,
                "headers": {"a": "b", "n": 1},
                "cookies": ["a=b"],
                "isBase64Encoded": True,
                "body": "AP8=",
            }
        },
        False,
    ),
    Case("an object is no body", HTTP_API, {"body": {"statusCode": 200, "body": {}}}, True),
    Case("a word is no status", HTTP_API, {"body": {"statusCode": "ok"}}, True),
    Case("nor is truth", HTTP_API, {"body": {"statusCode": True}}, True),
    Case("nor is a thousand", HTTP_API, {"body": {"statusCode": 1000}}, True),
    Case("a list is no headers", HTTP_API, {"body": {"statusCode": 200, "headers": []}}, True),
    Case("text is no cookies", HTTP_API, {"body": {"statusCode": 200, "cookies": "a=b"}}, True),
    Case(
        "what says it is base64 must be",
        HTTP_API,
        {"body": {"statusCode": 200, "isBase64Encoded": True, "body": "?"}},
        True,
    ),
    Case("an error is a failure", HTTP_API_ERRORS, {"error": True, "body": {}}, True),
    Case(
        "also one with a status",
        HTTP_API_ERRORS,
        {"error": True, "body": {"statusCode": 200}},
        True,
    ),
    Case("a throttle is a failure", HTTP_API_ERRORS, {"throttle": True}, True),
    Case("a function that did not run failed", HTTP_API_ERRORS, None, True),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_an_answer_is_passed_on_or_a_failure(case: Case) -> None:
    assert is_failure(case.result) is case.fails


def given(**more: Any) -> dict[str, Any]:
    return {
        "headers": {},
        "requestContext": {"requestId": "x", "stage": "$default"},
        "pathParameters": None,
        "isBase64Encoded": False,
        **more,
    }


def test_bytes_that_are_no_text_are_never_damaged() -> None:
    body = b'{"a": "\xff"}'

    made = event(given(body='{"a": "\ufffd"}'), body, "id")

    assert made["isBase64Encoded"] is True
    assert base64.b64decode(made["body"]) == body
    text = "Åsa 😀"
    assert event(given(body=text), text.encode(), "id")["body"] == text


def test_cookies_have_a_list_and_path_parameters_are_decoded_wholly() -> None:
    # HTTP_API: "Format 2.0 includes a new cookies field"
    made = event(
        given(headers={"cookie": "a=1; b=2", "x": "y"}, pathParameters={"id": "50%25"}), b"", "id"
    )

    assert made["cookies"] == ["a=1", "b=2"]
    assert made["headers"] == {"x": "y"}
    assert made["pathParameters"] == {"id": "50%"}
    assert made["requestContext"] == {"requestId": "id", "stage": "$default"}
    assert not {"cookies", "pathParameters"} & event(given(), b"", "id").keys()


@pytest.mark.parametrize(
    ("route_key", "rest"),
    [
        ("POST /things/{id}", "POST/things/{id}"),
        ("ANY /things", "POST/things"),
        ("$default", "$default"),
    ],
)
def test_a_permission_is_for_a_route(route_key: str, rest: str) -> None:
    # HTTP_API_ERRORS, and what AWS CDK grants
    arn = route_arn("us-east-1", "1", "api", "$default", "POST", route_key)

    assert arn == f"arn:aws:execute-api:us-east-1:1:api/$default/{rest}"

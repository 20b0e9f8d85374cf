"""An HTTP API and the secrets of its function on the local cloud, from CloudFormation."""

from __future__ import annotations

import base64
import http.client
import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.local.functions import allow, function, invoke
from tests.local.templates import Stack
from tests.local.topics import arn, role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from odyssey_cli import cloud
    from odyssey_cli.target import Target

ANSWER = """
import json, time
def handler(event, context):
    wish = event.get("queryStringParameters", {}).get("answer")
    if wish is None:
        return event
    if wish == "raise":
        raise ValueError("a secret")
    if wish == "late":
        time.sleep(3)
    return json.loads(wish) if wish[0] in '"{[' else {}
"""
READ = """
import boto3
from botocore.exceptions import ClientError
def handler(event, context):
    try:
        return boto3.client("secretsmanager").get_secret_value(SecretId=event)["SecretString"]
    except ClientError as error:
        return error.response["Error"]["Code"]
"""
TEXT = "Åsa café 😀 R&D C# 1+1 50% a;b %41"
Resources = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]


def resources() -> Resources:
    """Return an API with a throttled stage and access logs, as CDK makes one."""
    of_api = {"ApiId": {"Ref": "Api"}}
    target = {"Fn::Join": ["", ["integrations/", {"Ref": "Integration"}]]}
    source = "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/*/things/{id}"
    return {
        "Role": role({"Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"}),
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Code": {"ZipFile": ANSWER},
                "Role": arn("Role"),
            },
        },
        "Allows": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": arn("Function"),
                "Principal": "apigateway.amazonaws.com",
                "SourceArn": {"Fn::Sub": source},
            },
        },
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}},
        "Api": {
            "Type": "AWS::ApiGatewayV2::Api",
            "Properties": {"Name": "things", "ProtocolType": "HTTP"},
        },
        "Integration": {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                **of_api,
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": arn("Function"),
                "PayloadFormatVersion": "2.0",
                "TimeoutInMillis": 2000,
            },
        },
        "Route": {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {**of_api, "RouteKey": "POST /things/{id}", "Target": target},
        },
        "Other": {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {**of_api, "RouteKey": "POST /forbidden", "Target": target},
        },
        "Stage": {
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {
                **of_api,
                "StageName": "$default",
                "AutoDeploy": True,
                "DefaultRouteSettings": {"ThrottlingBurstLimit": 50, "ThrottlingRateLimit": 100},
                "AccessLogSettings": {
                    "DestinationArn": arn("Logs"),
                    "Format": "$context.requestId",
                },
            },
        },
    }


class Api:
    """A deployed API."""

    def __init__(self, running: cloud.Cloud, stack: Stack) -> None:
        self.port = running.port
        self.id = stack.physical_id("Api")

    def send(
        self,
        path: str,
        body: bytes | None = None,
        *headers: tuple[str, str],
        method: str = "POST",
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.putrequest(method, f"/_aws/execute-api/{self.id}/$default{path}")
        for name, value in (*headers, ("Content-Length", str(len(body or b"")))):
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        got = (answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        connection.close()
        return got

    def event(self, path: str, body: bytes | None = None, *headers: tuple[str, str]) -> Any:
        """Return what the function got of a request."""
        status, _, content = self.send(path, body, *headers)
        assert status == 200, content
        return json.loads(content)


@pytest.fixture(scope="module")
def stack(target: Target) -> Iterator[Stack]:
    stack = Stack(target)
    assert stack.create(**resources()) == "CREATE_COMPLETE", stack.reasons()
    yield stack
    assert stack.delete() is None


@pytest.fixture
def api(running: cloud.Cloud, stack: Stack) -> Api:
    api = Api(running, stack)
    # A cold start takes longer than the API waits for an answer.
    invoke(stack.target, stack.physical_id("Function"), {"queryStringParameters": {"answer": "x"}})
    return api


def test_text_of_the_known_types_arrives_as_text_and_everything_else_as_base64(api: Api) -> None:
    text, other = TEXT.encode(), b"\xff\xfe caf\xc3\xa9 \x00"
    for sent, content_type, is_binary in (
        (text, "application/json", False),
        (text, "application/json; charset=utf-8", False),
        (text, "text/csv", False),
        (text, "application/xml", False),
        (text, "application/javascript", False),
        (text, "application/x-www-form-urlencoded", True),
        (text, "application/cloudevents+json", True),
        (text, None, True),
        (other, "application/octet-stream", True),
        (other, "application/json", True),
        (other, "text/plain", True),
    ):
        event = api.event(
            "/things/1", sent, *([("Content-Type", content_type)] if content_type else [])
        )

        assert event["isBase64Encoded"] is is_binary, content_type
        got = base64.b64decode(event["body"]) if is_binary else event["body"].encode()
        assert got == sent, content_type
    assert "body" not in api.event("/things/1")


def test_the_event_is_that_of_payload_format_2_0(api: Api) -> None:
    # WHEN
    path = "/things/a%20b?x=1&x=2&%C3%85=%F0%9F%98%80&empty="
    given = (("X-Upper", "One"), ("x-upper", "two"), ("Cookie", "a=1; b=2"))
    status, headers, content = api.send(path, None, *given)

    # THEN
    event, context = json.loads(content), json.loads(content)["requestContext"]
    assert status == 200
    assert (event["version"], event["routeKey"]) == ("2.0", "POST /things/{id}")
    assert event["rawQueryString"] == "x=1&x=2&%C3%85=%F0%9F%98%80&empty="
    assert event["queryStringParameters"] == {"x": "1,2", "Å": "😀", "empty": ""}
    assert event["headers"]["x-upper"].replace(" ", "") == "One,two"
    assert event["cookies"] == ["a=1", "b=2"]
    assert "cookie" not in event["headers"]
    assert all(name == name.lower() for name in event["headers"])
    assert event["rawPath"] == context["http"]["path"] == "/things/a b"
    assert (context["http"]["method"], context["http"]["protocol"]) == ("POST", "HTTP/1.1")
    assert context["http"]["sourceIp"] == "127.0.0.1"
    assert (context["stage"], context["routeKey"]) == ("$default", "POST /things/{id}")
    assert context["apiId"] == api.id
    assert context["requestId"] == headers["apigw-requestid"]


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        ("%F0%9F%98%80", "😀"),
        ("C%23", "C#"),
        ("50%25", "50%"),
        ("1+1", "1+1"),
        ("%2541", "%41"),
        ("a%3Bb;c", "a;b;c"),
    ],
)
def test_a_path_parameter_is_decoded_once(api: Api, sent: str, got: str) -> None:
    assert api.event(f"/things/{sent}")["pathParameters"] == {"id": got}


def test_answers_are_passed_on_and_failures_say_nothing(api: Api) -> None:
    answers = {
        '{"statusCode": 201, "headers": {"x-own": 5, "content-type": "a/b"}, "body": "né"}': 201,
        '{"statusCode": 200, "isBase64Encoded": true, "body": "AP8="}': 200,
        '{"no": "status"}': 200,
        '"text"': 200,
        '{"statusCode": 200, "body": {"no": "text"}}': 500,
        '{"statusCode": "many"}': 500,
        '{"statusCode": 200, "isBase64Encoded": true, "body": "?"}': 500,
        '{"statusCode": 200, "headers": []}': 500,
        "raise": 500,
        "late": 503,
    }
    got = {}
    for wish in answers:
        encoded = "".join(f"%{byte:02X}" for byte in wish.encode())
        got[wish] = api.send(f"/things/1?answer={encoded}")
    got_status = {wish: status for wish, (status, _, _) in got.items()}
    assert got_status == answers

    first, second, third, fourth, *failed, late = got.values()
    assert (first[1]["x-own"], first[1]["content-type"]) == ("5", "a/b")
    assert first[2] == "né".encode()
    assert second[2] == b"\x00\xff"
    assert (third[1]["content-type"], json.loads(third[2])) == (
        "application/json",
        {"no": "status"},
    )
    assert fourth[2] == b"text"
    assert {body for _, _, body in failed} == {b'{"message":"Internal Server Error"}'}
    assert late[2] == b'{"message":"Service Unavailable"}'


def test_what_no_route_takes_is_not_found_and_what_the_function_refuses_is_an_error(
    api: Api,
) -> None:
    status, _, body = api.send("/things/1", method="GET")
    assert (status, body) == (404, b'{"message":"Not Found"}')
    # The function's policy names the other route only.
    status, _, body = api.send("/forbidden")
    assert (status, body) == (500, b'{"message":"Internal Server Error"}')
    assert api.send("/things/1", b"x" * (10 * 1024 * 1024 + 1))[0] == 413


def test_a_stack_changes_and_deletes_an_api(running: cloud.Cloud, target: Target) -> None:
    # GIVEN
    stack, given = Stack(target), resources()
    assert stack.create(**given) == "CREATE_COMPLETE", stack.reasons()
    api, gateway = Api(running, stack), target.client("apigatewayv2")
    settings = gateway.get_stage(ApiId=api.id, StageName="$default")["DefaultRouteSettings"]
    assert settings == {"ThrottlingBurstLimit": 50, "ThrottlingRateLimit": 100.0}

    # WHEN
    given["Stage"]["Properties"]["DefaultRouteSettings"]["ThrottlingRateLimit"] = 7
    del given["Stage"]["Properties"]["AccessLogSettings"]
    given["Integration"]["Properties"]["TimeoutInMillis"] = 30000
    given["Route"]["Properties"]["RouteKey"] = "ANY /things/{id}"
    del given["Other"]
    assert stack.update(**given) == "UPDATE_COMPLETE", stack.reasons()

    # THEN the API is the same and answers otherwise
    assert stack.physical_id("Api") == api.id
    stage = gateway.get_stage(ApiId=api.id, StageName="$default")
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == 7
    assert "AccessLogSettings" not in stage
    assert api.send("/things/1", method="PUT")[0] == 200
    assert api.send("/forbidden")[0] == 404

    # AND is gone with its stack
    assert stack.delete() is None
    assert api.id not in [found["ApiId"] for found in gateway.get_apis()["Items"]]
    assert api.send("/things/1")[0] == 404


def test_many_requests_at_once_share_few_environments(target: Target) -> None:
    # GIVEN a function that says which environment runs it
    source = "import os, time\ndef handler(e, c):\n    time.sleep(0.05)\n    return os.getpid()"
    name, seen = function(target, source), []

    # WHEN it is invoked sixty times at once
    client = target.client("lambda")

    def one() -> None:
        seen.append(json.loads(client.invoke(FunctionName=name)["Payload"].read()))

    threads = [threading.Thread(target=one) for _ in range(60)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    # THEN all were served, by fewer environments than there were requests, more than one
    assert len(seen) == 60
    assert 1 < len(set(seen)) <= 32
    assert time.monotonic() - began < 20


def secrets_stack(**of_other: object) -> Resources:
    generate = {
        "SecretStringTemplate": '{"user": "Åsa"}',
        "GenerateStringKey": "key",
        "ExcludePunctuation": True,
        "PasswordLength": 40,
    }
    made = {"Type": "AWS::SecretsManager::Secret", "Properties": {"GenerateSecretString": generate}}
    return {"Secret": made, "Other": {"Type": "AWS::SQS::Queue", "Properties": of_other}}


def test_a_secret_is_generated_kept_read_by_those_who_may_and_deleted(target: Target) -> None:
    # GIVEN
    stack, secrets = Stack(target), target.client("secretsmanager")
    assert stack.create(**secrets_stack()) == "CREATE_COMPLETE", stack.reasons()
    secret = stack.physical_id("Secret")

    def value() -> str:
        return secrets.get_secret_value(SecretId=secret)["SecretString"]

    # THEN Ref is the ARN and the value as asked for
    assert secret == secrets.describe_secret(SecretId=secret)["ARN"]
    first = json.loads(value())
    assert first["user"] == "Åsa"
    assert len(first["key"]) == 40
    assert first["key"].isalnum()

    # AND only a role that may read exactly this secret can
    reader = function(target, READ, allow("secretsmanager:GetSecretValue", secret))
    other = function(target, READ, allow("secretsmanager:GetSecretValue", f"{secret}x"))
    assert json.loads(invoke(target, reader, secret)) == first
    assert invoke(target, other, secret) == "AccessDeniedException"

    # AND an update of something else leaves it, also when it was rotated
    assert stack.update(**secrets_stack(VisibilityTimeout=60)) == "UPDATE_COMPLETE"
    assert json.loads(value()) == first
    secrets.put_secret_value(SecretId=secret, SecretString="new")
    assert stack.update(**secrets_stack(VisibilityTimeout=90)) == "UPDATE_COMPLETE"
    assert invoke(target, reader, secret) == value() == "new"

    # AND it goes with the stack; the next one is another
    assert stack.delete() is None
    left = secrets.list_secrets(IncludePlannedDeletion=True)["SecretList"]
    assert secret not in [found["ARN"] for found in left]
    assert stack.create(**secrets_stack()) == "CREATE_COMPLETE", stack.reasons()
    secret = stack.physical_id("Secret")
    assert json.loads(value())["key"] != first["key"]
    assert stack.delete() is None

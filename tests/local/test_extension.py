"""What the local cloud adds to MiniStack, and what stands or falls with it."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import subprocess
import time
import uuid
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from odyssey_cli import cloud, paths
from odyssey_cli import target as targets
from tests.local.functions import allow, function, invoke, policy, role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from odyssey_cli.target import Target

SEND = """
import boto3
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=event, MessageBody="sent")
    return "sent"
"""
LOOK = """
import importlib.util, os, sys
def handler(event, context):
    found = [name for name in event if importlib.util.find_spec(name)]
    return {"environment": dict(os.environ), "found": found, "path": sys.path}
"""
ECHO = """
import json
def handler(event, context):
    seen = {name: event[name] for name in ("body", "isBase64Encoded")}
    return {"statusCode": 200, "body": json.dumps(seen)}
"""
FAIL = """
import base64
def handler(event, context):
    wish = base64.b64decode(event["body"]).decode()
    if wish == "raise":
        raise ValueError("a secret")
    if wish == "text":
        return "not an object"
    if wish == "object":
        return {"statusCode": 200, "body": {"not": "text"}}
    return {"statusCode": 502 if wish == "502" else 200, "body": "own"}
"""
RESPOND = """
import json, urllib.request
def handler(event, context):
    names = ("StackId", "RequestId", "LogicalResourceId")
    body = {name: event[name] for name in names} | {"Status": "SUCCESS", "PhysicalResourceId": "1"}
    request = urllib.request.Request(
        event["ResponseURL"], data=json.dumps(body).encode(), method="PUT"
    )
    urllib.request.urlopen(request)
"""
# The server, with nothing that marks requests as TLS.
UNMARKED = """
import local_cloud.__main__ as server
server.transport.marked_as_tls = lambda app: app
server.main()
"""


def queue(target: Target) -> str:
    name = f"queue-{uuid.uuid4().hex[:8]}"
    return str(target.client("sqs").create_queue(QueueName=name)["QueueUrl"])


def tls_only_queue(target: Target) -> str:
    url = queue(target)
    refuse = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    target.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(refuse)})
    return url


def test_a_function_may_do_only_what_its_role_allows(target: Target) -> None:
    # GIVEN two functions of which one has a role that allows it to send
    url = queue(target)
    allowed = function(target, SEND, allow("sqs:SendMessage"))
    refused = function(target, SEND, allow("sqs:ReceiveMessage"))

    # THEN that one can, and the other is refused
    assert invoke(target, allowed, url) == "sent"
    with pytest.raises(AssertionError, match=r"AccessDenied.*SendMessage"):
        invoke(target, refused, url)


def test_a_tls_only_queue_takes_what_a_role_sends(target: Target) -> None:
    sender = function(target, SEND, allow("sqs:SendMessage"))

    assert invoke(target, sender, tls_only_queue(target)) == "sent"


@pytest.fixture
def unmarked(tmp_path: Path) -> Iterator[Target]:
    """A cloud without the mark."""
    process = subprocess.Popen(
        [str(paths.CLOUD_VENV / "bin" / "python"), "-c", UNMARKED, "--state", str(tmp_path)],
        cwd=paths.ROOT,
        env={"PATH": os.environ["PATH"]},
        start_new_session=True,
    )
    try:
        while not (tmp_path / "cloud.json").exists():
            assert process.poll() is None
            time.sleep(0.05)
        written = json.loads((tmp_path / "cloud.json").read_text())
        yield targets.at(
            cloud.Cloud(
                written["port"], written["endpoint"], process.pid, tmp_path, time.time(), 20.0
            )
        )
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_tls_only_queue_refuses_requests_without_the_mark(unmarked: Target) -> None:
    # GIVEN a role that may send
    session = unmarked.client("sts").assume_role(
        RoleArn=role(unmarked, allow("sqs:*")), RoleSessionName="sender"
    )["Credentials"]
    as_role = boto3.client(
        "sqs",
        endpoint_url=unmarked.endpoint,
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )
    as_role.send_message(QueueUrl=queue(unmarked), MessageBody="in the clear")

    # WHEN it sends to a queue that wants TLS
    # THEN it is refused: it is the mark that lets others through, and the policy bites
    with pytest.raises(ClientError, match="AccessDenied"):
        as_role.send_message(QueueUrl=tls_only_queue(unmarked), MessageBody="in the clear")


def test_a_function_sees_what_lambda_offers_and_nothing_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a cloud that was started from a shell with settings for other things
    with monkeypatch.context() as shell:
        shell.setenv("AWS_PROFILE", "work")
        shell.setenv("AWS_ENDPOINT_URL_SQS", "https://elsewhere.example")
        shell.setenv("PYTHONPATH", str(paths.ROOT))
        shell.setenv("LOG_LEVEL", "DEBUG")
        shell.setenv("SECRET", "sauce")
        target = targets.at(cloud.start(tmp_path))
    try:
        # WHEN a function looks around
        names = ["boto3", "botocore", "ministack", "yaml", "hypercorn", "odyssey_cli", "shared"]
        seen = invoke(target, function(target, LOOK), names)
    finally:
        cloud.stop(tmp_path)

    # THEN it finds the AWS SDK, its own role's session, and nothing else
    assert seen["found"] == ["boto3", "botocore"]
    assert str(paths.ROOT) not in seen["path"]
    environment = seen["environment"]
    assert not {"AWS_PROFILE", "AWS_ENDPOINT_URL_SQS", "LOG_LEVEL", "SECRET"} & environment.keys()
    assert not [name for name in environment if name.startswith("PYTHON")]
    assert environment["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert environment["AWS_ENDPOINT_URL"] == target.endpoint
    assert environment["HOME"].startswith(str(tmp_path))


def rest_api(target: Target, handler: str, binary_media_types: list[str]) -> str:
    """Make a REST API with one method on `/`; return the path of its stage."""
    gateway = target.client("apigateway")
    api = gateway.create_rest_api(name="echo", binaryMediaTypes=binary_media_types)["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    method: dict[str, Any] = {"restApiId": api, "resourceId": root, "httpMethod": "ANY"}
    gateway.put_method(**method, authorizationType="NONE")
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{handler}/invocations"
    gateway.put_integration(**method, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    gateway.create_deployment(restApiId=api, stageName="dev")
    return f"/_aws/execute-api/{api}/dev/"


def send(
    running: cloud.Cloud, path: str, body: bytes | None, headers: dict[str, str]
) -> tuple[bytes | None, bool]:
    """POST to an echoing API; return the body that its function got, and whether as base64."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port)
    connection.request("POST", path, body, headers)
    seen = json.loads(connection.getresponse().read())
    connection.close()
    if seen["body"] is None:
        return None, seen["isBase64Encoded"]
    if seen["isBase64Encoded"]:
        return base64.b64decode(seen["body"], validate=True), True
    return seen["body"].encode(), False


def test_a_rest_api_hands_on_every_byte_of_a_binary_media_type(
    running: cloud.Cloud, target: Target
) -> None:
    # GIVEN an API that takes every type as binary, and one that takes images
    echo = function(target, ECHO)
    everything = rest_api(target, echo, ["*/*"])
    images = rest_api(target, echo, ["image/png"])
    not_utf8 = b"\xff\xfe caf\xc3\xa9 \x00"
    text = "Åsa café 😀 R&D C# 1+1 50% a;b %41".encode()

    # THEN bytes that are not UTF-8 arrive as they were sent, whatever the content type
    for headers in ({}, {"Content-Type": "application/json; charset=utf-8"}, {"Content-Type": "x"}):
        assert send(running, everything, not_utf8, headers) == (not_utf8, True)
    assert send(running, everything, text, {}) == (text, True)
    assert send(running, everything, None, {}) == (None, False)
    assert send(running, images, not_utf8, {"Content-Type": "image/png"}) == (not_utf8, True)
    assert send(running, images, text, {"Content-Type": "application/json"}) == (text, False)
    assert send(running, images, text, {}) == (text, False)


def test_a_function_that_fails_behind_a_rest_api_tells_its_caller_nothing(
    running: cloud.Cloud, target: Target
) -> None:
    # GIVEN a function that raises, or answers in a wrong format, or with a status of its own
    api = rest_api(target, function(target, FAIL), ["*/*"])
    answers = {}

    # WHEN it is called for each
    for body in ("raise", "text", "object", "502", "fine"):
        connection = http.client.HTTPConnection("127.0.0.1", running.port)
        connection.request("POST", api, body)
        response = connection.getresponse()
        answers[body] = (response.status, response.read())
        connection.close()

    # THEN its failures are the gateway's, and its answers its own
    failed = (502, b'{"message": "Internal server error"}')
    assert answers == {
        "raise": failed,
        "text": failed,
        "object": failed,
        "502": (502, b"own"),
        "fine": (200, b"own"),
    }


def test_a_stack_with_a_custom_resource_has_settled_when_the_call_answers(target: Target) -> None:
    # GIVEN a change set with a custom resource
    formation = target.client("cloudformation")
    name = f"stack-{uuid.uuid4().hex[:8]}"
    template = {
        "Resources": {
            "Custom": {
                "Type": "Custom::Thing",
                "Properties": {"ServiceToken": function(target, RESPOND)},
            }
        }
    }
    formation.create_change_set(
        StackName=name,
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody=json.dumps(template),
    )
    formation.get_waiter("change_set_create_complete").wait(StackName=name, ChangeSetName="first")

    # WHEN it is executed
    formation.execute_change_set(StackName=name, ChangeSetName="first")

    # THEN the first look, which is the CDK CLI's, sees it done
    [stack] = formation.describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    formation.delete_stack(StackName=name)
    with pytest.raises(ClientError, match="does not exist"):
        formation.describe_stacks(StackName=name)


def test_the_hooked_names_are_all_there() -> None:
    # WHEN the installed MiniStack is checked, as the server does before it serves
    program = (
        "from importlib import metadata; import local_cloud.__main__ as server\n"
        "print(server.ground.problems(metadata.version('ministack'), server._HOOKS))"
    )
    ran = subprocess.run(
        [str(paths.CLOUD_VENV / "bin" / "python"), "-c", program],
        cwd=paths.ROOT,
        env={"PATH": os.environ["PATH"], "STATE_DIR": os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )

    # THEN there is nothing to say
    assert ran.stdout == "[]\n", ran.stderr

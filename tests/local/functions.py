"""Functions made in a few lines, for tests of what the local cloud does with functions."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from typing import TYPE_CHECKING, Any

from odyssey_cli.cloud import ACCOUNT

if TYPE_CHECKING:
    from odyssey_cli.target import Target


def role(target: Target, *statements: dict[str, Any]) -> str:
    """Make a role that functions and this account may assume; return its ARN."""
    iam = target.client("iam")
    name = f"role-{uuid.uuid4().hex[:8]}"
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com", "AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "sts:AssumeRole",
    }
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))
    return str(made["Role"]["Arn"])


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def allow(action: str, resource: str = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def function(target: Target, source: str, *statements: dict[str, Any]) -> str:
    """Make a function of `source`, which defines `handler`; return its ARN."""
    bundle = io.BytesIO()
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("index.py", source)
    made = target.client("lambda").create_function(
        FunctionName=f"function-{uuid.uuid4().hex[:8]}",
        Runtime="python3.13",
        Handler="index.handler",
        Role=role(target, *statements),
        Code={"ZipFile": bundle.getvalue()},
        Timeout=60,
    )
    return str(made["FunctionArn"])


def invoke(target: Target, name: str, event: object = None) -> Any:
    answer = target.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return payload

"""What a role may do, in names that a test can spell out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.template.synth import as_list, functions, role_statements, target

if TYPE_CHECKING:
    from tests.template.synth import Template

# What every function's role has.
LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
TRACES = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
# "Add Session Manager permissions to an existing IAM role", AWS Systems Manager User Guide,
# 2026-11-21, without those for logs and keys of sessions.
SESSION_MANAGER = {
    "hosts": {"ssm:UpdateInstanceInformation"},
    "everything": {
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    },
}


def allowed(template: Template, function: str) -> dict[str, set[str]]:
    """Return the actions a function's role may call, by resource."""
    role = functions(template)[function]["Role"]["Fn::GetAtt"][0]
    return by_resource(role_statements(template, role))


def by_resource(statements: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Return the actions that policy statements allow, by resource."""
    found: dict[str, set[str]] = {}
    for statement in statements:
        assert statement["Effect"] == "Allow"
        for resource in as_list(statement["Resource"]):
            found.setdefault(resource_name(target(resource)), set()).update(
                as_list(statement["Action"])
            )
    return found


def resource_name(arn: str) -> str:
    """Return a name for what an ARN in the template stands for."""
    for pattern, name in [
        (r"<(\w+)Table\w{8}\.Arn>/index/(.+)", r"\1 \2"),
        (r"<(\w+)Table\w{8}\.StreamArn>", r"\1 stream"),
        (r"<(\w+)Table\w{8}\.Arn>", r"\1"),
        (r"<(\w+)Queue\w{8}\.Arn>", r"\1"),
        (r"<(Queue|Bus)\w{8}\.Arn>", r"\1"),
        (r"<(Stream)\w{8}\.Arn>", r"\1"),
        (r"<(\w+)Function\w{8}\.Arn>(:\$LATEST)?", r"\1\2"),
        (r"<(\w+)Bucket\w{8}\.Arn>", r"\1"),
        (r"<(\w+)Bucket\w{8}\.Arn>/\*", r"\1 objects"),
        (r"<(\w+)Topic\w{8}>", r"\1"),
        (r"<(\w+Secret)\w{8}>", r"\1"),
        (r"<EncryptionKey\w{8}\.Arn>", "key"),
        (r"<\w+Logs\w{8}\.Arn>", "logs"),
        (r".*:log-group:<(\w+)\w{8}>:log-stream:<(\w+)\w{8}>", r"\1 \2"),
        (r"arn:<AWS::Partition>:ec2:<AWS::Region>:<AWS::AccountId>:instance/\*", "hosts"),
        (r"\*", "everything"),
    ]:
        if re.fullmatch(pattern, arn):
            return re.sub(pattern, name, arn)
    return arn

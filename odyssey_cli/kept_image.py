"""The image of a deployed host, kept in the CDK's context so that a newer one does not replace it.

On AWS the context is the project's `cdk.context.json`, which plain `cdk deploy` reads, too, and
which a team commits; a local cloud has one of its own, which goes with it.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from odyssey_cli import paths
from odyssey_cli.errors import OdysseyError
from odyssey_constructs.images import KEPT, kept_as

if TYPE_CHECKING:
    from pathlib import Path

    from types_boto3_ec2 import EC2Client

    from odyssey_cli.target import Target

STACK = "Network"


def context(target: Target) -> dict[str, Any]:
    """Return the images that are kept for a target, as the CDK's context.

    Raises:
        OdysseyError: the file holds no JSON object.
    """
    return {key: value for key, value in _held(target).items() if key.startswith(KEPT)}


def _held(target: Target) -> dict[str, Any]:
    """Return all that the CDK's context file holds; some of it may be the CDK's."""
    file = _file(target)
    if not file.exists():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it holds no JSON object")
    except ValueError as error:
        raise OdysseyError(f"{file} cannot be read: {error}.", "Mend it, or delete it.") from error
    return found


def remember(target: Target) -> None:
    """Keep the image of the deployed host; forget it when there is none."""
    held = _held(target)
    region = target.environment["AWS_REGION"]
    mine = kept_as(target.account, region, "")
    wanted = {key: value for key, value in held.items() if not key.startswith(mine)}
    if host := _host(target):
        wanted[kept_as(target.account, region, host["Architecture"])] = host["ImageId"]
    if wanted != held:
        _write(_file(target), wanted)


def _host(target: Target) -> dict[str, Any] | None:
    from botocore.exceptions import ClientError  # noqa: PLC0415

    try:
        host_id = target.outputs(STACK)["HostId"]
    except (OdysseyError, KeyError):
        # Not deployed, or not to its end.
        return None
    client: EC2Client = target.client("ec2")
    try:
        [reservation] = client.describe_instances(InstanceIds=[host_id])["Reservations"]
    except ClientError as error:
        # Somebody has terminated it, an hour ago or longer.
        if error.response["Error"]["Code"] != "InvalidInstanceID.NotFound":
            raise
        return None
    [host] = reservation["Instances"]
    return None if host["State"]["Name"] == "terminated" else dict(host)


def _file(target: Target) -> Path:
    return (paths.ROOT if target.local is None else target.state) / "cdk.context.json"


def _write(file: Path, held: dict[str, Any]) -> None:
    if not held:
        file.unlink()
        return
    draft = file.with_suffix(f".{os.getpid()}.draft")
    draft.write_text(json.dumps(held, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    draft.replace(file)

"""Deploys a flow's stacks anew, one of them without one permission, in a second or two.

The CDK's command line takes several seconds for each deployment, and here there are dozens. The
templates are those that it deployed, their functions' code is where it has put it; CloudFormation
gets them directly.
"""

from __future__ import annotations

import copy
import json
import time
from typing import TYPE_CHECKING, Any

from odyssey_cli import cdk
from odyssey_cli.cloud import ACCOUNT, REGION
from odyssey_cli.errors import OdysseyError
from odyssey_cli.iam.grants import NOTHING, Reader, resources
from odyssey_cli.iam.grants import without as document_without

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from types_boto3_cloudformation import CloudFormationClient

    from odyssey_cli.iam.grants import Grant, Resource
    from odyssey_cli.target import Target

_BUCKET = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"
_PATIENCE = 120.0
_DONE, _GONE = "CREATE_COMPLETE", "DELETE_COMPLETE"
DEPLOYED, LEFT = "the stack can be deployed", "the stack can be destroyed"
Failed = tuple[str, str]


class Stacks:
    """The stacks of one flow, deployed together.

    Args:
        to: a local cloud on which nothing of them is.
        assembly: the folder of the cloud assembly.
        names: the stacks' names.
    """

    def __init__(self, to: Target, assembly: Path, names: Sequence[str]) -> None:
        self._to, self._assembly = to, assembly
        # In the order in which they need each other.
        self._names = [name for name in cdk.stacks(assembly) if name in names]
        self._begun: list[str] = []
        self._formation: CloudFormationClient = to.client("cloudformation")

    def create(self, *, without: Grant) -> Failed | None:
        """Create the stacks, one of them without a grant; return what failed, if anything."""
        for name in self._names:
            template = json.loads((self._assembly / f"{name}.template.json").read_text("utf-8"))
            if name == without.stack:
                template = less(template, without)
            self._create(name, template)
            self._begun.append(name)
            state, reason = self._settled(name)
            if state != _DONE:
                return DEPLOYED, f"{state}: {reason}"
        return None

    def delete(self) -> Failed | None:
        """Delete the stacks, by force if need be; return what failed, if anything."""
        failed: Failed | None = None
        for name in reversed(self._names):
            self._formation.delete_stack(StackName=name)
            state, reason = self._settled(name)
            if state != _GONE:
                failed = failed or (LEFT, f"{state}: {reason}")
                self._formation.delete_stack(StackName=name, DeletionMode="FORCE_DELETE_STACK")
                self._settled(name)
        return failed

    def resources(self) -> list[Resource]:
        """Return everything in the stacks, also in one that could not be created."""
        return [each for name in self._begun for each in resources(self._formation, name)]

    def taken(self, grant: Grant) -> str:
        """Return what a grant would be for here, which is deployed without it.

        Args:
            grant: of an earlier deployment; secrets, APIs and streams have another ARN in each.

        Returns:
            The resource's ARN; "" when its policy was not made before the deployment failed.
        """
        if grant.stack not in self._begun:
            return ""
        found = [
            each.resource
            for each in Reader(self._to).read([grant.stack])
            if each.action == NOTHING and each.logical_id == grant.logical_id
        ]
        return found[0] if found else ""

    def _create(self, name: str, template: dict[str, Any]) -> None:
        # Too large to be sent with the request ("Understand CloudFormation quotas", 2026-11-21).
        key = f"without/{name}-{time.time_ns()}.json"
        self._to.client("s3").put_object(Bucket=_BUCKET, Key=key, Body=json.dumps(template))
        self._formation.create_stack(
            StackName=name,
            TemplateURL=f"{self._to.endpoint}/{_BUCKET}/{key}",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
            # What was made is looked at before it is deleted.
            DisableRollback=True,
        )

    def _settled(self, name: str) -> tuple[str, str]:
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            state, reason = self._state(name)
            if not state.endswith("_IN_PROGRESS"):
                return state, reason
            time.sleep(0.1)
        raise OdysseyError(
            f"The stack {name} was still {state} after {_PATIENCE:.0f} s.",
            "The local cloud may be too busy; run it again when the machine is quiet.",
        )

    def _state(self, name: str) -> tuple[str, str]:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - see odyssey_cli.target

        try:
            [found] = self._formation.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if "does not exist" not in str(error):
                raise
            return _GONE, ""
        return found["StackStatus"], found.get("StackStatusReason", "")


def less(template: dict[str, Any], grant: Grant) -> dict[str, Any]:
    """Return a template without one grant.

    Args:
        template: of the grant's stack.
        grant: what is to be missing.
    """
    assert grant.origin is not None  # noqa: S101 - only these are chosen
    made = copy.deepcopy(template)
    properties = made["Resources"][grant.origin.logical_id]["Properties"]
    holder = properties
    if grant.origin.policy:
        [holder] = [
            each for each in properties["Policies"] if each["PolicyName"] == grant.origin.policy
        ]
    holder["PolicyDocument"] = document_without(
        holder["PolicyDocument"], grant.origin, grant.action
    )
    return made

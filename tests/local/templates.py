"""Small CloudFormation stacks, made and changed as the CDK's command line would."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from tests.local.sources import eventually

if TYPE_CHECKING:
    from odyssey_cli.target import Target


class Stack:
    """A CloudFormation stack, made and changed by its resources."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.formation = target.client("cloudformation")
        self.name = f"stack-{uuid.uuid4().hex[:8]}"

    def create(self, **resources: Any) -> str | None:
        self.formation.create_stack(**self._arguments(resources), OnFailure="DO_NOTHING")
        return self.settled()

    def update(self, **resources: Any) -> str | None:
        self.formation.update_stack(**self._arguments(resources))
        return self.settled()

    def delete(self) -> str | None:
        self.formation.delete_stack(StackName=self.name)
        return self.settled()

    def _arguments(self, resources: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps({"Resources": resources})
        return {
            "StackName": self.name,
            "TemplateBody": body,
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
        }

    def settled(self) -> str | None:
        """Return the status once nothing is in progress any more; None for a stack that is gone."""
        eventually(lambda: (self.status() or "").endswith("_IN_PROGRESS"), expected=False)
        return self.status()

    def status(self) -> str | None:
        try:
            [stack] = self.formation.describe_stacks(StackName=self.name)["Stacks"]
        except self.formation.exceptions.ClientError:
            return None
        return str(stack["StackStatus"])

    def physical_id(self, logical_id: str) -> str:
        found = self.formation.describe_stack_resource(
            StackName=self.name, LogicalResourceId=logical_id
        )
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def reasons(self) -> str:
        events = self.formation.describe_stack_events(StackName=self.name)["StackEvents"]
        return "\n".join(event.get("ResourceStatusReason", "") for event in events)

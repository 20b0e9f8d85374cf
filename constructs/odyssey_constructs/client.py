"""Programs and people outside AWS who use a stack's resources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_iam as iam

from constructs import Construct
from odyssey_constructs.findings import acknowledge

if TYPE_CHECKING:
    from collections.abc import Sequence


class Client(Construct):
    """A minimal policy, and a role that carries it and that principals of the account may assume.

    Who may assume the role is decided by the account's own policies: the role trusts the
    account, not everybody in it ("IAM roles: delegate access with the AWS account as principal",
    2026-11-21). Credentials are temporary; no access key is made.

    The stack gets an output `<id>RoleArn`.

    Args:
        scope: the parent.
        id: the name within the parent.
        description: what the client does, e.g. `Submits items`.
    """

    def __init__(self, scope: Construct, id: str, *, description: str) -> None:
        super().__init__(scope, id)
        stack = Stack.of(self)
        self.policy = iam.ManagedPolicy(
            self, "Policy", description=f"{stack.stack_name}: {description}"
        )
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.AccountPrincipal(stack.account),
            managed_policies=[self.policy],
            description=f"{stack.stack_name}: {description}",
        )
        CfnOutput(stack, f"{id}RoleArn", value=self.role.role_arn)

    def allow(self, *actions: str, on: str) -> None:
        """Let the client call `actions` on the one resource, or kind of resource, `on`."""
        self.policy.add_statements(iam.PolicyStatement(actions=list(actions), resources=[on]))


def way_in(scope: Construct, id: str, clients: Sequence[Client]) -> iam.ManagedPolicy:
    """Make the policy of people who use clients: find them by the stack's outputs, be them."""
    stack = Stack.of(scope)
    # The id that ends a stack's ARN is not known to whoever asks by name ("Control CloudFormation
    # access with AWS Identity and Access Management", 2026-11-21).
    stack_arn = stack.format_arn(
        service="cloudformation", resource="stack", resource_name=f"{stack.stack_name}/*"
    )
    policy = iam.ManagedPolicy(
        scope,
        id,
        description=f"{stack.stack_name}: the way to its clients' roles",
        statements=[
            iam.PolicyStatement(
                actions=["sts:AssumeRole"], resources=[each.role.role_arn for each in clients]
            ),
            iam.PolicyStatement(actions=["cloudformation:DescribeStacks"], resources=[stack_arn]),
        ],
    )
    acknowledge(
        policy,
        "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:cloudformation:<AWS::Region>:"
        f"<AWS::AccountId>:stack/{stack.stack_name}/*]",
        "The wildcard is the id of the one stack with this name.",
    )
    return policy

"""Those in whose name a demo calls: roles with a stack's client policy, members of its group."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from odyssey_cli.cloud import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_iam import IAMClient

    from odyssey_cli.target import Target


@contextmanager
def client(target: Target, name: str, policy_arn: str | None) -> Iterator[Target]:
    """Make a role that has the policy, or none, for calls while the block runs."""
    iam: IAMClient = target.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    if policy_arn:
        iam.attach_role_policy(RoleName=name, PolicyArn=policy_arn)
    try:
        yield target.in_role(role["Arn"])
    finally:
        if policy_arn:
            iam.detach_role_policy(RoleName=name, PolicyArn=policy_arn)
        iam.delete_role(RoleName=name)


@contextmanager
def member(target: Target, name: str, stack: str) -> Iterator[Target]:
    """Make a user with an access key, in the stack's group, for calls while the block runs."""
    iam: IAMClient = target.client("iam")
    [group] = [
        each["PhysicalResourceId"]
        for each in target.client("cloudformation").describe_stack_resources(StackName=stack)[
            "StackResources"
        ]
        if each["ResourceType"] == "AWS::IAM::Group"
    ]
    iam.create_user(UserName=name)
    iam.add_user_to_group(GroupName=group, UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    keys = {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
    try:
        yield replace(target, environment=target.environment | keys)
    finally:
        # A group that has members cannot be deleted, nor can a user that has keys.
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        iam.remove_user_from_group(GroupName=group, UserName=name)
        iam.delete_user(UserName=name)

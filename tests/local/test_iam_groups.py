"""Groups of users that a stack makes, and what their members may do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.local.functions import allow, policy
from tests.local.templates import Stack

if TYPE_CHECKING:
    from odyssey_cli.target import Target


@pytest.fixture
def stack(target: Target) -> Stack:
    return Stack(target)


@pytest.fixture
def iam(target: Target) -> Any:
    return target.client("iam")


USER = {"Type": "AWS::IAM::User"}


def group(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::IAM::Group", "Properties": properties}


def managed(action: str, **properties: Any) -> dict[str, Any]:
    document = json.loads(policy(allow(action)))
    return {
        "Type": "AWS::IAM::ManagedPolicy",
        "Properties": {"PolicyDocument": document, **properties},
    }


def inline(name: str, action: str) -> dict[str, Any]:
    return {"PolicyName": name, "PolicyDocument": json.loads(policy(allow(action)))}


def addition(*users: str, group: str = "Group") -> dict[str, Any]:
    return {
        "Type": "AWS::IAM::UserToGroupAddition",
        "Properties": {"GroupName": {"Ref": group}, "Users": [{"Ref": user} for user in users]},
    }


def groups_of(iam: Any, user: str) -> list[str]:
    return [found["GroupName"] for found in iam.list_groups_for_user(UserName=user)["Groups"]]


def attached(iam: Any, group: str) -> list[str]:
    found = iam.list_attached_group_policies(GroupName=group)["AttachedPolicies"]
    return [policy["PolicyArn"] for policy in found]


def session(target: Target, user: str) -> boto3.Session:
    key = target.client("iam").create_access_key(UserName=user)["AccessKey"]
    return boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1")


def test_a_group_lives_as_its_stack_does(stack: Stack, iam: Any) -> None:
    # GIVEN a stack with a group, a policy and two users of which one is in it
    resources = {"One": USER, "Two": USER, "First": managed("sqs:*"), "Second": managed("sns:*")}
    made = group(
        ManagedPolicyArns=[{"Ref": "First"}], Policies=[inline("own", "s3:*")], Path="/people/"
    )
    assert stack.create(**resources, Group=made, Members=addition("One")) == "CREATE_COMPLETE"
    one, two = stack.physical_id("One"), stack.physical_id("Two")
    name = stack.physical_id("Group")
    first, second = stack.physical_id("First"), stack.physical_id("Second")

    # THEN IAM has them so
    assert name.startswith(f"{stack.name}-Group-")
    [found] = [each for each in iam.list_groups()["Groups"] if each["GroupName"] == name]
    assert found["Arn"].endswith(f":group/people/{name}")
    assert (groups_of(iam, one), groups_of(iam, two)) == ([name], [])
    assert attached(iam, name) == [first]
    assert iam.list_group_policies(GroupName=name)["PolicyNames"] == ["own"]

    # WHEN the other user is in it and it has other policies
    made = group(ManagedPolicyArns=[{"Ref": "Second"}], Policies=[inline("other", "s3:*")])
    assert stack.update(**resources, Group=made, Members=addition("Two")) == "UPDATE_COMPLETE"

    # THEN it is the same group with what is new
    assert stack.physical_id("Group") == name
    assert iam.get_group(GroupName=name)["Group"]["Arn"].endswith(f":group/{name}")
    assert (groups_of(iam, one), groups_of(iam, two)) == ([], [name])
    assert attached(iam, name) == [second]
    assert iam.list_group_policies(GroupName=name)["PolicyNames"] == ["other"]

    # WHEN the stack is deleted
    assert stack.delete() is None

    # THEN nothing is left
    assert name not in {each["GroupName"] for each in iam.list_groups()["Groups"]}
    assert not {one, two} & {each["UserName"] for each in iam.list_users()["Users"]}
    left = iam.list_policies(Scope="Local")["Policies"]
    assert not {first, second} & {each["Arn"] for each in left}


def test_a_group_with_another_name_takes_its_members_along(stack: Stack, iam: Any) -> None:
    # GIVEN a group with a member and a name of its own
    name = f"{stack.name}-readers"
    stack.create(One=USER, Group=group(GroupName=name), Members=addition("One"))
    one = stack.physical_id("One")

    # WHEN the name changes
    renamed = group(GroupName=f"{name}-2")
    assert stack.update(One=USER, Group=renamed, Members=addition("One")) == "UPDATE_COMPLETE"

    # THEN there is a new group with the member, and not the old one
    assert groups_of(iam, one) == [f"{name}-2"]
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_group(GroupName=name)
    assert stack.delete() is None


def test_a_user_may_do_what_its_groups_may(stack: Stack, target: Target) -> None:
    # GIVEN a group that may list queues, one that may list topics, and users in them
    queues = group(Policies=[inline("own", "sqs:ListQueues")])
    topics = group(ManagedPolicyArns=[{"Ref": "Topics"}])
    users = {
        "One": {"Type": "AWS::IAM::User", "Properties": {"Groups": [{"Ref": "QueueReaders"}]}},
        "Two": USER,
    }
    resources = {"Topics": managed("sns:ListTopics"), "QueueReaders": queues, **users}
    made = stack.create(
        **resources, TopicReaders=topics, Members=addition("Two", group="TopicReaders")
    )
    assert made == "CREATE_COMPLETE"
    one, two = (session(target, stack.physical_id(user)) for user in ("One", "Two"))
    at = target.endpoint

    # THEN each may do that, and not the other
    one.client("sqs", endpoint_url=at).list_queues()
    two.client("sns", endpoint_url=at).list_topics()
    with pytest.raises(ClientError, match=r"not authorized to perform: sqs:ListQueues"):
        two.client("sqs", endpoint_url=at).list_queues()
    with pytest.raises(ClientError, match=r"not authorized to perform: sns:ListTopics"):
        one.client("sns", endpoint_url=at).list_topics()

    # WHEN one leaves the group
    target.client("iam").remove_user_from_group(
        GroupName=stack.physical_id("TopicReaders"), UserName=stack.physical_id("Two")
    )

    # THEN it may not any more
    with pytest.raises(ClientError, match=r"not authorized to perform: sns:ListTopics"):
        two.client("sns", endpoint_url=at).list_topics()

    # As on AWS, a user with a key cannot be deleted.
    iam = target.client("iam")
    for user in map(stack.physical_id, ("One", "Two")):
        for key in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
    assert stack.delete() is None


def test_a_stack_cannot_delete_a_group_that_others_have_put_a_user_in(
    stack: Stack, iam: Any
) -> None:
    # GIVEN a group with a user that is not of the stack
    stack.create(Group=group())
    name, user = stack.physical_id("Group"), f"{stack.name}-guest"
    iam.create_user(UserName=user)
    iam.add_user_to_group(GroupName=name, UserName=user)

    # THEN the stack stays until the user has left
    assert stack.delete() == "DELETE_FAILED"
    assert "DeleteConflict" in stack.reasons()
    iam.remove_user_from_group(GroupName=name, UserName=user)
    assert stack.delete() is None
    iam.delete_user(UserName=user)


def test_a_group_with_a_policy_that_does_not_exist_is_not_made(stack: Stack, iam: Any) -> None:
    missing = "arn:aws:iam::000000000000:policy/missing"

    assert stack.create(Group=group(ManagedPolicyArns=[missing])) == "CREATE_FAILED"

    assert "NoSuchEntity" in stack.reasons()
    names = {each["GroupName"] for each in iam.list_groups()["Groups"]}
    assert not [name for name in names if name.startswith(stack.name)]
    assert stack.delete() is None

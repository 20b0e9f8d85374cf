"""Discovery's template: who may do what, the queues and the people."""

from __future__ import annotations

import pytest

from tests.template.permissions import LOGS, TRACES, allowed, by_resource
from tests.template.synth import (
    Synth,
    Template,
    functions,
    named,
    only,
    properties,
    references,
    resources,
    target,
)

STACK_ARN = "arn:<AWS::Partition>:cloudformation:<AWS::Region>:<AWS::AccountId>:stack/Discovery/*"
# Every call of each function and client, by the resource it is made on; nothing else is allowed.
FUNCTIONS: dict[str, dict[str, set[str]]] = {
    "updater": {
        "Items": {"dynamodb:UpdateItem"},
        "Updated": {"sqs:SendMessage"},
        "Rejects": {"sqs:SendMessage"},
        "Uploaded": {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
    },
    "empty_bucket": {
        "Files": {"s3:GetBucketTagging", "s3:ListBucketVersions"},
        "Files objects": {"s3:DeleteObjectVersion"},
    },
}
CLIENTS: dict[str, dict[str, set[str]]] = {
    "Script": {
        "Items": {"dynamodb:PutItem"},
        "Files objects": {"s3:PutObject"},
        "Uploaded": {"sqs:SendMessage"},
    },
    "Service": {
        "Updated": {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"},
        "Items": {"dynamodb:BatchGetItem"},
        "Files objects": {"s3:GetObject"},
    },
}
# What encrypted tables, buckets and queues ask of their callers beside that.
KEY = {
    "updater": {"kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"},
    "Script": {"kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"},
    "Service": {"kms:Decrypt", "kms:DescribeKey"},
}


def test_the_updater_may_make_the_calls_it_makes_and_no_other(
    discovery: Template, stage_name: str
) -> None:
    expected = {**FUNCTIONS["updater"], "logs": LOGS, "everything": TRACES}
    if stage_name == "prod":
        expected["key"] = KEY["updater"]
    assert allowed(discovery, "updater") == expected


def test_the_emptier_may_empty_the_one_bucket_and_is_not_in_prod(
    discovery: Template, stage_name: str
) -> None:
    assert ("empty_bucket" in functions(discovery)) == (stage_name == "dev")
    if stage_name == "dev":
        expected = {**FUNCTIONS["empty_bucket"], "logs": LOGS, "everything": TRACES}
        assert allowed(discovery, "empty_bucket") == expected


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_may_make_the_calls_it_makes_and_no_other(
    discovery: Template, stage_name: str, client: str
) -> None:
    _, policy = named(discovery, "AWS::IAM::ManagedPolicy", client)
    expected = dict(CLIENTS[client])
    if stage_name == "prod":
        expected["key"] = KEY[client]
    assert by_resource(policy["PolicyDocument"]["Statement"]) == expected


@pytest.mark.parametrize("client", CLIENTS)
def test_a_clients_role_has_its_policy_alone(discovery: Template, client: str) -> None:
    policy, _ = named(discovery, "AWS::IAM::ManagedPolicy", client)
    role, properties_ = named(discovery, "AWS::IAM::Role", client)
    assert properties_["ManagedPolicyArns"] == [{"Ref": policy}]
    assert "Policies" not in properties_
    assert discovery["Outputs"][f"{client}RoleArn"]["Value"] == {"Fn::GetAtt": [role, "Arn"]}


def test_the_group_carries_both_policies_and_the_way_in_and_nobody_is_in_it(
    discovery: Template,
) -> None:
    group = only(discovery, "AWS::IAM::Group")
    assert {target(each) for each in group["ManagedPolicyArns"]} == references(
        discovery, "AWS::IAM::ManagedPolicy"
    )
    assert not resources(discovery, "AWS::IAM::User")
    _, way_in = named(discovery, "AWS::IAM::ManagedPolicy", "WayIn")
    roles = {named(discovery, "AWS::IAM::Role", each)[0] for each in CLIENTS}
    assert by_resource(way_in["PolicyDocument"]["Statement"]) == {
        **{f"<{role}.Arn>": {"sts:AssumeRole"} for role in roles},
        STACK_ARN: {"cloudformation:DescribeStacks"},
    }


def test_a_user_is_made_on_demand_in_the_group_without_a_key(dev_with_every_option: Synth) -> None:
    template = dev_with_every_option.templates["Discovery"]
    [group] = resources(template, "AWS::IAM::Group")
    assert only(template, "AWS::IAM::User")["Groups"] == [{"Ref": group}]
    assert not resources(template, "AWS::IAM::AccessKey")


def test_the_updater_gets_ten_messages_at_a_time(discovery: Template) -> None:
    mapping = only(discovery, "AWS::Lambda::EventSourceMapping")
    assert mapping["BatchSize"] == 10
    queue, _ = named(discovery, "AWS::SQS::Queue", "UploadedQueue")
    assert target(mapping["EventSourceArn"]) == f"<{queue}.Arn>"


def test_the_mapping_waits_for_the_permission_to_read_the_queue(discovery: Template) -> None:
    # Made before its role may read the queue, a mapping fails to create.
    [mapping] = resources(discovery, "AWS::Lambda::EventSourceMapping").values()
    policy, _ = named(discovery, "AWS::IAM::Policy", "UpdaterRoleDefaultPolicy")
    assert policy in mapping["DependsOn"]


def test_each_queue_has_a_dead_letter_queue_of_its_own(discovery: Template) -> None:
    ends = {
        logical_id: target(queue["Properties"]["RedrivePolicy"]["deadLetterTargetArn"])
        for logical_id, queue in resources(discovery, "AWS::SQS::Queue").items()
        if "RedrivePolicy" in queue["Properties"]
    }
    assert {each.partition("Queue")[0] for each in ends} == {"Uploaded", "Updated"}
    assert len(set(ends.values())) == len(ends)
    for name, end in ends.items():
        assert end.startswith(f"<{name.partition('Queue')[0]}DeadLetters")


def test_the_script_and_the_service_find_everything_in_the_outputs(discovery: Template) -> None:
    assert set(discovery["Outputs"]) == {
        "ItemsTable",
        "FilesBucket",
        "UploadedQueueUrl",
        "UpdatedQueueUrl",
        "RejectsQueueUrl",
        "ScriptRoleArn",
        "ServiceRoleArn",
    }


def test_who_gets_an_alarm_learns_which_command_helps(discovery: Template) -> None:
    said = [each["AlarmDescription"] for each in properties(discovery, "AWS::CloudWatch::Alarm")]
    assert sum("odyssey redrive" in each for each in said) == 3

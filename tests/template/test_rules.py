"""Rules that every stack keeps, in every stage."""

from __future__ import annotations

import json
from typing import Any

import pytest

from custom_resources.emptying import EMPTY_TAG
from odyssey_cli import paths
from tests.template.conftest import STACKS
from tests.template.synth import (
    Synth,
    Template,
    as_list,
    functions,
    properties,
    references,
    resources,
    statements,
    target,
    walk,
)

# What CloudFormation does not tag, or, for policies, what has no tags in AWS.
UNTAGGABLE = {
    "AWS::ApiGateway::Account",
    "AWS::ApiGateway::Deployment",
    "AWS::ApiGateway::GatewayResponse",
    "AWS::ApiGateway::Method",
    "AWS::ApiGateway::Resource",
    "AWS::ApiGatewayV2::Integration",
    "AWS::ApiGatewayV2::Route",
    "AWS::Events::Archive",
    "AWS::IAM::Group",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogStream",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "Custom::EmptyBucket",
}
# Properties that name a resource for ever, by type; the exceptions are how stacks find the topic,
# and a bus, which others have to know.
PHYSICAL_NAMES = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::Archive": "ArchiveName",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
    "AWS::KinesisFirehose::DeliveryStream": "DeliveryStreamName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::Logs::LogStream": "LogStreamName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
}
# What holds data, logs or the means to read them.
STATEFUL = {
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::Logs::LogStream",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
    "AWS::SQS::Queue",
}
MANAGED_BY_AWS = "arn:aws:iam::aws:policy/"
KEY_OF_SNS = "arn:<AWS::Partition>:kms:<AWS::Region>:<AWS::AccountId>:alias/aws/sns"


def test_every_stack_is_looked_at(dev: Synth) -> None:
    assert set(dev.templates) == set(STACKS)
    assert len(STACKS) == len(set(STACKS))


def test_everything_that_takes_tags_has_ours(stage: Synth, stack: str, stage_name: str) -> None:
    expected = {"project": "aws-odyssey", "stack": stack, "stage": stage_name}
    for logical_id, resource in resources(stage.templates[stack]).items():
        if resource["Type"] in UNTAGGABLE:
            assert "Tags" not in resource.get("Properties", {}), f"{resource['Type']} takes tags"
            continue
        tags = resource["Properties"].get("Tags", {})
        found = tags if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags}
        if resource["Type"] == "AWS::S3::Bucket" and stage_name == "dev":
            assert found.pop(EMPTY_TAG) == "true", logical_id
        assert found == expected, logical_id


def test_stacks_have_the_tags_too(stage: Synth, stack: str, stage_name: str) -> None:
    artifact = stage.manifest["artifacts"][stack]["properties"]
    assert artifact["tags"] == {"project": "aws-odyssey", "stack": stack, "stage": stage_name}


def test_a_prod_stack_cannot_be_deleted_by_a_slip(
    stage: Synth, stack: str, stage_name: str
) -> None:
    artifact = stage.manifest["artifacts"][stack]["properties"]
    assert artifact["terminationProtection"] == (stage_name == "prod")


def test_no_stack_exports_or_imports_a_value(template: Template) -> None:
    assert "Fn::ImportValue" not in json.dumps(template)
    for output in template.get("Outputs", {}).values():
        assert "Export" not in output


def test_nothing_has_a_physical_name_but_what_others_find_it_by(
    template: Template, stack: str
) -> None:
    for kind, name in PHYSICAL_NAMES.items():
        for found in properties(template, kind):
            assert name not in found
    for parameter in properties(template, "AWS::SSM::Parameter"):
        assert parameter["Name"].startswith("/odyssey/")
    for bus in properties(template, "AWS::Events::EventBus"):
        assert bus["Name"] == f"{stack}-events"


def test_no_account_region_or_machine_is_written_down(template: Template) -> None:
    for path, value in walk(template):
        if isinstance(value, str):
            assert "123456789012" not in value, path
            assert "us-east-1" not in value, path
            assert str(paths.ROOT) not in value, path


def test_what_holds_data_goes_with_a_dev_stack_and_outlives_a_prod_stack(
    template: Template, stage_name: str
) -> None:
    expected = "Retain" if stage_name == "prod" else "Delete"
    for logical_id, resource in resources(template).items():
        if resource["Type"] in STATEFUL:
            assert resource.get("DeletionPolicy") == expected, logical_id
            assert resource.get("UpdateReplacePolicy") == expected, logical_id


def test_what_holds_data_is_encrypted_with_the_stacks_own_key_in_prod(
    template: Template, stage_name: str
) -> None:
    [key] = resources(template, "AWS::KMS::Key") if stage_name == "prod" else [None]
    own = f"<{key}.Arn>" if key else None
    assert not resources(template, "AWS::KMS::Key") or stage_name == "prod"
    for table in properties(template, "AWS::DynamoDB::Table"):
        assert table["SSESpecification"]["SSEEnabled"] == (stage_name == "prod")
        assert own is None or target(table["SSESpecification"]["KMSMasterKeyId"]) == own
    for kind, name in [
        ("AWS::SQS::Queue", "KmsMasterKeyId"),
        ("AWS::SNS::Topic", "KmsMasterKeyId"),
        ("AWS::Logs::LogGroup", "KmsKeyId"),
        ("AWS::SecretsManager::Secret", "KmsKeyId"),
    ]:
        for found in properties(template, kind):
            key_id = target(found[name]) if name in found else None
            # Only what is encrypted with a key that AWS manages, not owns, names it.
            assert key_id == own or (own is None and key_id == KEY_OF_SNS)
    for bucket in properties(template, "AWS::S3::Bucket"):
        [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        by_default = rule["ServerSideEncryptionByDefault"]
        found_key = by_default.get("KMSMasterKeyID")
        assert (target(found_key) if found_key else None) == own
        # One call to KMS a day and key, not one an object.
        assert rule.get("BucketKeyEnabled", False) == (own is not None)
    for stream in properties(template, "AWS::KinesisFirehose::DeliveryStream"):
        encryption = stream["DeliveryStreamEncryptionConfigurationInput"]
        assert (target(encryption["KeyARN"]) if own else None) == own
        assert encryption["KeyType"] == ("CUSTOMER_MANAGED_CMK" if own else "AWS_OWNED_CMK")


def test_keys_rotate(template: Template) -> None:
    for key in properties(template, "AWS::KMS::Key"):
        assert key["EnableKeyRotation"] is True


def test_prod_tables_can_be_restored_and_refuse_deletion(
    template: Template, stage_name: str
) -> None:
    for table in properties(template, "AWS::DynamoDB::Table"):
        recovery = table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        assert recovery == table["DeletionProtectionEnabled"] == (stage_name == "prod")


def test_tables_cost_nothing_while_idle(template: Template) -> None:
    for table in properties(template, "AWS::DynamoDB::Table"):
        assert table["BillingMode"] == "PAY_PER_REQUEST"


def test_every_function_has_a_log_group_of_the_stack_with_retention(
    template: Template, stage_name: str
) -> None:
    groups = [
        target(function["LoggingConfig"]["LogGroup"]) for function in functions(template).values()
    ]
    groups += [
        target(stream["LogGroupName"]) for stream in properties(template, "AWS::Logs::LogStream")
    ]
    assert len(set(groups)) == len(groups)
    assert references(template, "AWS::Logs::LogGroup") >= set(groups)
    for group in properties(template, "AWS::Logs::LogGroup"):
        assert group["RetentionInDays"] == (365 if stage_name == "prod" else 7)


def test_every_function_logs_json_traces_and_states_its_size(template: Template) -> None:
    for function in functions(template).values():
        assert function["LoggingConfig"]["LogFormat"] == "JSON"
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["Runtime"] == "python3.13"
        assert function["Architectures"] == ["arm64"]
        assert 0 < function["Timeout"] <= 900
        assert function["MemorySize"] >= 256
        variables = function["Environment"]["Variables"]
        assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "AwsOdyssey"
        assert variables["POWERTOOLS_SERVICE_NAME"]


def test_every_function_has_a_role_of_its_own(template: Template) -> None:
    roles = [target(function["Role"]) for function in functions(template).values()]
    assert len(set(roles)) == len(roles)
    assert references(template, "AWS::IAM::Role", ".Arn") >= set(roles)


def test_no_role_of_ours_has_a_policy_that_aws_manages(template: Template) -> None:
    assert MANAGED_BY_AWS not in json.dumps(template)
    for role in properties(template, "AWS::IAM::Role"):
        own = {target(each) for each in role.get("ManagedPolicyArns", [])}
        assert own <= references(template, "AWS::IAM::ManagedPolicy")


# Statements whose resource is "*", because AWS has no narrower one, or because the statement is
# in the policy of the resource itself.
WILDCARDS: dict[str, set[frozenset[str]]] = {
    "AWS::IAM::Policy": {frozenset({"xray:PutTelemetryRecords", "xray:PutTraceSegments"})},
    "AWS::IAM::Role": {
        frozenset(
            f"logs:{action}"
            for action in (
                "CreateLogGroup",
                "CreateLogStream",
                "DescribeLogGroups",
                "DescribeLogStreams",
                "FilterLogEvents",
                "GetLogEvents",
                "PutLogEvents",
            )
        )
    },
}


OBJECT_ACTIONS = {
    *("s3:AbortMultipartUpload", "s3:DeleteObjectVersion", "s3:GetObject", "s3:PutObject"),
}
# Where a path parameter is a wildcard in the ARN of a method.
OF_A_PATH = ("/GET/get-summary/*", "/GET/entities/*/*")


def test_no_statement_has_a_wildcard_where_aws_has_a_narrower_resource(template: Template) -> None:
    for logical_id, statement in statements(template):
        kind = template["Resources"][logical_id]["Type"]
        if kind == "AWS::KMS::Key" or statement["Effect"] == "Deny":
            continue
        actions = frozenset(as_list(statement["Action"]))
        assert all("*" not in action for action in actions), logical_id
        for resource in as_list(statement.get("Resource", [])):
            arn = target(resource)
            bare = without_end(arn, OF_A_PATH)
            # A stack's ARN ends with an id that its own template cannot know.
            if actions == {"cloudformation:DescribeStacks"}:
                bare = bare.removesuffix("/*")
            # So is a key, which is made at run time, in the ARN of an object.
            if actions <= OBJECT_ACTIONS:
                bare = bare.removesuffix("/*")
            assert "*" not in bare or actions in WILDCARDS.get(kind, set()), f"{logical_id}: {arn}"
            assert "*" not in bare or arn == "*", f"{logical_id}: {arn}"


def without_end(text: str, ends: tuple[str, ...]) -> str:
    """Return the text without the one end that it has, if it has one."""
    return next((text.removesuffix(end) for end in ends if text.endswith(end)), text)


OWN_ACCOUNT = "arn:<AWS::Partition>:iam::<AWS::AccountId>:root"


def test_only_services_and_this_account_assume_roles(template: Template) -> None:
    for role in properties(template, "AWS::IAM::Role"):
        for statement in role["AssumeRolePolicyDocument"]["Statement"]:
            assert statement["Action"] == "sts:AssumeRole"
            [(kind, principal)] = statement["Principal"].items()
            assert kind == "Service" or (
                kind == "AWS"
                and target(principal) == "arn:<AWS::Partition>:iam::<AWS::AccountId>:root"
            )


def test_no_stack_makes_an_access_key(template: Template) -> None:
    assert not resources(template, "AWS::IAM::AccessKey")


def test_no_resource_policy_lets_everybody_in(template: Template) -> None:
    for logical_id, statement in statements(template):
        principal = statement.get("Principal")
        if statement["Effect"] == "Allow" and principal is not None:
            assert principal not in ("*", {"AWS": "*"}), logical_id


def test_a_service_is_let_in_for_this_account_only(template: Template) -> None:
    for policy in properties(template, "AWS::SNS::TopicPolicy"):
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Allow":
                assert "aws:SourceAccount" in json.dumps(statement["Condition"])
    own = {
        target(reference)
        for kind in ("AWS::SNS::Topic", "AWS::S3::Bucket", "AWS::Events::Rule")
        for logical_id in resources(template, kind)
        for reference in ({"Ref": logical_id}, {"Fn::GetAtt": [logical_id, "Arn"]})
    }
    for policy in properties(template, "AWS::SQS::QueuePolicy"):
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Allow":
                assert target(statement["Condition"]["ArnEquals"]["aws:SourceArn"]) in own
    for permission in properties(template, "AWS::Lambda::Permission"):
        source = target(permission["SourceArn"])
        # A resource of this stack is one of this account.
        assert source in own or "<AWS::AccountId>" in source
        # Not even another method of the same API. Of an HTTP API, whose one stage has any name,
        # a route's permission says the path alone.
        bare = without_end(source, OF_A_PATH).replace(">/*/*/", ">/")
        assert "*" not in bare


def test_every_alarm_tells_the_topic_and_says_what_is_wrong(template: Template) -> None:
    topics: set[Any] = {
        f"<{name}>"
        for name, parameter in template.get("Parameters", {}).items()
        if parameter.get("Default") == "/odyssey/alarm-topic-arn"
    }
    alarms = properties(template, "AWS::CloudWatch::Alarm")
    for alarm in alarms:
        assert {target(action) for action in alarm["AlarmActions"]} == topics
        assert alarm["AlarmDescription"].endswith(".")
        assert alarm["TreatMissingData"] == "notBreaching"
    # Ten are free ("Amazon CloudWatch pricing", 2026-11-21).
    assert len(alarms) <= 10


@pytest.mark.parametrize("metric", ["Throttles"])
def test_every_function_has_an_alarm_on(metric: str, template: Template) -> None:
    watched = {
        target(dimension["Value"])
        for alarm in properties(template, "AWS::CloudWatch::Alarm")
        if alarm.get("MetricName") == metric
        for dimension in alarm["Dimensions"]
    }
    # Who deletes a stack waits for the helpers of its resources, and is told.
    helpers = {
        target(resource["Properties"]["ServiceToken"]).replace(".Arn>", ">")
        for resource in resources(template).values()
        if resource["Type"].startswith("Custom::")
    }
    assert watched == references(template, "AWS::Lambda::Function") - helpers

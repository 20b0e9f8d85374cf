"""Rules that every stack keeps, in every stage."""

from __future__ import annotations

import json
from typing import Any

from custom_resources.emptying import EMPTY_TAG
from odyssey_cli import paths
from tests.template.conftest import STACKS
from tests.template.synth import (
    Synth,
    Template,
    functions,
    properties,
    resources,
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
    "AWS::EC2::Route",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::Events::Archive",
    "AWS::IAM::Group",
    "AWS::IAM::InstanceProfile",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogStream",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "Custom::ClosedDefaultGroup",
    "Custom::EmptyBucket",
}
# What the CDK adds, so that a person finds a network's parts, and it the subnets, again.
OF_NETWORKS = {"Name", "aws-cdk:subnet-name", "aws-cdk:subnet-type"}
# Properties that name a resource for ever, by type; the exceptions are how stacks find the topic,
# a bus, which others have to know, and a key pair, which CloudFormation makes with a name only.
PHYSICAL_NAMES = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::EC2::SecurityGroup": "GroupName",
    "AWS::Events::Archive": "ArchiveName",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
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
        if resource["Type"].startswith("AWS::EC2::"):
            found = {name: value for name, value in found.items() if name not in OF_NETWORKS}
        assert found == expected, logical_id


def test_stacks_have_the_tags_too(stage: Synth, stack: str, stage_name: str) -> None:
    artifact = stage.manifest["artifacts"][stack]["properties"]
    assert artifact["tags"] == {"project": "aws-odyssey", "stack": stack, "stage": stage_name}


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
    for key_pair in properties(template, "AWS::EC2::KeyPair"):
        # Derived from the stack's, so that an account has room for a second copy.
        assert key_pair["KeyName"].startswith(stack)


def test_no_account_region_or_machine_is_written_down(template: Template) -> None:
    for path, value in walk(template):
        if isinstance(value, str):
            assert "123456789012" not in value, path
            assert "us-east-1" not in value, path
            assert str(paths.ROOT) not in value, path


def test_tables_cost_nothing_while_idle(template: Template) -> None:
    for table in properties(template, "AWS::DynamoDB::Table"):
        assert table["BillingMode"] == "PAY_PER_REQUEST"


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


# Where a path parameter is a wildcard in the ARN of a method.
OF_A_PATH = ("/GET/get-summary/*", "/GET/entities/*/*")


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

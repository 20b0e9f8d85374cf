"""Rules that every stack keeps, in every stage."""

from __future__ import annotations

import json
from typing import Any

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


def test_every_stack_is_looked_at(dev: Synth) -> None:
    assert set(dev.templates) == set(STACKS)
    assert len(STACKS) == len(set(STACKS))


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

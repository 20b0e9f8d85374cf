"""The word counter's topic: who has its messages, and what comes of those that fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aws_cdk import App

from app import context_defaults
from odyssey_constructs.config import Config
from tests import third_subscriber
from tests.template.synth import Template, named, only, properties, references, resources, target

if TYPE_CHECKING:
    from pathlib import Path

SUBSCRIBERS = ["Multiplier", "Logger"]


def test_the_topic_is_encrypted_with_aws_s_key_in_dev_and_the_stacks_own_in_prod(
    pubsub: Template, stage_name: str
) -> None:
    found = target(only(pubsub, "AWS::SNS::Topic")["KmsMasterKeyId"])
    if stage_name == "dev":
        assert found.endswith(":<AWS::AccountId>:alias/aws/sns")
    else:
        assert {found} == references(pubsub, "AWS::KMS::Key", ".Arn")


def test_sns_may_use_the_key_for_this_account_only(pubsub: Template, stage_name: str) -> None:
    # What SNS gives up, it encrypts for the queue itself.
    statements = [
        statement
        for key in properties(pubsub, "AWS::KMS::Key")
        for statement in key["KeyPolicy"]["Statement"]
        if statement["Principal"] == {"Service": "sns.amazonaws.com"}
    ]
    assert len(statements) == (1 if stage_name == "prod" else 0)
    for statement in statements:
        assert statement["Effect"] == "Allow"
        assert set(statement["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey"}
        assert statement["Condition"] == {
            "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
        }


def test_nobody_but_those_whose_role_says_so_publishes(pubsub: Template) -> None:
    statements = only(pubsub, "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    assert [statement["Effect"] for statement in statements] == ["Deny"]


@pytest.mark.parametrize("name", SUBSCRIBERS)
def test_a_subscriber_gets_every_message_and_its_failures_end_in_its_queue(
    pubsub: Template, name: str
) -> None:
    assert_subscribed(pubsub, name)
    _, subscription = named(pubsub, "AWS::SNS::Subscription", name)
    assert "FilterPolicy" not in subscription


def test_there_are_two_subscribers_each_with_a_queue_of_its_own(pubsub: Template) -> None:
    subscriptions = properties(pubsub, "AWS::SNS::Subscription")
    assert len(subscriptions) == len(SUBSCRIBERS)
    ends = {target(each["RedrivePolicy"]["deadLetterTargetArn"]) for each in subscriptions}
    assert len(ends) == len(SUBSCRIBERS)


def assert_subscribed(template: Template, name: str) -> None:
    """Assert that a function has the topic's messages, and what comes of those it fails on."""
    function, _ = named(template, "AWS::Lambda::Function", name)
    queue, _ = named(template, "AWS::SQS::Queue", f"{name}Failures")
    [topic] = resources(template, "AWS::SNS::Topic")
    # SNS hands messages over, may, and gives up what it cannot.
    _, subscription = named(template, "AWS::SNS::Subscription", name)
    assert subscription["Protocol"] == "lambda"
    assert target(subscription["TopicArn"]) == f"<{topic}>"
    assert target(subscription["Endpoint"]) == f"<{function}.Arn>"
    assert target(subscription["RedrivePolicy"]["deadLetterTargetArn"]) == f"<{queue}.Arn>"
    _, permission = named(template, "AWS::Lambda::Permission", name)
    assert permission["Principal"] == "sns.amazonaws.com"
    assert target(permission["SourceArn"]) == f"<{topic}>"
    _, policy = named(template, "AWS::SQS::QueuePolicy", f"{name}Failures")
    [sends] = [
        statement
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    assert sends == {
        "Action": "sqs:SendMessage",
        "Condition": {"ArnEquals": {"aws:SourceArn": {"Ref": topic}}},
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Resource": {"Fn::GetAtt": [queue, "Arn"]},
    }
    # Lambda invokes, and gives up what the function fails on three times.
    logical_id, attempts = named(template, "AWS::Lambda::EventInvokeConfig", name)
    assert attempts == {
        "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": [queue, "Arn"]}}},
        "FunctionName": {"Ref": function},
        "MaximumEventAgeInSeconds": 6 * 60 * 60,
        "MaximumRetryAttempts": 2,
        "Qualifier": "$LATEST",
    }
    # Lambda checks at once whether the function's role may send there.
    assert any(
        each.startswith(f"{name}RoleDefaultPolicy")
        for each in template["Resources"][logical_id]["DependsOn"]
    )


def test_a_third_subscriber_of_only_some_messages_is_one_statement(tmp_path: Path) -> None:
    app = App(
        outdir=str(tmp_path),
        context=context_defaults(),
        builtin_cloud_formation_validation=False,
    )
    # WHEN
    third_subscriber.stack_class()(app, "PubSub", config=Config())
    template = app.synth().get_stack_by_name("PubSub").template
    # THEN
    assert_subscribed(template, "LongMessages")
    _, subscription = named(template, "AWS::SNS::Subscription", "LongMessages")
    assert subscription["FilterPolicy"] == {"words": [{"numeric": [">=", 20]}]}
    assert subscription.get("FilterPolicyScope", "MessageAttributes") == "MessageAttributes"
    _, alarm = named(template, "AWS::CloudWatch::Alarm", "LongMessagesFailures")
    assert alarm["AlarmDescription"].startswith("Long messages are missing in their own log. ")
    # THEN the others still have all of them
    for name in SUBSCRIBERS:
        assert_subscribed(template, name)
        assert "FilterPolicy" not in named(template, "AWS::SNS::Subscription", name)[1]

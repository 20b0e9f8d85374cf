"""The consumer's template: its rule, its queue, its tables, its API and who is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App

from app import context_defaults
from consumer.kinds import TYPES
from odyssey_constructs.config import Config
from stacks.consumer import Consumer
from tests.template.dashboards import body, counts_shown, texts
from tests.template.permissions import LOGS, TRACES, allowed
from tests.template.synth import (
    Synth,
    Template,
    as_list,
    functions,
    named,
    only,
    properties,
    references,
    resources,
    synthesize,
    target,
)

if TYPE_CHECKING:
    from pathlib import Path

API = "AWS::ApiGateway"
# Every call of each function, by the resource it is made on; nothing else is allowed: the reader
# writes nothing, and what is triggered by hand is counted as all else, by way of the queue.
FUNCTIONS: dict[str, dict[str, set[str]]] = {
    "responder": {
        "Queue": {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
        "Markers": {"dynamodb:PutItem"},
        "Totals": {"dynamodb:UpdateItem"},
        "Entities": {"dynamodb:BatchGetItem", "dynamodb:PutItem"},
        "Rejects": {"sqs:SendMessage"},
    },
    "reader": {"Totals": {"dynamodb:BatchGetItem"}, "Entities": {"dynamodb:GetItem"}},
    "trigger": {"Requests": {"dynamodb:PutItem"}, "Queue": {"sqs:SendMessage"}},
}
# What encrypted tables and queues ask of their callers beside that.
KEY = {
    "responder": {"kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"},
    "reader": {"kms:Decrypt", "kms:DescribeKey"},
    "trigger": {"kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"},
}
ROUTES = {
    "GET /": "Reader",
    "GET /totals": "Reader",
    "GET /entities/{type}/{id}": "Reader",
    "POST /events": "Trigger",
}


@pytest.fixture
def rule(consumer: Template) -> dict[str, Any]:
    """The one rule of each stage in turn."""
    return only(consumer, "AWS::Events::Rule")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_make_the_calls_it_makes_and_no_other(
    consumer: Template, stage_name: str, function: str
) -> None:
    expected = {**FUNCTIONS[function], "logs": LOGS, "everything": TRACES}
    if stage_name == "prod":
        expected["key"] = KEY[function]
    assert allowed(consumer, function) == expected


def test_functions_are_told_where_things_are(consumer: Template) -> None:
    told = {
        name: {
            key: target(value)
            for key, value in function["Environment"]["Variables"].items()
            if not key.startswith("POWERTOOLS")
        }
        for name, function in functions(consumer).items()
    }
    ids = {key[:-8]: f"<{key}>" for key in resources(consumer)}
    kept = {"TOTALS_TABLE": ids["TotalsTable"], "ENTITIES_TABLE": ids["EntitiesTable"]}
    assert told == {
        "responder": {
            **kept,
            "MARKERS_TABLE": ids["MarkersTable"],
            "REJECTS_QUEUE": ids["RejectsQueue"],
        },
        "reader": kept,
        "trigger": {"REQUESTS_TABLE": ids["RequestsTable"], "EVENTS_QUEUE": ids["Queue"]},
    }


def test_the_rule_lets_the_types_pass_that_the_functions_know(rule: dict[str, Any]) -> None:
    # What others put on the bus under such a type is no CloudEvent.
    assert rule["EventPattern"] == {"detail-type": list(TYPES), "detail": {"specversion": ["1.0"]}}
    assert rule["State"] == "ENABLED"


def test_events_are_tried_for_a_day_and_are_dead_letters_then(
    consumer: Template, rule: dict[str, Any]
) -> None:
    queue = consumer["Outputs"]["EventsQueueUrl"]["Value"]["Ref"]
    dead_letters, _ = named(consumer, "AWS::SQS::Queue", "QueueDeadLetters")
    [its] = rule["Targets"]
    assert target(its["Arn"]) == f"<{queue}.Arn>"
    # The longest and most that EventBridge tries ("RetryPolicy", 2026-11-21).
    assert its["RetryPolicy"] == {
        "MaximumEventAgeInSeconds": 24 * 60 * 60,
        "MaximumRetryAttempts": 185,
    }
    assert target(its["DeadLetterConfig"]["Arn"]) == f"<{dead_letters}.Arn>"
    # The event as it is.
    assert not {"Input", "InputPath", "InputTransformer"} & set(its)


@pytest.mark.parametrize("is_dead", [False, True])
def test_eventbridge_may_send_to_the_queue_and_its_dead_letters_what_the_one_rule_brings(
    consumer: Template, is_dead: bool
) -> None:
    logical_id = consumer["Outputs"]["EventsQueueUrl"]["Value"]["Ref"]
    if is_dead:
        logical_id, _ = named(consumer, "AWS::SQS::Queue", "QueueDeadLetters")
    [policy] = [
        each
        for each in properties(consumer, "AWS::SQS::QueuePolicy")
        if each["Queues"] == [{"Ref": logical_id}]
    ]
    [rule] = resources(consumer, "AWS::Events::Rule")
    statements = policy["PolicyDocument"]["Statement"]
    [sends] = [statement for statement in statements if statement["Effect"] == "Allow"]
    assert sends == {
        "Action": "sqs:SendMessage",
        "Condition": {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [rule, "Arn"]}}},
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Resource": {"Fn::GetAtt": [logical_id, "Arn"]},
    }


def test_eventbridge_may_use_the_key_for_this_account_only(
    consumer: Template, stage_name: str
) -> None:
    statements = [
        statement
        for key in properties(consumer, "AWS::KMS::Key")
        for statement in key["KeyPolicy"]["Statement"]
        if statement["Principal"] == {"Service": "events.amazonaws.com"}
    ]
    assert len(statements) == (1 if stage_name == "prod" else 0)
    for statement in statements:
        assert set(statement["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey"}
        assert statement["Condition"] == {
            "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
        }


def test_the_bus_is_ingest_s_which_is_there_before(consumer: Template, stage: Synth) -> None:
    assert only(consumer, "AWS::Events::Rule")["EventBusName"] == "Ingest-events"
    assert stage.templates["Ingest"]["Outputs"]["BusName"]["Value"] == "Ingest-events"
    assert "Ingest" in stage.manifest["artifacts"]["Consumer"]["dependencies"]


def test_ingest_s_bus_named_by_option_is_there_before_too(tmp_path: Path) -> None:
    synth = synthesize(tmp_path, consumer_bus="Ingest-events")
    rule = only(synth.templates["Consumer"], "AWS::Events::Rule")
    assert rule["EventBusName"] == "Ingest-events"
    assert "Ingest" in synth.manifest["artifacts"]["Consumer"]["dependencies"]


def test_another_bus_by_option_does_without_ingest(dev_with_every_option: Synth) -> None:
    synth = dev_with_every_option
    rule = only(synth.templates["Consumer"], "AWS::Events::Rule")
    assert rule["EventBusName"] == "theirs"
    dependencies = synth.manifest["artifacts"]["Consumer"]["dependencies"]
    assert "Operations" in dependencies
    assert "Ingest" not in dependencies


@pytest.mark.parametrize(
    ("config", "bus"), [(Config(), "default"), (Config(consumer_bus="theirs"), "theirs")]
)
def test_alone_it_takes_the_account_s_default_bus_or_the_one_by_option(
    tmp_path: Path, config: Config, bus: str
) -> None:
    # GIVEN an app of nothing else
    app = App(
        outdir=str(tmp_path),
        context=context_defaults(),
        builtin_cloud_formation_validation=False,
    )
    # WHEN
    Consumer(app, "Consumer", config=config)
    # THEN
    assembly = app.synth()
    assert [stack.stack_name for stack in assembly.stacks] == ["Consumer"]
    assert only(assembly.stacks[0].template, "AWS::Events::Rule")["EventBusName"] == bus


def test_the_responder_gets_a_hundred_events_at_a_time_from_two_batches_at_once(
    consumer: Template,
) -> None:
    mapping = only(consumer, "AWS::Lambda::EventSourceMapping")
    queue = consumer["Outputs"]["EventsQueueUrl"]["Value"]["Ref"]
    responder, _ = named(consumer, "AWS::Lambda::Function", "Responder")
    assert target(mapping["EventSourceArn"]) == f"<{queue}.Arn>"
    assert target(mapping["FunctionName"]) == f"<{responder}>"
    assert mapping["BatchSize"] == 100
    # A batch of more than ten has to wait for its messages.
    assert mapping["MaximumBatchingWindowInSeconds"] == 1
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 2}
    [made] = resources(consumer, "AWS::Lambda::EventSourceMapping").values()
    policy, _ = named(consumer, "AWS::IAM::Policy", "ResponderRoleDefaultPolicy")
    assert policy in made["DependsOn"]


def test_the_tables_are_keyed_by_id_and_stream_nothing(consumer: Template) -> None:
    tables = resources(consumer, "AWS::DynamoDB::Table")
    assert {name[:-13] for name in tables} == {"Markers", "Totals", "Entities", "Requests"}
    for table in (each["Properties"] for each in tables.values()):
        assert table["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
        assert "StreamSpecification" not in table
        assert "GlobalSecondaryIndexes" not in table
        # Markers and requests expire by the attribute that functions write.
        assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_the_api_has_four_methods_each_signed_and_each_to_its_function(consumer: Template) -> None:
    found = {}
    for method in properties(consumer, f"{API}::Method"):
        assert method["AuthorizationType"] == "AWS_IAM"
        assert method["Integration"]["Type"] == "AWS_PROXY"
        [function] = [
            name[:-16]
            for name in resources(consumer, "AWS::Lambda::Function")
            if f"<{name}.Arn>" in target(method["Integration"]["Uri"])
        ]
        found[f"{method['HttpMethod']} {path(consumer, method['ResourceId'])}"] = function
    assert found == ROUTES
    assert "Access-Control" not in json.dumps(consumer)


def path(template: Template, resource_id: dict[str, Any]) -> str:
    """Return the path of a resource of the API."""
    if "Fn::GetAtt" in resource_id:
        return "/"
    resource = template["Resources"][resource_id["Ref"]]["Properties"]
    return f"{path(template, resource['ParentId']).rstrip('/')}/{resource['PathPart']}"


def test_a_client_may_call_the_four_methods_and_no_other(consumer: Template) -> None:
    document = only(consumer, "AWS::IAM::ManagedPolicy")["PolicyDocument"]
    found = {
        target(resource).split(">/")[-1]
        for statement in document["Statement"]
        for resource in as_list(statement["Resource"])
    }
    assert found == {"GET/", "GET/totals", "GET/entities/*/*", "POST/events"}
    assert {action for each in document["Statement"] for action in as_list(each["Action"])} == {
        "execute-api:Invoke"
    }


def test_alarms_watch_the_api_the_functions_and_the_queues(consumer: Template) -> None:
    metrics = [alarm["MetricName"] for alarm in properties(consumer, "AWS::CloudWatch::Alarm")]
    assert sorted(metrics) == [
        "5XXError",
        "ApproximateAgeOfOldestMessage",
        *["ApproximateNumberOfMessagesVisible"] * 2,
        *["Throttles"] * 3,
    ]


def test_who_gets_an_alarm_learns_which_command_helps(consumer: Template) -> None:
    _, dead = named(consumer, "AWS::CloudWatch::Alarm", "QueueDeadLettersWaiting")
    assert dead["AlarmDescription"].endswith("then run odyssey redrive Consumer.")
    _, rejects = named(consumer, "AWS::CloudWatch::Alarm", "RejectsWaiting")
    assert "odyssey ingest failures" in rejects["AlarmDescription"]


def test_the_dashboard_has_every_alarm_and_names_metrics_that_functions_emit(
    consumer: Template,
) -> None:
    for alarm in references(consumer, "AWS::CloudWatch::Alarm", ".Arn"):
        assert alarm in body(consumer)
    shown = counts_shown(consumer, "Consumer")
    assert {"EventsCounted", "EventsAlreadyCounted", "EventsTriggered"} <= shown
    assert shown <= texts("consumer", "shared")


def test_clients_find_everything_in_the_outputs(consumer: Template) -> None:
    ids = {key[:-8]: f"<{key}>" for key in resources(consumer)}
    outputs = {name: target(each["Value"]) for name, each in consumer["Outputs"].items()}
    assert outputs.pop("ApiUrl").startswith("https://")
    assert outputs == {
        "ClientPolicyArn": ids["ApiClientPolicy"],
        "EventsQueueUrl": ids["Queue"],
        "MarkersTable": ids["MarkersTable"],
        "TotalsTable": ids["TotalsTable"],
        "EntitiesTable": ids["EntitiesTable"],
        "RejectsQueueUrl": ids["RejectsQueue"],
    }

"""The event aggregator's template: its permissions, its edge, its stream and who is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.template.permissions import LOGS, TRACES, allowed
from tests.template.synth import (
    Synth,
    Template,
    as_list,
    functions,
    only,
    properties,
    references,
    resources,
    target,
)

API = "AWS::ApiGateway"
# Every call each function makes, by the resource it is made on; nothing else is allowed.
ALLOWED: dict[str, dict[str, set[str]]] = {
    "producer": {"Events": {"dynamodb:PutItem"}},
    "aggregator": {
        "Processed": {"dynamodb:PutItem"},
        "Summaries": {"dynamodb:BatchGetItem", "dynamodb:UpdateItem"},
        "Rejects": {"sqs:SendMessage"},
        "AggregationDeadLetters": {"sqs:SendMessage"},
        "Events stream": {
            "dynamodb:DescribeStream",
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
            "dynamodb:ListStreams",
        },
    },
    "reader": {"Summaries": {"dynamodb:GetItem"}, "Summaries by-count": {"dynamodb:Query"}},
}
# What an encrypted table or queue asks of its callers beside that.
KEY: dict[str, set[str]] = {
    "producer": {"kms:Decrypt", "kms:DescribeKey"},
    "aggregator": {"kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"},
    "reader": {"kms:Decrypt", "kms:DescribeKey"},
}


@pytest.mark.parametrize("function", ALLOWED)
def test_a_function_may_make_the_calls_it_makes_and_no_other(
    aggregator: Template, stage_name: str, function: str
) -> None:
    expected = {**ALLOWED[function], "logs": LOGS, "everything": TRACES}
    if stage_name == "prod":
        expected["key"] = KEY[function]
    assert allowed(aggregator, function) == expected


def test_a_client_may_call_the_three_methods_and_no_other(aggregator: Template) -> None:
    document = only(aggregator, "AWS::IAM::ManagedPolicy")["PolicyDocument"]
    found = {
        target(resource).split(">/")[-1]
        for statement in document["Statement"]
        for resource in as_list(statement["Resource"])
    }
    assert found == {"POST/trigger-event", "GET/get-summary", "GET/get-summary/*"}
    assert {action for s in document["Statement"] for action in as_list(s["Action"])} == {
        "execute-api:Invoke"
    }


def test_the_stream_brings_inserts_in_bounded_tries_and_gives_up_to_the_queue(
    aggregator: Template,
) -> None:
    mapping = only(aggregator, "AWS::Lambda::EventSourceMapping")
    assert [json.loads(each["Pattern"]) for each in mapping["FilterCriteria"]["Filters"]] == [
        {"eventName": ["INSERT"]}
    ]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert 1 <= mapping["MaximumRetryAttempts"] <= 10
    assert 0 < mapping["MaximumRecordAgeInSeconds"] < 24 * 60 * 60
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BatchSize"] == 1_000
    destination = target(mapping["DestinationConfig"]["OnFailure"]["Destination"])
    assert destination in references(aggregator, "AWS::SQS::Queue", ".Arn")
    assert "DeadLetters" in destination


def test_the_mapping_waits_for_the_permission_to_read_the_stream(aggregator: Template) -> None:
    # Made before its role may read the stream, a mapping fails to create.
    [mapping] = resources(aggregator, "AWS::Lambda::EventSourceMapping").values()
    role = functions(aggregator)["aggregator"]["Role"]["Fn::GetAtt"][0]
    [policy] = [
        logical_id
        for logical_id, resource in resources(aggregator, "AWS::IAM::Policy").items()
        if {"Ref": role} in resource["Properties"]["Roles"]
    ]
    assert policy in mapping["DependsOn"]


def test_only_the_events_table_streams_and_it_streams_new_items(aggregator: Template) -> None:
    streams = {
        logical_id: table["Properties"]["StreamSpecification"]["StreamViewType"]
        for logical_id, table in resources(aggregator, "AWS::DynamoDB::Table").items()
        if "StreamSpecification" in table["Properties"]
    }
    [(table, view)] = streams.items()
    assert (table[:6], view) == ("Events", "NEW_IMAGE")


def test_events_and_markers_expire_by_the_attribute_that_functions_write(
    aggregator: Template,
) -> None:
    for table in properties(aggregator, "AWS::DynamoDB::Table"):
        assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_every_method_asks_for_a_signature_and_none_answers_cors(aggregator: Template) -> None:
    methods = properties(aggregator, f"{API}::Method")
    assert sorted(method["HttpMethod"] for method in methods) == ["GET", "GET", "POST"]
    assert {method["AuthorizationType"] for method in methods} == {"AWS_IAM"}
    assert "Access-Control" not in json.dumps(aggregator)


def test_the_stage_is_throttled_and_traced(aggregator: Template) -> None:
    stage = only(aggregator, f"{API}::Stage")
    [settings] = stage["MethodSettings"]
    assert (settings["HttpMethod"], settings["ResourcePath"]) == ("*", "/*")
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (100, 200)
    assert settings["DataTraceEnabled"] is False
    assert stage["TracingEnabled"] is True


def test_the_access_log_has_who_what_and_how_but_no_content(aggregator: Template) -> None:
    setting = only(aggregator, f"{API}::Stage")["AccessLogSetting"]
    fields = set(json.loads(setting["Format"]).values())
    assert {"$context.requestId", "$context.status", "$context.identity.caller"} <= fields
    # A path has the ids of summaries; its pattern has not.
    assert not any(
        word in field.lower()
        for field in fields
        for word in ("body", "header", "querystring", "input", "$context.path", "useragent")
    )
    assert target(setting["DestinationArn"]).endswith(":log-group:<ApiAccessLog713001CC>")


def test_bodies_reach_functions_as_bytes(aggregator: Template) -> None:
    # As text, the gateway would replace bytes that are not UTF-8 without a word.
    assert only(aggregator, f"{API}::RestApi")["BinaryMediaTypes"] == ["*/*"]


def test_what_the_gateway_refuses_is_a_problem(aggregator: Template) -> None:
    responses = properties(aggregator, f"{API}::GatewayResponse")
    assert {response["ResponseType"] for response in responses} == {"DEFAULT_4XX", "DEFAULT_5XX"}
    for response in responses:
        assert response["ResponseParameters"] == {
            "gatewayresponse.header.Content-Type": "'application/problem+json'"
        }
        # messageString comes with its quotes.
        template = response["ResponseTemplates"]["application/json"]
        filled = template.replace("$context.error.messageString", '"Forbidden"')
        problem = json.loads(filled.replace("$context.error.responseType", "ACCESS_DENIED"))
        assert problem["type"] == "urn:aws-odyssey:problem:ACCESS_DENIED"
        assert problem["title"] == "Forbidden"


def test_there_is_one_dashboard_with_every_alarm_and_business_metric(aggregator: Template) -> None:
    body = target(only(aggregator, "AWS::CloudWatch::Dashboard")["DashboardBody"])
    for alarm in references(aggregator, "AWS::CloudWatch::Alarm", ".Arn"):
        assert alarm in body
    for metric in ("EventsAccepted", "EventsRepeated", "EventsCounted", "EventsAlreadyCounted"):
        assert f'"AwsOdyssey","{metric}","service","EventAggregator"' in body


def test_alarms_watch_the_edge_the_functions_the_stream_and_the_queues(
    aggregator: Template,
) -> None:
    metrics = [alarm["MetricName"] for alarm in properties(aggregator, "AWS::CloudWatch::Alarm")]
    assert sorted(metrics) == [
        "5XXError",
        *["ApproximateNumberOfMessagesVisible"] * 2,
        "IteratorAge",
        *["Throttles"] * 3,
    ]


def test_functions_are_told_the_tables_they_use(aggregator: Template) -> None:
    told = {
        name: {
            key: target(value)
            for key, value in function["Environment"]["Variables"].items()
            if not key.startswith("POWERTOOLS")
        }
        for name, function in functions(aggregator).items()
    }
    ids = {key[:-8].removesuffix("Table"): f"<{key}>" for key in resources(aggregator)}
    assert told == {
        "producer": {"EVENTS_TABLE": ids["Events"], "GROUP_BY": "[]", "EVENT_TTL_DAYS": "0"},
        "aggregator": {
            "PROCESSED_TABLE": ids["Processed"],
            "SUMMARIES_TABLE": ids["Summaries"],
            "REJECTS_QUEUE": ids["RejectsQueue"],
        },
        "reader": {"SUMMARIES_TABLE": ids["Summaries"], "RANKING": "by-count"},
    }


def test_options_reach_the_template(dev_with_every_option: Synth) -> None:
    # WHEN every option has another value than its default
    templates = dev_with_every_option.templates
    # THEN
    template, operations = templates["EventAggregator"], templates["Operations"]
    variables: dict[str, Any] = functions(template)["producer"]["Environment"]["Variables"]
    assert json.loads(variables["GROUP_BY"]) == ["type", "city"]
    assert variables["EVENT_TTL_DAYS"] == "9"
    [settings] = only(template, f"{API}::Stage")["MethodSettings"]
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (7, 8)
    assert {each["Architectures"][0] for each in functions(template).values()} == {"x86_64"}
    assert only(operations, "AWS::SNS::Subscription")["Endpoint"] == "me@example.com"
    assert not resources(operations, f"{API}::Account")
    assert not resources(operations, "AWS::IAM::Role")


def test_each_stack_waits_for_the_one_with_the_topic(stage: Synth) -> None:
    dependencies = stage.manifest["artifacts"]["EventAggregator"]["dependencies"]
    assert "Operations" in dependencies

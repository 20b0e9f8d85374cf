"""The word counter's template: its permissions, its secrets, its edge and who is told."""

from __future__ import annotations

import json

import pytest

from tests.template.dashboards import body, counts_shown, texts
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

API = "AWS::ApiGatewayV2"
SECRET = "AWS::SecretsManager::Secret"
SECRETS = {"SlackSecret": "signing_secret", "ApiSecret": "token"}
READ = {"secretsmanager:GetSecretValue"}
SEND = {"sqs:SendMessage"}
# Every call of each function and of the client, by the resource it is made on; nothing else is
# allowed.
FUNCTIONS: dict[str, dict[str, set[str]]] = {
    "counter": {
        "Words": {"dynamodb:BatchGetItem", "dynamodb:UpdateItem"},
        "Markers": {"dynamodb:BatchGetItem", "dynamodb:PutItem"},
        "Counted": {"sns:Publish"},
        "SlackSecret": READ,
        "ApiSecret": READ,
    },
    "multiplier": {
        "Words": {"dynamodb:UpdateItem"},
        "Markers": {"dynamodb:PutItem"},
        "MultiplierFailures": SEND,
        "Rejects": SEND,
    },
    "word_logger": {"LoggerFailures": SEND, "Rejects": SEND},
    "reader": {
        "Words": {"dynamodb:GetItem"},
        "Words by-count": {"dynamodb:Query"},
        "ApiSecret": READ,
    },
}
SPEAKER = {"SlackSecret": READ, "ApiSecret": READ}
# What encrypted tables, queues, topics and secrets ask of their callers beside that.
KEY = {
    "counter": {"kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"},
    "multiplier": {"kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"},
    "word_logger": {"kms:Decrypt", "kms:GenerateDataKey"},
    "reader": {"kms:Decrypt", "kms:DescribeKey"},
    "Speaker": {"kms:Decrypt"},
}
ROUTES = {
    "POST /slack": "Counter",
    "POST /words": "Counter",
    "GET /words": "Reader",
    "GET /words/{word}": "Reader",
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_make_the_calls_it_makes_and_no_other(
    pubsub: Template, stage_name: str, function: str
) -> None:
    expected = {**FUNCTIONS[function], "logs": LOGS, "everything": TRACES}
    if stage_name == "prod":
        expected["key"] = KEY[function]
    assert allowed(pubsub, function) == expected


def test_the_speaker_may_read_what_callers_must_know_and_nothing_else(
    pubsub: Template, stage_name: str
) -> None:
    logical_id, policy = named(pubsub, "AWS::IAM::ManagedPolicy", "Speaker")
    expected = dict(SPEAKER)
    if stage_name == "prod":
        expected["key"] = KEY["Speaker"]
    assert by_resource(policy["PolicyDocument"]["Statement"]) == expected
    _, role = named(pubsub, "AWS::IAM::Role", "Speaker")
    assert role["ManagedPolicyArns"] == [{"Ref": logical_id}]
    assert "Policies" not in role


def test_secrets_are_generated_and_described_and_no_value_is_in_the_template(
    pubsub: Template,
) -> None:
    assert len(resources(pubsub, SECRET)) == len(SECRETS)
    for name, field in SECRETS.items():
        _, secret = named(pubsub, SECRET, name)
        generated = secret["GenerateSecretString"]
        assert generated["GenerateStringKey"] == field
        assert json.loads(generated["SecretStringTemplate"]) == {}
        # What Slack's own have is 32 hexadecimal digits; these are no weaker.
        assert generated["PasswordLength"] >= 32
        assert "SecretString" not in secret
        assert secret["Description"] == f"PubSub: {name}"


def test_functions_are_told_where_things_are_and_no_secret(pubsub: Template) -> None:
    # A secret's value would be a dynamic reference, which CloudFormation resolves.
    assert "{{resolve:" not in json.dumps(pubsub)
    told = {
        name: {
            key: target(value)
            for key, value in function["Environment"]["Variables"].items()
            if not key.startswith("POWERTOOLS")
        }
        for name, function in functions(pubsub).items()
    }
    # What a reference to a table or queue is, is its name or URL; to a topic or secret, its ARN.
    ids = {key[:-8]: f"<{key}>" for key in resources(pubsub)}
    tables = {"WORDS_TABLE": ids["WordsTable"], "MARKERS_TABLE": ids["MarkersTable"]}
    rejects = {"REJECTS_QUEUE": ids["RejectsQueue"]}
    assert told == {
        "counter": {
            **tables,
            "TOPIC": ids["CountedTopic"],
            "SLACK_SECRET": ids["SlackSecret"],
            "API_SECRET": ids["ApiSecret"],
        },
        "multiplier": tables | rejects,
        "word_logger": rejects,
        "reader": {
            "WORDS_TABLE": ids["WordsTable"],
            "API_SECRET": ids["ApiSecret"],
            "RANKING": "by-count",
        },
    }


def test_the_edge_has_four_routes_each_to_its_function(pubsub: Template) -> None:
    integrations = resources(pubsub, f"{API}::Integration")
    found = {}
    for route in properties(pubsub, f"{API}::Route"):
        integration = integrations[target(route["Target"]).split("/")[1].strip("<>")]["Properties"]
        assert integration["IntegrationType"] == "AWS_PROXY"
        assert integration["PayloadFormatVersion"] == "2.0"
        found[route["RouteKey"]] = target(integration["IntegrationUri"])
    assert found == {
        route: f"<{named(pubsub, 'AWS::Lambda::Function', function)[0]}.Arn>"
        for route, function in ROUTES.items()
    }


def test_the_api_may_call_a_function_for_its_routes_only(pubsub: Template) -> None:
    [api] = resources(pubsub, f"{API}::Api")
    found = {
        (target(each["FunctionName"])[1:-13], target(each["SourceArn"]).partition(f":<{api}>")[2])
        for each in properties(pubsub, "AWS::Lambda::Permission")
        if each["Principal"] == "apigateway.amazonaws.com"
    }
    assert found == {
        (f"{function}Function", f"/*/*{route.partition(' ')[2]}")
        for route, function in ROUTES.items()
    }


def test_anybody_may_call_but_no_other_site_s_page(pubsub: Template) -> None:
    # Slack cannot sign as AWS wants it; that functions check instead, other tests show.
    assert {each["AuthorizationType"] for each in properties(pubsub, f"{API}::Route")} == {"NONE"}
    api = only(pubsub, f"{API}::Api")
    assert api["ProtocolType"] == "HTTP"
    assert "CorsConfiguration" not in api
    assert "Access-Control" not in json.dumps(pubsub)


def test_the_stage_is_the_root_s_and_throttled(pubsub: Template) -> None:
    stage = only(pubsub, f"{API}::Stage")
    assert stage["StageName"] == "$default"
    assert stage["AutoDeploy"] is True
    assert stage["DefaultRouteSettings"] == {
        "ThrottlingRateLimit": 100,
        "ThrottlingBurstLimit": 200,
    }
    # A limit of its own for a route would go around that.
    assert "RouteSettings" not in stage


def test_the_throttle_is_the_configured_one(dev_with_every_option: Synth) -> None:
    template = dev_with_every_option.templates["PubSub"]
    settings = only(template, f"{API}::Stage")["DefaultRouteSettings"]
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (7, 8)


def test_the_access_log_has_where_from_what_and_how_but_no_content(pubsub: Template) -> None:
    settings = only(pubsub, f"{API}::Stage")["AccessLogSettings"]
    fields = set(json.loads(settings["Format"]).values())
    assert {"$context.requestId", "$context.status", "$context.identity.sourceIp"} <= fields
    # A path has what somebody looks up; its route has not.
    assert "$context.routeKey" in fields
    assert not any(
        word in field.lower()
        for field in fields
        for word in ("body", "header", "querystring", "path", "useragent", "authorizer")
    )
    group = target(settings["DestinationArn"])
    assert group in references(pubsub, "AWS::Logs::LogGroup", ".Arn")
    assert group.startswith("<ApiAccessLog")


def test_words_are_ranked_by_their_counts(pubsub: Template) -> None:
    _, words = named(pubsub, "AWS::DynamoDB::Table", "Words")
    [index] = words["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "by-count"
    assert {each["KeyType"]: each["AttributeName"] for each in index["KeySchema"]} == {
        "HASH": "ranking",
        "RANGE": "word_count",
    }
    kinds = {each["AttributeName"]: each["AttributeType"] for each in words["AttributeDefinitions"]}
    assert kinds == {"id": "S", "ranking": "S", "word_count": "N"}


def test_markers_expire_by_the_attribute_that_functions_write(pubsub: Template) -> None:
    _, markers = named(pubsub, "AWS::DynamoDB::Table", "Markers")
    assert markers["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert "GlobalSecondaryIndexes" not in markers


def test_failures_are_kept_for_two_weeks_and_their_alarms_say_what_is_missing(
    pubsub: Template,
) -> None:
    said = {
        target(alarm["Dimensions"][0]["Value"]).split("Queue")[0].strip("<"): alarm[
            "AlarmDescription"
        ]
        for alarm in properties(pubsub, "AWS::CloudWatch::Alarm")
        if alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    }
    assert set(said) == {"MultiplierFailures", "LoggerFailures", "Rejects"}
    assert said["MultiplierFailures"].endswith("then run odyssey redrive PubSub.")
    assert said["LoggerFailures"].endswith("then run odyssey redrive PubSub.")
    assert "odyssey pubsub failures" in said["Rejects"]
    for queue in properties(pubsub, "AWS::SQS::Queue"):
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 60 * 60


def test_alarms_watch_the_edge_the_functions_and_the_queues(pubsub: Template) -> None:
    alarms = properties(pubsub, "AWS::CloudWatch::Alarm")
    assert sorted(alarm["MetricName"] for alarm in alarms) == [
        "5xx",
        *["ApproximateNumberOfMessagesVisible"] * 3,
        *["Throttles"] * 4,
    ]
    [edge] = [alarm for alarm in alarms if alarm["MetricName"] == "5xx"]
    [api] = resources(pubsub, f"{API}::Api")
    assert edge["Dimensions"] == [{"Name": "ApiId", "Value": {"Ref": api}}]


def test_the_dashboard_has_every_alarm_and_names_metrics_that_functions_emit(
    pubsub: Template,
) -> None:
    for alarm in references(pubsub, "AWS::CloudWatch::Alarm", ".Arn"):
        assert alarm in body(pubsub)
    shown = counts_shown(pubsub, "PubSub")
    assert {"MessagesCounted", "MessagesMultiplied", "WordsLogged"} <= shown
    assert shown <= texts("pubsub")


def test_clients_find_everything_in_the_outputs(pubsub: Template) -> None:
    role, _ = named(pubsub, "AWS::IAM::Role", "Speaker")
    outputs = {name: target(each["Value"]) for name, each in pubsub["Outputs"].items()}
    assert outputs.pop("SpeakerRoleArn") == f"<{role}.Arn>"
    ids = {key[:-8]: f"<{key}>" for key in resources(pubsub)}
    assert outputs == {
        "ApiUrl": ids["Api"].replace(">", ".ApiEndpoint>"),
        "SlackSecretArn": ids["SlackSecret"],
        "ApiSecretArn": ids["ApiSecret"],
        "TopicArn": ids["CountedTopic"],
        "LoggerName": ids["LoggerFunction"],
        "WordsTable": ids["WordsTable"],
        "RejectsQueueUrl": ids["RejectsQueue"],
    }

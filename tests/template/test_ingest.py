"""Ingest's template: who may do what, its queue, its table, its bus and who is told."""

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
    role_statements,
    target,
)

SEND = {"sqs:SendMessage"}
# Every call of each function, by the resource it is made on; nothing else is allowed.
FUNCTIONS: dict[str, dict[str, set[str]]] = {
    "transformer": {"Queue": SEND, "Rejects": SEND},
    "storer": {
        "Queue": {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"},
        "Events": {"dynamodb:PutItem"},
        "Rejects": SEND,
    },
    "emitter": {
        "Events stream": {
            "dynamodb:DescribeStream",
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
            "dynamodb:ListStreams",
        },
        "Bus": {"events:PutEvents"},
        "EmissionDeadLetters": SEND,
        "Rejects": SEND,
    },
}
PRODUCER = {"Stream": {"firehose:PutRecordBatch"}, "Queue": SEND}
INVOKE = {"lambda:InvokeFunction", "lambda:GetFunctionConfiguration"}
FIREHOSE = {
    "Lake": {"s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"},
    "Lake objects": {"s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"},
    "Transformer": INVOKE,
    "Transformer:$LATEST": INVOKE,
    "StreamErrors StreamErrorStream": {"logs:PutLogEvents"},
}
ENCRYPTED = {"kms:Decrypt", "kms:GenerateDataKey"}
# What encrypted tables, queues and buckets ask of their callers beside that.
KEY = {
    "transformer": ENCRYPTED,
    "storer": {*ENCRYPTED, "kms:DescribeKey"},
    "emitter": ENCRYPTED,
    "Producer": ENCRYPTED,
    "Firehose": ENCRYPTED,
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_make_the_calls_it_makes_and_no_other(
    ingest: Template, stage_name: str, function: str
) -> None:
    expected = {**FUNCTIONS[function], "logs": LOGS, "everything": TRACES}
    if stage_name == "prod":
        expected["key"] = KEY[function]
    assert allowed(ingest, function) == expected


def test_firehose_may_deliver_to_the_one_bucket_by_way_of_the_one_function(
    ingest: Template, stage_name: str
) -> None:
    role, properties_ = named(ingest, "AWS::IAM::Role", "StreamRole")
    expected = dict(FIREHOSE)
    if stage_name == "prod":
        expected["key"] = KEY["Firehose"]
    assert by_resource(role_statements(ingest, role)) == expected
    [trust] = properties_["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "firehose.amazonaws.com"}
    stream = only(ingest, "AWS::KinesisFirehose::DeliveryStream")
    assert target(stream["ExtendedS3DestinationConfiguration"]["RoleARN"]) == f"<{role}.Arn>"


def test_a_producer_may_put_records_and_send_messages_and_read_nothing(
    ingest: Template, stage_name: str
) -> None:
    policy, document = named(ingest, "AWS::IAM::ManagedPolicy", "Producer")
    expected = dict(PRODUCER)
    if stage_name == "prod":
        expected["key"] = KEY["Producer"]
    assert by_resource(document["PolicyDocument"]["Statement"]) == expected
    _, role = named(ingest, "AWS::IAM::Role", "Producer")
    assert role["ManagedPolicyArns"] == [{"Ref": policy}]
    assert "Policies" not in role


def test_functions_are_told_where_things_are(ingest: Template) -> None:
    told = {
        name: {
            key: target(value)
            for key, value in function["Environment"]["Variables"].items()
            if not key.startswith("POWERTOOLS")
        }
        for name, function in functions(ingest).items()
        if name != "empty_bucket"
    }
    ids = {key[:-8]: f"<{key}>" for key in resources(ingest)}
    rejects = {"REJECTS_QUEUE": ids["RejectsQueue"]}
    assert told == {
        "transformer": rejects | {"EVENTS_QUEUE": ids["Queue"], "PARTITIONED": "false"},
        "storer": rejects | {"EVENTS_TABLE": ids["EventsTable"], "EVENT_TTL_DAYS": "0"},
        "emitter": rejects | {"BUS": "Ingest-events"},
    }


def test_the_queue_is_fifo_and_hands_ten_messages_at_a_time_to_the_storer(
    ingest: Template,
) -> None:
    queue = ingest["Outputs"]["EventsQueueUrl"]["Value"]["Ref"]
    properties_ = ingest["Resources"][queue]["Properties"]
    assert properties_["FifoQueue"] is True
    # The deduplication id is the hash of the event's id, not of the content.
    assert "ContentBasedDeduplication" not in properties_
    dead_letters, _ = named(ingest, "AWS::SQS::Queue", "QueueDeadLetters")
    assert properties_["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": [dead_letters, "Arn"]},
        "maxReceiveCount": 5,
    }
    _, mapping = named(ingest, "AWS::Lambda::EventSourceMapping", "QueueMapping")
    assert mapping["BatchSize"] == 10
    # "Using Lambda with Amazon SQS": a FIFO queue has no batching window.
    assert "MaximumBatchingWindowInSeconds" not in mapping
    assert target(mapping["EventSourceArn"]) == f"<{queue}.Arn>"
    storer, _ = named(ingest, "AWS::Lambda::Function", "Storer")
    assert target(mapping["FunctionName"]) == f"<{storer}>"


def test_messages_are_hidden_from_the_queue_s_other_readers_no_longer_than_needed(
    ingest: Template,
) -> None:
    queue = ingest["Resources"][ingest["Outputs"]["EventsQueueUrl"]["Value"]["Ref"]]
    # A group waits that long for a message whose function died.
    assert queue["Properties"]["VisibilityTimeout"] == 6 * functions(ingest)["storer"]["Timeout"]


def test_an_event_s_key_is_its_entity_and_its_time_with_its_id(ingest: Template) -> None:
    table = only(ingest, "AWS::DynamoDB::Table")
    assert table["KeySchema"] == [
        {"AttributeName": "entity", "KeyType": "HASH"},
        {"AttributeName": "at", "KeyType": "RANGE"},
    ]
    kinds = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
    assert kinds == {"entity": "S", "at": "S"}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}


def test_the_emitter_gets_inserts_only_in_bounded_tries_and_gives_up_to_a_queue(
    ingest: Template,
) -> None:
    _, mapping = named(ingest, "AWS::Lambda::EventSourceMapping", "EmissionMapping")
    [table] = resources(ingest, "AWS::DynamoDB::Table")
    emitter, _ = named(ingest, "AWS::Lambda::Function", "Emitter")
    queue, _ = named(ingest, "AWS::SQS::Queue", "EmissionDeadLetters")
    assert target(mapping["EventSourceArn"]) == f"<{table}.StreamArn>"
    assert target(mapping["FunctionName"]) == f"<{emitter}>"
    assert [json.loads(each["Pattern"]) for each in mapping["FilterCriteria"]["Filters"]] == [
        {"eventName": ["INSERT"]}
    ]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert 1 <= mapping["MaximumRetryAttempts"] <= 10
    assert mapping["MaximumRecordAgeInSeconds"] == 12 * 60 * 60
    assert target(mapping["DestinationConfig"]["OnFailure"]["Destination"]) == f"<{queue}.Arn>"


@pytest.mark.parametrize(("mapping", "role"), [("Queue", "Storer"), ("Emission", "Emitter")])
def test_a_mapping_waits_for_the_permission_to_read(
    ingest: Template, mapping: str, role: str
) -> None:
    # Made before its role may read the queue or the stream, a mapping fails to create.
    logical_id, _ = named(ingest, "AWS::Lambda::EventSourceMapping", f"{mapping}Mapping")
    policy, _ = named(ingest, "AWS::IAM::Policy", f"{role}RoleDefaultPolicy")
    assert policy in ingest["Resources"][logical_id]["DependsOn"]


def test_the_bus_has_the_name_that_others_know_and_an_archive_of_all_events(
    ingest: Template,
) -> None:
    [bus] = resources(ingest, "AWS::Events::EventBus")
    assert only(ingest, "AWS::Events::EventBus")["Name"] == "Ingest-events"
    archive = only(ingest, "AWS::Events::Archive")
    assert target(archive["SourceArn"]) == f"<{bus}.Arn>"
    assert archive["RetentionDays"] == 7
    assert "EventPattern" not in archive


def test_nobody_puts_events_but_those_whose_role_says_so(ingest: Template) -> None:
    # A policy of the bus would let in others.
    assert not resources(ingest, "AWS::Events::EventBusPolicy")
    assert "Policy" not in only(ingest, "AWS::Events::EventBus")


def test_the_storer_expires_events_by_the_option(with_every_option: Synth) -> None:
    template = with_every_option.templates["Ingest"]
    storer = functions(template)["storer"]
    assert storer["Environment"]["Variables"]["EVENT_TTL_DAYS"] == "30"
    # Verification has to know which events may be gone.
    assert template["Outputs"]["EventTtlDays"]["Value"] == "30"


def test_alarms_watch_the_stream_the_functions_and_the_queues(ingest: Template) -> None:
    metrics = [alarm["MetricName"] for alarm in properties(ingest, "AWS::CloudWatch::Alarm")]
    assert sorted(metrics) == [
        "ApproximateAgeOfOldestMessage",
        *["ApproximateNumberOfMessagesVisible"] * 3,
        "DeliveryToS3.DataFreshness",
        "ExecuteProcessing.Success",
        "IteratorAge",
        *["Throttles"] * 3,
    ]


def test_an_alarm_tells_of_records_that_wait_for_a_quarter_of_an_hour(ingest: Template) -> None:
    _, behind = named(ingest, "AWS::CloudWatch::Alarm", "StreamBehind")
    [stream] = resources(ingest, "AWS::KinesisFirehose::DeliveryStream")
    assert behind["Dimensions"] == [{"Name": "DeliveryStreamName", "Value": {"Ref": stream}}]
    assert (behind["Threshold"], behind["Statistic"]) == (15 * 60, "Maximum")


def test_an_alarm_tells_of_batches_that_the_transformer_fails_on(ingest: Template) -> None:
    # Firehose's own metric: it also tells of a function that could not be called.
    _, untransformed = named(ingest, "AWS::CloudWatch::Alarm", "StreamUntransformed")
    [stream] = resources(ingest, "AWS::KinesisFirehose::DeliveryStream")
    assert untransformed["Namespace"] == "AWS/Firehose"
    assert untransformed["MetricName"] == "ExecuteProcessing.Success"
    assert untransformed["Dimensions"] == [{"Name": "DeliveryStreamName", "Value": {"Ref": stream}}]
    assert (untransformed["Threshold"], untransformed["Statistic"]) == (1, "Average")
    assert untransformed["ComparisonOperator"] == "LessThanThreshold"
    # Without records there are no batches.
    assert untransformed["TreatMissingData"] == "notBreaching"


def test_who_gets_an_alarm_learns_which_command_helps(ingest: Template) -> None:
    said = {
        name: named(ingest, "AWS::CloudWatch::Alarm", f"{name}Waiting")[1]["AlarmDescription"]
        for name in ("QueueDeadLetters", "EmissionDeadLetters", "Rejects")
    }
    assert said["QueueDeadLetters"].endswith("then run odyssey redrive Ingest.")
    assert "odyssey redrive" in said["EmissionDeadLetters"]
    assert "odyssey ingest failures" in said["Rejects"]


def test_the_dashboard_has_every_alarm_and_names_metrics_that_functions_emit(
    ingest: Template,
) -> None:
    for alarm in references(ingest, "AWS::CloudWatch::Alarm", ".Arn"):
        assert alarm in body(ingest)
    shown = counts_shown(ingest, "Ingest")
    assert {"EventsQueued", "EventsStored", "EventsEmitted", "RecordsRejected"} <= shown
    assert shown <= texts("ingest", "shared")


def test_clients_find_everything_in_the_outputs(ingest: Template) -> None:
    ids = {key[:-8]: f"<{key}>" for key in resources(ingest)}
    outputs = {name: target(each["Value"]) for name, each in ingest["Outputs"].items()}
    assert outputs == {
        "DeliveryStreamName": ids["Stream"],
        "LakeBucket": ids["LakeBucket"],
        "EventsPrefix": "events/",
        "ErrorsPrefix": "errors/",
        "EventsQueueUrl": ids["Queue"],
        "EventsTable": ids["EventsTable"],
        "EventTtlDays": "0",
        "BusName": "Ingest-events",
        "BusArn": ids["Bus"].replace(">", ".Arn>"),
        "ArchiveArn": ids["BusArchive"].replace(">", ".Arn>"),
        "RejectsQueueUrl": ids["RejectsQueue"],
        "ProducerRoleArn": ids["ProducerRole"].replace(">", ".Arn>"),
    }

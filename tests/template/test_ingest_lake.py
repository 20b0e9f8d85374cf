"""Ingest's delivery stream and its lake: buffers, folders, retries, age, copies, options."""

from __future__ import annotations

from typing import Any

import pytest

from tests.template.conftest import EVERY_OPTION
from tests.template.permissions import by_resource
from tests.template.synth import (
    Synth,
    Template,
    functions,
    named,
    only,
    resources,
    role_statements,
    target,
)

STREAM = "AWS::KinesisFirehose::DeliveryStream"
DATE = "year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/"
COPIES = EVERY_OPTION["ingest_replica_bucket"]
KEY_OF_COPIES = EVERY_OPTION["ingest_replica_key"]


@pytest.fixture
def destination(ingest: Template) -> dict[str, Any]:
    """What the delivery stream of each stage in turn says of its bucket."""
    found: dict[str, Any] = only(ingest, STREAM)["ExtendedS3DestinationConfiguration"]
    return found


@pytest.fixture(scope="module")
def every_option(with_every_option: Synth) -> Template:
    """The intake of prod with every option."""
    return with_every_option.templates["Ingest"]


def lake_rules(template: Template) -> dict[str, Any]:
    """Return the lake's lifecycle rules by name, without those that every bucket has."""
    rules = only(template, "AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    return {rule["Id"]: rule for rule in rules if rule["Id"] not in ("Overwritten", "Unfinished")}


def test_records_are_put_directly_and_end_compressed_in_the_lake(
    ingest: Template, destination: dict[str, Any]
) -> None:
    [bucket] = resources(ingest, "AWS::S3::Bucket")
    assert only(ingest, STREAM)["DeliveryStreamType"] == "DirectPut"
    assert target(destination["BucketARN"]) == f"<{bucket}.Arn>"
    assert destination["CompressionFormat"] == "GZIP"


def test_records_wait_a_minute_at_most_or_for_a_megabyte(destination: dict[str, Any]) -> None:
    assert destination["BufferingHints"] == {"IntervalInSeconds": 60, "SizeInMBs": 1}


def test_objects_are_found_by_the_day_on_which_their_records_arrived(
    destination: dict[str, Any],
) -> None:
    assert destination["Prefix"] == f"events/{DATE}"
    assert "DynamicPartitioningConfiguration" not in destination


def test_what_failed_is_beside_it_by_how_it_failed(destination: dict[str, Any]) -> None:
    assert destination["ErrorOutputPrefix"] == f"errors/!{{firehose:error-output-type}}/{DATE}"


def test_the_function_gets_batches_whose_envelopes_fit_its_answer_and_three_more_tries(
    ingest: Template, destination: dict[str, Any]
) -> None:
    function, _ = named(ingest, "AWS::Lambda::Function", "Transformer")
    processing = destination["ProcessingConfiguration"]
    [processor] = processing["Processors"]
    told = {
        each["ParameterName"]: target(each["ParameterValue"]) for each in processor["Parameters"]
    }
    assert processing["Enabled"] is True
    assert processor["Type"] == "Lambda"
    assert told == {
        "LambdaArn": f"<{function}.Arn>",
        "BufferSizeInMBs": "0.2",
        "BufferIntervalInSeconds": "60",
        "NumberOfRetries": "3",
    }


def test_the_function_has_the_five_minutes_that_firehose_waits_for_it(ingest: Template) -> None:
    # "Transform source data in Amazon Data Firehose", 2026-11-21.
    assert functions(ingest)["transformer"]["Timeout"] == 5 * 60


def test_what_firehose_fails_on_is_in_a_log_of_the_stack(
    ingest: Template, destination: dict[str, Any]
) -> None:
    [(log_stream, its)] = resources(ingest, "AWS::Logs::LogStream").items()
    assert destination["CloudWatchLoggingOptions"] == {
        "Enabled": True,
        "LogGroupName": its["Properties"]["LogGroupName"],
        "LogStreamName": {"Ref": log_stream},
    }


def test_objects_are_encrypted_as_the_bucket_says_in_dev_and_with_the_stacks_key_in_prod(
    ingest: Template, destination: dict[str, Any], stage_name: str
) -> None:
    if stage_name == "dev":
        assert "EncryptionConfiguration" not in destination
    else:
        [key] = resources(ingest, "AWS::KMS::Key")
        assert destination["EncryptionConfiguration"] == {
            "KMSEncryptionConfig": {"AWSKMSKeyARN": {"Fn::GetAtt": [key, "Arn"]}}
        }


def test_the_stream_waits_for_the_permission_to_deliver(ingest: Template) -> None:
    # Made before its role may write, a delivery stream fails to create.
    [stream] = resources(ingest, STREAM).values()
    policy, _ = named(ingest, "AWS::IAM::Policy", "StreamRoleDefaultPolicy")
    assert policy in stream["DependsOn"]


def test_the_stream_is_deleted_before_the_bucket_is_emptied(
    ingest: Template, stage_name: str
) -> None:
    # What a stream has buffered it delivers when it is deleted; CloudFormation deletes what
    # depends on something before that.
    [stream] = resources(ingest, STREAM).values()
    emptied = set(resources(ingest, "Custom::EmptyBucket"))
    assert len(emptied) == (stage_name == "dev")
    assert emptied | set(resources(ingest, "AWS::S3::Bucket")) <= set(stream["DependsOn"])


def test_a_stream_with_folders_is_another_one(ingest: Template, every_option: Template) -> None:
    # "Enable dynamic partitioning", 2026-11-21: an existing stream cannot get it.
    [plain], [partitioned] = resources(ingest, STREAM), resources(every_option, STREAM)
    assert plain != partitioned


def test_folders_by_type_are_the_function_s_and_take_buffers_of_64_mib(
    every_option: Template,
) -> None:
    destination = only(every_option, STREAM)["ExtendedS3DestinationConfiguration"]
    assert destination["DynamicPartitioningConfiguration"] == {"Enabled": True}
    assert destination["Prefix"] == f"events/type=!{{partitionKeyFromLambda:type}}/{DATE}"
    assert destination["BufferingHints"] == {"IntervalInSeconds": 60, "SizeInMBs": 64}
    # "ErrorOutputPrefix cannot contain partition keys", Amazon Data Firehose.
    assert destination["ErrorOutputPrefix"] == f"errors/!{{firehose:error-output-type}}/{DATE}"
    # The function has to name each record's type.
    told = functions(every_option)["transformer"]["Environment"]["Variables"]
    assert told["PARTITIONED"] == "true"


def test_objects_move_to_glacier_after_ninety_days_and_stay_there(ingest: Template) -> None:
    rules = lake_rules(ingest)
    assert set(rules) == {"Archived"}
    # Records below errors/ are brought back, which Glacier would make slow.
    assert rules["Archived"]["Prefix"] == "events/"
    assert rules["Archived"]["Transitions"] == [{"StorageClass": "GLACIER", "TransitionInDays": 90}]


def test_objects_move_and_go_after_as_many_days_as_the_options_say(every_option: Template) -> None:
    rules = lake_rules(every_option)
    assert set(rules) == {"Archived", "Expired"}
    assert rules["Archived"]["Prefix"] == "events/"
    assert "Prefix" not in rules["Expired"]
    assert rules["Archived"]["Transitions"] == [{"StorageClass": "GLACIER", "TransitionInDays": 60}]
    assert rules["Expired"]["ExpirationInDays"] == 730
    assert {rule["Status"] for rule in rules.values()} == {"Enabled"}


def test_objects_stay_where_they_are_until_they_go_if_the_options_say_so(
    dev_with_every_option: Synth,
) -> None:
    rules = lake_rules(dev_with_every_option.templates["Ingest"])
    assert set(rules) == {"Expired"}
    assert rules["Expired"]["ExpirationInDays"] == 30


def test_nothing_is_copied_unless_the_options_say_where_to(ingest: Template) -> None:
    assert "ReplicationConfiguration" not in only(ingest, "AWS::S3::Bucket")
    assert not [name for name in resources(ingest, "AWS::IAM::Role") if "Copier" in name]


def test_every_new_object_is_copied_encrypted_with_the_other_key(every_option: Template) -> None:
    role, _ = named(every_option, "AWS::IAM::Role", "LakeCopier")
    copied = only(every_option, "AWS::S3::Bucket")["ReplicationConfiguration"]
    assert target(copied["Role"]) == f"<{role}.Arn>"
    [rule] = copied["Rules"]
    assert rule["Status"] == "Enabled"
    assert rule["Destination"]["Bucket"] == COPIES
    assert rule["Destination"]["EncryptionConfiguration"] == {"ReplicaKmsKeyID": KEY_OF_COPIES}
    assert rule["SourceSelectionCriteria"] == {"SseKmsEncryptedObjects": {"Status": "Enabled"}}
    # Of everything, not of a prefix.
    assert rule.get("Filter", {}).get("Prefix", "") == rule.get("Prefix", "") == ""
    # What is deleted here stays there.
    assert rule["DeleteMarkerReplication"] == {"Status": "Disabled"}


def test_who_copies_may_read_here_and_write_there(every_option: Template) -> None:
    role, properties = named(every_option, "AWS::IAM::Role", "LakeCopier")
    assert by_resource(role_statements(every_option, role)) == {
        "Lake": {"s3:GetReplicationConfiguration", "s3:ListBucket"},
        "Lake objects": {
            "s3:GetObjectVersionAcl",
            "s3:GetObjectVersionForReplication",
            "s3:GetObjectVersionTagging",
        },
        f"{COPIES}/*": {"s3:ReplicateObject", "s3:ReplicateTags"},
        "key": {"kms:Decrypt"},
        KEY_OF_COPIES: {"kms:Encrypt"},
    }
    [trust] = properties["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "s3.amazonaws.com"}

"""Rules that every queue, bucket and topic keeps, in every stack and stage."""

from __future__ import annotations

from custom_resources.emptying import EMPTY_TAG
from tests.template.synth import Template, as_list, properties, references, resources, target


def test_a_failure_queue_keeps_messages_ten_days_longer_than_the_queue_they_come_from(
    template: Template,
) -> None:
    queues = resources(template, "AWS::SQS::Queue")
    for queue in queues.values():
        days = queue["Properties"]["MessageRetentionPeriod"] / (24 * 60 * 60)
        # A message keeps its age when a queue gives it up.
        assert days == (4 if "RedrivePolicy" in queue["Properties"] else 14)


def test_every_queue_that_is_consumed_gives_up_to_a_queue_that_is_not(template: Template) -> None:
    ends = {f"<{logical_id}.Arn>" for logical_id in failure_queues(template)}
    for queue in properties(template, "AWS::SQS::Queue"):
        if policy := queue.get("RedrivePolicy"):
            assert target(policy["deadLetterTargetArn"]) in ends
            # The least that AWS advises for functions ("Using Lambda with Amazon SQS").
            assert policy["maxReceiveCount"] == 5
    for mapping in properties(template, "AWS::Lambda::EventSourceMapping"):
        assert target(mapping["EventSourceArn"]) not in ends


def test_a_queue_hides_messages_six_times_as_long_as_its_function_may_take(
    template: Template,
) -> None:
    queues = {
        f"<{name}.Arn>": each for name, each in resources(template, "AWS::SQS::Queue").items()
    }
    for mapping in properties(template, "AWS::Lambda::EventSourceMapping"):
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        if queue := queues.get(target(mapping["EventSourceArn"])):
            function = template["Resources"][target(mapping["FunctionName"]).strip("<>")]
            least = 6 * function["Properties"]["Timeout"]
            window = mapping.get("MaximumBatchingWindowInSeconds", 0)
            assert queue["Properties"]["VisibilityTimeout"] >= least + window
            # Ten at once use up no account's concurrency; two is the least that SQS takes.
            assert 2 <= mapping["ScalingConfig"]["MaximumConcurrency"] <= 10


def test_a_fifo_queue_has_high_throughput_and_gives_up_to_a_fifo_queue(template: Template) -> None:
    queues = {
        f"<{name}.Arn>": each["Properties"]
        for name, each in resources(template, "AWS::SQS::Queue").items()
    }
    for queue in queues.values():
        is_fifo = queue.get("FifoQueue", False)
        # "High throughput for FIFO queues in Amazon SQS", 2026-11-21.
        assert queue.get("DeduplicationScope") == ("messageGroup" if is_fifo else None)
        assert queue.get("FifoThroughputLimit") == ("perMessageGroupId" if is_fifo else None)
        if policy := queue.get("RedrivePolicy"):
            assert queues[target(policy["deadLetterTargetArn"])].get("FifoQueue", False) == is_fifo


def failure_queues(template: Template) -> set[str]:
    """Return the logical ids of the queues that nothing consumes."""
    return {
        logical_id
        for logical_id, queue in resources(template, "AWS::SQS::Queue").items()
        if "RedrivePolicy" not in queue["Properties"]
    }


def test_every_bucket_forgets_what_was_overwritten_and_what_was_never_finished(
    template: Template,
) -> None:
    for bucket in properties(template, "AWS::S3::Bucket"):
        rules = {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}
        assert {rule["Status"] for rule in rules.values()} == {"Enabled"}
        assert rules["Overwritten"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
        assert rules["Unfinished"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}


def test_buckets_are_emptied_with_a_dev_stack_and_never_with_a_prod_stack(
    template: Template, stage_name: str
) -> None:
    emptied = {target(each["Bucket"]) for each in properties(template, "Custom::EmptyBucket")}
    tagged = {
        f"<{logical_id}>"
        for logical_id, bucket in resources(template, "AWS::S3::Bucket").items()
        if {"Key": EMPTY_TAG, "Value": "true"} in bucket["Properties"]["Tags"]
    }
    is_dev = stage_name == "dev"
    assert emptied == tagged == (references(template, "AWS::S3::Bucket") if is_dev else set())
    # The function outlives what it must empty, and its permissions outlive it.
    for resource in resources(template, "Custom::EmptyBucket").values():
        for policy in ("RoleDefaultPolicy", "MayEmpty"):
            assert any(policy in each for each in resource["DependsOn"])


def tls_only(template: Template, kind: str, applies_to: str) -> set[str]:
    """Return the logical ids that policies of `kind` protect from unencrypted calls."""
    return {
        reference["Ref"]
        for policy in properties(template, kind)
        for reference in as_list(policy[applies_to])
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
        and statement.get("Principal") in ("*", {"AWS": "*"})
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }

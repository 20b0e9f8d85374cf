"""Every asynchronous edge is found, whoever makes it, and every guard that it lacks is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from odyssey_cli.policy.edges import edges, unguarded
from odyssey_cli.policy.templates import Template, span, text, whole
from tests.unit.broken_edges import BROKEN_EDGES, BY_ANOTHER, refuse
from tests.unit.broken_templates import STATEMENTS, allow, resource
from tests.unit.small_templates import PARAMETERS, arn, having, ref, shop

if TYPE_CHECKING:
    from odyssey_cli.policy.edge import Edge

P = "Properties"


def one(template: Template, kind: str) -> Edge:
    """Return the one edge of a kind."""
    [found] = [each for each in edges(template) if each.kind == kind]
    return found


def problems(template: Template, kind: str) -> list[str]:
    return [fault.problem for fault in one(template, kind).faults]


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_edges_say_what_becomes_of_what_cannot_be_handed_over(stage: str) -> None:
    found = {
        (e.source, e.target, e.kind): (e.tries, e.age, e.partial, e.given_up, e.told)
        for e in edges(shop(stage))
        if e.kind != "custom resource"
    }

    lake = "Lake errors/"
    assert found == {
        ("Orders", "Biller", "stream to function"): (
            *("1 + 5, halved", "12 h", "yes", "Unbilled", "alarm UnbilledWaiting"),
        ),
        ("bus default", "Parcels", "rule to queue"): (
            *("1 + 185", "24 h", "-", "ParcelsDead", "alarm ParcelsDeadWaiting"),
        ),
        ("Parcels", "Packer", "queue to function"): (
            *("5 receives", "4 days", "yes", "ParcelsDead", "alarm ParcelsDeadWaiting"),
        ),
        ("News", "Reader", "topic to function"): (
            *("100,015, then 1 + 2", "23 days, then 1 h", "-", "Unread", "alarm UnreadWaiting"),
        ),
        ("Letters", "Printer", "queue to program"): (
            *("5 receives", "4 days", "-", "LettersDead", "alarm LettersDeadWaiting"),
        ),
        ("Clicks", "Shaper", "delivery stream to function"): (
            *("1 + 3", "24 h", "yes", lake, "alarm ClicksFailed"),
        ),
        ("Clicks", "Lake", "delivery stream to bucket"): (
            *("Firehose's own", "24 h", "yes", lake, "alarm ClicksBehind"),
        ),
    }
    assert all(edge.guarded for edge in edges(shop(stage)))


@pytest.mark.parametrize(("kind", "path", "value"), BROKEN_EDGES)
def test_an_edge_that_lacks_a_guard_is_not_guarded(
    kind: str, path: tuple[str | int, ...], value: Any
) -> None:
    broken = having(shop("dev"), value, str(path[0]), *path[1:])

    assert len(problems(broken, kind)) == 1
    assert list(unguarded(broken))
    assert not one(broken, kind).guarded


@pytest.mark.parametrize("service", ["sns.amazonaws.com", "events.amazonaws.com"])
def test_a_service_that_may_not_use_the_key_of_a_queue_loses_what_it_gives_up(service: str) -> None:
    template = shop("prod")
    statements = template.resources["Key"][P]["KeyPolicy"]["Statement"]
    left = [each for each in statements if each["Principal"]["Service"] != service]

    faults = list(unguarded(having(template, left, "Key", P, "KeyPolicy", "Statement")))

    assert faults
    assert {each.remedy for each in faults} == {"Allow kms:Decrypt and kms:GenerateDataKey."}


def test_a_queue_that_takes_what_was_given_up_is_not_consumed() -> None:
    receive = allow("sqs:ReceiveMessage", arn("Unread"))
    cleaner = resource(
        "AWS::IAM::ManagedPolicy", PolicyDocument={"Statement": [receive]}
    )  # fmt: skip

    faults = problems(having(shop("dev"), cleaner, "Cleaner"), "topic to function")

    assert any("something consumes it" in each for each in faults)


@pytest.mark.parametrize("key", ["alias/aws/sqs", "arn:aws:kms:eu-north-1:999999999999:key/1"])
def test_a_queue_with_a_key_that_is_not_the_stack_s_takes_nothing_from_services(key: str) -> None:
    # GIVEN the dead-letter queue of a topic, and one of a rule
    template = having(shop("dev"), key, "Unread", P, "KmsMasterKeyId")
    template = having(template, key, "ParcelsDead", P, "KmsMasterKeyId")

    faults = [each for each in unguarded(template) if "key of the stack's own" in each.remedy]

    # THEN neither service can write to it, nor a role, unless it is the key that all may use
    expected = {"ReaderNews", "Paid"} | ({"ReaderAttempts"} if key.startswith("arn:") else set())
    assert {each.at for each in faults} == expected


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((0, "Condition"), {"StringEquals": {"aws:SourceAccount": "999999999999"}}),
        (("+",), refuse("kms:GenerateDataKey*")),
    ],
)
def test_a_key_that_refuses_a_service_after_all_loses_what_it_gives_up(
    path: tuple[str | int, ...], value: Any
) -> None:
    template = having(shop("prod"), value, "Key", P, "KeyPolicy", "Statement", *path)

    remedies = {each.remedy for each in unguarded(template)}

    assert remedies == {"Allow kms:Decrypt and kms:GenerateDataKey."}


def test_what_is_refused_to_another_service_is_not_refused() -> None:
    other = refuse("sqs:SendMessage") | {"Principal": {"Service": "s3.amazonaws.com"}}
    template = having(shop("dev"), other, "ParcelsPolicy", *STATEMENTS, "+")

    assert list(unguarded(template)) == []


def test_a_queue_that_names_the_one_whose_dead_letters_it_takes_takes_them() -> None:
    policy = BY_ANOTHER | {"sourceQueueArns": [arn("Letters")]}
    template = having(shop("dev"), policy, "LettersDead", P, "RedriveAllowPolicy")

    assert list(unguarded(template)) == []


@pytest.mark.parametrize("permitted", [True, False])
def test_a_schedule_s_role_must_be_allowed_to_invoke_its_function(permitted: bool) -> None:
    schedule = resource(
        "AWS::Scheduler::Schedule", Target={"Arn": arn("Reader"), "RoleArn": arn("PackerRole")}
    )
    template = having(shop("dev"), schedule, "Nightly")
    if permitted:
        invoke = allow("lambda:InvokeFunction", arn("Reader"))
        template = having(template, invoke, "PackerPolicy", *STATEMENTS, "+")

    found = problems(template, "schedule to function")

    assert any("may not hand anything to Reader" in each for each in found) is not permitted


# Edges that no stack has yet, by what makes them.
OTHERS: list[tuple[str, dict[str, dict[str, Any]], str, int]] = [
    (
        "another stack's bucket",
        {
            "P": resource(
                "AWS::Lambda::Permission", FunctionName=arn("Biller"), Principal="s3.amazonaws.com"
            )
        },
        "invocation",
        1,
    ),
    (
        "a log's subscription",
        {
            "P": resource(
                "AWS::Lambda::Permission",
                FunctionName=arn("Biller"),
                Principal="logs.amazonaws.com",
            )
        },
        "invocation",
        1,
    ),
    (
        "a function that may invoke another",
        {
            "I": resource(
                "AWS::IAM::Policy",
                Roles=[ref("PackerRole")],
                PolicyDocument={"Statement": [allow("lambda:InvokeFunction", arn("Biller"))]},
            )
        },
        "invocation",
        1,
    ),
    (
        "an API that does not wait",
        {
            "M": resource(
                "AWS::ApiGateway::Method",
                Integration={
                    "Uri": arn("Biller"),
                    "RequestParameters": {
                        "integration.request.header.X-Amz-Invocation-Type": "'Event'"
                    },
                },
            )
        },
        "invocation",
        1,
    ),
    (
        "a rule and a function",
        {"R": resource("AWS::Events::Rule", Targets=[{"Arn": arn("Biller")}])},
        "rule to function",
        # Dead letters, tries, age, the permission, and attempts.
        5,
    ),
    (
        "a schedule",
        {"S": resource("AWS::Scheduler::Schedule", Target={"Arn": arn("Letters")})},
        "schedule to queue",
        # Dead letters, tries, age, and the permission.
        4,
    ),
    (
        "a topic and a queue",
        {
            "T": resource(
                "AWS::SNS::Subscription",
                Protocol="sqs",
                TopicArn=ref("News"),
                Endpoint=arn("Letters"),
            )
        },
        "topic to queue",
        2,
    ),
    (
        "a subscription within its topic",
        {"T": resource("AWS::SNS::Topic", Subscription=[{"Endpoint": "x", "Protocol": "sqs"}])},
        "topic to subscriber",
        1,
    ),
    (
        "an e-mail that is no alarm's",
        {
            "T": resource(
                "AWS::SNS::Subscription", Protocol="email", TopicArn=ref("News"), Endpoint="a@b"
            )
        },
        "topic to target",
        1,
    ),
    (
        "a bucket and a function",
        {
            "B": resource(
                "AWS::S3::Bucket",
                NotificationConfiguration={"LambdaConfigurations": [{"Function": arn("Biller")}]},
            )
        },
        "bucket to function",
        2,
    ),
    (
        "a bucket and a queue, as the CDK says it",
        {
            "B": resource("AWS::S3::Bucket"),
            "N": resource(
                "Custom::S3BucketNotifications",
                BucketName=ref("B"),
                NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn("Letters")}]},
            ),
        },
        "bucket to queue",
        1,
    ),
    (
        "an archive without an end",
        {"A": resource("AWS::Events::Archive", SourceArn="arn:bus")},
        "bus to archive",
        1,
    ),
]


@pytest.mark.parametrize(
    ("made", "kind", "lacks"), [each[1:] for each in OTHERS], ids=[each[0] for each in OTHERS]
)
def test_edges_that_no_stack_has_are_found_with_what_they_lack(
    made: dict[str, dict[str, Any]], kind: str, lacks: int
) -> None:
    template = shop("dev")
    for logical_id, each in made.items():
        template = having(template, each, logical_id)

    found = one(template, kind)

    assert not found.guarded
    assert len(found.faults) == lacks


def test_who_waits_for_a_function_makes_no_edge() -> None:
    template = shop("dev")
    for service in ("apigateway", "firehose", "cognito-idp"):
        permission = resource(
            "AWS::Lambda::Permission",
            FunctionName=arn("Biller"), Principal=f"{service}.amazonaws.com",
        )  # fmt: skip
        template = having(template, permission, service)

    assert edges(template) == edges(shop("dev"))


def test_an_e_mail_about_alarms_and_a_copy_elsewhere_are_accepted_with_a_reason() -> None:
    rule = {"Destination": {"Bucket": "arn:aws:s3:::copies"}}
    body = {
        "Parameters": PARAMETERS,
        "Resources": {
            "Alarms": resource("AWS::SNS::Topic"),
            "Announced": resource(
                "AWS::SSM::Parameter", Name="/odyssey/alarm-topic-arn", Value=ref("Alarms")
            ),
            "Mail": resource(
                "AWS::SNS::Subscription",
                Protocol="email",
                TopicArn=ref("Alarms"),
                Endpoint="me@example.com",
            ),
            "Lake": resource("AWS::S3::Bucket", ReplicationConfiguration={"Rules": [rule]}),
        },
    }

    found = edges(Template("Shop", body))

    assert [each.target for each in found] == ["me@example.com", "arn:aws:s3:::copies"]
    assert all(each.accepted.endswith(".") and not each.guarded for each in found)
    assert list(unguarded(Template("Shop", body))) == []


@pytest.mark.parametrize(("periods", "told"), [(1, "alarm LakeUncopied"), (2, "nobody")])
def test_one_object_that_is_not_copied_is_enough_for_an_alarm(periods: int, told: str) -> None:
    destination = {"Bucket": "arn:aws:s3:::copies", "Metrics": {"Status": "Enabled"}}
    rule = {"Id": "all", "Destination": destination}
    template = having(shop("dev"), {"Rules": [rule]}, "Lake", P, "ReplicationConfiguration")
    alarm = shop("dev").resources["DeskErrors"][P] | {
        "Namespace": "AWS/S3",
        "MetricName": "OperationsFailedReplication",
        "Dimensions": [
            {"Name": "SourceBucket", "Value": ref("Lake")},
            {"Name": "DestinationBucket", "Value": "copies"},
            {"Name": "RuleId", "Value": "all"},
        ],
        "EvaluationPeriods": periods,
    }

    template = having(template, resource("AWS::CloudWatch::Alarm", **alarm), "LakeUncopied")

    assert one(template, "bucket to bucket").told == told


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (30, "30 s"),
        (60, "60 s"),
        (900, "15 min"),
        (3600, "1 h"),
        (43200, "12 h"),
        (345600, "4 days"),
    ],
)
def test_times_are_written_as_people_say_them(value: int, expected: str) -> None:
    assert span(value) == expected


def test_expressions_are_read() -> None:
    assert text({"Fn::Sub": "arn:${AWS::Partition}:x"}) == "arn:<AWS::Partition>:x"
    assert text({"Fn::Join": ["/", [arn("B"), "*"]]}) == "<B.Arn>/*"
    assert [whole(each) for each in ("60", 60, -1, True, None, "x")] == [
        60,
        60,
        -1,
        None,
        None,
        None,
    ]

"""Every rule is kept by a small template, and broken by ways in which it can be broken."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from odyssey_cli.paths import ROOT
from odyssey_cli.policy.rules import RULES, findings, run
from tests.unit.broken_access import BROKEN_ACCESS
from tests.unit.broken_alarms import BROKEN_ALARMS
from tests.unit.broken_templates import BROKEN, STATEMENTS, Broken, P, allow, resource
from tests.unit.small_templates import arn, having, ref, shop, without

EVERY_WAY = [*BROKEN, *BROKEN_ALARMS, *BROKEN_ACCESS]
BY_NAME = {rule.name: rule for rule in RULES}


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_the_small_template_keeps_every_rule(stage: str) -> None:
    assert findings([shop(stage)]) == []


@pytest.mark.parametrize("broken", EVERY_WAY, ids=str)
def test_a_template_that_breaks_a_rule_is_found_out(broken: Broken) -> None:
    # WHEN only this rule looks at it
    found = findings([broken.template()], [BY_NAME[broken.rule]])

    # THEN it says where, what is wrong and what would be right
    assert (broken.at or broken.path[0]) in {each.fault.at for each in found}
    for each in found:
        assert each.rule == broken.rule
        assert each.stack == "Shop"
        assert each.fault.problem.endswith(".")
        assert each.fault.remedy.endswith(".")


def test_every_rule_is_broken_by_some_template() -> None:
    assert {broken.rule for broken in EVERY_WAY} == set(BY_NAME)
    assert len(BY_NAME) == len(RULES)


# A queue's four days, halved, and less the alarm's one period of five minutes.
LATEST = 4 * 24 * 60 * 60 // 2 - 300


@pytest.mark.parametrize(
    ("operator", "threshold", "in_time"),
    [
        ("GreaterThanOrEqualToThreshold", LATEST, True),
        ("GreaterThanOrEqualToThreshold", LATEST + 1, False),
        ("GreaterThanThreshold", LATEST - 1, True),
        ("GreaterThanThreshold", LATEST, False),
    ],
)
def test_an_alarm_on_an_age_tells_at_half_of_the_time_its_own_included(
    operator: str, threshold: int, in_time: bool
) -> None:
    template = having(shop("dev"), operator, "ParcelsBehind", P, "ComparisonOperator")
    template = having(template, threshold, "ParcelsBehind", P, "Threshold")

    assert (findings([template]) == []) is in_time


@pytest.mark.parametrize(
    ("alarm", "periods", "wrong", "in_time"),
    [
        # What waits goes on waiting.
        ("UnreadWaiting", 3, None, True),
        ("UnreadWaiting", 3, 2, True),
        ("UnreadWaiting", 4, 1, False),
        # A throttled call is over at once.
        ("ReaderThrottled", 3, 1, True),
        ("ReaderThrottled", 3, 2, False),
        ("ReaderThrottled", 3, None, False),
    ],
)
def test_an_alarm_may_look_at_three_periods_but_need_only_one_of_what_passes(
    alarm: str, periods: int, wrong: int | None, in_time: bool
) -> None:
    template = having(shop("dev"), periods, alarm, P, "EvaluationPeriods")
    if wrong is not None:
        template = having(template, wrong, alarm, P, "DatapointsToAlarm")

    assert (findings([template]) == []) is in_time


@pytest.mark.parametrize(("periods", "in_time"), [(1, True), (2, False)])
def test_one_server_error_of_a_rest_api_is_enough(periods: int, in_time: bool) -> None:
    # GIVEN an API whose metrics go by its name, and the same alarm as the other API has
    counter = resource("AWS::ApiGateway::RestApi", Name="Shop-Counter")
    alarm = shop("dev").resources["DeskErrors"][P] | {
        "MetricName": "5XXError",
        "Dimensions": [{"Name": "ApiName", "Value": "Shop-Counter"}],
        "EvaluationPeriods": periods,
    }
    template = having(shop("dev"), counter, "Counter")
    template = having(template, resource("AWS::CloudWatch::Alarm", **alarm), "CounterErrors")

    found = findings([template], [BY_NAME["failures-watched"]])
    assert [each.fault.at for each in found] == ([] if in_time else ["Counter"])


@pytest.mark.parametrize(("name", "kept"), [("ResourceTags", True), ("Tags", False)])
def test_a_budget_s_tags_have_another_name(name: str, kept: bool) -> None:
    tags = shop("dev").resources["Unread"][P]["Tags"]
    template = having(shop("dev"), resource("AWS::Budgets::Budget", **{name: tags}), "B")

    assert (findings([template], [BY_NAME["tagged"]]) == []) is kept


@pytest.mark.parametrize("tags", [{}, {"project": "aws-odyssey", "stack": "Shop"}])
def test_a_stack_without_the_tags_is_found_out(tags: dict[str, str]) -> None:
    [found] = findings([replace(shop("dev"), tags=tags)])

    assert (found.rule, found.fault.at) == ("tagged", "")


def test_a_stage_that_is_none_is_found_out() -> None:
    # GIVEN a stack that agrees with itself
    template = replace(shop("dev"), stage="test", tags={**shop("dev").tags, "stage": "test"})

    assert "" in {each.fault.at for each in findings([template], [BY_NAME["tagged"]])}


def test_the_parts_of_a_network_may_have_names() -> None:
    # GIVEN what the CDK adds to what is in a network, and to nothing else
    own = [{"Key": name, "Value": value} for name, value in shop("dev").tags.items()]
    tags = [*own, {"Key": "Name", "Value": "Shop/Network"}]
    subnet, queue = (
        having(shop("dev"), resource(kind, Tags=tags), "S")
        for kind in ("AWS::EC2::Subnet", "AWS::SQS::Queue")
    )

    found = [findings([each], [BY_NAME["tagged"]]) for each in (subnet, queue)]
    assert [len(each) for each in found] == [0, 1]


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_a_stack_that_can_be_deleted_by_a_slip_is_found_out(stage: str) -> None:
    [found] = findings([replace(shop(stage), protected=stage == "dev")])

    assert (found.rule, found.fault.at) == ("deletion-protected", "")


def test_an_export_is_found_out() -> None:
    template = shop("dev")
    output = {"Value": "x", "Export": {"Name": "x"}}
    exporting = replace(template, body=template.body | {"Outputs": {"Topic": output}})

    [found] = findings([exporting])

    assert (found.rule, found.fault.at) == ("no-export", "Topic")


def test_the_alarm_topic_of_dev_is_not_encrypted_with_the_key_that_aws_manages() -> None:
    announced = resource("AWS::SSM::Parameter", Name="/odyssey/alarm-topic-arn", Value=ref("News"))
    template = having(shop("dev"), announced, "Announced")
    publish = allow("sns:Publish", ref("News"), Principal={"Service": "cloudwatch.amazonaws.com"})
    template = having(template, publish, "NewsPolicy", *STATEMENTS, "+")
    tell = [BY_NAME["alarms-tell"]]

    assert [each.fault.at for each in findings([template], tell)] == ["News"]
    bare = without(template, "News", "Properties", "KmsMasterKeyId")
    assert findings([bare], tell) == []


@pytest.mark.parametrize("kind", ["Archive", "EventBus"])
@pytest.mark.parametrize("said", [{}, {"KmsKeyIdentifier": arn("Key")}])
def test_a_bus_may_have_the_key_of_aws_that_it_has_anyway(kind: str, said: dict[str, str]) -> None:
    template = having(shop("prod"), resource(f"AWS::Events::{kind}", **said), "E")

    assert findings([template], [BY_NAME["encrypted"]]) == []


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}},
        {"ArnLike": {"aws:SourceArn": {"Fn::Sub": "arn:aws:sns:*:${AWS::AccountId}:*"}}},
        {"ArnEquals": {"aws:SourceArn": [ref("News"), arn("Lake")]}},
    ],
)
def test_a_service_is_let_in_for_the_account_or_its_resources(condition: dict[str, object]) -> None:
    template = having(shop("dev"), condition, "UnreadPolicy", *STATEMENTS, 1, "Condition")

    assert findings([template], [BY_NAME["nobody-else"]]) == []


@pytest.mark.parametrize(("who", "kept"), [(ref("AWS::AccountId"), True), ("*", False)])
def test_a_bus_s_policy_of_old_may_let_in_the_account(who: object, kept: bool) -> None:
    template = having(shop("dev"), resource("AWS::Events::EventBusPolicy", Principal=who), "Bus")

    assert (findings([template], [BY_NAME["nobody-else"]]) == []) is kept


def test_the_rules_need_neither_the_cdk_nor_a_client_of_aws() -> None:
    # GIVEN a Python of its own, because others here may have imported them
    heavy = "{'aws_cdk', 'jsii', 'constructs', 'boto3', 'botocore'}"
    code = f"import sys, odyssey_cli.policy.rules; print(sorted({heavy} & set(sys.modules)))"

    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert ran.stdout.strip() == "[]"


def test_a_run_tells_its_figures() -> None:
    broken = without(shop("dev"), "DeskErrors")

    ran = run([shop("prod"), broken])

    assert ran.figures() | {"milliseconds": 0} == {
        "rules": len(RULES),
        "stacks": 2,
        "resources": len(shop("prod").resources) + len(broken.resources),
        "findings": 1,
        "milliseconds": 0,
    }

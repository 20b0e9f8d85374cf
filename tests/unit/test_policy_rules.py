"""Every rule is kept by a small template, and broken by ways in which it can be broken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from odyssey_cli.policy.rules import RULES, findings, run
from tests.unit.broken_templates import BROKEN, STATEMENTS, Broken, allow, resource
from tests.unit.small_templates import having, ref, shop, without

BY_NAME = {rule.name: rule for rule in RULES}


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_the_small_template_keeps_every_rule(stage: str) -> None:
    assert findings([shop(stage)]) == []


@pytest.mark.parametrize("broken", BROKEN, ids=str)
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
    assert {broken.rule for broken in BROKEN} == set(BY_NAME)
    assert len(BY_NAME) == len(RULES)


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

"""The contracts hold in every template, and the rules that say so notice what is taken away."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from odyssey_cli.policy.edges import edges
from odyssey_cli.policy.rules import RULES, findings
from odyssey_cli.policy.templates import load
from tests.template.guards import GUARDS, HOLDS_DATA, mutants

if TYPE_CHECKING:
    from odyssey_cli.policy.templates import Template
    from tests.template.synth import Synth

# What makes an edge, whatever else does.
MAKES_EDGES = {
    "AWS::Events::Archive",
    "AWS::Events::Rule",
    "AWS::KinesisFirehose::DeliveryStream",
    "AWS::Lambda::EventSourceMapping",
    "AWS::SNS::Subscription",
}


@pytest.fixture(scope="session", params=["dev", "prod", "with_every_option"])
def templates(request: pytest.FixtureRequest) -> list[Template]:
    """The templates of each synth in turn, with their stacks' settings."""
    synth: Synth = request.getfixturevalue(request.param)
    return load(synth.folder)


def test_no_rule_finds_anything(templates: list[Template]) -> None:
    assert [
        f"{each.rule}: {each.stack} {each.fault.at}: {each.fault.problem} {each.fault.remedy}"
        for each in findings(templates)
    ] == []


def test_whatever_makes_an_edge_is_found(templates: list[Template]) -> None:
    for template in templates:
        makers = {
            logical_id
            for logical_id, resource in template.resources.items()
            if resource["Type"] in MAKES_EDGES or resource["Type"].startswith("Custom::")
        }
        assert makers <= {edge.at for edge in edges(template)}, template.name


def test_the_edges_are_those_of_the_pages(dev: Synth) -> None:
    # GIVEN what the pages say flows between what does not wait for each other
    kinds = {
        template.name: Counter(edge.kind for edge in edges(template))
        for template in load(dev.folder)
    }

    # THEN each is found, and nothing else
    helper = {"custom resource": 1}
    assert kinds["Operations"] == {}
    assert kinds["Network"] == helper
    assert kinds["EventAggregator"] == {"stream to function": 1}
    assert kinds["Discovery"] == {"queue to function": 1, "queue to program": 1} | helper
    assert kinds["PubSub"] == {"topic to function": 2}
    assert kinds["Consumer"] == {"rule to queue": 1, "queue to function": 1}
    assert kinds["Ingest"] == helper | {
        "bus to archive": 1,
        "delivery stream to bucket": 1,
        "delivery stream to function": 1,
        "queue to function": 1,
        "stream to function": 1,
    }


def test_all_edges_are_guarded_but_two_that_only_options_bring(templates: list[Template]) -> None:
    # GIVEN the edges that may lack something, for a reason
    accepted = {"topic to email", "bucket to bucket"}

    for template in templates:
        for edge in edges(template):
            assert edge.guarded == (edge.kind not in accepted), edge


def test_every_guard_that_is_taken_away_is_missed(templates: list[Template]) -> None:
    # WHEN each is taken away in turn, wherever it stands, or made worse
    survivors, tried = [], 0
    for template in templates:
        for mutant in mutants(template):
            tried += 1
            if not any(any(rule.check(mutant.template)) for rule in RULES):
                survivors.append(f"{template.name} {mutant.what}")

    # THEN a rule finds it
    assert survivors == []
    assert tried > 1000


def test_the_guards_are_those_of_types_that_are_used(dev: Synth, with_every_option: Synth) -> None:
    used = {
        resource["Type"]
        for synth in (dev, with_every_option)
        for template in synth.templates.values()
        for resource in template["Resources"].values()
    }

    assert {*GUARDS, *HOLDS_DATA} <= used

"""The contracts hold in every template, and the rules that say so notice what is taken away."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import fields
from types import NoneType
from typing import TYPE_CHECKING, Literal, get_args, get_origin, get_type_hints

import pytest

from app import context_defaults
from odyssey_cli.policy.edges import edges
from odyssey_cli.policy.rules import RULES, findings
from odyssey_cli.policy.templates import load
from odyssey_constructs.config import Config, Stage
from tests.template.conftest import EVERY_OPTION, EVERY_OPTION_OF_DEV, SYNTHS
from tests.template.guards import GUARDS, GUARDS_OF_PROD, HOLDS_DATA, WORSE, mutants

if TYPE_CHECKING:
    from odyssey_cli.policy.rule import Rule
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
# What prod with every option leaves as it is: all other values are dev's.
_OF_DEV = {"architecture", "api_log_role", "vpc_zones"}
# What dev has not.
_OF_PROD = {"ingest_replica_bucket", "ingest_replica_key"}


@pytest.fixture(scope="session", params=list(SYNTHS))
def templates(request: pytest.FixtureRequest) -> list[Template]:
    """The templates of each synth in turn, with their stacks' settings."""
    synth: Synth = request.getfixturevalue(request.param)
    return load(synth.folder)


def test_every_value_of_every_option_is_in_some_synth() -> None:
    # GIVEN the settings of all synths to which the rules are held
    held = [_config(each) for each in SYNTHS.values()]
    hints = get_type_hints(Config)

    for field in fields(Config):
        found = {getattr(config, field.name) for config in held}
        # THEN each value is there where they can be listed, else another one than the default
        assert _values(hints[field.name]) <= found, field.name
        assert found - {field.default}, field.name


@pytest.mark.parametrize(
    ("stage", "asked", "left"),
    [("prod", EVERY_OPTION, _OF_DEV), ("dev", EVERY_OPTION_OF_DEV, _OF_PROD)],
)
def test_each_stage_has_a_synth_without_and_one_with_every_option(
    stage: Stage, asked: dict[str, object], left: set[str]
) -> None:
    config = _config(asked)

    as_by_default = {
        field.name for field in fields(Config) if getattr(config, field.name) == field.default
    }
    assert config.stage == stage
    assert as_by_default - {"stage"} == left
    assert {config, Config(stage=stage)} <= {_config(each) for each in SYNTHS.values()}


def _config(context: dict[str, object]) -> Config:
    return Config.from_context({**context_defaults(), **context})


def _values(hint: object) -> set[object]:
    """Return those values of a type that can be listed."""
    if hint is bool:
        return {True, False}
    if get_origin(hint) is Literal:
        return set(get_args(hint))
    return {None} if NoneType in get_args(hint) else set()


def test_a_synth_is_of_the_stage_that_was_asked_for(request: pytest.FixtureRequest) -> None:
    for name, asked in SYNTHS.items():
        synth: Synth = request.getfixturevalue(name)
        assert {each.stage for each in load(synth.folder)} == {asked.get("stage", "dev")}


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
    # The rule that noticed the last one of a sort is asked first: most often none other need be.
    noticed: dict[str, list[Rule]] = {}
    for template in templates:
        for mutant in mutants(template):
            tried += 1
            rules = [*noticed.get(mutant.sort, ()), *RULES]
            found = next((each for each in rules if any(each.check(mutant.template))), None)
            if found is None:
                survivors.append(f"{template.name} {mutant.what}")
            else:
                noticed[mutant.sort] = [found]

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

    assert {*GUARDS, *GUARDS_OF_PROD, *WORSE, *HOLDS_DATA} <= used


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_the_rules_take_less_than_a_second(stage: str, request: pytest.FixtureRequest) -> None:
    synth: Synth = request.getfixturevalue(stage)

    started = time.process_time()
    assert findings(load(synth.folder)) == []

    # Twenty times what it is on a usual machine.
    assert time.process_time() - started < 1

"""The table of actions that are not checked locally has what the templates need, and no more.

The proof on the local cloud sees what dev's roles do. What prod and options allow beyond that, such
as the use of keys, it never sees; all of it has to be in the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from odyssey_cli.iam import unchecked
from odyssey_cli.iam.grants import plain_name, statements
from odyssey_cli.policy.templates import services, statements_of
from tests.template.synth import Synth, Template, target

if TYPE_CHECKING:
    from collections.abc import Iterator

# What allows it, who assumes that, action, resource.
Allowed = tuple[str, frozenset[str], str, str]


def allowed(synth: Synth) -> Iterator[Allowed]:
    """Yield what every role and managed policy of every stack allows."""
    for name, template in synth.templates.items():
        for holder, who, document in documents(template):
            where = f"{name} {plain_name(holder)}"
            for _, action, _, resource, _ in statements(document, where):
                yield where, who, action, target(resource)


def documents(template: Template) -> Iterator[tuple[str, frozenset[str], dict[str, Any]]]:
    resources = template["Resources"]
    for holder, resource in resources.items():
        made = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            yield holder, frozenset(), made["PolicyDocument"]
        if resource["Type"] == "AWS::IAM::Role":
            for policy in made.get("Policies", []):
                yield holder, assumers(made), policy["PolicyDocument"]
        if resource["Type"] == "AWS::IAM::Policy":
            for role in made["Roles"]:
                own = resources[role["Ref"]]["Properties"]
                yield role["Ref"], assumers(own), made["PolicyDocument"]


def assumers(role: dict[str, Any]) -> frozenset[str]:
    trust = statements_of(role, "AssumeRolePolicyDocument")
    return frozenset(service for statement in trust for service in services(statement))


@pytest.fixture(scope="session")
def everything(dev: Synth, with_every_option: Synth) -> set[Allowed]:
    """What any role may do in any stage, with whatever options."""
    return {*allowed(dev), *allowed(with_every_option)}


@pytest.mark.parametrize(
    ("entry", "action"),
    [
        pytest.param(entry, action, id=f"{entry.service or 'anybody'} {action} {entry.on}")
        for entry in unchecked.TABLE
        for action in entry.actions
    ],
)
def test_a_role_needs_every_action_of_the_table(
    everything: set[Allowed], entry: unchecked.Unchecked, action: str
) -> None:
    assert [
        where
        for where, who, what, on in everything
        if what == action and _covers(entry, who, what, on)
    ]


def _covers(entry: unchecked.Unchecked, who: frozenset[str], what: str, on: str) -> bool:
    # In a template an ARN is a reference; only what is written behind it can be looked at.
    behind = entry.on.rpartition("*")[2]
    return (
        entry.service in (unchecked.ANYBODY, *who) and what in entry.actions and on.endswith(behind)
    )


def test_what_only_prod_or_an_option_allows_is_in_the_table(
    dev: Synth, everything: set[Allowed]
) -> None:
    in_dev = {(where, action) for where, _, action, _ in allowed(dev)}
    unseen = {
        (where, action)
        for where, who, action, on in everything
        if (where, action) not in in_dev and unchecked.entry(who, action, on) is None
    }
    assert unseen == set()

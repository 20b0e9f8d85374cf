"""`./odyssey edges` and `./odyssey rules`: what they print, and how they end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from odyssey_cli.__main__ import app
from odyssey_cli.commands import policy
from odyssey_cli.policy.rules import RULES
from odyssey_cli.policy.templates import Template, load
from tests.unit.small_templates import shop, without

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def assembly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small template as a stack that the commands find."""
    settings = {"templateFile": "Shop.template.json", "tags": shop("dev").tags}
    artifact = {"type": "aws:cloudformation:stack", "properties": settings}
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": {"Shop": artifact}}))
    monkeypatch.setattr(policy.cdk, "synthesize", lambda *_, **__: tmp_path)
    write(tmp_path, shop("dev"))
    return tmp_path


def write(folder: Path, template: Template) -> None:
    (folder / "Shop.template.json").write_text(json.dumps(template.body))


def test_an_assembly_is_read_with_its_stages(assembly: Path) -> None:
    assert load(assembly) == [shop("dev")]


@pytest.mark.parametrize("command", ["edges", "rules"])
def test_the_commands_end_well_when_nothing_is_found(command: str, assembly: Path) -> None:
    ran = CliRunner().invoke(app, [command])

    assert ran.exit_code == 0, ran.output


def test_the_commands_say_what_is_missing_and_fail(assembly: Path) -> None:
    # GIVEN
    write(assembly, without(shop("dev"), "UnreadWaiting"))
    # WHEN
    shown = CliRunner().invoke(app, ["edges", "Shop", "--json"])
    held = CliRunner().invoke(app, ["rules", "--json"])
    # THEN
    assert (shown.exit_code, held.exit_code) == (1, 1)
    [lacking] = [each for each in json.loads(shown.stdout)["stacks"]["Shop"] if not each["guarded"]]
    assert (lacking["from"], lacking["to"], lacking["told"]) == ("News", "Reader", "nobody")
    assert lacking["lacks"][0].startswith("Nobody is told of what is in Unread.")
    answer = json.loads(held.stdout)
    assert (answer["ok"], answer["figures"]["findings"], answer["figures"]["stacks"]) == (
        *(False, 2, 1),
    )
    found = {each["rule"] for each in answer["by_rule"] if each["findings"]}
    assert found == {"edges-guarded", "failure-queues-watched"}


def test_the_tables_name_what_is_missing(assembly: Path) -> None:
    write(assembly, without(shop("dev"), "UnreadWaiting"))

    said = CliRunner().invoke(app, ["edges"]).output + CliRunner().invoke(app, ["rules"]).output

    assert "Nobody is told of what is in Unread." in " ".join(said.split())
    assert "failure-queues-watched: Shop Unread:" in " ".join(said.split())


def test_a_case_is_an_edge_or_a_rule_and_a_stack(assembly: Path) -> None:
    # GIVEN an edge of which nobody is told, which two rules find
    good = {
        name: json.loads(CliRunner().invoke(app, [name, "--json"]).stdout)["figures"]
        for name in ("edges", "rules")
    }
    write(assembly, without(shop("dev"), "UnreadWaiting"))
    # WHEN
    edges = json.loads(CliRunner().invoke(app, ["edges", "--json"]).stdout)["figures"]
    held = json.loads(CliRunner().invoke(app, ["rules", "--json"]).stdout)["figures"]
    # THEN
    assert good["edges"]["passed"] == good["edges"]["tried"] == edges["tried"] > 1
    assert edges["passed"] == edges["tried"] - 1
    assert good["rules"]["passed"] == good["rules"]["tried"] == held["tried"] == len(RULES)
    assert held["passed"] == len(RULES) - 2

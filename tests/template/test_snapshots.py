"""Whole templates, so that no change goes unseen; renew with `--snapshot-update` and read."""

from __future__ import annotations

import copy
import shutil
from typing import TYPE_CHECKING

from syrupy.extensions.json import JSONSnapshotExtension

from odyssey_constructs import bundling
from tests.template.synth import Synth, Template, normalised, read, synthesize

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from syrupy.assertion import SnapshotAssertion


def test_the_template_is_the_one_that_was_reviewed(
    template: Template, snapshot: SnapshotAssertion
) -> None:
    assert normalised(template) == snapshot(extension_class=JSONSnapshotExtension)


def test_editing_a_handler_changes_the_asset_and_moves_no_line(
    dev: Synth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN handlers and a lock that differ from those of the snapshots
    edited = tmp_path / "lambda_src"
    shutil.copytree(bundling.LAMBDA_SRC, edited, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (edited / "event_aggregator" / "producer.py", edited / "requirements.txt"):
        file.write_text(file.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    monkeypatch.setattr(bundling, "LAMBDA_SRC", edited)
    monkeypatch.setattr(bundling, "LOCK", edited / "requirements.txt")
    # WHEN
    again = synthesize(tmp_path / "cdk.out")
    # THEN
    assert again.templates != dev.templates
    assert {name: normalised(template) for name, template in again.templates.items()} == {
        name: normalised(template) for name, template in dev.templates.items()
    }


def test_the_local_template_differs_from_dev_in_nothing_but_the_bootstrap(
    dev: Synth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    monkeypatch.setenv("ODYSSEY_TARGET", "local")
    # WHEN
    local = synthesize(tmp_path / "cdk.out")
    # THEN the templates are equal but for the rule that asks for the bootstrap's version
    assert local.templates.keys() == dev.templates.keys()
    for name, template in dev.templates.items():
        assert without_bootstrap_rule(local.templates[name]) == without_bootstrap_rule(template)
    # THEN assets and deployment do without the bootstrap's roles
    for name in local.templates:
        deployment = local.manifest["artifacts"][name]["properties"]
        assert "assumeRoleArn" not in deployment
        assert "cloudFormationExecutionRoleArn" not in deployment
        for asset in read(local.folder / f"{name}.assets.json")["files"].values():
            for destination in asset["destinations"].values():
                assert "assumeRoleArn" not in destination


def without_bootstrap_rule(template: Template) -> Template:
    """Return the template without the parameter and the rule that CDK adds for its bootstrap."""
    kept = copy.deepcopy(template)
    kept.get("Parameters", {}).pop("BootstrapVersion", None)
    kept.get("Rules", {}).pop("CheckBootstrapVersion", None)
    return {section: content for section, content in kept.items() if content}

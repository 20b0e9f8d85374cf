"""Assemblies that were made before: brought back only if nothing has changed since."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from odyssey_cli import assemblies, cdk, paths
from odyssey_cli.errors import OdysseyError
from odyssey_cli.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Says how often it ran, and what it was told; refuses one stage.
APP = """
import os, pathlib, sys
context = os.environ["CDK_CONTEXT_JSON"]
if "nonsense" in context:
    sys.exit("ValueError: there is no such stage")
runs = pathlib.Path(__file__).with_name("runs")
runs.write_text((runs.read_text() if runs.exists() else "") + "x")
out = pathlib.Path(os.environ["CDK_OUTDIR"])
(out / "asset.1").mkdir(parents=True)
(out / "asset.1" / "code.py").write_text("code")
(out / "manifest.json").write_text(runs.read_text() + context)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose app only counts how often it runs."""
    root = tmp_path / "a project"
    for folder in ("stacks", "constructs", "lambda_src/shared"):
        (root / folder).mkdir(parents=True)
        (root / folder / "code.py").write_text("x = 1\n")
    for name, text in [("app.py", APP), ("cdk.json", "{}"), ("requirements.lock", "a==1\n")]:
        (root / name).write_text(text)
    monkeypatch.setattr(paths, "ROOT", root)
    monkeypatch.setattr(paths, "STATE", root / ".odyssey")
    return root


def target(folder: Path, account: str = "", **environment: str) -> Target:
    folder.mkdir(exist_ok=True)
    return Target(environment, folder, None, account=account)


def runs(project: Path) -> int:
    return len((project / "runs").read_text())


def test_a_second_synth_of_the_same_brings_the_first_one_back(project: Path) -> None:
    # GIVEN an assembly into which the CDK's command line has written since
    first = cdk.synthesize(target(project / "one"))
    (first / "asset.1" / "code.py").write_text("spoiled")
    (first / ".cache").mkdir()
    # WHEN it is wanted again, here and elsewhere
    for folder in ("one", "two"):
        found = cdk.synthesize(target(project / folder))
        # THEN it is there as it was made, and the app did not run
        assert found == project / folder / "cdk.out"
        assert (found / "asset.1" / "code.py").read_text() == "code"
        assert not (found / ".cache").exists()
    assert runs(project) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "stacks" / "code.py").write_text("x = 2\n"),
        lambda root: (root / "stacks" / "another.py").write_text(""),
        lambda root: (root / "constructs" / "code.py").unlink(),
        lambda root: (root / "lambda_src" / "shared" / "code.py").rename(
            root / "lambda_src" / "shared" / "named.py"
        ),
        lambda root: (root / "app.py").write_text(f"{APP}\n"),
        lambda root: (root / "cdk.json").write_text('{"context": {}}'),
        lambda root: (root / "requirements.lock").write_text("a==2\n"),
        lambda root: (root / ".env").write_text("ODYSSEY_ACCOUNT=123456789012\n"),
    ],
    ids=["source", "new", "gone", "renamed", "app", "context", "pins", "env file"],
)
def test_whatever_changes_in_the_project_is_synthesized(
    project: Path, change: Callable[[Path], object]
) -> None:
    cdk.synthesize(target(project / "one"))
    change(project)
    cdk.synthesize(target(project / "one"))
    assert runs(project) == 2


def test_whatever_is_told_to_the_app_is_synthesized(project: Path) -> None:
    # GIVEN runs that differ in one thing each
    for number in range(2):
        for made in (
            lambda: cdk.synthesize(target(project / "one")),
            lambda: cdk.synthesize(target(project / "one"), context={"stage": "prod"}),
            lambda: cdk.synthesize(target(project / "one"), validate=True),
            lambda: cdk.synthesize(target(project / "one", account="123456789012")),
            lambda: cdk.synthesize(target(project / "one", AWS_REGION="eu-north-1")),
            lambda: cdk.synthesize(target(project / "one", ODYSSEY_TARGET="local")),
        ):
            made()
        # THEN each ran once
        assert runs(project) == 6, number


def test_what_is_told_to_others_only_makes_no_other_assembly(project: Path) -> None:
    cdk.synthesize(target(project / "one", PATH="/bin", AWS_ACCESS_KEY_ID="a"))
    cdk.synthesize(target(project / "one", PATH="/usr/bin", AWS_ACCESS_KEY_ID="b"))
    cdk.synthesize(target(project / "one", ODYSSEY_CLOUD="of another demo"))
    assert runs(project) == 1


def test_what_the_app_refuses_is_refused_each_time_and_spoils_nothing(project: Path) -> None:
    made = cdk.synthesize(target(project / "one"))
    for _ in range(2):
        with pytest.raises(OdysseyError, match="no such stage"):
            cdk.synthesize(target(project / "one"), context={"stage": "nonsense"})
    # THEN the last assembly is there, and nothing unfinished
    assert (made / "manifest.json").read_text().startswith("x")
    assert len(list((project / ".odyssey" / "assemblies").iterdir())) == 1


def test_those_not_used_for_longest_are_forgotten(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assemblies, "_MOST", 2)
    # GIVEN one that is used between others
    for stage in ("a", "b", "a", "c", "a"):
        cdk.synthesize(target(project / "one"), context={"stage": stage})
    assert runs(project) == 3
    # WHEN the one comes back that was not
    cdk.synthesize(target(project / "one"), context={"stage": "b"})
    # THEN it is made again
    assert runs(project) == 4
    assert len(list((project / ".odyssey" / "assemblies").iterdir())) == 2


def test_one_that_vanishes_while_it_is_copied_is_made_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cdk.synthesize(target(project / "one"))
    put = assemblies._put

    def fails_once(*folders: Path) -> None:
        monkeypatch.setattr(assemblies, "_put", put)
        raise shutil.Error

    monkeypatch.setattr(assemblies, "_put", fails_once)
    made = cdk.synthesize(target(project / "one"))
    assert (made / "asset.1" / "code.py").read_text() == "code"
    assert runs(project) == 2

"""Every page is true: its shell blocks run, its links lead somewhere, its parts are fresh.

The blocks run in a fresh copy of the checkout, in a folder whose name has a space, so that they
are what a new user would see, and touch no cloud that the user has running.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from odyssey_cli import cdk, docs, paths
from odyssey_cli.demo import discovery, event_aggregator
from odyssey_cli.target import Target
from odyssey_cli.truth import TRUTHS

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK = re.compile(r"(?P<note><!-- not run: [^>]+ -->\n)?```sh\n(?P<script>.*?)```", re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
# What a page asks for beyond this project; pinned, so that a release cannot break the pages.
_AWS_CLI = "awscli==1.46.2"


def blocks(page: Path) -> list[str]:
    """Return the shell blocks of a page that are to be run."""
    text = page.read_text(encoding="utf-8")
    return [match["script"] for match in _BLOCK.finditer(text) if not match["note"]]


PAGES = [pytest.param(page, id=page.name) for page in docs.pages()]
PAGES_WITH_BLOCKS = [pytest.param(page, id=page.name) for page in docs.pages() if blocks(page)]


@pytest.fixture(scope="session")
def fresh_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("docs") / "a fresh copy"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=paths.ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        source, target = paths.ROOT / name, copy / name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return copy


@pytest.fixture
def shell_environment(tmp_path: Path) -> dict[str, str]:
    aws = tmp_path / "bin" / "aws"
    aws.parent.mkdir()
    aws.write_text(f'#!/bin/sh\nexec "{paths.VENV}/bin/uvx" --quiet --from {_AWS_CLI} aws "$@"\n')
    aws.chmod(0o755)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "ODYSSEY_", "JSII_", "PYTEST_")) and name != "VIRTUAL_ENV"
    }
    own = [part for part in kept["PATH"].split(os.pathsep) if not part.startswith(str(paths.STATE))]
    return kept | {"PATH": os.pathsep.join([str(aws.parent), *own]), "PYTHONDONTWRITEBYTECODE": ""}


@pytest.mark.parametrize("page", PAGES_WITH_BLOCKS)
def test_every_shell_block_of_a_page_runs(
    page: Path, fresh_copy: Path, shell_environment: dict[str, str]
) -> None:
    # GIVEN the page's blocks, in one shell, as somebody who follows the page would type them
    script = "\n".join(
        # A test run must not start itself.
        block.replace("./odyssey test\n", "./odyssey test --version\n")
        for block in blocks(page)
    )
    ended = "./odyssey down >/dev/null 2>&1"

    # WHEN they run
    ran = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", f"trap '{ended}' EXIT\n{script}"],
        cwd=fresh_copy, env=shell_environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    # THEN none of them fails
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-4000:]


@pytest.mark.parametrize("page", PAGES)
def test_every_shell_block_is_run_or_says_why_not(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    # WHEN a fence could be a shell's but is not recognized as a block
    fences = re.findall(r"^```(\w+)$", text, flags=re.MULTILINE)

    # THEN it hides behind no other name
    assert not {"bash", "shell", "console", "zsh"} & set(fences)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    targets = _LINK.findall(page.read_text(encoding="utf-8"))

    assert [each for each in targets if not (page.parent / each).exists()] == []


def test_generated_parts_are_fresh(tmp_path: Path) -> None:
    # GIVEN the templates as they are now
    assembly = cdk.synthesize(Target(dict(os.environ), tmp_path, None))

    # WHEN the pages are generated again
    stale = [
        page.name
        for page in docs.pages()
        if docs.rendered(page.read_text(encoding="utf-8"), assembly)
        != page.read_text(encoding="utf-8")
    ]

    # THEN nothing changes; otherwise run `./odyssey docs`
    assert stale == []


def test_the_truth_table_knows_every_type_of_every_template(tmp_path: Path) -> None:
    # GIVEN the types that the templates of both stages use
    used: set[str] = set()
    for stage in ("dev", "prod"):
        target = Target(dict(os.environ), tmp_path / stage, None)
        target.state.mkdir()
        settings = {"stage": stage, "alarm_email": "you@example.com", "discovery_user": "true"}
        assembly = cdk.synthesize(target, context=settings)
        for template in assembly.glob("*.template.json"):
            used |= set(re.findall(r'"Type": "((?:AWS::\w+|Custom)::\w+)"', template.read_text()))

    # THEN the table has each, and none that is used no more
    known = {each for truth in TRUTHS for each in truth.types}
    assert used - {"AWS::CDK::Metadata"} == known


def test_the_truth_table_names_every_module_that_changes_the_local_cloud() -> None:
    # GIVEN the modules that replace something of MiniStack's, and the wire in front of it
    hooked = {
        file.stem
        for file in (paths.ROOT / "local_cloud").glob("*.py")
        if re.search(r"^HOOKS\b", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    }

    # THEN the table names them all, and no other
    named = {module for truth in TRUTHS for module in truth.extension}
    assert named == hooked | {"transport"}


def test_the_picture_of_the_demo_shows_every_check_it_makes() -> None:
    # GIVEN the words of the checks' names, and those in the picture
    names = [name for name, _ in [*event_aggregator.STEPS, *discovery.STEPS]]
    # THEN each is in the picture; otherwise run ./odyssey demo --picture docs/demo.svg
    picture = html.unescape((paths.ROOT / "docs" / "demo.svg").read_text(encoding="utf-8"))
    words = set(re.findall(r"\w+", " ".join(re.findall(r">([^<]+)</text>", picture))))
    assert [name for name in names if not set(re.findall(r"\w+", name)) <= words] == []

"""Every page is true: its shell blocks run, its links lead somewhere, its parts are fresh.

The blocks run in a fresh copy of the checkout, in a folder whose name has a space, so that they
are what a new user would see, and touch no cloud that the user has running. Pages are followed by
several readers at once, each with a copy, and so a cloud, of its own: much of a page is waiting.
README's sections are followed one by one, because people begin at any of them; of another page
each section builds on those before it.

Three commands get arguments that are not on the page, because other tests of this suite run all
of what they do; `NARROWED` says which and why. Every other command runs as it stands.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import signal
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest

from odyssey_cli import cdk, docs, paths
from odyssey_cli.demo import discovery, event_aggregator, ingest, network, pubsub
from odyssey_cli.target import Target
from odyssey_cli.truth import TRUTHS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Ran = subprocess.CompletedProcess[str]

_BLOCK = re.compile(r"(?P<note><!-- not run: [^>]+ -->\n)?```sh\n(?P<script>.*?)```", re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
# What a page asks for beyond this project; pinned, so that a release cannot break the pages.
_AWS_CLI = "awscli==1.46.2"
# What is appended to a command of a page; the command and its exit code stay the page's.
NARROWED = {
    # One flow is enough to see that a fresh copy sets itself up and then deploys, drives, verifies
    # and destroys. tests/local/test_demo.py runs the demo of every flow.
    "./odyssey demo": "event-aggregator",
    # A test run must not start itself. This one does, and gets as far as pytest.
    "./odyssey test": "--version",
    # pytest imports every module of tests/unit before it deselects, so an environment made as the
    # page says that lacks anything fails; settings and a handler then run in it. That each unit
    # test passes does not depend on who installed the same pins: the run this is part of says it.
    "pytest --quiet tests/unit": "-k 'test_config or test_producer'",
}
# Options that add a type of resource.
WITH_EVERY_TYPE = {
    "alarm_email": "you@example.com",
    "discovery_user": "true",
    "nat_gateway": "true",
    "private_host": "endpoint",
    "budget_email": "you@example.com",
}
# Who follows a page waits about half of the time, and tests/local runs beside on the same cores.
_READERS = 2
# Seconds; a page takes two minutes when the machine is quiet.
_PATIENCE = 900
# The process groups of those who follow a page now.
_shells: set[int] = set()


def blocks(text: str) -> list[str]:
    """Return the shell blocks of a text that are to be run."""
    return [match["script"] for match in _BLOCK.finditer(text) if not match["note"]]


PAGES = [pytest.param(page, id=page.name) for page in docs.pages()]


def walks(page: Path) -> list[tuple[str, str]]:
    """Return what is followed in one shell: its name, and its blocks as one script."""
    whole = page.read_text(encoding="utf-8")
    texts = (
        re.split(r"^(?=## )", whole, flags=re.MULTILINE) if page.name == "README.md" else [whole]
    )
    found = []
    for text in texts:
        title = text.partition("\n")[0].lstrip("# ")
        if script := "\n".join(blocks(text)):
            found.append((f"{page.name}: {title}", script))
    return found


WALKS = [pytest.param(script, id=name) for page in docs.pages() for name, script in walks(page)]


def copied(copy: Path) -> Path:
    """Copy what git would hand out, with what is not committed yet."""
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


def shell_environment(folder: Path) -> dict[str, str]:
    """Return the environment of a reader who has an AWS CLI, which goes into the folder."""
    tools = {"UV_TOOL_DIR": str(folder / "tools"), "UV_TOOL_BIN_DIR": str(folder / "bin")}
    subprocess.run(
        [paths.VENV / "bin" / "uv", "tool", "install", "--quiet", _AWS_CLI],
        env=os.environ | tools, check=True,
    )  # fmt: skip
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "ODYSSEY_", "JSII_", "PYTEST_")) and name != "VIRTUAL_ENV"
    }
    own = [part for part in kept["PATH"].split(os.pathsep) if not part.startswith(str(paths.STATE))]
    return kept | {
        "PATH": os.pathsep.join([str(folder / "bin"), *own]),
        "PYTHONDONTWRITEBYTECODE": "",
        # pip would compile all of aws-cdk-lib, which takes as long as all else that it does;
        # Python compiles what is imported when it is.
        "PIP_COMPILE": "0",
    }


def narrowed(script: str) -> str:
    """Return a script with the arguments of `NARROWED` at the lines that are such a command."""
    return "\n".join(
        f"{line} {NARROWED[line]}" if line in NARROWED else line for line in script.split("\n")
    )


def follow(script: str, copy: Path, environment: dict[str, str]) -> Ran:
    """Run blocks in one shell, as somebody who follows them from top to bottom does."""
    ended = "./odyssey down >/dev/null 2>&1"
    shell = subprocess.Popen(
        ["bash", "-euxo", "pipefail", "-c", f"trap '{ended}' EXIT\n{narrowed(script)}"],
        cwd=copy, env=environment, stdin=subprocess.DEVNULL, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    _shells.add(shell.pid)
    try:
        said = shell.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        # A page that waits for ever fails; the shell's trap takes its cloud down.
        os.killpg(shell.pid, signal.SIGINT)
        said = shell.communicate(timeout=60)
    finally:
        _shells.discard(shell.pid)
    return subprocess.CompletedProcess(shell.args, shell.returncode, *said)


@pytest.fixture(scope="module", autouse=True)
def followed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Ran]]]:
    """Have what this run asks for followed, while the other tests of this module run."""
    wanted = {
        item.callspec.params["script"]
        for item in request.session.items
        if getattr(item, "originalname", "") == test_every_shell_block_of_a_page_runs.__name__
    }
    if not wanted:
        yield {}
        return
    environment = shell_environment(tmp_path_factory.mktemp("reader"))
    copies: SimpleQueue[Path] = SimpleQueue()
    for number in range(min(_READERS, len(wanted))):
        copies.put(copied(tmp_path_factory.mktemp("docs") / f"a fresh copy {number}"))

    def read(script: str) -> Ran:
        copy = copies.get()
        try:
            return follow(script, copy, environment)
        finally:
            copies.put(copy)

    # The longest first, so that no long one is left for the end.
    longest_first = sorted(wanted, key=len, reverse=True)
    pool = ThreadPoolExecutor(copies.qsize())
    try:
        yield {script: pool.submit(read, script) for script in longest_first}
    finally:
        # Ctrl-C reaches this process only.
        for shell in list(_shells):
            os.killpg(shell, signal.SIGINT)
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("script", WALKS)
def test_every_shell_block_of_a_page_runs(script: str, followed: dict[str, Future[Ran]]) -> None:
    # WHEN somebody follows the page
    ran = followed[script].result()

    # THEN no command fails
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-4000:]


def test_every_narrowed_command_is_on_a_page() -> None:
    # GIVEN the lines of all blocks that run
    lines = {
        line for page in docs.pages() for _, script in walks(page) for line in script.split("\n")
    }

    # THEN none of the commands that get arguments has been reworded, and so runs in full again
    assert NARROWED.keys() - lines == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_a_page_is_in_what_is_followed(page: Path) -> None:
    followed = "\n".join(script for _, script in walks(page))

    assert followed == "\n".join(blocks(page.read_text(encoding="utf-8")))


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
        assembly = cdk.synthesize(target, context={"stage": stage} | WITH_EVERY_TYPE)
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
    flows = (event_aggregator, discovery, pubsub, ingest, network)
    names = [step[0] for flow in flows for step in flow.STEPS]
    # THEN each is in the picture; otherwise run ./odyssey demo --picture docs/demo.svg
    picture = html.unescape((paths.ROOT / "docs" / "demo.svg").read_text(encoding="utf-8"))
    words = set(re.findall(r"\w+", " ".join(re.findall(r">([^<]+)</text>", picture))))
    assert [name for name in names if not set(re.findall(r"\w+", name)) <= words] == []

"""Set-up as it happens, in a copy of this checkout whose path has spaces.

Takes what it installs from the caches that this checkout's own set-up filled.
"""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from odyssey_cli.paths import ROOT

WAITING = "Another set-up of this checkout is running"


def environment(**more: str) -> dict[str, str]:
    """Return the user's environment, without what the launcher of this checkout put into it."""
    venv = f"{ROOT}/.odyssey/"
    folders = [path for path in os.environ["PATH"].split(":") if not path.startswith(venv)]
    kept = {name: value for name, value in os.environ.items() if name != "JSII_NODE"}
    return {**kept, "PATH": ":".join(folders), **more}


def odyssey(launcher: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [launcher, "--help"],
        cwd="/",
        env=environment(**more),
        capture_output=True,
        text=True,
        check=False,
    )


def begin(launcher: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [launcher, "--help"], env=environment(), stderr=subprocess.PIPE, stdout=-3, text=True
    )


def until_line(process: "subprocess.Popen[str]", part: str) -> None:
    """Read what a process says until a line has the part."""
    assert process.stderr
    for line in process.stderr:
        if part in line:
            return
    raise AssertionError(f"it ended without saying {part!r}")


def at_work_in(checkout: Path) -> list[str]:
    """Return the command lines of the processes that work in a checkout."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or [])
        if str(checkout) in command:
            found.append(command)
    return found


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of what git would hand out, set up through a link."""
    folder = tmp_path_factory.mktemp("set up").resolve()
    root = folder / "a check out"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    (folder / "link").symlink_to("a check out/odyssey")
    done = odyssey(folder / "link")
    assert done.returncode == 0, done.stderr
    assert "Set-up took" in done.stderr
    return root


@pytest.fixture
def launcher(checkout: Path) -> Path:
    """Return the launcher of a copy that is set up, whatever the test before left."""
    done = odyssey(checkout / "odyssey")
    assert done.returncode == 0, done.stderr
    return checkout / "odyssey"


def test_later_runs_start_in_under_a_second_and_set_nothing_up(launcher: Path) -> None:
    # WHEN
    seconds = []
    for _ in range(3):
        began = time.monotonic()
        done = odyssey(launcher)
        seconds.append(time.monotonic() - began)

    # THEN
    assert done.stderr == ""
    assert min(seconds) < 1


def test_the_path_has_node_itself_and_the_pinned_command_line(launcher: Path) -> None:
    # GIVEN
    venv = launcher.parent / ".odyssey" / "venv" / "bin"

    # WHEN
    asked = [
        subprocess.run(
            [venv / name, "--version"],
            env=environment(PATH=f"{venv}:/usr/bin:/bin"),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for name in ("node", "npm", "npx", "uv")
    ]

    # THEN
    assert asked[0].startswith("v24.")
    assert all(asked)
    assert (venv / "node").read_bytes()[:2] != b"#!"


def test_the_app_and_its_constructs_are_importable_from_anywhere(launcher: Path) -> None:
    # GIVEN
    python = launcher.parent / ".odyssey" / "venv" / "bin" / "python"
    code = (
        "import odyssey_cli, odyssey_constructs, constructs; print(constructs.Construct.__name__)"
    )

    # WHEN
    done = subprocess.run(
        [python, "-c", code], cwd="/", env=environment(), capture_output=True, text=True, check=True
    )

    # THEN
    assert done.stdout == "Construct\n"


def test_functions_can_be_bundled_without_a_network(launcher: Path, tmp_path: Path) -> None:
    # GIVEN
    root = launcher.parent

    # WHEN
    subprocess.run(
        [
            *(root / ".odyssey/venv/bin/uv", "pip", "install", "--offline", "--target", tmp_path),
            *("--python-platform", "aarch64-manylinux2014", "--python-version", "3.13"),
            *("--only-binary", ":all:", "--require-hashes"),
            *("--requirement", root / "lambda_src" / "requirements.txt"),
        ],
        env=environment(),
        capture_output=True,
        check=True,
    )

    # THEN
    assert (tmp_path / "aws_lambda_powertools").is_dir()


def test_a_damaged_set_up_is_repaired_without_a_network(launcher: Path) -> None:
    # GIVEN what is left when the Python that it was made with goes away, and no way out
    python = launcher.parent / ".odyssey" / "venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/no/such/python")
    shutil.rmtree(launcher.parent / "node_modules")
    nowhere = "http://127.0.0.1:9"

    # WHEN
    done = odyssey(
        launcher,
        HTTPS_PROXY=nowhere,
        HTTP_PROXY=nowhere,
        ALL_PROXY=nowhere,
        https_proxy=nowhere,
        npm_config_fetch_retries="0",
    )

    # THEN
    assert done.returncode == 0, done.stderr
    assert (launcher.parent / "node_modules/aws-cdk/bin/cdk").exists()


def test_ctrl_c_ends_it_quietly_with_everything_it_started(launcher: Path) -> None:
    # GIVEN a set-up in the middle of its work
    (launcher.parent / ".odyssey" / "ready").unlink()
    process = begin(launcher)
    until_line(process, "Python packages")

    # WHEN
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=10)

    # THEN
    assert process.returncode == 130
    assert "Traceback" not in said
    assert said.splitlines()[-1] == "Set-up was interrupted; the next run starts it afresh."
    assert not (launcher.parent / ".odyssey" / "ready").exists()
    assert at_work_in(launcher.parent) == []


def test_after_a_kill_two_runs_at_once_end_up_with_one_good_set_up(launcher: Path) -> None:
    # GIVEN
    (launcher.parent / ".odyssey" / "ready").unlink(missing_ok=True)
    killed = begin(launcher)
    until_line(killed, "Python packages")
    killed.kill()
    killed.wait()

    # WHEN
    both = [begin(launcher), begin(launcher)]
    said = [process.communicate(timeout=120)[1] for process in both]

    # THEN
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("Set-up took" in text for text in said) == 1
    assert any(WAITING in text for text in said)
    assert odyssey(launcher).stderr == ""

"""The launcher, run by the real shell over a checkout in which every program is a fake."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from odyssey_cli.paths import ROOT

INPUTS = (
    "pyproject.toml",
    "requirements.lock",
    "local_cloud/requirements.lock",
    "lambda_src/requirements.txt",
    "package.json",
    "package-lock.json",
    "odyssey_cli/setup.py",
    "odyssey_cli/tools.py",
)
VARIABLES = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "JSII_NODE")
# Says what it was run with; as the Python that sets up it also passes the launcher's questions.
FAKE_PYTHON = f"""#!/bin/sh
[ "$1" = -c ] && exit 0
echo "{{name}}"
for argument in "$@"; do echo "argument: $argument"; done
echo "directory: $(pwd -P)"
echo "first on path: ${{{{PATH%%:*}}}}"
for name in {" ".join(VARIABLES)}; do
    eval "echo \\"$name: \\${{{{$name-unset}}}}\\""
done
exit 7
"""


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@dataclass
class Checkout:
    root: Path
    python: Path

    def run(
        self,
        *arguments: str,
        launcher: Path | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [launcher or self.root / "odyssey", *arguments],
            cwd=cwd,
            env={"PATH": "/usr/bin:/bin", "ODYSSEY_PYTHON": str(self.python), **(env or {})},
            capture_output=True,
            text=True,
            check=False,
        )

    def set_up(self) -> None:
        """Leave what set-up leaves."""
        for folder in ("venv", "cloud"):
            fake = FAKE_PYTHON.format(name="the command line")
            program(self.root / f".odyssey/{folder}/bin/python", fake)
        program(self.root / ".odyssey/venv/bin/node", "")
        program(self.root / "node_modules/aws-cdk/bin/cdk", "")
        asked = self.run().stdout.splitlines()
        stamp = asked[asked.index(f"argument: {self.root}/odyssey_cli/setup.py") + 1]
        (self.root / ".odyssey/ready").write_text(stamp.removeprefix("argument: ") + "\n")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    root = tmp_path.resolve() / "a check out"
    for name in INPUTS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    shutil.copy(ROOT / "odyssey", root / "odyssey")
    python = program(tmp_path / "elsewhere" / "python", FAKE_PYTHON.format(name="set-up"))
    return Checkout(root, python)


def test_a_new_checkout_is_set_up_first_and_the_arguments_are_passed_on(checkout: Checkout) -> None:
    # WHEN
    done = checkout.run("demo", "two words")

    # THEN
    lines = done.stdout.splitlines()
    assert lines[0] == "set-up"
    assert lines[1:3] == ["argument: -P", f"argument: {checkout.root}/odyssey_cli/setup.py"]
    assert lines[4:6] == ["argument: demo", "argument: two words"]


def test_once_set_up_it_becomes_the_command_line_where_the_user_is(
    checkout: Checkout, tmp_path: Path
) -> None:
    # GIVEN
    checkout.set_up()

    # WHEN
    done = checkout.run("deploy", "a b", "*", "", cwd=tmp_path)

    # THEN
    lines = done.stdout.splitlines()
    assert lines[:4] == [
        "the command line",
        "argument: -P",
        "argument: -m",
        "argument: odyssey_cli",
    ]
    assert lines[4:8] == ["argument: deploy", "argument: a b", "argument: *", "argument: "]
    assert f"directory: {tmp_path.resolve()}" in lines
    assert done.returncode == 7


def test_it_finds_its_checkout_through_links_relative_and_absolute(
    checkout: Checkout, tmp_path: Path
) -> None:
    # GIVEN
    checkout.set_up()
    relative = tmp_path / "bin dir" / "ody"
    relative.parent.mkdir()
    relative.symlink_to("../a check out/odyssey")
    absolute = tmp_path / "ody"
    absolute.symlink_to(relative)

    # WHEN
    done = checkout.run(launcher=absolute, cwd=Path("/"))

    # THEN
    assert done.stdout.startswith("the command line")


def test_the_command_line_gets_the_checkouts_own_python_and_node(checkout: Checkout) -> None:
    # GIVEN
    checkout.set_up()
    astray = dict.fromkeys(VARIABLES, "/users/own")

    # WHEN
    lines = checkout.run(env=astray).stdout.splitlines()

    # THEN
    venv = checkout.root / ".odyssey" / "venv"
    assert f"first on path: {venv}/bin" in lines
    assert f"VIRTUAL_ENV: {venv}" in lines
    assert f"JSII_NODE: {venv}/bin/node" in lines
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME"):
        assert f"{name}: unset" in lines


@pytest.mark.parametrize("name", INPUTS)
def test_another_version_of_any_input_means_setting_up_again(checkout: Checkout, name: str) -> None:
    # GIVEN
    checkout.set_up()

    # WHEN
    (checkout.root / name).write_text("other")

    # THEN
    assert checkout.run().stdout.startswith("set-up")


@pytest.mark.parametrize(
    "lost",
    [
        ".odyssey/ready",
        ".odyssey/venv/bin/python",
        ".odyssey/venv/bin/node",
        ".odyssey/cloud/bin/python",
        "node_modules/aws-cdk/bin/cdk",
    ],
)
def test_losing_what_set_up_made_means_setting_up_again(checkout: Checkout, lost: str) -> None:
    # GIVEN
    checkout.set_up()

    # WHEN
    (checkout.root / lost).unlink()

    # THEN
    assert checkout.run().stdout.startswith("set-up")


def test_a_python_that_was_upgraded_away_means_setting_up_again(checkout: Checkout) -> None:
    # GIVEN
    checkout.set_up()
    python = checkout.root / ".odyssey/venv/bin/python"

    # WHEN
    python.unlink()
    python.symlink_to("/usr/bin/python3.2-no-more")

    # THEN
    assert checkout.run().stdout.startswith("set-up")


def test_a_moved_checkout_is_set_up_again(checkout: Checkout, tmp_path: Path) -> None:
    # GIVEN
    checkout.set_up()

    # WHEN
    moved = checkout.root.rename(tmp_path / "moved")

    # THEN
    assert checkout.run(launcher=moved / "odyssey").stdout.startswith("set-up")


def test_a_half_made_environment_does_not_set_itself_up(checkout: Checkout) -> None:
    # GIVEN a python3 in the environment that set-up is about to remove, and one on the path
    program(checkout.root / ".odyssey/venv/bin/python3", FAKE_PYTHON.format(name="half-made"))
    path = program(
        checkout.root.parent / "bin" / "python3", FAKE_PYTHON.format(name="set-up")
    ).parent

    # WHEN
    done = checkout.run(env={"ODYSSEY_PYTHON": "", "PATH": f"{path}:/usr/bin:/bin"})

    # THEN
    assert done.stdout.startswith("set-up")


def test_without_a_python_that_suits_it_says_so_and_what_to_do(
    checkout: Checkout, tmp_path: Path
) -> None:
    # GIVEN a machine that has only what the launcher itself calls, and an old Python
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "cat", "cksum", "dirname", "readlink", "uname"):
        found = shutil.which(name, path="/usr/bin:/bin")
        assert found
        (tools / name).symlink_to(found)
    program(tools / "python3", "#!/bin/sh\necho 'SyntaxError: old' >&2; exit 1\n")

    # WHEN
    done = checkout.run(env={"ODYSSEY_PYTHON": "", "PATH": str(tools)})

    # THEN
    assert done.returncode == 1
    problem, remedy = done.stderr.splitlines()
    assert problem.startswith("error: no Python 3.11 or newer")
    assert "apt install python3-venv" in remedy


def test_a_named_python_that_does_not_suit_is_not_replaced_silently(checkout: Checkout) -> None:
    # WHEN
    done = checkout.run(env={"ODYSSEY_PYTHON": "/bin/false"})

    # THEN
    assert done.returncode == 1
    assert done.stderr.startswith("error: ODYSSEY_PYTHON is /bin/false")
    assert not done.stdout


def test_it_asks_the_real_python_the_right_questions() -> None:
    # GIVEN the questions in the launcher's text
    text = (ROOT / "odyssey").read_text()
    questions = text.split('"$1" -c \'')[1].split("' >")[0]

    # WHEN
    done = subprocess.run([sys.executable, "-c", questions], check=False)

    # THEN
    assert done.returncode == 0

"""Which file .env says where commands go on AWS: the project's own, unless git shares it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from odyssey_cli import account, dotenv, target
from odyssey_cli.account import Expected
from odyssey_cli.account_trouble import Choice
from odyssey_cli.errors import OdysseyError
from tests.unit.accounts import MINE, OTHER

if TYPE_CHECKING:
    from tests.unit.accounts import Amazon

KEPT = f"ODYSSEY_PROFILE=mine\nODYSSEY_ACCOUNT={MINE}\n"


@pytest.fixture
def project(amazon: Amazon, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's folder with a profile and an account; the current folder is one within."""
    folder = Path.cwd()
    (folder / ".env").write_text(KEPT)
    (folder / "docs").mkdir()
    monkeypatch.chdir(folder / "docs")
    return folder


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def refusal() -> OdysseyError:
    with pytest.raises(OdysseyError) as refused:
        target.resolve("aws", yes=True)
    return refused.value


def test_the_projects_file_counts_whatever_the_current_folder_is(project: Path) -> None:
    assert account.log_in().choice == Choice("mine", ".env")
    assert account.expected() == Expected(MINE, "ODYSSEY_ACCOUNT in .env")


def test_from_another_folder_the_account_is_guarded_as_well(
    project: Path, amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "other")
    assert refusal().problem == (
        f"ODYSSEY_ACCOUNT in .env is {MINE}, but these credentials are of {OTHER}."
    )
    assert amazon.asked == ["sts.GetCallerIdentity eu-west-1"]


def test_settings_are_kept_in_the_projects_file(project: Path) -> None:
    dotenv.keep({"ODYSSEY_PROFILE": "other"})
    assert (project / ".env").read_text() == f"ODYSSEY_PROFILE=other\nODYSSEY_ACCOUNT={MINE}\n"
    assert not Path(".env").exists()


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        (f"ODYSSEY_ACCOUNT={OTHER}\n", "ODYSSEY_ACCOUNT", OTHER),
        ("ODYSSEY_PROFILE=other\n", "ODYSSEY_PROFILE", "other"),
    ],
)
@pytest.mark.parametrize("has_another", [True, False])
def test_a_file_in_the_current_folder_that_says_something_else_is_refused(
    has_another: bool, text: str, name: str, value: str, project: Path, amazon: Amazon
) -> None:
    # GIVEN a file on which somebody might rely, beside the one that counts
    Path(".env").write_text(text)
    if not has_another:
        (project / ".env").unlink()
    # WHEN
    found = refusal()
    # THEN it neither counts nor is passed over in silence
    assert found.problem == (
        f"{Path.cwd() / '.env'} sets {name} to {value}, but the file that counts is "
        f"{project / '.env'}, which has {'another' if has_another else 'none'}."
    )
    assert found.remedy.startswith(f"Take {name} out of the first;")
    assert amazon.asked == []


@pytest.mark.parametrize(
    "text", [KEPT, f"ODYSSEY_ACCOUNT={MINE}\n", "ODYSSEY_ACCOUNT=\n", "DISCOVERY_TABLE=t\n"]
)
def test_a_file_in_the_current_folder_that_says_nothing_else_is_none_of_our_business(
    text: str, project: Path
) -> None:
    Path(".env").write_text(text)
    assert account.expected() == Expected(MINE, "ODYSSEY_ACCOUNT in .env")


@pytest.mark.parametrize("name", ["ODYSSEY_PROFILE", "ODYSSEY_ACCOUNT"])
def test_a_file_that_git_tracks_chooses_neither_profile_nor_account(
    name: str, project: Path, amazon: Amazon
) -> None:
    # GIVEN a folder that somebody cloned, with a file that chooses
    (project / ".env").write_text(f"{name}=mine\n")
    git(project, "init", "--quiet")
    git(project, "add", "--force", ".env")
    # WHEN it is to go to AWS, and nobody wants to be asked
    found = refusal()
    # THEN
    assert found.problem == (
        f"git tracks {project / '.env'}, and what comes with a clone must not choose a profile or "
        "an account."
    )
    assert found.remedy == (f"Take {name} out of it, or run git rm --cached .env in {project}.")
    assert amazon.asked == []


def test_a_file_of_a_repository_that_git_does_not_track_counts(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    git(project, "init", "--quiet")
    # AND a hook's variables do not lead to another repository, which has such a file
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    (other / ".env").write_text("A=1\n")
    git(other, "add", ".env")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert account.log_in().choice == Choice("mine", ".env")


def test_git_is_asked_only_where_the_answer_matters(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a file that has neither name
    (project / ".env").write_text("DISCOVERY_TABLE=t\n")

    def ask(*_: object, **__: object) -> None:
        raise AssertionError("git was asked")

    monkeypatch.setattr(subprocess, "run", ask)
    # THEN
    assert account.expected() is None
    assert account.log_in().choice == Choice("default", "default")
    # AND so it is for the settings of commands, whatever the file has
    Path(".env").write_text(KEPT)
    dotenv.load("DISCOVERY_")


def test_where_git_does_not_say_whose_file_it_is_nothing_is_chosen(project: Path) -> None:
    (project / ".git").write_text("gitdir: gone\n")
    assert refusal().problem.startswith("git does not say whether it tracks .env: fatal:")


def test_without_a_git_program_the_file_counts(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / ".git").mkdir()
    monkeypatch.setenv("PATH", str(project))
    assert account.log_in().choice == Choice("mine", ".env")


def test_the_aws_cli_is_given_the_profile_that_only_the_file_names(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = target.resolve("aws", yes=True)
    assert to.aws_options == ["--profile", "mine", "--region", "eu-north-1"]
    monkeypatch.setenv("AWS_PROFILE", "mine")
    assert target.resolve("aws", yes=True).aws_options == ["--region", "eu-north-1"]

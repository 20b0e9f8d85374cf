"""A history that cannot be read to its end is no history without secrets."""

from __future__ import annotations

import json
import os
import shutil
import stat
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from odyssey_cli import paths, secret_history, secret_scan
from odyssey_cli.__main__ import app
from odyssey_cli.errors import OdysseyError
from tests.unit.planting import PLANTED, Repository

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def test_outside_of_git_the_command_says_so_and_looks_at_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    (tmp_path / "here.txt").write_text("nothing")
    passed = CliRunner().invoke(app, ["secrets"])
    (tmp_path / "here.txt").write_text(PLANTED["AWS Access Key"])
    failed = CliRunner().invoke(app, ["secrets", "--json"])

    assert (passed.exit_code, failed.exit_code) == (0, 1)
    assert "This is no git repository" in passed.output
    assert "of the history" not in passed.output
    told = json.loads(failed.stdout)
    assert (told["history"], told["figures"]["files"]) == ("none", 1)


def test_a_folder_in_another_repository_has_no_history_of_its_own(repository: Repository) -> None:
    repository.commit("Use " + PLANTED["GitHub Token"])
    (repository.folder / "inner").mkdir()
    repository.write("inner/here.txt", PLANTED["AWS Access Key"])
    scan = secret_scan.scan(repository.folder / "inner")
    assert [(each.path, each.where) for each in scan.findings] == [("here.txt", "line 1")]
    assert scan.history == "none"


def test_outside_of_git_the_same_files_are_ignored(repository: Repository) -> None:
    # GIVEN names, folders and patterns at the top and below
    ignored = "# built\n/out/\ncache/\n*.pem\n/laptop*.json\n\n"
    repository.write(".gitignore", ignored)
    for folder in ("out", "a/out", "a/cache", "b/tool"):
        (repository.folder / folder).mkdir(parents=True)
    for name in (
        *("out/x", "a/out/x", "a/cache/x", "a/key.pem", "laptop1.json", "a/laptop1.json"),
        *("cache.txt", "a/file", "b/tool/x", "b/x"),
    ):
        repository.write(name, "text")
    repository.write("b/tool/.gitignore", "*")
    # THEN
    listed = {each.paths for each in secret_history.files_outside_of_git(repository.folder)}
    assert listed == {each.paths for each in secret_history.files(repository.folder)}
    assert ("a/out/x",) in listed
    # AND the project's own patterns are understood
    ours = (paths.ROOT / ".gitignore").read_text()
    repository.write(".gitignore", ours)
    assert {each.paths for each in secret_history.files_outside_of_git(repository.folder)} == {
        each.paths for each in secret_history.files(repository.folder)
    }


@pytest.mark.parametrize("pattern", ["!kept", "a/b", "**/x"])
def test_what_only_git_understands_is_not_guessed(pattern: str, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text(pattern)
    with pytest.raises(OdysseyError, match="only git can read"):
        list(secret_history.files_outside_of_git(tmp_path))


def an_object(repository: Repository, revision: str) -> Path:
    """Return the file of an object, which may be written."""
    name = secret_history.git(repository.folder, "rev-parse", revision).strip()
    file = repository.folder / ".git" / "objects" / name[:2] / name[2:]
    file.chmod(stat.S_IRUSR | stat.S_IWUSR)
    return file


@pytest.mark.parametrize("revision", ["HEAD", "HEAD^{tree}", "HEAD:gone.txt", "HEAD~1:gone.txt"])
@pytest.mark.parametrize("broken", ["cut", "missing"])
def test_a_repository_that_cannot_be_read_fails(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, revision: str, broken: str
) -> None:
    # GIVEN a history of which an object is no longer whole
    for text in ("first " * 500, "second " * 500):
        repository.write("gone.txt", text)
        repository.commit()
    file = an_object(repository, revision)
    if broken == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:20])
    # THEN
    monkeypatch.setattr(paths, "ROOT", repository.folder)
    ran = CliRunner().invoke(app, ["secrets"])
    assert ran.exit_code == 1
    assert isinstance(ran.exception, OdysseyError)
    assert "git" in ran.exception.problem


@pytest.mark.parametrize("broken", ["HEAD", "empty", "file"])
def test_a_git_folder_that_git_does_not_know_fails(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, broken: str, tmp_path: Path
) -> None:
    # GIVEN a `.git` that is there and broken, in a folder that lies in no other repository
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    git = repository.folder / ".git"
    if broken == "HEAD":
        (git / "HEAD").unlink()
    else:
        git.rename(tmp_path / "elsewhere")
        git.mkdir() if broken == "empty" else git.write_text("gitdir: nowhere")
    # THEN
    with pytest.raises(OdysseyError, match="git rev-parse failed"):
        secret_scan.scan(repository.folder)


def test_a_broken_git_folder_in_another_repository_is_not_taken_for_that_one(
    repository: Repository,
) -> None:
    (repository.folder / "inner" / ".git").mkdir(parents=True)
    with pytest.raises(OdysseyError, match=r"a \.git that git does not know"):
        secret_scan.scan(repository.folder / "inner")


def test_a_repository_without_git_fails(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OdysseyError, match="git cannot be run"):
        secret_scan.scan(repository.folder)


# A git that does not do as it should: in which command, what by a shell script, and what is said.
ODD = {
    "it dies in the middle": ("cat-file", 'git "$@" | head -c 200; exit 3', r"failed \(3\)"),
    "it ends early, and well": ("cat-file", 'git "$@" | head -c 200', "did not tell all of"),
    "it says nothing": ("cat-file", "", "told: nothing"),
    "an object is missing": ("cat-file", "git \"$@\" | sed '1s/ .*/ missing/'", "told: .* missing"),
    "it tells of another": ("cat-file", "git \"$@\" | sed '1s/^..../0000/'", "told: 0000"),
    "it tells of more": ("cat-file", 'git "$@"; echo more', "more objects than"),
    "it lists, and fails": ("rev-list", 'git "$@"; exit 3', r"rev-list failed \(3\)"),
    "it cannot compare": ("diff-tree", "exit 128", r"diff-tree failed \(128\)"),
    "it lists no file": ("ls-files", "exit 128", r"ls-files failed \(128\)"),
}


@pytest.mark.parametrize("odd", ODD)
def test_every_failure_of_git_fails(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, odd: str
) -> None:
    # GIVEN
    command, script, said = ODD[odd]
    repository.write("x.txt", "text " * 100)
    repository.commit()
    real = shutil.which("git")
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "git"
    fake.write_text(
        f'#!/bin/sh\ngit() {{ "{real}" "$@"; }}\n'
        f'case " $* " in *" {command} "*) {script or ":"}; exit;; esac\ngit "$@"\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.environ['PATH']}")
    # THEN
    with pytest.raises(OdysseyError, match=said):
        secret_scan.scan(repository.folder)

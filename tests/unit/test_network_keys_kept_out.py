"""No private key is in this repository, and one would be found."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from odyssey_cli import paths

if TYPE_CHECKING:
    from pathlib import Path

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git work tree."""
    tree = tmp_path / "a repository"
    (tree / "inner").mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", tree], check=True)
    return tree


def with_private_keys(repository: Path) -> tuple[str, str]:
    """Return files with a private key, of what is tracked, and commits that once had one."""
    header = "-----BEGIN [A-Z ]*PRIVATE " + "KEY-----"
    # A header on a line of its own, or with what follows it; and how OpenSSH's always goes on.
    needle = f"^ *{header}$|{header}(\\\\[nr])+[A-Za-z0-9+/]{{16}}|b3BlbnNzaC1rZXkt" + "djE"
    # Somebody else's clone is looked through like one's own.
    git: list[str | Path] = ["git", "-c", "safe.directory=*", "-C", repository]
    grep = [*git, "grep", "--cached", "--files-with-matches", "--extended-regexp", "-e", needle]
    log = [*git, "log", "--all", "--pickaxe-regex", f"-S{needle}", "--format=%s"]
    found = [
        subprocess.run(each, capture_output=True, text=True, check=False, timeout=60)
        for each in (grep, log)
    ]
    assert [each.stderr for each in found] == ["", ""]
    return found[0].stdout, found[1].stdout


@needs_git
def test_no_private_key_is_in_this_repository() -> None:
    if not (paths.ROOT / ".git").exists():
        pytest.skip("this is no clone")
    assert with_private_keys(paths.ROOT) == ("", "")


@needs_git
@pytest.mark.parametrize("form", ["file", "text in JSON", "line of a file"])
def test_a_private_key_in_a_repository_would_be_found(form: str, repository: Path) -> None:
    # GIVEN a repository that had a key and has one
    private = Ed25519PrivateKey.generate()
    key = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    body = key.splitlines()[1]
    text = {"file": key, "text in JSON": json.dumps({"key": key}), "line of a file": body}[form]
    git: list[str | Path] = [
        "git",
        "-C",
        repository,
        "-c",
        "user.name=me",
        "-c",
        "user.email=me@example.com",
    ]
    git += ["-c", "commit.gpgsign=false"]
    for subject, content in (("none", ""), ("added", text), ("removed", "")):
        (repository / "notes").write_text(content)
        subprocess.run([*git, "add", "notes"], check=True)
        subprocess.run([*git, "commit", "--quiet", "-m", subject], check=True)
    (repository / "inner" / "notes").write_text(text)
    subprocess.run([*git, "add", "inner"], check=True)
    # THEN
    tracked, ever = with_private_keys(repository)
    assert tracked == "inner/notes\n"
    assert ever.split() == ["removed", "added"]

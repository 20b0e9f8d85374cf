"""A bundle's fingerprint says exactly what is in it, in every checkout the same."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from odyssey_constructs import bundling

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PACKAGE = "event_aggregator"


def fingerprint(package: str = PACKAGE) -> str:
    return bundling.fingerprint(package, architecture="arm64")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of lambda_src in another place, under a name with a space."""
    copy = tmp_path / "another checkout" / "lambda_src"
    shutil.copytree(bundling.LAMBDA_SRC, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(bundling, "LAMBDA_SRC", copy)
    monkeypatch.setattr(bundling, "LOCK", copy / "requirements.txt")
    return copy


def append(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")


def swap(one: Path, other: Path) -> None:
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def compiled(tree: Path) -> None:
    folder = tree / PACKAGE / "__pycache__"
    folder.mkdir()
    (folder / "producer.cpython-313.pyc").write_bytes(b"compiled")


def touch(tree: Path) -> None:
    for path in tree.rglob("*.py"):
        os.utime(path, (0, 0))
        path.chmod(0o600)


def other(tree: Path) -> None:
    (tree / "other_stack").mkdir()
    (tree / "other_stack" / "__init__.py").touch()


CHANGES: dict[str, Callable[[Path], object]] = {
    "a handler": lambda tree: append(tree / PACKAGE / "producer.py"),
    "what handlers share": lambda tree: append(tree / "shared" / "times.py"),
    "the lock": lambda tree: append(tree / "requirements.txt"),
    "a new file": lambda tree: (tree / PACKAGE / "new.py").touch(),
    "a new data file": lambda tree: (tree / PACKAGE / "table.json").touch(),
    "a removed file": lambda tree: (tree / "shared" / "times.py").unlink(),
    "a renamed file": lambda tree: (tree / "shared" / "times.py").rename(tree / "shared" / "t.py"),
    "contents swapped": lambda tree: swap(
        tree / PACKAGE / "reader.py", tree / "shared" / "times.py"
    ),
}
NO_CHANGES: dict[str, Callable[[Path], object]] = {
    "another place": lambda _tree: None,
    "compiled files": compiled,
    "other times and modes": touch,
    "a package of another stack": other,
    "what the lock is made of": lambda tree: append(tree / "requirements.in"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_the_fingerprint_changes_with(change: Callable[[Path], object], tree: Path) -> None:
    before = fingerprint()
    change(tree)
    assert fingerprint() != before


@pytest.mark.parametrize("change", NO_CHANGES.values(), ids=NO_CHANGES.keys())
def test_the_fingerprint_is_that_of_this_checkout_despite(
    change: Callable[[Path], object], tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(tree)
    copied = fingerprint()
    monkeypatch.undo()
    assert fingerprint() == copied


def test_the_fingerprint_changes_with_the_platform() -> None:
    arm, x86 = (bundling.fingerprint(PACKAGE, architecture=each) for each in ("arm64", "x86_64"))
    assert arm != x86


def test_the_fingerprint_changes_with_the_python_version(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint()
    monkeypatch.setattr(bundling, "PYTHON_VERSION", "3.14")
    assert fingerprint() != before


def test_two_packages_have_two_fingerprints(tree: Path) -> None:
    other(tree)
    assert fingerprint() != fingerprint("other_stack")


def test_a_fingerprint_is_what_cdk_takes_as_asset_hash() -> None:
    assert len(fingerprint()) == 64
    assert int(fingerprint(), 16)


@pytest.mark.parametrize("package", ["nothing", "", "event_aggregator.producer"])
def test_a_package_that_is_not_there_is_named(package: str) -> None:
    with pytest.raises(ValueError, match=f"'{package}'"):
        bundling.code(package, architecture="arm64")


def test_when_uv_fails_its_own_words_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    lock = tmp_path / "requirements.txt"
    lock.write_text("this is no requirement at all\n")
    monkeypatch.setattr(bundling, "LOCK", lock)
    # WHEN / THEN
    with pytest.raises(bundling.BundlingError, match=r"requirements\.txt"):
        bundling.bundle(PACKAGE, tmp_path / "out", architecture="arm64")


def test_the_network_is_asked_only_after_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN uv whose cache is empty
    commands: list[list[str]] = []

    def run(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0 if "--offline" not in command else 1, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    # WHEN
    bundling.bundle(PACKAGE, tmp_path, architecture="arm64")
    # THEN
    assert ["--offline" in command for command in commands] == [True, False]

"""Cloud assemblies that were made before, kept by everything that they are made from.

A synth takes seconds, and most commands begin with one. It is a pure function: the same sources,
pinned libraries and settings give the same assembly, which the snapshots rely on, too.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from odyssey_cli import paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# What app.py reads of the project; `.env` may name the account that it refuses to leave.
_FILES = ("app.py", "cdk.json", "requirements.lock", ".env")
_FOLDERS = ("stacks", "constructs", "lambda_src")
# What app.py and the CDK's library read of the environment, but for where to write.
_OURS, _CDK, _WHERE = ("ODYSSEY_TARGET", "ODYSSEY_ACCOUNT"), "CDK_", "CDK_OUTDIR"
# As many as there are stages and options in use at a time, of 20 to 50 MB each.
_MOST = 6
# How the names of those begin that are not done.
_UNFINISHED = "."


def key(environment: Mapping[str, str]) -> str:
    """Return what changes with everything that a synth depends on.

    Args:
        environment: that app.py is to run in.
    """
    digest = hashlib.sha256(f"{sys.version}\0".encode())
    for name in sorted(environment):
        if name in _OURS or (name.startswith(_CDK) and name != _WHERE):
            digest.update(f"{name}={environment[name]}\0".encode())
    for file in _sources():
        digest.update(file.relative_to(paths.ROOT).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def bring(name: str, folder: Path) -> bool:
    """Put the kept assembly of that key into a folder; say whether there is one."""
    kept = _place() / name
    try:
        os.utime(kept)
        _put(kept, folder)
    except OSError:
        # There is none, or another process is just making room. Whatever else it is that is wrong
        # is said when it is made anew.
        return False
    return True


@contextmanager
def making(name: str, folder: Path) -> Iterator[Path]:
    """Yield where to make an assembly; then put it into a folder, and keep it under its key.

    If it could not be made, which is an error, the folder stays as it was. Of the kept ones those
    are forgotten that were not used for longest.
    """
    place = _place()
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place, prefix=_UNFINISHED) as made:
        new = Path(made) / "assembly"
        yield new
        _put(new, folder)
        # Whoever was faster has kept the same.
        with suppress(OSError):
            new.rename(place / name)
    kept = [each for each in place.iterdir() if not each.name.startswith(_UNFINISHED)]
    for old in sorted(kept, key=_last_used, reverse=True)[_MOST:]:
        shutil.rmtree(old, ignore_errors=True)


def _put(made: Path, folder: Path) -> None:
    """Copy an assembly in the place of another: the CDK's command line writes into its own."""
    new = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(made, new, symlinks=True)
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)


def _last_used(kept: Path) -> float:
    try:
        return kept.stat().st_mtime
    except OSError:
        return 0.0


def _place() -> Path:
    return paths.STATE / "assemblies"


def _sources() -> Iterator[Path]:
    for name in _FILES:
        if (file := paths.ROOT / name).is_file():
            yield file
    for folder in _FOLDERS:
        for file in sorted((paths.ROOT / folder).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file

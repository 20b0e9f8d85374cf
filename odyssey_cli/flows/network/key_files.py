"""Where a private key may lie: in a file for its owner's eyes, never in a repository."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import tempfile
from typing import TYPE_CHECKING

from odyssey_cli import paths
from odyssey_cli.errors import OdysseyError

if TYPE_CHECKING:
    from pathlib import Path

_OWNER_READS = 0o400
_ELSEWHERE = "Choose a file elsewhere by --out, or leave it out: .odyssey/keys is for this."


def refuse_repository(file: Path) -> None:
    """Refuse a file that could be committed.

    Raises:
        OdysseyError: the file is in a git work tree, which does not ignore it.
    """
    file = file.absolute()
    folder = next(each for each in file.parents if each.exists())
    # git looks at where a link leads, and so do we.
    place = folder.resolve() / file.relative_to(folder)
    ignored = _is_ignored(folder.resolve(), place)
    if ignored is None:
        # Without an answer of git's, what has a .git above it is taken for a work tree.
        in_tree = any((each / ".git").exists() for each in place.parents)
        ignored = not in_tree or place.is_relative_to(paths.STATE.resolve())
    if not ignored:
        raise OdysseyError(
            f"{file} is in a git repository that does not ignore it, so the private key could "
            "be committed.",
            _ELSEWHERE,
        )


def _is_ignored(folder: Path, file: Path) -> bool | None:
    """Ask git whether it ignores a file; None if there is no git, or no work tree that it knows."""
    environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
    try:
        done = subprocess.run(
            ["git", "-C", folder, "check-ignore", "--quiet", "--", file],
            env=environment,
            capture_output=True,
            check=False,
        )
    except OSError:
        return None
    return done.returncode == 0 if done.returncode in (0, 1) else None


def write_once(file: Path, text: str) -> bool:
    """Write a file that only its owner reads; return False if it is there with that content.

    The file appears as a whole or not at all, and what is there is never overwritten.

    Raises:
        OdysseyError: something else is there, or it cannot be written.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            with contextlib.suppress(FileExistsError):
                _write(file, text)
                return True
        return _confirm(file, text)
    except OSError as error:
        raise OdysseyError(
            f"The private key cannot be saved: {error}.", "Choose another file by --out."
        ) from error


def _write(file: Path, text: str) -> None:
    # Made by O_EXCL with 0600 under a name that nobody has, and given the real name at the end.
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii", newline="\n") as new:
            new.write(text)
            os.fchmod(new.fileno(), _OWNER_READS)
            new.flush()
            os.fsync(new.fileno())
        os.link(name, file)
    finally:
        os.unlink(name)  # noqa: PTH108 - a name, as mkstemp gives it


def _confirm(file: Path, text: str) -> bool:
    if not file.is_file() or file.read_bytes() != text.encode("ascii"):
        raise OdysseyError(
            f"{file} is there already, and is not this private key.",
            "Nothing was overwritten: choose another file by --out, or remove that one.",
        )
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        # ssh refuses a key that others can read.
        file.chmod(_OWNER_READS)
    return False

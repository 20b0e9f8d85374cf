"""Everything that a git repository holds: the files there are, and all that ever were."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST = 20_000_000  # bytes; what is larger is counted, and not read


class NoRepositoryError(Exception):
    """The folder is in no git repository, or there is no git."""


@dataclass(frozen=True)
class Text:
    """Something to read.

    Attributes:
        path: of the file; for a commit or a tag "".
        origin: "file", or the id of the object in history.
        lines: of the text, None when it was too large, () when it is binary.
    """

    path: str
    origin: str
    lines: list[str] | None


def git(repository: Path, *arguments: str) -> str:
    """Return what git says.

    Raises:
        NoRepositoryError: it says that there is no repository, or it is not installed.
    """
    try:
        ran = subprocess.run(
            ["git", "-C", str(repository), *arguments],
            capture_output=True, text=True, encoding="utf-8", errors="replace", check=False,
        )  # fmt: skip
    except OSError as error:
        raise NoRepositoryError(str(error)) from error
    if ran.returncode != 0:
        raise NoRepositoryError(ran.stderr.strip())
    return ran.stdout


def check(folder: Path) -> None:
    """Make sure that a folder is the top of a repository.

    Raises:
        NoRepositoryError: it is not.
    """
    top = git(folder, "rev-parse", "--show-toplevel").strip()
    if not folder.samefile(top):
        raise NoRepositoryError(f"{folder} is not a repository, but lies in another, {top}")


def is_shallow(repository: Path) -> bool:
    """Say whether the clone has only the last part of the history."""
    return git(repository, "rev-parse", "--is-shallow-repository").strip() == "true"


def files(repository: Path) -> Iterator[Text]:
    """Yield the files as they are now: those that git tracks, and those that it does not ignore."""
    listed = git(repository, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in sorted(set(filter(None, listed.split("\0")))):
        file = repository / name
        if file.is_symlink() or not file.is_file():
            continue
        if file.stat().st_size > LARGEST:
            yield Text(name, "file", None)
        else:
            yield Text(name, "file", _lines(file.read_bytes()))


def history(repository: Path) -> Iterator[Text]:
    """Yield each content that any file ever had, once, and the messages of commits and tags."""
    names: dict[str, str] = {}
    for line in git(repository, "rev-list", "--objects", "--all").splitlines():
        name, _, path = line.partition(" ")
        names.setdefault(name, path)
    with tempfile.TemporaryFile() as wanted:
        # Through a file: git would stop reading names while nobody reads what it writes.
        wanted.write("\n".join(names).encode())
        wanted.seek(0)
        with subprocess.Popen(
            ["git", "-C", str(repository), "cat-file", "--batch"],
            stdin=wanted,
            stdout=subprocess.PIPE,
        ) as process:
            if process.stdout is not None:
                yield from _objects(process.stdout, names)


def _objects(answer: IO[bytes], names: dict[str, str]) -> Iterator[Text]:
    while header := answer.readline().split():
        if len(header) < 3:  # noqa: PLR2004 - "NAME missing", of a clone without all objects
            continue
        name, kind, size = header[0].decode(), header[1], int(header[2])
        if kind == b"tree" or size > LARGEST:
            _skip(answer, size)
            if kind != b"tree":
                yield Text(names[name], name, None)
        else:
            content = answer.read(size)
            yield Text(names[name] if kind == b"blob" else "", name, _lines(content))
        answer.read(1)


def _skip(answer: IO[bytes], size: int) -> None:
    while size > 0:
        size -= len(answer.read(min(size, 1 << 20)))


def commit_of(repository: Path, name: str) -> str:
    """Return the short id of the first commit that has an object, or is it."""
    with_it = git(
        repository, "log", "--all", "--reverse", "--format=%h", f"--find-object={name}"
    ).split()
    return with_it[0] if with_it else name[:7]


def _lines(content: bytes) -> list[str]:
    # As git tells binary files from text.
    if b"\0" in content[:8000]:
        return []
    return content.decode("utf-8", "replace").splitlines()

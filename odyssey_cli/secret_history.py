"""Everything that a git repository holds: the files there are, and all that ever were."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import IO, TYPE_CHECKING, cast

from odyssey_cli.errors import OdysseyError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST = 20_000_000  # bytes; what is larger is counted, and not read
_LINK = b"160000"  # the mode of a submodule, whose commits are in another repository
_REMEDY = "`git fsck` says what is wrong with the repository; or clone it again."


@dataclass(frozen=True)
class Text:
    """Something to read.

    Attributes:
        paths: of the file, all that it had with this content; for a commit or a tag only "".
        origin: "file", or the id of the object in history.
        lines: of the text, None when it was too large, () when it is binary.
    """

    paths: tuple[str, ...]
    origin: str
    lines: list[str] | None


def is_repository(folder: Path) -> bool:
    """Say whether a folder is the top of a repository, be it a broken one.

    Without `.git` it is none, even if it lies in another: then that one's history is not its own.

    Raises:
        OdysseyError: git takes it for none, or is not installed.
    """
    if not os.path.lexists(folder / ".git"):
        return False
    top = git(folder, "rev-parse", "--show-toplevel").strip()
    if not folder.samefile(top):
        # Past a `.git` that is none git looks on in the folders above.
        raise OdysseyError(f"{folder} has a .git that git does not know, and uses {top}.", _REMEDY)
    return True


def is_shallow(repository: Path) -> bool:
    """Say whether the clone has only the last part of the history."""
    return git(repository, "rev-parse", "--is-shallow-repository").strip() == "true"


def files(repository: Path) -> Iterator[Text]:
    """Yield the files as they are now: those that git tracks, and those that it does not ignore."""
    listed = git(repository, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in sorted(set(filter(None, listed.split("\0")))):
        file = repository / name
        if file.is_file() and not file.is_symlink():
            yield _text(name, file)


def files_outside_of_git(folder: Path) -> Iterator[Text]:
    """Yield the files of a folder without a history, but for what a `.gitignore` in it names.

    Raises:
        OdysseyError: a `.gitignore` has a pattern that only git knows how to read.
    """
    yield from _walk(folder, folder, [])


def history(repository: Path) -> Iterator[Text]:
    """Yield each content that any file ever had, once, and the messages of commits and tags.

    Raises:
        OdysseyError: not every object that there is could be read.
    """
    names = git(repository, "rev-list", "--objects", "--no-object-names", "--all").split()
    paths = _paths(repository)
    with tempfile.TemporaryFile() as wanted:
        # Through a file: git would stop reading names while nobody reads what it writes.
        wanted.write("".join(f"{name}\n" for name in names).encode())
        wanted.seek(0)
        with _running(repository, "cat-file", "--batch", stdin=wanted) as answer:
            for name in names:
                yield from _object(answer, name, paths)
            if answer.read(1):
                raise OdysseyError("git told of more objects than it was asked for.", _REMEDY)


def commit_of(repository: Path, name: str, path: str) -> str:
    """Return the short id of the first commit that has an object at a path, or is it."""
    with_it = git(
        repository,
        *("--literal-pathspecs", "log", "--all", "--reverse", "-m", "--format=%h"),
        *("--no-show-signature", f"--find-object={name}"),
        *(("--", path) if path else ()),
    ).split()
    return with_it[0] if with_it else name[:7]


def git(repository: Path, *arguments: str) -> str:
    """Return what git says; bytes that are no UTF-8 as Python spells them in names of files.

    Raises:
        OdysseyError: it failed, or is not installed.
    """
    with _running(repository, *arguments) as answer:
        return os.fsdecode(answer.read())


@contextmanager
def _running(
    repository: Path, *arguments: str, stdin: IO[bytes] | None = None
) -> Iterator[IO[bytes]]:
    """Run git, and fail if it does; what it writes may be read meanwhile.

    Raises:
        OdysseyError: it failed, or is not installed.
    """
    # What `git replace` put in the place of an object hides what was there.
    command = ["git", "--no-replace-objects", "-C", str(repository), *arguments]
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                command, stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
            )
        except OSError as error:
            raise OdysseyError(
                f"There is a git repository, and git cannot be run: {error}.", "Install git."
            ) from error
        broken: OdysseyError | None = None
        try:
            with process:
                yield cast("IO[bytes]", process.stdout)
        except OdysseyError as error:
            broken = error
        # A signal only says that nobody reads on what git writes.
        if process.returncode > 0 or (process.returncode and not broken):
            said.seek(0)
            why = said.read().decode("utf-8", "replace").strip()
            raise OdysseyError(
                f"git {arguments[0]} failed ({process.returncode}): {why}", _REMEDY
            ) from broken
        if broken:
            raise broken


def _object(answer: IO[bytes], name: str, paths: dict[str, set[str]]) -> Iterator[Text]:
    """Read the object that git was asked for; a tree has nothing to read but names.

    Raises:
        OdysseyError: git told of another one, of none, or not of all of it.
    """
    header = answer.readline().split()
    if len(header) != 3 or header[0].decode() != name:  # noqa: PLR2004 - name, kind, size
        told = b" ".join(header).decode("utf-8", "replace") or "nothing"
        raise OdysseyError(f"git was asked for the object {name}, and told: {told}.", _REMEDY)
    kind, size = header[1], int(header[2])
    is_read = kind != b"tree" and size <= LARGEST
    content = answer.read(size) if is_read else b""
    if (len(content) if is_read else _skip(answer, size)) != size or answer.read(1) != b"\n":
        raise OdysseyError(f"git did not tell all of the object {name}.", _REMEDY)
    if kind != b"tree":
        of_file = sorted(paths.get(name, ())) if kind == b"blob" else ()
        yield Text(tuple(of_file) or ("",), name, _lines(content) if is_read else None)


def _paths(repository: Path) -> dict[str, set[str]]:
    """Return all paths that each content had in any commit, by the content's id."""
    found: dict[str, set[str]] = {}
    with tempfile.TemporaryFile() as commits:
        commits.write(git(repository, "rev-list", "--all").encode())
        commits.seek(0)
        # Of a merge the difference to each parent; of a first commit all files.
        options = ("--stdin", "-r", "-m", "--root", "--no-renames", "--no-commit-id", "-z")
        with _running(repository, "diff-tree", *options, stdin=commits) as answer:
            told = answer.read().split(b"\0")[:-1]
    for entry, path in zip(told[::2], told[1::2], strict=True):
        _, mode, _, name, status = entry.split(b" ")
        if status != b"D" and mode != _LINK:
            found.setdefault(name.decode(), set()).add(_shown(os.fsdecode(path)))
    return found


def _skip(answer: IO[bytes], size: int) -> int:
    """Read past so many bytes, and return how many there were."""
    left = size
    while left > 0 and (part := answer.read(min(left, 1 << 20))):
        left -= len(part)
    return size - left


def _text(name: str, file: Path) -> Text:
    is_large = file.stat().st_size > LARGEST
    return Text((_shown(name),), "file", None if is_large else _lines(file.read_bytes()))


def _shown(path: str) -> str:
    # A name may have bytes that are no UTF-8, which nothing could print.
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _walk(top: Path, folder: Path, from_above: list[str]) -> Iterator[Text]:
    patterns = from_above + _patterns(folder / ".gitignore")
    for_below = [each for each in patterns if not each.startswith("/")]
    for path in sorted(folder.iterdir()):
        if path.name == ".git" or path.is_symlink() or _is_ignored(path, patterns):
            continue
        if path.is_dir():
            yield from _walk(top, path, for_below)
        elif path.is_file():
            yield _text(path.relative_to(top).as_posix(), path)


def _patterns(file: Path) -> list[str]:
    if not file.is_file():
        return []
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    patterns = [line for line in lines if line and not line.startswith("#")]
    for pattern in patterns:
        if pattern.startswith(("!", "\\")) or "**" in pattern or "/" in pattern.strip("/"):
            raise OdysseyError(
                f"{file} has a pattern that only git can read: {pattern}",
                "Run it in a clone, or write a name, NAME/ or /NAME instead.",
            )
    return patterns


def _is_ignored(path: Path, patterns: list[str]) -> bool:
    return any(
        fnmatchcase(path.name, pattern.strip("/"))
        for pattern in patterns
        if path.is_dir() or not pattern.endswith("/")
    )


def _lines(content: bytes) -> list[str]:
    # As git tells binary files from text.
    if b"\0" in content[:8000]:
        return []
    return content.decode("utf-8", "replace").splitlines()

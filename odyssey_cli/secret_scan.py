"""Looks for secrets in all that a repository holds, less what a person has reviewed."""

from __future__ import annotations

import fnmatch
import hashlib
import re
import time
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from odyssey_cli import secret_history
from odyssey_cli.errors import OdysseyError
from odyssey_cli.secret_patterns import Detectors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from odyssey_cli.secret_patterns import Secret

REVIEWED = ".ci/secrets-reviewed.toml"
_SHOWN = 8  # hexadecimal digits of a secret's SHA-256 that a report shows


@dataclass(frozen=True)
class Review:
    """What a person has looked at and found to be no secret.

    Attributes:
        value: what all of the value matches, as a regular expression.
        paths: patterns of the files in which it is none.
        reason: why it is none.
    """

    value: str
    paths: tuple[str, ...]
    reason: str

    def covers(self, secret: Secret, path: str) -> bool:
        """Say whether it speaks of a value in a file."""
        is_there = any(fnmatch.fnmatch(path, each) for each in self.paths)
        return is_there and self.means(secret)

    def means(self, secret: Secret) -> bool:
        """Say whether it speaks of a value, wherever that is."""
        return re.fullmatch(self.value, secret.value) is not None


@dataclass(frozen=True)
class Finding:
    """What looks like a secret, and where.

    Attributes:
        secret: it.
        path: the file's; "" in the message of a commit or tag.
        where: "line N" of the file as it is, or "commit ID".
    """

    secret: Secret
    path: str
    where: str

    @property
    def shown(self) -> str:
        """What tells the value from others, and shows nothing of it to whoever reads a log."""
        return f"sha256:{hashlib.sha256(self.secret.value.encode()).hexdigest()[:_SHOWN]}"


@dataclass
class Scan:
    """What a scan found, and how much it looked at.

    Attributes:
        findings: what nobody has reviewed.
        reviewed: how many values a review speaks of.
        unused: reviews that speak of nothing, when all of the history was seen.
        files, objects, lines: how many were read; of lines, how many different ones.
        too_large: paths of what was not read.
        kinds: of secrets that were looked for.
        flawed: how many files and objects were found something in, or were not read.
        history: how much of it there is: all, the last part (a shallow clone), or none.
        seconds: how long it took.
    """

    findings: list[Finding] = field(default_factory=list)
    reviewed: int = 0
    unused: list[Review] = field(default_factory=list)
    files: int = 0
    objects: int = 0
    lines: int = 0
    too_large: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    flawed: int = 0
    history: Literal["all", "part", "none"] = "all"
    seconds: float = 0

    @property
    def ok(self) -> bool:
        """Whether everything was read, nothing was found, and the reviews are up to date."""
        return not (self.findings or self.unused or self.too_large)


def reviews(repository: Path) -> list[Review]:
    """Return the repository's reviews.

    Raises:
        OdysseyError: one of them lacks something.
    """
    file = repository / REVIEWED
    if not file.exists():
        return []
    try:
        return _reviews(file.read_text(encoding="utf-8"))
    except (KeyError, TypeError, ValueError, re.error) as error:
        raise OdysseyError(
            f"{REVIEWED} cannot be read: {error}.",
            "Each entry has a value or a pattern, the paths where it is, and a reason.",
        ) from error


def _reviews(text: str) -> list[Review]:
    made = []
    for entry in tomllib.loads(text).get("reviewed", []):
        value = re.escape(entry["value"]) if "value" in entry else entry["pattern"]
        re.compile(value)
        made.append(Review(value, tuple(entry["paths"]), entry["reason"]))
    return made


def scan(repository: Path, reviewed: Sequence[Review] = ()) -> Scan:
    """Look at every file there is and at every one that ever was.

    Args:
        repository: its top folder.
        reviewed: what is known to be no secret.

    Raises:
        OdysseyError: it is a repository, and not all of it could be read.
    """
    begun = time.monotonic()
    top = repository.resolve()
    looking = _Looking(top, reviewed)
    result = looking.result
    if secret_history.is_repository(top):
        result.history = "part" if secret_history.is_shallow(top) else "all"
        for text in secret_history.files(top):
            result.files += 1
            looking.read(text)
        for text in secret_history.history(top):
            result.objects += 1
            looking.read(text)
    else:
        result.history = "none"
        for text in secret_history.files_outside_of_git(top):
            result.files += 1
            looking.read(text)
    if result.history == "all":
        result.unused = [each for each in reviewed if each not in looking.used]
    result.kinds = looking.detectors.kinds
    result.lines = looking.detectors.lines
    result.seconds = time.monotonic() - begun
    return result


class _Looking:
    """What is known while texts are read one after the other."""

    def __init__(self, top: Path, reviewed: Sequence[Review]) -> None:
        self.detectors = Detectors()
        self.result = Scan()
        self.used: set[Review] = set()
        self._top = top
        self._reviewed = reviewed
        self._seen: set[tuple[Secret, str]] = set()

    def read(self, text: secret_history.Text) -> None:
        """Add what a text has to the result, once for each path that it has or had."""
        if text.lines is None:
            self.result.too_large += text.paths
            self.result.flawed += 1
            return
        open_ones = [
            each for path in text.paths for each in self._open(path, text.origin, text.lines)
        ]
        self.result.flawed += bool(open_ones)
        self.result.findings += filter(None, open_ones)

    def _open(self, path: str, origin: str, lines: Sequence[str]) -> Iterator[Finding | None]:
        """Yield what nobody has reviewed; None for what an earlier text had at the same path."""
        # That a value stands in the table of reviews is no use of the entry that puts it there.
        of_itself = _own_reviews(lines) if path == REVIEWED else ()
        for number, secret in self.detectors.find(path, lines):
            # In history a value stays in a file from commit to commit.
            is_new = (secret, path) not in self._seen
            self._seen.add((secret, path))
            if any(each.means(secret) for each in of_itself):
                continue
            speaking = [each for each in self._reviewed if each.covers(secret, path)]
            self.used.update(speaking)
            if speaking:
                self.result.reviewed += is_new
            elif origin == "file":
                yield Finding(secret, path, f"line {number}")
            elif is_new:
                commit = secret_history.commit_of(self._top, origin, path)
                yield Finding(secret, path, f"commit {commit}")
            else:
                yield None


def _own_reviews(lines: Sequence[str]) -> list[Review]:
    """Return what a version of the table of reviews, present or past, reviews; none if broken."""
    try:
        return _reviews("\n".join(lines))
    except (KeyError, TypeError, ValueError, re.error):
        return []

"""Looks for secrets in all that a repository holds, less what a person has reviewed."""

from __future__ import annotations

import fnmatch
import re
import time
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from odyssey_cli import secret_history
from odyssey_cli.errors import OdysseyError
from odyssey_cli.secret_patterns import Detectors

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from odyssey_cli.secret_patterns import Secret

REVIEWED = ".ci/secrets-reviewed.toml"
_SHOWN = 4  # characters of a secret that a report shows


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
        is_there = path == REVIEWED or any(fnmatch.fnmatch(path, each) for each in self.paths)
        return is_there and re.fullmatch(self.value, secret.value) is not None


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
        """The value, but for what would make it useful to whoever reads a log."""
        value = self.secret.value
        return f"{value[:_SHOWN]}… ({len(value)} characters)"


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
        shallow: whether only the last part of the history is there.
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
    shallow: bool = False
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
    made = []
    try:
        for entry in tomllib.loads(file.read_text(encoding="utf-8")).get("reviewed", []):
            value = re.escape(entry["value"]) if "value" in entry else entry["pattern"]
            re.compile(value)
            made.append(Review(value, tuple(entry["paths"]), entry["reason"]))
    except (KeyError, ValueError, re.error) as error:
        raise OdysseyError(
            f"{REVIEWED} cannot be read: {error}.",
            "Each entry has a value or a pattern, the paths where it is, and a reason.",
        ) from error
    return made


def scan(repository: Path, reviewed: Sequence[Review] = ()) -> Scan:
    """Look at every file there is and at every one that ever was.

    Args:
        repository: its top folder.
        reviewed: what is known to be no secret.

    Raises:
        NoRepositoryError: it is none, or only lies in one.
    """
    begun = time.monotonic()
    top = repository.resolve()
    secret_history.check(top)
    detectors = Detectors()
    result = Scan(kinds=detectors.kinds, shallow=secret_history.is_shallow(top))
    used: set[Review] = set()
    seen: set[tuple[Secret, str]] = set()

    def read(text: secret_history.Text) -> None:
        if text.lines is None:
            result.too_large.append(text.path)
            return
        for number, secret in detectors.find(text.path, text.lines):
            speaking = [each for each in reviewed if each.covers(secret, text.path)]
            used.update(speaking)
            # In history a value stays in a file from commit to commit.
            is_new = (secret, text.path) not in seen
            seen.add((secret, text.path))
            if speaking:
                result.reviewed += is_new
            elif text.origin == "file":
                result.findings.append(Finding(secret, text.path, f"line {number}"))
            elif is_new:
                commit = secret_history.commit_of(top, text.origin)
                result.findings.append(Finding(secret, text.path, f"commit {commit}"))

    for text in secret_history.files(top):
        result.files += 1
        read(text)
    for text in secret_history.history(top):
        result.objects += 1
        read(text)
    if not result.shallow:
        result.unused = [each for each in reviewed if each not in used]
    result.lines = detectors.lines
    result.seconds = time.monotonic() - begun
    return result

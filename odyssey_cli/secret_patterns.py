"""How secrets look: the detectors of detect-secrets, and what they do not know.

bc-detect-secrets (Apache-2.0) is the fork of Yelp's detect-secrets that checkov uses and keeps
up; the original has had no release since May 2024. Its detectors only look at text here: none
is asked to verify what it found, which would send it to somebody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from detect_secrets.plugins.base import BasePlugin

# Left out are those of four IBM services, of which nothing here has keys and which take as long as
# half of the others together, and the one for private keys, which misses some kinds.
_LIBRARY = (
    "ArtifactoryDetector",
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "BasicAuthDetector",
    "DiscordBotTokenDetector",
    "GitHubTokenDetector",
    "JwtTokenDetector",
    "MailchimpDetector",
    "NpmDetector",
    "SendGridDetector",
    "SlackDetector",
    "SquareOAuthDetector",
    "StripeDetector",
    "TwilioKeyDetector",
)
_MORE_THAN_A_PATTERN = {"AzureStorageKeyDetector", "BasicAuthDetector", "JwtTokenDetector"}
_KEYWORD, _ENTROPY = "KeywordDetector", ("Base64HighEntropyString", "HexHighEntropyString")
# Exact shapes, each with a name: what the library misses.
OWN = {
    "AWS secret key": r"(?i:secret_?access_?key)[\"']?\s*[:=]\s*[\"']?([A-Za-z0-9/+]{40})\b",
    "AWS session token": r"\b((?:FwoG|IQoJ)[A-Za-z0-9/+=]{80,})",
    "GitLab token": r"\b(gl(?:pat|ptt|dt|rt|cbt)-[\w-]{20,})",
    "Google API key": r"\b(AIza[\w-]{35})\b",
    "OpenAI or Anthropic key": r"\b(sk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,})",
    "private key": (
        r"(-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d)"
    ),
    "PyPI token": r"\b(pypi-AgEIcHlwaS5vcmc[\w-]{20,})",
    "registry password": (
        r"(?:^|[\s/\"':])(?:_auth(?:Token)?|_password)[\"']?\s*=\s*[\"']?([\w+/=.-]{16,})"
    ),
    "registry login": r"\"auth\"\s*:\s*\"([A-Za-z0-9+/]{16,}={0,2})\"",
    "Slack token, loosely": r"\b(xox[abceposr]-[\w.-]{10,}|xapp-\d-[A-Z0-9]{6,}-[\w-]{10,})",
    "Telegram token": r"\b(\d{8,10}:AA[\w-]{33})\b",
}
# Without one of these words in a line, the keyword detector need not look at it.
_WORDS = re.compile(r"key|pass|pwd|token|secret|contrase", re.IGNORECASE)
# Made of checksums, or of names with checksums.
_CHECKSUMS = re.compile(
    r"(?:^|/)(?:[\w.-]*\.lock|package-lock\.json|requirements\.txt)$|/__snapshots__/"
)
_LONG = 20  # characters of what is taken for random
_RANDOM = re.compile(r"[\"'][\w+/=-]{20,}[\"']")
# Random, and no secret: STACK-LOGICALID-RANDOM, and text with escapes.
_NAME = re.compile(r"(?:^|/)[A-Z]\w+-[A-Za-z]\w*-\w{8,}|\\")
# What follows `password =` and the like is one of our own words, unless it looks made up: that
# a password of letters alone is overlooked is the price.
_MADE_UP = re.compile(r"(?!arn:|\$|<)(?=.*\d)(?=.*[A-Za-z])\S{8,}")


@dataclass(frozen=True)
class Secret:
    """What looks like one: the kind, and the value itself."""

    kind: str
    value: str


class Detectors:
    """Finds what looks like a secret in texts; each distinct line is looked at once."""

    def __init__(self) -> None:
        # A quarter of a second, which other commands do not need.
        from detect_secrets.core.plugins.util import (  # noqa: PLC0415
            get_mapping_from_secret_type_to_class,
        )

        found = {each.__name__: each for each in get_mapping_from_secret_type_to_class().values()}
        self._shapes: list[_Shape] = [_shape(found[name]()) for name in _LIBRARY]
        self._shapes += [_own_shape(kind, pattern) for kind, pattern in OWN.items()]
        self._keyword: BasePlugin = found[_KEYWORD]()
        self._entropy: list[BasePlugin] = [found[name]() for name in _ENTROPY]
        self._seen: dict[tuple[str, bool, str], frozenset[Secret]] = {}

    @property
    def lines(self) -> int:
        """How many different lines were looked at."""
        return len(self._seen)

    @property
    def kinds(self) -> list[str]:
        """The names of all kinds of secrets that are looked for."""
        plugins = [self._keyword, *self._entropy]
        return sorted(
            {*(str(each.secret_type) for each in plugins), *(each.kind for each in self._shapes)}
        )

    def find(self, path: str, lines: Sequence[str]) -> Iterator[tuple[int, Secret]]:
        """Yield what looks like a secret in a text, with the numbers of lines.

        Args:
            path: of the file; its ending says how its texts are quoted.
            lines: of the text.
        """
        ending = path.rpartition("/")[2].rpartition(".")[2]
        of_file = (ending, _CHECKSUMS.search(path) is None)
        new = {line for line in lines if (*of_file, line) not in self._seen}
        # All lines at once, which is many times faster, tells which shapes to look for in each.
        together = "\n".join(new)
        shapes = [shape for shape in self._shapes if shape.may_be_in(together)]
        for line in new:
            found = frozenset(self._secrets(*of_file, line, shapes))
            self._seen[*of_file, line] = found
        for number, line in enumerate(lines, 1):
            for secret in self._seen[*of_file, line]:
                yield number, secret

    def _secrets(
        self, ending: str, may_be_random: bool, line: str, shapes: Sequence[_Shape]
    ) -> Iterator[Secret]:
        for shape in shapes:
            yield from shape.find(ending, line)
        if may_be_random and _RANDOM.search(line):
            for plugin in self._entropy:
                for each in _found(plugin, ending, line):
                    if len(each.value) >= _LONG and not _NAME.search(each.value):
                        yield each
        if _WORDS.search(line):
            for each in _found(self._keyword, ending, line):
                if _MADE_UP.fullmatch(each.value):
                    yield each


@dataclass(frozen=True)
class _Shape:
    """A kind of secret with an exact shape."""

    kind: str
    patterns: Sequence[re.Pattern[str]]
    find: Callable[[str, str], Iterator[Secret]]

    def may_be_in(self, text: str) -> bool:
        return any(pattern.search(text) for pattern in self.patterns)


def _shape(plugin: Any) -> _Shape:  # noqa: ANN401 - the library's base class has no patterns
    kind = str(plugin.secret_type)
    patterns = [re.compile(each.pattern, each.flags | re.MULTILINE) for each in plugin.denylist]
    has_more_to_say = type(plugin).__name__ in _MORE_THAN_A_PATTERN

    def find(ending: str, line: str) -> Iterator[Secret]:
        if has_more_to_say and not any(_found(plugin, ending, line)):
            return
        for pattern in patterns:
            # All that matches: the library takes a pattern's first group, which of a token of
            # GitHub's is the letters "ghp", and of one kind of npm's is nothing.
            yield from (Secret(kind, each[0]) for each in pattern.finditer(line))

    return _Shape(kind, patterns, find)


def _own_shape(kind: str, pattern: str) -> _Shape:
    compiled = re.compile(pattern, re.MULTILINE)

    def find(_: str, line: str) -> Iterator[Secret]:
        return (Secret(kind, each[1]) for each in compiled.finditer(line))

    return _Shape(kind, [compiled], find)


def _found(plugin: BasePlugin, ending: str, line: str) -> Iterator[Secret]:
    for each in plugin.analyze_line(filename=f"x.{ending}", line=line, line_number=1):
        if each.secret_value:
            yield Secret(str(each.type), each.secret_value)

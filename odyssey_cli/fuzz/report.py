"""What came of it, for people and for programs, and how to see a failure again."""

from __future__ import annotations

import base64
import shlex
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# Headers that curl makes itself, or that are no longer good when somebody reads them.
_NOT_SHOWN = {
    "accept-encoding", "authorization", "connection", "content-length", "host", "user-agent",
    "x-amz-date", "x-amz-security-token",
}  # fmt: skip


# From so many bytes on, those that are all the same are counted.
_LONG = 1_000


@dataclass(frozen=True)
class Failure:
    """A case in which an API did what it must not.

    Attributes:
        operation: method and path, as they are described.
        what: was wrong with the answer.
        curl: a line for the shell that sends the request again.
    """

    operation: str
    what: str
    curl: str


@dataclass
class Report:
    """What came of the cases of an API.

    Attributes:
        stack: whose API it is.
        seed: that the cases were made from.
        cases: how many were tried.
        statuses: how often each status was answered.
        operations: how many cases each operation had.
        described: the operations that the API has, each of which must have had some.
        failures: what went wrong.
        seconds: how long it took.
    """

    stack: str
    seed: int
    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    described: frozenset[str] = frozenset()
    failures: list[Failure] = field(default_factory=list)
    failed_cases: int = 0
    seconds: float = 0.0

    @property
    def passed(self) -> int:
        """How many cases found nothing."""
        return self.cases - self.failed_cases

    @property
    def untried(self) -> list[str]:
        """The operations that had no case."""
        return sorted(self.described - self.operations.keys())

    @property
    def ok(self) -> bool:
        """Whether all is as it should be; nothing tried is nothing proved."""
        return not (self.failures or self.failed_cases or self.untried) and self.cases > 0

    def fail(self, failure: Failure) -> None:
        """Note a failure of no request: what was looked at is a case of its own."""
        self.cases += 1
        self.failed_cases += 1
        self.failures.append(failure)

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "stack": self.stack,
            "ok": self.ok,
            "seed": self.seed,
            "cases": self.cases,
            "passed": self.passed,
            "seconds": round(self.seconds, 1),
            "operations": dict(sorted(self.operations.items())),
            "untried": self.untried,
            "statuses": {str(status): n for status, n in sorted(self.statuses.items())},
            "failures": [vars(each) for each in self.failures],
        }


def curl(method: str, url: str, headers: Mapping[str, str], body: bytes, *, signed: bool) -> str:
    """Return a line for the shell that sends a request.

    Args:
        method: of the request.
        url: where it goes.
        headers: of the request; those of the caller's identity are left out.
        body: its bytes.
        signed: whether curl is to sign with the credentials of `./odyssey up --env`.
    """
    words = ["curl", "--include", "--path-as-is", "--globoff", "--request", method]
    if signed:
        words += ["--aws-sigv4", "$SIGV4", "--user", "$KEYS"]
    elif "authorization" in {name.lower() for name in headers}:
        words += ["--header", "$TOKEN"]
    for name, value in headers.items():
        if name.lower() not in _NOT_SHOWN:
            words += ["--header", f"{name}: {value}" if value else f"{name};"]
    if body:
        words += ["--data-binary", "@-"]
    line = " ".join(shlex.quote(word) for word in [*words, url])
    for name, value in _SECRETS.items():
        line = line.replace(shlex.quote(name), value)
    if not body:
        return line
    return f"{_printed(body)} | {line}"


_SECRETS = {
    "$SIGV4": '"aws:amz:$AWS_REGION:execute-api"',
    "$KEYS": '"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"',
    "$TOKEN": '"Authorization: Bearer $TOKEN"',
}


def _printed(body: bytes) -> str:
    if len(body) > _LONG and body == body[:1] * len(body):
        return f"head -c {len(body)} /dev/zero | tr '\\000' '\\{body[0]:03o}'"
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    if text.isprintable():
        return f"printf %s {shlex.quote(text)}"
    return f"printf %s {base64.b64encode(body).decode()} | base64 -d"

"""The word counter's commands, with a speaker whose API answers what it is told to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

from odyssey_cli.commands import pubsub as commands
from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.http import Answer
from odyssey_cli.flows.pubsub.requests import Secrets
from odyssey_cli.flows.pubsub.speaker import Speaker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pytest

COUNTED = Answer(200, "application/json", {"text": "Counted 1 word: <b> & 1."})


def problem(status: int, kind: str, detail: str = "That will not do.") -> Answer:
    body = {"type": f"urn:aws-odyssey:problem:{kind}", "status": status, "detail": detail}
    return Answer(status, "application/problem+json", body)


@dataclass
class FakeApi:
    """Answers requests in turn, the last one for ever; an exception is raised.

    Attributes:
        answers: what it answers.
        asked: method, path, headers and body of each request.
    """

    answers: list[Answer | Exception] = field(default_factory=lambda: [COUNTED])
    asked: list[tuple[str, str, dict[str, str], bytes | None]] = field(default_factory=list)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        self.asked.append((method, path, dict(headers or {}), body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class FakeSpeaker(Speaker):
    """The speaker, without a stack behind it.

    Attributes:
        api: what it talks to.
        lines: what the logger has logged.
        since: from when on its lines were asked for.
    """

    def __init__(self) -> None:
        self.api = FakeApi()
        self.client: Any = self.api
        self.secrets = Secrets("signing", "verification", "token")
        self.lines: list[dict[str, Any]] = []
        self.since = 0

    def logged(self, *, since: int = 0) -> Iterator[dict[str, Any]]:
        self.since = since
        yield from self.lines


def put_in_place(monkeypatch: pytest.MonkeyPatch) -> FakeSpeaker:
    """Let the commands talk to a speaker, and return it."""
    made = FakeSpeaker()
    monkeypatch.setattr(commands, "resolve", lambda *_, **__: None)
    monkeypatch.setattr(commands, "_speaker", lambda _: made)
    return made


def run(*arguments: str) -> Any:
    return CliRunner().invoke(commands.group, list(arguments))


def error_of(result: Any) -> OdysseyError:
    assert isinstance(result.exception, OdysseyError)
    return result.exception

"""The intake's commands, run as somebody at a terminal does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from odyssey_cli.commands import ingest as commands
from odyssey_cli.commands import ingest_capture
from odyssey_cli.errors import OdysseyError
from odyssey_cli.target import Target


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Target:
    """Let the commands go to a target that is nowhere."""
    to = Target({}, Path(), None)
    monkeypatch.setattr(commands, "resolve", lambda *_, **__: to)
    monkeypatch.setattr(ingest_capture, "resolve", lambda *_, **__: to)
    return to


def run(*arguments: str) -> Any:
    return CliRunner(env={"COLUMNS": "200"}).invoke(commands.group, list(arguments))


def error_of(result: Any) -> OdysseyError:
    assert isinstance(result.exception, OdysseyError)
    return result.exception

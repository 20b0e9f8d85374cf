"""Rules of the unit tests, and the AWS that handlers meet."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws
from pytest_socket import disable_socket

from shared import clients
from tests.consumer import consumer  # noqa: F401 - a fixture
from tests.ingest import ingest  # noqa: F401 - a fixture
from tests.unit.accounts import amazon, home  # noqa: F401 - fixtures
from tests.unit.answering import formation  # noqa: F401 - a fixture
from tests.unit.aws import Aws
from tests.word_counter import words  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from aws_lambda_powertools import Logger
    from types_boto3_dynamodb import DynamoDBClient


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest) -> None:
    """Block sockets, but for tests with pytest-socket's own mark; moto needs none."""
    if request.node.get_closest_marker("enable_socket") is None:
        # Event loops talk to themselves through a pair of Unix sockets.
        disable_socket(allow_unix_socket=True)


@pytest.fixture
def folder_without_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a file .env of the user's from commands that would read it."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def moto() -> Iterator[DynamoDBClient]:
    """One moto for the tests of a module; each makes tables of its own."""
    with mock_aws():
        yield boto3.client("dynamodb", region_name="us-east-1")


@pytest.fixture
def aws(moto: DynamoDBClient, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """DynamoDB as the handlers' client."""
    monkeypatch.setattr(clients, "dynamodb", lambda: moto)
    return Aws(moto)


@pytest.fixture
def log_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Logger], io.StringIO]:
    """Return what a function's logger writes from now on."""

    def log_of(logger: Logger) -> io.StringIO:
        log = io.StringIO()
        monkeypatch.setattr(logger.registered_handler, "stream", log)
        return log

    return log_of

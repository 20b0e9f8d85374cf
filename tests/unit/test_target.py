"""Where commands go: never to AWS by accident."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner

from odyssey_cli import target
from odyssey_cli.cloud import Cloud
from odyssey_cli.commands import stacks
from odyssey_cli.errors import OdysseyError
from tests.unit.accounts import MINE, OTHER

if TYPE_CHECKING:
    from tests.unit.accounts import Amazon, Home

LOCAL = Cloud(
    port=4566,
    endpoint="http://127.0.0.1:4566",
    pid=1,
    state=Path("/s"),
    started_at=0,
    clock_scale=20,
)


@pytest.fixture(autouse=True)
def mine(amazon: Amazon, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile of an account that AWS knows."""
    monkeypatch.setenv("AWS_PROFILE", "mine")


def answering(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> None:
    monkeypatch.setattr("sys.stdin", type("Stdin", (), {"isatty": lambda _: terminal})())


def test_without_a_local_cloud_nothing_goes_to_aws_unless_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(target.cloud, "find_any", lambda: None)

    with pytest.raises(OdysseyError, match="No local cloud is running") as refused:
        target.resolve("local")
    assert "--target aws" in refused.value.remedy


def test_aws_is_refused_when_nobody_can_confirm(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # GIVEN no terminal
    answering(monkeypatch, terminal=False)

    # WHEN AWS is named, THEN it is refused, the account having been shown
    with pytest.raises(OdysseyError, match="Nobody is here to confirm"):
        target.resolve("aws")
    said = capsys.readouterr().err
    assert said == f"account {MINE}  region eu-north-1  profile mine (AWS_PROFILE)\n"


def test_aws_is_used_with_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, terminal=False)

    to = target.resolve("aws", yes=True)

    assert to.local is None
    assert to.endpoint is None
    assert to.environment["ODYSSEY_TARGET"] == "aws"


def test_every_tool_gets_the_account_and_region_that_were_agreed_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # GIVEN variables that tools read in different orders
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of an older session")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")

    # WHEN
    environment = target.resolve("aws", yes=True).environment

    # THEN one answer is left to each question
    assert "AWS_PROFILE" not in environment
    assert environment["AWS_ACCESS_KEY_ID"] == "AKIAMINE"
    assert "AWS_SESSION_TOKEN" not in environment
    assert environment["AWS_REGION"] == environment["AWS_DEFAULT_REGION"] == "eu-west-1"


def test_aws_is_refused_while_the_shell_points_to_the_local_cloud(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:4566")

    with pytest.raises(OdysseyError, match="AWS_ENDPOINT_URL_S3"):
        target.resolve("aws", yes=True)


def test_no_variable_stands_for_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN a shell in which everything but the option says AWS
    monkeypatch.setenv("ODYSSEY_TARGET", "aws")
    monkeypatch.setattr(target.cloud, "find_any", lambda: None)
    app = typer.Typer()
    stacks.register(app)

    # WHEN a command is run without it
    ran = CliRunner().invoke(app, ["outputs", "EventAggregator", "--yes"])

    # THEN it looks for a local cloud
    assert isinstance(ran.exception, OdysseyError)
    assert ran.exception.problem == "No local cloud is running."


def test_another_account_than_the_expected_is_refused_even_with_yes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ODYSSEY_ACCOUNT", OTHER)

    with pytest.raises(OdysseyError, match=f"is {OTHER}, but these credentials are of {MINE}"):
        target.resolve("aws", yes=True)


def test_without_a_region_nothing_goes_to_aws(
    amazon: Amazon,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "without-region")

    with pytest.raises(OdysseyError, match="No region is set") as refused:
        target.resolve("aws", yes=True)
    assert "--profile without-region" in refused.value.remedy
    assert amazon.asked == []


def test_a_sessions_token_goes_along(
    home: Home, amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN somebody who has signed in
    monkeypatch.setenv("AWS_PROFILE", "sso")
    home.sign_in("work", timedelta(hours=1))

    # WHEN
    to = target.resolve("aws", yes=True)

    # THEN
    assert to.account == MINE
    assert to.environment["AWS_SESSION_TOKEN"] == "token"
    assert amazon.asked == ["sso.GetRoleCredentials eu-north-1", "sts.GetCallerIdentity eu-north-1"]


class Formation:
    """CloudFormation, with one stack."""

    def describe_stacks(self, **_: Any) -> dict[str, Any]:
        url = "https://abc123.execute-api.us-east-1.amazonaws.com/v1/"
        return {
            "Stacks": [
                {
                    "Outputs": [
                        {"OutputKey": "ApiUrl", "OutputValue": url},
                        {"OutputKey": "Table", "OutputValue": "t"},
                    ]
                }
            ]
        }


@pytest.mark.parametrize(
    ("local", "url"),
    [
        (LOCAL, "http://127.0.0.1:4566/_aws/execute-api/abc123/v1/"),
        (None, "https://abc123.execute-api.us-east-1.amazonaws.com/v1/"),
    ],
    ids=["local", "aws"],
)
def test_an_apis_address_is_the_one_it_is_reached_at(
    local: Cloud | None, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = target.Target({}, Path(), local)
    monkeypatch.setattr(target.Target, "client", lambda *_: Formation())

    assert to.outputs("Any") == {"ApiUrl": url, "Table": "t"}

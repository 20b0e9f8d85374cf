"""Credentials that AWS does not take: what is wrong, and the command that renews them."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore import credentials
from botocore.exceptions import EndpointConnectionError
from botocore.httpsession import URLLib3Session

from odyssey_cli import account, target
from odyssey_cli.errors import OdysseyError
from tests.unit.accounts import MINE

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

    from tests.unit.accounts import Amazon, Home

AN_HOUR = timedelta(hours=1)
OLD = "https://old.awsapps.com/start"


@pytest.mark.parametrize(
    ("profile", "problem", "remedy"),
    [
        ("sso", "Nobody is signed in to profile sso.", "Run aws sso login --profile sso."),
        (
            "my sso",
            "Nobody is signed in to profile my sso.",
            "Run aws sso login --profile 'my sso'.",
        ),
        # One signs in to where the role's credentials come from.
        ("role", "Nobody is signed in to profile sso.", "Run aws sso login --profile sso."),
    ],
)
def test_who_is_not_signed_in_gets_the_command_that_does_it(
    amazon: Amazon, profile: str, problem: str, remedy: str
) -> None:
    with pytest.raises(OdysseyError) as refused:
        account.log_in(profile).caller()
    assert (refused.value.problem, refused.value.remedy) == (problem, remedy)


@pytest.mark.parametrize(
    ("profile", "session", "named"),
    [("sso", "work", "sso"), ("my sso", OLD, "'my sso'"), ("role", "work", "sso")],
)
def test_an_expired_session_is_renewed_by_the_command_that_is_named(
    home: Home, amazon: Amazon, profile: str, session: str, named: str
) -> None:
    # GIVEN a token that ended an hour ago
    home.sign_in(session, -AN_HOUR)

    # WHEN
    with pytest.raises(OdysseyError) as refused:
        account.log_in(profile).caller()

    # THEN
    assert (
        refused.value.problem == f"The SSO session of profile {named.strip(chr(39))} has expired."
    )
    assert refused.value.remedy == f"Run aws sso login --profile {named}."
    assert amazon.asked == []

    # WHEN it was renewed
    home.sign_in(session, AN_HOUR)

    # THEN AWS hands out credentials for it
    if profile != "role":
        assert account.log_in(profile).caller().account == MINE
        assert amazon.asked[0].startswith("sso.GetRoleCredentials")


def test_every_command_that_goes_to_aws_says_how_to_renew_an_expired_session(
    home: Home, amazon: Amazon
) -> None:
    # GIVEN
    home.sign_in("work", -AN_HOUR)
    Path(".env").write_text(f"ODYSSEY_PROFILE=sso\nODYSSEY_ACCOUNT={MINE}\n")

    # WHEN
    with pytest.raises(OdysseyError) as refused:
        target.resolve("aws", yes=True)

    # THEN
    assert refused.value.remedy == "Run aws sso login --profile sso."


@pytest.mark.parametrize(
    ("profile", "problem", "remedy"),
    [
        ("half", "AWS_SECRET_ACCESS_KEY|aws_secret_access_key", "aws configure --profile half"),
        ("empty", "Profile empty holds no credentials", "aws configure sso --profile empty"),
        ("mne", "There is no profile 'mne'", "Did you mean mine?"),
        (
            "zzzz",
            "There is no profile 'zzzz'",
            "You have broken-process, elsewhere, empty, half, login, mine",
        ),
        ("", "There is no profile ''", "You have"),
    ],
)
def test_a_profile_that_cannot_be_used_is_explained(
    amazon: Amazon, profile: str, problem: str, remedy: str
) -> None:
    with pytest.raises(OdysseyError) as refused:
        account.log_in(profile).caller()
    assert re.search(problem, refused.value.problem)
    assert remedy in refused.value.remedy


@pytest.mark.parametrize(
    ("code", "problem", "remedy"),
    [
        ("ExpiredToken", "credentials of profile mine have expired", "Replace aws_access_key_id"),
        ("InvalidClientTokenId", "does not know the key of profile mine", "right and active"),
        ("SignatureDoesNotMatch", "signature of profile mine", "clock"),
        ("AccessDenied", "AWS does not know you: .*AccessDenied", "another profile"),
    ],
)
def test_what_aws_refuses_is_explained(
    amazon: Amazon, home: Home, code: str, problem: str, remedy: str
) -> None:
    amazon.refusal = code
    with pytest.raises(OdysseyError) as refused:
        account.log_in("mine").caller()
    assert re.search(problem, refused.value.problem)
    assert remedy in refused.value.remedy
    if code == "ExpiredToken":
        assert str(home.config) in refused.value.remedy


def test_expired_keys_of_the_environment_are_not_renewed_by_signing_in(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "x")
    amazon.refusal = "ExpiredToken"

    # WHEN
    with pytest.raises(OdysseyError, match="credentials of the environment") as refused:
        account.log_in().caller()

    # THEN
    assert "AWS_SESSION_TOKEN" in refused.value.remedy
    assert "sso" not in refused.value.remedy


def test_what_a_program_gave_is_renewed_by_that_program(amazon: Amazon) -> None:
    assert account.log_in("process").caller().account == MINE
    amazon.refusal = "ExpiredToken"
    with pytest.raises(OdysseyError, match="profile process have expired") as refused:
        account.log_in("process").caller()
    assert "credential_process" in refused.value.remedy

    with pytest.raises(OdysseyError, match="Your session has expired") as refused:
        account.log_in("broken-process").caller()
    assert "Sign in again" in refused.value.remedy


def test_a_profile_of_aws_login_is_read_by_the_aws_cli(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN no compiled library with which botocore could read it
    monkeypatch.setattr(credentials, "EC", None)

    # WHEN
    with pytest.raises(OdysseyError, match="login is a profile of aws login") as refused:
        account.log_in("login").caller()

    # THEN
    process = "aws configure export-credentials --profile login --format process"
    assert f"credential_process = {process}" in refused.value.remedy

    # GIVEN one, and a session that is gone
    monkeypatch.setattr(credentials, "EC", object())

    # WHEN
    with pytest.raises(OdysseyError, match="login session of profile login") as refused:
        account.log_in("login").caller()

    # THEN
    assert refused.value.remedy == "Run aws login --profile login."


def test_half_of_a_key_in_the_environment_is_explained(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMINE")
    with pytest.raises(OdysseyError, match="AWS_SECRET_ACCESS_KEY is missing") as refused:
        account.log_in().caller()
    assert "unset them" in refused.value.remedy


def test_who_has_chosen_nothing_is_told_what_there_is_to_choose(home: Home, amazon: Amazon) -> None:
    with pytest.raises(OdysseyError, match="No credentials were found") as refused:
        account.log_in().caller()
    assert "./odyssey account use PROFILE; you have broken-process," in refused.value.remedy

    home.config.write_text("")
    with pytest.raises(OdysseyError) as refused:
        account.log_in().caller()
    assert "aws configure sso" in refused.value.remedy


@pytest.mark.parametrize(
    ("name", "where"), [("AWS_PROFILE", "AWS_PROFILE"), ("ODYSSEY_PROFILE", r"\.env")]
)
def test_a_profile_that_is_gone_is_reported_with_what_names_it(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch, name: str, where: str
) -> None:
    if name == "AWS_PROFILE":
        monkeypatch.setenv(name, "gone")
    else:
        Path(".env").write_text(f"{name}=gone\n")
    with pytest.raises(OdysseyError, match=f"'gone', which {where} names") as refused:
        account.log_in()
    assert ("--forget" in refused.value.remedy) is (name == "ODYSSEY_PROFILE")


def test_an_endpoint_that_is_not_there_is_not_taken_for_missing_credentials(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a region that AWS does not have, so that no name is found
    def send(_self: URLLib3Session, request: AWSPreparedRequest) -> None:
        raise EndpointConnectionError(endpoint_url=request.url)

    monkeypatch.setattr(URLLib3Session, "send", send)
    monkeypatch.setenv("AWS_REGION", "eu-noth-1")

    # THEN
    with pytest.raises(OdysseyError, match=r"AWS cannot be reached: .*eu-noth-1") as refused:
        account.log_in("mine").caller()
    assert "region's name" in refused.value.remedy


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_a_network_that_is_down_is_not_taken_for_missing_credentials(home: Home) -> None:
    # GIVEN blocked sockets
    with pytest.raises(OdysseyError, match="AWS cannot be reached"):
        account.log_in("mine").caller()

"""Which AWS account commands go to: whose credentials, which account, and is it ready."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from odyssey_cli import account, target
from odyssey_cli.account import Bootstrap, Expected
from odyssey_cli.account_trouble import Choice
from odyssey_cli.errors import OdysseyError
from tests.unit.accounts import MINE, OTHER

if TYPE_CHECKING:
    from tests.unit.accounts import Amazon, Home


@pytest.mark.parametrize(
    ("environ", "kept", "profile", "origin"),
    [
        ({}, {}, "default", "default"),
        ({}, {"ODYSSEY_PROFILE": "kept"}, "kept", ".env"),
        ({"AWS_PROFILE": "a"}, {"ODYSSEY_PROFILE": "kept"}, "a", "AWS_PROFILE"),
        ({"AWS_DEFAULT_PROFILE": "b"}, {"ODYSSEY_PROFILE": "kept"}, "b", "AWS_DEFAULT_PROFILE"),
        ({"AWS_PROFILE": "a", "AWS_DEFAULT_PROFILE": "b"}, {}, "b", "AWS_DEFAULT_PROFILE"),
        ({"AWS_ACCESS_KEY_ID": "k"}, {"ODYSSEY_PROFILE": "p"}, None, "the environment's keys"),
        (
            {"AWS_ACCESS_KEY_ID": "k", "AWS_PROFILE": "a"},
            {},
            None,
            "the environment's keys",
        ),
        ({"ODYSSEY_PROFILE": "o"}, {"ODYSSEY_PROFILE": "kept"}, "o", "ODYSSEY_PROFILE"),
        ({"ODYSSEY_PROFILE": "o", "AWS_PROFILE": "a"}, {}, "a", "AWS_PROFILE"),
        ({"ODYSSEY_PROFILE": ""}, {"ODYSSEY_PROFILE": "kept"}, "default", "default"),
        ({"AWS_PROFILE": ""}, {"ODYSSEY_PROFILE": "kept"}, "kept", ".env"),
    ],
)
def test_what_is_set_in_the_environment_wins_over_what_is_kept(
    environ: dict[str, str], kept: dict[str, str], profile: str | None, origin: str
) -> None:
    assert account.choose(environ, kept) == Choice(profile, origin)


@pytest.mark.parametrize(
    ("environ", "profile", "who"),
    [
        ({}, "mine", MINE),
        ({"AWS_PROFILE": "other"}, "mine", OTHER),
        ({"AWS_DEFAULT_PROFILE": "other"}, "mine", OTHER),
        (
            {
                "AWS_ACCESS_KEY_ID": "AKIAOTHER",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_REGION": "eu-north-1",
            },
            "mine",
            OTHER,
        ),
        # A token of a pipeline does not stand in for a profile that somebody named.
        ({"AWS_WEB_IDENTITY_TOKEN_FILE": "x", "AWS_ROLE_ARN": "x"}, "mine", MINE),
        (
            {"AWS_PROFILE": "other", "AWS_WEB_IDENTITY_TOKEN_FILE": "x", "AWS_ROLE_ARN": "x"},
            "mine",
            OTHER,
        ),
    ],
)
def test_commands_for_aws_have_the_credentials_that_were_chosen(
    amazon: Amazon,
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    profile: str,
    who: str,
) -> None:
    # GIVEN a profile in .env, and what the environment says
    Path(".env").write_text(f"ODYSSEY_PROFILE={profile}\n")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    # WHEN
    to = target.resolve("aws", yes=True)

    # THEN
    assert to.account == who
    chosen = {MINE: "AKIAMINE", OTHER: "AKIAOTHER"}[who]
    assert to.environment["AWS_ACCESS_KEY_ID"] == chosen
    assert amazon.asked == [f"sts.GetCallerIdentity {to.environment['AWS_REGION']}"]


def test_a_region_of_the_environment_wins_over_the_profiles(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    assert account.log_in().region == "eu-north-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    assert account.log_in().region == "us-west-2"
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    assert account.log_in().region == "eu-west-3"


def test_nothing_in_a_folders_file_but_profile_and_account_is_heeded(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a folder that somebody cloned
    Path(".env").write_text(
        "ODYSSEY_PROFILE=mine\n"
        "AWS_ENDPOINT_URL=http://127.0.0.1:1\nAWS_PROFILE=other\nAWS_REGION=us-west-1\n"
        "AWS_ACCESS_KEY_ID=AKIAOTHER\nAWS_SECRET_ACCESS_KEY=secret\nAWS_CONFIG_FILE=/x\n"
    )

    # WHEN
    to = target.resolve("aws", yes=True)

    # THEN
    assert (to.account, to.environment["AWS_REGION"]) == (MINE, "eu-north-1")
    assert not [name for name in to.environment if name.startswith("AWS_ENDPOINT")]


@pytest.mark.parametrize("profile", ["elsewhere", "partly-elsewhere"])
def test_a_profile_that_leads_elsewhere_than_to_aws_is_refused(
    amazon: Amazon, profile: str
) -> None:
    with pytest.raises(OdysseyError, match="endpoint_url, so calls would not go to AWS"):
        account.log_in(profile)
    assert amazon.asked == []


def test_a_variable_that_leads_elsewhere_than_to_aws_is_refused(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:4566")
    [finding] = account.examine().findings
    assert finding.problem.startswith("AWS_ENDPOINT_URL_SQS is set")
    assert amazon.asked == []


@pytest.mark.parametrize(
    ("given", "environ", "kept", "wanted"),
    [
        (None, None, "", None),
        (None, None, f"ODYSSEY_ACCOUNT={MINE}\n", Expected(MINE, "ODYSSEY_ACCOUNT in .env")),
        (None, OTHER, f"ODYSSEY_ACCOUNT={MINE}\n", Expected(OTHER, "ODYSSEY_ACCOUNT")),
        (None, "", f"ODYSSEY_ACCOUNT={MINE}\n", None),
        (MINE, OTHER, f"ODYSSEY_ACCOUNT={OTHER}\n", Expected(MINE, "--expect")),
    ],
)
def test_the_expected_account_is_the_one_named_last(
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    given: str | None,
    environ: str | None,
    kept: str,
    wanted: Expected | None,
) -> None:
    Path(".env").write_text(kept)
    if environ is not None:
        monkeypatch.setenv("ODYSSEY_ACCOUNT", environ)
    assert account.expected(given) == wanted


@pytest.mark.parametrize(
    ("said_by", "choice", "remedy"),
    [
        ("--expect", Choice("a", "AWS_PROFILE"), "expect the other"),
        ("ODYSSEY_ACCOUNT", Choice("a", ".env"), "unset ODYSSEY_ACCOUNT"),
        ("ODYSSEY_ACCOUNT in .env", Choice("a", ".env"), "./odyssey account use PROFILE"),
        ("ODYSSEY_ACCOUNT in .env", Choice("a", "AWS_PROFILE"), "profile a (AWS_PROFILE)"),
        ("ODYSSEY_ACCOUNT in .env", Choice(None, "x"), "keys in the environment"),
    ],
)
def test_another_account_is_refused_with_what_to_change(
    said_by: str, choice: Choice, remedy: str
) -> None:
    found = account.mismatch(Expected(MINE, said_by), OTHER, choice)
    assert found is not None
    assert found.problem == f"{said_by} is {MINE}, but these credentials are of {OTHER}."
    assert remedy in found.remedy


def test_the_expected_account_and_any_account_when_none_is_expected_are_allowed() -> None:
    choice = Choice("a", "named")
    assert account.mismatch(Expected(MINE, "--expect"), MINE, choice) is None
    assert account.mismatch(None, OTHER, choice) is None


BOOTSTRAP = "Run npx cdk bootstrap aws://111122223333/eu-north-1"


@pytest.mark.parametrize(
    ("found", "problem", "remedy"),
    [
        (Bootstrap("CREATE_COMPLETE", "6"), None, ""),
        (Bootstrap("UPDATE_ROLLBACK_COMPLETE", "30"), None, ""),
        (Bootstrap("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "30"), None, ""),
        # Bootstrapped under another stack name, or by somebody whose stacks one may not see.
        (Bootstrap(None, "30"), None, ""),
        (Bootstrap("unknown", "30"), None, ""),
        (Bootstrap(), "is not bootstrapped", BOOTSTRAP),
        (Bootstrap("unknown", None), "is not bootstrapped", BOOTSTRAP),
        (Bootstrap("CREATE_COMPLETE", "5"), "has version 5, but the app needs 6", BOOTSTRAP),
        (Bootstrap("CREATE_COMPLETE", "x"), "has version x", BOOTSTRAP),
        (Bootstrap("CREATE_COMPLETE"), "of a kind without versions", BOOTSTRAP),
        (Bootstrap("CREATE_IN_PROGRESS"), "CDKToolkit is CREATE_IN_PROGRESS", "Wait"),
        (Bootstrap("ROLLBACK_COMPLETE"), "CDKToolkit is ROLLBACK_COMPLETE", "Delete it"),
        (Bootstrap("DELETE_FAILED", "30"), "CDKToolkit is DELETE_FAILED", BOOTSTRAP),
        (Bootstrap(unread="AccessDenied."), "cannot be read: AccessDenied.", "ssm:GetParameter"),
    ],
)
def test_a_bootstrap_that_nothing_can_be_deployed_with_is_reported(
    found: Bootstrap, problem: str | None, remedy: str
) -> None:
    trouble = account.not_ready(found, MINE, "eu-north-1")
    if problem is None:
        assert trouble is None
    else:
        assert trouble is not None
        assert problem in trouble.problem
        assert remedy in trouble.remedy


@pytest.mark.parametrize(
    ("choice", "option"),
    [
        (Choice("my sso", ".env"), " --profile 'my sso'."),
        (Choice("a", "AWS_PROFILE"), "eu-north-1."),
        (Choice(None, "the environment's keys"), "eu-north-1."),
        (Choice("default", "default"), "eu-north-1."),
    ],
)
def test_the_cdk_is_given_the_profile_that_only_we_know(choice: Choice, option: str) -> None:
    trouble = account.not_ready(Bootstrap(), MINE, "eu-north-1", choice)
    assert trouble is not None
    assert trouble.remedy.endswith(option)


@pytest.mark.parametrize(
    ("stack", "version", "denied", "found"),
    [
        ("CREATE_COMPLETE", "30", set(), Bootstrap("CREATE_COMPLETE", "30")),
        (None, None, set(), Bootstrap()),
        ("CREATE_COMPLETE", None, set(), Bootstrap("CREATE_COMPLETE")),
        ("CREATE_COMPLETE", "30", {"cloudformation"}, Bootstrap("unknown", "30")),
    ],
)
def test_what_the_bootstrap_has_left_is_read(
    amazon: Amazon, stack: str | None, version: str | None, denied: set[str], found: Bootstrap
) -> None:
    amazon.stack, amazon.version, amazon.denied = stack, version, denied
    assert account.read_bootstrap(account.log_in("mine")) == found
    assert amazon.asked == [
        "cloudformation.DescribeStacks eu-north-1",
        "ssm.GetParameter eu-north-1",
    ]


def test_a_version_that_one_may_not_read_is_not_taken_for_none(amazon: Amazon) -> None:
    amazon.denied = {"ssm"}
    found = account.read_bootstrap(account.log_in("mine"))
    assert found.version is None
    assert "AccessDenied" in found.unread

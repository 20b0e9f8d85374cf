"""`odyssey account`, and that every command that can go to AWS keeps to its rules."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.core import TyperArgument, TyperGroup
from typer.testing import CliRunner

from odyssey_cli import commands, paths
from odyssey_cli.commands import maintenance
from odyssey_cli.errors import OdysseyError
from tests.unit.accounts import MINE, OTHER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.accounts import Amazon, Home

ENV = Path(".env")


def every_command() -> typer.Typer:
    """The whole command line, without what __main__ does to the process."""
    app = typer.Typer()
    for found in pkgutil.iter_modules(commands.__path__):
        module = importlib.import_module(f"odyssey_cli.commands.{found.name}")
        if hasattr(module, "register"):
            module.register(app)
    return app


APP = every_command()
COMMAND = typer.main.get_command(APP)


def run(*arguments: str) -> Any:
    """Run the whole command line, which Typer would put together again for every run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", lambda _: COMMAND)
        return CliRunner().invoke(APP, arguments)


def checked(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Run `account check --json`; return its exit code and what it said."""
    ran = run("account", "check", "--json", *arguments)
    return ran.exit_code, json.loads(ran.stdout)


def test_an_account_that_is_ready_is_shown_and_nothing_is_written(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    monkeypatch.setenv("AWS_PROFILE", "mine")

    # WHEN
    code, found = checked("--expect", MINE)

    # THEN
    assert code == 0
    assert found == {
        "ok": True,
        "profile": "mine",
        "chosen_by": "AWS_PROFILE",
        "account": MINE,
        "expected": MINE,
        "region": "eu-north-1",
        "caller": f"arn:aws:iam::{MINE}:user/me",
        "root": False,
        "bootstrap": {"stack": "CREATE_COMPLETE", "version": "30", "needed": 6},
        "findings": [],
    }
    assert amazon.asked == [
        "sts.GetCallerIdentity eu-north-1",
        "cloudformation.DescribeStacks eu-north-1",
        "ssm.GetParameter eu-north-1",
    ]


def test_people_see_the_same(amazon: Amazon, monkeypatch: pytest.MonkeyPatch) -> None:
    # GIVEN
    ENV.write_text(f"ODYSSEY_PROFILE=mine\nODYSSEY_ACCOUNT={MINE}\n")

    # WHEN
    ran = run("account", "check")

    # THEN
    assert ran.exit_code == 0
    for text in (
        "mine (.env)",
        f"{MINE} (ODYSSEY_ACCOUNT in .env)",
        "eu-north-1",
        f"arn:aws:iam::{MINE}:user/me",
        "version 30, at least 6 needed; CDKToolkit",
    ):
        assert text in re.sub(r"\s*│\n│\s+│\s*", " ", ran.stdout)


@pytest.mark.parametrize(
    ("profile", "given", "version", "kinds"),
    [
        ("other", ["--expect", MINE], "30", ["account"]),
        ("root", [], "30", ["root"]),
        ("mine", [], None, ["bootstrap"]),
        ("mine", [], "5", ["bootstrap"]),
        ("without-region", [], "30", ["region"]),
        ("sso", [], "30", ["credentials"]),
        ("root", ["--expect", OTHER], "5", ["account", "root", "bootstrap"]),
    ],
)
def test_whatever_keeps_a_deployment_from_starting_is_an_error_of_a_kind(
    amazon: Amazon,
    monkeypatch: pytest.MonkeyPatch,
    profile: str,
    given: list[str],
    version: str | None,
    kinds: list[str],
) -> None:
    # GIVEN
    monkeypatch.setenv("AWS_PROFILE", profile)
    amazon.version, amazon.stack = version, "CREATE_COMPLETE" if version else None

    # WHEN
    code, found = checked(*given)

    # THEN
    assert code == 1
    assert not found["ok"]
    assert [each["kind"] for each in found["findings"]] == kinds

    # WHEN people ask
    ran = run("account", "check", *given)

    # THEN they read what to do, below what was found
    assert ran.exit_code == 1
    assert "AWS account" in ran.stdout
    for each in found["findings"]:
        assert f"error: {each['problem']}\n{each['remedy']}\n" in ran.stderr


@pytest.mark.parametrize(
    "given", ["12345678901", "1234567890123", "12345678901x", "١٢٣٤٥٦٧٨٩٠١٢", ""]
)
def test_an_account_that_cannot_be_one_is_a_mistake_of_the_command_line(
    amazon: Amazon, given: str
) -> None:
    ran = run("account", "check", "--expect", given)
    assert ran.exit_code == 2
    assert "12 digits" in ran.stderr
    assert amazon.asked == []


def test_a_profile_is_kept_with_its_account_and_then_used(amazon: Amazon) -> None:
    # WHEN
    ran = run("account", "use", "mine")

    # THEN
    assert ran.exit_code == 0
    assert ENV.read_text() == f"ODYSSEY_PROFILE=mine\nODYSSEY_ACCOUNT={MINE}\n"
    assert f"ODYSSEY_PROFILE=mine\n  ODYSSEY_ACCOUNT={MINE}" in ran.stdout
    assert ran.stderr == ""
    code, found = checked()
    assert (code, found["chosen_by"], found["expected"]) == (0, ".env", MINE)

    # WHEN it is forgotten
    ran = run("account", "use", "--forget")

    # THEN
    assert ran.exit_code == 0
    assert ENV.read_text() == ""
    assert checked()[1]["chosen_by"] == "default"


def test_a_profile_is_asked_with_its_own_keys_whatever_the_environment_has(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOTHER")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("ODYSSEY_ACCOUNT", OTHER)

    # WHEN
    ran = run("account", "use", "mine")

    # THEN
    assert f"ODYSSEY_ACCOUNT={MINE}" in ENV.read_text()
    # AND what will win over it is said
    assert "AWS_ACCESS_KEY_ID is set and wins" in ran.stderr
    assert "ODYSSEY_ACCOUNT is set to another account" in ran.stderr


@pytest.mark.parametrize(
    ("profile", "problem"),
    [
        ("mne", "There is no profile 'mne'."),
        ("sso", "The SSO session of profile sso has expired."),
        ("empty", "Profile empty holds no credentials."),
        ("elsewhere", "profile elsewhere has an endpoint_url, so calls would not go to AWS."),
    ],
)
def test_a_profile_whose_account_cannot_be_read_is_not_kept(
    home: Home, amazon: Amazon, profile: str, problem: str
) -> None:
    home.sign_in("work", -timedelta(hours=1))
    ran = run("account", "use", profile)
    assert isinstance(ran.exception, OdysseyError)
    assert ran.exception.problem == problem
    assert not ENV.exists()


def test_a_profile_without_a_region_is_kept_and_the_region_asked_for(amazon: Amazon) -> None:
    ran = run("account", "use", "without-region")
    assert ran.exit_code == 0
    assert "aws configure set region REGION --profile without-region" in ran.stderr


def test_the_root_user_is_kept_with_a_warning(amazon: Amazon) -> None:
    assert "the root user's credentials" in run("account", "use", "root").stderr


@pytest.mark.parametrize("arguments", [[], ["mine", "--forget"]])
def test_a_profile_is_either_named_or_forgotten(amazon: Amazon, arguments: list[str]) -> None:
    assert run("account", "use", *arguments).exit_code == 2
    assert amazon.asked == []


def test_the_doctor_finds_what_the_check_finds(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a profile of another account than the expected, which is not bootstrapped
    ENV.write_text(f"ODYSSEY_PROFILE=other\nODYSSEY_ACCOUNT={MINE}\n")
    amazon.stack = amazon.version = None
    monkeypatch.setattr(maintenance, "check_machine", list)

    # WHEN
    found = {each["name"]: each for each in json.loads(run("doctor", "--aws", "--json").stdout)}

    # THEN
    assert found["AWS credentials"]["ok"]
    assert not found["AWS account"]["ok"]
    assert found["AWS account"]["mend"] == "Choose again: ./odyssey account use PROFILE."
    assert "aws://999999999999/eu-west-1 --profile other" in found["CDK bootstrap"]["mend"]


def with_target(group: Any, path: tuple[str, ...] = ()) -> Iterator[Any]:
    """Yield the commands that can go to AWS, as what one types and the command."""
    if isinstance(group, TyperGroup):
        for name, command in group.commands.items():
            yield from with_target(command, (*path, name))
    elif any(each.name == "target" for each in group.params):
        yield pytest.param(path, group, id=" ".join(path))


# What commands insist on, if a letter will not do.
GIVEN = {"since": "1h", "data": "{}", "stack": "Discovery", "port": "22"}
TO_AWS = list(with_target(COMMAND))


def test_the_commands_that_can_go_to_aws_are_found() -> None:
    names = {each.id for each in TO_AWS}
    assert {"deploy", "destroy", "outputs", "pubsub say", "discovery listen"} <= names
    assert len(names) > 20


@pytest.mark.parametrize(("path", "command"), TO_AWS)
def test_no_command_goes_to_another_account_than_the_one_that_is_kept(
    amazon: Amazon, path: tuple[str, ...], command: Any
) -> None:
    # GIVEN credentials of one account, and another one that is expected
    ENV.write_text(f"ODYSSEY_PROFILE=other\nODYSSEY_ACCOUNT={MINE}\n")
    needed = []
    for each in command.params:
        if each.required:
            option = [] if isinstance(each, TyperArgument) else [each.opts[0]]
            needed += [*option, GIVEN.get(str(each.name), "a")]

    # WHEN it is to go to AWS, and nobody wants to be asked
    ran = run(*path, *needed, "--target", "aws", "--yes")

    # THEN nothing was asked of that account but whose it is
    assert isinstance(ran.exception, OdysseyError), ran.output
    assert (
        ran.exception.problem
        == f"ODYSSEY_ACCOUNT in .env is {MINE}, but these credentials are of {OTHER}."
    )
    assert amazon.asked == ["sts.GetCallerIdentity eu-west-1"]


def test_the_commands_are_in_the_command_line_and_an_expired_session_is_two_sentences(
    home: Home,
) -> None:
    # GIVEN a home with an expired session
    home.sign_in("work", -timedelta(hours=1))
    kept = {name: os.environ[name] for name in ("PATH", "AWS_EC2_METADATA_DISABLED")}

    # WHEN
    ran = subprocess.run(
        [sys.executable, "-m", "odyssey_cli", "account", "use", "sso"],
        env=kept | {"HOME": str(home.folder), "PYTHONPATH": str(paths.ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    # THEN
    assert ran.returncode == 1
    assert ran.stderr == (
        "error: The SSO session of profile sso has expired.\nRun aws sso login --profile sso.\n"
    )
    assert ran.stdout == ""
    assert not ENV.exists()

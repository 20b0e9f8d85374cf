"""`odyssey doctor` and `odyssey test`."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from odyssey_cli import paths
from odyssey_cli.account import Bootstrap, Caller, Finding, Report
from odyssey_cli.account_trouble import Choice
from odyssey_cli.commands import maintenance
from odyssey_cli.commands.maintenance import (
    AwsFacts,
    Check,
    Verdict,
    check_aws,
    check_cdk,
    check_disk,
    check_environments,
    check_port,
    check_python,
    check_tool,
)

OK, WARN, FAIL, SKIPPED = Verdict.OK, Verdict.WARN, Verdict.FAIL, Verdict.SKIPPED
KNOWN = Report(
    choice=Choice("me", "AWS_PROFILE"),
    region="eu-north-1",
    caller=Caller("111122223333", "arn:aws:iam::111122223333:user/me"),
    bootstrap=Bootstrap("CREATE_COMPLETE", "30"),
)
READY = AwsFacts(KNOWN, "/usr/bin/session-manager-plugin")


def but(kind: str, **changed: Any) -> AwsFacts:
    """Facts in which one thing is not right."""
    finding = Finding(kind, "What is wrong.", "What mends it.")
    return AwsFacts(replace(KNOWN, findings=(finding,), **changed))


@pytest.mark.parametrize(
    ("check", "verdict"),
    [
        (check_python((3, 11, 0), "python"), OK),
        (check_python((3, 10, 9), "python"), FAIL),
        (check_environments(Path("/a/venv"), Path("/a/venv"), "Python 3.11.2"), OK),
        (check_environments(Path("/usr"), Path("/a/venv"), "Python 3.11.2"), WARN),
        (check_environments(Path("/a/venv"), Path("/a/venv"), ""), FAIL),
        (check_tool("curl", "curl 7.88.1 (x86_64) libcurl/7.1", (7, 75), "x"), OK),
        (check_tool("curl", "curl 8.0.0", (7, 75), "x"), OK),
        (check_tool("curl", "curl 7.9.9", (7, 75), "x"), FAIL),
        (check_tool("curl", "", (7, 75), "x"), FAIL),
        (check_cdk("2.1148.1", ">=55.5.0", "2.275.0", "55.3.0"), OK),
        (check_cdk("2.1200.0", "56.0.0", "2.275.0", "55.3.0"), OK),
        (check_cdk("3.0.0", "43.1.0", "2.275.0", "55.3.0"), FAIL),
        (check_cdk("", "", "2.275.0", "55.3.0"), FAIL),
        (check_cdk("2.1148.1", "", "2.275.0", "55.3.0"), FAIL),
        (check_port(4566, False, None), OK),
        (check_port(4566, True, "java (pid 7)"), WARN),
        (check_disk(50_000_000_000), OK),
        (check_disk(1_000_000_000), WARN),
        (check_disk(100_000_000), FAIL),
    ],
)
def test_a_check_tells_what_works_from_what_does_not(check: Check, verdict: Verdict) -> None:
    assert check.verdict is verdict
    assert bool(check.mend) is (verdict is not OK)


def test_the_holder_of_the_port_is_named() -> None:
    assert "java (pid 7)" in check_port(4566, True, "java (pid 7)").detail


@pytest.mark.parametrize(
    ("facts", "name", "verdict"),
    [
        (but("credentials", caller=None), "AWS credentials", FAIL),
        (but("credentials", caller=None), "AWS account", SKIPPED),
        (but("credentials", caller=None, region=None), "AWS region", SKIPPED),
        (but("credentials", caller=None, bootstrap=None), "CDK bootstrap", SKIPPED),
        (but("credentials"), "session-manager-plugin", WARN),
        (but("root"), "AWS credentials", FAIL),
        (but("account"), "AWS account", FAIL),
        (but("account"), "AWS credentials", OK),
        (but("region", region=None), "AWS region", FAIL),
        (but("region", region=None, bootstrap=None), "CDK bootstrap", SKIPPED),
        (but("bootstrap"), "CDK bootstrap", FAIL),
        (but("bootstrap"), "AWS account", OK),
    ],
)
def test_each_need_of_aws_is_judged_by_itself(facts: AwsFacts, name: str, verdict: Verdict) -> None:
    (check,) = [check for check in check_aws(facts) if check.name == name]
    assert check.verdict is verdict
    if verdict is FAIL:
        assert (check.detail, check.mend) == ("What is wrong.", "What mends it.")


def test_an_account_that_is_ready_passes_every_check() -> None:
    assert {check.verdict for check in check_aws(READY)} == {OK}


def test_the_pinned_command_line_reads_what_the_pinned_library_writes() -> None:
    # GIVEN what is installed
    cli = maintenance._package_json(paths.NODE_MODULES / "aws-cdk")
    if not cli:
        pytest.skip("needs the CDK command line: npm ci, or ./odyssey")
    reads = cli["devDependencies"]["@aws-cdk/cloud-assembly-schema"]

    # WHEN
    check = check_cdk(
        cli["version"], reads, version("aws-cdk-lib"), version("aws-cdk-cloud-assembly-schema")
    )

    # THEN
    assert check.verdict is OK, check.detail


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    maintenance.register(app)
    return app


def found(*checks: Check) -> Callable[[], list[Check]]:
    return lambda: list(checks)


def refuse() -> AwsFacts:
    raise AssertionError("asked AWS")


@pytest.mark.parametrize(("verdict", "code"), [(OK, 0), (WARN, 0), (SKIPPED, 0), (FAIL, 1)])
def test_the_doctor_fails_only_when_something_needed_is_missing_and_leaves_aws_alone(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch, verdict: Verdict, code: int
) -> None:
    # GIVEN
    monkeypatch.setattr(maintenance, "check_machine", found(Check("it", verdict, "a", "b")))
    monkeypatch.setattr(maintenance, "ask_aws", refuse)

    # WHEN
    result = CliRunner().invoke(app, ["doctor", "--json"])

    # THEN
    assert result.exit_code == code
    first, aws = json.loads(result.stdout)
    assert first == {"name": "it", "ok": code == 0, "detail": "a", "mend": "b"}
    assert "--aws" in aws["mend"]


def test_the_doctor_asks_aws_when_told_to(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    monkeypatch.setattr(maintenance, "check_machine", found())
    monkeypatch.setattr(maintenance, "ask_aws", lambda: READY)

    # WHEN
    result = CliRunner().invoke(app, ["doctor", "--aws", "--json"])

    # THEN
    assert result.exit_code == 0
    assert {"name": "AWS account", "ok": True, "detail": "111122223333", "mend": ""} in json.loads(
        result.stdout
    )


def test_the_doctors_table_shows_details_as_they_are(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a path that Rich would take for markup
    check = Check("it", FAIL, "/home/[red]me", "run [this]")
    monkeypatch.setattr(maintenance, "check_machine", found(check))

    # WHEN
    result = CliRunner().invoke(app, ["doctor"])

    # THEN
    assert result.exit_code == 1
    assert "/home/[red]me" in result.stdout
    assert "run [this]" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "reach"),
    [
        ([], ["--numprocesses=2", "--dist=loadscope"]),
        (["--help"], ["--help"]),
        (["-k", "a and b", "-x", "tests/unit"], ["-k", "a and b", "-x", "tests/unit"]),
        (["--json=1", "--", "-v"], ["--json=1", "--", "-v"]),
    ],
)
def test_every_argument_of_test_reaches_pytest_and_without_any_two_processes_are_used(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch, arguments: list[str], reach: list[str]
) -> None:
    # GIVEN
    ran: list[list[str]] = []
    monkeypatch.setattr(os, "chdir", lambda path: ran.append([str(path)]))
    monkeypatch.setattr(os, "execv", lambda _program, command: ran.append(command))

    # WHEN
    CliRunner().invoke(app, ["test", *arguments], catch_exceptions=False)

    # THEN
    assert ran == [[str(paths.ROOT)], [sys.executable, "-m", "pytest", *reach]]

"""`odyssey doctor` and `odyssey test`: is everything there, and does it work."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape
from rich.table import Table
from typer.core import TyperCommand

from odyssey_cli import account, cloud, paths
from odyssey_cli.console import out

ENOUGH_DISK = 2e9  # bytes
# Two processes, each with about half of the work: tests/conftest.py says how they share it.
EVERYTHING = ("--numprocesses=2", "--dist=loadscope")
AFRESH = "rm -rf .odyssey, then ./odyssey doctor"


class Verdict(StrEnum):
    """What a check found: `warn` is worth knowing, `fail` keeps something from working."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Check:
    """One row of the doctor's table.

    Attributes:
        name: What was checked.
        verdict: What was found.
        detail: The facts.
        mend: What to do about it, "" when nothing is to be done.
    """

    name: str
    verdict: Verdict
    detail: str
    mend: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing needed is missing."""
        return self.verdict is not Verdict.FAIL


@dataclass(frozen=True)
class AwsFacts:
    """What AWS and this machine say about deploying there.

    Attributes:
        report: What `account check` would show.
        session_manager: Path of session-manager-plugin.
    """

    report: account.Report = field(default_factory=account.Report)
    session_manager: str | None = None


def numbers(text: str) -> tuple[int, ...]:
    """Return the first version number in a text, () when there is none."""
    found = re.search(r"\d+(\.\d+)+", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def check_python(running: tuple[int, ...], executable: str) -> Check:
    """Python 3.11 or newer."""
    detail = f"{'.'.join(map(str, running[:3]))} ({executable})"
    if running < (3, 11):
        mend = "Install Python 3.11 or newer, or point ODYSSEY_PYTHON at one; " + AFRESH
        return Check("Python", Verdict.FAIL, detail, mend)
    return Check("Python", Verdict.OK, detail)


def check_environments(prefix: Path, venv: Path, cloud_python: str) -> Check:
    """The two virtual environments.

    Args:
        prefix: Where the running Python lives.
        venv: Where the launcher's lives.
        cloud_python: What the local cloud's Python answers to `--version`.
    """
    name = "virtual environments"
    if prefix.resolve() != venv.resolve():
        detail = f"This is {prefix}, not {venv}."
        return Check(name, Verdict.WARN, detail, "Run ./odyssey instead of python -m odyssey_cli")
    if not numbers(cloud_python):
        return Check(name, Verdict.FAIL, "The local cloud's Python does not run.", AFRESH)
    return Check(name, Verdict.OK, f"{venv}; local cloud: {cloud_python}")


def check_tool(name: str, answer: str, least: tuple[int, ...], mend: str) -> Check:
    """A program that must have at least some version.

    Args:
        name: The program.
        answer: What it answers to `--version`, "" if it does not run.
        least: The oldest version that does.
        mend: How to get it.
    """
    found = numbers(answer)
    if not found:
        return Check(name, Verdict.FAIL, "not found", mend)
    detail = ".".join(map(str, found))
    if found < least:
        detail += f", older than {'.'.join(map(str, least))}"
        return Check(name, Verdict.FAIL, detail, mend)
    return Check(name, Verdict.OK, detail)


def check_cdk(cli: str, cli_reads: str, library: str, library_writes: str) -> Check:
    """The CDK CLI must read what the library writes: its schema's major version is no lower.

    That is the CLI's own test (`Manifest.validate` of cloud-assembly-schema), without a synth.

    Args:
        cli: Version of the CLI, "" if not installed.
        cli_reads: Version of the cloud-assembly schema that the CLI was built with.
        library: Version of aws-cdk-lib, "" if not installed.
        library_writes: Version of the schema package beside it.
    """
    name = "CDK"
    if not cli or not library:
        missing = "the command line" if not cli else "aws-cdk-lib"
        return Check(name, Verdict.FAIL, f"{missing} is not installed", AFRESH)
    reads, writes = numbers(cli_reads)[:1], numbers(library_writes)[:1]
    detail = (
        f"command line {cli} reads schema {'.'.join(map(str, reads)) or 'unknown'}, "
        f"aws-cdk-lib {library} writes {'.'.join(map(str, writes)) or 'unknown'}"
    )
    if not reads or not writes or reads < writes:
        mend = "Pin an aws-cdk in package.json that reads it, .ci/lock, then ./odyssey doctor"
        return Check(name, Verdict.FAIL, detail, mend)
    return Check(name, Verdict.OK, detail)


def check_port(port: int, taken: bool, holder: str | None) -> Check:
    """The local cloud's usual port; it takes another when somebody has that one."""
    name = f"port {port}"
    if not taken:
        return Check(name, Verdict.OK, "free")
    detail = f"held by {holder or 'a process that this user may not look into'}"
    mend = "Nothing needed if that is your local cloud; ./odyssey up otherwise takes a free port"
    return Check(name, Verdict.WARN, detail, mend)


def check_disk(free: int) -> Check:
    """Room for the environments (0.8 GB), what is downloaded for them, and synths.

    Args:
        free: Bytes free where the checkout is.
    """
    detail = f"{free / 1e9:.1f} GB free"
    if free < ENOUGH_DISK / 10:
        return Check("disk", Verdict.FAIL, detail, "Free at least 2 GB")
    if free < ENOUGH_DISK:
        return Check("disk", Verdict.WARN, detail, "Free at least 2 GB")
    return Check("disk", Verdict.OK, detail)


def skip_aws() -> list[Check]:
    """Return the rows of the AWS checks when nobody asked for them."""
    detail = "not asked: credentials, account, region, bootstrap, session-manager-plugin"
    return [Check("AWS", Verdict.SKIPPED, detail, "./odyssey doctor --aws")]


def check_aws(facts: AwsFacts) -> list[Check]:
    """What `deploy --target aws` needs."""
    found = facts.report
    arn = account = version = None
    if found.caller is not None:
        arn, account = found.caller.arn, found.caller.account
    if found.bootstrap is not None:
        version = f"version {found.bootstrap.version}"
    return [
        _check_found("AWS credentials", found, ("credentials", "root"), arn),
        _check_found("AWS account", found, ("account",), account),
        _check_found("AWS region", found, ("region",), found.region),
        _check_found("CDK bootstrap", found, ("bootstrap",), version),
        Check("session-manager-plugin", Verdict.OK, facts.session_manager)
        if facts.session_manager
        else Check(
            "session-manager-plugin",
            Verdict.WARN,
            "not found; only `aws ssm start-session` needs it",
            'Install it ("Install the Session Manager plugin for the AWS CLI" in the AWS docs)',
        ),
    ]


def _check_found(
    name: str, found: account.Report, kinds: tuple[str, ...], detail: str | None
) -> Check:
    """One row of the table for findings of some kinds, or for the fact that there are none."""
    for each in found.findings:
        if each.kind in kinds:
            return Check(name, Verdict.FAIL, each.problem, each.remedy)
    if detail is None:
        return Check(name, Verdict.SKIPPED, "needs credentials and a region")
    return Check(name, Verdict.OK, detail)


def check_machine() -> list[Check]:
    """Check what everything but AWS needs, on this machine."""
    free = shutil.disk_usage(paths.ROOT).free
    taken = _listening(cloud.USUAL_PORT)
    cli = _package_json(paths.NODE_MODULES / "aws-cdk")
    development = cli.get("devDependencies", {})
    return [
        check_python(sys.version_info[:3], sys.executable),
        check_environments(
            Path(sys.prefix), paths.VENV, _answer(paths.CLOUD_VENV / "bin" / "python")
        ),
        check_tool("uv", _answer(paths.VENV / "bin" / "uv"), (0,), AFRESH),
        # The CDK drops a Node release half a year after Node itself does.
        check_tool("Node", _answer(paths.VENV / "bin" / "node"), (22,), AFRESH),
        check_cdk(
            cli.get("version", ""),
            development.get("@aws-cdk/cloud-assembly-schema", ""),
            _installed("aws-cdk-lib"),
            _installed("aws-cdk-cloud-assembly-schema"),
        ),
        # --aws-sigv4, with which the pages call what the API signs, came with 7.75.
        check_tool("curl", _answer("curl"), (7, 75), "Install curl 7.75 or newer"),
        check_port(cloud.USUAL_PORT, taken, cloud.holder(cloud.USUAL_PORT) if taken else None),
        check_disk(free),
    ]


def ask_aws() -> AwsFacts:
    """Ask AWS, never a local cloud, with short time-outs."""
    return AwsFacts(account.examine(), shutil.which("session-manager-plugin"))


def table(checks: Iterable[Check]) -> Table:
    """Return the checks as a table to print."""
    colours = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}
    rows = Table(box=None, pad_edge=False)
    for heading in ("check", "", "detail", "how to mend"):
        rows.add_column(heading, overflow="fold")
    for check in checks:
        colour = colours.get(check.verdict, "dim")
        rows.add_row(
            check.name,
            f"[{colour}]{check.verdict}[/{colour}]",
            escape(check.detail),
            escape(check.mend),
        )
    return rows


def doctor(
    aws: bool = typer.Option(False, "--aws", help="Also check what deploying to AWS needs."),
    as_json: bool = typer.Option(False, "--json", help="Print a JSON array instead of a table."),
) -> None:
    """Check everything that is needed, and say how to mend what is missing."""
    checks = check_machine() + (check_aws(ask_aws()) if aws else skip_aws())
    if as_json:
        rows = [asdict(check) | {"ok": check.ok} for check in checks]
        wanted = ("name", "ok", "detail", "mend")
        typer.echo(json.dumps([{key: row[key] for key in wanted} for row in rows], indent=2))
    else:
        out.print(table(checks))
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


class _Untouched(TyperCommand):
    """A command that gets every argument as it is, `--help` and `--` too."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Keep the arguments from the parser."""
        super().parse_args(ctx, [])
        ctx.args = list(args)
        return ctx.args


def test(context: typer.Context) -> None:
    """Run all tests, two at a time; arguments go to pytest, which then runs one at a time."""
    os.chdir(paths.ROOT)
    command = [sys.executable, "-m", "pytest", *(context.args or EVERYTHING)]
    os.execv(sys.executable, command)  # noqa: S606 (our own Python)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(doctor)
    app.command(cls=_Untouched, add_help_option=False)(test)


def _answer(program: str | Path) -> str:
    """Return what a program answers to --version, "" if it does not run."""
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.partition("\n")[0]


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _package_json(folder: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((folder / "package.json").read_text())
    except (OSError, ValueError):
        return {}
    return content


def _listening(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0

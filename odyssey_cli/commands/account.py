"""Which AWS account commands go to: `account check` and `account use`."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from odyssey_cli import account, dotenv
from odyssey_cli.console import err, out, plain

if TYPE_CHECKING:
    from odyssey_cli.account import Login, Report

group = typer.Typer(help="The AWS account that commands go to.", no_args_is_help=True)
# "AWS account identifiers" (AWS Account Management Reference Guide, 2026-11-21).
_ACCOUNT = re.compile(r"[0-9]{12}", re.ASCII)


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(group, name="account")


def _checked(given: str | None) -> str | None:
    if given is not None and not _ACCOUNT.fullmatch(given):
        raise typer.BadParameter("an account has 12 digits.")
    return given


@group.command()
def check(
    expect: Annotated[
        str | None,
        typer.Option(
            metavar="ID", callback=_checked, help="The account it must be; else ODYSSEY_ACCOUNT."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Show profile, account, region, caller and bootstrap; changes nothing on AWS.

    Exits 0 only if a deployment could start: there are credentials, not the root user's, a region,
    and a bootstrap that is new enough, and the account is the expected one if one is. Exits 1
    otherwise, and says what to do. With --json each of `findings` has a `kind`: credentials,
    region, account, root or bootstrap.
    """
    found = account.examine(expect)
    if as_json:
        typer.echo(json.dumps(_as_json(found), indent=2))
    else:
        out.print(_table(found))
        for each in found.findings:
            err.print("[red]error:[/red]", Text(plain(each.problem)), soft_wrap=True)
            err.print(Text(plain(each.remedy)), soft_wrap=True)
    if not found.ok:
        raise typer.Exit(1)


@group.command()
def use(
    profile: Annotated[
        str | None, typer.Argument(help="One of your AWS configuration.", show_default=False)
    ] = None,
    forget: Annotated[
        bool, typer.Option("--forget", help="Take profile and account out of .env again.")
    ] = False,
) -> None:
    """Keep a profile and its account in the project's .env, for commands with --target aws.

    A profile or keys in the environment win over it; then its account is still the only one that
    commands go to.
    """
    if forget == (profile is not None):
        raise typer.BadParameter("give either a PROFILE or --forget.")
    if profile is None:
        dotenv.keep({account.PROFILE: None, account.ACCOUNT: None})
        out.print("No profile and no account are kept in .env.")
        return
    login = account.log_in(profile)
    caller = login.caller()
    settings = {account.PROFILE: profile, account.ACCOUNT: caller.account}
    dotenv.keep(settings)
    out.print("Kept in .env:")
    for name, value in settings.items():
        out.print(Text(f"  {name}={plain(value)}"), soft_wrap=True)
    for line in _remarks(login, caller):
        err.print(Text(line), soft_wrap=True)


def _remarks(login: Login, caller: account.Caller) -> list[str]:
    """Return what keeps the kept profile from being used as it is."""
    lines = []
    names = ("AWS_ACCESS_KEY_ID", "AWS_DEFAULT_PROFILE", "AWS_PROFILE", account.PROFILE)
    winner = next((name for name in names if os.environ.get(name)), None)
    if winner is not None:
        lines.append(f"{winner} is set and wins over .env; unset it to use the profile.")
    if os.environ.get(account.ACCOUNT, caller.account) != caller.account:
        lines.append(f"{account.ACCOUNT} is set to another account and wins; unset it.")
    if login.region is None:
        lines.append(
            f"No region is set: aws configure set region REGION --profile {login.choice.quoted}."
        )
    if caller.is_root:
        lines.append("These are the root user's credentials; see ./odyssey account check.")
    return lines


def _as_json(found: Report) -> dict[str, Any]:
    choice, caller, bootstrap = found.choice, found.caller, found.bootstrap
    return {
        "ok": found.ok,
        "profile": choice and choice.profile,
        "chosen_by": choice and choice.origin,
        "account": caller and caller.account,
        "expected": found.expected and found.expected.account,
        "region": found.region,
        "caller": caller and caller.arn,
        "root": caller and caller.is_root,
        "bootstrap": bootstrap
        and {
            "stack": bootstrap.status,
            "version": bootstrap.version,
            "needed": account.BOOTSTRAP_VERSION,
        },
        "findings": [
            {"kind": each.kind, "problem": each.problem, "remedy": each.remedy}
            for each in found.findings
        ],
    }


def _table(found: Report) -> Table:
    table = Table(show_header=False, title="AWS account", title_justify="left")
    unknown = "not known"
    rows = {
        "profile": str(found.choice).removeprefix("profile ") if found.choice else unknown,
        "account": found.caller.account if found.caller else unknown,
        "expected": f"{found.expected.account} ({found.expected.said_by})"
        if found.expected
        else "any; --expect or ODYSSEY_ACCOUNT names one",
        "region": found.region or "none",
        "caller": _named(found.caller) if found.caller else unknown,
        "bootstrap": _bootstrap(found.bootstrap) if found.bootstrap else unknown,
    }
    for name, value in rows.items():
        table.add_row(name, Text(plain(value), overflow="fold"))
    return table


def _named(caller: account.Caller) -> str:
    return f"{caller.arn} (the root user)" if caller.is_root else caller.arn


def _bootstrap(found: account.Bootstrap) -> str:
    version = f"version {found.version}" if found.version else "no version"
    stack = f"{account.BOOTSTRAP_STACK} {found.status or 'is not there'}"
    return f"{version}, at least {account.BOOTSTRAP_VERSION} needed; {stack}"

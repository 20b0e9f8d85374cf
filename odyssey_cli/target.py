"""Where a command goes: the local cloud, or the AWS account that the user named."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast
from urllib.parse import urlsplit

import typer
from rich.markup import escape

from odyssey_cli import account, cloud, paths
from odyssey_cli.console import err, plain
from odyssey_cli.errors import OdysseyError

if TYPE_CHECKING:
    from pathlib import Path

    import boto3
    from botocore.config import Config
    from botocore.credentials import ReadOnlyCredentials
    from types_boto3_cloudformation import CloudFormationClient

    from odyssey_cli.account_trouble import Choice

TargetOption = Annotated[
    Literal["local", "aws"],
    typer.Option("--target", help="Where to go; AWS only when you say so."),
]
YesOption = Annotated[
    bool, typer.Option("--yes", help="Do not ask before going to an AWS account.")
]

# The user's profile and files have no say once a target is resolved, not even a profile that is
# missing. Each is (config name, environment variables, default, conversion).
_NOWHERE = (None, None, os.devnull, None)
_NO_FILES: Any = {
    "profile": (None, None, None, None),
    "config_file": _NOWHERE,
    "credentials_file": _NOWHERE,
}


@dataclass(frozen=True)
class Target:
    """Where calls go.

    Attributes:
        environment: the whole environment for a client process that goes there.
        state: the folder for what commands keep about it.
        local: the local cloud, None on AWS.
        role: ARN of the role that `session` has assumed; None for the caller's own credentials.
        account: its account's number.
        caller: on AWS, the session that the user has confirmed: it renews its credentials, which
            those of `environment`, for other processes, are only a copy of.
        choice: on AWS, whose credentials those are.
    """

    environment: dict[str, str]
    state: Path
    local: cloud.Cloud | None
    role: str | None = None
    account: str = cloud.ACCOUNT
    caller: boto3.Session | None = None
    choice: Choice | None = None

    @cached_property
    def session(self) -> boto3.Session:
        """A boto3 session that goes there, in `role` or as the caller."""
        if self.role is not None:
            return _assumed(replace(self, role=None), self.role)
        if self.caller is not None:
            return self.caller
        import boto3  # noqa: PLC0415 - half a second that most commands do not need
        import botocore.session  # noqa: PLC0415

        plain = botocore.session.Session(session_vars=_NO_FILES)
        return boto3.Session(
            self.environment["AWS_ACCESS_KEY_ID"],
            self.environment["AWS_SECRET_ACCESS_KEY"],
            self.environment.get("AWS_SESSION_TOKEN"),
            region_name=self.environment["AWS_REGION"],
            botocore_session=plain,
        )

    @property
    def endpoint(self) -> str | None:
        """The endpoint of every service; None for AWS's own."""
        return self.local.endpoint if self.local else None

    @property
    def aws_options(self) -> list[str]:
        """Options by which the AWS CLI goes there from the user's own shell.

        It reads no .env, and a region may be of the environment that we have made.
        """
        if self.local is not None:
            return []
        region = ["--region", self.environment["AWS_REGION"]]
        if self.choice is None or not self.choice.is_beyond_aws:
            return region
        return ["--profile", str(self.choice.profile), *region]

    def client(self, service: str, config: Config | None = None) -> Any:  # noqa: ANN401
        """Return a boto3 client of a service there; each service has a type of its own."""
        return self.session.client(cast("Any", service), endpoint_url=self.endpoint, config=config)

    def in_role(self, role: str) -> Target:
        """Return the same target for calls in a role that the caller may assume."""
        return replace(self, role=role)

    def seconds(self, of_aws: float) -> float:
        """Return how long a wait of AWS's takes there: the local cloud's clock is faster."""
        return of_aws / self.local.clock_scale if self.local else of_aws

    def outputs(self, stack: str) -> dict[str, str]:
        """Return a deployed stack's outputs, API addresses as they are reached from here.

        Raises:
            OdysseyError: the stack is not deployed there.
        """
        from botocore.exceptions import ClientError  # noqa: PLC0415

        formation: CloudFormationClient = self.client("cloudformation")
        try:
            described = formation.describe_stacks(StackName=stack)["Stacks"][0]
        except ClientError as error:
            if "does not exist" not in str(error):
                raise
            to = "" if self.local else " --target aws"
            raise OdysseyError(
                f"The stack {stack} is not deployed.", f"Run ./odyssey deploy {stack}{to} first."
            ) from None
        found = {each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])}
        return {name: self._reachable(value) for name, value in found.items()}

    def _reachable(self, value: str) -> str:
        """Turn an API's AWS address into the one the local cloud serves it at."""
        host, path = urlsplit(value).hostname or "", urlsplit(value).path
        if self.local is None or ".execute-api." not in host:
            return value
        return f"{self.local.endpoint}/_aws/execute-api/{host.partition('.')[0]}{path}"


def _assumed(caller: Target, role: str) -> boto3.Session:
    """Return a session with credentials of `role`, which are renewed before they expire."""
    import boto3  # noqa: PLC0415
    import botocore.session  # noqa: PLC0415
    from botocore.credentials import RefreshableCredentials  # noqa: PLC0415

    sts = caller.client("sts")

    def fetch() -> dict[str, str]:
        given = sts.assume_role(RoleArn=role, RoleSessionName="odyssey")["Credentials"]
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }

    plain = botocore.session.Session(session_vars=_NO_FILES)
    # The one way to renew credentials is an attribute that botocore does not call public.
    plain._credentials = RefreshableCredentials.create_from_metadata(  # type: ignore[attr-defined]
        metadata=fetch(), refresh_using=fetch, method="sts-assume-role"
    )
    return boto3.Session(region_name=caller.environment["AWS_REGION"], botocore_session=plain)


def local() -> Target:
    """Return the local cloud that is running.

    Raises:
        OdysseyError: none is.
    """
    running = cloud.find_any()
    if running is None:
        raise OdysseyError(
            "No local cloud is running.",
            "Start one with ./odyssey up, or name an AWS account with --target aws.",
        )
    return at(running)


def at(running: cloud.Cloud) -> Target:
    """Return the target of a running local cloud."""
    return Target(running.client_environment(), running.state, running)


def resolve(name: Literal["local", "aws"], *, yes: bool = False) -> Target:
    """Return the named target; for AWS, say which account first and ask.

    Raises:
        OdysseyError: no local cloud is running, or the account is not to be used.
    """
    return local() if name == "local" else _aws(yes=yes)


def _aws(*, yes: bool) -> Target:
    login = account.log_in()
    region = login.needed_region
    caller = login.caller()
    credentials = login.credentials()
    shown = escape(plain(str(login.choice)))
    err.print(f"account [bold]{caller.account}[/bold]  region {region}  {shown}")
    other = account.mismatch(account.expected(), caller.account, login.choice)
    if other is not None:
        raise other
    if not yes:
        if not sys.stdin.isatty():
            raise OdysseyError(
                "Nobody is here to confirm the account.", "Add --yes to go on without asking."
            )
        typer.confirm("Go on with this account?", abort=True, err=True)
    return Target(
        _pinned(credentials, region),
        paths.STATE / "aws",
        None,
        account=caller.account,
        caller=login.session,
        choice=login.choice,
    )


def _pinned(credentials: ReadOnlyCredentials, region: str) -> dict[str, str]:
    """Return an environment in which every tool goes where the user has agreed to go.

    Tools differ in what they prefer: boto3 ignores AWS_REGION, the CDK's SDK does not.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN")
    }
    environment |= {
        "AWS_ACCESS_KEY_ID": str(credentials.access_key),
        "AWS_SECRET_ACCESS_KEY": str(credentials.secret_key),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "ODYSSEY_TARGET": "aws",
    }
    if credentials.token:
        environment["AWS_SESSION_TOKEN"] = credentials.token
    return environment

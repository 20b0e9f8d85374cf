"""Which AWS account commands go to: whose credentials they have, and whether it is ready.

Every session for AWS is made here, so that there is one rule for whose it is, one for which
account it may be of, and one place that says how to renew what has expired.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from odyssey_cli import dotenv
from odyssey_cli.account_trouble import Choice, explained
from odyssey_cli.errors import OdysseyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import boto3
    import botocore.session
    from botocore.credentials import ReadOnlyCredentials

PROFILE, ACCOUNT = "ODYSSEY_PROFILE", "ODYSSEY_ACCOUNT"
KEPT = ".env"
BOOTSTRAP_STACK = "CDKToolkit"
# "Bootstrap template version history" and "Customize AWS CDK bootstrapping" (AWS CDK Developer
# Guide, 2026-11-21): the qualifier in the parameter's name is the default one.
BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
# `requiresBootstrapStackVersion` of every stack and every asset manifest of the app's assembly.
# Its lookup roles name 8, but are for context that is looked up, and the app looks nothing up.
BOOTSTRAP_VERSION = 6
_ROOT_REMEDY = (
    "Sign in as a user of IAM Identity Center (docs/new-account.md) and delete the root user's "
    "access keys: nothing can limit them, and they cannot assume the roles that commands use."
)


@dataclass(frozen=True)
class Caller:
    """Who AWS says the credentials belong to."""

    account: str
    arn: str

    @property
    def is_root(self) -> bool:
        """Whether it is the account's root user, whom no policy limits."""
        return self.arn.endswith(":root")


@dataclass(frozen=True)
class Expected:
    """The account that commands may go to, and what says so."""

    account: str
    said_by: str


@dataclass(frozen=True)
class Bootstrap:
    """What the CDK's bootstrap has left in an account and region.

    Attributes:
        status: of the stack CDKToolkit; None if there is none.
        version: value of the version parameter, which is what a deployment looks at.
        unread: why the version is not known.
    """

    status: str | None = None
    version: str | None = None
    unread: str = ""


@dataclass(frozen=True)
class Finding:
    """Something that keeps commands from going to AWS.

    Attributes:
        kind: `credentials`, `region`, `account`, `root` or `bootstrap`: for programs.
    """

    kind: str
    problem: str
    remedy: str


@dataclass(frozen=True)
class Report:
    """What `account check` has found out; None stands for what is not known."""

    choice: Choice | None = None
    region: str | None = None
    caller: Caller | None = None
    expected: Expected | None = None
    bootstrap: Bootstrap | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing keeps commands from going there."""
        return not self.findings


@dataclass(frozen=True)
class Login:
    """A session for AWS, and who chose its profile."""

    core: botocore.session.Session
    choice: Choice

    @cached_property
    def session(self) -> boto3.Session:
        """The session for boto3; a profile's region is not more than the environment's."""
        import boto3  # noqa: PLC0415 - half a second that most commands do not need

        region = os.environ.get("AWS_REGION") or self.core.get_config_variable("region")
        return boto3.Session(region_name=region, botocore_session=self.core)

    @property
    def region(self) -> str | None:
        """Where calls go; None if nothing says so."""
        return self.session.region_name or None

    @property
    def needed_region(self) -> str:
        """Where calls go.

        Raises:
            OdysseyError: nothing says so.
        """
        if self.region is None:
            raise OdysseyError(*_no_region(self.choice))
        return self.region

    def client(self, service: str) -> Any:  # noqa: ANN401 - each service has a type of its own
        """Return a client that gives up soon: somebody waits for the answer."""
        from botocore.config import Config  # noqa: PLC0415

        config = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})
        # STS answers without a region, too, so that a missing one hides no account.
        return self.session.client(cast("Any", service), config=config)

    def caller(self) -> Caller:
        """Ask AWS who this is.

        Raises:
            OdysseyError: it does not say; how to renew or mend what is wrong.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        try:
            answer = self.client("sts").get_caller_identity()
        except (BotoCoreError, ClientError) as error:
            raise explained(error, self.choice, self.core) from error
        return Caller(answer["Account"], answer["Arn"])

    def credentials(self) -> ReadOnlyCredentials:
        """Return what the credentials are now.

        Raises:
            OdysseyError: as for `caller`.
        """
        from botocore.exceptions import (  # noqa: PLC0415
            BotoCoreError,
            ClientError,
            NoCredentialsError,
        )

        try:
            found = self.session.get_credentials()
            if found is None:
                raise NoCredentialsError
            return found.get_frozen_credentials()
        except (BotoCoreError, ClientError) as error:
            raise explained(error, self.choice, self.core) from error


def choose(environ: Mapping[str, str], kept: Mapping[str, str]) -> Choice:
    """Return whose credentials commands use: what is set in the environment wins.

    Keys win over a profile, and AWS_DEFAULT_PROFILE over AWS_PROFILE, because botocore has it so.

    Args:
        environ: the environment.
        kept: the settings of the project's file .env.
    """
    if environ.get("AWS_ACCESS_KEY_ID"):
        return Choice(None, "the environment's keys")
    for name in ("AWS_DEFAULT_PROFILE", "AWS_PROFILE", PROFILE):
        if environ.get(name):
            return Choice(environ[name], name)
    if kept.get(PROFILE) and PROFILE not in environ:
        return Choice(kept[PROFILE], KEPT)
    return Choice("default", "default")


def log_in(profile: str | None = None) -> Login:
    """Return a session with the credentials that the user chose, or with those of `profile`.

    Raises:
        OdysseyError: calls would go elsewhere than to AWS, or there is no such profile.
    """
    import botocore.session  # noqa: PLC0415 - see Login.session
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    elsewhere = sorted(name for name in os.environ if name.startswith("AWS_ENDPOINT_URL"))
    if elsewhere:
        raise OdysseyError(
            f"{elsewhere[0]} is set, so calls would not go to AWS.",
            "Unset it, or open a new shell: ./odyssey up --env sets it for the local cloud.",
        )
    if profile is not None:
        choice = Choice(profile, "named")
    else:
        choice = choose(os.environ, dotenv.of_project(PROFILE, ACCOUNT))
    # An explicit profile, because one that only AWS_PROFILE names yields to a web identity token.
    core = botocore.session.Session(profile=choice.profile if choice.is_named else None)
    try:
        scoped = core.get_scoped_config()
        services = core.full_config.get("services", {}).get(scoped.get("services"), {})
    except BotoCoreError as error:
        raise explained(error, choice, core) from error
    if any("endpoint_url" in each for each in [scoped, *services.values()]):
        raise OdysseyError(
            f"{choice} has an endpoint_url, so calls would not go to AWS.",
            "Take it out of the profile, or choose another profile.",
        )
    return Login(core, choice)


def expected(given: str | None = None) -> Expected | None:
    """Return the account that commands may go to: the given one, or ODYSSEY_ACCOUNT, or none.

    An empty ODYSSEY_ACCOUNT in the environment allows every account, whatever .env says.
    """
    if given:
        return Expected(given, "--expect")
    if ACCOUNT in os.environ:
        return Expected(os.environ[ACCOUNT], ACCOUNT) if os.environ[ACCOUNT] else None
    kept = dotenv.of_project(PROFILE, ACCOUNT).get(ACCOUNT)
    return Expected(kept, f"{ACCOUNT} in {KEPT}") if kept else None


def mismatch(wanted: Expected | None, account: str, choice: Choice) -> OdysseyError | None:
    """Return why commands must not go to `account`; None when they may."""
    if wanted is None or wanted.account == account:
        return None
    if wanted.said_by == "--expect":
        remedy = "Switch the profile, or expect the other account."
    elif wanted.said_by == ACCOUNT:
        remedy = f"Switch the profile, or unset {ACCOUNT}."
    elif choice.origin == KEPT:
        remedy = "Choose again: ./odyssey account use PROFILE."
    else:
        remedy = f"They are of {choice}: choose another, or run ./odyssey account use --forget."
    return OdysseyError(
        f"{wanted.said_by} is {wanted.account}, but these credentials are of {account}.", remedy
    )


def read_bootstrap(login: Login) -> Bootstrap:
    """Return what the CDK's bootstrap has left where calls go; asks AWS, changes nothing."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    status = version = None
    unread = ""
    try:
        described = login.client("cloudformation").describe_stacks(StackName=BOOTSTRAP_STACK)
        status = described["Stacks"][0]["StackStatus"]
    except ClientError as error:
        # Who may deploy through the bootstrap's roles need not be allowed to look at its stack.
        if "does not exist" not in str(error):
            status = "unknown"
    except BotoCoreError as error:
        return Bootstrap(unread=explained(error, login.choice, login.core).problem)
    try:
        answer = login.client("ssm").get_parameter(Name=BOOTSTRAP_PARAMETER)
        version = answer["Parameter"]["Value"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            unread = f"{error}"
    except BotoCoreError as error:
        unread = explained(error, login.choice, login.core).problem
    return Bootstrap(status, version, unread)


def not_ready(
    found: Bootstrap, account: str, region: str, choice: Choice | None = None
) -> OdysseyError | None:
    """Return why nothing can be deployed there, with the command that mends it; None if it can."""
    where = f"aws://{account}/{region}"
    # The CDK takes no profile from .env.
    profile = f" --profile {choice.quoted}" if choice and choice.is_beyond_aws else ""
    again = f"Run npx cdk bootstrap {where}{profile}."
    if found.unread:
        return OdysseyError(
            f"Whether {where} is bootstrapped cannot be read: {found.unread.rstrip('.')}.",
            "Ask for ssm:GetParameter and cloudformation:DescribeStacks.",
        )
    status = found.status or ""
    if status.endswith("_IN_PROGRESS") and "CLEANUP" not in status:
        return OdysseyError(
            f"The stack {BOOTSTRAP_STACK} is {status}.", "Wait until it is done, and check again."
        )
    if status.endswith("_FAILED") or status == "ROLLBACK_COMPLETE":
        return OdysseyError(
            f"The stack {BOOTSTRAP_STACK} is {status}.",
            f"Delete it in CloudFormation's console. {again}",
        )
    if found.version is None and found.status in {None, "unknown"}:
        return OdysseyError(f"{where} is not bootstrapped.", again)
    version = found.version or "0"
    if not version.isdecimal() or int(version) < BOOTSTRAP_VERSION:
        shown = f"has version {found.version}" if found.version else "is of a kind without versions"
        return OdysseyError(
            f"The bootstrap of {where} {shown}, but the app needs {BOOTSTRAP_VERSION}.", again
        )
    return None


def examine(given: str | None = None) -> Report:
    """Find out everything that `account check` shows; asks AWS, changes nothing.

    Args:
        given: the account to expect, before ODYSSEY_ACCOUNT.
    """
    found: list[Finding] = []

    def note(kind: str, trouble: OdysseyError | None) -> None:
        if trouble is not None:
            found.append(Finding(kind, trouble.problem, trouble.remedy))

    wanted = login = caller = bootstrap = None
    try:
        wanted = expected(given)
        login = log_in()
        caller = login.caller()
    except OdysseyError as error:
        note("credentials", error)
    if login is not None and login.region is None:
        note("region", OdysseyError(*_no_region(login.choice)))
    if login is not None and caller is not None:
        note("account", mismatch(wanted, caller.account, login.choice))
        if caller.is_root:
            note("root", OdysseyError("These are the root user's credentials.", _ROOT_REMEDY))
        if login.region is not None:
            bootstrap = read_bootstrap(login)
            note("bootstrap", not_ready(bootstrap, caller.account, login.region, login.choice))
    return Report(
        choice=login.choice if login is not None else None,
        region=login.region if login is not None else None,
        caller=caller,
        expected=wanted,
        bootstrap=bootstrap,
        findings=tuple(found),
    )


def _no_region(choice: Choice) -> tuple[str, str]:
    profile = f"run aws configure set region REGION --profile {choice.quoted}"
    return "No region is set.", f"Set AWS_REGION{f', or {profile}' if choice.profile else ''}."

"""Why AWS does not know somebody, in one sentence, and in another what renews or mends it."""

from __future__ import annotations

import difflib
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from odyssey_cli.errors import OdysseyError

if TYPE_CHECKING:
    from collections.abc import Callable

    import botocore.session

_KEYS = "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
# "Common Error Types" of the API references, and what STS answers ("AWS Security Token Service
# API Reference", 2026-11-21).
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException"})
_REFUSED = frozenset({"InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure"})
_SKEWED = frozenset({"SignatureDoesNotMatch", "RequestExpired", "RequestTimeTooSkewed"})


@dataclass(frozen=True)
class Choice:
    """Whose credentials, and what chose them.

    Attributes:
        profile: the profile's name; None for keys in the environment.
        origin: a variable's name, `.env`, `named` by the command, `default` when nothing chose,
            or `the environment's keys`.
    """

    profile: str | None
    origin: str

    @property
    def is_named(self) -> bool:
        """Whether somebody named the profile."""
        return self.profile is not None and self.origin != "default"

    @property
    def is_beyond_aws(self) -> bool:
        """Whether AWS's own tools would choose something else."""
        return self.is_named and self.origin != "AWS_PROFILE"

    @property
    def quoted(self) -> str:
        """The profile's name as a shell takes it."""
        return shlex.quote(self.profile or "default")

    def __str__(self) -> str:
        if self.profile is None:
            return "keys in the environment"
        named = self.is_named and self.origin != "named"
        return f"profile {self.profile}{f' ({self.origin})' if named else ''}"


def explained(error: Exception, choice: Choice, core: botocore.session.Session) -> OdysseyError:
    """Return what is wrong with the credentials, and the command or step that renews them.

    Args:
        error: what botocore raised.
        choice: whose credentials they are.
        core: the session that raised it.
    """
    from botocore import exceptions as known  # noqa: PLC0415 - most commands need none of it

    kinds: list[tuple[type[Exception], Callable[..., OdysseyError]]] = [
        (known.ProfileNotFound, _no_profile),
        # Never signed in, or signed out.
        (known.SSOTokenLoadError, _signed_out),
        # With and without an sso_session in the profile.
        (known.TokenRetrievalError, _session_ended),
        (known.SSOError, _session_ended),
        (known.LoginError, _login_ended),
        (known.MissingDependencyException, _unusable_login),
        (known.NoCredentialsError, _no_credentials),
        (known.PartialCredentialsError, _half_a_key),
        (known.CredentialRetrievalError, _program_failed),
        (known.ClientError, _refused),
        (known.HTTPClientError, _unreachable),
        (known.ConnectionError, _unreachable),
        (Exception, _unusable),
    ]
    say = next(say for kind, say in kinds if isinstance(error, kind))
    return say(error, choice, core)


def _no_profile(_: Exception, choice: Choice, core: botocore.session.Session) -> OdysseyError:
    # With keys in the environment, AWS_PROFILE still has to name a profile that exists.
    name = choice.profile or core.get_config_variable("profile")
    named_by = "AWS_PROFILE" if choice.profile is None else choice.origin
    present = _profiles(core)
    close = difflib.get_close_matches(name, present, n=1)
    if close:
        remedy = f"Did you mean {close[0]}?"
    elif present:
        remedy = f"You have {', '.join(present)}."
    else:
        remedy = "There is none yet: aws configure sso makes one (docs/new-account.md)."
    if named_by == ".env":
        remedy += " ./odyssey account use PROFILE chooses another, --forget none."
    said = f", which {named_by} names" if named_by not in {"named", "default"} else ""
    return OdysseyError(f"There is no profile {name!r}{said}.", remedy)


def _signed_out(_: Exception, choice: Choice, core: botocore.session.Session) -> OdysseyError:
    name = _signing_in(choice, core)
    return OdysseyError(f"Nobody is signed in to profile {name}.", _sign_in(name))


def _session_ended(_: Exception, choice: Choice, core: botocore.session.Session) -> OdysseyError:
    name = _signing_in(choice, core)
    return OdysseyError(f"The SSO session of profile {name} has expired.", _sign_in(name))


def _sign_in(profile: str) -> str:
    return f"Run aws sso login --profile {shlex.quote(profile)}."


def _login_ended(_: Exception, choice: Choice, core: botocore.session.Session) -> OdysseyError:
    name = _signing_in(choice, core)
    return OdysseyError(
        f"The login session of profile {name} has expired.",
        f"Run aws login --profile {shlex.quote(name)}.",
    )


def _unusable_login(_: Exception, choice: Choice, _core: object) -> OdysseyError:
    # What `aws login` leaves needs compiled code, which this project does not install. The way
    # round it is of "Login for AWS local development using console credentials" (AWS CLI User
    # Guide, 2026-11-21).
    command = f"aws configure export-credentials --profile {choice.quoted} --format process"
    return OdysseyError(
        f"{choice.profile} is a profile of aws login, which cannot be used as it is.",
        f"Use another one, with a region and credential_process = {command} (docs/new-account.md).",
    )


def _program_failed(error: Exception, choice: Choice, _core: object) -> OdysseyError:
    return OdysseyError(
        f"The credentials of {_whose(choice)} cannot be fetched: {_sentence(error)}",
        "Sign in again to what its credential_process asks, or mend that setting.",
    )


def _no_credentials(_: Exception, choice: Choice, core: botocore.session.Session) -> OdysseyError:
    if choice.is_named:
        return OdysseyError(
            f"Profile {choice.profile} holds no credentials.",
            f"Run aws configure sso --profile {choice.quoted}.",
        )
    present = _profiles(core)
    return OdysseyError(
        "No credentials were found: no profile is chosen, and none is called default.",
        f"Choose one with ./odyssey account use PROFILE; you have {', '.join(present)}."
        if present
        else "Make a profile with aws configure sso (docs/new-account.md).",
    )


def _half_a_key(error: Any, choice: Choice, _core: object) -> OdysseyError:  # noqa: ANN401
    return OdysseyError(
        f"{error.kwargs['cred_var']} is missing in {_whose(choice)}.",
        f"Set {_KEYS} together, or unset them to use a profile."
        if choice.profile is None
        else f"Run aws configure --profile {choice.quoted}.",
    )


def _refused(
    error: Any,  # noqa: ANN401 - a ClientError, whose module is imported late
    choice: Choice,
    core: botocore.session.Session,
) -> OdysseyError:
    """Return what AWS's own answer means; `core` has credentials, for AWS has judged them."""
    code = error.response["Error"]["Code"]
    if code in _EXPIRED:
        return OdysseyError(
            f"The credentials of {_whose(choice)} have expired.", _renewal(choice, core)
        )
    if code in _REFUSED:
        return OdysseyError(
            f"AWS does not know the key of {_whose(choice)}.",
            "Check that it is right and active, and that the region is enabled in the account.",
        )
    if code in _SKEWED:
        return OdysseyError(
            f"AWS does not accept the signature of {_whose(choice)}.",
            "Check the secret access key, and this machine's clock.",
        )
    return OdysseyError(
        f"AWS does not know you: {_sentence(error)}",
        "Choose another profile with ./odyssey account use or AWS_PROFILE.",
    )


def _renewal(choice: Choice, core: botocore.session.Session) -> str:
    """Return how to renew credentials that AWS says have expired."""
    if choice.profile is None:
        return f"Set new {_KEYS}, or unset them to use a profile."
    found = core.get_credentials()
    method = found.method if found is not None else ""
    if method == "sso":
        return _sign_in(choice.profile)
    if method in {"shared-credentials-file", "config-file"}:
        # `aws configure` would leave the old session token there.
        file = core.get_config_variable(method.removeprefix("shared-").replace("-", "_"))
        keys = "aws_access_key_id, aws_secret_access_key and aws_session_token"
        return f"Replace {keys} of {choice.profile} in {file}."
    if method == "custom-process":
        return "Sign in again to what its credential_process asks."
    return f"Renew those of profile {_signing_in(choice, core)}."


def _unreachable(error: Exception, _choice: Choice, _core: object) -> OdysseyError:
    return OdysseyError(
        f"AWS cannot be reached: {_sentence(error)}", "Check the network, and the region's name."
    )


def _unusable(error: Exception, choice: Choice, _core: object) -> OdysseyError:
    return OdysseyError(
        f"The credentials of {_whose(choice)} cannot be used: {_sentence(error)}",
        "Mend the AWS configuration, or choose another profile with AWS_PROFILE.",
    )


def _profiles(core: botocore.session.Session) -> list[str]:
    return sorted(core.full_config["profiles"])


def _signing_in(choice: Choice, core: botocore.session.Session) -> str:
    """Return the profile with which one signs in: a role's is that of its source profile."""
    known: dict[str, Any] = core.full_config["profiles"]
    name, passed = choice.profile or "default", set[str]()
    while name not in passed and "source_profile" in known.get(name, {}):
        passed.add(name)
        name = known[name]["source_profile"]
    return name


def _whose(choice: Choice) -> str:
    return "the environment" if choice.profile is None else f"profile {choice.profile}"


def _sentence(error: Exception) -> str:
    return f"{str(error).strip().rstrip('.')}."

"""A user's AWS configuration in a home of its own, and AWS as it answers whoever signs."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import botocore.session
import pytest
from botocore import credentials, loaders, tokens
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.httpsession import URLLib3Session

from odyssey_cli import dotenv
from shared import times

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from botocore.awsrequest import AWSPreparedRequest

MINE, OTHER = "111122223333", "999999999999"
# The access key of a profile, or of a session that AWS hands out, is what AWS knows it by.
KEYS = {
    "AKIAMINE": (MINE, f"arn:aws:iam::{MINE}:user/me"),
    "AKIAOTHER": (OTHER, f"arn:aws:iam::{OTHER}:user/me"),
    "AKIAROOT": (MINE, f"arn:aws:iam::{MINE}:root"),
    "ASIASSO": (MINE, f"arn:aws:sts::{MINE}:assumed-role/AWSReservedSSO_Admin_1/me"),
}
CONFIG = """
[profile mine]
region = eu-north-1
aws_access_key_id = AKIAMINE
aws_secret_access_key = secret
[profile other]
region = eu-west-1
aws_access_key_id = AKIAOTHER
aws_secret_access_key = secret
[profile root]
region = eu-north-1
aws_access_key_id = AKIAROOT
aws_secret_access_key = secret
[profile without-region]
aws_access_key_id = AKIAMINE
aws_secret_access_key = secret
[profile half]
aws_access_key_id = AKIAMINE
region = eu-north-1
[profile empty]
region = eu-north-1
[sso-session work]
sso_start_url = https://work.awsapps.com/start
sso_region = eu-north-1
sso_registration_scopes = sso:account:access
[profile sso]
region = eu-north-1
sso_session = work
sso_account_id = 111122223333
sso_role_name = Admin
[profile "my sso"]
region = eu-north-1
sso_start_url = https://old.awsapps.com/start
sso_region = eu-north-1
sso_account_id = 111122223333
sso_role_name = Admin
[profile role]
region = eu-north-1
role_arn = arn:aws:iam::111122223333:role/admin
source_profile = sso
[profile process]
region = eu-north-1
credential_process = printf '{"Version": 1, "AccessKeyId": "AKIAMINE", "SecretAccessKey": "s"}'
[profile broken-process]
region = eu-north-1
credential_process = sh -c 'echo Your session has expired. >&2; exit 1'
[profile login]
region = eu-north-1
login_session = arn:aws:iam::111122223333:user/me
[profile elsewhere]
region = eu-north-1
aws_access_key_id = AKIAMINE
aws_secret_access_key = secret
endpoint_url = http://127.0.0.1:4566
[profile partly-elsewhere]
region = eu-north-1
aws_access_key_id = AKIAMINE
aws_secret_access_key = secret
services = here
[services here]
dynamodb =
  endpoint_url = http://127.0.0.1:4566
"""


@dataclass
class Home:
    """A user's home folder, with what `aws configure` keeps there."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / ".aws" / "config"

    @property
    def cache(self) -> Path:
        return self.folder / ".aws" / "sso" / "cache"

    def sign_in(self, session: str, lasts: timedelta) -> None:
        """Cache the token that `aws sso login` gets, which lasts so long.

        Args:
            session: name of the sso-session, or the start URL of a profile without one.
            lasts: negative for one that has ended.
        """
        self.cache.mkdir(parents=True, exist_ok=True)
        token = {
            "startUrl": "https://work.awsapps.com/start",
            "region": "eu-north-1",
            "accessToken": "token",
            "expiresAt": f"{times.now() + lasts:%Y-%m-%dT%H:%M:%SZ}",
        }
        name = hashlib.sha1(session.encode(), usedforsecurity=False).hexdigest()
        (self.cache / f"{name}.json").write_text(json.dumps(token))


@dataclass
class Amazon:
    """What AWS holds, and what it was asked.

    Attributes:
        stack: status of the bootstrap's stack; None for none.
        version: the bootstrap's version; None for none.
        refusal: the error that STS answers.
        denied: the services that the caller may not use.
        asked: what was called in which region, e.g. `sts.GetCallerIdentity eu-north-1`.
    """

    stack: str | None = "CREATE_COMPLETE"
    version: str | None = "30"
    refusal: str = ""
    denied: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def answer(self, request: AWSPreparedRequest) -> AWSResponse:
        """Answer a request that is on its way to the network."""
        host = urlsplit(request.url).hostname or ""
        if host.startswith("portal.sso."):
            self.asked.append("sso.GetRoleCredentials eu-north-1")
            return _response(request, 200, json.dumps({"roleCredentials": _ROLE_CREDENTIALS}))
        key, region, service = _signature(request)
        if service == "ssm":
            action = str(_text(request.headers["X-Amz-Target"])).partition(".")[2]
        else:
            action = parse_qs(_text(request.body))["Action"][0]
        self.asked.append(f"{service}.{action} {region}")
        if service in self.denied:
            return _failure(request, service, "AccessDenied", "not authorized")
        if service == "sts":
            return self._identity(request, key)
        return self._parameter(request) if service == "ssm" else self._stack(request)

    def _identity(self, request: AWSPreparedRequest, key: str) -> AWSResponse:
        if self.refusal or key not in KEYS:
            return _failure(request, "sts", self.refusal or "InvalidClientTokenId", "no")
        account, arn = KEYS[key]
        result = f"<Arn>{arn}</Arn><UserId>AIDA</UserId><Account>{account}</Account>"
        name = "GetCallerIdentity"
        body = f"<{name}Response><{name}Result>{result}</{name}Result></{name}Response>"
        return _response(request, 200, body)

    def _parameter(self, request: AWSPreparedRequest) -> AWSResponse:
        if self.version is None:
            return _failure(request, "ssm", "ParameterNotFound", "")
        return _response(request, 200, json.dumps({"Parameter": {"Value": self.version}}))

    def _stack(self, request: AWSPreparedRequest) -> AWSResponse:
        if self.stack is None:
            message = "Stack with id CDKToolkit does not exist"
            return _failure(request, "cloudformation", "ValidationError", message)
        member = f"<member><StackName>x</StackName><StackStatus>{self.stack}</StackStatus></member>"
        name = "DescribeStacks"
        result = f"<{name}Result><Stacks>{member}</Stacks></{name}Result>"
        return _response(request, 200, f"<{name}Response>{result}</{name}Response>")


_ROLE_CREDENTIALS = {
    "accessKeyId": "ASIASSO",
    "secretAccessKey": "secret",
    "sessionToken": "token",
    "expiration": 4102444800000,  # the year 2100
}


class _Answer(AWSResponse):
    """An answer that has come already."""

    def __init__(self, url: str, status: int, body: str) -> None:
        super().__init__(url, status, HTTPHeaders(), None)
        self._content = body.encode()


def _response(request: AWSPreparedRequest, status: int, body: str) -> AWSResponse:
    return _Answer(request.url, status, body)


def _failure(request: AWSPreparedRequest, service: str, code: str, message: str) -> AWSResponse:
    if service == "ssm":
        return _response(request, 400, json.dumps({"__type": code, "message": message}))
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return _response(request, 400, f"<ErrorResponse>{error}</ErrorResponse>")


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _signature(request: AWSPreparedRequest) -> tuple[str, str, str]:
    found = re.search(
        r"Credential=(\w+)/\d+/([\w-]+)/(\w+)/", _text(request.headers["Authorization"])
    )
    assert found, request.url
    return found[1], found[2], found[3]


@functools.cache
def _loader() -> loaders.Loader:
    return loaders.create_loader()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A user with profiles, in an empty current folder, and nothing in the environment."""
    made = Home(tmp_path / "home")
    made.config.parent.mkdir(parents=True)
    made.config.write_text(CONFIG)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    # The project's folder is the current one, as a rule.
    monkeypatch.setattr(dotenv, "PROJECT", here / ".env")
    monkeypatch.setenv("HOME", str(made.folder))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(made.config))
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE", "ODYSSEY_ACCOUNT"):
        monkeypatch.delenv(name, raising=False)
    # botocore looks up the home when it is imported.
    for each in (credentials.SSOProvider, tokens.SSOTokenProvider):
        monkeypatch.setattr(each, "_SSO_TOKEN_CACHE_DIR", str(made.cache))
    # Every session would read the same megabytes of JSON again.
    monkeypatch.setattr(botocore.session, "create_loader", lambda *_: _loader())
    return made


@pytest.fixture
def amazon(home: Home, monkeypatch: pytest.MonkeyPatch) -> Amazon:
    """AWS, which is asked instead of the network."""
    made = Amazon()
    monkeypatch.setattr(URLLib3Session, "send", lambda _self, request: made.answer(request))
    return made

"""Credentials are renewed when they expire: the user's by their session, a role's by us."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.credentials import RefreshableCredentials

from odyssey_cli import account, target
from odyssey_cli.cloud import ACCOUNT, Cloud
from odyssey_cli.target import Target
from shared import times
from tests.unit.accounts import MINE

if TYPE_CHECKING:
    import pytest
    from botocore.awsrequest import AWSPreparedRequest

    from tests.unit.accounts import Amazon

ROLE = "arn:aws:iam::123456789012:role/service"
# botocore renews what ends within ten minutes, before it is used.
SOON, LATER = timedelta(minutes=5), timedelta(hours=1)


class Sts:
    """A caller whose credentials are renewed at each use, and the STS that is asked with them.

    Attributes:
        lasts: how long the credentials of the role last that STS gives.
        signed: the key of the caller's that signed each request.
    """

    def __init__(self, *lasts: timedelta) -> None:
        self.lasts = list(lasts)
        self.signed: list[str] = []
        self.roles: list[str] = []
        self._renewals = 0

    def session(self) -> boto3.Session:
        core: Any = botocore.session.Session()
        core._credentials = RefreshableCredentials.create_from_metadata(
            metadata=self._renew(), refresh_using=self._renew, method="test"
        )
        core.register("before-send.sts.AssumeRole", self._answer)
        return boto3.Session(region_name="eu-north-1", botocore_session=core)

    def _renew(self) -> dict[str, str]:
        self._renewals += 1
        return {
            "access_key": f"CALLER{self._renewals}",
            "secret_key": "secret",
            "token": "token",
            "expiry_time": (times.now() + SOON).isoformat(),
        }

    def _answer(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        header = request.headers["Authorization"]
        header = header.decode() if isinstance(header, bytes) else header
        found = re.search(r"Credential=(CALLER\d+)/\d+/eu-north-1/sts/", header)
        assert found
        self.signed.append(found[1])
        number, lasts = len(self.signed), self.lasts.pop(0)
        body = f"""<AssumeRoleResponse><AssumeRoleResult><Credentials>
            <AccessKeyId>ROLE{number}</AccessKeyId>
            <SecretAccessKey>secret {number}</SecretAccessKey>
            <SessionToken>token {number}</SessionToken>
            <Expiration>{(times.now() + lasts).isoformat()}</Expiration>
            </Credentials></AssumeRoleResult></AssumeRoleResponse>"""
        return Answer(request.url, body)


class Answer(AWSResponse):
    """An answer that has come already."""

    def __init__(self, url: str, body: str) -> None:
        super().__init__(url, 200, HTTPHeaders(), None)
        self._content = body.encode()


def of(session: boto3.Session) -> Target:
    return Target({"AWS_REGION": "eu-north-1"}, Path(), None, account=ACCOUNT, caller=session)


def key(to: Target) -> str:
    """Return the key with which a call would be signed now."""
    credentials = to.session.get_credentials()
    assert credentials is not None
    return str(credentials.get_frozen_credentials().access_key)


def test_on_aws_calls_are_made_by_the_session_that_the_user_confirmed() -> None:
    session = Sts().session()
    to = of(session)
    assert to.session is session
    # Its credentials, not a copy, are the ones that are renewed.
    first, second = key(to), key(to)
    assert first != second


def test_a_target_that_was_resolved_has_the_confirmed_session_and_its_account(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    monkeypatch.setenv("AWS_PROFILE", "mine")
    confirmed = account.log_in()
    monkeypatch.setattr(account, "log_in", lambda: confirmed)
    # WHEN
    to = target.resolve("aws", yes=True)
    # THEN
    assert to.session is confirmed.session
    assert to.caller is confirmed.session
    assert to.account == MINE
    # AND a role is assumed by it, whatever profile the shell names by then
    monkeypatch.setenv("AWS_PROFILE", "other")
    assert key(to) == "AKIAMINE"


def test_a_role_is_assumed_again_by_the_callers_session_when_its_credentials_end() -> None:
    # GIVEN credentials that end soon, once
    sts = Sts(SOON, LATER)
    to = of(sts.session()).in_role(ROLE)
    assert to.session.region_name == "eu-north-1"
    assert len(sts.signed) == 1
    # WHEN they are used
    assert key(to) == "ROLE2"
    # THEN the role was assumed again, with what the caller had by then
    assert len(sts.signed) == 2
    assert sts.signed[0] != sts.signed[1]
    # AND credentials that last are kept
    assert key(to) == "ROLE2"
    assert len(sts.signed) == 2


def test_a_role_in_a_role_is_of_the_same_caller() -> None:
    caller = of(Sts(LATER).session())
    to = caller.in_role(ROLE)
    assert (to.role, to.account, to.caller) == (ROLE, ACCOUNT, caller.caller)
    assert caller.role is None


def test_on_the_local_cloud_the_session_has_the_credentials_of_the_environment() -> None:
    running = Cloud(
        port=4566,
        endpoint="http://127.0.0.1:4566",
        pid=1,
        state=Path("/s"),
        started_at=0,
        clock_scale=20,
    )
    to = target.at(running)
    assert to.caller is None
    assert to.account == ACCOUNT
    assert key(to) == to.environment["AWS_ACCESS_KEY_ID"]
    assert to.session.region_name == to.environment["AWS_REGION"]

"""Who sends the requests: clients with nothing but the right to call, who sign what they send."""

from __future__ import annotations

import contextlib
import time
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, unquote_plus, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from odyssey_cli.demo import people
from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.pubsub import STACK as PUBSUB
from odyssey_cli.flows.pubsub.requests import signed
from odyssey_cli.flows.pubsub.speaker import Speaker

if TYPE_CHECKING:
    from collections.abc import Iterator

    import boto3

    from odyssey_cli.flows.pubsub.requests import Secrets
    from odyssey_cli.target import Target


class Signer(Protocol):
    """Makes a request authentic."""

    def headers(self, method: str, url: str, content_type: str, body: bytes) -> dict[str, str]:
        """Return the headers that say who sends exactly this."""


@dataclass(frozen=True)
class Client:
    """Somebody who may call an API.

    Attributes:
        base: the API's address, without a trailing slash.
        signer: what makes a request the client's.
        tables: the stack's, by their physical names.
    """

    base: str
    signer: Signer
    tables: tuple[str, ...]


@dataclass(frozen=True)
class SigV4:
    """Signs with IAM credentials; only what the signature must cover, so that any header passes."""

    session: boto3.Session

    def headers(self, method: str, url: str, content_type: str, body: bytes) -> dict[str, str]:
        """Sign method, address and body."""
        del content_type
        split = urlsplit(url)
        address = split._replace(query=canonical(split.query)).geturl()
        request = AWSRequest(method, address, {"host": split.netloc}, body)
        credentials = self.session.get_credentials()
        assert credentials is not None  # noqa: S101 - the session was made of some
        SigV4Auth(credentials, "execute-api", self.session.region_name).add_auth(request)
        return {name: value for name, value in request.headers.items() if name.lower() != "host"}


def canonical(query: str) -> str:
    """Return a query as SigV4 signs it: decoded and encoded again, each name with its value.

    botocore signs a query as it finds it, because it makes its own. "Create a signed AWS API
    request" (IAM User Guide), 2026-11-21. Bytes that are not UTF-8 are signed as the local cloud
    reads them, so that they get past it.
    """
    pairs = (each.partition("=") for each in query.split("&") if each)
    return "&".join(f"{_encoded(name)}={_encoded(value)}" for name, _, value in pairs)


def _encoded(text: str) -> str:
    return quote(unquote_plus(text, errors="replace"), safe="-_.~")


@dataclass(frozen=True)
class SlackOrToken:
    """Signs as Slack does what goes to Slack's route, and shows the token to the others."""

    secrets: Secrets

    def headers(self, method: str, url: str, content_type: str, body: bytes) -> dict[str, str]:
        """Sign the body, or show the token."""
        del method
        if not urlsplit(url).path.endswith("/slack"):
            return {"authorization": f"Bearer {self.secrets.token}"}
        made = signed(body, content_type, self.secrets.signing_secret, time.time())
        return {name: value for name, value in made.headers.items() if name != "content-type"}


def is_unauthentic(status: int, body: bytes) -> bool:
    """Say whether a client was taken for somebody else: what it sent has not been looked at."""
    return status == HTTPStatus.UNAUTHORIZED or (
        status == HTTPStatus.FORBIDDEN and b":INVALID_SIGNATURE" in body
    )


@contextlib.contextmanager
def client_of(stack: str, target: Target) -> Iterator[Client]:
    """Yield a client of a deployed stack's API, which has the stack's client policy and no more.

    Raises:
        OdysseyError: the stack is not deployed, or has no API.
    """
    outputs = target.outputs(stack)
    if "ApiUrl" not in outputs:
        raise OdysseyError(f"{stack} has no API.", "./odyssey openapi tells what one is like.")
    base, tables = outputs["ApiUrl"].rstrip("/"), _tables(stack, target)
    if stack == PUBSUB:
        yield Client(base, SlackOrToken(Speaker(target).secrets), tables)
        return
    name = f"fuzz-{uuid.uuid4().hex[:12]}"
    with people.client(target, name, outputs["ClientPolicyArn"]) as caller:
        yield Client(base, SigV4(caller.session), tables)


def _tables(stack: str, target: Target) -> tuple[str, ...]:
    pages = target.client("cloudformation").get_paginator("list_stack_resources")
    return tuple(
        each["PhysicalResourceId"]
        for page in pages.paginate(StackName=stack)
        for each in page["StackResourceSummaries"]
        if each["ResourceType"] in ("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable")
    )


def stored(client: Client, target: Target) -> dict[str, int]:
    """Return how many items each table of the stack has."""
    dynamodb = target.client("dynamodb")
    return {
        name: sum(
            page["Count"]
            for page in dynamodb.get_paginator("scan").paginate(
                TableName=name, Select="COUNT", ConsistentRead=True
            )
        )
        for name in client.tables
    }

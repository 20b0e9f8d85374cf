"""HTTP requests signed with IAM credentials (SigV4), over connections that stay open."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    import boto3

# API Gateway gives up on an integration after 29 seconds (Amazon API Gateway quotas, 2026-11-21).
_TIMEOUT = urllib3.Timeout(connect=5, read=30)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `body` is parsed when it is JSON, else text."""

    status: int
    content_type: str
    body: Any


class SignedClient:
    """Sends requests to one API; safe to share between threads.

    Args:
        base: the API's address, with a trailing slash.
        session: whose credentials sign; None sends unsigned requests.
        connections: how many stay open.
    """

    def __init__(self, base: str, session: boto3.Session | None, *, connections: int = 8) -> None:
        self._base = base
        self._region = session.region_name if session else ""
        self._credentials = session.get_credentials() if session else None
        # No retries: a client that measures or verifies must see every answer.
        self._pool = urllib3.PoolManager(maxsize=connections, retries=False, timeout=_TIMEOUT)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request.

        Raises:
            urllib3.exceptions.HTTPError: no answer came.
        """
        request = AWSRequest(method, self._base + path, dict(headers or {}), body)
        if self._credentials is not None:
            SigV4Auth(self._credentials, "execute-api", self._region).add_auth(request)
        sent = self._pool.request(
            method, self._base + path, body=body, headers=dict(request.headers)
        )
        content_type = sent.headers.get("content-type", "")
        text = sent.data.decode(errors="replace")
        is_json = "json" in content_type
        return Answer(sent.status, content_type, json.loads(text) if is_json and text else text)

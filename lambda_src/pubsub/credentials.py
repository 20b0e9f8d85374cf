"""The secrets that callers share with us, from Secrets Manager, kept for a minute."""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pubsub.authenticity import default_verification_token, is_same, is_signed
from shared.aws_errors import AWS_ERRORS
from shared.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from types_boto3_secretsmanager import SecretsManagerClient

# A secret that was rotated out is refused after this long.
MAX_AGE_SECONDS = 60
# One that was rotated in is accepted after this long at most: callers who show a wrong one, or
# none, make us ask Secrets Manager, but no more often.
MIN_AGE_SECONDS = 5


class UnusableSecret(RuntimeError):  # noqa: N818 - reads as the statement it is
    """A stored secret lacks what it must have; the text names it, never a value."""


class _Secret:
    """A stored JSON object of texts.

    Powertools' own cache goes by age alone. This one also looks again when what it has does not
    do, and does not when it has just looked.
    """

    def __init__(
        self, id: str, client: SecretsManagerClient, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._id = id
        self._client = client
        self._clock = clock
        self._asked = self._fetched = float("-inf")
        self._values: Mapping[str, Any] = {}

    def satisfies(self, check: Callable[[Mapping[str, Any]], bool]) -> bool:
        """Say whether `check` holds of the secret, or of the newer one that may be stored.

        Raises:
            UnusableSecret: what is stored is not what it must be, or was not to be had just now.
            ClientError, BotoCoreError: Secrets Manager does not give it.
        """
        now = self._clock()
        is_fresh = now - self._fetched < MAX_AGE_SECONDS
        may_ask = now - self._asked >= MIN_AGE_SECONDS
        if is_fresh:
            try:
                holds = check(self._values)
            except UnusableSecret:
                if not may_ask:
                    raise
            else:
                if holds or not may_ask:
                    return holds
        elif not may_ask:
            raise UnusableSecret(f"The secret {self._id} could not be read just now.")
        try:
            self._ask(now)
        except AWS_ERRORS:
            # Whoever shows nothing that is right must not cost the others what was.
            if not is_fresh:
                raise
        return check(self._values)

    def _ask(self, now: float) -> None:
        self._asked = now
        text = self._client.get_secret_value(SecretId=self._id).get("SecretString", "")
        self._fetched = now
        try:
            values = json.loads(text)
        except ValueError:
            values = None
        # A value that is wrong is kept, too: it is no use to ask for it with every request.
        self._values = values if isinstance(values, dict) else {}

    def _text(self, values: Mapping[str, Any], name: str) -> str:
        text = values.get(name)
        if not isinstance(text, str) or not text:
            raise UnusableSecret(f"The secret {self._id} has no text {name!r}.")
        return text


class SlackSecret(_Secret):
    """`{"signing_secret", "verification_token"?}`: what Slack shows of an app."""

    def has_signed(
        self, body: bytes, *, timestamp: str | None, signature: str | None, now: datetime
    ) -> bool:
        """Say whether Slack sent this request just now."""
        return self.satisfies(
            lambda values: is_signed(
                self._text(values, "signing_secret"),
                timestamp=timestamp,
                signature=signature,
                body=body,
                now=now,
            )
        )

    def has_token(self, token: str | None) -> bool:
        """Say whether `token` is the legacy webhook's."""
        return self.satisfies(lambda values: is_same(self._token(values), token))

    def _token(self, values: Mapping[str, Any]) -> str:
        if values.get("verification_token"):
            return self._text(values, "verification_token")
        return default_verification_token(self._text(values, "signing_secret"))


class ApiSecret(_Secret):
    """`{"token"}`: what `curl` sends as bearer token."""

    def require(self, headers: Mapping[str, str]) -> None:
        """Let a request pass that has the token.

        Raises:
            Problem: 401 if it has not.
        """
        scheme, _, token = (headers.get("authorization") or "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else None
        if not self.satisfies(lambda values: is_same(self._text(values, "token"), given)):
            raise unauthorized("Send the header Authorization: Bearer <token>.", scheme="Bearer")


def unauthorized(detail: str, *, scheme: str) -> Problem:
    """Return the problem of a request that is not authentic (401)."""
    return Problem(
        HTTPStatus.UNAUTHORIZED, "unauthorized", detail, headers={"WWW-Authenticate": scheme}
    )

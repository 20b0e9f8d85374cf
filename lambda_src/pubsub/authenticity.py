"""Whether a request is from whom it says: Slack's signature, or a token.

"Verifying requests from Slack", docs.slack.dev, 2026-11-21.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

SIGNATURE, TIMESTAMP = "x-slack-signature", "x-slack-request-timestamp"
# How far Slack's clock and ours may be apart; afterwards a recorded request is of no use.
WINDOW_SECONDS = 300
# Ten digits last until 2286; many more would only cost time to convert.
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature that Slack gives a request.

    Args:
        secret: the app's signing secret.
        timestamp: seconds since 1970, as the header says it.
        body: as it is sent.
    """
    base = b":".join([b"v0", timestamp.encode(), body])
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


def is_signed(
    secret: str, *, timestamp: str | None, signature: str | None, body: bytes, now: datetime
) -> bool:
    """Say whether Slack sent `body`, and not more than five minutes ago (or ahead)."""
    if not secret or timestamp is None or signature is None:
        return False
    if not _TIMESTAMP.fullmatch(timestamp):
        return False
    if abs(now.timestamp() - int(timestamp)) > WINDOW_SECONDS:
        return False
    return is_same(sign(secret, timestamp, body), signature)


def is_same(secret: str, given: str | None) -> bool:
    """Compare in a time that does not tell how much of `given` is right; nothing equals ''."""
    if not secret or given is None:
        return False
    return hmac.compare_digest(secret.encode(), given.encode(errors="surrogatepass"))


def default_verification_token(signing_secret: str) -> str:
    """Return the legacy webhook's token for as long as nobody has stored Slack's own.

    So that one generated secret lets all ways be tried; nobody can tell it who does not know
    the signing secret.
    """
    name = hmac.new(signing_secret.encode(), b"verification_token", hashlib.sha256)
    return name.hexdigest()[:24]

"""The requests that Slack and curl send, as Slack documents them.

"Implementing slash commands", "app_mention event", "Legacy: Outgoing Webhooks" and "Formatting
message text", docs.slack.dev, 2026-11-21.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from pubsub.authenticity import SIGNATURE, TIMESTAMP, default_verification_token, sign
from pubsub.slack import escaped
from pubsub.ways import CURL, EVENT, SLASH, WEBHOOK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
_TEAM, _CHANNEL, _USER, _BOT = "T0ODYSSEY", "C0GENERAL", "U0READER", "U0ODYSSEY"
TRIGGER = "odyssey:"
_SOMEBODY = {
    "team_id": _TEAM,
    "team_domain": "odyssey",
    "channel_id": _CHANNEL,
    "channel_name": "general",
    "user_id": _USER,
    "user_name": "reader",
}


@dataclass(frozen=True)
class Secrets:
    """What Slack and curl have to show.

    Attributes:
        signing_secret: Slack signs with it.
        verification_token: the legacy webhook's.
        token: curl's bearer token.
    """

    signing_secret: str
    verification_token: str
    token: str

    @classmethod
    def of(cls, slack: Mapping[str, str], api: Mapping[str, str]) -> Secrets:
        """Return those of the two stored secrets."""
        signing_secret = slack["signing_secret"]
        return cls(
            signing_secret,
            slack.get("verification_token") or default_verification_token(signing_secret),
            api["token"],
        )


@dataclass(frozen=True)
class Request:
    """A POST request; header names in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes


def request(way: str, text: str, *, delivery: str, secrets: Secrets, now: float) -> Request:
    """Return the request by which `text` comes in.

    Args:
        way: one of `pubsub.deliveries.WAYS`.
        text: what was typed.
        delivery: names the delivery; the same name is the same delivery.
        secrets: what to show.
        now: seconds since 1970.
    """
    return _WAYS[way](text, delivery, secrets, now)


def signed(body: bytes, content_type: str, secret: str, now: float) -> Request:
    """Return a request as Slack signs it."""
    timestamp = str(int(now))
    headers = {
        "content-type": content_type,
        TIMESTAMP: timestamp,
        SIGNATURE: sign(secret, timestamp, body),
    }
    return Request("slack", headers, body)


def _slash(text: str, delivery: str, secrets: Secrets, now: float) -> Request:
    form = _SOMEBODY | {
        "command": "/count",
        "text": escaped(text),
        "trigger_id": delivery,
        "response_url": "https://hooks.slack.com/commands/none",
        "api_app_id": "A0ODYSSEY",
    }
    return signed(urlencode(form).encode(), _FORM, secrets.signing_secret, now)


def _event(text: str, delivery: str, secrets: Secrets, now: float) -> Request:
    event = {
        "type": "event_callback",
        "team_id": _TEAM,
        "api_app_id": "A0ODYSSEY",
        "event_id": delivery,
        "event_time": int(now),
        "authorizations": [{"team_id": _TEAM, "user_id": _BOT, "is_bot": True}],
        "event": {
            "type": "app_mention",
            "user": _USER,
            "text": f"<@{_BOT}> {escaped(text)}",
            "ts": f"{now:.6f}",
            "channel": _CHANNEL,
        },
    }
    body = json.dumps(event, ensure_ascii=False).encode()
    return signed(body, _JSON, secrets.signing_secret, now)


def _webhook(text: str, delivery: str, secrets: Secrets, _now: float) -> Request:
    form = _SOMEBODY | {
        "token": secrets.verification_token,
        "service_id": "1",
        "timestamp": delivery,
        "text": f"{TRIGGER} {escaped(text)}",
        "trigger_word": TRIGGER,
    }
    return Request("slack", {"content-type": _FORM}, urlencode(form).encode())


def _curl(text: str, delivery: str, secrets: Secrets, _now: float) -> Request:
    headers = {
        "content-type": _JSON,
        "authorization": f"Bearer {secrets.token}",
        "idempotency-key": delivery,
    }
    return Request("words", headers, json.dumps({"text": text}, ensure_ascii=False).encode())


_WAYS: dict[str, Callable[[str, str, Secrets, float], Request]] = {
    SLASH: _slash,
    EVENT: _event,
    WEBHOOK: _webhook,
    CURL: _curl,
}

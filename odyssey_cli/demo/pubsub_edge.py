"""Requests to the word counter that must not count: unauthentic, too large, or a bot's."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from odyssey_cli.flows.pubsub.requests import Request, signed
from pubsub.authenticity import SIGNATURE, TIMESTAMP, WINDOW_SECONDS
from pubsub.deliveries import MAX_BODY_BYTES
from pubsub.ways import CURL, EVENT, SLASH, WEBHOOK
from pubsub.words import MAX_CHARACTERS, MAX_DISTINCT, MAX_WORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from odyssey_cli.demo.pubsub_drive import Drive

    Make = Callable[[Drive], Request]

_JSON = "application/json"


def _made(drive: Drive, way: str, text: str = "unauthentic") -> Request:
    return drive.speaker.request(text, way=way)


def _with(way: str, **headers: str | None) -> Make:
    """Return a request with other headers; None leaves one out."""
    changed = {name.replace("_", "-"): value for name, value in headers.items()}

    def make(drive: Drive) -> Request:
        made = _made(drive, way)
        new = {**made.headers, **changed}
        return replace(made, headers={name: text for name, text in new.items() if text is not None})

    return make


def _at(seconds: float) -> Make:
    """Return a request that was signed `seconds` from now."""

    def make(drive: Drive) -> Request:
        body, moment = _made(drive, EVENT).body, time.time() + seconds
        return signed(body, _JSON, drive.speaker.secrets.signing_secret, moment)

    return make


def _with_other_secret(way: str, **secrets: str) -> Make:
    def make(drive: Drive) -> Request:
        speaker, own = drive.speaker, drive.speaker.secrets
        speaker.secrets = replace(own, **secrets)
        try:
            return _made(drive, way)
        finally:
            speaker.secrets = own

    return make


def _with_other_body(drive: Drive) -> Request:
    made = _made(drive, EVENT)
    return replace(made, body=made.body.replace(b"unauthentic", b"unauthentiC"))


def _command_with_token(drive: Drive) -> Request:
    """Return a slash command that shows the webhook's token instead of a signature."""
    made = _made(drive, WEBHOOK)
    return replace(made, body=made.body + b"&command=%2Fcount")


UNAUTHENTIC: dict[str, Make] = {
    "no signature": _with(EVENT, **{SIGNATURE: None}),
    "no timestamp": _with(EVENT, **{TIMESTAMP: None}),
    "an empty signature": _with(SLASH, **{SIGNATURE: ""}),
    "a signature of another version": _with(SLASH, **{SIGNATURE: "v1=" + "0" * 64}),
    "another timestamp than was signed": _with(SLASH, **{TIMESTAMP: str(int(time.time()) - 1)}),
    "no number as timestamp": _with(SLASH, **{TIMESTAMP: "now"}),
    "signed with another secret": _with_other_secret(SLASH, signing_secret="guessed"),  # noqa: S106
    "another body than was signed": _with_other_body,
    "signed too long ago": _at(-WINDOW_SECONDS - 5),
    "signed too far ahead": _at(WINDOW_SECONDS + 30),
    "a wrong token": _with_other_secret(WEBHOOK, verification_token="guessed"),  # noqa: S106
    "an empty token": _with_other_secret(WEBHOOK, verification_token=""),
    "a token in place of a command's signature": _command_with_token,
    "a wrong signature beside the right token": _with(WEBHOOK, **{SIGNATURE: "v0=0"}),
    "no bearer token": _with(CURL, authorization=None),
    "a wrong bearer token": _with(CURL, authorization="Bearer guessed"),
    "another scheme": _with(CURL, authorization="Basic dGVzdDp0ZXN0"),
}


def _said(text: str) -> Make:
    return lambda drive: _made(drive, CURL, text)


def _by_a_bot(drive: Drive) -> Request:
    event = json.loads(_made(drive, EVENT).body)
    event["event"]["bot_id"] = "B0OTHER"
    return _signed(drive, event)


def _by_ourselves(drive: Drive) -> Request:
    event = json.loads(_made(drive, EVENT).body)
    event["event"]["user"] = event["authorizations"][0]["user_id"]
    return _signed(drive, event)


def _verification(drive: Drive) -> Request:
    return _signed(drive, {"type": "url_verification", "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY"})


def _signed(drive: Drive, event: dict[str, Any]) -> Request:
    body = json.dumps(event).encode()
    return signed(body, _JSON, drive.speaker.secrets.signing_secret, time.time())


# The status each must get comes first.
REFUSED: dict[str, Make] = {
    "400 a message too long": _said("x " * (MAX_CHARACTERS // 2) + "x"),
    "400 too many words": _said(" ".join(map(str, range(MAX_DISTINCT + 1)))),
    "400 a word too long": _said("é" * (MAX_WORD_BYTES // 2 + 1)),
    "400 no word": _said("— ! —"),
    "400 no JSON": lambda drive: replace(_made(drive, CURL), body=b"{"),
    "413 a body too large": lambda drive: replace(
        _made(drive, CURL), body=b" " * (MAX_BODY_BYTES + 1)
    ),
    "200 a bot's mention": _by_a_bot,
    "200 a mention of our own": _by_ourselves,
    "200 Slack's verification of the address": _verification,
}

"""Slack's three ways in: slash command, mention (Events API), legacy outgoing webhook.

"Implementing slash commands", "Using the Events API", "Legacy: Outgoing Webhooks" and
"Formatting message text", docs.slack.dev, 2026-11-21.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from pubsub import authenticity
from pubsub.credentials import unauthorized
from pubsub.deliveries import MAX_BODY_BYTES, Delivery
from pubsub.ways import EVENT, SLASH, WEBHOOK
from shared.identity import is_key, stable_id
from shared.problems import Problem, bad_request
from shared.requests import body_bytes, json_object_of, media_type_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from aws_lambda_powertools.utilities.data_classes.common import BaseProxyEvent

    from pubsub.credentials import SlackSecret

_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
# Slack sends about twenty.
_MAX_FIELDS = 50
# `<@U123>`, `<#C123|general>`, `<!here>`, `<https://example.com|label>`.
_REFERENCE = re.compile(r"<([^<>]*)>")


@dataclass(frozen=True)
class Unsaid:
    """An authentic request in which nobody says anything to us.

    Attributes:
        reason: why it does not count, for the log.
        answer: what Slack wants to hear.
    """

    reason: str
    answer: str = ""


_SSL_CHECK = Unsaid("a check of our certificate")


def read(request: BaseProxyEvent, *, secret: SlackSecret, now: datetime) -> Delivery | Unsaid:
    """Return what Slack wants.

    Raises:
        Problem: 413 if this is too large, 401 if it is not from Slack, 400 if it is and cannot
            be read.
    """
    body, media_type = body_bytes(request, max_bytes=MAX_BODY_BYTES), media_type_of(request)
    headers = request.headers
    if authenticity.SIGNATURE not in headers:
        return _webhook(body, media_type, secret)
    if not secret.has_signed(
        body,
        timestamp=headers.get(authenticity.TIMESTAMP),
        signature=headers.get(authenticity.SIGNATURE),
        now=now,
    ):
        raise unauthorized(
            "The signature is wrong, or older than five minutes.", scheme="Slack-Signature"
        )
    if media_type == _JSON:
        return _event(json_object_of(body))
    if media_type == _FORM:
        return _command(_form(body))
    raise bad_request("content-type", f"The content type is neither {_FORM} nor {_JSON}.")


def _webhook(body: bytes, media_type: str, secret: SlackSecret) -> Delivery | Unsaid:
    try:
        fields = _form(body) if media_type == _FORM else {}
    except Problem:
        # Who has not shown a token does not learn what is wrong with the rest.
        fields = {}
    # A slash command has a token, too, but it must be signed: its token does not expire.
    token = None if "command" in fields else fields.get("token")
    if not secret.has_token(token):
        raise unauthorized(
            "The request has neither Slack's signature nor the token of a legacy webhook.",
            scheme="Slack-Signature",
        )
    if fields.get("ssl_check") == "1":
        return _SSL_CHECK
    if fields.get("user_id") == "USLACKBOT" or fields.get("bot_id"):
        return Unsaid("a bot's message")
    names = ("team_id", "channel_id", "timestamp", "user_id")
    text = fields.get("text", "")
    text = _without(fields.get("trigger_word", ""), text)
    parts = [_required(fields, name) for name in names]
    return Delivery(id=stable_id(WEBHOOK, *parts), way=WEBHOOK, text=typed(text))


def _command(fields: Mapping[str, str]) -> Delivery | Unsaid:
    if fields.get("ssl_check") == "1":
        return _SSL_CHECK
    trigger_id = _required(fields, "trigger_id")
    text = typed(fields.get("text", ""))
    return Delivery(id=stable_id(SLASH, trigger_id), way=SLASH, text=text)


def _event(value: Mapping[str, Any]) -> Delivery | Unsaid:
    if value.get("type") == "url_verification":
        challenge = value.get("challenge")
        if not isinstance(challenge, str):
            raise bad_request("missing-field", "The verification has no text 'challenge'.")
        return Unsaid("a verification of our address", challenge)
    event = value.get("event")
    if value.get("type") != "event_callback" or not isinstance(event, dict):
        return Unsaid("no event")
    if event.get("type") != "app_mention":
        return Unsaid("no mention")
    if _is_by_a_bot(value, event):
        return Unsaid("a bot's message")
    text = event.get("text")
    if not isinstance(text, str):
        raise bad_request("missing-field", "The mention has no text 'text'.")
    return Delivery(id=stable_id(EVENT, _required(value, "event_id")), way=EVENT, text=typed(text))


def _is_by_a_bot(value: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Say whether a bot wrote it: another, or we ourselves, which would go on for ever."""
    if event.get("bot_id") or event.get("bot_profile") or event.get("subtype") == "bot_message":
        return True
    authorizations = value.get("authorizations")
    own = [
        each.get("user_id")
        for each in (authorizations if isinstance(authorizations, list) else [])
        if isinstance(each, dict) and each.get("is_bot")
    ]
    return event.get("user") in own


def typed(text: str) -> str:
    """Return what a person typed, of what Slack makes of it.

    Mentions of people and groups are no words that somebody said; channels and links become
    their names. Only `&amp;`, `&lt;` and `&gt;` are Slack's; `&eacute;` was typed.
    """
    plain = _REFERENCE.sub(_name, text)
    return plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def _without(trigger: str, text: str) -> str:
    """Return `text` without the trigger that it begins with; `county` does not with `count`."""
    begin, rest = text[: len(trigger)], text[len(trigger) :]
    goes_on = begin[-1:].isalnum() and rest[:1].isalnum()
    return rest if begin.casefold() == trigger.casefold() and not goes_on else text


def escaped(text: str) -> str:
    """Return `text` so that Slack shows it as it is: the reverse of `typed`."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _name(reference: re.Match[str]) -> str:
    target, _, label = reference[1].partition("|")
    if target.startswith(("@", "!")):
        return " "
    if target.startswith("#"):
        return f"#{label}" if label else " "
    return label or target


def _form(body: bytes) -> dict[str, str]:
    """Read a form; a field twice is as wrong as in JSON."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:  # of which UnicodeDecodeError is one
        raise bad_request("invalid-form", "The body is not a form in UTF-8.") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise bad_request("invalid-form", "The form has a field twice.")
    return fields


def _required(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not is_key(value):
        raise bad_request("missing-field", f"The request has no usable {name!r}.")
    return str(value)

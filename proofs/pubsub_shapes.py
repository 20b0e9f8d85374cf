"""What the word counter's functions are handed: requests by all four ways in, and messages.

Shapes: "Create AWS Lambda proxy integrations for HTTP APIs" (payload format 2.0) and "Using AWS
Lambda with Amazon SNS", 2026-11-21; "Implementing slash commands", "The app_mention event",
"Legacy: Outgoing Webhooks" and "Verifying requests from Slack", docs.slack.dev, 2026-11-21.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
STAMP = str(int(NOON.timestamp()))
SIGNING_SECRET = "signing-secret-of-slack"
VERIFICATION_TOKEN = "verification-token-of-slack"
API_TOKEN = "token-of-curl"
WAYS = ("slash", "event", "webhook", "curl")
BOT = "U0BOT"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"

TEXT = "awsadvent R&D C# 1+1 50% a;b x=y %41 Åsa café 😀"
WORDS = ["awsadvent", "r&d", "c#", "1+1", "50%", "a;b", "x=y", "%41", "åsa", "café", "😀"]

_numbers = itertools.count(1)
Request = dict[str, Any]


def http_request(
    method: str,
    path: str,
    *,
    body: bytes | str | None = None,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    parameters: Mapping[str, str] | None = None,
    request_id: str | None = None,
) -> Request:
    """Return an HTTP API's event; bytes come base64-encoded, as it hands forms over."""
    event: Request = {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": urlencode(query or {}),
        "headers": {
            "host": "a1b2c3.execute-api.us-east-1.amazonaws.com",
            **{name.lower(): value for name, value in (headers or {}).items()},
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3",
            "domainName": "a1b2c3.execute-api.us-east-1.amazonaws.com",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            },
            "requestId": request_id or f"request-{next(_numbers)}",
            "routeKey": f"{method} {path}",
            "stage": "$default",
            "time": "21/Nov/2026:12:00:00 +0000",
            "timeEpoch": 1_795_262_400_000,
        },
        "isBase64Encoded": isinstance(body, bytes),
    }
    if body is not None:
        event["body"] = base64.b64encode(body).decode() if isinstance(body, bytes) else body
    if query:
        event["queryStringParameters"] = dict(query)
    if parameters:
        event["pathParameters"] = dict(parameters)
    return event


def signature(body: bytes, *, secret: str = SIGNING_SECRET, timestamp: str | None = None) -> str:
    """Sign as Slack does, in words of our own."""
    timestamp = STAMP if timestamp is None else timestamp
    base = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.digest(secret.encode(), base, hashlib.sha256).hex()


def from_slack(
    body: bytes | str | None,
    *,
    kind: str | None = FORM,
    secret: str = SIGNING_SECRET,
    timestamp: str | None = None,
    changes: Mapping[str, str | None] | None = None,
    request_id: str | None = None,
) -> Request:
    """Return a signed `POST /slack`; `changes` are to its headers, None takes one away."""
    raw = body if isinstance(body, bytes) else (body or "").encode()
    timestamp = STAMP if timestamp is None else timestamp
    headers = {
        "Content-Type": kind,
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": signature(raw, secret=secret, timestamp=timestamp),
        **(changes or {}),
    }
    kept = {name: value for name, value in headers.items() if value is not None}
    return http_request("POST", "/slack", body=body, headers=kept, request_id=request_id)


def form(fields: Mapping[str, str | None]) -> bytes:
    """Return a form; a field that is None is left out."""
    return urlencode({name: text for name, text in fields.items() if text is not None}).encode()


def escape(text: str) -> str:
    """Return `text` as Slack hands it over."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def slash_fields(text: str, trigger_id: str = "13345224609.738474920.8088930838d8") -> Request:
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": "T0001",
        "team_domain": "example",
        "channel_id": "C2147483705",
        "channel_name": "test",
        "user_id": "U2147483697",
        "user_name": "Steve",
        "command": "/words",
        "text": text,
        "response_url": "https://hooks.slack.com/commands/1234/5678",
        "trigger_id": trigger_id,
        "api_app_id": "A123456",
    }


def webhook_fields(text: str, timestamp: str = "1355517523.000005") -> Request:
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": "T0001",
        "team_domain": "example",
        "channel_id": "C2147483705",
        "channel_name": "test",
        "timestamp": timestamp,
        "user_id": "U2147483697",
        "user_name": "Steve",
        "text": text,
        "trigger_word": "count:",
    }


def mention_value(text: str, event_id: str = "Ev0PV52K25") -> Request:
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": "T0001",
        "api_app_id": "A123456",
        "event": {
            "type": "app_mention",
            "user": "U061F7AUR",
            "text": text,
            "ts": "1515449522.000016",
            "channel": "C0LAN2Q65",
            "event_ts": "1515449522000016",
        },
        "type": "event_callback",
        "event_id": event_id,
        "event_time": 1_515_449_522,
        "authorizations": [
            {"enterprise_id": None, "team_id": "T0001", "user_id": BOT, "is_bot": True}
        ],
    }


def slash(text: str, /, *, request_id: str | None = None, **fields: Any) -> Request:
    """Return a slash command; `fields` are the form's, None takes one away."""
    return from_slack(form(slash_fields(escape(text)) | fields), request_id=request_id)


def mention(
    text: str, /, *, retry: int | None = None, request_id: str | None = None, **fields: Any
) -> Request:
    """Return a mention of our bot; `fields` are those around the event."""
    value = mention_value(f"<@{BOT}> {escape(text)}") | fields
    return of_event(value, retry=retry, request_id=request_id)


def of_event(value: object, *, retry: int | None = None, request_id: str | None = None) -> Request:
    """Return what Slack's Events API sends; `retry` is the number of the attempt, from 1."""
    again = (
        {}
        if retry is None
        else {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": "http_timeout"}
    )
    body = json.dumps(value, ensure_ascii=False)
    return from_slack(body, kind=JSON, changes=again, request_id=request_id)


def webhook(text: str, /, *, request_id: str | None = None, **fields: Any) -> Request:
    """Return a legacy outgoing webhook, which is not signed."""
    body = form(webhook_fields(f"count: {escape(text)}") | fields)
    return http_request(
        "POST", "/slack", body=body, headers={"Content-Type": FORM}, request_id=request_id
    )


def curl(
    body: object,
    *,
    key: str | None = None,
    token: str | None = f"Bearer {API_TOKEN}",
    kind: str | None = JSON,
    request_id: str | None = None,
) -> Request:
    """Return `POST /words`; a body that is no bytes or text is sent as JSON."""
    headers = {"Authorization": token, "Content-Type": kind, "Idempotency-Key": key}
    raw = body if isinstance(body, bytes | str | None) else json.dumps(body)
    kept = {name: value for name, value in headers.items() if value is not None}
    return http_request("POST", "/words", body=raw, headers=kept, request_id=request_id)


def say(way: str, text: str, id: str, *, request_id: str | None = None) -> Request:
    """Return `text`, said by one of the four ways, as the delivery that `id` names."""
    match way:
        case "slash":
            return slash(text, trigger_id=id, request_id=request_id)
        case "event":
            return mention(text, event_id=id, request_id=request_id)
        case "webhook":
            return webhook(text, timestamp=id, request_id=request_id)
    return curl({"text": text}, key=id, request_id=request_id)


def top(*, token: str | None = f"Bearer {API_TOKEN}", **query: str) -> Request:
    """Return `GET /words`."""
    headers = {} if token is None else {"Authorization": token}
    return http_request("GET", "/words", headers=headers, query=query)


def one(word: str, *, token: str | None = f"Bearer {API_TOKEN}") -> Request:
    """Return `GET /words/<word>` as the gateway hands it over, decoded."""
    headers = {} if token is None else {"Authorization": token}
    request = http_request("GET", f"/words/{word}", headers=headers, parameters={"word": word})
    return request | {"routeKey": "GET /words/{word}"}


def sns_record(message: str, *, id: str = "message-1", **attributes: str) -> dict[str, Any]:
    """Return a message of the topic as Lambda gets it."""
    return {
        "EventVersion": "1.0",
        "EventSubscriptionArn": "arn:aws:sns:us-east-1:123456789012:counted:21be56ed",
        "EventSource": "aws:sns",
        "Sns": {
            "SignatureVersion": "1",
            "Timestamp": "2026-11-21T12:00:00.000Z",
            "Signature": "tcc6faL2yUC6dgZdmrwh1Y4cGa",
            "SigningCertUrl": "https://sns.us-east-1.amazonaws.com/certificate.pem",
            "MessageId": id,
            "Message": message,
            "MessageAttributes": {
                name: {"Type": "String", "Value": value} for name, value in attributes.items()
            },
            "Type": "Notification",
            "UnsubscribeUrl": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
            "TopicArn": "arn:aws:sns:us-east-1:123456789012:counted",
            "Subject": None,
        },
    }


def sns_event(*messages: str) -> dict[str, Any]:
    """Return an event of a subscriber; SNS sends one message at a time."""
    return {"Records": [sns_record(text, id=f"m{n}") for n, text in enumerate(messages, 1)]}


def counted(words: Mapping[str, int], id: str = "1", **changes: Any) -> str:
    """Return the body of an announcement that a message was counted."""
    event = {
        "specversion": "1.0",
        "id": id,
        "source": "/aws-odyssey/pubsub",
        "type": "aws-odyssey.pubsub.counted",
        "time": "2026-11-21T12:00:00.000000Z",
        "datacontenttype": "application/json",
        "correlationid": f"request of {id}",
        "data": {
            "way": "curl",
            "words": [{"word": word, "occurrences": n} for word, n in words.items()],
        },
    }
    return json.dumps(event | changes, ensure_ascii=False)

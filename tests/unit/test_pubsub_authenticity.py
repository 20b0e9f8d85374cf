"""Who is not who they say gets 401: nothing is stored, published, or written to the log."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from proofs.pubsub_shapes import (
    API_TOKEN,
    FORM,
    JSON,
    NOON,
    SIGNING_SECRET,
    STAMP,
    VERIFICATION_TOKEN,
    Request,
    curl,
    form,
    from_slack,
    http_request,
    mention_value,
    one,
    signature,
    slash,
    slash_fields,
    top,
    webhook,
    webhook_fields,
)

if TYPE_CHECKING:
    from tests.word_counter import WordCounter

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
SAID = "hunter2"
COMMAND = form(slash_fields(SAID))
MENTION = json.dumps(mention_value(SAID))
OTHER_STAMP = str(int(STAMP) + 1)
UNICODE_STAMP = "".join(chr(0x0660 + int(digit)) for digit in STAMP)


def command(**changes: str | None) -> Request:
    """Return a slash command with other headers than Slack's."""
    names = {"signature": "X-Slack-Signature", "timestamp": "X-Slack-Request-Timestamp"}
    return from_slack(COMMAND, changes={names[name]: value for name, value in changes.items()})


def stamped(timestamp: str) -> Request:
    """Return a slash command that is signed for this time."""
    return from_slack(COMMAND, timestamp=timestamp)


def seconds(ahead: int) -> str:
    return str(int(NOON.timestamp()) + ahead)


def unsigned(body: bytes | str, kind: str = FORM, **headers: str) -> Request:
    return http_request("POST", "/slack", body=body, headers={"Content-Type": kind, **headers})


def other_body(body: bytes) -> Request:
    """Return a slash command signed for another body."""
    return from_slack(body, changes={"X-Slack-Signature": signature(COMMAND)})


SLACK = {
    "another secret": from_slack(COMMAND, secret="another"),
    "curl's token as the secret": from_slack(COMMAND, secret=API_TOKEN),
    "a byte changed": other_body(COMMAND.replace(b"hunter2", b"hunter3")),
    "a field more": other_body(COMMAND + b"&a=b"),
    "another time than was signed": command(timestamp=OTHER_STAMP),
    "301 seconds old": stamped(seconds(-301)),
    "301 seconds ahead": stamped(seconds(301)),
    "no time": command(timestamp=None),
    "no signature": command(signature=None),
    "neither": command(timestamp=None, signature=None),
    "an empty signature": command(signature=""),
    "an empty time": command(timestamp=""),
    "another version": command(signature=signature(COMMAND).replace("v0=", "v1=")),
    "capitals": command(signature=signature(COMMAND).upper()),
    "cut": command(signature=signature(COMMAND)[:-1]),
    "not ASCII": command(signature="v0=é😀"),
    "a time with a space": stamped(f" {STAMP}"),
    "a time with a sign": stamped(f"+{STAMP}"),
    "a negative time": stamped(f"-{STAMP}"),
    "a time in other digits": stamped(UNICODE_STAMP),
    "a huge time": stamped("9" * 4_000),
    "an event without signature": unsigned(MENTION, JSON),
    "an event with a wrong one": from_slack(MENTION, kind=JSON, secret="another"),
    "a challenge without signature": unsigned(
        json.dumps({"type": "url_verification", "challenge": SAID, "token": VERIFICATION_TOKEN}),
        JSON,
    ),
    "a slash command with the right token only": unsigned(COMMAND),
    "a wrong signature with the right token": unsigned(
        form(webhook_fields(SAID)),
        **{"X-Slack-Signature": "v0=" + "0" * 64, "X-Slack-Request-Timestamp": STAMP},
    ),
    "an empty signature with the right token": unsigned(
        form(webhook_fields(SAID)), **{"X-Slack-Signature": ""}
    ),
    "a webhook with a wrong token": webhook(SAID, token="wrong"),
    "a webhook with an empty token": webhook(SAID, token=""),
    "a webhook without token": webhook(SAID, token=None),
    "a webhook with half a token": webhook(SAID, token=VERIFICATION_TOKEN[:-1]),
    "a webhook with a token in capitals": webhook(SAID, token=VERIFICATION_TOKEN.upper()),
    "a webhook with a token and a space": webhook(SAID, token=f"{VERIFICATION_TOKEN} "),
    "a webhook with the signing secret": webhook(SAID, token=SIGNING_SECRET),
    "a webhook with curl's token": webhook(SAID, token=API_TOKEN),
    "a webhook with the token twice": unsigned(
        form(webhook_fields(SAID)) + b"&token=" + VERIFICATION_TOKEN.encode()
    ),
    "a webhook as JSON": unsigned(json.dumps(webhook_fields(SAID)), JSON),
    "a webhook of no content type": http_request("POST", "/slack", body=form(webhook_fields(SAID))),
    "a webhook that is no UTF-8": unsigned(form(webhook_fields(SAID)) + b"&a=%ff"),
    "a form that is none": unsigned(b"hunter2"),
    "a check of our certificate by nobody": unsigned(b"ssl_check=1"),
    "a check with a wrong token": unsigned(b"ssl_check=1&token=wrong"),
    "a check with a wrong signature": from_slack(b"ssl_check=1", secret="another"),
    "a check that is too old": from_slack(b"ssl_check=1", timestamp=seconds(-301)),
    "a check by a command with the right token only": unsigned(
        form({"command": "/count", "ssl_check": "1", "token": VERIFICATION_TOKEN})
    ),
    "nothing at all": http_request("POST", "/slack"),
    "curl's token": http_request(
        "POST", "/slack", body="{}", headers={"Authorization": f"Bearer {API_TOKEN}"}
    ),
}  # fmt: skip
TOKENS = {
    "no header": None,
    "an empty header": "",
    "nothing but the scheme": "Bearer",
    "an empty token": "Bearer ",
    "a wrong token": "Bearer wrong",
    "half a token": f"Bearer {API_TOKEN[:-1]}",
    "a token in capitals": f"Bearer {API_TOKEN.upper()}",
    "more than a token": f"Bearer {API_TOKEN} x",
    "a token twice": f"Bearer {API_TOKEN}, Bearer {API_TOKEN}",
    "another scheme": f"Basic {API_TOKEN}",
    "no scheme": API_TOKEN,
    "a scheme that begins so": f"Bearers {API_TOKEN}",
    "a tab": f"Bearer\t{API_TOKEN}",
    "a token that is not ASCII": "Bearer tökén😀",
    "Slack's signing secret": f"Bearer {SIGNING_SECRET}",
    "Slack's token": f"Bearer {VERIFICATION_TOKEN}",
    "megabytes": "Bearer " + "a" * 1_000_000,
}


def expect_refused(words: WordCounter, request: Request, scheme: str) -> None:
    """Check that a request is answered 401, does nothing, and shows nothing."""
    before = (dict(words.counts), dict(words.markers), len(words.published))
    # WHEN
    answer = words.answer(request)
    # THEN
    status, problem = words.post(request)
    assert (status, problem["type"]) == (401, "urn:aws-odyssey:problem:unauthorized")
    assert answer["headers"]["WWW-Authenticate"] == scheme
    # A secret that was just rotated in is known when Slack tries again.
    assert "X-Slack-No-Retry" not in answer["headers"]
    assert (dict(words.counts), dict(words.markers), len(words.published)) == before
    assert {line.get("problem") for line in words.lines} == {"unauthorized"}
    shown = words.log.getvalue() + json.dumps(answer)
    for secret in (SAID, SIGNING_SECRET, VERIFICATION_TOKEN, API_TOKEN):
        assert secret not in shown


@pytest.mark.parametrize("request_", SLACK.values(), ids=SLACK.keys())
def test_what_is_not_from_slack_is_refused(words: WordCounter, request_: Request) -> None:
    expect_refused(words, request_, "Slack-Signature")
    assert words.is_untouched()


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS.keys())
@pytest.mark.parametrize("path", ["say", "top", "one"])
def test_who_has_not_curls_token_is_refused(
    words: WordCounter, token: str | None, path: str
) -> None:
    requests = {
        "say": curl({"text": SAID}, token=token),
        "top": top(token=token),
        "one": one("x", token=token),
    }
    expect_refused(words, requests[path], "Bearer")
    assert words.is_untouched()
    # Nothing was read, either.
    assert set(words.operations) == {"GetSecretValue"}


def test_who_is_refused_does_not_learn_whether_the_rest_was_right(words: WordCounter) -> None:
    # GIVEN requests that would be 400
    wrong = [
        curl("{", token="Bearer wrong"),
        curl({"text": 1}, token="Bearer wrong", kind="text/plain"),
        curl({"text": "a"}, token="Bearer wrong", key="a b"),
        top(token="Bearer wrong", limit="x"),
        one("&", token="Bearer wrong"),
        from_slack("{", kind=JSON, secret="another"),
        from_slack("%ff", kind="text/plain", secret="another"),
    ]
    # WHEN / THEN
    assert [words.post(request)[0] for request in wrong] == [401] * len(wrong)


@pytest.mark.parametrize("token", [f"bearer {API_TOKEN}", f"BEARER   {API_TOKEN} "])
def test_the_scheme_is_read_as_http_says(words: WordCounter, token: str) -> None:
    assert words.post(curl({"text": "a"}, token=token))[0] == 200


@pytest.mark.parametrize("ahead", [-300, 0, 300])
def test_slacks_clock_may_be_five_minutes_off(words: WordCounter, ahead: int) -> None:
    assert words.post(stamped(seconds(ahead)))[0] == 200
    assert words.counts == {SAID: 1}


def test_a_recorded_request_is_of_no_use_after_five_minutes(words: WordCounter) -> None:
    recorded = slash(SAID)
    words.post(recorded)
    words.now += timedelta(seconds=300)
    assert words.post(recorded)[0] == 200
    words.now += timedelta(seconds=1)
    assert words.post(recorded)[0] == 401
    assert words.counts == {SAID: 1}


def test_headers_are_found_however_they_are_spelt(words: WordCounter) -> None:
    request = slash(SAID)
    request["headers"] = {name.title(): value for name, value in request["headers"].items()}
    assert words.post(request)[0] == 200
    assert words.counts == {SAID: 1}


def test_a_body_too_large_is_refused_before_anybody_is_asked_for_a_secret(
    words: WordCounter,
) -> None:
    for request in (unsigned(b"a" * 262_145), from_slack(b"a=" + b"b" * 262_143)):
        status, problem = words.post(request)
        assert (status, problem["type"]) == (413, "urn:aws-odyssey:problem:body-too-large")
    assert words.dynamodb.calls == []


@pytest.mark.parametrize("way", ["slash", "webhook", "curl"])
def test_what_is_counted_shows_neither_text_nor_secrets_in_the_log(
    words: WordCounter, way: str
) -> None:
    # GIVEN
    made: dict[str, Any] = {
        "slash": slash(SAID, request_id="r1"),
        "webhook": webhook(SAID, request_id="r1"),
        "curl": curl({"text": SAID}, request_id="r1"),
    }
    # WHEN
    assert words.post(made[way])[0] == 200
    # THEN
    [line] = words.lines
    found = (line["way"], line["outcome"], line["correlation_id"])
    assert found == (way, "MessagesCounted", "r1")
    for secret in (SAID, SIGNING_SECRET, VERIFICATION_TOKEN, API_TOKEN):
        assert secret not in words.log.getvalue()

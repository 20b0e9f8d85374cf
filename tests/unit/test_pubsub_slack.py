"""Slack's three ways in, from the gateway's event to what is counted, once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from proofs.pubsub_shapes import (
    BOT,
    FORM,
    JSON,
    TEXT,
    VERIFICATION_TOKEN,
    WAYS,
    WORDS,
    Request,
    form,
    from_slack,
    http_request,
    mention,
    mention_value,
    of_event,
    say,
    slash,
    slash_fields,
    webhook,
    webhook_fields,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.word_counter import WordCounter

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
ONCE = dict.fromkeys(WORDS, 1)
USER = "U061F7AUR"


def event_of(**changes: Any) -> Request:
    """Return a mention whose event, not what is around it, differs."""
    value = mention_value(f"<@{BOT}> a")
    value["event"] |= changes
    return of_event(value)


def as_slack_sends(text: str) -> list[Request]:
    """Return `text`, in Slack's own notation, by all of its ways."""
    webhook_form = form(webhook_fields(f"count: {text}"))
    return [
        from_slack(form(slash_fields(text))),
        of_event(mention_value(f"<@{BOT}> {text}")),
        http_request("POST", "/slack", body=webhook_form, headers={"Content-Type": FORM}),
    ]


def problem_of(words: WordCounter, request: Request) -> str:
    status, problem = words.post(request)
    assert status == 400
    assert words.is_untouched()
    return str(problem["type"]).removeprefix("urn:aws-odyssey:problem:")


@pytest.mark.parametrize("way", WAYS)
def test_the_same_words_are_counted_by_every_way_in(words: WordCounter, way: str) -> None:
    assert words.post(say(way, TEXT, "1"))[0] == 200
    assert words.counts == words.occurrences == ONCE


@pytest.mark.parametrize("way", WAYS)
def test_a_delivery_that_comes_three_times_counts_once(words: WordCounter, way: str) -> None:
    for _ in range(3):
        assert words.post(say(way, TEXT, "1"))[0] == 200
    assert words.counts == words.occurrences == ONCE
    words.post(say(way, TEXT, "2"))
    assert words.counts == dict.fromkeys(WORDS, 2)


def test_one_id_names_another_delivery_by_each_way(words: WordCounter) -> None:
    for way in WAYS:
        words.post(say(way, "a", "1"))
    assert words.counts == {"a": 4}


IDENTITIES: dict[str, tuple[Callable[..., Request], dict[str, str]]] = {
    "trigger_id": (slash, {"trigger_id": "other"}),
    "event_id": (mention, {"event_id": "other"}),
    "team": (webhook, {"team_id": "other"}),
    "channel": (webhook, {"channel_id": "other"}),
    "timestamp": (webhook, {"timestamp": "1355517523.000006"}),
    "user": (webhook, {"user_id": "other"}),
}
DETAILS: dict[str, tuple[Callable[..., Request], dict[str, Any]]] = {
    "the name of a slash command's user": (slash, {"user_name": "other"}),
    "where a slash command's answer goes": (slash, {"response_url": "https://other"}),
    "the time of an event": (mention, {"event_time": 7}),
    "the number of the attempt": (mention, {"retry": 3}),
    "the name of a webhook's channel": (webhook, {"channel_name": "other"}),
    "a field that Slack invents": (webhook, {"new_field": "other"}),
}


@pytest.mark.parametrize(("made", "changes"), IDENTITIES.values(), ids=IDENTITIES.keys())
def test_what_differs_in_its_identity_is_another_message(
    words: WordCounter, made: Callable[..., Request], changes: dict[str, str]
) -> None:
    words.post(made("a"))
    words.post(made("a", **changes))
    assert words.counts == {"a": 2}


@pytest.mark.parametrize(("made", "changes"), DETAILS.values(), ids=DETAILS.keys())
def test_what_differs_in_anything_else_is_the_same(
    words: WordCounter, made: Callable[..., Request], changes: dict[str, Any]
) -> None:
    words.post(made("a"))
    words.post(made("a", **changes))
    assert words.counts == {"a": 1}


def test_the_parts_of_a_webhooks_identity_do_not_run_together(words: WordCounter) -> None:
    words.post(webhook("a", team_id="T1", channel_id="1C"))
    words.post(webhook("a", team_id="T11", channel_id="C"))
    assert words.counts == {"a": 2}


def test_slacks_retries_of_an_event_count_once(words: WordCounter) -> None:
    answers = [words.post(mention("a b", retry=number)) for number in (None, 1, 2, 3)]
    assert answers == [(200, {"ok": True})] * 4
    assert words.counts == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    "challenge", ["3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P", TEXT]
)
def test_a_challenge_is_answered_with_itself_and_nothing_else(
    words: WordCounter, challenge: str
) -> None:
    request = of_event({"type": "url_verification", "challenge": challenge, "token": "x"})
    assert words.post(request) == (200, challenge)
    assert words.answer(request)["headers"]["Content-Type"] == "text/plain"
    assert words.is_untouched()


@pytest.mark.parametrize("challenge", [None, 1, ["a"]])
def test_a_challenge_without_text_is_refused(words: WordCounter, challenge: object) -> None:
    request = of_event({"type": "url_verification", "challenge": challenge})
    assert problem_of(words, request) == "missing-field"


NOTATION = {
    "escapes": ("R&amp;D &lt;b&gt; a&amp;b", ["r&d", "<b>", "a&b"]),
    "an escape that was typed": ("a&amp;lt;b a&amp;amp;amp;b", ["a&lt;b", "a&amp;amp;b"]),
    "what are no escapes of Slack's": ("a&eacute;b a&#65;b", ["a&eacute;b", "a&#65;b"]),
    "a person": ("hi <@U024BE7LH> and <@U024BE7LH|bob>", ["hi", "and"]),
    "a person between letters": ("a<@U024BE7LH>b", ["a", "b"]),
    "a group": ("<!subteam^SAZ94GDB8> <!subteam^S1|@team> a", ["a"]),
    "all of a channel": ("<!here> <!channel> <!everyone|everyone> a", ["a"]),
    "a channel": ("in <#C024BE7LR|general>", ["in", "#general"]),
    "a channel without name": ("in <#C024BE7LR>", ["in"]),
    "a link": ("see <https://example.com/?a=1&amp;b=2>", ["see", "https://example.com/?a=1&b=2"]),
    "a link with a label": ("see <https://example.com|our page>", ["see", "our", "page"]),
    "an address": ("<mailto:bob@example.com|bob@example.com>", ["bob@example.com"]),
    "brackets that were typed": ("&lt;@U024BE7LH&gt; &lt;!here&gt;", ["<@u024be7lh>", "<!here>"]),
    "a bracket alone": ("a < b > c", ["a", "b", "c"]),
    "plus signs and percent signs": ("1+1 50% %41 a%20b", ["1+1", "50%", "%41", "a%20b"]),
    "line breaks": ("a\nb\r\nc", ["a", "b", "c"]),
    "our own mention again": (f"a <@{BOT}> b", ["a", "b"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), NOTATION.values(), ids=NOTATION.keys())
def test_what_was_typed_is_counted_not_what_slack_makes_of_it(
    words: WordCounter, text: str, said: list[str]
) -> None:
    for number, request in enumerate(as_slack_sends(text), 1):
        assert words.post(request)[0] == 200
        assert words.counts == {word: number * said.count(word) for word in said}, request[
            "headers"
        ]


def test_the_name_of_a_slash_command_is_not_counted(words: WordCounter) -> None:
    words.post(slash("a"))
    assert words.counts == {"a": 1}


SSL_CHECK = form({"ssl_check": "1", "token": VERIFICATION_TOKEN})
IGNORED: dict[str, Request] = {
    "a check of our certificate": from_slack(SSL_CHECK),
    "a check that is a command": slash("a", ssl_check="1"),
    "a check with the webhook's token": http_request(
        "POST", "/slack", body=SSL_CHECK, headers={"Content-Type": FORM}
    ),
    "a check that is a webhook": webhook("a", ssl_check="1"),
    "another bot": event_of(bot_id="B1"),
    "a bot's profile": event_of(bot_profile={"id": "B1"}),
    "a message of a bot": event_of(subtype="bot_message"),
    "ourselves": event_of(user=BOT),
    "Slackbot's webhook": webhook("a", user_id="USLACKBOT", user_name="slackbot"),
    "a bot's webhook": webhook("a", bot_id="B1"),
    "a message that does not mention us": event_of(type="message"),
    "a reaction": event_of(type="reaction_added", text=None),
    "a change of our app": event_of(type="app_uninstalled"),
    "an event without type": event_of(type=None),
    "a warning": of_event({"type": "app_rate_limited", "minute_rate_limited": 1_518_467_820}),
    "no event": of_event({"type": "event_callback", "event_id": "E1"}),
    "an event that is a text": of_event({"type": "event_callback", "event": "app_mention"}),
    "something new": of_event({"type": "something_new"}),
    "nothing": of_event({}),
}


@pytest.mark.parametrize("request_", IGNORED.values(), ids=IGNORED.keys())
def test_what_is_none_of_our_business_is_ignored(words: WordCounter, request_: Request) -> None:
    assert words.post(request_) == (200, "")
    assert words.is_untouched()
    [line] = words.lines
    assert line["message"] == "ignored"


@pytest.mark.parametrize("value", ["0", "", "11"])
@pytest.mark.parametrize("made", [slash, webhook])
def test_what_is_said_not_to_be_a_check_is_counted(
    words: WordCounter, made: Callable[..., Request], value: str
) -> None:
    assert words.post(made("a", ssl_check=value))[0] == 200
    assert words.counts == {"a": 1}


def test_a_person_is_not_taken_for_our_bot(words: WordCounter) -> None:
    # GIVEN the app is also installed for a person, who mentions it
    value = mention_value("a") | {
        "authorizations": [{"user_id": USER, "is_bot": False}, {"user_id": BOT, "is_bot": True}]
    }
    words.post(of_event(value))
    assert words.counts == {"a": 1}


ODD = {
    "a user that is a list": event_of(user=[USER]),
    "a user that is an object": event_of(user={"id": USER}),
    "no user": event_of(user=None),
    "authorizations that are none": mention("a", authorizations="x"),
    "an authorization that is none": mention("a", authorizations=[None, 1, "x"]),
    "a bot whose id is a list": mention("a", authorizations=[{"is_bot": True, "user_id": []}]),
    "a bot whose id is an object": mention("a", authorizations=[{"is_bot": True, "user_id": {}}]),
    "a bot without id": mention("a", authorizations=[{"is_bot": True}]),
    "a type that is a list": of_event({"type": []}),
    "a type of event that is an object": event_of(type={}),
    "a subtype that is a list": event_of(subtype=[]),
}


@pytest.mark.parametrize("request_", ODD.values(), ids=ODD.keys())
def test_no_event_however_odd_is_a_failure_of_ours(words: WordCounter, request_: Request) -> None:
    assert words.post(request_)[0] < 500


KEYS = {
    "none": None,
    "an empty one": "",
    "one with a blank": "a b",
    "one with a line break": "a\nb",
    "one that is not ASCII": "é",
    "one too long": "x" * 256,
}


@pytest.mark.parametrize("value", KEYS.values(), ids=KEYS.keys())
@pytest.mark.parametrize(
    ("made", "name"),
    [
        (slash, "trigger_id"),
        (mention, "event_id"),
        *[(webhook, name) for name in ("team_id", "channel_id", "timestamp", "user_id")],
    ],
)
def test_a_delivery_without_usable_identity_is_refused(
    words: WordCounter, made: Callable[..., Request], name: str, value: str | None
) -> None:
    assert problem_of(words, made("a", **{name: value})) == "missing-field"


@pytest.mark.parametrize("value", [1, True, ["Ev1"], {"a": 1}])
def test_nor_is_a_number_or_a_list_an_identity(words: WordCounter, value: object) -> None:
    assert problem_of(words, mention("a", event_id=value)) == "missing-field"


@pytest.mark.parametrize("text", [None, 1, ["a"], {"a": "b"}])
def test_a_mention_without_text_is_refused(words: WordCounter, text: object) -> None:
    assert problem_of(words, event_of(text=text)) == "missing-field"


COMMAND = form(slash_fields("a"))
UNREADABLE: dict[str, tuple[Request, str]] = {
    "no content type": (from_slack(COMMAND, kind=None), "content-type"),
    "an empty content type": (from_slack(COMMAND, kind=""), "content-type"),
    "text": (from_slack(COMMAND, kind="text/plain"), "content-type"),
    "another kind of form": (from_slack(COMMAND, kind="multipart/form-data"), "content-type"),
    "a form that says it is JSON": (from_slack(COMMAND, kind=JSON), "invalid-json"),
    "JSON that says it is a form": (from_slack('{"a": 1}'), "invalid-form"),
    "an escape that is no UTF-8": (from_slack(COMMAND + b"&a=%ff"), "invalid-form"),
    "an escaped surrogate": (from_slack(COMMAND + b"&a=%ED%A0%80"), "invalid-form"),
    "bytes that are not ASCII": (from_slack(COMMAND + "&a=é".encode()), "invalid-form"),
    "bytes that are no UTF-8": (from_slack(COMMAND + b"&a=\xff"), "invalid-form"),
    "a field twice": (from_slack(COMMAND + b"&text=b"), "invalid-form"),
    "an identity twice": (from_slack(COMMAND + b"&trigger_id=b"), "invalid-form"),
    "a name twice, once escaped": (from_slack(COMMAND + b"&%74ext=b"), "invalid-form"),
    "no form": (from_slack(b"abc"), "invalid-form"),
    "a name without value": (from_slack(COMMAND + b"&abc"), "invalid-form"),
    "too many fields": (
        from_slack(form({f"f{number}": "" for number in range(51)})), "invalid-form",
    ),
    "an empty form": (from_slack(b""), "missing-field"),
    "a form without identity": (from_slack(b"text=a"), "missing-field"),
    "an empty event": (from_slack(b"", kind=JSON), "empty-body"),
    "an event that is cut": (from_slack(b'{"type"', kind=JSON), "invalid-json"),
    "an event that is no UTF-8": (from_slack(b'{"type": "\xff"}', kind=JSON), "invalid-json"),
    "an event with a name twice": (from_slack(b'{"type":1,"type":2}', kind=JSON), "invalid-json"),
    "an event that is a list": (from_slack(b"[]", kind=JSON), "not-an-object"),
    "an event with a lone surrogate": (from_slack(b'{"a":"\\ud800"}', kind=JSON), "invalid-json"),
}  # fmt: skip


@pytest.mark.parametrize(("request_", "type"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_is_from_slack_and_cannot_be_read_is_refused_once_and_for_all(
    words: WordCounter, request_: Request, type: str
) -> None:
    assert problem_of(words, request_) == type
    # Slack need not try it three times more.
    assert words.answer(request_)["headers"]["X-Slack-No-Retry"] == "1"


def test_a_form_is_the_same_whether_the_gateway_encoded_it_or_not(words: WordCounter) -> None:
    fields = form(slash_fields("Åsa 😀 1+1"))
    words.post(from_slack(fields))
    words.post(from_slack(fields.decode()))
    assert words.counts == {"åsa": 1, "😀": 1, "1+1": 1}


def test_an_event_is_the_same_whether_the_gateway_encoded_it_or_not(words: WordCounter) -> None:
    value = mention_value("Åsa 😀")
    for body in (json.dumps(value), json.dumps(value, ensure_ascii=False).encode()):
        assert words.post(from_slack(body, kind=f"{JSON}; charset=utf-8"))[0] == 200
    assert words.counts == {"åsa": 1, "😀": 1}


def test_what_says_it_is_base64_and_is_not_is_refused(words: WordCounter) -> None:
    request = from_slack("é") | {"isBase64Encoded": True}
    assert problem_of(words, request) == "invalid-base64"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("four", ["😀😀😀 ", "a&& ", "\u0301\u0301a ", "<>a "], ids=ascii)
def test_4000_characters_of_any_kind_come_through_every_way(
    words: WordCounter, way: str, four: str
) -> None:
    assert words.post(say(way, four * 1_000, "1"))[0] == 200
    assert list(words.counts.values()) == [1_000]


LIMITS = {
    "message-too-long": "a " * 2_000 + "b",
    "too-many-words": " ".join(f"w{number}" for number in range(501)),
    "word-too-long": "a " + "b" * 257,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("type", "text"), LIMITS.items(), ids=LIMITS.keys())
def test_what_is_beyond_a_limit_is_refused_by_every_way(
    words: WordCounter, way: str, type: str, text: str
) -> None:
    assert problem_of(words, say(way, text, "1")) == type

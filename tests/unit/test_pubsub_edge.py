"""The word counter's API takes any bytes: none is a failure of ours, none half counts."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from odyssey_cli.fuzz.hostile_json import BAD, BAD_CONTENT_TYPES, NOT_CARRIED, NOT_JSON
from proofs.pubsub_shapes import (
    API_TOKEN,
    FORM,
    JSON,
    STAMP,
    VERIFICATION_TOKEN,
    Request,
    curl,
    form,
    from_slack,
    http_request,
    mention_value,
    slash_fields,
    webhook_fields,
)
from tests.unit.test_strict_json import generated

if TYPE_CHECKING:
    from tests.word_counter import WordCounter

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
LIMIT = 256 * 1024
SAID = json.dumps({"text": "a"}).encode()


def padded(size: int) -> bytes:
    """Return a good body of exactly `size` bytes."""
    return SAID + b" " * (size - len(SAID))


HOSTILE: dict[str, Request] = {
    **{f"body: {name}": curl(body) for name, body in BAD.items()},
    **{f"text: {name}": curl(body.decode()) for name, body in (NOT_JSON | NOT_CARRIED).items()},
    **{f"content type {kind}": curl(SAID, kind=kind) for kind in BAD_CONTENT_TYPES},
    **{f"scalar {body!r}": curl(body) for body in (b"null", b"1", b'"a"', b"[]", b"true")},
    **{
        f"a text that is {json.dumps(value)}": curl({"text": value})
        for value in (None, 1, 1.5, True, ["a"], {"text": "a"})
    },
    "no body": curl(None),
    "an empty object": curl({}),
    "another field": curl({"text": "a", "words": ["a"]}),
    "a field with a long name": curl({"text": "a", "n" * 9_999: 1}),
    "a text in capitals": curl({"Text": "a"}),
    "base64 that is none": curl("{}") | {"isBase64Encoded": True},
    "base64 that is not even ASCII": curl("é") | {"isBase64Encoded": True},
    "a byte too long": curl(padded(LIMIT + 1)),
    "a byte too long, not encoded": curl(padded(LIMIT + 1).decode()),
    "megabytes": curl(b"x" * 6_000_000),
    "an empty key": curl(SAID, key=""),
    "a key with a blank": curl(SAID, key="a b"),
    "a key too long": curl(SAID, key="k" * 256),
    "a key that is not ASCII": curl(SAID, key="é"),
    "two keys, as the gateway joins them": curl(SAID, key="a, b"),
}


def type_of(words: WordCounter, request: Request) -> str:
    return str(words.post(request)[1]["type"]).removeprefix("urn:aws-odyssey:problem:")


def test_no_hostile_request_raises_is_answered_5xx_or_stores_anything(words: WordCounter) -> None:
    answers = {name: words.post(request) for name, request in HOSTILE.items()}
    wrong = {name: answer for name, answer in answers.items() if not 400 <= answer[0] < 500}
    assert wrong == {}
    assert words.is_untouched()


@pytest.mark.parametrize(
    ("request_", "status", "type"),
    [
        (curl(b"{"), 400, "invalid-json"),
        (curl(b"{}", kind="text/plain"), 400, "content-type"),
        (curl(b""), 400, "empty-body"),
        (curl(b"[]"), 400, "not-an-object"),
        (curl({}), 400, "no-text"),
        (curl({"text": 1}), 400, "no-text"),
        (curl({"text": "a", "b": 1}), 400, "unknown-field"),
        (curl({"text": "a"}, key="a b"), 400, "idempotency-key"),
        (curl({"text": "a"}, key=""), 400, "idempotency-key"),
        (curl(padded(LIMIT + 1)), 413, "body-too-large"),
    ],
)
def test_a_refusal_is_a_problem_with_a_stable_type(
    words: WordCounter, request_: Request, status: int, type: str
) -> None:
    assert words.post(request_)[0] == status
    assert type_of(words, request_) == type


def test_256_kib_are_read(words: WordCounter) -> None:
    for body in (padded(LIMIT), padded(LIMIT).decode()):
        assert words.post(curl(body, key="k"))[0] == 200
    assert words.counts == {"a": 1}


def test_how_much_is_allowed_is_said(words: WordCounter) -> None:
    detail = words.post(curl(padded(LIMIT + 1)))[1]["detail"]
    assert detail == "The body has more than 262144 bytes."


def test_the_longest_message_fits_however_slack_writes_it(words: WordCounter) -> None:
    # GIVEN 4,000 characters outside of the first plane, each twice, as twelve bytes
    value = mention_value("😀 " * 2_000)
    value["event"]["blocks"] = [{"type": "rich_text", "text": "😀" * 4_000}]
    body = json.dumps(value)
    assert 64 * 1024 < len(body) < LIMIT
    # WHEN / THEN
    assert words.post(from_slack(body, kind=JSON))[0] == 200
    assert words.counts == {"😀": 2_000}


@pytest.mark.parametrize("body", [SAID, SAID.decode(), b' {"\\u0074ext":\t"\\u0061"}\n'])
def test_a_good_body_is_taken_whether_the_gateway_encoded_it_or_not(
    words: WordCounter, body: bytes | str
) -> None:
    assert words.post(curl(body, kind="Application/JSON; charset=utf-8"))[0] == 200
    assert words.counts == {"a": 1}


def test_the_longest_key_is_a_key(words: WordCounter) -> None:
    for _ in range(2):
        assert words.post(curl(SAID, key="~" * 255))[0] == 200
    assert words.counts == {"a": 1}


def test_no_log_line_holds_a_body_that_was_refused(words: WordCounter) -> None:
    for body in ('{"hunter2":1,"hunter2":2}', {"hunter2": 1}, {"text": "hunter2" * 40}, "hunter2"):
        assert words.post(curl(body, request_id="r1"))[0] == 400
    assert {line["correlation_id"] for line in words.lines} == {"r1"}
    assert "hunter2" not in words.log.getvalue()


@pytest.mark.parametrize("headers", [{}, None])
def test_a_request_without_headers_is_refused(words: WordCounter, headers: Any) -> None:
    for request in (curl(SAID), from_slack(form(slash_fields("a")))):
        assert words.post(request | {"headers": headers})[0] in (400, 401)
    assert words.is_untouched()


class Fuzz:
    """Requests that are nearly right, or not at all."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311

    def request(self) -> Request:
        """Return a request to either route."""
        kind, body = self.body()
        if self._random.random() < 0.1:
            kind = self._random.choice(
                [FORM, f"{JSON}; charset=latin-1", "text/plain", self.text()]
            )
        if self._random.random() < 0.5:
            made = curl(body, kind=kind, key=self._maybe(self.text()))
        elif self._random.random() < 0.6:
            made = from_slack(body, kind=kind)
        else:
            made = http_request("POST", "/slack", body=body, headers={"Content-Type": kind})
        for _ in range(self._random.choice([0, 0, 1, 3])):
            names = [*made["headers"], "x-slack-signature", "x-slack-retry-num", "idempotency-key"]
            values = ["", self.text(), STAMP, f"Bearer {API_TOKEN}", "v0=", "9" * 30]
            made["headers"][self._random.choice(names)] = self._random.choice(values)
        if self._random.random() < 0.05:
            made["isBase64Encoded"] = not made["isBase64Encoded"]
        return made

    def body(self) -> tuple[str, bytes | str | None]:
        """Return a body, and of what type it nearly is."""
        kind = self._random.choice([FORM, JSON])
        good = form(self._fields()) if kind == FORM else json.dumps(self._value()).encode()
        match self._random.randrange(8):
            case 0:
                return kind, self._random.randbytes(self._random.choice([0, 1, 10, 1_000]))
            case 1:
                odd = [None, "", "&", "=", "%", "{}", "[]", "null", self.text()]
                return kind, self._random.choice(odd)
            case 2 | 3:
                return kind, self._damaged(good)
        return kind, good if kind == FORM else good.decode()

    def text(self) -> str:
        """Return a text of characters that mean something to somebody."""
        some = (
            "aZ09 &=%+#<>|@!;:/~`\"'\\\t\n\x00\x7fß\u0130\u0301\u200b\ufeff\ufffe😀<@U1>&amp;%ff%41"
        )
        return "".join(self._random.choices(some, k=self._random.choice([0, 1, 5, 30, 300])))

    def _fields(self) -> dict[str, str | None]:
        made = self._random.choice([slash_fields, webhook_fields])(self.text())
        changed = self._random.choices([*made, "bot_id", self.text()], k=self._random.randrange(3))
        made |= {name: self._random.choice([None, "", self.text()]) for name in changed}
        return made | {"token": self._random.choice([VERIFICATION_TOKEN] * 4 + [self.text()])}

    def _value(self) -> Any:
        """Return JSON: a mention or a body of curl's, or something made of them."""
        if self._random.random() < 0.4:
            made: Any = {"text": self.text()}
        else:
            made = mention_value(self.text())
        for _ in range(self._random.randrange(3)):
            inner = self._random.choice([made, *[v for v in made.values() if isinstance(v, dict)]])
            name = self._random.choice([*inner, "challenge", "subtype", "bot_id", "type"])
            inner[name] = self._random.choice(
                [None, self.text(), generated(self._random, 2), "url_verification", [inner.copy()]]
            )
        return made

    def _damaged(self, body: bytes) -> bytes:
        place = self._random.randrange(len(body) + 1)
        return body[:place] + self._random.randbytes(self._random.randrange(3)) + body[place + 1 :]

    def _maybe(self, text: str) -> str | None:
        return text if self._random.random() < 0.3 else None


def test_no_generated_request_is_a_failure_of_ours(words: WordCounter, seed: int) -> None:
    fuzz = Fuzz(seed)
    seen: set[int] = set()
    for number in range(800):
        # GIVEN
        request = fuzz.request()
        before = (words.counts, len(words.markers), len(words.published))
        # WHEN
        try:
            status, _ = words.post(request)
        except Exception as error:
            raise AssertionError(f"request {number}: {request!a}") from error
        # THEN
        assert status < 500, f"request {number}: {request!a}"
        if status >= 400:
            assert (words.counts, len(words.markers), len(words.published)) == before
        seen.add(status)
    # It gets past the door, too.
    assert {200, 400, 401} <= seen
    assert words.counts
    # AND whatever was counted can be multiplied and logged
    for record in words.published:
        words.multiply(record)
        words.log_words(record)
    assert words.rejected == []
    assert words.counts == {word: 11 * number for word, number in words.occurrences.items()}

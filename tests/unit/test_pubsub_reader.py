"""GET /words and GET /words/{word}, from the gateway's event to the answer."""

from __future__ import annotations

import base64
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from proofs.fakes.dynamodb import Call, refusal
from proofs.pubsub_shapes import TEXT, WORDS, curl, http_request, one, top
from pubsub.leaderboard import encoded
from shared.environment import MissingVariable

if TYPE_CHECKING:
    from proofs.pubsub_shapes import Request
    from tests.word_counter import WordCounter

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
BAD_LIMITS = [
    "",
    "0",
    "-1",
    "101",
    "1000",
    "1.0",
    "1e1",
    " 1",
    "+1",
    "x",
    "1,2",
    "\u0661",
    "9" * 5_000,
]


def said(words: WordCounter, counts: dict[str, int]) -> None:
    for word, count in counts.items():
        words.dynamodb.tables["words"][word] = {
            "id": {"S": word},
            "word_count": {"N": str(count)},
            "occurrences": {"N": str(count // 11)},
            "ranking": {"S": "all"},
        }


def problem_of(words: WordCounter, request: Request) -> tuple[int, str]:
    status, problem = words.get(request)
    return status, str(problem["type"]).removeprefix("urn:aws-odyssey:problem:")


def test_words_come_highest_count_first(words: WordCounter, seed: int) -> None:
    # GIVEN fifty words, some with equal counts, of one and of several digits
    generator = random.Random(seed)  # noqa: S311
    counts = {f"w{number}": generator.choice([9, 11, 22, 100, 1_000]) for number in range(50)}
    said(words, counts)
    # WHEN
    status, page = words.get(top(limit="50"))
    # THEN
    assert status == 200
    assert {each["word"]: each["count"] for each in page["words"]} == counts
    assert [each["count"] for each in page["words"]] == sorted(counts.values(), reverse=True)


def test_a_word_has_its_count_and_how_often_it_was_said(words: WordCounter) -> None:
    said(words, {"åsa": 33})
    assert words.get(top()) == (200, {"words": [{"word": "åsa", "count": 33, "occurrences": 3}]})
    assert words.get(one("åsa")) == (200, {"word": "åsa", "count": 33, "occurrences": 3})


def test_no_words_are_an_empty_list(words: WordCounter) -> None:
    assert words.get(top()) == (200, {"words": []})


@pytest.mark.parametrize(
    ("limit", "number"), [("1", 1), ("7", 7), ("99", 99), ("100", 100), ("007", 7)]
)
def test_as_many_words_come_as_were_asked_for(words: WordCounter, limit: str, number: int) -> None:
    said(words, {f"w{each}": each for each in range(11, 150)})
    status, page = words.get(top(limit=limit))
    assert status == 200
    assert [each["count"] for each in page["words"]] == list(range(149, 149 - number, -1))


def test_twenty_words_come_unless_told_otherwise(words: WordCounter) -> None:
    said(words, {f"w{each}": each for each in range(11, 50)})
    assert len(words.get(top())[1]["words"]) == 20
    assert len(words.get(top(other="1"))[1]["words"]) == 20


@pytest.mark.parametrize("limit", BAD_LIMITS, ids=range(len(BAD_LIMITS)))
def test_a_limit_out_of_range_is_refused(words: WordCounter, limit: str) -> None:
    assert problem_of(words, top(limit=limit)) == (400, "limit")


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_found_by_its_name_and_by_its_code(words: WordCounter, word: str) -> None:
    words.post(curl({"text": TEXT}))
    expected = (200, {"word": word, "count": 1, "occurrences": 1})
    assert words.get(one(word)) == expected
    assert words.get(one(encoded(word))) == expected


@pytest.mark.parametrize(
    ("stored", "name"),
    [
        ("r&d", "R&D"),
        ("café", "CAFÉ"),
        ("café", "cafe\u0301"),
        ("strasse", "Straße"),
        ("c#", "(C#)!"),
        ("a", " a "),
        ("a", "*a*"),
        ("a/b", "A/B"),
        ("οδοσ", "ΟΔΟΣ"),
        ("hello", "hello\u200e"),
        ("\u2764", "\u2764\ufe0f"),
    ],
)
def test_a_word_is_found_however_it_is_written(words: WordCounter, stored: str, name: str) -> None:
    said(words, {stored: 11})
    for path in (name, encoded(name)):
        assert words.get(one(path))[1]["word"] == stored


@pytest.mark.parametrize("word", ["a", "ab", "abc", "a/b", "50%", "😀", "a?>b", "ü~x", "ÿ" * 9])
def test_a_code_passes_through_any_path_and_comes_back(words: WordCounter, word: str) -> None:
    made = encoded(word)
    assert made.startswith("~")
    assert made[1:].replace("-", "").replace("_", "").isalnum()
    said(words, {"other": 22, word: 11})
    # With or without the padding that others may add.
    for name in (made, made + "=" * (-len(made[1:]) % 4)):
        assert words.get(one(name)) == (200, {"word": word, "count": 11, "occurrences": 1})


@pytest.mark.parametrize("name", ["x", "unknown", encoded("x"), "🇸🇪", "a\u200db"])
def test_a_word_that_nobody_said_is_not_found(words: WordCounter, name: str) -> None:
    said(words, {"a": 11})
    assert problem_of(words, one(name)) == (404, "unknown-word")


def code(raw: bytes) -> str:
    return "~" + base64.urlsafe_b64encode(raw).decode()


NO_WORDS = {
    "a sign": "&",
    "a dash": "—",
    "a blank": " ",
    "two words": "a b",
    "two words in code": encoded("a b"),
    "a sign in code": encoded("&"),
    "an empty code": "~",
    "a code of nothing": code(b""),
    "a code that is none": "~!",
    "a code that is not ASCII": "~é",
    "a code of one letter": "~a",
    "a code with too much padding": "~YQ=====",
    "a code of what is not UTF-8": code(b"\xff\xfe"),
    "a code of half a character": code("😀".encode()[:3]),
    "a code of a code point that is none": code(b"\xed\xa0\x80"),
    "half a character": "\ud800",
    "half a character at the end of a word": "a\ud800",
    "half a character in a code": "~\ud800",
    "what cannot be seen": "\u200e",
    "NUL": "\x00",
}


@pytest.mark.parametrize("name", NO_WORDS.values(), ids=NO_WORDS.keys())
def test_what_is_no_word_is_refused(words: WordCounter, name: str) -> None:
    said(words, {"a": 11, "b": 11})
    assert problem_of(words, one(name)) == (400, "not-a-word")


@pytest.mark.parametrize(
    ("name", "type"), [("a" * 257, "word-too-long"), ("a" + "." * 4_000, "message-too-long")]
)
def test_what_no_message_can_hold_is_refused(words: WordCounter, name: str, type: str) -> None:
    assert problem_of(words, one(name)) == (400, type)
    assert problem_of(words, one(encoded(name))) == (400, type)


@pytest.mark.parametrize("name", ["a\nb", "\n", "a\n", "\na"], ids=ascii)
def test_a_line_break_in_a_path_is_answered_as_any_other_white_space(
    words: WordCounter, name: str
) -> None:
    said(words, {"a": 11})
    assert words.get(one(name))[0] == (200 if name.strip() == "a" else 400)


@pytest.mark.parametrize(
    "name", ["\ud800", "a\ud800", "~\ud800", "..", "%00", "%", "~~", "a" * 9_999]
)
def test_no_path_is_a_failure_of_ours(words: WordCounter, name: str) -> None:
    assert words.get(one(name))[0] in (400, 404)


ERRORS = [("Query", top()), ("GetItem", one("a"))]


@pytest.mark.parametrize(("operation", "request_"), ERRORS)
def test_without_dynamodb_the_caller_is_told_to_come_again(
    words: WordCounter, operation: str, request_: Request
) -> None:
    def refuse(call: Call) -> None:
        if call.operation == operation:
            raise refusal("ThrottlingException", operation)

    words.dynamodb.before = refuse
    assert problem_of(words, request_) == (503, "unavailable")
    answer = words.answer(request_)
    assert answer["headers"]["Retry-After"] == "5"
    # It asked to read, so there is nothing to repeat by a key, nor anything that was counted.
    assert "idempotency-key" not in answer["headers"]
    assert "is counted," not in json.loads(answer["body"])["detail"]


def test_a_count_is_that_of_now(words: WordCounter) -> None:
    said(words, {"a": 11})
    words.get(one("a"))
    [call] = [each for each in words.dynamodb.calls if each.operation == "GetItem"]
    assert call.arguments["ConsistentRead"] is True


def test_each_answer_takes_one_call(words: WordCounter) -> None:
    words.get(top())
    words.dynamodb.calls.clear()
    words.get(top(limit="100"))
    words.get(one("a"))
    assert words.operations == {"Query": 1, "GetItem": 1}


@pytest.mark.parametrize("name", ["WORDS_TABLE", "RANKING", "API_SECRET"])
def test_a_variable_that_the_stack_forgot_is_named(
    words: WordCounter, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(MissingVariable, match=name):
        words.get(top())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/other"),
        ("GET", "/"),
        ("GET", "/words/"),
        ("GET", "/slack"),
        ("POST", "/other"),
        ("POST", "/words/a"),
        ("PUT", "/words"),
    ],
)
def test_another_path_is_not_found(words: WordCounter, method: str, path: str) -> None:
    # GIVEN a request that the gateway's routes would not let through
    request = http_request(method, path)
    # WHEN
    answer: dict[str, Any] = words.answer(request)
    # THEN
    assert problem_of(words, request) == (404, "unknown-path")
    assert answer["headers"]["X-Slack-No-Retry"] == "1"
    assert {(line["message"], line["problem"]) for line in words.lines} == {
        ("refused", "unknown-path")
    }
    assert words.dynamodb.calls == []


def test_words_are_in_the_answers_as_text_not_as_escapes_of_it(words: WordCounter) -> None:
    said(words, {"åsa😀": 11})
    for request in (top(), one("åsa😀")):
        assert '"word": "åsa😀"' in words.answer(request)["body"]

"""The topic's subscribers: what both do with a message, and that the logger writes every word."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from proofs.fakes.dynamodb import Call, refusal
from proofs.pubsub_shapes import TEXT, WORDS, counted, curl, sns_event, sns_record
from pubsub import multiplier, word_logger
from pubsub.subscribing import NotRejected
from shared.environment import MissingVariable
from tests.builders import FakeContext

if TYPE_CHECKING:
    from tests.word_counter import WordCounter

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
ID = "1"
SUBSCRIBERS = pytest.mark.parametrize("act", ["multiply", "log_words"])


def known(words: WordCounter, *said: str) -> None:
    """Count these words once, and forget how."""
    words.post(curl({"text": " ".join(said)}))
    words.dynamodb.tables["markers"].clear()
    words.dynamodb.calls.clear()
    words.log.truncate(0)
    words.log.seek(0)


def act_on(words: WordCounter, act: str, message: str, **attributes: str) -> None:
    getattr(words, act)(sns_record(message, **attributes))


def without(**changes: Any) -> str:
    """Return a message that differs; what is None is left out, as CloudEvents has it."""
    return counted({"a": 1}, **changes)


def with_words(*listed: Any) -> str:
    return counted({}, data={"way": "curl", "words": list(listed)})


def test_the_logger_writes_a_line_for_every_word(words: WordCounter) -> None:
    # WHEN
    words.log_words(sns_record(counted({word: n for n, word in enumerate(WORDS, 1)})))
    # THEN
    keys = ("level", "message", "word", "occurrences", "message_id", "way", "correlation_id")
    assert [tuple(line[key] for key in keys) for line in words.lines] == [
        ("INFO", "word", word, n, ID, "curl", f"request of {ID}") for n, word in enumerate(WORDS, 1)
    ]


def test_words_are_in_the_log_byte_for_byte(words: WordCounter) -> None:
    odd = [
        *WORDS,
        '"quoted"',
        "back\\slash",
        "{json}",
        "<b>",
        "👨\u200d👩\u200d👧",
        "ß\u2028".strip(),
    ]
    words.log_words(sns_record(counted(dict.fromkeys(odd, 1))))
    raw = words.log.getvalue().encode()
    for word in odd:
        assert b'"word":' + json.dumps(word, ensure_ascii=False).encode() in raw
    # One line each, whatever is in it.
    assert len(raw.splitlines()) == len(odd)


def test_500_words_are_500_lines(words: WordCounter) -> None:
    words.log_words(sns_record(counted({f"w{number}": 1 for number in range(500)})))
    assert words.logged == Counter({(ID, f"w{number}"): 1 for number in range(500)})
    # The logger needs nothing but its log.
    assert words.dynamodb.calls == []


def test_a_message_that_is_logged_again_has_the_same_id(words: WordCounter) -> None:
    for number in range(2):
        words.log_words(sns_record(counted({"a": 1, "b": 1}), id=f"m{number}"))
    assert words.logged == {(ID, "a"): 2, (ID, "b"): 2}


MALFORMED: dict[str, tuple[str, str]] = {
    "nothing": ("", "not JSON"),
    "no JSON": ("{", "not JSON"),
    "a person's text": ("Hello", "not JSON"),
    "a list": ("[]", "not a JSON object"),
    "JSON in a text": (json.dumps(counted({"a": 1})), "not a JSON object"),
    "no event": ('{"a": 1}', "specversion"),
    "a name twice": (counted({"a": 1})[:-1] + ', "id": "2"}', "appears twice"),
    "another version": (without(specversion="0.3"), "specversion"),
    "no id": (without(id=""), "'id'"),
    "no correlation id": (without(correlationid=None), "'correlationid'"),
    "no time": (without(time="now"), "'time'"),
    "another type": (without(type="aws-odyssey.discovery.uploaded"), "'aws-odyssey.discovery"),
    "no data": (without(data=None), "data is not a JSON object"),
    "data in a text": (without(data='{"way": "curl"}'), "data is not a JSON object"),
    "no way": (without(data={"words": [{"word": "a", "occurrences": 1}]}), "'way'"),
    "another way": (without(data={"way": "fax", "words": []}), "'way'"),
    "a way that is a list": (without(data={"way": ["curl"], "words": []}), "'way'"),
    "no words": (without(data={"way": "curl"}), "'words'"),
    "an empty list of words": (with_words(), "'words'"),
    "words that are a text": (without(data={"way": "curl", "words": "a b"}), "'words'"),
    "words that are an object": (without(data={"way": "curl", "words": {"a": 1}}), "'words'"),
    "501 words": (counted({f"w{number}": 1 for number in range(501)}), "'words'"),
    "a word twice": (with_words(*[{"word": "a", "occurrences": 1}] * 2), "a word twice"),
    **{
        f"a word that is {json.dumps(word)[:20]}": (with_words(word), "a word without text")
        for word in [
            None, "a", ["a", 1], {}, {"word": "a"}, {"occurrences": 1},
            {"word": "", "occurrences": 1}, {"word": 1, "occurrences": 1},
            {"word": None, "occurrences": 1}, {"word": "a" * 257, "occurrences": 1},
        ]
    },
    **{
        f"{json.dumps(number)} occurrences": (
            with_words({"word": "a", "occurrences": number}), "a word without text or number",
        )
        for number in [0, -1, 1.5, 1.0, "1", True, None, [1]]
    },
    "more occurrences than JSON holds": (
        with_words({"word": "a", "occurrences": 2**53}), "beyond",
    ),
}  # fmt: skip


@SUBSCRIBERS
@pytest.mark.parametrize(("message", "cause"), MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_none_of_ours_is_rejected_with_its_cause_and_changes_nothing(
    words: WordCounter, act: str, message: str, cause: str
) -> None:
    # GIVEN
    known(words, "a")
    before = {name: dict(table) for name, table in words.dynamodb.tables.items()}
    # WHEN
    act_on(words, act, message)
    # THEN the record is in the queue as it came
    [(record, attributes)] = words.rejected
    assert record == sns_record(message)
    assert cause in attributes.pop("cause")
    assert attributes == {
        "source": {"multiply": "multiplier", "log_words": "logger"}[act],
        "event_id": "message-1",
    }
    assert words.dynamodb.tables == before
    assert words.logged == {}


@SUBSCRIBERS
def test_what_is_new_in_a_message_does_not_matter(words: WordCounter, act: str) -> None:
    known(words, "a")
    word = {"word": "a", "occurrences": 1, "language": "en"}
    data = {"way": "curl", "words": [word], "team": "T1"}
    act_on(words, act, counted({}, data=data, traceparent="00-ab"), other="attribute")
    assert words.rejected == []
    assert words.counts == {"a": 11 if act == "multiply" else 1}


@SUBSCRIBERS
@pytest.mark.parametrize("side", ["before", "after"])
def test_when_the_rejects_queue_does_not_take_it_lambda_tries_again(
    words: WordCounter, act: str, side: str
) -> None:
    # GIVEN
    def refuse(call: Call) -> None:
        if call.operation == "SendMessageBatch":
            raise refusal("AccessDenied", call.operation)

    setattr(words.dynamodb, side, refuse)
    # WHEN
    with pytest.raises(NotRejected, match="AccessDenied"):
        act_on(words, act, "{")
    # THEN the next attempt rejects it
    setattr(words.dynamodb, side, lambda _call: None)
    act_on(words, act, "{")
    assert len(words.rejected) == (1 if side == "before" else 2)


@SUBSCRIBERS
def test_a_rejects_queue_that_refuses_the_message_alone_is_asked_again(
    words: WordCounter, act: str
) -> None:
    words.sqs.refuse_next = [1, 1]
    act_on(words, act, "{")
    assert len(words.rejected) == 1


@pytest.mark.parametrize("function", [multiplier, word_logger])
def test_a_good_message_beside_a_bad_one_is_not_held_up(words: WordCounter, function: Any) -> None:
    # GIVEN records that SNS would send one by one
    known(words, "a", "b")
    event = sns_event(counted({"a": 1}, "1"), "{", counted({"b": 1}, "2"))
    # WHEN
    function.handler(event, FakeContext())
    # THEN
    assert [record["Sns"]["MessageId"] for record, _ in words.rejected] == ["m2"]
    if function is multiplier:
        assert words.counts == {"a": 11, "b": 11}
    else:
        assert words.logged == {("1", "a"): 1, ("2", "b"): 1}


def test_what_happened_is_metrics(words: WordCounter, capsys: pytest.CaptureFixture[str]) -> None:
    # GIVEN
    known(words, "a", "b")
    capsys.readouterr()
    # WHEN
    for _ in range(2):
        words.multiply(sns_record(counted({"a": 1, "b": 1})))
    words.log_words(sns_record(counted({"a": 1, "b": 1})))
    words.multiply(sns_record("{"))
    # THEN
    names = ("MessagesMultiplied", "MessagesAlreadyMultiplied", "WordsLogged", "MessagesRejected")
    found = [
        {name: value for name, value in json.loads(line).items() if name in names}
        for line in capsys.readouterr().out.splitlines()
        if '"_aws"' in line
    ]
    assert found == [
        {"MessagesMultiplied": [1.0], "MessagesRejected": [0.0]},
        {"MessagesAlreadyMultiplied": [1.0], "MessagesRejected": [0.0]},
        {"WordsLogged": [2.0], "MessagesRejected": [0.0]},
        {"MessagesRejected": [1.0]},
    ]


@SUBSCRIBERS
def test_a_variable_that_the_stack_forgot_is_named(
    words: WordCounter, act: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REJECTS_QUEUE")
    with pytest.raises(MissingVariable, match="REJECTS_QUEUE"):
        act_on(words, act, "{")


def test_the_text_of_all_tests_is_multiplied_and_logged_as_it_was_counted(
    words: WordCounter,
) -> None:
    words.post(curl({"text": TEXT}))
    [record] = words.published
    words.multiply(record)
    words.log_words(record)
    assert words.counts == dict.fromkeys(WORDS, 11)
    assert [word for _, word in words.logged] == WORDS

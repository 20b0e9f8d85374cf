"""What whoever said something is told: sentences that people read, counts of that moment."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from proofs.fakes import faults
from proofs.pubsub_shapes import curl, mention, say, slash, webhook

if TYPE_CHECKING:
    from tests.word_counter import WordCounter

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")
MORE_LATER = "Each is worth 10 more in a moment."
MANY = " ".join(f"w{number:03}" for number in range(150))


def text_of(words: WordCounter, text: str, **fields: Any) -> str:
    status, answer = words.post(slash(text, **fields))
    assert status == 200
    return str(answer["text"])


def test_a_slash_command_is_answered_to_all_with_the_counts(words: WordCounter) -> None:
    assert words.post(slash("Hello hello, world!")) == (
        200,
        {
            "response_type": "in_channel",
            "text": f"Counted 3 words: hello 2, world 1. {MORE_LATER}",
        },
    )


def test_a_webhook_is_answered_with_the_same_sentence(words: WordCounter) -> None:
    assert words.post(webhook("Hello")) == (200, {"text": f"Counted 1 word: hello 1. {MORE_LATER}"})


def test_a_mention_is_acknowledged(words: WordCounter) -> None:
    assert words.post(mention("Hello")) == (200, {"ok": True})


def test_one_word_said_twice_is_two_words(words: WordCounter) -> None:
    assert text_of(words, "a a") == f"Counted 2 words: a 2. {MORE_LATER}"


def test_counts_are_those_of_the_moment_before_the_multiplier(words: WordCounter) -> None:
    # GIVEN a word that was said twice and multiplied
    text_of(words, "a a")
    for record in words.published:
        words.multiply(record)
    assert words.counts == {"a": 22}
    # WHEN / THEN
    expected = f"Counted 2 words: b 1, a 23. {MORE_LATER}"
    assert text_of(words, "b a", trigger_id="2") == expected


def test_what_comes_again_is_told_so_with_the_counts_of_now(words: WordCounter) -> None:
    text_of(words, "a b")
    text_of(words, "a", trigger_id="2")
    assert text_of(words, "a b") == "Counted before: a 2, b 1."


def test_what_slack_would_take_for_markup_is_escaped(words: WordCounter) -> None:
    # A channel that everybody is in must not be called by an answer.
    assert text_of(words, "R&D <!channel> a&lt;b") == (
        "Counted 3 words: r&amp;d 1, &lt;!channel&gt; 1, a&amp;lt;b 1. " + MORE_LATER
    )


@pytest.mark.parametrize(
    ("number", "end"),
    [(20, "w019 1. "), (21, "w019 1, and 1 more. "), (150, "w019 1, and 130 more. ")],
)
def test_twenty_words_are_shown_at_most(words: WordCounter, number: int, end: str) -> None:
    text = text_of(words, " ".join(MANY.split()[:number]))
    assert text.startswith(f"Counted {number} words: w000 1, w001 1, ")
    assert text.endswith(end + MORE_LATER)
    assert text.count(" 1,") + text.count(" 1.") == 20


@pytest.mark.parametrize("text", ["", "  ", "& — +", "<!here>", "\u200b"])
@pytest.mark.parametrize("way", ["slash", "webhook"])
def test_where_there_is_no_word_a_hint_says_so(words: WordCounter, way: str, text: str) -> None:
    request = slash("", text=text) if way == "slash" else webhook("", text=f"count: {text}")
    status, answer = words.post(request)
    assert status == 200
    assert answer == {"text": "There is no word in that. Say something, and its words are counted."}
    assert words.is_untouched()


def test_a_slash_command_without_text_gets_the_hint(words: WordCounter) -> None:
    assert words.post(slash("", text=None))[1]["text"].startswith("There is no word in that.")


def test_a_mention_without_word_is_acknowledged_and_stored_nowhere(words: WordCounter) -> None:
    assert words.post(mention("— &")) == (200, {"ok": True})
    assert words.is_untouched()


@pytest.mark.parametrize("text", ["", " ", "&"])
def test_curl_is_told_that_there_is_no_word(words: WordCounter, text: str) -> None:
    status, problem = words.post(curl({"text": text}))
    assert (status, problem["type"]) == (400, "urn:aws-odyssey:problem:no-words")
    assert words.is_untouched()


def test_curl_is_answered_with_every_words_count_and_the_sentence(words: WordCounter) -> None:
    status, answer = words.post(curl({"text": "R&D Åsa 😀 r&d"}, key="k"))
    assert status == 200
    assert answer.pop("message_id") == str(uuid.UUID(words.published_ids[0]))
    assert answer == {
        "repeated": False,
        "distinct_words": 3,
        "words": [
            {"word": "r&d", "occurrences": 2, "count": 2},
            {"word": "åsa", "occurrences": 1, "count": 1},
            {"word": "😀", "occurrences": 1, "count": 1},
        ],
        # Nothing is escaped: this is not Slack's.
        "text": f"Counted 4 words: r&d 2, åsa 1, 😀 1. {MORE_LATER}",
    }


def test_curl_is_told_that_its_message_came_again(words: WordCounter) -> None:
    first = words.post(curl({"text": "a"}, key="k"))[1]
    again = words.post(curl({"text": "a"}, key="k"))[1]
    assert (first["repeated"], again["repeated"]) == (False, True)
    assert again["text"] == "Counted before: a 1."
    assert {**again, "repeated": False, "text": first["text"]} == first


def test_curl_is_told_the_counts_of_the_first_hundred_words(words: WordCounter) -> None:
    answer = words.post(curl({"text": MANY}))[1]
    assert answer["distinct_words"] == 150
    assert [each["word"] for each in answer["words"]] == MANY.split()[:100]
    assert {(each["occurrences"], each["count"]) for each in answer["words"]} == {(1, 1)}
    assert answer["text"].endswith(f"and 130 more. {MORE_LATER}")


def test_equal_messages_without_key_are_two(words: WordCounter) -> None:
    ids = {words.post(curl({"text": "a"}))[1]["message_id"] for _ in range(2)}
    assert len(ids) == 2
    assert words.counts == {"a": 2}


@pytest.mark.parametrize("way", ["slash", "event", "webhook", "curl"])
def test_one_id_with_another_text_is_refused_and_the_first_stays(
    words: WordCounter, way: str
) -> None:
    # GIVEN
    words.post(say(way, "a b", "1"))
    before = (dict(words.counts), dict(words.markers), len(words.published))
    # WHEN even the words are the same
    for other in ("a", "a b c", "A b", "b a", "a  b"):
        status, problem = words.post(say(way, other, "1"))
        # THEN
        assert status == 422
        assert problem["type"] == "urn:aws-odyssey:problem:idempotency-key-reused"
    assert (dict(words.counts), dict(words.markers), len(words.published)) == before


def test_what_becomes_of_messages_is_metrics(
    words: WordCounter, capsys: pytest.CaptureFixture[str]
) -> None:
    words.post(curl({"text": "a"}, key="k"))
    words.post(curl({"text": "a"}, key="k"))
    words.post(curl("{"))
    words.post(slash("&"))
    words.post(mention("a", type="other"))
    words.dynamodb.before = faults.cancel_next(8)
    words.post(curl({"text": "a"}))
    found = [line for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    names = (
        "MessagesCounted",
        "MessagesRepeated",
        "MessagesIgnored",
        "RequestsRefused",
        "RequestsFailed",
    )
    assert [[name for name in names if f'"{name}":[1.0]' in line] for line in found] == [
        ["MessagesCounted"],
        ["MessagesRepeated"],
        ["RequestsRefused"],
        ["MessagesIgnored"],
        ["MessagesIgnored"],
        ["RequestsFailed"],
    ]

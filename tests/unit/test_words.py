"""What a word is: the rule of `pubsub.words`, case by case and over all of Unicode."""

from __future__ import annotations

import contextlib
import random
import sys
import time
import unicodedata

import pytest

from proofs.pubsub_shapes import TEXT, WORDS
from pubsub.words import Word, fold, read_words
from shared.problems import Problem

# A black flag, and tags that say which: characters that cannot be seen, either.
ENGLAND, SCOTLAND = (
    "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in code) + "\U000e007f"
    for code in ("gbeng", "gbsct")
)
# A list of what a text's words are; one twice is there twice.
ALL = {
    "the text of all tests": (TEXT, WORDS),
    # White space separates, whatever kind of it.
    "blanks": ("  a  b ", ["a", "b"]),
    "tabs and line breaks": ("a\tb\nc\r\nd", ["a", "b", "c", "d"]),
    "white space of Unicode": ("a\u00a0b\u2003c\u3000d\u2028e\u0085f", list("abcdef")),
    # So do control characters.
    "control characters": ("a\x00b\x07c\x1fd\x7fe\x9ff", list("abcdef")),
    "a zero-width space": ("a\u200bb", ["a", "b"]),
    "a byte order mark": ("\ufeffa\ufeffb", ["a", "b"]),
    # Letters are compared in one case and one composition.
    "capitals": ("Word WORD word", ["word"] * 3),
    "composed and decomposed": ("caf\u00e9 cafe\u0301", ["caf\u00e9"] * 2),
    "two accents in either order": ("a\u0323\u0307 a\u0307\u0323", ["\u1ea1\u0307"] * 2),
    "sharp s": ("Straße STRASSE STRA\u1e9eE", ["strasse"] * 3),
    "a dotted capital I": ("\u0130 i\u0307", ["i\u0307"] * 2),
    "a dotless i": ("\u0131 i", ["\u0131", "i"]),
    "a final sigma": ("ΟΔΟΣ οδος οδοσ", ["οδοσ"] * 3),
    "an iota below": ("\u1fb3 \u1fbc \u03b1\u0345", ["\u03b1\u03b9"] * 3),
    "an iota below and an accent, in either order": (
        "\u1fb4 \u03b1\u0345\u0301 \u03b1\u0301\u0345", ["\u03ac\u03b9"] * 3,
    ),
    "a Kelvin and an Ångström sign": ("\u212a K \u212b Å", ["k", "k", "å", "å"]),
    "a ligature": ("ﬁn FIN", ["fin"] * 2),
    "Cherokee, which folds to capitals": ("\uab70 \u13a0", ["\u13a0"] * 2),
    "Hangul": ("\ud55c \u1112\u1161\u11ab", ["\ud55c"] * 2),
    # Compatible is not the same: NFC, not NFKC.
    "a power": ("m² m2", ["m²", "m2"]),
    "full width": ("\uff41 a", ["\uff41", "a"]),
    # Punctuation at the ends goes.
    "sentence marks": ("Hello, world! (Really?)", ["hello", "world", "really"]),
    "quotes": ("\"a\" 'b' «c» “d” \u201ae\u2018", list("abcde")),
    "dashes": ("—a— -b-", ["a", "b"]),
    "a lot of it": ("...;,a!?!)", ["a"]),
    "marks of Unicode": ("¿qué? 「何」 ؟لا؟", ["qué", "何", "لا"]),
    "Slack's bold, italic, code and struck-out": ("*a* _b_ `c` ~d~ ```e```", list("abcde")),
    # What means something stays.
    "a language": ("C# c#, (C#)", ["c#"] * 3),
    "a percentage": ("50% (50%).", ["50%"] * 2),
    "an address": ("@home me@", ["@home", "me@"]),
    "a channel": ("#general, #general.", ["#general"] * 2),
    "signs that are no punctuation": ("+1 $5 5€ =x x^", ["+1", "$5", "5€", "=x", "x^"]),
    # Inside, everything stays.
    "inner punctuation": ("R&D a;b it's so-so 3.14", ["r&d", "a;b", "it's", "so-so", "3.14"]),
    "a path": ("/a/b/ https://example.com/?q=1", ["a/b", "https://example.com/?q=1"]),
    "escapes that nobody meant": ("%41 &eacute; \\u0041 a+b", ["%41", "eacute", "u0041", "a+b"]),
    # What cannot be seen goes from the ends, too, and stays inside.
    "marks of direction": ("a\u200e \u200fa \u202ba\u202c \u2067a\u2069", ["a"] * 4),
    "soft hyphens": ("\xadhello\xad hel\xadlo", ["hello", "hel\xadlo"]),
    "joiners at the ends": ("\u200da\u200d \u200ca\u200c \u2060a\u2060", ["a"] * 3),
    "selectors at the ends": ("\ufe0fa\ufe0f\ufe0f \ufe00a\ufe0e", ["a"] * 2),
    "all of it, among punctuation": ("(\u200e\u201chello!\u200e\u201d\ufe0f)", ["hello"]),
    "it, beside what is kept": ("c#\u200e 50%\ufe0f \u200f@home", ["c#", "50%", "@home"]),
    "a joiner inside": ("می\u200cروم a\u200db", ["می\u200cروم", "a\u200db"]),
    "a mark of direction and a selector inside": ("a\u200eb a\ufe0fb", ["a\u200eb", "a\ufe0fb"]),
    # Pictographs are words.
    "an emoji twice": ("😀 😀", ["😀"] * 2),
    "a family of three, joined": ("👨\u200d👩\u200d👧", ["👨\u200d👩\u200d👧"]),
    "a flag": ("🇸🇪", ["🇸🇪"]),
    "flags that differ in their tags": (f"{ENGLAND} ({SCOTLAND})! 🏴", [ENGLAND, SCOTLAND, "🏴"]),
    "a tone of skin": ("👍🏽 👍", ["👍🏽", "👍"]),
    "a heart, in colour and as text": ("\u2764\ufe0f \u2764\ufe0e \u2764", ["\u2764"] * 3),
    "a heart on fire": ("\u2764\ufe0f\u200d\U0001f525", ["\u2764\ufe0f\u200d\U0001f525"]),
    "a key": ("1\ufe0f\u20e3", ["1\ufe0f\u20e3"]),
    "an emoji in a sentence": ("Yes (😀)!", ["yes", "😀"]),
    # What has no letter, digit or pictograph is no word.
    "nothing": ("", []),
    "white space": (" \t\n\u2003", []),
    "dashes alone": ("— - \u2013 ―", []),
    "signs alone": ("& + = $ € < > | ^ # % @ ` ~ #% @@", []),
    "marks alone": ("\u0301 \ufe0f", []),
    "a joiner alone": ("\u200d", []),
    "what cannot be seen alone": ("\u200e \xad \u2060\ufe0f \U000e0067\U000e007f", []),
    "noncharacters and the unassigned": ("\ufdd0 \uffff \u0378", []),
    "private use": ("\ue000", []),
    "punctuation among words": ("a & b — c", ["a", "b", "c"]),
    "digits of other scripts": ("٣ ३ Ⅳ ½", ["٣", "३", "ⅳ", "½"]),
}  # fmt: skip


def texts(text: str) -> list[str]:
    """Return the words, each as often as it occurs, in the order of the first of each."""
    return [word.text for word in read_words(text) for _ in range(word.occurrences)]


def type_of_refusal(text: str) -> str:
    with pytest.raises(Problem) as refused:
        read_words(text)
    assert refused.value.status == 400
    assert refused.value.detail.endswith(".")
    return refused.value.type


@pytest.mark.parametrize(("text", "words"), ALL.values(), ids=ALL.keys())
def test_a_text_has_these_words(text: str, words: list[str]) -> None:
    assert texts(text) == words


@pytest.mark.parametrize(("text", "words"), ALL.values(), ids=ALL.keys())
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_words_are_the_same_in_either_composition(text: str, words: list[str], form: str) -> None:
    assert texts(unicodedata.normalize(form, text)) == words  # type: ignore[arg-type]


def test_words_come_in_the_order_in_which_they_first_appear_with_their_occurrences() -> None:
    assert read_words("b A b a c B") == (Word("b", 3), Word("a", 2), Word("c", 1))


@pytest.mark.parametrize("words", [words for _, words in ALL.values()], ids=ALL.keys())
def test_words_read_again_are_themselves(words: list[str]) -> None:
    assert texts(" ".join(words)) == words


EVERY = "".join(map(chr, [*range(0xD800), *range(0xE000, sys.maxunicode + 1)]))
# These are thousands each, and all alike.
UNIFORM = ("CJK UNIFIED", "HANGUL SYLLABLE", "TANGUT", "EGYPTIAN", "CUNEIFORM")
DIFFERENT = [
    each
    for each in EVERY
    if unicodedata.category(each) not in ("Cn", "Co")
    and not unicodedata.name(each, "").startswith(UNIFORM)
]


def test_folding_what_is_folded_changes_nothing_for_any_character() -> None:
    folded = fold(" ".join(EVERY))
    assert fold(folded) == folded


@pytest.mark.parametrize("neighbour", ["e", "\u0345", "e\u0345\u0301", "\u1100"], ids=ascii)
def test_nor_does_it_between_characters_that_join(neighbour: str) -> None:
    folded = fold(neighbour.join(DIFFERENT))
    assert fold(folded) == folded


def test_every_character_of_unicode_is_no_word_or_one_that_reads_as_itself() -> None:
    # GIVEN all that is assigned, alone and at either end of a word
    assert len(DIFFERENT) > 20_000
    for start in range(0, len(DIFFERENT), 160):
        part = DIFFERENT[start : start + 160]
        said = texts(" ".join(f"{each} x{each} {each}y" for each in part))
        # WHEN / THEN
        assert texts(" ".join(said)) == said


def test_texts_of_any_characters_read_again_as_themselves(seed: int) -> None:
    generator = random.Random(seed)  # noqa: S311
    # GIVEN texts with what is special more often than chance
    special = (
        "ßİς\u0345\u0301\u0327\u200d\u200e\xad\ufe0f\u200b\U000e0067\U000e007f"
        " \t#%@`~.,!(&+😀🏽🏴한\u1112\u1161aÅK\u1fbc"
    )
    for _ in range(300):
        text = "".join(
            generator.choice(special if generator.random() < 0.8 else EVERY) for _ in range(40)
        )
        said = texts(text)
        # WHEN / THEN
        assert texts(" ".join(said)) == said, ascii(text)


def test_no_text_is_read_slowly() -> None:
    started = time.perf_counter()
    for character in ("a", ".", "#", "😀", "\u0301", "\u1fb7", "\x00", "a ", "\u200e", "\ufe0f"):
        with contextlib.suppress(Problem):
            read_words((character * 4_000)[:4_000])
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("character", [" ", ".", "\u0301"], ids=ascii)
def test_a_message_of_4000_characters_is_read_and_one_of_4001_is_not(character: str) -> None:
    assert texts("a " + character * 3_998) == ["a"]
    assert type_of_refusal("a " + character * 3_999) == "message-too-long"


def test_characters_are_not_bytes() -> None:
    assert texts("😀 " * 2_000) == ["😀"] * 2_000


def test_500_distinct_words_are_read_and_501_are_not() -> None:
    words = [f"w{number}" for number in range(501)]
    assert texts(" ".join(words[:500])) == words[:500]
    assert type_of_refusal(" ".join(words)) == "too-many-words"


def test_words_that_differ_only_in_case_are_one_of_500() -> None:
    words = [f"w{number}" for number in range(500)]
    assert len(read_words(" ".join([*words, "W0", "(w1)", "&"]))) == 500


@pytest.mark.parametrize(
    ("fits", "exceeds"),
    [
        ("a" * 256, "a" * 257),
        ("é" * 128, "é" * 128 + "a"),
        ("😀" * 64, "😀" * 64 + "a"),
        # As it is stored, not as it was typed: folding makes it longer or shorter.
        ("ß" * 128, "ß" * 128 + "a"),
        ("\u212a" * 256, "\u212a" * 257),
        ("(" * 9 + "a" * 256 + ")" * 9, "#" + "a" * 256),
    ],
)
def test_a_word_of_256_bytes_is_read_and_one_of_257_is_not(fits: str, exceeds: str) -> None:
    [word] = read_words(fits)
    assert len(word.text.encode()) == 256
    assert type_of_refusal(exceeds) == "word-too-long"
    assert type_of_refusal(f"a {exceeds} b") == "word-too-long"

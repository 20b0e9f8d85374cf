"""What a word is, and which words a text has.

The one place that reads text: every later hop is handed words and never parses again.

The rule. White space and control characters separate. Words are compared in lower case
(Unicode's full case folding) and composed (NFC), so that `Straße` is `strasse` and both ways to
write `é` are one. Punctuation at either end is dropped, with the two marks ` and ~ in which
Slack wraps code and struck-out text, and what cannot be seen; `#`, `%` and `@` stay, because
`C#`, `50%` and `@home` mean something else without them. Whatever is inside stays: `R&D` is `r&d`,
`a;b` is one word. What has no letter, digit or pictograph is no word: `—`, `&` and `+` are not,
`😀` is.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

from shared.problems import bad_request

MAX_CHARACTERS = 4_000
MAX_DISTINCT = 500
MAX_WORD_BYTES = 256

# Beside white space: control characters, and the two invisible ones that texts pick up when
# they are copied (zero-width space, byte order mark).
_SEPARATORS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\ufeff]")
_KEPT_PUNCTUATION = frozenset("#%@")
_DROPPED_SYMBOLS = frozenset("`~")
# Marks of direction, joiners and the like (category Cf), and the selectors of a variant,
# such as text or picture. Tags are of the same category, and tell England's flag from Scotland's.
_SELECTORS = re.compile(r"[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_TAGS = re.compile(r"[\U000e0020-\U000e007f]")


@dataclass(frozen=True)
class Word:
    """A word in its one form, and how often a text has it."""

    text: str
    occurrences: int


def read_words(text: str) -> tuple[Word, ...]:
    """Return the words of `text`, in the order in which they first appear.

    Raises:
        Problem: 400 if the text or one of its words is too long, or has too many words.
    """
    if len(text) > MAX_CHARACTERS:
        raise bad_request(
            "message-too-long",
            f"The message has {len(text)} characters; {MAX_CHARACTERS} are allowed.",
        )
    tokens = (_trimmed(token) for token in _SEPARATORS.sub(" ", fold(text)).split())
    counts = Counter(token for token in tokens if is_word(token))
    if len(counts) > MAX_DISTINCT:
        raise bad_request(
            "too-many-words",
            f"The message has {len(counts)} different words; {MAX_DISTINCT} are allowed.",
        )
    for word in counts:
        if len(word.encode()) > MAX_WORD_BYTES:
            raise bad_request(
                "word-too-long",
                f"The word {word[:20]}… has {len(word.encode())} bytes; {MAX_WORD_BYTES} are "
                "allowed.",
            )
    return tuple(Word(text, occurrences) for text, occurrences in counts.items())


def fold(text: str) -> str:
    """Return `text` in the form in which words are compared."""
    # Decomposed first, because folding a composed character can differ ("The Unicode Standard",
    # 3.13, definition 145: canonical caseless matching).
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


def is_word(text: str) -> bool:
    """Say whether there is anything in `text` to be counted: a letter, a digit, a pictograph."""
    return any(unicodedata.category(each)[0] in "LN" or _is_pictograph(each) for each in text)


def _is_pictograph(character: str) -> bool:
    return unicodedata.category(character) == "So"


def _trimmed(token: str) -> str:
    start, end = 0, len(token)
    while start < end and _is_dropped(token[start]):
        start += 1
    while end > start and _is_dropped(token[end - 1]):
        end -= 1
    return token[start:end]


def _is_dropped(character: str) -> bool:
    if character in _DROPPED_SYMBOLS or _SELECTORS.match(character):
        return True
    category = unicodedata.category(character)
    if category == "Cf":
        return not _TAGS.match(character)
    return category.startswith("P") and character not in _KEPT_PUNCTUATION

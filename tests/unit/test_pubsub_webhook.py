"""The word that calls a legacy outgoing webhook is how one calls, not what one says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proofs.pubsub_shapes import webhook

if TYPE_CHECKING:
    from tests.word_counter import WordCounter

pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


@pytest.mark.parametrize(
    ("trigger", "text", "counts"),
    [
        ("count:", "count: a", {"a": 1}),
        ("count:", "count:a", {"a": 1}),
        ("count", "count count a count", {"count": 2, "a": 1}),
        ("count:", "a count: b", {"a": 1, "count": 1, "b": 1}),
        ("", "a b", {"a": 1, "b": 1}),
        (None, "a b", {"a": 1, "b": 1}),
        ("räkna", "räkna a", {"a": 1}),
        # Whatever its case,
        ("count", "Count a", {"a": 1}),
        ("Count:", "cOUNT:a", {"a": 1}),
        ("räkna", "RÄKNA a", {"a": 1}),
        ("count", "COUNT count", {"count": 1}),
        # and whatever follows, but for what is a word of its own.
        ("count", "count", {}),
        ("count", "count: a", {"a": 1}),
        ("count", "count, a", {"a": 1}),
        ("count", "county a", {"county": 1, "a": 1}),
        ("count", "COUNTY", {"county": 1}),
        ("count", "count2 a", {"count2": 1, "a": 1}),
        ("count", "countö", {"countö": 1}),
        ("count", "a count", {"a": 1, "count": 1}),
        ("count", "coun t", {"coun": 1, "t": 1}),
        ("!", "!a b", {"a": 1, "b": 1}),
    ],
)
def test_the_word_that_called_a_webhook_is_not_counted(
    words: WordCounter, trigger: str | None, text: str, counts: dict[str, int]
) -> None:
    words.post(webhook("", text=text, trigger_word=trigger))
    assert words.counts == counts

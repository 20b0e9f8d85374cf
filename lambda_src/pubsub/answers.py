"""What whoever said something is told."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aws_lambda_powertools.event_handler import Response

from pubsub.counting import MULTIPLIER, POINTS
from pubsub.deliveries import IDEMPOTENCY_KEY
from pubsub.slack import escaped
from pubsub.ways import EVENT, SLASH
from shared.answers import as_json
from shared.problems import bad_request

if TYPE_CHECKING:
    from pubsub.saying import Receipt

# Words in a sentence; more are no longer read.
_SHOWN = 20
_NO_WORDS = "There is no word in that. Say something, and its words are counted."


def for_curl(receipt: Receipt | None, idempotency_key: str) -> Response[str]:
    """Answer `curl`: the counts of the first hundred words, the sentence, and the key used.

    Raises:
        Problem: 400 if there was nothing to count.
    """
    if receipt is None:
        raise bad_request("no-words", _NO_WORDS)
    words = receipt.message.words
    return as_json(
        {
            "message_id": receipt.message.id,
            "repeated": receipt.repeated,
            "distinct_words": len(words),
            "words": [
                {
                    "word": word.text,
                    "occurrences": word.occurrences,
                    "count": receipt.counts[word.text],
                }
                for word in words
                if word.text in receipt.counts
            ],
            "text": sentence(receipt),
        },
        headers={IDEMPOTENCY_KEY: idempotency_key},
    )


def for_slack(way: str, receipt: Receipt | None) -> Response[str]:
    """Answer Slack: it shows a command's answer to all, and that to a mention to nobody."""
    if way == EVENT:
        return as_json({"ok": True})
    if receipt is None:
        return as_json({"text": _NO_WORDS})
    kind = {"response_type": "in_channel"} if way == SLASH else {}
    return as_json({**kind, "text": escaped(sentence(receipt))})


def sentence(receipt: Receipt) -> str:
    """Say the counts as they were before the subscribers' points."""
    words = receipt.message.words
    total = sum(word.occurrences for word in words)
    shown = [
        f"{word.text} {receipt.counts[word.text]}"
        for word in words[:_SHOWN]
        if word.text in receipt.counts
    ]
    if len(words) > len(shown):
        shown.append(f"and {len(words) - len(shown)} more")
    listed = ", ".join(shown) if receipt.counts else "the counts cannot be read now"
    if receipt.repeated:
        return f"Counted before: {listed}."
    number = "1 word" if total == 1 else f"{total} words"
    return f"Counted {number}: {listed}. Each is worth {POINTS[MULTIPLIER]} more in a moment."


def plain(text: str) -> Response[str]:
    """Answer with nothing but `text`."""
    return Response(status_code=HTTPStatus.OK, content_type="text/plain", body=text)

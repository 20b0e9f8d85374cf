"""Reading counts: of the words that were said most, or of one."""

from __future__ import annotations

import base64
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pubsub.counting import RANKING
from pubsub.words import read_words
from shared.problems import Problem, bad_request

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

# No word begins with it, so that it can mark an encoded one.
ENCODED = "~"
_SURROGATE = re.compile("[\\ud800-\\udfff]")


def read_top(size: int, *, table: str, index: str, client: DynamoDBClient) -> dict[str, Any]:
    """Return the `size` words with the highest counts, as the index has them by now."""
    answer = client.query(
        TableName=table,
        IndexName=index,
        KeyConditionExpression="ranking = :ranking",
        ExpressionAttributeValues={":ranking": {"S": RANKING}},
        ScanIndexForward=False,
        Limit=size,
    )
    return {"words": [_word(item) for item in answer["Items"]]}


def read_one(name: str, *, table: str, client: DynamoDBClient) -> dict[str, Any]:
    """Return a word's counts, as of now.

    Args:
        name: the word, as anybody may write it, or `encoded`.
        table: of words.
        client: for the table.

    Raises:
        Problem: 404 if nobody has said it, 400 if it is no word.
    """
    text = _decoded(name) if name.startswith(ENCODED) else name
    # A lone surrogate is no character, and DynamoDB takes none.
    words = () if _SURROGATE.search(text) else read_words(text)
    if len(words) != 1:
        raise bad_request("not-a-word", "The path must end in one word.")
    answer = client.get_item(TableName=table, Key={"id": {"S": words[0].text}}, ConsistentRead=True)
    if "Item" not in answer:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-word", "Nobody has said this word yet.")
    return _word(answer["Item"])


def encoded(word: str) -> str:
    """Return a word as it passes through any path: `%` and `/` may be decoded more than once."""
    return ENCODED + base64.urlsafe_b64encode(word.encode()).decode().rstrip("=")


def _decoded(name: str) -> str:
    text = name.removeprefix(ENCODED)
    try:
        padded = text + "=" * (-len(text) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except ValueError:
        raise bad_request("not-a-word", f"After {ENCODED} comes base64url of UTF-8.") from None


def _word(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "word": item["id"]["S"],
        "count": int(item["word_count"]["N"]),
        "occurrences": int(item["occurrences"]["N"]),
    }

"""Reading summaries: one by its id, or a page of them by rank."""

from __future__ import annotations

import base64
import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from event_aggregator.aggregation import RANKING
from shared.problems import Problem, bad_request
from shared.requests import page_size

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

ID = "[0-9a-f]{64}"
_ID = re.compile(ID)


def read_one(id: str, *, table: str, client: DynamoDBClient) -> dict[str, Any]:
    """Return one summary, as of now.

    Raises:
        Problem: 404 if there is none.
    """
    if _ID.fullmatch(id):
        answer = client.get_item(TableName=table, Key={"id": {"S": id}}, ConsistentRead=True)
        if "Item" in answer:
            return _summary(answer["Item"])
    raise unknown()


def unknown() -> Problem:
    """Return the problem of asking for a summary that is not there (404)."""
    return Problem(HTTPStatus.NOT_FOUND, "unknown-summary", "There is no summary with this id.")


def read_page(
    limit: str | None, cursor: str | None, *, table: str, index: str, client: DynamoDBClient
) -> dict[str, Any]:
    """Return a page of summaries, highest count first, and the cursor of the next if any.

    Counts that change while a client turns pages can move a summary across the page's edge.

    Raises:
        Problem: 400 for a limit out of range or a cursor that no page gave.
    """
    size = page_size(limit)
    start = {"ExclusiveStartKey": _decode(cursor)} if cursor is not None else {}
    answer = client.query(
        TableName=table,
        IndexName=index,
        KeyConditionExpression="ranking = :ranking",
        ExpressionAttributeValues={":ranking": {"S": RANKING}},
        ScanIndexForward=False,
        # One more than asked for tells whether there is a next page.
        Limit=size + 1,
        **start,  # type: ignore[arg-type]
    )
    items = answer["Items"]
    page: dict[str, Any] = {"summaries": [_summary(item) for item in items[:size]]}
    if len(items) > size:
        page["cursor"] = _encode(items[size - 1])
    return page


def _summary(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": item["id"]["S"],
        "group": item["group_label"]["S"],
        "item_count": int(item["item_count"]["N"]),
        "first_seen": item["first_seen"]["S"],
        "last_seen": item["last_seen"]["S"],
    }


def _encode(last: dict[str, Any]) -> str:
    position = json.dumps([int(last["item_count"]["N"]), last["id"]["S"]])
    return base64.urlsafe_b64encode(position.encode()).decode()


def _decode(cursor: str) -> dict[str, Any]:
    try:
        position = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        position = None
    match position:
        # To Python, true is an integer.
        case [rank, str(id)] if type(rank) is int and 0 < rank < 2**53 and _ID.fullmatch(id):
            return {
                "ranking": {"S": RANKING},
                "item_count": {"N": str(rank)},
                "id": {"S": id},
            }
    raise bad_request("cursor", "cursor must be one that an earlier page gave.")

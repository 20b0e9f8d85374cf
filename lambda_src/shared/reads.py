"""Reading many items of a table in as few calls as DynamoDB's limits allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.transactions import Contended, backoff

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient

    from shared.transactions import Tries

# Keys in one BatchGetItem ("Quotas in Amazon DynamoDB", 2026-11-21).
MAX_KEYS = 100


def batch_get(
    client: DynamoDBClient,
    ids: Sequence[str],
    *,
    table: str,
    attributes: str,
    tries: Tries = backoff,
) -> Iterator[Mapping[str, Any]]:
    """Yield those of the items that exist, as of now, in DynamoDB's form and in no order.

    Args:
        client: for the table.
        ids: of the items, each once.
        table: whose key is `id`.
        attributes: those to read, separated by commas; no reserved words.
        tries: paces repeated reads of what DynamoDB left out.

    Raises:
        Contended: DynamoDB left some out every time.
    """
    for start in range(0, len(ids), MAX_KEYS):
        pending: Mapping[str, Any] = {
            table: {
                "Keys": [{"id": {"S": each}} for each in ids[start : start + MAX_KEYS]],
                "ConsistentRead": True,
                "ProjectionExpression": attributes,
            }
        }
        for _ in tries():
            answer = client.batch_get_item(RequestItems=pending)
            yield from answer["Responses"].get(table, [])
            pending = answer["UnprocessedKeys"]
            if not pending:
                break
        else:
            raise Contended("Some items could not be read now.")

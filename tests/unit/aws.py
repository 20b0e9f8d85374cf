"""moto's DynamoDB, and the tables of the event aggregator in it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Aws:
    """A client that moto answers."""

    client: DynamoDBClient

    def items(self, table: str) -> list[dict[str, Any]]:
        """Return all items of a table."""
        return self.client.scan(TableName=table)["Items"]


def make_table(
    client: DynamoDBClient, *, ranking: str | None = None, rank: str = "item_count"
) -> str:
    """Make a table keyed by `id`, with the index `ranking` if any; return its new name."""
    name = f"table-{next(_numbers)}"
    types = {"id": "S", **({"ranking": "S", rank: "N"} if ranking else {})}
    index = {
        "IndexName": ranking,
        "KeySchema": [
            {"AttributeName": "ranking", "KeyType": "HASH"},
            {"AttributeName": rank, "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "ALL"},
    }
    indexes: Any = {"GlobalSecondaryIndexes": [index]} if ranking else {}
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": each, "AttributeType": kind}  # type: ignore[typeddict-item]
            for each, kind in types.items()
        ],
        BillingMode="PAY_PER_REQUEST",
        **indexes,
    )
    return name

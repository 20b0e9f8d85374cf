"""A DynamoDB table, on demand, whose users are granted exactly the calls they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_dynamodb as dynamodb

from constructs import Construct
from odyssey_constructs.encryption import encryption_key
from odyssey_constructs.findings import acknowledge
from odyssey_constructs.retention import removal_policy

if TYPE_CHECKING:
    from odyssey_constructs.client import Client
    from odyssey_constructs.config import Config
    from odyssey_constructs.function import PythonFunction

TIME_TO_LIVE = "expires_at"


class Table(Construct):
    """A table keyed by a string attribute, or by two.

    Args:
        scope: the parent.
        id: the name within the parent.
        config: the app's settings.
        partition_key: the attribute that finds an item, or with a sort key the items of one kind.
        sort_key: the attribute that tells and orders items of the same partition key; none by
            default.
        stream: whether inserts are streamed, with the new item.

    Items may carry `expires_at` (seconds since 1970), after which DynamoDB deletes them.
    In prod the table survives its stack, keeps point-in-time backups for 35 days, refuses
    deletion and is encrypted with the stack's own key.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: Config,
        partition_key: str = "id",
        sort_key: str | None = None,
        stream: bool = False,
    ) -> None:
        super().__init__(scope, id)
        self.key = encryption_key(self, config=config)
        self.table = dynamodb.Table(
            self,
            "Table",
            partition_key=_text(partition_key),
            sort_key=_text(sort_key) if sort_key else None,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute=TIME_TO_LIVE,
            stream=dynamodb.StreamViewType.NEW_IMAGE if stream else None,
            encryption=(
                dynamodb.TableEncryption.CUSTOMER_MANAGED
                if self.key
                else dynamodb.TableEncryption.DEFAULT
            ),
            encryption_key=self.key,
            removal_policy=removal_policy(config),
            deletion_protection=config.is_prod,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=config.is_prod
            ),
        )
        if not config.is_prod:
            acknowledge(
                self.table,
                "AwsSolutions-DDB3",
                "A dev table holds a learner's throw-away data, and deleting a table with "
                "point-in-time recovery leaves a backup behind for 35 days.",
            )

    def add_ranking(self, name: str, *, partition_key: str, rank: str) -> None:
        """Add an index that orders the items of one `partition_key` by the number `rank`.

        Items without both attributes are not in it.
        """
        self.table.add_global_secondary_index(
            index_name=name,
            partition_key=_text(partition_key),
            sort_key=dynamodb.Attribute(name=rank, type=dynamodb.AttributeType.NUMBER),
        )

    def allow_get(self, who: PythonFunction | Client) -> None:
        """Let `who` read one item by its id."""
        self._allow(who, "dynamodb:GetItem")

    def allow_batch_get(self, who: PythonFunction | Client) -> None:
        """Let `who` read up to a hundred items by their ids."""
        self._allow(who, "dynamodb:BatchGetItem")

    def allow_put(self, who: PythonFunction | Client) -> None:
        """Let `who` put items, alone or in a transaction."""
        self._allow(who, "dynamodb:PutItem")

    def allow_update(self, who: PythonFunction | Client) -> None:
        """Let `who` update items, alone or in a transaction."""
        self._allow(who, "dynamodb:UpdateItem")

    def allow_query(self, who: PythonFunction | Client, *, index: str) -> None:
        """Let `who` query one index."""
        self._allow(who, "dynamodb:Query", index=index)

    def _allow(
        self, who: PythonFunction | Client, action: str, *, index: str | None = None
    ) -> None:
        arn = self.table.table_arn
        who.allow(action, on=f"{arn}/index/{index}" if index else arn)
        if self.key is not None:
            # What DynamoDB asks of its caller ("DynamoDB encryption at rest: usage notes",
            # 2026-11-21); the wildcard forms of the documentation are spelt out.
            who.allow("kms:Decrypt", "kms:DescribeKey", on=self.key.key_arn)


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)

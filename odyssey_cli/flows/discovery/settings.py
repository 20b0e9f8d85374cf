"""Where the script and the service find things: options, environment, or the stack itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from odyssey_cli.errors import OdysseyError
from odyssey_cli.flows.discovery import STACK

if TYPE_CHECKING:
    from odyssey_cli.target import Target

# Set for a role, it means: use the credentials of whoever calls.
NO_ROLE = "none"


@dataclass(frozen=True)
class Given:
    """What the user has set; None leaves it to the stack.

    Attributes:
        table: name of the items' table.
        bucket: name of the files' bucket.
        queue_url: URL of the queue that the program sends to, or receives from.
        role_arn: ARN of the role it runs in; `none` for the caller's own credentials.
    """

    table: str | None = None
    bucket: str | None = None
    queue_url: str | None = None
    role_arn: str | None = None


@dataclass(frozen=True)
class Place:
    """A target in the program's role, and the names of what it uses there."""

    target: Target
    table: str
    bucket: str
    queue_url: str

    def clients(self, connections: int = 10) -> tuple[Any, Any, Any]:
        """Return clients of DynamoDB, S3 and SQS, the last with time for a long poll.

        Args:
            connections: how many calls of each may be under way at once.
        """
        from botocore.config import Config  # noqa: PLC0415 - see odyssey_cli.target

        config = Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"mode": "standard", "total_max_attempts": 3},
            max_pool_connections=connections,
        )
        dynamodb, s3, sqs = (
            self.target.client(name, config=config) for name in ("dynamodb", "s3", "sqs")
        )
        return dynamodb, s3, sqs


def for_script(target: Target, given: Given) -> Place:
    """Return what the script uses; the stack is asked only for what is not given.

    Raises:
        OdysseyError: the stack is not deployed.
    """
    return _place(target, given, queue="UploadedQueueUrl", role="ScriptRoleArn")


def for_service(target: Target, given: Given, *, receives: bool = True) -> Place:
    """Return what the service uses; the stack is asked only for what is not given.

    Args:
        target: where the stack is deployed.
        given: what the user has set.
        receives: whether the queue is used.

    Raises:
        OdysseyError: the stack is not deployed.
    """
    queue = "UpdatedQueueUrl" if receives else ""
    return _place(target, given, queue=queue, role="ServiceRoleArn")


def _place(target: Target, given: Given, *, queue: str, role: str) -> Place:
    is_complete = given.table and given.bucket and given.role_arn and (given.queue_url or not queue)
    found = {} if is_complete else target.outputs(STACK)
    role_arn = given.role_arn or found[role]
    queue_url = (given.queue_url or found[queue]) if queue else ""
    if role_arn != NO_ROLE:
        _check_account(target, role_arn, role_arn.split(":")[4:5])
    if queue_url:
        _check_account(target, queue_url, urlsplit(queue_url).path.split("/")[1:2])
    return Place(
        target=target if role_arn == NO_ROLE else target.in_role(role_arn),
        table=given.table or found["ItemsTable"],
        bucket=given.bucket or found["FilesBucket"],
        queue_url=queue_url,
    )


def _check_account(target: Target, name: str, account: list[str]) -> None:
    """Refuse what belongs to another account than the one that the user has confirmed.

    Of a bucket S3 itself checks that, with each call.
    """
    if account != [target.account]:
        raise OdysseyError(
            f"{name} is not of the account {target.account}.",
            "Mend the option, the variable or .env, or switch the profile.",
        )

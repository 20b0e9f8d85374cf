"""The script: stores a document's item and object, and announces it.

Every step can be repeated, and is when the script is run again: the file tells the id, the item
and the object are written only where they are not there yet, and an item that has moved on was
announced. Only an announcement can be sent twice, if the script dies right after it; the updater
does not mind.
"""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from discovery.announcements import FIRST_VERSION, UPLOADED, Announcement
from shared import queues
from shared.aws_errors import AWS_ERRORS, error_code, item_as_it_is
from shared.transactions import backoff

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

    from odyssey_cli.flows.discovery.documents import Submission
    from odyssey_cli.flows.discovery.settings import Place
    from shared.transactions import Tries


class Outcome(StrEnum):
    """What became of a submission."""

    SUBMITTED = "submitted"
    FINISHED = "finished what was begun"
    KNOWN = "was submitted before"
    CHANGED = "is not what was submitted"
    FAILED = "failed"


@dataclass(frozen=True)
class Submitted:
    """A submission and what became of it; `error` says why it failed."""

    submission: Submission
    outcome: Outcome
    error: str = ""


class ChangedSince(RuntimeError):  # noqa: N818 - reads as the statement it is
    """The file is not the one that was submitted under its id."""


@dataclass(frozen=True)
class Script:
    """Submits documents.

    Attributes:
        table: of the items.
        bucket: of the files.
        queue_url: where uploaded items are announced.
        account: the number of the account to which the bucket must belong.
        dynamodb: for the table.
        s3: for the bucket.
        sqs: for the queue.
        tries: paces what is tried again.
    """

    table: str
    bucket: str
    queue_url: str
    account: str
    dynamodb: DynamoDBClient
    s3: S3Client
    sqs: SQSClient
    tries: Tries = backoff

    @classmethod
    def at(cls, place: Place, *, connections: int = 10) -> Script:
        """Return the script with clients for a place, for so many calls at once."""
        clients = place.clients(connections)
        return cls(place.table, place.bucket, place.queue_url, place.target.account, *clients)

    def submit(
        self, submissions: Iterable[Submission], *, concurrency: int = 4
    ) -> Iterator[Submitted]:
        """Submit documents; yield each when it is announced, or known, or has failed.

        Args:
            submissions: the documents.
            concurrency: how many are stored at once; announcements go out ten in a call.
        """
        pool = ThreadPoolExecutor(concurrency)
        try:
            due: list[Submission] = []
            for submission, stored in pool.map(self._store_or_fail, submissions):
                if stored is not None:
                    yield stored
                    continue
                due.append(submission)
                if len(due) == queues.MAX_ENTRIES:
                    yield from self._announce(due)
                    due = []
            yield from self._announce(due)
        finally:
            pool.shutdown(cancel_futures=True)

    def _store_or_fail(self, submission: Submission) -> tuple[Submission, Submitted | None]:
        """Store one; return what became of it, or None if it is to be announced."""
        try:
            is_announced = self._store(submission)
        except ChangedSince as error:
            return submission, Submitted(submission, Outcome.CHANGED, str(error))
        except AWS_ERRORS as error:
            return submission, Submitted(submission, Outcome.FAILED, str(error))
        return submission, Submitted(submission, Outcome.KNOWN) if is_announced else None

    def _store(self, submission: Submission) -> bool:
        """Store item and object; return whether it was announced in an earlier run.

        The item first: it says which content belongs to the id, whatever happens to the file.
        """
        try:
            self.dynamodb.put_item(
                TableName=self.table,
                Item=submission.item(),
                ConditionExpression="attribute_not_exists(id)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self.dynamodb.exceptions.ConditionalCheckFailedException as error:
            item = item_as_it_is(error) or {}
            key, sha256, version = (
                item.get(name, {}).get(kind, "")
                for name, kind in (("s3_key", "S"), ("sha256", "S"), ("version", "N"))
            )
            if key != submission.key:
                raise ChangedSince(
                    f"{submission.file} was submitted as {key.partition('/')[2]!r}."
                ) from None
            if sha256 != submission.sha256:
                raise ChangedSince(
                    f"{submission.file} was changed after it was submitted: SHA-256 "
                    f"{submission.sha256[:12]}…, not {sha256[:12]}…."
                ) from None
            if version != str(FIRST_VERSION):
                return True
        self._put_object(submission)
        return False

    def _put_object(self, submission: Submission) -> None:
        for _ in self.tries():
            try:
                self.s3.put_object(
                    Bucket=self.bucket,
                    ExpectedBucketOwner=self.account,
                    Key=submission.key,
                    Body=submission.content,
                    ContentType="application/json",
                    ChecksumSHA256=base64.b64encode(bytes.fromhex(submission.sha256)).decode(),
                    IfNoneMatch="*",
                )
            except ClientError as error:
                # "How to prevent object overwrites with conditional writes", 2026-11-21: 412 if
                # it is there, 409 if another write to the key was under way.
                if error_code(error) == "PreconditionFailed":
                    return
                if error_code(error) != "ConditionalRequestConflict":
                    raise
                conflict = error
            else:
                return
        raise conflict

    def _announce(self, due: list[Submission]) -> Iterator[Submitted]:
        if not due:
            return
        unsent = queues.send(
            [_announcement(each).message() for each in due],
            queue_url=self.queue_url,
            client=self.sqs,
            tries=self.tries,
        )
        for number, submission in enumerate(due):
            if number in unsent:
                error = f"The queue did not take the announcement: {unsent[number]}."
                yield Submitted(submission, Outcome.FAILED, error)
            else:
                done = Outcome.SUBMITTED if submission.is_new else Outcome.FINISHED
                yield Submitted(submission, done)


def _announcement(submission: Submission) -> Announcement:
    document = submission.document
    return Announcement(
        UPLOADED,
        document.id,
        FIRST_VERSION,
        datetime.fromisoformat(document.created_at),
        correlation_id=document.id,
    )

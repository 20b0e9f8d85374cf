"""The service: receives announcements of updated items and verifies every one of them.

A message is deleted only when its item and object have been verified (and saved, if asked for).
One that fails is hidden for longer each time, until the queue gives it up to its dead-letter
queue.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from discovery.announcements import UPDATED, Announcement
from odyssey_cli.flows.discovery.documents import MAX_BYTES, temporary
from odyssey_cli.flows.discovery.inbox import VISIBILITY, Inbox
from odyssey_cli.flows.discovery.verify import Key, Mismatch, Verified, verify
from shared.aws_errors import AWS_ERRORS, passes
from shared.rejects import Unprocessable
from shared.transactions import backoff

T = TypeVar("T")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

    from odyssey_cli.flows.discovery.inbox import Message
    from odyssey_cli.flows.discovery.settings import Place
    from shared.transactions import Tries

    Item = Mapping[str, Any]

# The most that ReceiveMessage gives and waits ("ReceiveMessage", API Reference, 2026-11-21).
_BATCH, _LONG_POLL = 10, 20
# How long, in seconds, a message that failed is hidden: doubled each time.
_FIRST_PAUSE, _LONGEST_PAUSE = 5, 900


class Interrupted(BaseException):
    """Somebody wants the service to end while it waits for messages."""


@dataclass
class Stop:
    """Asks the service to end: at once while it waits, else after the message in hand."""

    requested: bool = False
    waiting: bool = False

    def request(self) -> None:
        """Ask; meant for a signal handler, which runs in the thread of the service.

        Raises:
            Interrupted: the service waits for messages, and would for up to 20 seconds.
            KeyboardInterrupt: it has been asked before, and does not come to an end.
        """
        if self.requested and not self.waiting:
            raise KeyboardInterrupt
        self.requested = True
        if self.waiting:
            raise Interrupted

    def while_waiting(self, wait: Callable[[], T]) -> T | None:
        """Return what `wait` does, None if somebody asks or has asked for the end."""
        answer: T | None = None
        # Twice, because the signal may come at any moment until nobody waits any more.
        try:
            try:
                self.waiting = True
                if not self.requested:
                    answer = wait()
            finally:
                self.waiting = False
        except Interrupted:
            self.waiting = False
        return answer


class NotSaved(RuntimeError):  # noqa: N818 - reads as the statement it is
    """A verified file could not be written; the text says why."""


@dataclass(frozen=True)
class Seen:
    """What became of a message.

    Attributes:
        name: the item's id, or the message's if it names no item.
        verified: what was found to be right; None if something was not.
        problem: what was not.
        receives: how often the message has been received.
    """

    name: str
    verified: Verified | None
    problem: str
    receives: int


@dataclass
class Totals:
    """What a run has done.

    Attributes:
        verified: ids of items, each counted once.
        failures: messages that were put back.
        undeleted: messages of verified items that SQS did not delete.
    """

    verified: set[str] = field(default_factory=set)
    failures: int = 0
    undeleted: int = 0


@dataclass(frozen=True)
class Service:
    """Verifies updated items.

    Attributes:
        table: of the items.
        bucket: of the files.
        queue_url: where updated items are announced.
        account: the number of the account to which the bucket must belong.
        dynamodb: for the table.
        s3: for the bucket.
        sqs: for the queue.
        pace: turns a wait of AWS's into the target's.
        tries: paces what is tried again.
    """

    table: str
    bucket: str
    queue_url: str
    account: str
    dynamodb: DynamoDBClient
    s3: S3Client
    sqs: SQSClient
    pace: Callable[[float], float]
    tries: Tries = backoff

    @classmethod
    def at(cls, place: Place) -> Service:
        """Return the service with clients for a place."""
        account, pace = place.target.account, place.target.seconds
        return cls(place.table, place.bucket, place.queue_url, account, *place.clients(), pace)

    def run(
        self,
        *,
        stop: Stop,
        tell: Callable[[Seen], None],
        warn: Callable[[str], None] = lambda _: None,
        out: Path | None = None,
        most: int | None = None,
        idle: float | None = None,
    ) -> Totals:
        """Verify items until told to stop; what passes by itself is waited for.

        Args:
            stop: asks for the end.
            tell: called with what became of each message.
            warn: called with what keeps it from its work for now.
            out: a folder in which to save each verified file, as `<item id>/<file name>`.
            most: stop after so many items.
            idle: stop after so many seconds without a message.

        Raises:
            ClientError: messages may not be received, deleted or put back.
            BotoCoreError: the queue was not reached for all of `idle`.
            NotSaved: a file cannot be saved.
        """
        totals = Totals()
        last, troubles = time.monotonic(), 0
        while not stop.requested and (most is None or len(totals.verified) < most):
            left = math.inf if idle is None else idle - (time.monotonic() - last)
            if left <= 0 and not troubles:
                break
            wait = math.ceil(min(_LONG_POLL, max(left, 0)))
            wanted = _BATCH if most is None else min(_BATCH, most - len(totals.verified))
            try:
                messages = self._receive(wanted, wait, stop)
                if messages:
                    self._process(messages, totals, stop=stop, tell=tell, out=out)
                    last = time.monotonic()
                troubles = 0
            except AWS_ERRORS as error:
                if not passes(error) or left <= 0:
                    raise
                warn(str(error))
                troubles += 1
                pause = min(self.pace(_pause(troubles)), left)
                stop.while_waiting(lambda pause=pause: time.sleep(pause))  # type: ignore[misc]
        return totals

    def items(self, ids: Iterable[str]) -> dict[str, Item]:
        """Return, by id, the items as they are now; ones that are not found are absent."""
        found: dict[str, Item] = {}
        keys: Any = [{"id": {"S": each}} for each in dict.fromkeys(ids)]
        pending: Any = {self.table: {"Keys": keys, "ConsistentRead": True}} if keys else {}
        for _ in self.tries():
            if not pending:
                break
            answer = self.dynamodb.batch_get_item(RequestItems=pending)
            found |= {item["id"]["S"]: item for item in answer["Responses"].get(self.table, [])}
            pending = answer.get("UnprocessedKeys")
        return found

    def check(self, item: Item, *, version: int | None) -> tuple[Verified, bytes]:
        """Download an item's object and verify both; return what was found, and the content.

        Raises:
            Mismatch: something is not as it must be.
            ClientError: the object cannot be read.
        """
        answer = self.s3.get_object(
            Bucket=self.bucket,
            ExpectedBucketOwner=self.account,
            Key=str(Key.of(item)),
            ChecksumMode="ENABLED",
        )
        if answer["ContentLength"] > MAX_BYTES:
            raise Mismatch(f"The file has {answer['ContentLength']} bytes; no document has.")
        content = answer["Body"].read()
        return verify(item, content, answer.get("ChecksumSHA256"), version=version), content

    def look(self, item_id: str) -> dict[str, Any] | None:
        """Return an item, its file and whether both agree; None if there is no such item."""
        item = self.items([item_id]).get(item_id)
        if item is None:
            return None
        fields = {name: next(iter(value.values())) for name, value in sorted(item.items())}
        try:
            _, content = self.check(item, version=None)
        except (Mismatch, *AWS_ERRORS) as error:
            return fields | {"agrees": False, "problem": str(error)}
        return fields | {"agrees": True, "content": json.loads(content)}

    def _receive(self, wanted: int, wait: int, stop: Stop) -> Sequence[Message]:
        answer = stop.while_waiting(
            lambda: self.sqs.receive_message(
                QueueUrl=self.queue_url,
                MaxNumberOfMessages=wanted,
                WaitTimeSeconds=wait,
                VisibilityTimeout=VISIBILITY,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        )
        # What came although somebody asks for the end is put back by whoever processes it.
        return answer.get("Messages", []) if answer else []

    def _process(
        self,
        messages: Sequence[Message],
        totals: Totals,
        *,
        stop: Stop,
        tell: Callable[[Seen], None],
        out: Path | None,
    ) -> None:
        done: list[Message] = []
        with Inbox(
            messages, queue_url=self.queue_url, client=self.sqs, pace=self.pace, tries=self.tries
        ) as inbox:
            try:
                for message, answer in self._answers(messages):
                    if stop.requested:
                        break
                    seen = self._verify(message, answer, out)
                    tell(seen)
                    if seen.verified is None:
                        totals.failures += 1
                        inbox.put_back(message, _pause(seen.receives))
                    else:
                        totals.verified.add(seen.name)
                        done.append(message)
            finally:
                # All of them, should the deletion fail.
                totals.undeleted += len(done)
                totals.undeleted += len(inbox.delete(done)) - len(done)

    def _answers(
        self, messages: Sequence[Message]
    ) -> list[tuple[Message, tuple[Announcement, Item | None] | Exception]]:
        """Return of each message what it announces and the item, or why there is nothing."""
        read: list[tuple[Message, Announcement | Exception]] = []
        for message in messages:
            try:
                read.append((message, Announcement.read(message["Body"], UPDATED)))
            except Unprocessable as error:
                read.append((message, error))
        try:
            items = self.items(each.item_id for _, each in read if isinstance(each, Announcement))
        except AWS_ERRORS as error:
            return [(message, error) for message in messages]
        return [
            (message, (each, items.get(each.item_id)) if isinstance(each, Announcement) else each)
            for message, each in read
        ]

    def _verify(
        self,
        message: Message,
        answer: tuple[Announcement, Item | None] | Exception,
        out: Path | None,
    ) -> Seen:
        receives = int(message["Attributes"]["ApproximateReceiveCount"])
        if isinstance(answer, Exception):
            return Seen(message["MessageId"], None, str(answer), receives)
        announcement, item = answer
        name = announcement.item_id
        if item is None:
            return Seen(name, None, "The item is not there, or could not be read now.", receives)
        try:
            verified, content = self.check(item, version=announcement.version)
        except (Mismatch, *AWS_ERRORS) as error:
            return Seen(name, None, str(error), receives)
        if out is not None:
            try:
                save(out, verified.key, content)
            except OSError as error:
                raise NotSaved(str(error)) from error
        return Seen(name, verified, "", receives)


def save(out: Path, key: Key, content: bytes) -> Path:
    """Write an object into `out`, whole or not at all; return the file.

    Raises:
        OSError: it cannot be written, or a link leads out of the folder.
    """
    folder = out / key.item_id
    folder.mkdir(parents=True, exist_ok=True)
    if not folder.resolve().is_relative_to(out.resolve()):
        raise OSError(f"{folder} leads out of {out}.")
    file = folder / key.file_name
    with temporary(folder, content) as draft:
        draft.replace(file)
    return file


def _pause(receives: int) -> int:
    return int(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(receives - 1, 10)))

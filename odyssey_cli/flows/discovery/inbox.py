"""Messages that a program has received: held while it works on them, deleted, put back."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from shared.transactions import backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    from types_boto3_sqs import SQSClient

    from shared.transactions import Tries

    Message = Mapping[str, Any]

# How long received messages are hidden, in seconds; they are held again after a third of it.
VISIBILITY = 60


class Inbox:
    """Messages in hand, at most ten, hidden from others until the block ends.

    Args:
        messages: as ReceiveMessage gave them.
        queue_url: the queue.
        client: for SQS.
        pace: turns a wait of AWS's into the target's.
        tries: paces repeated deletions.
    """

    def __init__(
        self,
        messages: Sequence[Message],
        *,
        queue_url: str,
        client: SQSClient,
        pace: Callable[[float], float],
        tries: Tries = backoff,
    ) -> None:
        self._queue_url, self._client, self._tries = queue_url, client, tries
        self._every = pace(VISIBILITY / 3)
        self._held = {message["MessageId"]: message for message in messages}
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._hold, daemon=True, name="hold")

    def __enter__(self) -> Inbox:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._thread.join()
        self.hide(list(self._held.values()), 0)
        if self._error is not None and error is None:
            raise self._error

    def delete(self, messages: Iterable[Message]) -> list[Message]:
        """Delete messages; return those that SQS did not delete, which will come again."""
        pending = {message["MessageId"]: message for message in messages}
        for _ in self._tries():
            if not pending:
                break
            answer = self._client.delete_message_batch(
                QueueUrl=self._queue_url,
                Entries=[
                    {"Id": message_id, "ReceiptHandle": message["ReceiptHandle"]}
                    for message_id, message in pending.items()
                ],
            )
            failed = {each["Id"] for each in answer.get("Failed", [])}
            with self._lock:
                for message_id in pending.keys() - failed:
                    self._held.pop(message_id, None)
            pending = {name: message for name, message in pending.items() if name in failed}
        return list(pending.values())

    def put_back(self, message: Message, seconds: int) -> None:
        """Let a message be received again after so many seconds."""
        with self._lock:
            self._held.pop(message["MessageId"], None)
        self.hide([message], seconds)

    def hide(self, messages: Sequence[Message], seconds: int) -> None:
        """Hide messages for so many seconds from now.

        A message that SQS does not hide was hidden for too short a time and may be in other hands
        already, which is no reason to stop.
        """
        if messages:
            self._client.change_message_visibility_batch(
                QueueUrl=self._queue_url,
                Entries=[
                    {
                        "Id": message["MessageId"],
                        "ReceiptHandle": message["ReceiptHandle"],
                        "VisibilityTimeout": seconds,
                    }
                    for message in messages
                ],
            )

    def _hold(self) -> None:
        while not self._is_over.wait(self._every):
            with self._lock:
                try:
                    self.hide(list(self._held.values()), VISIBILITY)
                    self._error = None
                except Exception as error:  # noqa: BLE001 - raised where the block ends
                    self._error = error

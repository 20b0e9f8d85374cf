"""What the topic's subscribers have in common: read a record, act, reject what is none of ours."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pubsub.messages import Message
from shared import clients, rejects
from shared.environment import required

if TYPE_CHECKING:
    from collections.abc import Callable


class NotRejected(RuntimeError):  # noqa: N818 - reads as the statement it is
    """The rejects queue did not take a record; the text is the error's code."""


@cache
def rejects_queue() -> str:
    """Read the address of the rejects queue from the environment."""
    return required("REJECTS_QUEUE")


def process(event: dict[str, Any], act: Callable[[Message], None], *, source: str) -> int:
    """Act on each message that SNS delivers; return how many records were rejected.

    SNS delivers one record at a time. What fails is raised: Lambda tries the event again, and
    gives it up to the subscription's dead-letter queue.

    Args:
        event: of Lambda.
        act: on a message; must bear being repeated.
        source: the function that rejects.

    Raises:
        NotRejected: a record could not be rejected.
    """
    unusable = []
    for record in event["Records"]:
        try:
            message = Message.read(record["Sns"]["Message"])
        except rejects.Unprocessable as error:
            unusable.append(rejects.Reject(record, str(error), record["Sns"]["MessageId"]))
        else:
            act(message)
    if unusable:
        unsent = rejects.send(
            unusable,
            source=source,
            queue_url=rejects_queue(),
            client=clients.sqs(),
        )
        if unsent:
            raise NotRejected(", ".join(sorted(set(unsent.values()))))
    return len(unusable)

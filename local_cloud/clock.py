"""One clock scale for what AWS measures in seconds to minutes: waits end `scale` times sooner.

Templates keep AWS's values; the local cloud divides when it waits. Scaled are SQS visibility
timeouts, delays and long polls, batching windows, pauses before retries, the maximum age of
stream records, the pauses of asynchronous invokes, and the intervals and pauses of delivery
streams. Never scaled: a function's timeout
(its work takes as long here as anywhere), retention and deduplication (nobody waits for those),
and every timestamp that a client sees. While a function runs with a message, the message stays
hidden, however long that takes, because the timeout shrank and the work did not.

- "Amazon SQS visibility timeout"
  https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
- "How Lambda handles errors and retries with asynchronous invocation" (one minute, two minutes)
  https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
read 2026-11-21.
"""

from __future__ import annotations

import heapq
import math
import threading
import time
from typing import TYPE_CHECKING, Any

from local_cloud.ground import Hook, find

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    Queue = dict[str, Any]
    Message = dict[str, Any]
    Action = Callable[[dict[str, Any], str], Any]

_SQS = "ministack.services.sqs"
_COLLECT = Hook(_SQS, "_collect_msgs", ("q", "max_n", "vis_timeout"))
_QUEUE_DELAY = Hook(_SQS, "queue_delay", ("q",))
_SEND = Hook(_SQS, "_act_send_message", ("data", "qurl"))
_RECEIVE = Hook(_SQS, "_act_receive_message", ("data", "qurl"))
_CHANGE = Hook(_SQS, "_act_change_visibility", ("data", "qurl"))
_CHANGE_BATCH = Hook(_SQS, "_act_change_visibility_batch", ("data", "qurl"))
_GET_QUEUE = Hook(_SQS, "_get_q", ("url", "action"))
_ACTIONS = Hook(_SQS, "_HANDLERS")
_WAKE = Hook("ministack.core.concurrency", "esm_wake")
HOOKS = (
    _COLLECT,
    _QUEUE_DELAY,
    _SEND,
    _RECEIVE,
    _CHANGE,
    _CHANGE_BATCH,
    _GET_QUEUE,
    _ACTIONS,
    _WAKE,
)

DEFAULT_SCALE = 20.0
HELD = math.inf
_AFTERWARDS = "odyssey_visible_at"
_SCALED = "odyssey_delay_scaled"

_scale = 1.0
_due: list[float] = []
_bell = threading.Condition()


def scale() -> float:
    """Return how many seconds of AWS pass here in one."""
    return _scale


def wake_in(seconds: float) -> None:
    """Make the pollers look for work after so many real seconds."""
    with _bell:
        heapq.heappush(_due, time.monotonic() + seconds)
        _bell.notify()


def _ring() -> None:
    while True:
        with _bell:
            while not _due or _due[0] > time.monotonic():
                _bell.wait(_due[0] - time.monotonic() if _due else None)
            while _due and _due[0] <= time.monotonic():
                heapq.heappop(_due)
        find(_WAKE).set()


def long_poll(seconds: int) -> int:
    """Return the seconds to wait for a message; MiniStack takes whole ones only."""
    return math.ceil(seconds / _scale)


def hold(message: Message) -> None:
    """Hide a received message until `release`."""
    message.setdefault(_AFTERWARDS, message["visible_at"])
    message["visible_at"] = HELD


def release(message: Message) -> None:
    """Let a held message become visible when its timeout ends, or now if it already has."""
    visible_at = message.pop(_AFTERWARDS, message["visible_at"])
    message["visible_at"] = visible_at
    wake_in(max(0.0, visible_at - time.time()))


def install(by: float) -> None:
    """Scale the waits of queues, and tell the others by how much.

    Args:
        by: How many times faster they end.
    """
    global _scale  # noqa: PLW0603 -- there is one clock in a process
    _scale = by
    threading.Thread(target=_ring, daemon=True, name="odyssey-clock").start()
    _COLLECT.replace(_with_short_visibility)
    _QUEUE_DELAY.replace(lambda delay: lambda queue: delay(queue) / _scale)
    for action, hook, make in (
        ("SendMessage", _SEND, _with_short_delay),
        ("ReceiveMessage", _RECEIVE, _with_short_poll),
        ("ChangeMessageVisibility", _CHANGE, _with_short_change),
        ("ChangeMessageVisibilityBatch", _CHANGE_BATCH, _with_short_changes),
    ):
        hook.replace(make)
        find(_ACTIONS)[action] = find(hook)


def _with_short_visibility(
    collect: Callable[[Queue, int, float], list[Message]],
) -> Callable[[Queue, int, float], list[Message]]:
    return lambda queue, at_most, seconds: collect(queue, at_most, seconds / _scale)


def _with_short_delay(send: Action) -> Action:
    def sent(data: dict[str, Any], url: str) -> dict[str, Any]:
        answer: dict[str, Any] = send(data, url)
        for message in reversed(find(_GET_QUEUE)(data.get("QueueUrl", url))["messages"]):
            if message["id"] == answer["MessageId"]:
                delay = message["visible_at"] - message["sent_at"]
                if delay > 0 and not message["receive_count"] and _SCALED not in message:
                    message[_SCALED] = True
                    message["visible_at"] = message["sent_at"] + delay / _scale
                    wake_in(delay / _scale)
                break
        return answer

    return sent


def _with_short_poll(receive: Action) -> Action:
    async def received(data: dict[str, Any], url: str) -> Any:  # noqa: ANN401 -- MiniStack's
        seconds = data.get("WaitTimeSeconds")
        if seconds is None:
            queue = find(_GET_QUEUE)(data.get("QueueUrl", url))
            seconds = queue["attributes"].get("ReceiveMessageWaitTimeSeconds", "0")
        answer: Awaitable[Any] = receive({**data, "WaitTimeSeconds": long_poll(int(seconds))}, url)
        return await answer

    return received


def _with_short_change(change: Action) -> Action:
    def changed(data: dict[str, Any], url: str) -> Any:  # noqa: ANN401 -- MiniStack's
        queue = find(_GET_QUEUE)(data.get("QueueUrl", url))
        held = {id(message) for message in queue["messages"] if message["visible_at"] == HELD}
        answer = change(data, url)
        _shorten(queue, data, held)
        return answer

    return changed


def _with_short_changes(change: Action) -> Action:
    def changed(data: dict[str, Any], url: str) -> Any:  # noqa: ANN401 -- MiniStack's
        queue = find(_GET_QUEUE)(data.get("QueueUrl", url))
        held = {id(message) for message in queue["messages"] if message["visible_at"] == HELD}
        answer = change(data, url)
        for entry in data.get("Entries", []):
            _shorten(queue, entry, held)
        return answer

    return changed


def _shorten(queue: Queue, change: dict[str, Any], held: set[int]) -> None:
    visible_at = time.time() + int(change.get("VisibilityTimeout", 30)) / _scale
    for message in _received(queue, change.get("ReceiptHandle")):
        if id(message) in held:
            message[_AFTERWARDS] = visible_at
            message["visible_at"] = HELD
        else:
            message["visible_at"] = visible_at
            wake_in(visible_at - time.time())


def _received(queue: Queue, handle: str | None) -> Iterator[Message]:
    return (m for m in queue["messages"] if handle and m["receipt_handle"] == handle)

"""The service on fakes, with items that are updated, their files and their messages."""

from __future__ import annotations

import base64
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from odyssey_cli.flows.discovery import listen
from odyssey_cli.flows.discovery.inbox import VISIBILITY
from odyssey_cli.flows.discovery.listen import Seen, Service, Stop, Totals
from proofs.fakes.dynamodb import Call, FakeDynamoDB
from proofs.fakes.s3 import OWNER, FakeS3
from proofs.fakes.sqs import FakeSQS
from tests.discovery import item, item_id, submission, updated

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

QUEUE = "https://sqs/updated"
FILE = "laptop.json"


class Listening:
    """What the service uses, the service, and what it has told.

    Attributes:
        told: what the last run told, in order.
        stop: asks the last run to end.
        warned: what the runs have warned of.
        pauses: how long they waited for what passes, in pretended seconds.
        in_pause: called in each of these pauses.
    """

    def __init__(self) -> None:
        self.dynamodb = FakeDynamoDB.with_tables("items")
        self.s3 = FakeS3.with_buckets(self.dynamodb, "files")
        self.sqs = FakeSQS(self.dynamodb)
        clients: Any = {"dynamodb": self.dynamodb, "s3": self.s3, "sqs": self.sqs}
        self.service = Service(
            "items",
            "files",
            QUEUE,
            OWNER,
            **clients,
            pace=lambda seconds: seconds,
            tries=lambda: range(3),
        )
        self.stop = Stop()
        self.told: list[Seen] = []
        self.warned: list[str] = []
        self.pauses: list[float] = []
        self.in_pause: Callable[[], None] = lambda: None

    @classmethod
    def timed(cls, monkeypatch: pytest.MonkeyPatch) -> Listening:
        """Return a service whose time is the queue's."""
        made = cls()
        clock = SimpleNamespace(monotonic=lambda: made.sqs.now, sleep=made._sleep)
        monkeypatch.setattr(listen, "time", clock)
        return made

    def add(self, *numbers: int) -> None:
        """Store items that are updated, with their objects, and announce them."""
        for number in numbers:
            self.store(number)
        self.announce(*[updated(number) for number in numbers])
        self.dynamodb.calls.clear()

    def store(self, number: int) -> None:
        """Store an item that is updated, and its object."""
        self.dynamodb.tables["items"][item_id(number)] = item(number, version=2)
        stored = submission(number)
        checksum = base64.b64encode(bytes.fromhex(stored.sha256)).decode()
        self.s3.put_object(
            Bucket="files", Key=stored.key, Body=stored.content, ChecksumSHA256=checksum
        )

    def announce(self, *bodies: str) -> None:
        for number, body in enumerate(bodies):
            entry = {"Id": str(number), "MessageBody": body}
            self.sqs.send_message_batch(QueueUrl=QUEUE, Entries=[entry])

    def paced(self, pace: Callable[[float], float]) -> None:
        """Let waits of AWS's last as long as `pace` says."""
        self.service = replace(self.service, pace=pace)

    def run(
        self,
        *,
        out: Path | None = None,
        most: int | None = None,
        idle: float | None = 25,
        then: Callable[[Seen], None] = lambda _seen: None,
    ) -> Totals:
        """Run until nothing came for a while; `then` is called after each message."""

        def tell(seen: Seen) -> None:
            self.told.append(seen)
            then(seen)

        return self.service.run(
            stop=self.stop, tell=tell, warn=self.warned.append, out=out, most=most, idle=idle
        )

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.sqs.let_pass(seconds)
        self.in_pause()

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What is still in the queue, hidden or not."""
        return self.sqs.queues.get(QUEUE, [])

    @property
    def visible(self) -> list[str]:
        """The bodies of what anybody could receive now."""
        return [m["MessageBody"] for m in self.messages if m["visible"] <= self.sqs.now]

    @property
    def problems(self) -> dict[str, str]:
        """What was told to be wrong, by name."""
        return {seen.name: seen.problem for seen in self.told if seen.verified is None}

    def calls(self, operation: str) -> list[Call]:
        return [call for call in self.dynamodb.calls if call.operation == operation]


def ids(*numbers: int) -> set[str]:
    return {item_id(number) for number in numbers}


def is_hold(call: Call) -> bool:
    """Say whether a call hides messages for as long as they were when they were received."""
    return (
        call.operation == "ChangeMessageVisibilityBatch"
        and call.arguments["Entries"][0]["VisibilityTimeout"] == VISIBILITY
    )


def when(
    operation: str, act: Callable[[Call], None], *, of: str = "", times: int = 1_000
) -> Callable[[Call], None]:
    """Act at the next calls of an operation whose arguments contain `of`."""
    left = times

    def hook(call: Call) -> None:
        nonlocal left
        if call.operation == operation and of in str(call.arguments) and left:
            left -= 1
            act(call)

    return hook


def raises(error: BaseException) -> Callable[[Call], None]:
    def act(_call: Call) -> None:
        raise error

    return act

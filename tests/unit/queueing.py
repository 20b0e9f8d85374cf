"""The intake's queues, and a clock, for whoever waits for them to be empty."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from odyssey_cli.flows.ingest import underway

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

EVENTS, LETTERS, REJECTS = "https://sqs/events", "https://sqs/letters", "https://sqs/rejects"
OUTPUTS = {"EventsQueueUrl": EVENTS, "RejectsQueueUrl": REJECTS}
VISIBLE, IN_FLIGHT, DELAYED = (
    f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")
)


class FakeQueues:
    """Queues of which only the rejects can be received.

    Attributes:
        numbers: how many messages are where, by queue and attribute.
        rejects: their bodies.
        looks: when the numbers of the events queue were asked for, in seconds.
        now: the time.
        later: what happens at which time.
        released: how many rejects were given back.
        in_other_hands: how many rejects somebody else has.
    """

    def __init__(self) -> None:
        self.numbers: dict[tuple[str, str], int] = {}
        self.rejects: list[object] = []
        self.looks: list[float] = []
        self.now = 0.0
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.released = self.in_other_hands = 0
        self._held: list[dict[str, Any]] = []

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:  # noqa: N803 - boto3's names
        if AttributeNames == ["RedrivePolicy"]:
            assert QueueUrl == EVENTS
            policy = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:letters"}
            return {"Attributes": {"RedrivePolicy": json.dumps(policy)}}
        if QueueUrl == REJECTS:
            held = len(self._held)
            counts = {VISIBLE: len(self.rejects) - held, IN_FLIGHT: held + self.in_other_hands}
            return {"Attributes": {name: str(counts.get(name, 0)) for name in AttributeNames}}
        assert QueueUrl in (EVENTS, LETTERS)
        if QueueUrl == EVENTS:
            self.looks.append(self.now)
        found = {name: str(self.numbers.get((QueueUrl, name), 0)) for name in AttributeNames}
        return {"Attributes": found}

    def get_queue_url(self, *, QueueName: str, QueueOwnerAWSAccountId: str) -> dict[str, str]:  # noqa: N803
        assert (QueueName, QueueOwnerAWSAccountId) == ("letters", "123456789012")
        return {"QueueUrl": LETTERS}

    def receive_message(self, *, QueueUrl: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        assert QueueUrl == REJECTS
        new = [
            {"MessageId": f"m{number}", "ReceiptHandle": f"h{number}", "Body": json.dumps(body)}
            for number, body in enumerate(self.rejects)
            if number >= len(self._held)
        ][:10]
        self._held += new
        return {"Messages": new} if new else {}

    def change_message_visibility(
        self,
        *,
        QueueUrl: str,  # noqa: N803
        ReceiptHandle: str,  # noqa: N803
        VisibilityTimeout: int,  # noqa: N803
    ) -> None:
        assert (QueueUrl, VisibilityTimeout) == (REJECTS, 0)
        self._held = [each for each in self._held if each["ReceiptHandle"] != ReceiptHandle]
        self.released += 1

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds
        due = [act for when, act in self.later if when <= self.now]
        self.later = [each for each in self.later if each[0] > self.now]
        for act in due:
            act()


def queues(monkeypatch: pytest.MonkeyPatch) -> FakeQueues:
    """Return queues, whose clock is that of who watches them from now on."""
    made = FakeQueues()
    monkeypatch.setattr(underway, "time", made)
    return made

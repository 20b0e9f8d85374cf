"""Whoever sends to the intake: it dies and fails like everybody else, and sends again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from consumer import trigger
from odyssey_cli.flows.ingest.senders import ToQueue, ToStream
from proofs.chaos.running import Stuck
from proofs.shapes import api_request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from odyssey_cli.flows.ingest.events import Event
    from proofs.chaos.flows.ingest import Ingest

QUEUE = "https://sqs/events.fifo"
_IMPATIENT = 200


@dataclass(frozen=True)
class Producers:
    """Those who put records, send messages and post events."""

    world: Ingest

    def _until(self, where: str, left: Sequence[Any], send: Callable[[Sequence[Any]], Any]) -> None:
        """Send until all is taken."""
        for _ in range(_IMPATIENT):
            answer, trouble = self.world.machine.run(where, partial(send, left))
            self.world.pump()
            if trouble is None:
                unsent = {*answer.refused, *answer.unknown}
                left = [each for place, each in enumerate(left) if place in unsent]
                if not left:
                    return
            self.world.schedule.now += 1
        raise Stuck(where, "never got through")

    def put(self, records: Sequence[bytes]) -> None:
        """Put records into the delivery stream."""
        client: Any = self.world.clouds.firehose
        self._until("generator", records, ToStream("stream", client, lambda: range(3)).put)

    def queue(self, events: Sequence[Event]) -> None:
        """Send messages to the queue."""
        client: Any = self.world.clouds.sqs
        sender = ToQueue(QUEUE, client, lambda: range(3))
        for start in range(0, len(events), sender.most):
            self._until("generator", events[start : start + sender.most], sender.send)

    def post(self, event: Event) -> None:
        """Post an event to the consumer's API, each time with the same key."""
        body = {
            "type": event.type,
            "subject": event.subject,
            "time": event.time.isoformat().replace("+00:00", "Z"),
            "data": event.data,
        }
        headers = {"Content-Type": "application/json", "Idempotency-Key": event.id}
        for _ in range(_IMPATIENT):
            request = api_request(
                "POST",
                "/events",
                body=json.dumps(body).encode(),
                headers=headers,
                request_id="request",
            )
            self.world.as_of("Consumer")
            outcome = self.world.machine.invoke("trigger", trigger.handler, request, [event.id])
            self.world.as_of("Ingest")
            self.world.pump()
            response: Any = outcome.response
            if outcome.error is None and outcome.invoked and response["statusCode"] == 202:
                self.world.posted[json.loads(response["body"])["event_id"]] = event.id
                return
            self.world.schedule.now += 1
        raise Stuck(event.id, "was never accepted")
